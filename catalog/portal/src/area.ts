import type { GeoJSON, MultiPolygon, Polygon, Position } from "geojson";
import type { Bbox } from "./stac/types";

/** Most corners of a search area: enough for a district, and short enough for an address. */
const MAX_CORNERS = 200;

/** Outer rings of all polygons in a GeoJSON text; throws when it is no JSON. */
export function geojsonRings(text: string): Position[][] {
  return outerRings(JSON.parse(text) as GeoJSON);
}

/** Rings on the globe, simplified to what a search can take; null for none. */
export function searchRings(found: readonly Position[][]): readonly Position[][] | null {
  const rings = found.filter(isRing);
  return rings.length === 0 ? null : simplified(rings);
}

/** Rings as the geometry of a search. */
export function geometryOf(rings: readonly Position[][]): Polygon | MultiPolygon {
  const [first] = rings;
  return first && rings.length === 1
    ? { type: "Polygon", coordinates: [first] }
    : { type: "MultiPolygon", coordinates: rings.map((ring) => [ring]) };
}

/** Write rings as text for an address: `lon,lat,lon,lat;...` */
export function encodeRings(rings: readonly Position[][]): string {
  const short = (value: number): string => String(Number(value.toFixed(4)));
  return rings.map((ring) => ring.slice(0, -1).flatMap(([lon = 0, lat = 0]) => [short(lon), short(lat)]).join(",")).join(";");
}

/** Read rings back; null when they are malformed. */
export function decodeRings(text: string): readonly Position[][] | null {
  const rings = text.split(";").map((part) => {
    const values = part.split(",").map(Number);
    const open = Array.from({ length: values.length >> 1 }, (_, i): Position => [values[2 * i] ?? NaN, values[2 * i + 1] ?? NaN]);
    return closed(open);
  });
  return rings.every(isRing) ? rings : null;
}

/** A ring that ends where it begins. */
export function closed(corners: readonly Position[]): Position[] {
  return corners[0] ? [...corners, corners[0]] : [];
}

/** A box as a closed ring. */
export function boxRing([west, south, east, north]: Bbox): Position[] {
  return [[west, south], [east, south], [east, north], [west, north], [west, south]];
}

/** Smallest box around rings. */
export function ringsBbox(rings: readonly Position[][]): Bbox {
  const [lons, lats] = [0, 1].map((axis) => rings.flat().map((corner) => corner[axis] ?? 0)) as [number[], number[]];
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

function outerRings(value: GeoJSON): Position[][] {
  switch (value?.type) {
    case "FeatureCollection":
      return value.features.flatMap(outerRings);
    case "Feature":
      return value.geometry ? outerRings(value.geometry) : [];
    case "GeometryCollection":
      return value.geometries.flatMap(outerRings);
    case "Polygon":
      return value.coordinates.slice(0, 1);
    case "MultiPolygon":
      return value.coordinates.flatMap((polygon) => polygon.slice(0, 1));
    default:
      return [];
  }
}

function isRing(ring: readonly Position[]): boolean {
  const valid = ([lon = NaN, lat = NaN]: Position): boolean => Math.abs(lon) <= 180 && Math.abs(lat) <= 90;
  return ring.length >= 4 && ring.every(valid);
}

/** Leave out corners, ever more of them, until few enough are left. */
function simplified(rings: readonly Position[][]): Position[][] {
  let kept = rings.map((ring) => ring.map(([lon = 0, lat = 0]): Position => [lon, lat]));
  for (let tolerance = 1e-4; count(kept) > MAX_CORNERS && tolerance < 90; tolerance *= 2) {
    kept = kept.map((ring) => thinned(ring, tolerance)).filter((ring) => ring.length >= 4);
  }
  return kept;
}

function count(rings: readonly Position[][]): number {
  return rings.reduce((sum, ring) => sum + ring.length - 1, 0);
}

/** A ring without the corners that lie closer than `tolerance` degrees to the line that remains (Douglas-Peucker). */
function thinned(ring: readonly Position[], tolerance: number): Position[] {
  const keep = new Set([0, ring.length - 1]);
  const spans: [number, number][] = [[0, ring.length - 1]];
  for (let span = spans.pop(); span; span = spans.pop()) {
    const [from, to] = span;
    let [far, at] = [tolerance, -1];
    for (let i = from + 1; i < to; i++) {
      const away = distance(ring[i] as Position, ring[from] as Position, ring[to] as Position);
      if (away > far) [far, at] = [away, i];
    }
    if (at < 0) continue;
    keep.add(at);
    spans.push([from, at], [at, to]);
  }
  return ring.filter((_, index) => keep.has(index));
}

/** Distance of a point from the line between two others, degrees. */
function distance([x = 0, y = 0]: Position, [x1 = 0, y1 = 0]: Position, [x2 = 0, y2 = 0]: Position): number {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (length === 0) return Math.hypot(x - x1, y - y1);
  return Math.abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length;
}
