import { descriptionOf, titleOf, type Catalog } from "../catalog";
import type { AllCounters, Counters } from "../counters";
import { fill, h, icon } from "../dom";
import { formatCount, formatDate, formatPercent, formatSize } from "../format";
import { messageOf } from "../http";
import { readProduct, type Product } from "../product";
import { link } from "../route";
import type { StacCollection } from "../stac/types";
import { t } from "../strings";
import { searchBody } from "../stac/query";
import { NO_FILTERS } from "../state";
import type { Page } from "./page";

const LATEST = 6;

/** The way in: what the platform is, its counters, its data sets and what is new. */
export class HomePage implements Page {
  readonly element: HTMLElement;
  private readonly counters = h("dl", { class: "counters" });
  private readonly datasets = h("div", { class: "cards" });
  private readonly latest = h("ul", { class: "latest" });
  private readonly showcase = h("div", { class: "showcase" });

  constructor(private readonly catalog: Catalog) {
    this.element = h(
      "div",
      { class: "home" },
      hero(this.showcase),
      h(
        "section",
        { class: "band counters-band", "aria-label": t.home.counters },
        h("div", { class: "inner" }, this.counters, h("p", { class: "note" }, t.home.countersNote)),
      ),
      section(t.home.datasets, this.datasets),
      section(
        t.home.latest,
        this.latest,
        h("p", {}, h("a", { href: link("search") }, t.home.latestAll)),
      ),
      section(t.home.aboutTitle, points(t.home.about)),
      section(t.home.stepsTitle, points(t.home.steps, true)),
    );
  }

  title(): string {
    return t.site.title;
  }

  show(): void {
    void this.load();
  }

  /** Each part comes in as soon as it is known; the cards wait for the counters, which they show. */
  private async load(): Promise<void> {
    const counters = this.catalog.counters().catch(() => null);
    const collections = this.catalog.collections().catch(messageOf);
    await Promise.all([
      this.showLatest(),
      counters.then((told) => fill(this.counters, ...(told ? counterEntries(told) : [h("p", {}, t.home.countersMissing)]))),
      Promise.all([collections, counters]).then(([all, told]) => fill(this.datasets, ...datasetCards(all, told))),
    ]);
  }

  private async showLatest(): Promise<void> {
    const latest = await this.findLatest().catch(messageOf);
    const told = typeof latest === "string" ? latest : t.home.latestNone;
    const found = typeof latest === "string" ? [] : latest;
    fill(this.latest, ...(found.length > 0 ? found.map(latestCard) : [h("li", { class: "note" }, told)]));
    fill(this.showcase, showcase(found));
  }

  private async findLatest(): Promise<readonly Product[]> {
    const request = this.catalog.client.first({ ...searchBody(NO_FILTERS, null), limit: LATEST });
    const page = await this.catalog.client.page(request, new AbortController().signal);
    return page.items.map(readProduct);
  }
}

/** Cards of the data sets; a sentence where there are none, or the catalogue is away. */
function datasetCards(known: readonly StacCollection[] | string, counters: AllCounters | null): HTMLElement[] {
  if (typeof known === "string") return [h("p", { class: "note", role: "alert" }, known)];
  return known.length > 0 ? known.map((one) => datasetCard(one, counters)) : [h("p", { class: "note" }, t.home.latestNone)];
}

/** Card of a data set with its counters. */
export function datasetCard(collection: StacCollection, counters: AllCounters | null): HTMLElement {
  const own: Counters | undefined = counters?.collections[collection.id];
  const figures = own
    ? h(
        "p",
        { class: "card-figures" },
        h("span", {}, `${t.dataset.products} `, h("b", {}, formatCount(own.items))),
        h("span", {}, `${t.dataset.volume} `, h("b", {}, formatSize(own.volume))),
        h("span", {}, `${t.dataset.downloads} `, h("b", {}, formatCount(own.downloads))),
      )
    : null;
  return h(
    "article",
    { class: "dataset-card" },
    h("h3", {}, h("a", { href: link("datasets", collection.id) }, titleOf(collection))),
    h("p", {}, descriptionOf(collection)[0] ?? ""),
    figures,
    h(
      "p",
      { class: "actions" },
      h("a", { class: "button small", href: link("datasets", collection.id) }, t.dataset.open),
      h(
        "a",
        { class: "button small", href: link("search", "", `collection=${collection.id}`) },
        icon("search"),
        t.dataset.searchIn,
      ),
    ),
  );
}

/** Picture of the clearest of the newest products, leading to it; null when there is none. */
function showcase(latest: readonly Product[]): HTMLElement | null {
  const [product] = latest.filter(({ thumbnail }) => thumbnail !== null).toSorted((a, b) => (a.cloud ?? 100) - (b.cloud ?? 100));
  if (!product?.thumbnail) return null;
  const name = `${product.camera} · ${product.tile} · ${formatDate(product.time)}`;
  return h(
    "a",
    { href: productLink(product) },
    h("img", { src: product.thumbnail, alt: t.home.pictureOf(name), width: 440, height: 440 }),
    h("span", {}, name),
  );
}

function hero(picture: HTMLElement): HTMLElement {
  return h(
    "section",
    { class: "hero" },
    h(
      "div",
      { class: "inner" },
      h(
        "div",
        {},
        h("p", { class: "kicker" }, t.home.kicker),
        h("h1", {}, t.home.title),
        h("p", { class: "lead" }, t.home.lead),
        h(
          "p",
          { class: "actions" },
          h("a", { class: "button primary", href: link("search") }, icon("search"), t.home.start),
          h("a", { class: "button ghost", href: link("datasets") }, t.home.browse),
        ),
      ),
      picture,
    ),
  );
}

function counterEntries(counters: Counters): HTMLElement[] {
  const entries: readonly (readonly [string, string, string])[] = [
    [t.home.volume, formatSize(counters.volume), `${formatCount(counters.volume)} B`],
    [t.home.files, formatCount(counters.files), ""],
    [t.home.views, formatCount(counters.views), ""],
    [t.home.downloads, formatCount(counters.downloads), ""],
  ];
  return entries.map(([name, value, exact]) =>
    h("div", {}, h("dt", {}, name), h("dd", { title: exact || null }, value)),
  );
}

/** Picture and date of a product, leading to it. */
export function latestCard(product: Product): HTMLElement {
  return h(
    "li",
    {},
    h(
      "a",
      { href: productLink(product) },
      product.thumbnail
        ? h("img", { src: product.thumbnail, alt: "", loading: "lazy", width: 160, height: 160 })
        : h("span", { class: "no-picture" }, icon("image")),
      h("strong", {}, formatDate(product.time)),
      h("span", {}, `${product.camera} · ${product.tile}`),
      product.cloud === null ? null : h("span", {}, t.results.cloud(formatPercent(product.cloud))),
    ),
  );
}

function productLink({ collection, id, tile }: Product): string {
  return link("search", "", `item=${collection}/${id}&tile=${tile}`);
}

function section(title: string, ...content: HTMLElement[]): HTMLElement {
  return h("section", { class: "band" }, h("div", { class: "inner" }, h("h2", {}, title), ...content));
}

function points(entries: readonly (readonly [string, string])[], numbered = false): HTMLElement {
  const items = entries.map(([name, text]) => h("li", {}, h("h3", {}, name), h("p", {}, text)));
  return h(numbered ? "ol" : "ul", { class: "points" }, ...items);
}
