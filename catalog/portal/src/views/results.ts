import type { Cart } from "../cart";
import { fill, h, icon, on } from "../dom";
import { formatDate, formatPercent, formatTime } from "../format";
import type { Product } from "../product";
import { exportLink } from "../pages/cart";
import { encodeFilters } from "../permalink";
import type { Results, Search } from "../search";
import { activeFilters, MOST_PAGES, type Sort, type State, type Store } from "../state";
import { t } from "../strings";
import { awayNotice } from "./away";

/** What the list tells the rest of the page. */
export interface ResultsEvents {
  hover(id: string | null): void;
  open(product: Product): void;
  retry(): void;
  reset(): void;
}

/** The list of found products with its head line, paging and its loading, empty and error states. */
export class ResultsView {
  readonly element: HTMLElement;
  readonly list = h("ol", { class: "results", id: "results", tabindex: -1, "aria-label": t.results.heading });
  private readonly count = h("p", { class: "count", role: "status" });
  private readonly sort = sortControl();
  private readonly tools = h("div", { class: "results-tools" });
  private readonly away = h("div", {});
  private readonly foot = h("div", { class: "results-foot" });
  private cards = new Map<string, HTMLButtonElement>();

  constructor(
    private readonly search: Search,
    private readonly state: Store<State>,
    private readonly cart: Cart,
    private readonly events: ResultsEvents,
  ) {
    this.element = h(
      "section",
      { class: "results-panel", "aria-labelledby": "results-heading" },
      h(
        "div",
        { class: "results-head" },
        h("h2", { id: "results-heading", class: "sr-only" }, t.results.heading),
        this.count,
        this.sort,
      ),
      this.tools,
      this.away,
      this.list,
      this.foot,
    );
    on(this.sort, "change", () => {
      const { filters } = this.state.get();
      this.state.set({ filters: { ...filters, sort: this.sort.value as Sort } });
    });
    on(this.list, "keydown", (event) => this.step(event));
    search.results.subscribe((now, before) => this.show(now, before));
    state.subscribe((now, before) => {
      if (now.filters !== before.filters) this.showTools();
      if (now.selected !== before.selected) this.mark(now.selected?.id ?? null);
    });
    this.show(search.results.get(), null);
  }

  /** Show which product lies under the pointer on the map. */
  highlight(id: string | null): void {
    for (const [key, card] of this.cards) card.classList.toggle("is-hovered", key === id);
  }

  /** Put the keyboard back on a product of the list. */
  focus(id: string): void {
    (this.cards.get(id) ?? this.list).focus();
  }

  private show(now: Results, before: Results | null): void {
    this.sort.value = this.state.get().filters.sort;
    this.list.setAttribute("aria-busy", String(now.status === "loading"));
    this.count.textContent =
      now.status === "loading" ? t.results.loading
      : now.status === "error" ? ""
      : t.results.count(now.products.length, now.matched);
    if (now.products !== before?.products) this.showCards(now, before);
    this.showAway(now.products);
    if (now.status === "loading" && now.products.length === 0) fill(this.list, ...skeletons());
    fill(this.foot, this.footOf(now));
    this.showTools();
  }

  /** Say it when products are published under another address. */
  private showAway(products: readonly Product[]): void {
    const origin = products.find(({ elsewhere }) => elsewhere !== null)?.elsewhere ?? null;
    fill(this.away, origin === null ? null : awayNotice(origin));
  }

  /** What can be done with the whole list. */
  private showTools(): void {
    const { products, status } = this.search.results.get();
    this.tools.hidden = products.length === 0 || status === "error";
    const choose = h("button", { type: "button", class: "link" }, t.results.chooseShown);
    on(choose, "click", () => this.cart.add(this.search.results.get().products));
    const all = h("a", { href: exportLink(encodeFilters(this.state.get().filters)) }, t.results.exportAll);
    fill(this.tools, choose, all);
  }

  private showCards(now: Results, before: Results | null): void {
    const kept = before && now.products[0] === before.products[0] ? before.products.length : 0;
    if (kept === 0) {
      this.list.replaceChildren();
      this.cards = new Map();
    }
    for (const product of now.products.slice(kept)) {
      const button = this.card(product);
      this.cards.set(product.id, button);
      this.list.append(h("li", {}, button));
    }
    this.mark(this.state.get().selected?.id ?? null);
  }

  private card(product: Product): HTMLButtonElement {
    const button = h(
      "button",
      { type: "button", class: "card", "data-id": product.id },
      thumbnail(product),
      h(
        "span",
        { class: "card-text" },
        h(
          "span",
          { class: "card-title" },
          formatDate(product.time),
          h("span", { class: "card-time" }, `${formatTime(product.time).slice(0, 5)} UTC`),
        ),
        h("span", { class: "card-sub" }, `${product.camera} · ${product.tile}`),
        h(
          "span",
          { class: "card-badges" },
          h("span", { class: "badge badge-cloud" }, icon("cloud"), cloudText(product)),
          h("span", { class: `badge badge-${product.quality}` }, t.quality[product.quality]),
          product.deprecated && h("span", { class: "badge badge-deprecated" }, t.results.superseded),
        ),
      ),
    );
    on(button, "click", () => this.events.open(product));
    on(button, "pointerenter", () => this.events.hover(product.id));
    on(button, "pointerleave", () => this.events.hover(null));
    on(button, "focus", () => this.events.hover(product.id));
    on(button, "blur", () => this.events.hover(null));
    return button;
  }

  private mark(id: string | null): void {
    for (const [key, card] of this.cards) {
      if (key === id) card.setAttribute("aria-current", "true");
      else card.removeAttribute("aria-current");
    }
    if (id) this.cards.get(id)?.scrollIntoView({ block: "nearest" });
  }

  /** Arrow keys walk the list; Home and End jump to its ends. */
  private step(event: KeyboardEvent): void {
    const cards = [...this.cards.values()];
    const at = cards.indexOf(document.activeElement as HTMLButtonElement);
    const last = cards.length - 1;
    const moves: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last };
    const target = moves[event.key];
    if (target === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    cards[Math.max(0, Math.min(target, last))]?.focus();
  }

  private footOf(now: Results): HTMLElement | null {
    if (now.status === "error") {
      return notice(t.results.errorTitle, now.error, t.results.retry, this.events.retry, "alert");
    }
    if (now.status === "loading") return null;
    if (now.products.length === 0 && activeFilters(this.state.get().filters) === 0) {
      return h("div", { class: "notice", role: "status" }, h("strong", {}, t.home.latestNone));
    }
    if (now.products.length === 0) {
      return notice(t.results.emptyTitle, t.results.emptyText, t.filters.reset, this.events.reset, "status");
    }
    if (!now.next) return h("p", { class: "results-end" }, t.results.end);
    const loading = now.status === "loading-more";
    const button = h(
      "button",
      { type: "button", class: "button wide", disabled: loading },
      loading ? t.results.loadingMore : t.results.more,
    );
    return on(button, "click", () => void this.more());
  }

  /** Load the next page and go on at its first product, where the button was. */
  private async more(): Promise<void> {
    const shown = this.cards.size;
    await this.search.more();
    this.state.set({ pages: Math.min(this.state.get().pages + 1, MOST_PAGES) });
    [...this.cards.values()][shown]?.focus({ preventScroll: true });
  }
}

/** Words for the cloud cover of a product. */
function cloudText(product: Product): string {
  return product.cloud === null ? t.results.cloudUnknown : t.results.cloud(formatPercent(product.cloud));
}

function sortControl(): HTMLSelectElement {
  return h(
    "select",
    { class: "sort", "aria-label": t.results.sort },
    h("option", { value: "newest" }, t.results.newest),
    h("option", { value: "oldest" }, t.results.oldest),
    h("option", { value: "clearest" }, t.results.clearest),
  );
}

function thumbnail(product: Product): HTMLElement {
  const frame = h("span", { class: "thumb" });
  const none = icon("image");
  if (!product.thumbnail) return h("span", { class: "thumb" }, none);
  const image = h("img", { src: product.thumbnail, alt: "", loading: "lazy", decoding: "async" });
  on(image, "error", () => image.replaceWith(none));
  frame.append(image);
  return frame;
}

function notice(title: string, text: string, action: string, act: () => void, role: string): HTMLElement {
  const button = h("button", { type: "button", class: "button" }, action);
  on(button, "click", act);
  return h("div", { class: "notice", role }, h("strong", {}, title), h("p", {}, text), button);
}

function skeletons(): HTMLElement[] {
  return Array.from({ length: 6 }, () => h("li", { class: "card skeleton", "aria-hidden": "true" }));
}
