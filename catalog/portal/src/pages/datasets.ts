import { descriptionOf, titleOf, type Catalog } from "../catalog";
import { copyButton } from "../copy";
import type { AllCounters } from "../counters";
import { fill, h, icon, outside } from "../dom";
import { formatCount, formatDate, formatLat, formatLon, formatNumber, formatSize } from "../format";
import { messageOf } from "../http";
import { flatBbox, maskClasses, rank, readProduct, type Product } from "../product";
import { link, type Route } from "../route";
import type { StacAsset, StacCollection } from "../stac/types";
import { served, t } from "../strings";
import { PROGRAMS, type Program } from "../snippets";
import { searchBody } from "../stac/query";
import { NO_FILTERS } from "../state";
import { accessTabs } from "../views/access";
import { coverageView } from "../views/coverage";
import { contactHref } from "../views/frame";
import { datasetCard, latestCard } from "./home";
import type { Page } from "./page";

/** Newest products that a data set shows. */
const NEWEST = 4;

/** Sections of a data set, by the names that their links have. */
const PARTS = ["newest", "holds", "where", "quality", "terms", "citation", "contact", "access"] as const;
type Part = (typeof PARTS)[number];

/** The list of data sets, and one of them with all that a user has to know. */
export class DatasetsPage implements Page {
  readonly element: HTMLElement;
  private readonly crumbs = h("p", { class: "crumbs", hidden: true }, h("a", { href: link("datasets") }, t.dataset.heading));
  /** Stays in place while what is below it comes in, and so keeps the keyboard. */
  private readonly heading = h("h1", {}, t.dataset.heading);
  private readonly body = h("div", { class: "page-body" });
  private asked = 0;
  /** Data set that is shown whole; null while one is on its way. */
  private shown: string | null = null;

  constructor(private readonly catalog: Catalog) {
    this.element = h("div", { class: "page" }, this.crumbs, this.heading, this.body);
  }

  title(): string {
    return this.heading.textContent;
  }

  show({ name, query }: Route): void {
    if (name && name === this.shown) return this.goTo(query.get("part"));
    this.shown = null;
    this.heading.textContent = name ? (t.collections[name]?.title ?? name) : t.dataset.heading;
    this.crumbs.hidden = !name;
    fill(this.body, h("p", { role: "status" }, t.site.loading));
    void this.load(name, query, ++this.asked);
  }

  private async load(name: string, query: URLSearchParams, turn: number): Promise<void> {
    const newest = name ? this.newest(name) : Promise.resolve([]);
    const coverage = name ? this.coverage(name) : Promise.resolve(null);
    const [collections, counters] = await Promise.all([
      this.catalog.collections().catch(messageOf),
      this.catalog.counters().catch(() => null),
    ]);
    if (turn !== this.asked) return; // the visitor has gone on
    if (typeof collections === "string") return this.fail(collections);
    const one = collections.find(({ id }) => id === name);
    if (name && !one) return this.fail(t.dataset.missing);
    if (!one) return this.showAll(collections, counters);
    const [products, where] = await Promise.all([newest, coverage]);
    if (turn !== this.asked) return;
    this.showOne(one, counters, products, where, PROGRAMS.find((program) => program === query.get("program")));
    this.shown = name;
    this.goTo(query.get("part"));
  }

  private fail(message: string): void {
    fill(this.body, h("p", { class: "notice", role: "alert" }, message));
  }

  private showAll(collections: readonly StacCollection[], counters: AllCounters | null): void {
    const cards = h("div", { class: "cards" }, ...collections.map((one) => datasetCard(one, counters)));
    fill(this.body, h("p", { class: "lead" }, t.dataset.intro), collections.length > 0 ? cards : h("p", {}, t.home.latestNone));
  }

  private showOne(
    collection: StacCollection, counters: AllCounters | null, newest: readonly Product[], where: HTMLElement | null, program: Program = "Python",
  ): void {
    this.heading.textContent = titleOf(collection);
    const { config } = this.catalog;
    const chosen = (name: Program): void => history.replaceState(null, "", link("datasets", collection.id, `program=${name}&part=access`));
    const content: Record<Part, readonly (HTMLElement | null)[]> = {
      newest: newest.length > 0 ? [h("ul", { class: "latest" }, ...newest.map(latestCard))] : [],
      holds: [fileTable(collection), bandTable(collection)],
      where: [where, whereWhen(collection)],
      quality: [qualityTexts(), classLegend(collection), bitTable(collection)],
      terms: [terms(collection)],
      citation: [citation(collection)],
      contact: [contact(config.contact)],
      access: [accessTabs(config, collection.id, newest[0] ?? null, program, chosen)],
    };
    const parts = PARTS.filter((name) => content[name].length > 0);
    fill(
      this.body,
      ...descriptionOf(collection).map((text) => h("p", { class: "lead" }, text)),
      figures(collection, counters),
      actions(collection, config.stac),
      h(
        "div",
        { class: "sections" },
        contents(collection.id, parts),
        h("div", {}, ...parts.map((name) => part(name, ...content[name]))),
      ),
    );
  }

  /** Bring a section into view, as a link to it asks. */
  private goTo(name: string | null): void {
    const section = PARTS.some((one) => one === name) ? this.body.querySelector(`#part-${name}`) : null;
    section?.scrollIntoView();
    section?.querySelector("h2")?.focus({ preventScroll: true });
  }

  private async newest(collection: string): Promise<readonly Product[]> {
    const request = this.catalog.client.first({ ...searchBody({ ...NO_FILTERS, collection }, null), limit: NEWEST });
    const page = await this.catalog.client.page(request, new AbortController().signal).catch(() => null);
    return (page?.items ?? []).map(readProduct);
  }

  /** Map and bars of where and when there are products; null where the server does not tell. */
  private async coverage(collection: string): Promise<HTMLElement | null> {
    const asked = this.catalog.client.coverage({ collections: [collection] }, new AbortController().signal);
    const found = await asked.catch(() => null);
    return found && found.tiles.length > 0 ? coverageView(collection, found) : null;
  }
}

/** Links to the sections of a data set, beside them where there is room. */
function contents(collection: string, parts: readonly Part[]): HTMLElement {
  const links = parts.map((name) => h("li", {}, h("a", { href: link("datasets", collection, `part=${name}`) }, t.dataset.parts[name])));
  return h("nav", { class: "contents", "aria-label": t.dataset.onThisPage }, h("ul", {}, ...links));
}

function part(name: Part, ...content: readonly (HTMLElement | null)[]): HTMLElement {
  return h("section", { class: "part", id: `part-${name}` }, h("h2", { tabindex: -1 }, t.dataset.parts[name]), ...content);
}

function figures({ id }: StacCollection, counters: AllCounters | null): HTMLElement | null {
  const own = counters?.collections[id];
  if (!own) return null;
  const entries: readonly (readonly [string, string])[] = [
    [t.dataset.products, formatCount(own.items)],
    [t.dataset.volume, formatSize(own.volume)],
    [t.dataset.files, formatCount(own.files)],
    [t.dataset.views, formatCount(own.views)],
    [t.dataset.downloads, formatCount(own.downloads)],
  ];
  return h("dl", { class: "counters small" }, ...entries.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function actions({ id }: StacCollection, stac: string): HTMLElement {
  const json = outside(`${stac}/collections/${encodeURIComponent(id)}`, icon("external"), t.dataset.json);
  json.classList.add("button");
  return h(
    "p",
    { class: "actions" },
    h("a", { class: "button primary", href: link("search", "", `collection=${id}`) }, icon("search"), t.dataset.searchIn),
    h("a", { class: "button", href: link("calendar", "", `collection=${id}`) }, icon("calendar"), t.dataset.calendar),
    json,
  );
}

function facts(entries: readonly (readonly [string, Node | string | null])[]): HTMLElement {
  const rows = entries.flatMap(([name, value]) => (value === null ? [] : [h("dt", {}, name), h("dd", {}, value)]));
  return h("dl", { class: "facts wide" }, ...rows);
}

function table(head: readonly string[], rows: readonly (readonly (Node | string)[])[], caption = ""): HTMLElement {
  return h(
    "div",
    { class: "table-box", tabindex: 0, role: "group", "aria-label": caption || head.join(", ") },
    h(
      "table",
      {},
      caption ? h("caption", {}, caption) : null,
      h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...rows.map(([first = "", ...rest]) =>
        h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((cell) => h("td", {}, cell))))),
    ),
  );
}

type Asset = Omit<StacAsset, "href">;

function dataAssets(collection: StacCollection): readonly (readonly [string, Asset])[] {
  return Object.entries(collection.item_assets ?? {})
    .filter(([, asset]) => asset.data_type)
    .sort(([a], [b]) => rank(a) - rank(b));
}

function fileTable(collection: StacCollection): HTMLElement {
  const rows = dataAssets(collection).map(([key, asset]) => [
    h("code", {}, key),
    t.assets[key] ?? asset.title ?? key,
    String(asset.bands?.length ?? 1),
    asset.data_type ?? "–",
    asset["raster:scale"] === undefined ? "–" : String(asset["raster:scale"]),
    String(asset.nodata ?? "–"),
  ]);
  const { asset, content, bands, type, scale, fill: none } = t.dataset;
  return table([asset, content, bands, type, scale, none], rows);
}

function bandTable(collection: StacCollection): HTMLElement | null {
  const bands = collection.item_assets?.["SR"]?.bands ?? [];
  if (bands.length === 0) return null;
  const rows = bands.map((band, index) => [
    `B${index + 1}`,
    t.bands[band.name ?? ""] ?? band.name ?? "",
    /\d+-\d+ nm/.exec(band.description ?? "")?.[0].replace("-", "–") ?? "–",
  ]);
  return table([t.dataset.band, t.dataset.content, "λ"], rows);
}

function whereWhen(collection: StacCollection): HTMLElement {
  const [west, south, east, north] = flatBbox(collection.extent?.spatial?.bbox?.[0] ?? []);
  const [from, to] = collection.extent?.temporal?.interval?.[0] ?? [];
  const day = (time: string | null | undefined): string => (time ? formatDate(new Date(time)) : "…");
  const summaries = collection.summaries ?? {};
  const names = (key: string, told: Readonly<Record<string, string>>): string =>
    (summaries[key] ?? []).map((one) => told[String(one)] ?? String(one).toUpperCase()).join(", ");
  return facts([
    [t.dataset.identifier, h("code", {}, collection.id)],
    [t.dataset.platform, names("platform", t.platforms)],
    [t.dataset.instruments, names("instruments", {})],
    [t.dataset.gsd, formatNumber(16, 0, "m")],
    [t.dataset.period, t.dataset.until(day(from), day(to))],
    [t.dataset.extent, t.dataset.extentText(formatLon(west), formatLat(south), formatLon(east), formatLat(north))],
    [t.dataset.grid, t.dataset.gridText],
    [t.dataset.clock, t.dataset.clockText],
  ]);
}

function qualityTexts(): HTMLElement {
  const { nominal, nominalText, degraded, degradedText, rejected, rejectedText, ceos, ceosText } = t.dataset;
  return facts([[nominal, nominalText], [degraded, degradedText], [rejected, rejectedText], [ceos, ceosText]]);
}

function classLegend(collection: StacCollection): HTMLElement {
  const entries = maskClasses({ assets: (collection.item_assets ?? {}) }).map((one) => {
    const dot = h("span", { class: "swatch" });
    dot.style.background = `#${one.color_hint ?? "888888"}`;
    return h("li", {}, dot, `${one.value} ${t.classes[one.name] ?? one.name}`);
  });
  return h("ul", { class: "legend-classes", "aria-label": t.assets["mask"] ?? "" }, ...entries);
}

function bitTable(collection: StacCollection): HTMLElement | null {
  const asset = collection.item_assets?.["qa"];
  const fields = asset?.["classification:bitfields"] ?? [];
  if (fields.length === 0) return null;
  const rows = fields.map((one) => [
    one.length > 1 ? `${one.offset}–${one.offset + one.length - 1}` : String(one.offset),
    t.bits[one.name] ?? one.description ?? one.name,
    (one.classes ?? []).map(({ value, name }) => `${value} ${t.bitValues[name] ?? name}`).join(" · "),
  ]);
  return table([t.dataset.bit, t.dataset.meaning, t.dataset.values], rows, t.dataset.bits);
}

function terms(collection: StacCollection): HTMLElement {
  const license = collection.links.find(({ rel }) => rel === "license");
  const named = collection.license && collection.license !== "other" ? collection.license : t.dataset.licenceSource;
  const providers = (collection.providers ?? []).map((one) => {
    const roles = (one.roles ?? []).map((role) => t.dataset.roles[role] ?? role).join(t.language === "en" ? ", " : "、");
    const name = one.url ? outside(one.url, served(one.name)) : served(one.name);
    return h("li", {}, name, roles ? ` (${roles})` : null);
  });
  return h(
    "div",
    {},
    h("p", {}, t.dataset.termsText),
    facts([
      [t.dataset.licence, license ? outside(license.href, named) : named],
      [t.dataset.providers, h("ul", {}, ...providers)],
    ]),
  );
}

function citation(collection: StacCollection): HTMLElement {
  const text = t.collections[collection.id]?.citation ?? collection["sci:citation"] ?? titleOf(collection);
  const doi = collection["sci:doi"];
  const cstr = collection["gfard:cstr"];
  const papers = (collection["sci:publications"] ?? []).flatMap(({ citation: paper }) => (paper ? [h("li", { lang: "en" }, paper)] : []));
  return h(
    "div",
    {},
    h("p", {}, t.dataset.citationText),
    h("blockquote", {}, text),
    copyButton(t.dataset.copyCitation, () => text),
    facts([
      [t.dataset.doi, doi ? outside(`https://doi.org/${doi}`, doi) : t.dataset.unassigned],
      [t.dataset.cstr, cstr ? outside(`https://cstr.cn/${cstr}`, cstr) : t.dataset.unassigned],
      [t.dataset.publications, papers.length > 0 ? h("ul", {}, ...papers) : null],
    ]),
  );
}

function contact(address: string | null): HTMLElement {
  return address
    ? h("p", {}, h("a", { href: contactHref(address) }, address))
    : h("p", {}, t.dataset.contactNone);
}
