import { geometryOf } from "../area";
import type { Area, Filters } from "../state";
import type { Bbox } from "./types";

export const PAGE_SIZE = 24;

type Expression = Record<string, unknown>;

const SORTS: Record<Filters["sort"], readonly { field: string; direction: "asc" | "desc" }[]> = {
  newest: [{ field: "properties.datetime", direction: "desc" }],
  oldest: [{ field: "properties.datetime", direction: "asc" }],
  clearest: [
    { field: "properties.eo:cloud_cover", direction: "asc" },
    { field: "properties.datetime", direction: "desc" },
  ],
};

/** Body of `POST /search` for what the visitor asked; `view` is what the map shows, if it does. */
export function searchBody(filters: Filters, view: Bbox | null): Record<string, unknown> {
  return { limit: PAGE_SIZE, sortby: SORTS[filters.sort], ...conditions(filters, view) };
}

/** The conditions of a search alone, as its body takes them. */
export function conditions(filters: Filters, view: Bbox | null): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  if (filters.collection) body["collections"] = [filters.collection];
  const bbox = areaBbox(filters.area, view);
  if (bbox) body["bbox"] = bbox;
  if (filters.area.kind === "shape") body["intersects"] = geometryOf(filters.area.rings);
  if (filters.from || filters.to) body["datetime"] = interval(filters.from, filters.to);
  const all = propertyConditions(filters);
  if (all.length > 0) {
    body["filter-lang"] = "cql2-json";
    body["filter"] = all.length === 1 ? all[0] : { op: "and", args: all };
  }
  return body;
}

/** Search for the products of one MGRS tile, newest first. */
export function tileBody(tile: string, collection: string, limit: number): Record<string, unknown> {
  return {
    limit,
    sortby: SORTS.newest,
    ...(collection ? { collections: [collection] } : {}),
    "filter-lang": "cql2-json",
    filter: compare("=", "grid:code", `MGRS-${tile}`),
  };
}

/** Days are whole UTC days, both included; of two days the earlier one is the first. */
function interval(one: string, other: string): string {
  const [from, to] = one && other && one > other ? [other, one] : [one, other];
  return `${from ? `${from}T00:00:00Z` : ".."}/${to ? `${to}T23:59:59Z` : ".."}`;
}

function areaBbox(area: Area, view: Bbox | null): Bbox | null {
  if (area.kind === "box") return area.bbox;
  return area.kind === "view" ? view : null;
}

function propertyConditions(filters: Filters): Expression[] {
  const all: Expression[] = [];
  if (filters.cloud < 100) all.push(compare("<=", "eo:cloud_cover", filters.cloud));
  if (filters.camera) all.push({ op: "a_contains", args: [{ property: "instruments" }, [filters.camera]] });
  if (filters.quality === "nominal") all.push(compare("=", "product:quality_status", "nominal"));
  if (filters.tile.length === 5) all.push(compare("=", "grid:code", `MGRS-${filters.tile}`));
  else if (filters.tile) all.push(compare("like", "grid:code", `MGRS-${filters.tile}%`));
  return all;
}

function compare(op: string, property: string, value: string | number): Expression {
  return { op, args: [{ property }, value] };
}
