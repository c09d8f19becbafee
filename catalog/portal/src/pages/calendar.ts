import { titleOf, type Catalog } from "../catalog";
import { field, fill, h, on } from "../dom";
import { formatCount, formatMonth, formatNumber, monthNames } from "../format";
import { isAbort, messageOf } from "../http";
import { tilePrefix } from "../permalink";
import { link, type Route } from "../route";
import { tileBody } from "../stac/query";
import type { StacCollection } from "../stac/types";
import { t } from "../strings";
import { tileChips } from "../views/tile-chips";
import { countLooks, sum, type Calendar, type Looks } from "../tools/clear-looks";
import type { Page } from "./page";

/** Most products that are read for one calendar: ten years of one every day. */
const MOST = 3000;
const PAGE = 500;
/** Clear looks a month from which a cell has the darkest of the four colours, and the others. */
const STEPS = [0.1, 1, 2, 4] as const;

/** Properties of an item that a calendar needs. */
const FIELDS = ["datetime", "eo:cloud_cover", "gfard:cloud_shadow_cover", "gfard:valid_percent"].map((name) => `properties.${name}`);

/** How often a tile was seen clearly, by month and year. */
export class CalendarPage implements Page {
  readonly element: HTMLElement;
  private readonly tile = h("input", {
    id: "c-tile", type: "text", maxlength: 5, placeholder: t.filters.tileHint, autocomplete: "off", spellcheck: "false",
  });
  private readonly collection = h("select", { id: "c-collection" });
  private readonly status = h("p", { role: "status" });
  private readonly map = h("div", {});
  private running = new AbortController();

  constructor(private readonly catalog: Catalog) {
    const form = h(
      "form",
      { class: "calendar-form" },
      field(t.calendar.tile, this.tile),
      field(t.calendar.collection, this.collection),
      h("button", { type: "submit", class: "button primary" }, t.calendar.show),
    );
    on(form, "submit", (event) => {
      event.preventDefault();
      this.go();
    });
    this.element = h(
      "div",
      { class: "page" },
      h("h1", {}, t.calendar.heading),
      h("p", { class: "lead" }, t.calendar.intro),
      form,
      this.status,
      this.map,
    );
  }

  title(): string {
    return t.calendar.heading;
  }

  show({ query }: Route): void {
    const tile = tilePrefix(query.get("tile") ?? "") ?? "";
    this.tile.value = tile;
    void this.load(tile, query.get("collection") ?? "");
  }

  leave(): void {
    this.running.abort();
  }

  private go(): void {
    const tile = tilePrefix(this.tile.value);
    if (tile?.length !== 5) {
      this.status.textContent = t.filters.tileInvalid;
      return;
    }
    const query = new URLSearchParams({ tile });
    if (this.collection.value) query.set("collection", this.collection.value);
    history.pushState(null, "", link("calendar", "", query));
    void this.load(tile, this.collection.value);
  }

  private async load(tile: string, collection: string): Promise<void> {
    this.running.abort();
    this.running = new AbortController();
    const { signal } = this.running;
    fill(this.map);
    this.status.textContent = tile ? t.site.loading : t.calendar.prompt;
    try {
      this.offer(await this.catalog.collections(), collection);
      if (!tile) return await this.offerTiles(collection, signal);
      const body = {
        ...tileBody(tile, collection, PAGE),
        fields: { include: FIELDS, exclude: ["assets", "links", "geometry", "bbox"] },
      };
      const items = await this.catalog.client.all(body, MOST, signal);
      this.draw(countLooks(items), tile, collection, items.length === MOST);
    } catch (error) {
      if (!isAbort(error)) this.status.textContent = messageOf(error);
    }
  }

  /** Name the tiles that have products, so that nobody needs to know them by heart. */
  private async offerTiles(collection: string, signal: AbortSignal): Promise<void> {
    const search = collection ? { collections: [collection] } : {};
    const found = await this.catalog.client.coverage(search, signal);
    if (!found || found.tiles.length === 0) return;
    const place = collection ? { collection } : {};
    fill(this.map, tileChips(found.tiles, (tile) => link("calendar", "", new URLSearchParams({ ...place, tile }))));
  }

  private offer(collections: readonly StacCollection[], chosen: string): void {
    const options = collections.map((one) => h("option", { value: one.id }, titleOf(one)));
    fill(this.collection, h("option", { value: "" }, t.filters.allCollections), ...options);
    this.collection.value = chosen;
  }

  private draw(calendar: Calendar, tile: string, collection: string, cut: boolean): void {
    const total = sum([...calendar.values()].flat());
    if (total.products === 0) {
      this.status.textContent = t.calendar.empty;
      return;
    }
    const words = t.calendar.summary(formatLooks(total.looks), formatCount(total.products), tile);
    this.status.textContent = cut ? `${words} ${t.calendar.cut}` : words;
    fill(this.map, heatMap(calendar, tile, collection), scale());
  }
}

function heatMap(calendar: Calendar, tile: string, collection: string): HTMLElement {
  const head = [t.calendar.year, ...monthNames(), t.calendar.total];
  const rows = [...calendar].map(([year, months]) => {
    const cells = months.map((looks, month) => h("td", {}, cell(looks, year, month, tile, collection)));
    return h("tr", {}, h("th", { scope: "row" }, String(year)), ...cells, h("td", { class: "sum" }, formatLooks(sum(months).looks)));
  });
  return h(
    "div",
    { class: "table-box", tabindex: 0, role: "group", "aria-label": t.calendar.heading },
    h(
      "table",
      { class: "heat" },
      h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...rows),
    ),
  );
}

/** One month: its clear looks as number and colour, and the way to its products. */
function cell(looks: Looks, year: number, month: number, tile: string, collection: string): HTMLElement | string {
  if (looks.products === 0) return "·";
  const first = new Date(Date.UTC(year, month, 1));
  const last = new Date(Date.UTC(year, month + 1, 0));
  const day = (time: Date): string => time.toISOString().slice(0, 10);
  const query = new URLSearchParams({ ...(collection ? { collection } : {}), from: day(first), to: day(last), tile });
  const number = formatLooks(looks.looks);
  const words = t.calendar.cell(formatMonth(first), number, looks.products);
  const level = STEPS.filter((step) => looks.looks >= step).length;
  return h("a", { href: link("search", "", query), class: `heat-${level}`, title: words, "aria-label": words }, number);
}

/** Clear looks with one decimal; a trace is not called none. */
function formatLooks(looks: number): string {
  return looks > 0 && looks < 0.05 ? `< ${formatNumber(0.1, 1)}` : formatNumber(looks, 1);
}

function scale(): HTMLElement {
  const [least] = STEPS;
  const words = [`< ${formatNumber(least, 1)}`, ...STEPS.map((from) => `≥ ${formatNumber(from, from % 1 ? 1 : 0)}`)];
  const levels = words.map((text, level) => h("li", { class: `heat-${level}` }, text));
  return h("div", { class: "heat-scale" }, h("span", {}, t.calendar.scale), h("ul", {}, ...levels));
}
