import type { FeatureCollection, Geometry, MultiLineString, MultiPolygon, Position } from "geojson";
import type { StyleSpecification } from "maplibre-gl";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import coarseUrl from "world-atlas/countries-50m.json?url";
import fineUrl from "world-atlas/countries-10m.json?url";
import { zoneLines, zoneNames } from "./mgrs";

type Atlas = Topology<{ countries: GeometryCollection; land: GeometryCollection }>;

/** Land with its coast and borders, from files of this page. Names of countries are left out. */
export interface Basemap {
  readonly land: MultiPolygon;
  readonly coast: MultiLineString;
  readonly borders: MultiLineString;
}

/** Colours of the map in one colour scheme. */
export interface Palette {
  readonly sea: string;
  readonly land: string;
  readonly coast: string;
  readonly border: string;
  readonly zone: string;
  readonly name: string;
  readonly halo: string;
}

export const PALETTES: Readonly<Record<"light" | "dark", Palette>> = {
  light: {
    sea: "#cfdfea",
    land: "#f3f1ea",
    coast: "#93abbd",
    border: "#c7bfae",
    zone: "#8ea4b5",
    name: "#5d6f7e",
    halo: "#f3f1ea",
  },
  dark: {
    sea: "#0b141d",
    land: "#1a2631",
    coast: "#3d5265",
    border: "#3a4a58",
    zone: "#40566a",
    name: "#8fa1b3",
    halo: "#1a2631",
  },
};

/** Zoom from which the detailed coast is worth its size. */
export const FINE_ZOOM = 5;

/** Read the basemap: 1:50 million for an overview, 1:10 million for close views. */
export async function loadBasemap(detail: "coarse" | "fine"): Promise<Basemap> {
  const response = await fetch(detail === "fine" ? fineUrl : coarseUrl);
  const atlas = (await response.json()) as Atlas;
  const { countries, land } = atlas.objects;
  const polygons = feature(atlas, land).features.flatMap(({ geometry }) => polygonsOf(geometry));
  return {
    land: { type: "MultiPolygon", coordinates: polygons.map((rings) => rings.map(unrolledRing)) },
    coast: unrolledLines(mesh(atlas, countries, (a, b) => a === b)),
    borders: unrolledLines(mesh(atlas, countries, (a, b) => a !== b)),
  };
}

function polygonsOf(geometry: Geometry): Position[][][] {
  if (geometry.type === "Polygon") return [geometry.coordinates];
  return geometry.type === "MultiPolygon" ? geometry.coordinates : [];
}

/**
 * The file keeps lands whole across the antimeridian, so a line may jump from 180 to -180 degrees.
 * Unrolled, its longitudes go on beyond 180, which the map draws on the next copy of the world.
 */
function unrolled(line: readonly Position[]): Position[] {
  let turns = 0;
  let before = line[0]?.[0] ?? 0;
  return line.map(([lon = 0, lat = 0]) => {
    if (lon - before > 180) turns -= 1;
    else if (before - lon > 180) turns += 1;
    before = lon;
    return [lon + 360 * turns, lat];
  });
}

/** A ring around a pole does not close when unrolled; the edge of the map closes it. */
function unrolledRing(ring: readonly Position[]): Position[] {
  const open = unrolled(ring);
  const [first = [0, 0], last = [0, 0]] = [open[0], open.at(-1)];
  if (Math.abs((last[0] ?? 0) - (first[0] ?? 0)) < 180) return open;
  const pole = (first[1] ?? 0) < 0 ? -90 : 90;
  return [...open, [last[0] ?? 0, pole], [first[0] ?? 0, pole], first];
}

function unrolledLines(lines: MultiLineString): MultiLineString {
  return { type: "MultiLineString", coordinates: lines.coordinates.map(unrolled) };
}

const NOTHING: FeatureCollection = { type: "FeatureCollection", features: [] };

/** Style of the map without its land, which comes later. Text uses the fonts of the visitor. */
export function baseStyle(palette: Palette, attribution: string): StyleSpecification {
  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: NOTHING, attribution, tolerance: 0.2 },
      coast: { type: "geojson", data: NOTHING, tolerance: 0.2 },
      borders: { type: "geojson", data: NOTHING, tolerance: 0.2 },
      zones: { type: "geojson", data: zoneLines() },
      names: { type: "geojson", data: zoneNames() },
    },
    layers: [
      // Products lie on land: until the coast is known all is land, and nobody looks at a sea.
      { id: "sea", type: "background", paint: { "background-color": palette.land } },
      {
        id: "land",
        type: "fill",
        source: "land",
        paint: { "fill-color": palette.land, "fill-antialias": false },
      },
      {
        id: "borders",
        type: "line",
        source: "borders",
        paint: { "line-color": palette.border, "line-width": 0.9, "line-dasharray": [4, 2] },
      },
      {
        id: "coast",
        type: "line",
        source: "coast",
        paint: { "line-color": palette.coast, "line-width": 0.9 },
      },
      {
        id: "zones",
        type: "line",
        source: "zones",
        minzoom: 2,
        paint: { "line-color": palette.zone, "line-width": 0.6, "line-opacity": 0.6 },
      },
      {
        id: "names",
        type: "symbol",
        source: "names",
        minzoom: 2.5,
        maxzoom: 8,
        layout: {
          "text-field": ["get", "name"],
          "text-font": ["system-ui", "sans-serif"],
          "text-size": ["interpolate", ["linear"], ["zoom"], 2.5, 9, 6, 15],
        },
        paint: { "text-color": palette.name, "text-halo-color": palette.halo, "text-halo-width": 1 },
      },
    ],
  };
}
