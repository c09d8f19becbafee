import { h, icon } from "../dom";
import type { SiteConfig } from "../config";
import { t } from "../strings";

/** Header of the page: mark, name, claim and the way to the API. */
export function pageHeader(config: SiteConfig): HTMLElement {
  const name = config.title ?? t.site.name;
  return h(
    "header",
    { class: "site-header" },
    h("a", { class: "skip", href: "#results" }, t.site.skip),
    h(
      "a",
      { class: "brand", href: "./", "aria-label": `${t.site.title}, ${name}` },
      h("span", { class: "mark", "aria-hidden": "true" }),
      h("span", { class: "brand-text" }, h("strong", {}, t.site.title), h("span", {}, name)),
    ),
    h("p", { class: "claim" }, t.site.claim),
    h(
      "nav",
      { "aria-label": t.site.api },
      h("a", { href: config.stac, target: "_blank", rel: "noopener" }, icon("external"), t.site.api),
      h("a", { href: `${config.stac}/api.html`, target: "_blank", rel: "noopener" }, t.site.reference),
    ),
  );
}

/** What the footer tells; null while it is not known. */
export interface FooterFacts {
  readonly products: number | null;
  readonly collections: number;
  readonly licence: string | null;
}

/** Entries of the footer: counts, licence and what the quality claim means. */
export function footerEntries(facts: FooterFacts): HTMLElement[] {
  const texts = [
    facts.products === null ? null : t.footer.products(facts.products.toLocaleString(t.locale)),
    t.footer.collections(facts.collections.toLocaleString(t.locale)),
    facts.licence === null ? null : t.footer.licence(facts.licence),
    t.footer.assessed,
  ];
  return texts.filter((text) => text !== null).map((text) => h("span", {}, text));
}
