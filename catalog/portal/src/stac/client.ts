import { brought } from "../address";
import { fetchJson } from "../http";
import type { Bucket, ItemPage, StacCollection, StacItem, StacLink } from "./types";

/** One page of a search and the way to the next. */
export interface SearchPage {
  readonly items: readonly StacItem[];
  /** Items that match in all, where the server counts them. */
  readonly matched: number | null;
  readonly next: PageRequest | null;
}

/** A search request that can be sent as it is. */
export interface PageRequest {
  readonly url: string;
  readonly body: Record<string, unknown> | null;
}

/** Where and when products are: their number by tile ("MGRS-31TCL") and by month. */
export interface Coverage {
  readonly tiles: readonly Bucket[];
  readonly months: readonly Bucket[];
}

/** Aggregations by the names that the server gives them. */
const MONTHS = "datetime_frequency";
const TILES = "grid_code_frequency";

/** The few requests that the page makes to a STAC API. */
export class StacClient {
  private landing: Promise<boolean> | null = null;

  /** `published` is the address under which the catalogue knows this site. */
  constructor(readonly root: string, private readonly published: string) {}

  async collections(): Promise<readonly StacCollection[]> {
    const answer = await fetchJson<{ collections: StacCollection[] }>(`${this.root}/collections`);
    return answer.collections;
  }

  async item(collection: string, id: string, signal: AbortSignal): Promise<StacItem> {
    return brought(await fetchJson<StacItem>(this.itemUrl(collection, id), { signal }), this.published);
  }

  itemUrl(collection: string, id: string): string {
    return `${this.root}/collections/${encodeURIComponent(collection)}/items/${encodeURIComponent(id)}`;
  }

  /** Number of items that match; null where the server does not count, which not all do. */
  async count(conditions: Record<string, unknown>, signal: AbortSignal): Promise<number | null> {
    const fields = { include: ["id"], exclude: ["assets", "links", "geometry", "properties"] };
    const page = await this.page(this.first({ ...conditions, limit: 1, context: true, fields }), signal);
    return page.matched;
  }

  /**
   * Number of products that match by month, oldest first, months without any left out.
   *
   * Null where the server does not aggregate.
   */
  async histogram(body: Record<string, unknown>, signal: AbortSignal): Promise<readonly Bucket[] | null> {
    const answer = await this.aggregate(body, [MONTHS], signal);
    return answer?.get(MONTHS) ?? null;
  }

  /** Tiles and months in which a search finds products; null where the server does not aggregate. */
  async coverage(body: Record<string, unknown>, signal: AbortSignal): Promise<Coverage | null> {
    const answer = await this.aggregate(body, [TILES, MONTHS], signal);
    return answer && { tiles: answer.get(TILES) ?? [], months: answer.get(MONTHS) ?? [] };
  }

  private async aggregate(
    body: Record<string, unknown>, names: readonly string[], signal: AbortSignal,
  ): Promise<ReadonlyMap<string, readonly Bucket[]> | null> {
    if (!(await this.aggregates())) return null;
    const answer = await fetchJson<{ aggregations: { name: string; buckets?: Bucket[] }[] }>(`${this.root}/aggregate`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...body, aggregations: names, [`${MONTHS}_interval`]: "month" }),
      signal,
    });
    return new Map(answer.aggregations.map(({ name, buckets }) => [name, buckets ?? []]));
  }

  /** All items of a search, page by page, up to `most`. */
  async all(body: Record<string, unknown>, most: number, signal: AbortSignal): Promise<readonly StacItem[]> {
    const items: StacItem[] = [];
    let request: PageRequest | null = this.first(body);
    while (request && items.length < most) {
      const page: SearchPage = await this.page(request, signal);
      items.push(...page.items);
      request = page.next;
    }
    return items.slice(0, most);
  }

  first(body: Record<string, unknown>): PageRequest {
    return { url: `${this.root}/search`, body };
  }

  async page(request: PageRequest, signal: AbortSignal): Promise<SearchPage> {
    const init: RequestInit = request.body
      ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request.body) }
      : {};
    const page = await fetchJson<ItemPage>(request.url, { ...init, signal });
    return {
      items: page.features.map((item) => brought(item, this.published)),
      matched: page.numberMatched ?? null,
      next: nextRequest(page.links ?? [], request),
    };
  }

  /** Whether the landing page links to aggregations. */
  private aggregates(): Promise<boolean> {
    this.landing ??= fetchJson<{ links: StacLink[] }>(this.root).then(
      ({ links }) => links.some(({ rel }) => rel === "aggregate"),
      (error: unknown) => {
        this.landing = null; // asked again the next time
        throw error;
      },
    );
    return this.landing;
  }
}

/** Follow the paging rules of STAC API: a link may bring a body, to send alone or merged. */
function nextRequest(links: readonly StacLink[], sent: PageRequest): PageRequest | null {
  const link = links.find((one) => one.rel === "next");
  if (!link) return null;
  if (link.method?.toUpperCase() !== "POST") return { url: link.href, body: null };
  const body = link.merge ? { ...sent.body, ...link.body } : { ...link.body };
  return { url: link.href, body };
}
