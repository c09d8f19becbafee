import { fill, h, icon, on } from "../dom";
import { tilePrefix, toBbox } from "../permalink";
import { activeFilters, NO_FILTERS, type Area, type Filters, type State, type Store } from "../state";
import type { Bbox, StacCollection } from "../stac/types";
import { t } from "../strings";

/** What the search form asks of the map. */
export interface AreaSource {
  /** What the map shows now, or null before it shows anything. */
  bounds(): Bbox | null;
  /** Let the visitor drag a rectangle; null when cancelled. */
  drawBox(): Promise<Bbox | null>;
}

/** The search form: every change of a control becomes a change of the filters. */
export class FiltersView {
  readonly element: HTMLFormElement;
  private readonly collection = h("select", { id: "f-collection" });
  private readonly from = h("input", { id: "f-from", type: "date", "aria-label": t.filters.from });
  private readonly to = h("input", { id: "f-to", type: "date", "aria-label": t.filters.to });
  private readonly cloud = h("input", { id: "f-cloud", type: "range", min: 0, max: 100, step: 5 });
  private readonly cloudOut = h("output", { for: "f-cloud" });
  private readonly quality = h("input", { id: "f-quality", type: "checkbox" });
  private readonly tile = h("input", {
    id: "f-tile", type: "text", maxlength: 5, placeholder: t.filters.tileHint, autocomplete: "off",
    spellcheck: "false", "aria-describedby": "f-tile-error",
  });
  private readonly tileError = h("p", { id: "f-tile-error", class: "field-error", role: "alert" });
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
  }

  /** Offer the collections of the catalogue. */
  setCollections(collections: readonly StacCollection[]): void {
    const options = collections.map((one) => h("option", { value: one.id }, one.title ?? one.id));
    fill(this.collection, h("option", { value: "" }, t.filters.allCollections), ...options);
    this.show(this.state.get().filters);
  }

  private change(patch: Partial<Filters>): void {
    this.state.set({ filters: { ...this.state.get().filters, ...patch } });
  }

  private show(filters: Filters): void {
    this.collection.value = filters.collection;
    this.from.value = filters.from;
    this.to.value = filters.to;
    this.from.max = filters.to;
    this.to.min = filters.from;
    this.cloud.value = String(filters.cloud);
    this.showCloud();
    this.quality.checked = filters.quality === "nominal";
    if (tilePrefix(this.tile.value) !== filters.tile) this.tile.value = filters.tile;
    this.area.show(filters.area);
    this.reset.hidden = activeFilters(filters) === 0;
  }

  private showCloud(): void {
    const percent = Number(this.cloud.value);
    this.cloudOut.value = t.filters.cloudAtMost(percent);
    this.cloud.style.setProperty("--filled", `${percent}%`);
    this.cloud.setAttribute("aria-valuetext", this.cloudOut.value);
  }

  private listen(): void {
    on(this.element, "submit", (event) => event.preventDefault());
    on(this.collection, "change", () => this.change({ collection: this.collection.value }));
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
    const tile = h("div", { class: "field" }, h("label", { for: "f-tile" }, t.filters.tile), this.tile);
    return h(
      "form",
      { class: "filters", "aria-label": t.filters.heading },
      h("div", { class: "columns" }, field(t.filters.collection, "f-collection", this.collection), tile),
      this.tileError,
      group(t.filters.dates, dates),
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

/** Choice of the area: anywhere, what the map shows, or a rectangle that can be drawn or typed. */
class AreaField {
  readonly element: HTMLElement;
  private readonly radios: Readonly<Record<Area["kind"], HTMLInputElement>>;
  private readonly sides = [t.filters.west, t.filters.south, t.filters.east, t.filters.north].map((side) =>
    h("input", { type: "number", step: "any", "aria-label": side, placeholder: side, title: side }),
  );
  private readonly error = h("p", { class: "field-error", role: "alert" });
  private readonly box: HTMLElement;

  constructor(private readonly map: AreaSource, private readonly changed: (area: Area) => void) {
    const radio = (kind: Area["kind"]): HTMLInputElement =>
      on(h("input", { type: "radio", name: "area", value: kind }), "change", () => this.choose(kind));
    this.radios = { anywhere: radio("anywhere"), view: radio("view"), box: radio("box") };
    this.box = this.boxEditor();
    const segment = (kind: Area["kind"], name: string): HTMLElement =>
      h("label", {}, this.radios[kind], h("span", {}, name));
    this.element = group(
      t.filters.area,
      h(
        "div",
        { class: "segments" },
        segment("anywhere", t.filters.anywhere),
        segment("view", t.filters.mapView),
        segment("box", t.filters.box),
      ),
      this.box,
    );
  }

  show(area: Area): void {
    this.radios[area.kind].checked = true;
    this.box.hidden = area.kind !== "box";
    this.error.textContent = "";
    if (area.kind !== "box") return;
    this.sides.forEach((input, index) => (input.value = String(Number(area.bbox[index]?.toFixed(4)))));
  }

  private boxEditor(): HTMLElement {
    const draw = h("button", { type: "button", class: "button small" }, icon("frame"), t.filters.draw);
    const view = h("button", { type: "button", class: "button small" }, t.filters.useView);
    on(draw, "click", () => void this.draw());
    on(view, "click", () => this.take(this.map.bounds()));
    for (const input of this.sides) on(input, "change", () => this.readSides());
    return h(
      "div",
      { class: "box-editor", hidden: true },
      h("div", { class: "box-sides" }, ...this.sides),
      h("div", { class: "box-buttons" }, draw, view),
      this.error,
    );
  }

  private choose(kind: Area["kind"]): void {
    if (kind === "box") this.take(this.map.bounds());
    else this.changed({ kind });
  }

  private async draw(): Promise<void> {
    this.take(await this.map.drawBox());
  }

  private take(bbox: Bbox | null): void {
    if (bbox) this.changed({ kind: "box", bbox });
  }

  private readSides(): void {
    const values = this.sides.map((input) => input.valueAsNumber);
    const bbox = toBbox(values);
    this.error.textContent = bbox || values.some(Number.isNaN) ? "" : t.filters.boxInvalid;
    this.take(bbox);
  }
}

function field(name: string, id: string, control: HTMLElement): HTMLElement {
  return h("div", { class: "field" }, h("label", { for: id }, name), control);
}

function group(name: string, ...controls: HTMLElement[]): HTMLElement {
  return h("fieldset", { class: "field" }, h("legend", {}, name), ...controls);
}
