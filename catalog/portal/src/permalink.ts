import { decodeRings, encodeRings } from "./area";
import { plain } from "./route";
import {
  MOST_PAGES, NO_FILTERS, START, TABS, type Area, type Filters, type ItemRef, type MapView, type Point, type Sort, type State,
} from "./state";
import type { Bbox } from "./stac/types";

/** Write a state of the search page as the query of its address, leaving out what is as at the start. */
export function encodeState(state: State): string {
  const { filters, selected, compare, point, view } = state;
  const query = encodeFilters(filters);
  const put = (key: string, value: string | number, start: string | number): void => {
    if (value !== start) query.set(key, String(value));
  };
  if (selected) query.set("item", `${selected.collection}/${selected.id}`);
  put("tab", state.tab, START.tab);
  put("render", state.render, START.render);
  put("opacity", state.opacity, START.opacity);
  if (state.overlay) query.set("overlay", "mask");
  if (compare) query.set("compare", `${compare.collection}/${compare.id}`);
  put("swipe", state.swipe, START.swipe);
  if (point) query.set("point", `${point.lon.toFixed(5)},${point.lat.toFixed(5)}`);
  put("index", state.index, START.index);
  if (state.clearOnly) query.set("looks", "clear");
  put("pages", state.pages, START.pages);
  if (view) query.set("map", `${view.zoom.toFixed(2)}/${view.lat.toFixed(4)}/${view.lon.toFixed(4)}`);
  return plain(query);
}

/** Write the conditions of a search alone. */
export function encodeFilters(filters: Filters): URLSearchParams {
  const query = new URLSearchParams();
  for (const key of ["collection", "camera", "from", "to", "cloud", "quality", "tile", "sort"] as const) {
    if (filters[key] !== NO_FILTERS[key]) query.set(key, String(filters[key]));
  }
  if (filters.area.kind !== "anywhere") query.set("area", encodeArea(filters.area));
  return query;
}

/** Read a query back; whatever is missing or malformed is as at the start. */
export function decodeState(query: URLSearchParams): State {
  return {
    filters: decodeFilters(query),
    selected: decodeItem(query.get("item")),
    tab: TABS.find((tab) => tab === query.get("tab")) ?? START.tab,
    render: query.get("render") ?? START.render,
    opacity: number(query.get("opacity"), 0, 100) ?? START.opacity,
    overlay: query.get("overlay") === "mask",
    compare: decodeItem(query.get("compare")),
    swipe: number(query.get("swipe"), 0, 100) ?? START.swipe,
    point: decodePoint(query.get("point")),
    index: query.get("index") === "sr" ? "sr" : START.index,
    clearOnly: query.get("looks") === "clear",
    view: decodeView(query.get("map")),
    pages: Math.round(number(query.get("pages"), 1, MOST_PAGES) ?? START.pages),
  };
}

/** Read the conditions of a search alone. */
export function decodeFilters(query: URLSearchParams): Filters {
  const sorts: readonly Sort[] = ["newest", "oldest", "clearest"];
  return {
    collection: query.get("collection") ?? "",
    camera: /^wfv\d?$/.exec(query.get("camera") ?? "")?.[0] ?? "",
    from: day(query.get("from")),
    to: day(query.get("to")),
    cloud: number(query.get("cloud"), 0, 100) ?? NO_FILTERS.cloud,
    quality: query.get("quality") === "nominal" ? "nominal" : "any",
    tile: tilePrefix(query.get("tile") ?? "") ?? "",
    area: decodeArea(query.get("area")),
    sort: sorts.find((sort) => sort === query.get("sort")) ?? NO_FILTERS.sort,
  };
}

const SHAPE = "shape:";

function encodeArea(area: Area): string {
  if (area.kind === "box") return area.bbox.map((value) => Number(value.toFixed(4))).join(",");
  return area.kind === "shape" ? SHAPE + encodeRings(area.rings) : area.kind;
}

function decodeArea(text: string | null): Area {
  if (text === "view") return { kind: "view" };
  if (text?.startsWith(SHAPE)) {
    const rings = decodeRings(text.slice(SHAPE.length));
    return rings ? { kind: "shape", rings } : NO_FILTERS.area;
  }
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

function decodePoint(text: string | null): Point | null {
  const [x, y] = (text ?? "").split(",");
  const [lon, lat] = [number(x ?? null, -180, 180), number(y ?? null, -90, 90)];
  return lon === null || lat === null ? null : { lon, lat };
}

function decodeView(text: string | null): MapView | null {
  const [z, y, x] = (text ?? "").split("/");
  const [zoom, lat, lon] = [number(z ?? null, 0, 22), number(y ?? null, -90, 90), number(x ?? null, -180, 180)];
  return zoom === null || lat === null || lon === null ? null : { zoom, lat, lon };
}

function number(text: string | null, low: number, high: number): number | null {
  const value = text === null || text === "" ? Number.NaN : Number(text);
  return value >= low && value <= high ? value : null;
}

function day(text: string | null): string {
  return text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : "";
}
