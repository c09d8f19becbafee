import { Cart } from "./cart";
import { Catalog } from "./catalog";
import type { SiteConfig } from "./config";
import { fill, h } from "./dom";
import { CalendarPage } from "./pages/calendar";
import { CartPage } from "./pages/cart";
import { DatasetsPage } from "./pages/datasets";
import { HomePage } from "./pages/home";
import { missingPage } from "./pages/missing";
import type { Page } from "./pages/page";
import { SearchPage } from "./pages/search";
import { readRoute, type Route } from "./route";
import { t } from "./strings";
import { Frame } from "./views/frame";

/** The portal: a frame around the page that the address names. */
export class App {
  private readonly catalog: Catalog;
  private readonly cart = new Cart();
  private readonly frame: Frame;
  private readonly pages = new Map<Route["page"], Page>();
  private shown: Page | null = null;

  constructor(private readonly config: SiteConfig) {
    this.catalog = new Catalog(config);
    this.frame = new Frame(this.catalog, this.cart);
  }

  start(): void {
    const app = document.getElementById("app") ?? document.body;
    fill(app, this.frame.header, this.frame.content, this.frame.footer);
    // Going back, following a link and a typed address all end here.
    window.addEventListener("popstate", () => this.show(true));
    this.show(false);
  }

  /** Show what the address names; `moved` is false for the first page, which keeps the focus. */
  private show(moved: boolean): void {
    const route = readRoute(location.hash);
    const page = this.page(route.page);
    const other = page !== this.shown;
    if (other) {
      this.shown?.leave?.();
      fill(this.frame.content, page.element);
      this.frame.mark(route.page);
      this.shown = page;
    }
    page.show(route);
    document.title = `${page.title()} – ${this.config.title ?? t.site.name}`;
    if (other && moved) this.frame.focus();
  }

  private page(name: Route["page"]): Page {
    const known = this.pages.get(name);
    if (known) return known;
    const page = this.make(name);
    this.pages.set(name, page);
    return page;
  }

  private make(name: Route["page"]): Page {
    switch (name) {
      case "home":
        return new HomePage(this.catalog);
      case "datasets":
        return new DatasetsPage(this.catalog);
      case "search":
        return new SearchPage(this.catalog, this.cart);
      case "calendar":
        return new CalendarPage(this.catalog);
      case "cart":
        return new CartPage(this.catalog, this.cart);
      case "missing":
        return missingPage(h("p", {}, t.site.missingText));
    }
  }
}
