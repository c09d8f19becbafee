import { titleOf } from "../catalog";
import { Histogram } from "../charts/histogram";
import { field, fill, h, icon, on } from "../dom";
import { tilePrefix } from "../permalink";
import { link } from "../route";
import { activeFilters, NO_FILTERS, type Filters, type State, type Store } from "../state";
import type { Bucket, StacCollection } from "../stac/types";
import { t } from "../strings";
import { AreaField, type AreaSource } from "./area-field";

/** Cameras by the collection whose products they make. */
export const CAMERAS: readonly (readonly [string, string, string])[] = [
  ["wfv1", "GF-1 WFV1", "gf1-wfv-ard"],
  ["wfv2", "GF-1 WFV2", "gf1-wfv-ard"],
  ["wfv3", "GF-1 WFV3", "gf1-wfv-ard"],
  ["wfv4", "GF-1 WFV4", "gf1-wfv-ard"],
  ["wfv", "GF-6 WFV", "gf6-wfv-ard"],
];

/** The search form: every change of a control becomes a change of the filters. */
export class FiltersView {
  readonly element: HTMLFormElement;
  private readonly collection = h("select", { id: "f-collection" });
  private readonly camera = h("select", { id: "f-camera" });
  private readonly from = h("input", { id: "f-from", type: "date", "aria-label": t.filters.from });
  private readonly to = h("input", { id: "f-to", type: "date", "aria-label": t.filters.to });
  private readonly histogram = new Histogram((period) => this.change(period));
  private readonly cloud = h("input", { id: "f-cloud", type: "range", min: 0, max: 100, step: 5 });
  private readonly cloudOut = h("output", { for: "f-cloud" });
  private readonly quality = h("input", { id: "f-quality", type: "checkbox" });
  private readonly tile = h("input", {
    id: "f-tile", type: "text", maxlength: 5, placeholder: t.filters.tileHint, autocomplete: "off",
    spellcheck: "false", "aria-describedby": "f-tile-error",
  });
  private readonly tileError = h("p", { id: "f-tile-error", class: "field-error", role: "alert" });
  private readonly calendar = h("a", { class: "tile-calendar", href: "" }, icon("calendar"), t.filters.tileCalendar);
  private readonly area: AreaField;
  private readonly reset = h("button", { type: "button", class: "link" }, t.filters.reset);

  constructor(private readonly state: Store<State>, map: AreaSource) {
    this.area = new AreaField(map, (area) => this.change({ area }));
    this.element = this.layout();
    this.listen();
    this.state.subscribe((now, before) => {
      if (now.filters !== before.filters) this.show(now.filters);
    });
    this.setCollections([]);
    this.show(this.state.get().filters);
  }

  /** Offer the collections of the catalogue. */
  setCollections(collections: readonly StacCollection[]): void {
    const options = collections.map((one) => h("option", { value: one.id }, titleOf(one)));
    fill(this.collection, h("option", { value: "" }, t.filters.allCollections), ...options);
    // They may come late: what the visitor has chosen or been told elsewhere in the form stays.
    this.collection.value = this.state.get().filters.collection;
  }

  /** Show how the products that match are spread over time; null where the server does not tell. */
  setHistogram(buckets: readonly Bucket[] | null): void {
    const { from, to } = this.state.get().filters;
    this.histogram.show(buckets, { from, to });
  }

  private change(patch: Partial<Filters>): void {
    this.state.set({ filters: { ...this.state.get().filters, ...patch } });
  }

  private show(filters: Filters): void {
    this.collection.value = filters.collection;
    this.offerCameras(filters);
    this.from.value = filters.from;
    this.to.value = filters.to;
    this.from.max = filters.to;
    this.to.min = filters.from;
    this.cloud.value = String(filters.cloud);
    this.showCloud();
    this.quality.checked = filters.quality === "nominal";
    if (tilePrefix(this.tile.value) !== filters.tile) this.tile.value = filters.tile;
    this.calendar.hidden = filters.tile.length !== 5;
    this.calendar.href = link("calendar", "", `tile=${filters.tile}`);
    this.area.show(filters.area);
    this.reset.hidden = activeFilters(filters) === 0;
  }

  private offerCameras({ collection, camera }: Filters): void {
    const offered = CAMERAS.filter(([, , of]) => collection === "" || of === collection);
    const options = offered.map(([key, name]) => h("option", { value: key }, name));
    fill(this.camera, h("option", { value: "" }, t.filters.allCameras), ...options);
    this.camera.value = camera;
  }

  private showCloud(): void {
    const percent = Number(this.cloud.value);
    this.cloudOut.value = t.filters.cloudAtMost(percent);
    this.cloud.style.setProperty("--filled", `${percent}%`);
    this.cloud.setAttribute("aria-valuetext", this.cloudOut.value);
  }

  private listen(): void {
    on(this.element, "submit", (event) => event.preventDefault());
    on(this.collection, "change", () => this.change({ collection: this.collection.value, camera: "" }));
    on(this.camera, "change", () => this.change({ camera: this.camera.value }));
    on(this.from, "change", () => this.change({ from: this.from.value }));
    on(this.to, "change", () => this.change({ to: this.to.value }));
    on(this.cloud, "input", () => this.showCloud());
    on(this.cloud, "change", () => this.change({ cloud: Number(this.cloud.value) }));
    on(this.quality, "change", () => this.change({ quality: this.quality.checked ? "nominal" : "any" }));
    on(this.tile, "input", () => this.readTile());
    on(this.reset, "click", () => {
      this.change({ ...NO_FILTERS, sort: this.state.get().filters.sort });
      this.collection.focus();
    });
  }

  private readTile(): void {
    const tile = tilePrefix(this.tile.value);
    this.tileError.textContent = tile === null ? t.filters.tileInvalid : "";
    this.tile.setAttribute("aria-invalid", String(tile === null));
    if (tile !== null && tile !== this.state.get().filters.tile) this.change({ tile });
  }

  private layout(): HTMLFormElement {
    const dates = h("div", { class: "pair" }, this.from, h("span", { "aria-hidden": "true" }, "–"), this.to);
    return h(
      "form",
      { class: "filters", "aria-label": t.filters.heading },
      field(t.filters.collection, this.collection),
      h("div", { class: "columns" }, field(t.filters.camera, this.camera), field(t.filters.tile, this.tile)),
      this.tileError,
      this.calendar,
      h("fieldset", { class: "field" }, h("legend", {}, t.filters.dates), this.histogram.element, dates),
      h("div", { class: "columns" }, this.cloudField(), this.qualityField()),
      this.area.element,
      this.reset,
    );
  }

  private cloudField(): HTMLElement {
    const head = h("div", { class: "field-head" }, h("label", { for: "f-cloud" }, t.filters.cloud), this.cloudOut);
    return h("div", { class: "field" }, head, this.cloud);
  }

  private qualityField(): HTMLElement {
    const name = h("span", { class: "field-name", "aria-hidden": "true" }, t.filters.quality);
    const check = h("label", { class: "check", for: "f-quality" }, this.quality, t.filters.nominalOnly);
    return h("div", { class: "field" }, name, check);
  }
}
