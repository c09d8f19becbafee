import { NO_FILTERS, START, type Area, type Filters, type ItemRef, type MapView, type Sort, type State } from "./state";
import type { Bbox } from "./stac/types";

/** Write a state as the hash of the page's address, leaving out what is as at the start. */
export function encodeState(state: State): string {
  const { filters, selected, view } = state;
  const query = new URLSearchParams();
  const put = (key: string, value: string | number, start: string | number): void => {
    if (value !== start) query.set(key, String(value));
  };
  put("collection", filters.collection, NO_FILTERS.collection);
  put("from", filters.from, NO_FILTERS.from);
  put("to", filters.to, NO_FILTERS.to);
  put("cloud", filters.cloud, NO_FILTERS.cloud);
  put("quality", filters.quality, NO_FILTERS.quality);
  put("tile", filters.tile, NO_FILTERS.tile);
  put("sort", filters.sort, NO_FILTERS.sort);
  put("area", encodeArea(filters.area), encodeArea(NO_FILTERS.area));
  put("render", state.render, START.render);
  put("opacity", state.opacity, START.opacity);
  if (selected) query.set("item", `${selected.collection}/${selected.id}`);
  if (view) query.set("map", `${view.zoom.toFixed(2)}/${view.lat.toFixed(4)}/${view.lon.toFixed(4)}`);
  return query.toString().replaceAll("%2F", "/").replaceAll("%2C", ",");
}

/** Read a hash back; whatever is missing or malformed is as at the start. */
export function decodeState(hash: string): State {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  return {
    filters: decodeFilters(query),
    selected: decodeItem(query.get("item")),
    render: query.get("render") ?? START.render,
    opacity: number(query.get("opacity"), 0, 100) ?? START.opacity,
    view: decodeView(query.get("map")),
  };
}

function decodeFilters(query: URLSearchParams): Filters {
  const sorts: readonly Sort[] = ["newest", "oldest", "clearest"];
  return {
    collection: query.get("collection") ?? "",
    from: day(query.get("from")),
    to: day(query.get("to")),
    cloud: number(query.get("cloud"), 0, 100) ?? NO_FILTERS.cloud,
    quality: query.get("quality") === "nominal" ? "nominal" : "any",
    tile: tilePrefix(query.get("tile") ?? "") ?? "",
    area: decodeArea(query.get("area")),
    sort: sorts.find((sort) => sort === query.get("sort")) ?? NO_FILTERS.sort,
  };
}

function encodeArea(area: Area): string {
  return area.kind === "box" ? area.bbox.map((value) => Number(value.toFixed(4))).join(",") : area.kind;
}

function decodeArea(text: string | null): Area {
  if (text === "view") return { kind: "view" };
  const bbox = text === null ? null : toBbox(text.split(",").map(Number));
  return bbox ? { kind: "box", bbox } : NO_FILTERS.area;
}

/** Four numbers as a box inside the world, or null when they make none. */
export function toBbox(values: readonly number[]): Bbox | null {
  const [west, south, east, north] = values;
  if (values.length !== 4 || west === undefined || south === undefined) return null;
  if (east === undefined || north === undefined || !values.every(Number.isFinite)) return null;
  const inside = west >= -180 && east <= 180 && south >= -90 && north <= 90;
  return inside && west < east && south < north ? [west, south, east, north] : null;
}

/** Upper-case tile or beginning of a tile ("31T", "31TCL"), "" for none, null when malformed. */
export function tilePrefix(text: string): string | null {
  const tile = text.trim().toUpperCase();
  return tile === "" || /^\d{1,2}([C-HJ-NP-X]([A-HJ-NP-Z][A-HJ-NP-V]?)?)?$/.test(tile) ? tile : null;
}

function decodeItem(text: string | null): ItemRef | null {
  const [collection, id] = text?.split("/") ?? [];
  return collection && id ? { collection, id } : null;
}

function decodeView(text: string | null): MapView | null {
  const [zoom, lat, lon] = (text ?? "").split("/");
  const values = [number(zoom ?? null, 0, 22), number(lat ?? null, -90, 90), number(lon ?? null, -180, 180)];
  const [z, y, x] = values;
  return z == null || y == null || x == null ? null : { zoom: z, lat: y, lon: x };
}

function number(text: string | null, low: number, high: number): number | null {
  const value = text === null || text === "" ? Number.NaN : Number(text);
  return value >= low && value <= high ? value : null;
}

function day(text: string | null): string {
  return text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : "";
}
