import type { SiteConfig } from "./config";
import { loadCounters, type AllCounters } from "./counters";
import { StacClient } from "./stac/client";
import type { StacCollection } from "./stac/types";
import { t } from "./strings";

/** What every page asks of the services; answers that all share are asked for once. */
export class Catalog {
  readonly client: StacClient;
  private asked: Promise<readonly StacCollection[]> | null = null;

  constructor(readonly config: SiteConfig) {
    this.client = new StacClient(config.stac, config.published);
  }

  /** Collections of the catalogue by their id; a failure is asked again the next time. */
  collections(): Promise<readonly StacCollection[]> {
    this.asked ??= this.client.collections().then(
      (all) => all.toSorted((a, b) => a.id.localeCompare(b.id)),
      (error: unknown) => {
        this.asked = null;
        throw error;
      },
    );
    return this.asked;
  }

  counters(): Promise<AllCounters> {
    return loadCounters(this.config.counters);
  }
}

/** Title of a collection in the visitor's language. */
export function titleOf(collection: StacCollection): string {
  return t.collections[collection.id]?.title ?? collection.title ?? collection.id;
}

/** Description of a collection in the visitor's language, one paragraph an entry. */
export function descriptionOf(collection: StacCollection): readonly string[] {
  const text = t.collections[collection.id]?.description ?? collection.description ?? "";
  return text.split(/\n{2,}/).filter(Boolean);
}
