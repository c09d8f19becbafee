import type { Product } from "./product";
import { downloads } from "./product";
import { Store } from "./state";
import { keep, kept } from "./storage";

/** A chosen product with all that the list of downloads shows of it. */
export interface Chosen {
  readonly collection: string;
  readonly id: string;
  readonly camera: string;
  readonly tile: string;
  /** Time of acquisition, ISO 8601. */
  readonly time: string;
  /** Size in bytes of each file, by its key. */
  readonly sizes: Readonly<Record<string, number>>;
}

interface CartState {
  readonly chosen: readonly Chosen[];
}

const KEY = "gfard.cart";
/** Most products of a cart: what a browser keeps easily; larger wishes are searches to export. */
export const MAX_CHOSEN = 500;

/** The products that the visitor has chosen; they outlive the page in this browser. */
export class Cart {
  readonly state = new Store<CartState>({ chosen: read() });

  constructor() {
    window.addEventListener("storage", (event) => {
      if (event.key === KEY) this.state.set({ chosen: read() });
    });
  }

  has(id: string): boolean {
    return this.state.get().chosen.some((one) => one.id === id);
  }

  add(products: readonly Product[]): void {
    const fresh = products.filter(({ id }) => !this.has(id)).map(chosen);
    this.keep([...this.state.get().chosen, ...fresh].slice(0, MAX_CHOSEN));
  }

  remove(id: string): void {
    this.keep(this.state.get().chosen.filter((one) => one.id !== id));
  }

  clear(): void {
    this.keep([]);
  }

  private keep(chosen: readonly Chosen[]): void {
    keep(KEY, JSON.stringify(chosen));
    this.state.set({ chosen });
  }
}

function chosen({ collection, id, camera, tile, time, item }: Product): Chosen {
  const sizes = Object.fromEntries(downloads(item).map(([key, asset]) => [key, asset["file:size"] ?? 0]));
  return { collection, id, camera, tile, time: time.toISOString(), sizes };
}

function read(): readonly Chosen[] {
  try {
    const found: unknown = JSON.parse(kept(KEY) ?? "[]");
    return Array.isArray(found) ? (found as Chosen[]) : [];
  } catch {
    return []; // another program's text under our key is no cart
  }
}
