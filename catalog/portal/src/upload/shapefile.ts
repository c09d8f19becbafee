import type { Position } from "geojson";

const FILE_CODE = 9994;
const HEADER = 100;
/** Polygon, PolygonZ and PolygonM: their rings are stored alike. */
const POLYGONS: readonly number[] = [5, 15, 25];

/** Outer rings of the polygons of a shapefile (ESRI Shapefile Technical Description, July 1998). */
export function shapefileRings(bytes: Uint8Array): Position[][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getInt32(0) !== FILE_CODE) throw new Error("no shapefile");
  const rings: Position[][] = [];
  for (let at = HEADER; at + 12 <= view.byteLength; at += 8 + 2 * view.getInt32(at + 4)) {
    if (POLYGONS.includes(view.getInt32(at + 8, true))) rings.push(...ringsOf(view, at + 8));
  }
  return rings.filter(isOuter);
}

/** Rings of the record content that begins at an offset. */
function ringsOf(view: DataView, at: number): Position[][] {
  const parts = view.getInt32(at + 36, true);
  const points = view.getInt32(at + 40, true);
  const first = Array.from({ length: parts }, (_, i) => view.getInt32(at + 44 + 4 * i, true));
  const data = at + 44 + 4 * parts;
  return first.map((from, i) =>
    Array.from({ length: (first[i + 1] ?? points) - from }, (_, j): Position => {
      const place = data + 16 * (from + j);
      return [view.getFloat64(place, true), view.getFloat64(place + 8, true)];
    }));
}

/** Outer rings run clockwise, holes against the clock. */
function isOuter(ring: readonly Position[]): boolean {
  const twice = ring.slice(1).reduce((sum, [x = 0, y = 0], i) => {
    const [before = 0, below = 0] = ring[i] ?? [];
    return sum + (x - before) * (y + below);
  }, 0);
  return twice > 0;
}

/** Name of the projected coordinate system of a `.prj` file; null for longitude and latitude. */
export function projectedSystem(prj: string): string | null {
  return /^\s*PROJ(?:CS|CRS)\["([^"]+)"/.exec(prj)?.[1] ?? null;
}
