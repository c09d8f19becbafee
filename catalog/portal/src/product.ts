import type { Bbox, ClassValue, StacAsset, StacItem } from "./stac/types";
import { formatDate } from "./format";
import { t } from "./strings";

/** What the page shows of a STAC item, with names of this product instead of STAC keys. */
export interface Product {
  readonly id: string;
  readonly collection: string;
  readonly item: StacItem;
  readonly time: Date;
  /** Short name of satellite and camera, "GF-1 WFV1". */
  readonly camera: string;
  readonly tile: string;
  readonly bbox: Bbox;
  /** Percent of valid pixels; null where the item does not say. */
  readonly cloud: number | null;
  readonly quality: "nominal" | "degraded" | "unknown";
  readonly deprecated: boolean;
  readonly thumbnail: string | null;
  /** Site under whose address its files are published, when that is not this one. */
  readonly elsewhere: string | null;
}

/** Read a STAC item as a product. */
export function readProduct(item: StacItem): Product {
  const { properties } = item;
  const status = properties["product:quality_status"];
  return {
    id: item.id,
    collection: item.collection,
    item,
    time: new Date(text(properties, "datetime") ?? text(properties, "start_datetime") ?? ""),
    camera: cameraName(item),
    tile: (text(properties, "grid:code") ?? "").replace(/^MGRS-/, ""),
    bbox: flatBbox(item.bbox),
    cloud: numeric(properties, "eo:cloud_cover"),
    quality: status === "nominal" || status === "degraded" ? status : "unknown",
    deprecated: properties["deprecated"] === true,
    thumbnail: item.assets["thumbnail"]?.href ?? null,
    elsewhere: item.publishedAt ?? null,
  };
}

/** A property that is a finite number, or null. */
export function numeric(properties: StacItem["properties"], key: string): number | null {
  const value = properties[key];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** A property that is a text that is not empty, or null. */
export function text(properties: StacItem["properties"], key: string): string | null {
  const value = properties[key];
  return typeof value === "string" && value !== "" ? value : null;
}

/** West, south, east, north of a STAC bbox of two or three dimensions. */
export function flatBbox(bbox: readonly number[]): Bbox {
  const [west = -180, south = -90, third = 180, fourth = 90, fifth = 90] = bbox;
  return bbox.length === 6 ? [west, south, fourth, fifth] : [west, south, third, fourth];
}

/** Files of a product in the order in which they are shown. */
export const DATA_FILES: readonly string[] = [
  "SR", "TOA", "AOD", "mask", "qa", "angle", "SR_uncertainty", "AOD_uncertainty", "NBAR", "terrain_factor",
];

/** Place of a file in lists; those that are not data come last. */
export function rank(key: string): number {
  return DATA_FILES.includes(key) ? DATA_FILES.indexOf(key) : DATA_FILES.length;
}

/** Files that a visitor may want, products first, the thumbnail left out. */
export function downloads(item: StacItem): readonly (readonly [string, StacAsset])[] {
  return Object.entries(item.assets)
    .filter(([key]) => key !== "thumbnail")
    .sort(([a], [b]) => rank(a) - rank(b));
}

/** Names of the bands of a file. */
export function itemBands(item: StacItem, asset: string): readonly string[] {
  return (item.assets[asset]?.bands ?? []).map(({ name }, index) => name ?? `B${index + 1}`);
}

/** Classes of the mask with colour and share, from the item; fill is left out. */
export function maskClasses(item: { assets: Readonly<Record<string, Omit<StacAsset, "href">>> }): readonly ClassValue[] {
  const asset = item.assets["mask"];
  const classes = asset?.["classification:classes"] ?? asset?.bands?.[0]?.["classification:classes"];
  return (classes ?? DEFAULT_CLASSES).filter((one) => !one.nodata && one.name !== "fill");
}

/** Name of a class in the visitor's language. */
export function className(one: ClassValue): string {
  return t.classes[one.name] ?? one.title ?? one.name;
}

/** Colours of the mask asset, for items that do not carry them. */
const DEFAULT_CLASSES: readonly ClassValue[] = [
  { value: 1, name: "clear", color_hint: "8AB46E" },
  { value: 2, name: "water", color_hint: "2B6CB0" },
  { value: 3, name: "cloud_shadow", color_hint: "4A3F5C" },
  { value: 4, name: "snow", color_hint: "78DCE8" },
  { value: 5, name: "cloud", color_hint: "F5F5F5" },
];

/** Camera, tile and day of a product by its id, whose clock is Beijing's (UTC+8); the id itself when it is another's. */
export function productName(id: string): string {
  const parts = /^GF(\d)(WFV\d?)\.[^.]+\.(\d{4})(\d{3})(\d{2})(\d{2})(\d{2})\.(\w+)\./.exec(id);
  if (!parts) return id;
  const [, satellite, camera, year, day, hour, minute, second, tile] = parts;
  const time = new Date(Date.UTC(Number(year), 0, Number(day), Number(hour) - 8, Number(minute), Number(second)));
  return `GF-${satellite} ${camera} · ${tile} · ${formatDate(time)}`;
}

function cameraName(item: StacItem): string {
  const fromId = /^GF(\d)(WFV\d?)\./.exec(item.id);
  if (fromId) return `GF-${fromId[1]} ${fromId[2]}`;
  const instruments = item.properties["instruments"];
  const instrument = Array.isArray(instruments) ? String(instruments[0]).toUpperCase() : "";
  return `${text(item.properties, "platform") ?? ""} ${instrument}`.trim();
}
