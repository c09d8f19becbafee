import type { Geometry } from "geojson";

/** west, south, east, north in degrees. */
export type Bbox = readonly [number, number, number, number];

export interface StacLink {
  readonly rel: string;
  readonly href: string;
  readonly type?: string;
  readonly title?: string;
  readonly method?: string;
  readonly body?: Record<string, unknown>;
  readonly merge?: boolean;
}

export interface ClassValue {
  readonly value: number;
  readonly name: string;
  readonly title?: string;
  readonly color_hint?: string;
  readonly nodata?: boolean;
  readonly percentage?: number;
}

export interface BitField {
  readonly name: string;
  readonly description?: string;
  readonly offset: number;
  readonly length: number;
  readonly classes?: readonly { readonly value: number; readonly name: string }[];
}

export interface StacBand {
  readonly name?: string;
  readonly description?: string;
  readonly "eo:common_name"?: string;
  readonly "classification:classes"?: readonly ClassValue[];
}

export interface StacAsset {
  readonly href: string;
  readonly type?: string;
  readonly title?: string;
  readonly roles?: readonly string[];
  readonly bands?: readonly StacBand[];
  readonly data_type?: string;
  readonly nodata?: number;
  readonly "raster:scale"?: number;
  readonly "file:size"?: number;
  readonly "file:checksum"?: string;
  readonly "classification:classes"?: readonly ClassValue[];
  readonly "classification:bitfields"?: readonly BitField[];
}

export interface StacItem {
  readonly type: "Feature";
  readonly id: string;
  readonly collection: string;
  readonly geometry: Geometry;
  readonly bbox: readonly number[];
  readonly properties: Readonly<Record<string, unknown>>;
  readonly assets: Readonly<Record<string, StacAsset>>;
  readonly links: readonly StacLink[];
  /** Site under whose address its files are published, when that is not this one; noted by this page. */
  readonly publishedAt?: string;
}

/** One entry of the render extension on a collection. */
export interface RenderEntry {
  readonly title?: string;
  readonly assets?: readonly string[];
  readonly expression?: string;
  readonly rescale?: readonly (readonly number[])[];
  readonly colormap_name?: string;
}

export interface Provider {
  readonly name: string;
  readonly roles?: readonly string[];
  readonly url?: string;
}

export interface StacCollection {
  readonly id: string;
  readonly title?: string;
  readonly description?: string;
  readonly license?: string;
  readonly extent?: {
    readonly spatial?: { readonly bbox?: readonly (readonly number[])[] };
    readonly temporal?: { readonly interval?: readonly (readonly (string | null)[])[] };
  };
  readonly providers?: readonly Provider[];
  readonly summaries?: Readonly<Record<string, readonly unknown[]>>;
  readonly item_assets?: Readonly<Record<string, Omit<StacAsset, "href">>>;
  readonly renders?: Readonly<Record<string, RenderEntry>>;
  readonly "sci:doi"?: string;
  readonly "sci:citation"?: string;
  readonly "sci:publications"?: readonly { readonly citation?: string; readonly doi?: string }[];
  readonly "gfard:cstr"?: string;
  readonly links: readonly StacLink[];
}

export interface ItemPage {
  readonly features: readonly StacItem[];
  readonly links?: readonly StacLink[];
  readonly numberMatched?: number;
}

/** One bar of an aggregation by time. */
export interface Bucket {
  /** Begin of the period, ISO 8601. */
  readonly key: string;
  readonly frequency: number;
}
