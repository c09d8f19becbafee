import type { Position } from "geojson";
import type { Bbox } from "./stac/types";

/** Where to search: everywhere, what the map shows, a fixed rectangle, or polygons (outer rings). */
export type Area =
  | { readonly kind: "anywhere" }
  | { readonly kind: "view" }
  | { readonly kind: "box"; readonly bbox: Bbox }
  | { readonly kind: "shape"; readonly rings: readonly Position[][] };

export type Sort = "newest" | "oldest" | "clearest";

/** What the visitor asked for. Empty strings mean no condition; dates are `YYYY-MM-DD`. */
export interface Filters {
  readonly collection: string;
  /** Camera as STAC names it, "wfv1". */
  readonly camera: string;
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

/** A place in degrees. */
export interface Point {
  readonly lon: number;
  readonly lat: number;
}

export const TABS = ["layers", "series", "files", "about"] as const;
export type Tab = (typeof TABS)[number];

export type Index = "ndvi" | "sr";

/** All that a permalink of the search page holds. */
export interface State {
  readonly filters: Filters;
  readonly selected: ItemRef | null;
  /** Section of the selected product. */
  readonly tab: Tab;
  /** Name of the render on the map, or bands of one's own; empty shows the footprint alone. */
  readonly render: string;
  /** Opacity of the render, 0 to 100. */
  readonly opacity: number;
  /** Whether the mask lies over the render. */
  readonly overlay: boolean;
  /** Product to compare with, and the place of the divider from left to right, 0 to 100. */
  readonly compare: ItemRef | null;
  readonly swipe: number;
  /** Place of the time series and what it shows. */
  readonly point: Point | null;
  readonly index: Index;
  /** Whether the series leaves out what clouds hid. */
  readonly clearOnly: boolean;
  readonly view: MapView | null;
  /** Pages of results that are listed. */
  readonly pages: number;
}

export const NO_FILTERS: Filters = {
  collection: "",
  camera: "",
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
  tab: "layers",
  render: "true-colour",
  opacity: 100,
  overlay: false,
  compare: null,
  swipe: 50,
  point: null,
  index: "ndvi",
  clearOnly: false,
  view: null,
  pages: 1,
};

/** Most pages that come back at once with an address. */
export const MOST_PAGES = 10;

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
    filters.camera !== "",
    filters.from !== "" || filters.to !== "",
    filters.cloud < 100,
    filters.quality !== "any",
    filters.tile !== "",
    filters.area.kind !== "anywhere",
  ];
  return set.filter(Boolean).length;
}
