import { h, icon } from "../dom";
import type { SiteConfig } from "../config";
import type { StacCollection } from "../stac/types";
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
      { class: "brand", href: "./" },
      h("span", { class: "mark", "aria-hidden": "true" }),
      h("span", { class: "brand-text" }, h("strong", {}, t.site.title), " ", h("span", {}, name)),
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

/** Terms of use: their name and where to read them, if the catalogue says where. */
interface Licence {
  readonly name: string;
  readonly href: string | null;
}

/** What the footer tells; null while it is not known. */
interface FooterFacts {
  readonly products: number | null;
  readonly collections: readonly StacCollection[];
}

/** Entries of the footer: counts, licence and what the quality claim means. */
export function footerEntries({ products, collections }: FooterFacts): HTMLElement[] {
  return [
    ...(products === null ? [] : [h("span", {}, t.footer.products(products.toLocaleString(t.locale)))]),
    h("span", {}, t.footer.collections(collections.length.toLocaleString(t.locale))),
    ...licencesOf(collections).map(licenceEntry),
    h("span", {}, t.footer.assessed),
  ];
}

/** Every licence once. The licence "other" says nothing; its link does. */
function licencesOf(collections: readonly StacCollection[]): readonly Licence[] {
  const licences = new Map<string, Licence>();
  for (const { license, links } of collections) {
    const link = links.find(({ rel }) => rel === "license");
    const name = license && license !== "other" ? license : link?.title;
    if (name) licences.set(name, { name, href: link?.href ?? null });
  }
  return [...licences.values()];
}

function licenceEntry({ name, href }: Licence): HTMLElement {
  const text = t.footer.licence(name);
  return href ? h("a", { href, target: "_blank", rel: "noopener" }, text) : h("span", {}, text);
}
