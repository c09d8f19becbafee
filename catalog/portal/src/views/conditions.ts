import { titleOf } from "../catalog";
import { formatDate, formatPercent } from "../format";
import type { StacCollection } from "../stac/types";
import type { Area, Filters } from "../state";
import { t } from "../strings";
import { CAMERAS } from "./filters";

/** The conditions of a search in words: what each is about, and what it asks for. */
export function spokenConditions(filters: Filters, collections: readonly StacCollection[]): readonly (readonly [string, string])[] {
  const { collection, camera, from, to, cloud, quality, tile, area } = filters;
  const known = collections.find(({ id }) => id === collection);
  const day = (text: string): string => (text ? formatDate(new Date(text)) : "…");
  const all: readonly (readonly [string, string])[] = [
    [t.filters.collection, collection && (known ? titleOf(known) : collection)],
    [t.filters.camera, camera && (CAMERAS.find(([key]) => key === camera)?.[1] ?? camera)],
    [t.filters.tile, tile],
    [t.filters.dates, from || to ? `${day(from)} – ${day(to)}` : ""],
    [t.filters.cloud, cloud < 100 ? `≤ ${formatPercent(cloud)}` : ""],
    [t.filters.quality, quality === "nominal" ? t.filters.nominalOnly : ""],
    [t.filters.area, spokenArea(area)],
  ];
  return all.filter(([, words]) => words !== "");
}

function spokenArea(area: Area): string {
  if (area.kind === "box") return area.bbox.map((side) => `${Number(side.toFixed(2))}°`).join(", ");
  if (area.kind === "shape") return t.filters.shapeOf(area.rings.reduce((sum, ring) => sum + ring.length - 1, 0));
  return area.kind === "view" ? t.filters.mapView : "";
}
