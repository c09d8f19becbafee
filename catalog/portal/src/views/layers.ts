import { fill, h, on } from "../dom";
import { formatDate, formatNumber, formatPercent } from "../format";
import { legend } from "../legends";
import { itemBands, type Product } from "../product";
import { decodeOwn, encodeOwn, type OwnBands, type Render } from "../renders";
import type { ItemRef, State, Store } from "../state";
import { t } from "../strings";

const OWN = "own";
/** Reflectances, as stored integers, that may be drawn white. */
const WHITES = [1500, 3000, 5000, 8000] as const;
const START_OWN: OwnBands = { asset: "SR", bands: [4, 3, 2], white: 5000 };

/** Choice of what the map shows of a product: render or bands, opacity, mask over it, comparison. */
export class LayersView {
  readonly element = h("div", { class: "layers-view" });
  private readonly legendBox = h("div", { class: "legend-box", "aria-label": t.product.legend, role: "group" });
  private readonly ownBox = h("div", { class: "own-bands" });
  private readonly compare = h("select", { id: "l-compare" });
  private readonly opacityRow: HTMLElement;
  private readonly overlayRow: HTMLElement;

  constructor(
    private readonly product: Product,
    private readonly renders: readonly Render[],
    private readonly state: Store<State>,
  ) {
    this.opacityRow = this.opacityControl();
    this.overlayRow = this.overlayControl();
    on(this.compare, "change", () => this.state.set({ compare: reference(this.compare.value) }));
    this.element.append(
      this.renderChoice(),
      this.ownBox,
      this.opacityRow,
      this.overlayRow,
      this.legendBox,
      h("div", { class: "field" }, h("label", { for: "l-compare" }, t.product.compare), this.compare),
    );
    this.compare.disabled = true;
    this.showChosen();
  }

  /** Offer other products of the tile for comparison. */
  offerOthers(others: readonly Product[]): void {
    const options = others.filter(({ id }) => id !== this.product.id).map((one) => {
      const cloud = one.cloud === null ? "" : ` · ${t.results.cloud(formatPercent(one.cloud))}`;
      return h("option", { value: `${one.collection}/${one.id}` }, `${formatDate(one.time)} · ${one.camera}${cloud}`);
    });
    fill(this.compare, h("option", { value: "" }, options.length === 0 ? t.product.compareOnly : t.product.compareNone), ...options);
    this.compare.disabled = options.length === 0;
    const { compare } = this.state.get();
    this.compare.value = compare ? `${compare.collection}/${compare.id}` : "";
  }

  private choose(name: string): void {
    this.state.set({ render: name });
    this.showChosen();
  }

  private showChosen(): void {
    const { render: name } = this.state.get();
    const own = decodeOwn(name);
    const render = this.renders.find((one) => one.name === name);
    fill(this.ownBox, own ? this.bandChoice(own) : null);
    fill(this.legendBox, render ? legend(this.product, render) : null);
    this.opacityRow.hidden = !name;
    this.overlayRow.hidden = !name || name === "mask";
  }

  private renderChoice(): HTMLElement {
    const { render: chosen } = this.state.get();
    const options = [
      ...this.renders.map((one) => [one.name, one.title] as const),
      [OWN, t.product.ownBands] as const,
      ["", t.product.layerOff] as const,
    ];
    const current = decodeOwn(chosen) ? OWN : chosen;
    const radios = options.map(([name, title]) => {
      const radio = h("input", { type: "radio", name: "render", value: name, checked: name === current });
      on(radio, "change", () => this.choose(name === OWN ? encodeOwn(START_OWN) : name));
      return h("label", {}, radio, h("span", {}, title));
    });
    return h("fieldset", { class: "layers" }, h("legend", {}, t.product.layer), h("div", { class: "tiles" }, ...radios));
  }

  private bandChoice(own: OwnBands): HTMLElement {
    const bands = itemBands(this.product.item, own.asset);
    const change = (patch: Partial<OwnBands>): void => this.choose(encodeOwn({ ...own, ...patch }));
    const channels = [t.product.red, t.product.green, t.product.blue].map((name, channel) => {
      const options = bands.map((band, index) => [String(index + 1), `${index + 1} ${t.bands[band] ?? band}`] as const);
      return choice(name, options, String(own.bands[channel]), (value) => {
        const next = own.bands.with(channel, Number(value)) as [number, number, number];
        change({ bands: next });
      });
    });
    const files = (["SR", "TOA"] as const).filter((key) => this.product.item.assets[key]);
    const file = choice(t.product.ownFile, files.map((key) => [key, t.assets[key] ?? key]), own.asset, (asset) => change({ asset }));
    const whites = WHITES.map((white) => [String(white), formatNumber(white / 10_000, 2)] as const);
    const white = choice(t.product.stretch, whites, String(own.white), (value) => change({ white: Number(value) }));
    return h("div", { class: "own-grid" }, ...channels, file, white);
  }

  private opacityControl(): HTMLElement {
    const { opacity } = this.state.get();
    const slider = h("input", { id: "l-opacity", type: "range", min: 0, max: 100, step: 5, value: opacity });
    slider.style.setProperty("--filled", `${opacity}%`);
    on(slider, "input", () => {
      slider.style.setProperty("--filled", `${slider.value}%`);
      this.state.set({ opacity: Number(slider.value) });
    });
    return h("div", { class: "opacity" }, h("label", { for: "l-opacity" }, t.product.opacity), slider);
  }

  private overlayControl(): HTMLElement {
    const box = h("input", { id: "l-overlay", type: "checkbox", checked: this.state.get().overlay });
    on(box, "change", () => this.state.set({ overlay: box.checked }));
    return h("label", { class: "check", title: t.product.overlayHelp }, box, t.product.overlay);
  }
}

function choice(
  name: string, options: readonly (readonly [string, string])[], chosen: string, changed: (value: string) => void,
): HTMLElement {
  const select = h("select", {}, ...options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  on(select, "change", () => changed(select.value));
  return h("label", { class: "choice" }, h("span", {}, name), select);
}

function reference(text: string): ItemRef | null {
  const [collection, id] = text.split("/");
  return collection && id ? { collection, id } : null;
}
