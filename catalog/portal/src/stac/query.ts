import type { Area, Filters } from "../state";
import type { Bbox } from "./types";

export const PAGE_SIZE = 24;

/** Asks this platform's API to count what matches; others ignore it. */
export const COUNTED = { context: true } as const;

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
  const body: Record<string, unknown> = { limit: PAGE_SIZE, sortby: SORTS[filters.sort], ...COUNTED };
  if (filters.collection) body["collections"] = [filters.collection];
  const bbox = areaBbox(filters.area, view);
  if (bbox) body["bbox"] = bbox;
  if (filters.from || filters.to) body["datetime"] = interval(filters.from, filters.to);
  const conditions = propertyConditions(filters);
  if (conditions.length > 0) {
    body["filter-lang"] = "cql2-json";
    body["filter"] = conditions.length === 1 ? conditions[0] : { op: "and", args: conditions };
  }
  return body;
}

/** Days are whole UTC days, both included. */
function interval(from: string, to: string): string {
  return `${from ? `${from}T00:00:00Z` : ".."}/${to ? `${to}T23:59:59Z` : ".."}`;
}

function areaBbox(area: Area, view: Bbox | null): Bbox | null {
  if (area.kind === "box") return area.bbox;
  return area.kind === "view" ? view : null;
}

function propertyConditions(filters: Filters): Expression[] {
  const conditions: Expression[] = [];
  if (filters.cloud < 100) conditions.push(compare("<=", "eo:cloud_cover", filters.cloud));
  if (filters.quality === "nominal") conditions.push(compare("=", "product:quality_status", "nominal"));
  if (filters.tile.length === 5) conditions.push(compare("=", "grid:code", `MGRS-${filters.tile}`));
  else if (filters.tile) conditions.push(compare("like", "grid:code", `MGRS-${filters.tile}%`));
  return conditions;
}

function compare(op: string, property: string, value: string | number): Expression {
  return { op, args: [{ property }, value] };
}
