import { isAbort } from "./http";
import { readProduct, type Product } from "./product";
import type { PageRequest, StacClient } from "./stac/client";
import { searchBody } from "./stac/query";
import type { Bbox } from "./stac/types";
import { Store, type Filters } from "./state";

/** Where the search stands. */
export interface Results {
  readonly status: "loading" | "loading-more" | "ready" | "error";
  readonly products: readonly Product[];
  readonly matched: number | null;
  readonly next: PageRequest | null;
  readonly error: string;
}

const EMPTY: Results = { status: "loading", products: [], matched: null, next: null, error: "" };

/** Runs searches one at a time: a newer one takes the place of an older. */
export class Search {
  readonly results = new Store<Results>(EMPTY);
  private running = new AbortController();

  constructor(private readonly client: StacClient) {}

  /** Search anew; the old list stays until the answer comes. */
  start(filters: Filters, view: Bbox | null): Promise<void> {
    this.results.set({ status: "loading", error: "" });
    return this.load(this.client.first(searchBody(filters, view)), []);
  }

  /** Append the next page, when there is one. */
  async more(): Promise<void> {
    const { next, products, status } = this.results.get();
    if (!next || status !== "ready") return;
    this.results.set({ status: "loading-more" });
    await this.load(next, products);
  }

  private async load(request: PageRequest, before: readonly Product[]): Promise<void> {
    this.running.abort();
    this.running = new AbortController();
    try {
      const page = await this.client.page(request, this.running.signal);
      this.results.set({
        status: "ready",
        products: [...before, ...page.items.map(readProduct)],
        matched: page.matched ?? (before.length > 0 ? this.results.get().matched : null),
        next: page.next,
      });
    } catch (error) {
      if (isAbort(error)) return;
      const message = error instanceof Error ? error.message : String(error);
      this.results.set({ status: "error", products: before, next: null, error: message });
    }
  }
}
