import type { SiteConfig } from "./config";
import { fill, h, on } from "./dom";
import { isAbort } from "./http";
import type { MapPanel } from "./map/map";
import { decodeState, encodeState } from "./permalink";
import { flatBbox, readProduct, type Product } from "./product";
import { rendersOf, tileUrl } from "./renders";
import { Search } from "./search";
import { StacClient } from "./stac/client";
import type { Bbox, StacCollection } from "./stac/types";
import { activeFilters, NO_FILTERS, START, Store, type State } from "./state";
import { t } from "./strings";
import { FiltersView } from "./views/filters";
import { footerEntries, pageHeader } from "./views/frame";
import { ProductPanel } from "./views/product-panel";
import { ResultsView } from "./views/results";
import { Sheet } from "./views/sheet";

/** Time for the map to come to rest before a search of its view, in milliseconds. */
const SETTLE_MS = 300;

/** Closest zoom at which one product, or many, are brought into view. */
const CLOSE_ZOOM = 12;
const OVERVIEW_ZOOM = 10;

/** The page: keeps the address, the search, the list, the map and the panel in step. */
export class Portal {
  private readonly state = new Store<State>(decodeState(location.hash));
  private readonly client: StacClient;
  private readonly search: Search;
  private readonly filters: FiltersView;
  private readonly results: ResultsView;
  private readonly panel: ProductPanel;
  private readonly mapBox = h("div", { class: "map", role: "region", "aria-label": t.map.label });
  private readonly tileNote = h("p", { class: "map-message", role: "status", hidden: true }, t.map.tileError);
  private readonly filterCount = h("span", { class: "filter-count" });
  private readonly footer = h("footer", { class: "site-footer" });
  private readonly main = h("main", { class: "workspace" });
  private readonly sheet = new Sheet(this.main);
  private map: MapPanel | null = null;
  private collections: readonly StacCollection[] = [];
  private product: Product | null = null;
  private opening = new AbortController();
  private settle = 0;
  /** Whether the next list of products decides what the map shows. */
  private fitResults = this.state.get().view === null;

  constructor(private readonly config: SiteConfig) {
    this.client = new StacClient(config.stac);
    this.search = new Search(this.client);
    this.filters = new FiltersView(this.state, {
      bounds: () => this.map?.bounds() ?? null,
      drawBox: () => this.drawBox(),
    });
    this.results = new ResultsView(this.search, this.state, {
      hover: (id) => this.hover(id),
      open: (product) => this.open(product, true),
      retry: () => this.runSearch(),
      reset: () => this.state.set({ filters: NO_FILTERS }),
    });
    this.panel = new ProductPanel(this.client, this.state, {
      close: () => this.close(),
      zoom: (product) => this.map?.fit(product.bbox, CLOSE_ZOOM),
    });
  }

  /** Show the page and load what it needs; resolves when list and map stand. */
  async start(): Promise<void> {
    this.layout();
    this.listen();
    if (this.state.get().filters.area.kind !== "view") this.runSearch();
    await Promise.all([this.loadCollections(), this.openMap()]);
    if (this.state.get().filters.area.kind === "view") this.runSearch();
    await this.showSelected(false);
  }

  private layout(): void {
    const wide = matchMedia("(min-width: 761px)").matches;
    const search = h(
      "details",
      { class: "filters-box", open: wide },
      h("summary", {}, t.filters.heading, this.filterCount),
      this.filters.element,
    );
    const side = h("div", { class: "side" }, search, this.results.element);
    this.main.append(side, this.mapBox, this.sheet.handle, this.panel.element);
    const app = document.getElementById("app") ?? document.body;
    fill(app, pageHeader(this.config), this.main, this.footer);
    this.showFilterCount();
  }

  private listen(): void {
    this.state.subscribe((now, before) => this.follow(now, before));
    this.search.results.subscribe((now, before) => {
      if (now.products !== before.products) this.showProducts(now.products);
    });
    window.addEventListener("popstate", () => this.state.set(decodeState(location.hash)));
    window.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.state.get().selected && !event.defaultPrevented) this.close();
    });
  }

  private follow(now: State, before: State): void {
    const reselected = now.selected?.id !== before.selected?.id;
    this.writeAddress(now, reselected);
    if (now.filters !== before.filters) this.filtersChanged(now, before);
    if (reselected) void this.showSelected(true);
    else if (now.render !== before.render) this.showRender();
    if (now.opacity !== before.opacity) this.map?.setOpacity(now.opacity);
  }

  private filtersChanged(now: State, before: State): void {
    const { area, tile, collection } = now.filters;
    const elsewhere = tile !== before.filters.tile || collection !== before.filters.collection;
    this.fitResults = area.kind === "anywhere" && elsewhere;
    this.map?.showBox(area.kind === "box" ? area.bbox : null);
    this.showFilterCount();
    this.runSearch();
  }

  /** Selecting a product is a step that "back" takes back; everything else is not. */
  private writeAddress(state: State, step: boolean): void {
    const hash = `#${encodeState(state)}`;
    if (hash === (location.hash || "#")) return;
    if (step) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  }

  private runSearch(): void {
    clearTimeout(this.settle);
    void this.search.start(this.state.get().filters, this.map?.bounds() ?? null);
  }

  private showProducts(products: readonly Product[]): void {
    this.map?.showProducts(products);
    this.fitOnce(this.product ? [this.product] : products);
  }

  /** Show products on the map, if nothing has decided yet what it shows. */
  private fitOnce(products: readonly Product[]): void {
    const box = union(products.map((product) => product.bbox));
    if (!this.fitResults || !this.map || !box) return;
    this.fitResults = false;
    this.map.fit(box, products.length === 1 ? CLOSE_ZOOM : OVERVIEW_ZOOM);
  }

  private showFilterCount(): void {
    const count = activeFilters(this.state.get().filters);
    this.filterCount.textContent = count === 0 ? "" : t.filters.active(count);
  }

  private async openMap(): Promise<void> {
    const { MapPanel } = await import("./map/map");
    try {
      this.map = await MapPanel.open(this.mapBox, this.state.get().view, {
        hover: (id) => this.hover(id),
        click: (ids) => this.clicked(ids),
        moved: (view) => this.moved(view),
        tileFailed: () => (this.tileNote.hidden = false),
      });
    } catch (error) {
      console.warn("map not available", error);
      fill(this.mapBox, h("p", { class: "map-message", role: "status" }, t.map.failed));
      return;
    }
    this.addHome();
    const { area } = this.state.get().filters;
    if (area.kind === "box") this.map.showBox(area.bbox);
    this.showProducts(this.search.results.get().products);
    this.showRender();
  }

  private moved(view: State["view"]): void {
    this.state.set({ view });
    if (this.state.get().filters.area.kind !== "view") return;
    clearTimeout(this.settle);
    this.settle = window.setTimeout(() => this.runSearch(), SETTLE_MS);
  }

  private addHome(): void {
    const button = h("button", { type: "button", class: "button small map-home" }, t.map.home);
    on(button, "click", () => {
      const box = union(this.collections.flatMap(extentOf));
      if (box) this.map?.fit(box, OVERVIEW_ZOOM);
    });
    this.mapBox.append(button, this.tileNote);
  }

  private async drawBox(): Promise<Bbox | null> {
    if (!this.map) return null;
    const { area } = this.state.get().filters;
    const hint = h("p", { class: "map-message map-hint", role: "status" }, t.map.drawHint);
    this.mapBox.append(hint);
    this.sheet.set("peek");
    const bbox = await this.map.drawBox(area.kind === "box" ? area.bbox : null);
    hint.remove();
    this.sheet.set("half");
    return bbox;
  }

  private hover(id: string | null): void {
    this.map?.hover(id);
    this.results.highlight(id);
  }

  /** A second click on a stack of footprints opens the next one below. */
  private clicked(ids: readonly string[]): void {
    const at = ids.indexOf(this.state.get().selected?.id ?? "");
    const id = ids[(at + 1) % Math.max(ids.length, 1)];
    const product = this.search.results.get().products.find((one) => one.id === id);
    if (product) this.open(product, false);
  }

  private open(product: Product, move: boolean): void {
    const { id, collection } = product;
    if (this.state.get().selected?.id === id) void this.showSelected(true);
    else this.state.set({ selected: { id, collection } });
    if (move) this.map?.fit(product.bbox, CLOSE_ZOOM);
  }

  private close(): void {
    const id = this.state.get().selected?.id;
    this.state.set({ selected: null });
    if (id) this.results.focus(id);
  }

  private async showSelected(takeFocus: boolean): Promise<void> {
    this.opening.abort();
    this.opening = new AbortController();
    const { selected } = this.state.get();
    this.main.toggleAttribute("data-product", selected !== null);
    if (!selected) {
      this.setProduct(null);
      this.panel.hide();
      return;
    }
    try {
      const product = await this.find(selected.collection, selected.id, this.opening.signal);
      this.setProduct(product);
      this.fitOnce([product]);
      this.panel.show(product, this.rendersFor(product), takeFocus);
    } catch (error) {
      if (isAbort(error)) return;
      this.setProduct(null);
      this.panel.showError(error instanceof Error ? error.message : String(error));
    }
  }

  private async find(collection: string, id: string, signal: AbortSignal): Promise<Product> {
    const listed = this.search.results.get().products.find((product) => product.id === id);
    if (listed) return listed;
    this.panel.showLoading();
    return readProduct(await this.client.item(collection, id, signal));
  }

  private setProduct(product: Product | null): void {
    this.product = product;
    const { render } = this.state.get();
    const known = product ? this.rendersFor(product).map(({ name }) => name) : [];
    if (product && render && !known.includes(render)) this.state.set({ render: known[0] ?? START.render });
    this.showRender();
  }

  private rendersFor(product: Product) {
    return rendersOf(this.collections.find(({ id }) => id === product.collection));
  }

  private showRender(): void {
    const { render, opacity } = this.state.get();
    const { product } = this;
    this.map?.select(product);
    const source = product && render ? { url: tileUrl(this.config.tiles, product, render), bbox: product.bbox } : null;
    this.tileNote.hidden = true;
    this.map?.showRender(source, opacity);
  }

  private async loadCollections(): Promise<void> {
    try {
      this.collections = await this.client.collections();
    } catch (error) {
      // The search tells the visitor that the server is away; the list of collections is a comfort.
      console.warn("collections not available", error);
      return;
    }
    this.filters.setCollections(this.collections);
    const products = await this.client.count().catch(() => null);
    fill(this.footer, ...footerEntries({ products, collections: this.collections }));
  }
}

function extentOf(collection: StacCollection): Bbox[] {
  return (collection.extent?.spatial?.bbox ?? []).slice(0, 1).map((bbox) => flatBbox(bbox));
}

/** Smallest box around boxes; null for none. */
function union(boxes: readonly Bbox[]): Bbox | null {
  const side = (index: 0 | 1 | 2 | 3): number[] => boxes.map((box) => box[index]);
  if (boxes.length === 0) return null;
  return [Math.min(...side(0)), Math.min(...side(1)), Math.max(...side(2)), Math.max(...side(3))];
}
