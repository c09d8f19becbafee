import { isAbort, messageOf } from "./http";
import { readProduct, type Product } from "./product";
import type { PageRequest, SearchPage, StacClient } from "./stac/client";
import { conditions, PAGE_SIZE, searchBody } from "./stac/query";
import type { Bbox } from "./stac/types";
import { Store, type Filters } from "./state";

/** Where the search stands. */
export interface Results {
  readonly status: "loading" | "loading-more" | "ready" | "error";
  readonly products: readonly Product[];
  /** Products that match in all; null until they are counted, which takes longer than finding some. */
  readonly matched: number | null;
  readonly next: PageRequest | null;
  readonly error: string;
}

const EMPTY: Results = { status: "loading", products: [], matched: null, next: null, error: "" };

/** Runs searches one at a time: a newer one takes the place of an older. */
export class Search {
  readonly results = new Store<Results>(EMPTY);
  private running = new AbortController();
  private counting = new AbortController();

  constructor(private readonly client: StacClient) {}

  /**
   * Search anew, for some pages at once; the old list stays until the answer comes.
   *
   * Resolves when the first products are there.
   */
  async start(filters: Filters, view: Bbox | null, pages = 1): Promise<void> {
    this.results.set({ status: "loading", error: "" });
    this.counting.abort();
    this.counting = new AbortController();
    const body = searchBody(filters, view);
    await this.load(this.client.first({ ...body, limit: pages * PAGE_SIZE }), []);
    const { status, next } = this.results.get();
    if (status === "ready" && next) void this.count(conditions(filters, view), this.counting.signal);
  }

  /** Append the next page, when there is one. */
  async more(): Promise<void> {
    const { next, products, status } = this.results.get();
    if (!next || status !== "ready") return;
    this.results.set({ status: "loading-more" });
    // The pages that came at once made one large page, and the next one would be as large.
    const body = next.body ? { ...next.body, limit: PAGE_SIZE } : null;
    await this.load({ ...next, body }, products);
  }

  /** Once there is no further page, what is listed is all that matches. */
  private matched(before: readonly Product[], page: SearchPage): number | null {
    if (!page.next) return before.length + page.items.length;
    return before.length > 0 ? this.results.get().matched : null;
  }

  private async count(body: Record<string, unknown>, signal: AbortSignal): Promise<void> {
    try {
      this.results.set({ matched: await this.client.count(body, signal) });
    } catch (error) {
      if (!isAbort(error)) console.warn("not counted", error); // the list is there without its number
    }
  }

  private async load(request: PageRequest, before: readonly Product[]): Promise<void> {
    this.running.abort();
    this.running = new AbortController();
    try {
      const page = await this.client.page(request, this.running.signal);
      this.results.set({
        status: "ready",
        products: [...before, ...page.items.map(readProduct)],
        matched: this.matched(before, page),
        next: page.next,
      });
    } catch (error) {
      if (isAbort(error)) return;
      this.results.set({ status: "error", products: before, next: null, error: messageOf(error) });
    }
  }
}
