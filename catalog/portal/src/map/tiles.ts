import type { Position } from "geojson";

const BANDS = "CDEFGHJKLMNPQRSTUVWX";
/** Letters of the 100 km columns: eight in a zone, in three zones the whole alphabet. */
const COLUMNS = "ABCDEFGHJKLMNPQRSTUVWXYZ";
const ROWS = "ABCDEFGHJKLMNPQRSTUV";
/** Length of a degree of latitude in km, and scale of UTM at its central meridian. */
const DEGREE_KM = 110.9;
const SCALE = 0.9996;

/**
 * Longitude and latitude of the middle of an MGRS tile ("31TCL"), to a few km; null for no tile.
 *
 * Good for a dot on a map of the world: the sphere takes the place of the ellipsoid.
 */
export function tileCentre(tile: string): Position | null {
  const parts = /^(\d{1,2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])$/.exec(tile);
  if (!parts) return null;
  const [zone, band, column, row] = [Number(parts[1]), parts[2] ?? "", parts[3] ?? "", parts[4] ?? ""];
  const easting = ((COLUMNS.indexOf(column) % 8) + 1) * 100 + 55 - 500;
  const cycle = (ROWS.indexOf(row) - (zone % 2 === 0 ? 5 : 0) + 20) % 20;
  const south = -80 + 8 * BANDS.indexOf(band);
  // Rows begin again every 2000 km: the one nearest to the middle of the band is meant.
  const middle = (south + 4) * DEGREE_KM * SCALE;
  const offset = cycle * 100 + 45;
  const northing = offset + 2000 * Math.round((middle - offset) / 2000);
  const lat = northing / SCALE / DEGREE_KM;
  return [zone * 6 - 183 + easting / SCALE / (111.3 * Math.cos((lat * Math.PI) / 180)), lat];
}
