import type { Cart } from "../cart";
import type { Catalog } from "../catalog";
import { boxRing, ringsBbox } from "../area";
import { fill, h, on } from "../dom";
import { formatDate } from "../format";
import { isAbort, messageOf } from "../http";
import type { MapPanel } from "../map/map";
import { decodeState, encodeState } from "../permalink";
import { flatBbox, readProduct, type Product } from "../product";
import { decodeOwn, isCoded, overlayUrl, rendersOf, tileUrl } from "../renders";
import { link, type Route } from "../route";
import { Search } from "../search";
import { conditions, tileBody } from "../stac/query";
import type { Bbox, StacCollection } from "../stac/types";
import { activeFilters, NO_FILTERS, START, Store, type Area, type ItemRef, type Point, type State } from "../state";
import { t } from "../strings";
import { FiltersView } from "../views/filters";
import { ProductPanel } from "../views/product-panel";
import { ResultsView } from "../views/results";
import { Sheet } from "../views/sheet";
import type { Page } from "./page";

/** Time for the map to come to rest before a search of its view, in milliseconds. */
const SETTLE_MS = 300;

/** Closest zoom at which one product, or many, are brought into view. */
const CLOSE_ZOOM = 12;
const OVERVIEW_ZOOM = 10;

/** Most other dates that are offered for comparison. */
const MOST_OTHERS = 60;

/** The map search: keeps the address, the search, the list, the map and the panel in step. */
export class SearchPage implements Page {
  readonly element = h("div", { class: "workspace" });
  private readonly state = new Store<State>(START);
  private readonly search: Search;
  private readonly filters: FiltersView;
  private readonly results: ResultsView;
  private readonly panel: ProductPanel;
  private readonly mapBox = h("div", { class: "map", role: "region", "aria-label": t.map.label });
  private readonly tileNote = h("p", { class: "map-message", role: "status", hidden: true }, t.map.tileError);
  private readonly filterCount = h("span", { class: "filter-count" });
  private readonly sheet = new Sheet(this.element);
  private map: MapPanel | null = null;
  private mapDone: () => void = () => undefined;
  /** Ends when the map is there, or is known not to come. */
  private readonly mapOpened = new Promise<void>((resolve) => (this.mapDone = resolve));
  private collections: readonly StacCollection[] = [];
  /** Ends when the collections are there, or are known not to come. */
  private known: Promise<void> = Promise.resolve();
  private product: Product | null = null;
  private compared: Product | null = null;
  private opening = new AbortController();
  private counting = new AbortController();
  private settle = 0;
  private started = false;
  /** Whether the page is the one that is shown: the address of another one is left alone. */
  private present = false;
  /** Whether the next list of products decides what the map shows. */
  private fitResults = true;

  constructor(private readonly catalog: Catalog, cart: Cart) {
    this.search = new Search(catalog.client);
    this.filters = new FiltersView(this.state, {
      bounds: () => this.map?.bounds() ?? null,
      drawBox: () => this.draw(t.map.drawHint, (map) => map.drawBox()),
      drawShape: () => this.draw(t.map.shapeHint, (map) => map.drawShape()),
    });
    this.results = new ResultsView(this.search, this.state, cart, {
      hover: (id) => this.hover(id),
      open: (product) => this.open(product, product.bbox),
      retry: () => void this.runSearch(),
      reset: () => this.state.set({ filters: NO_FILTERS }),
    });
    this.panel = new ProductPanel(catalog, cart, this.state, {
      close: () => this.close(),
      zoom: (product) => this.map?.fit(product.bbox, CLOSE_ZOOM),
      open: (product) => this.open(product),
    });
  }

  title(): string {
    return this.product ? `${this.product.camera} ${this.product.tile} ${formatDate(this.product.time)}` : t.site.search;
  }

  show({ query }: Route): void {
    const wanted = decodeState(query);
    this.present = true;
    if (this.started) {
      if (encodeState(wanted) !== encodeState(this.state.get())) this.state.set(wanted);
      return;
    }
    this.started = true;
    this.state.set(wanted);
    this.fitResults = wanted.view === null;
    void this.start();
  }

  leave(): void {
    this.present = false;
  }

  private async start(): Promise<void> {
    this.layout();
    this.listen();
    const needsMap = this.state.get().filters.area.kind === "view";
    this.known = this.loadCollections();
    // The map takes the processor for a while: products come first where they do not depend on it.
    const { pages } = this.state.get();
    if (!needsMap) await this.runSearch(pages);
    const opened = this.openMap().finally(() => this.mapDone());
    const { selected } = this.state.get();
    // A product that was opened in the meantime is shown already, and may have the keyboard.
    if (selected && selected.id !== this.product?.id) void this.showSelected(false);
    void this.showCompare();
    await opened;
    if (needsMap) void this.runSearch(pages);
  }

  private layout(): void {
    const wide = matchMedia("(min-width: 761px)").matches;
    const search = h(
      "details",
      { class: "filters-box", open: wide },
      h("summary", {}, t.filters.heading, this.filterCount),
      this.filters.element,
    );
    const heading = h("h1", { class: "sr-only" }, t.site.search);
    const side = h("div", { class: "side" }, heading, search, this.results.element);
    this.element.append(side, this.mapBox, this.sheet.handle, this.panel.element);
    this.showFilterCount();
  }

  private listen(): void {
    this.state.subscribe((now, before) => this.follow(now, before));
    this.search.results.subscribe((now, before) => {
      if (now.products !== before.products) this.showProducts(now.products);
    });
    window.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.present && this.state.get().selected && !event.defaultPrevented) this.close();
    });
  }

  private follow(now: State, before: State): void {
    const reselected = now.selected?.id !== before.selected?.id;
    this.writeAddress(now, reselected);
    if (now.filters !== before.filters) this.filtersChanged(now, before);
    if (reselected) void this.showSelected(true);
    else if (now.render !== before.render || now.overlay !== before.overlay) this.showRender();
    if (now.compare?.id !== before.compare?.id) void this.showCompare();
    if (now.tab !== before.tab || now.point !== before.point) this.showPoint();
    if (now.opacity !== before.opacity) this.map?.setOpacity(now.opacity);
  }

  private filtersChanged(now: State, before: State): void {
    const { area, tile, collection } = now.filters;
    const elsewhere = tile !== before.filters.tile || collection !== before.filters.collection;
    this.fitResults = area.kind === "anywhere" && elsewhere;
    this.showArea(area);
    if (area.kind === "shape" && area !== before.filters.area) this.map?.fit(ringsBbox(area.rings), OVERVIEW_ZOOM);
    this.showFilterCount();
    void this.runSearch();
  }

  /** Selecting a product is a step that "back" takes back; everything else is not. */
  private writeAddress(state: State, step: boolean): void {
    const hash = link("search", "", encodeState(state));
    if (!this.present || hash === location.hash) return;
    if (step) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  }

  private async runSearch(pages = 1): Promise<void> {
    clearTimeout(this.settle);
    this.state.set({ pages });
    const { filters } = this.state.get();
    const view = this.map?.bounds() ?? null;
    await this.search.start(filters, view, pages);
    if (filters === this.state.get().filters) void this.countByTime(conditions({ ...filters, from: "", to: "" }, view));
  }

  /** The histogram shows what matches at any time, so that another period can be chosen. */
  private async countByTime(body: Record<string, unknown>): Promise<void> {
    this.counting.abort();
    this.counting = new AbortController();
    try {
      this.filters.setHistogram(await this.catalog.client.histogram(body, this.counting.signal));
    } catch (error) {
      if (!isAbort(error)) this.filters.setHistogram(null); // the search itself tells that the server is away
    }
  }

  private showProducts(products: readonly Product[]): void {
    this.map?.showProducts(products);
    this.fitOnce(this.product ? [this.product] : products);
  }

  /** Show products on the map, or the area they were sought in, if nothing has decided yet what it shows. */
  private fitOnce(products: readonly Product[]): void {
    const { selected, filters } = this.state.get();
    const found = union(products.map((product) => product.bbox));
    const box = selected ? found : (boxOf(filters.area) ?? found);
    const awaited = selected !== null && this.product === null;
    if (!this.fitResults || !this.map || !box || awaited) return;
    this.fitResults = false;
    this.map.fit(box, products.length === 1 ? CLOSE_ZOOM : OVERVIEW_ZOOM);
  }

  private showFilterCount(): void {
    const count = activeFilters(this.state.get().filters);
    this.filterCount.textContent = count === 0 ? "" : t.filters.active(count);
  }

  private async openMap(): Promise<void> {
    const { MapPanel } = await import("../map/map");
    try {
      this.map = await MapPanel.open(this.mapBox, this.state.get().view, {
        hover: (id) => this.hover(id),
        click: (ids, place) => this.clicked(ids, place),
        moved: (view) => this.moved(view),
        swiped: (swipe) => this.state.set({ swipe }),
        tileFailed: () => (this.tileNote.hidden = false),
      });
    } catch (error) {
      console.warn("map not available", error);
      fill(this.mapBox, h("p", { class: "map-message", role: "status" }, t.map.failed));
      return;
    }
    this.addHome();
    this.showArea(this.state.get().filters.area);
    this.showProducts(this.search.results.get().products);
    this.showRender();
    this.showPoint();
  }

  private moved(view: State["view"]): void {
    this.state.set({ view });
    if (this.state.get().filters.area.kind !== "view") return;
    clearTimeout(this.settle);
    this.settle = window.setTimeout(() => void this.runSearch(), SETTLE_MS);
  }

  private addHome(): void {
    const button = h("button", { type: "button", class: "button small map-home" }, t.map.home);
    on(button, "click", () => {
      const box = union(this.collections.flatMap(extentOf));
      if (box) this.map?.fit(box, OVERVIEW_ZOOM);
    });
    this.mapBox.append(button, this.tileNote);
  }

  private showArea(area: Area): void {
    const box = area.kind === "box" ? [boxRing(area.bbox)] : [];
    this.map?.showArea(area.kind === "shape" ? area.rings : box);
  }

  /** Let the visitor draw on the map; what was there before comes back when that is cancelled. */
  private async draw<T>(hint: string, ask: (map: MapPanel) => Promise<T | null>): Promise<T | null> {
    await this.mapOpened;
    if (!this.map) return null;
    const note = h("p", { class: "map-message map-hint", role: "status" }, hint);
    this.mapBox.append(note);
    this.sheet.set("peek");
    const drawn = await ask(this.map);
    note.remove();
    this.sheet.set("half");
    if (!drawn) this.showArea(this.state.get().filters.area);
    return drawn;
  }

  private hover(id: string | null): void {
    this.map?.hover(id);
    this.results.highlight(id);
  }

  /** With the time series open a click chooses its point; else a second click opens the next one below. */
  private clicked(ids: readonly string[], place: Point): void {
    const { selected, tab } = this.state.get();
    if (selected && tab === "series") {
      this.state.set({ point: place });
      return;
    }
    const at = ids.indexOf(selected?.id ?? "");
    const id = ids[(at + 1) % Math.max(ids.length, 1)];
    const product = this.search.results.get().products.find((one) => one.id === id);
    if (product) this.open(product);
  }

  /** Open a product, and bring a box into view with it. */
  private open({ id, collection }: ItemRef, box: Bbox | null = null): void {
    if (this.state.get().selected?.id === id) void this.showSelected(true);
    else this.state.set({ selected: { id, collection }, compare: null });
    if (box) this.map?.fit(box, CLOSE_ZOOM);
  }

  private close(): void {
    const id = this.state.get().selected?.id;
    this.state.set({ selected: null, compare: null });
    if (id) this.results.focus(id);
  }

  private async showSelected(takeFocus: boolean): Promise<void> {
    this.opening.abort();
    this.opening = new AbortController();
    const { signal } = this.opening;
    const { selected } = this.state.get();
    this.element.toggleAttribute("data-product", selected !== null);
    if (!selected) {
      this.setProduct(null);
      this.panel.hide();
      return;
    }
    try {
      const product = await this.find(selected, signal);
      await this.known; // which tell the pictures there are
      signal.throwIfAborted();
      this.setProduct(product);
      this.fitOnce([product]);
      this.panel.show(product, this.rendersFor(product), takeFocus);
      const others = await this.catalog.client.all(tileBody(product.tile, "", MOST_OTHERS), MOST_OTHERS, signal);
      this.panel.offerOthers(others.map(readProduct));
    } catch (error) {
      if (isAbort(error)) return;
      if (this.product?.id === selected.id) return; // shown without others to compare with
      this.setProduct(null);
      this.panel.showError(messageOf(error));
    }
  }

  private async find({ collection, id }: ItemRef, signal: AbortSignal): Promise<Product> {
    const listed = this.search.results.get().products.find((product) => product.id === id);
    if (listed) return listed;
    this.panel.showLoading();
    return readProduct(await this.catalog.client.item(collection, id, signal));
  }

  private setProduct(product: Product | null): void {
    this.product = product;
    const { render } = this.state.get();
    const known = product ? this.rendersFor(product).map(({ name }) => name) : [];
    const fits = known.includes(render) || decodeOwn(render) !== null;
    if (product && render && !fits) this.state.set({ render: known[0] ?? START.render });
    if (this.present) document.title = `${this.title()} – ${this.catalog.config.title ?? t.site.name}`;
    this.showRender();
    this.showPoint();
  }

  private rendersFor(product: Product) {
    return rendersOf(this.collections.find(({ id }) => id === product.collection));
  }

  private showRender(): void {
    const { render, opacity, overlay } = this.state.get();
    const { product, map } = this;
    const { tiles } = this.catalog.config;
    if (!map) return;
    map.select(product);
    this.tileNote.hidden = true;
    const { bbox } = product ?? { bbox: [0, 0, 0, 0] as const };
    map.showRender(product && render ? { url: tileUrl(tiles, product, render), bbox, coded: isCoded(render) } : null, opacity);
    const masked = product && render && overlay && !isCoded(render);
    map.showOverlay(masked ? { url: overlayUrl(tiles, product), bbox, coded: true } : null);
    this.drawCompare();
  }

  /** Find the product to compare with, and show it right of the divider. */
  private async showCompare(): Promise<void> {
    const { compare } = this.state.get();
    try {
      this.compared = compare
        ? readProduct(await this.catalog.client.item(compare.collection, compare.id, this.opening.signal))
        : null;
    } catch (error) {
      if (isAbort(error)) return;
      console.warn("nothing to compare with", error);
      this.compared = null;
    }
    this.drawCompare();
  }

  private drawCompare(): void {
    const { render, opacity, swipe } = this.state.get();
    const { product, compared } = this;
    if (!product || !compared || !render) {
      this.map?.showCompare(null, swipe, opacity);
      return;
    }
    const source = { url: tileUrl(this.catalog.config.tiles, compared, render), bbox: compared.bbox, coded: isCoded(render) };
    const [left, right] = [formatDate(product.time), formatDate(compared.time)];
    this.map?.showCompare({ source, left, right }, swipe, opacity);
  }

  private showPoint(): void {
    const { tab, point } = this.state.get();
    this.map?.showPoint(this.product && tab === "series" ? point : null);
  }

  private async loadCollections(): Promise<void> {
    try {
      this.collections = await this.catalog.collections();
    } catch (error) {
      // The search tells the visitor that the server is away; the list of collections is a comfort.
      console.warn("collections not available", error);
      return;
    }
    this.filters.setCollections(this.collections);
  }
}

/** Box around a fixed area; null for one that is none. */
function boxOf(area: Area): Bbox | null {
  if (area.kind === "box") return area.bbox;
  return area.kind === "shape" ? ringsBbox(area.rings) : null;
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
