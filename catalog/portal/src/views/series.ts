import type { Catalog } from "../catalog";
import { seriesChart } from "../charts/series-chart";
import { field, fill, h, icon, on } from "../dom";
import { saveBlob } from "../exports";
import { formatDate, formatLat, formatLon, formatNumber } from "../format";
import { isAbort } from "../http";
import type { Product } from "../product";
import type { Index, ItemRef, Point, State, Store } from "../state";
import { t } from "../strings";
import { readSeries, seriesCsv, type Sample, type Series } from "../tools/series";

const NOTHING: Series = { samples: [], cut: false };

/** Time series of the tile of a product at a point: choice of the point, chart, table, file. */
export class SeriesView {
  readonly element: HTMLElement;
  private readonly lon = h("input", { id: "s-lon", type: "number", step: "any", min: -180, max: 180 });
  private readonly lat = h("input", { id: "s-lat", type: "number", step: "any", min: -90, max: 90 });
  private readonly clearOnly = h("input", { id: "s-clear", type: "checkbox" });
  private readonly status = h("p", { class: "note", role: "status" });
  private readonly drawn = h("div", {});
  private readonly radios: HTMLElement;
  private series = NOTHING;
  private running = new AbortController();
  private shownFor = "";

  constructor(
    private readonly catalog: Catalog,
    private readonly state: Store<State>,
    private readonly product: Product,
    private readonly open: (product: ItemRef) => void,
  ) {
    this.radios = this.indexChoice();
    const show = h("button", { type: "submit", class: "button small" }, t.series.show);
    const form = h("form", { class: "point-form" }, field(t.series.lon, this.lon), field(t.series.lat, this.lat), show);
    on(form, "submit", (event) => {
      event.preventDefault();
      const point = { lon: this.lon.valueAsNumber, lat: this.lat.valueAsNumber };
      if (Number.isFinite(point.lon + point.lat)) this.state.set({ point });
    });
    on(this.clearOnly, "change", () => this.state.set({ clearOnly: this.clearOnly.checked }));
    this.element = h(
      "div",
      { class: "series" },
      h("p", { class: "note" }, t.series.intro),
      form,
      this.radios,
      h("label", { class: "check" }, this.clearOnly, t.series.clearOnly),
      this.status,
      this.drawn,
    );
  }

  /** Show the series of the point in the state, and read it if it is another one. */
  refresh(): void {
    const { point } = this.state.get();
    if (!point) return;
    this.lon.value = String(Number(point.lon.toFixed(5)));
    this.lat.value = String(Number(point.lat.toFixed(5)));
    const key = `${point.lon} ${point.lat}`;
    if (key === this.shownFor) this.draw();
    else void this.read(point, key);
  }

  stop(): void {
    this.running.abort();
  }

  private async read(point: Point, key: string): Promise<void> {
    this.stop();
    this.running = new AbortController();
    const { signal } = this.running;
    this.shownFor = key;
    fill(this.drawn);
    this.status.textContent = t.site.loading;
    try {
      const collections = await this.catalog.collections();
      this.series = await readSeries(this.catalog.config.tiles, collections, this.product.tile, point, signal);
      if (!signal.aborted) this.draw();
    } catch (error) {
      if (isAbort(error)) return;
      this.shownFor = "";
      this.status.textContent = t.series.failed;
    }
  }

  private draw(): void {
    const { index, point, clearOnly } = this.state.get();
    this.clearOnly.checked = clearOnly;
    const { samples, cut } = this.series;
    const clear = samples.filter((sample) => sample.clear);
    const shown = clearOnly ? clear : samples;
    const words = samples.length === 0 ? t.series.none : t.series.summary(clear.length, samples.length);
    this.status.textContent = cut ? `${words} ${t.series.cut}` : words;
    if (shown.length === 0 || !point) return fill(this.drawn);
    const chart = seriesChart(shown, index, `${formatLat(point.lat)}, ${formatLon(point.lon)}`, this.product.id);
    on(chart, "click", (event) => {
      const id = (event.target as Element).closest<SVGElement>("[data-id]")?.dataset["id"];
      const sample = shown.find((one) => one.id === id);
      if (sample) this.open(sample);
    });
    fill(this.drawn, chart, this.csvButton(), this.table(shown));
  }

  private csvButton(): HTMLElement {
    const button = h("button", { type: "button", class: "button small" }, icon("download"), t.series.csv);
    return on(button, "click", () => {
      saveBlob(new Blob([seriesCsv(this.series.samples)], { type: "text/csv" }), `${this.product.tile}.csv`);
    });
  }

  private table(samples: readonly Sample[]): HTMLElement {
    const rows = samples.toReversed().map((sample) => {
      const date = formatDate(sample.time);
      const button = h("button", { type: "button", class: "link", "aria-label": t.series.open(date) }, date);
      on(button, "click", () => this.open(sample));
      const values = [sample.ndvi, sample.bands.red, sample.bands.nir].map((value) => h("td", {}, Number.isNaN(value) ? "–" : formatNumber(value, 3)));
      return h("tr", {}, h("th", { scope: "row" }, button), ...values, h("td", {}, sample.className));
    });
    const head = [t.series.date, "NDVI", t.bands["red"] ?? "", t.bands["nir"] ?? "", t.series.class];
    return h(
      "details",
      { class: "section" },
      h("summary", {}, t.series.table),
      h(
        "table",
        { class: "series-table" },
        h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, ...rows),
      ),
    );
  }

  private indexChoice(): HTMLElement {
    const names: readonly (readonly [Index, string])[] = [["ndvi", t.series.ndvi], ["sr", t.series.sr]];
    const radios = names.map(([index, name]) => {
      const radio = h("input", { type: "radio", name: "index", value: index, checked: this.state.get().index === index });
      on(radio, "change", () => this.state.set({ index }));
      return h("label", {}, radio, h("span", {}, name));
    });
    return h("fieldset", { class: "field" }, h("legend", {}, t.series.value), h("div", { class: "segments two" }, ...radios));
  }
}
