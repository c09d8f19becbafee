import type { Cart } from "../cart";
import type { Catalog } from "../catalog";
import { copyButton } from "../copy";
import { fill, h, icon, on, outside } from "../dom";
import { formatDate, formatPercent, formatTime } from "../format";
import type { Product } from "../product";
import type { Render } from "../renders";
import { pythonSnippet } from "../snippets";
import { TABS, type ItemRef, type State, type Store, type Tab } from "../state";
import { t } from "../strings";
import { codeBox } from "./access";
import { chooseButton } from "./choose";
import { downloadList } from "./downloads";
import { awayNotice } from "./away";
import { classBar, factSections } from "./facts";
import { LayersView } from "./layers";
import { SeriesView } from "./series";
import { tabs } from "./tabs";

export interface PanelEvents {
  close(): void;
  zoom(product: Product): void;
  open(product: ItemRef): void;
}

/** The panel of the selected product: map layers, time series, files, facts. */
export class ProductPanel {
  readonly element = h("aside", { class: "product", "aria-label": t.product.region, hidden: true });
  private layers: LayersView | null = null;
  private series: SeriesView | null = null;

  constructor(
    private readonly catalog: Catalog,
    private readonly cart: Cart,
    private readonly state: Store<State>,
    private readonly events: PanelEvents,
  ) {
    state.subscribe((now, before) => {
      const same = now.point === before.point && now.index === before.index && now.clearOnly === before.clearOnly;
      if (!same) this.series?.refresh();
    });
  }

  hide(): void {
    this.forget();
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  showLoading(): void {
    this.forget();
    this.put(h("p", { class: "product-note", role: "status" }, t.product.loading));
  }

  showError(message: string): void {
    this.forget();
    this.put(h("div", { class: "notice", role: "alert" }, h("strong", {}, t.product.errorTitle), h("p", {}, message)));
  }

  /** Fill the panel; `takeFocus` moves the keyboard to its heading. */
  show(product: Product, renders: readonly Render[], takeFocus: boolean): void {
    this.forget();
    const heading = h("h2", { tabindex: -1 }, `${product.camera} · ${product.tile}`);
    // Filled anew while the keyboard is inside, it would lose it.
    const focus = takeFocus || this.element.contains(document.activeElement);
    this.put(
      h(
        "header",
        { class: "product-head" },
        heading,
        h("p", {}, `${formatDate(product.time)} ${formatTime(product.time)} UTC`),
        h("p", { class: "card-badges" }, ...badges(product)),
        h("p", { class: "product-id" }, product.id),
        this.actions(product),
        product.elsewhere === null ? null : awayNotice(product.elsewhere),
      ),
      this.sections(product, renders),
    );
    if (focus) heading.focus({ preventScroll: true });
    this.element.scrollTop = 0;
  }

  /** Offer other products of the tile for comparison. */
  offerOthers(others: readonly Product[]): void {
    this.layers?.offerOthers(others);
  }

  private sections(product: Product, renders: readonly Render[]): HTMLElement {
    const layers = (this.layers = new LayersView(product, renders, this.state));
    const series = (this.series = new SeriesView(this.catalog, this.state, product, this.events.open));
    const content: Record<Tab, () => HTMLElement> = {
      layers: () => h("div", { class: "product-body" }, layers.element, classBar(product)),
      series: () => h("div", { class: "product-body" }, series.element),
      files: () => h("div", { class: "product-body" }, downloadList(product), this.python(product)),
      about: () => h("div", { class: "product-body" }, ...factSections(product)),
    };
    const specs = TABS.map((key) => ({ key, name: t.product[key], content: content[key] }));
    const { tab } = this.state.get();
    if (tab === "series") series.refresh();
    return tabs(t.product.tabs, specs, tab, (key) => {
      this.state.set({ tab: TABS.find((one) => one === key) ?? "layers" });
      if (key === "series") series.refresh();
    });
  }

  private put(...children: (HTMLElement | null)[]): void {
    const close = h("button", { type: "button", class: "icon-button close", "aria-label": t.product.close, title: t.product.close }, icon("close"));
    on(close, "click", () => this.events.close());
    fill(this.element, close, ...children);
    this.element.hidden = false;
  }

  /** What the panel held before is read no further. */
  private forget(): void {
    this.series?.stop();
    this.series = null;
    this.layers = null;
  }

  private actions(product: Product): HTMLElement {
    const zoom = h("button", { type: "button", class: "button small" }, icon("frame"), t.product.zoom);
    const json = outside(this.catalog.client.itemUrl(product.collection, product.id), icon("external"), t.product.itemJson);
    json.classList.add("button", "small");
    return h(
      "p",
      { class: "actions" },
      chooseButton(product, this.cart),
      on(zoom, "click", () => this.events.zoom(product)),
      copyButton(t.product.copyLink, () => location.href),
      json,
    );
  }

  private python(product: Product): HTMLElement {
    const subject = { stac: this.catalog.config.stac, collection: product.collection, id: product.id };
    return h(
      "details",
      { class: "section" },
      h("summary", {}, t.product.api),
      codeBox(pythonSnippet(subject, true)),
    );
  }
}

function badges(product: Product): HTMLElement[] {
  const help = { nominal: t.quality.nominalHelp, degraded: t.quality.degradedHelp, unknown: "" }[product.quality];
  const all = [h("span", { class: `badge badge-${product.quality}`, title: help }, t.quality[product.quality])];
  if (product.cloud !== null) {
    all.unshift(h("span", { class: "badge badge-cloud" }, icon("cloud"), t.results.cloud(formatPercent(product.cloud))));
  }
  if (product.deprecated) all.push(h("span", { class: "badge badge-deprecated" }, t.results.superseded));
  return all;
}
