import type { Cart } from "../cart";
import type { Catalog } from "../catalog";
import { fill, h, icon, on, outside, type IconName } from "../dom";
import { formatCount } from "../format";
import { link, type Route } from "../route";
import type { StacCollection } from "../stac/types";
import { LANGUAGES, speak, t } from "../strings";
import { setTheme, theme, THEMES } from "../theme";

const PAGES: readonly (readonly [Route["page"], string])[] = [
  ["home", t.site.home],
  ["datasets", t.site.datasets],
  ["search", t.site.search],
  ["calendar", t.site.calendar],
];

/** Header and footer around every page. */
export class Frame {
  readonly content = h("main", { class: "content", id: "content", tabindex: -1 });
  readonly footer = h("footer", { class: "site-footer" });
  readonly header: HTMLElement;
  private readonly links = new Map<Route["page"], HTMLAnchorElement>();
  private readonly count = h("span", { class: "cart-count" });

  constructor(private readonly catalog: Catalog, cart: Cart) {
    this.header = this.layout();
    const show = (): void => this.showCart(cart.state.get().chosen.length);
    cart.state.subscribe(show);
    show();
    void this.fillFooter();
  }

  /** Mark the page that is shown. */
  mark(page: Route["page"]): void {
    for (const [name, anchor] of this.links) {
      if (name === page) anchor.setAttribute("aria-current", "page");
      else anchor.removeAttribute("aria-current");
    }
    this.content.dataset["page"] = page;
    this.content.scrollTop = 0;
  }

  /** Put keyboard and screen reader at the begin of the page. */
  focus(): void {
    const heading = this.content.querySelector<HTMLElement>("h1");
    heading?.setAttribute("tabindex", "-1");
    (heading ?? this.content).focus({ preventScroll: true });
  }

  private layout(): HTMLElement {
    const skip = h("a", { class: "skip", href: "#content" }, t.site.skip);
    on(skip, "click", (event) => {
      event.preventDefault(); // the hash names the page
      this.focus();
    });
    const brand = h(
      "a",
      { class: "brand", href: link("home") },
      h("span", { class: "mark", "aria-hidden": "true" }),
      h(
        "span",
        { class: "brand-text" },
        h("strong", {}, t.site.title),
        " ",
        h("span", {}, this.catalog.config.title ?? t.site.name),
      ),
    );
    const pages = PAGES.map(([page, name]) => this.pageLink(page, name));
    const cart = this.pageLink("cart", t.site.cart, "cart");
    cart.append(this.count);
    return h(
      "header",
      { class: "site-header" },
      skip,
      brand,
      h("nav", { "aria-label": t.site.navigation }, ...pages, cart),
      h("div", { class: "site-tools" }, themeButton(), languageButton()),
    );
  }

  private pageLink(page: Route["page"], name: string, image?: IconName): HTMLAnchorElement {
    const anchor = h("a", { href: link(page) }, image ? icon(image) : null, h("span", {}, name));
    this.links.set(page, anchor);
    return anchor;
  }

  private showCart(count: number): void {
    this.count.textContent = count === 0 ? "" : formatCount(count);
    this.count.setAttribute("aria-label", count === 0 ? "" : t.site.cartCount(count));
    this.count.setAttribute("role", "img");
    this.count.hidden = count === 0;
  }

  private async fillFooter(): Promise<void> {
    const { config } = this.catalog;
    const api = [
      outside(config.stac, t.site.api),
      outside(`${config.stac}/api.html`, t.footer.reference),
      outside(`${config.tiles}/api.html`, t.footer.tileReference),
      outside(`${config.stac}/changes?format=atom`, t.footer.changes),
    ];
    const assessed = h("span", {}, t.footer.assessed);
    const contact = config.contact ? h("a", { href: contactHref(config.contact) }, t.footer.contact) : null;
    fill(this.footer, assessed, ...api, contact);
    const collections = await this.catalog.collections().catch((): readonly StacCollection[] => []);
    if (collections.length === 0) return; // the page itself tells that the server is away
    const terms = collections.flatMap(({ links }) => links).find(({ rel }) => rel === "license");
    const count = h("span", {}, t.footer.collections(formatCount(collections.length)));
    fill(this.footer, count, assessed, terms ? outside(terms.href, t.footer.licence) : null, ...api, contact);
  }
}

/** Address of the operator as a link takes it. */
export function contactHref(contact: string): string {
  return contact.includes("@") && !contact.includes("/") ? `mailto:${contact}` : contact;
}

function languageButton(): HTMLElement {
  const others = Object.entries(LANGUAGES).filter(([, one]) => one.language !== t.language);
  const buttons = others.map(([key, one]) => {
    const label = `${t.site.language}: ${one.name}`;
    const button = h("button", { type: "button", class: "tool", title: label, "aria-label": label });
    button.append(h("span", { lang: one.language }, one.name));
    return on(button, "click", () => speak(key));
  });
  return h("div", { class: "languages" }, ...buttons);
}

function themeButton(): HTMLButtonElement {
  const button = h("button", { type: "button", class: "tool" }, icon("theme"));
  const say = (): void => {
    const label = `${t.site.theme}: ${t.site.themes[theme()]}`;
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  say();
  return on(button, "click", () => {
    setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length] ?? "auto");
    say();
  });
}
