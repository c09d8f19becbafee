import type { Bbox } from "./stac/types";

/** Where to search: everywhere, what the map shows, or a fixed rectangle. */
export type Area =
  | { readonly kind: "anywhere" }
  | { readonly kind: "view" }
  | { readonly kind: "box"; readonly bbox: Bbox };

export type Sort = "newest" | "oldest" | "clearest";

/** What the visitor asked for. Empty strings mean no condition; dates are `YYYY-MM-DD`. */
export interface Filters {
  readonly collection: string;
  readonly from: string;
  readonly to: string;
  /** Highest cloud cover in percent; 100 sets no limit. */
  readonly cloud: number;
  readonly quality: "any" | "nominal";
  /** MGRS tile or the beginning of one. */
  readonly tile: string;
  readonly area: Area;
  readonly sort: Sort;
}

export interface ItemRef {
  readonly collection: string;
  readonly id: string;
}

/** Centre of the map in degrees and its zoom. */
export interface MapView {
  readonly lon: number;
  readonly lat: number;
  readonly zoom: number;
}

/** All that a permalink holds. */
export interface State {
  readonly filters: Filters;
  readonly selected: ItemRef | null;
  /** Name of the render on the map; empty shows the footprint alone. */
  readonly render: string;
  /** Opacity of the render, 0 to 100. */
  readonly opacity: number;
  readonly view: MapView | null;
}

export const NO_FILTERS: Filters = {
  collection: "",
  from: "",
  to: "",
  cloud: 100,
  quality: "any",
  tile: "",
  area: { kind: "anywhere" },
  sort: "newest",
};

export const START: State = {
  filters: NO_FILTERS,
  selected: null,
  render: "true-colour",
  opacity: 100,
  view: null,
};

type Listener<T> = (now: T, before: T) => void;

/** A value that tells its listeners when it changes. */
export class Store<T extends object> {
  private readonly listeners: Listener<T>[] = [];

  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  set(patch: Partial<T>): void {
    const before = this.value;
    this.value = { ...before, ...patch };
    for (const listener of this.listeners) listener(this.value, before);
  }

  subscribe(listener: Listener<T>): void {
    this.listeners.push(listener);
  }
}

/** Number of conditions that narrow the search. */
export function activeFilters(filters: Filters): number {
  const set = [
    filters.collection !== "",
    filters.from !== "" || filters.to !== "",
    filters.cloud < 100,
    filters.quality !== "any",
    filters.tile !== "",
    filters.area.kind !== "anywhere",
  ];
  return set.filter(Boolean).length;
}
