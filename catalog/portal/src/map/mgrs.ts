import type { Feature, FeatureCollection, MultiLineString, Point, Position } from "geojson";

/** A grid zone of MGRS: name and west, south, east, north in degrees. */
interface Zone {
  readonly name: string;
  readonly box: readonly [number, number, number, number];
}

const BANDS = "CDEFGHJKLMNPQRSTUVWX";
const ZONES = 60;

/** East and west edges that differ from the 6 degree rule: Norway and Svalbard; null: no such zone. */
const EXCEPTIONS: Readonly<Record<string, readonly [number, number] | null>> = {
  "31V": [0, 3],
  "32V": [3, 12],
  "31X": [0, 9],
  "32X": null,
  "33X": [9, 21],
  "34X": null,
  "35X": [21, 33],
  "36X": null,
  "37X": [33, 42],
};

/** Outlines of the MGRS grid zones, the orientation that every tile name begins with. */
export function zoneLines(): MultiLineString {
  return { type: "MultiLineString", coordinates: zones().map(({ box }) => southWest(box)) };
}

/** Names of the MGRS grid zones ("31T") at their centres. */
export function zoneNames(): FeatureCollection<Point> {
  const features = zones().map(({ name, box: [west, south, east, north] }): Feature<Point> => ({
    type: "Feature",
    properties: { name },
    geometry: { type: "Point", coordinates: [(west + east) / 2, (south + north) / 2] },
  }));
  return { type: "FeatureCollection", features };
}

function zones(): Zone[] {
  const all: Zone[] = [];
  [...BANDS].forEach((band, row) => {
    const south = -80 + 8 * row;
    const north = band === "X" ? 84 : south + 8;
    for (let zone = 1; zone <= ZONES; zone++) {
      const name = `${String(zone).padStart(2, "0")}${band}`;
      const edges = EXCEPTIONS[name];
      if (edges === null) continue;
      const [west, east] = edges ?? [-186 + 6 * zone, -180 + 6 * zone];
      all.push({ name, box: [west, south, east, north] });
    }
  });
  return all;
}

/** West and south side of a zone; its neighbours draw the others. */
function southWest([west, south, east, north]: Zone["box"]): Position[] {
  return [[west, north], [west, south], [east, south]];
}
