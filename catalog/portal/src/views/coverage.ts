import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import type { Position } from "geojson";
import landUrl from "world-atlas/land-110m.json?url";
import { Histogram } from "../charts/histogram";
import { h, s } from "../dom";
import { formatCount } from "../format";
import { fetchJson } from "../http";
import { tileCentre } from "../map/tiles";
import { link } from "../route";
import type { Coverage } from "../stac/client";
import { t } from "../strings";
import { tileChips } from "./tile-chips";

/** Least part of the world that is drawn, degrees of longitude, so that one tile has a continent around it. */
const LEAST = 70;
/** Width of the picture in units of its own, and width by height. */
const WIDTH = 560;
const ASPECT = 2.4;

/** Part of the world in a plate carrée: its middle and width in degrees. */
interface Frame {
  readonly lon: number;
  readonly lat: number;
  readonly width: number;
}

type Land = Topology<{ land: GeometryCollection }>;

/** Where and when a data set has products: a map of its tiles, their names, and bars by month. */
export async function coverageView(collection: string, { tiles, months }: Coverage): Promise<HTMLElement> {
  const names = tiles.map(({ key }) => key.replace(/^MGRS-/, ""));
  const centres = names.map(tileCentre).filter((place) => place !== null);
  const picture = centres.length === 0 ? null : await worldMap(centres);
  return h(
    "div",
    { class: "coverage" },
    picture,
    tileChips(tiles, (tile) => link("search", "", new URLSearchParams({ collection, tile }))),
    h("div", {}, h("h3", {}, t.dataset.byMonth), timeline(collection, months)),
  );
}

async function worldMap(places: readonly Position[]): Promise<HTMLElement | null> {
  const land = await fetchJson<Land>(landUrl).catch(() => null);
  if (!land) return null;
  const frame = around(places);
  const scale = WIDTH / frame.width;
  const at = ([lon = 0, lat = 0]: Position): readonly [number, number] =>
    [(lon - frame.lon + frame.width / 2) * scale, (frame.lat + frame.width / ASPECT / 2 - lat) * scale];
  const outline = feature(land, land.objects.land).features
    .flatMap(({ geometry }) => (geometry.type === "MultiPolygon" ? geometry.coordinates : geometry.type === "Polygon" ? [geometry.coordinates] : []))
    .flat()
    .map((ring) => `M${ring.map((place) => at(place).map((value) => value.toFixed(1)).join(",")).join("L")}Z`)
    .join("");
  const side = Math.max(4, scale);
  const marks = places.map((place) => {
    const [x, y] = at(place);
    return s("rect", { x: (x - side / 2).toFixed(1), y: (y - side / 2).toFixed(1), width: side, height: side, class: "coverage-tile" });
  });
  const label = t.dataset.coverageMap(formatCount(places.length));
  const picture = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${WIDTH / ASPECT}`, role: "img", "aria-label": label },
    s("path", { d: outline, class: "coverage-land" }),
    ...marks,
  );
  return h("figure", { class: "coverage-map" }, picture, h("figcaption", {}, label));
}

/** The part of the world that shows all places with room around them. */
function around(places: readonly Position[]): Frame {
  const [lons, lats] = [0, 1].map((axis) => places.map((place) => place[axis] ?? 0)) as [number[], number[]];
  const [west, east, south, north] = [Math.min(...lons), Math.max(...lons), Math.min(...lats), Math.max(...lats)];
  const width = Math.min(360, Math.max(LEAST, (east - west) * 1.3, (north - south) * 1.3 * ASPECT));
  const room = 90 - width / ASPECT / 2;
  return { lon: (west + east) / 2, lat: Math.max(-room, Math.min(room, (south + north) / 2)), width };
}

function timeline(collection: string, months: Coverage["months"]): HTMLElement {
  const histogram = new Histogram(({ from, to }) => {
    location.hash = link("search", "", new URLSearchParams({ collection, from, to }));
  });
  histogram.show(months, { from: "", to: "" });
  return histogram.element;
}
