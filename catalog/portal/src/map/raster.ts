import type { Map as MapLibre } from "maplibre-gl";
import type { Bbox } from "../stac/types";

/** Below this the tiler draws nothing. */
const MIN_ZOOM = 6;
/** Closest zoom that shows more than the one before at 16 m pixels. */
const MAX_ZOOM = 14;
const TILE_PIXELS = 256;
/** A product that would be narrower than this many pixels is shown by its footprint alone. */
const MIN_PIXELS = 64;

/** Map tiles of one product. */
export interface RenderSource {
  readonly url: string;
  readonly bbox: Bbox;
  /** Whether the colours are codes, which must not be blended. */
  readonly coded: boolean;
}

/** Draw map tiles inside a box as a layer, or take the layer away; `before` names the layer above. */
export function putRaster(map: MapLibre, id: string, source: RenderSource | null, opacity: number, before?: string): void {
  if (map.getLayer(id)) map.removeLayer(id);
  if (map.getSource(id)) map.removeSource(id);
  if (!source) return;
  const [west, , east] = source.bbox;
  const worlds = 360 / (east < west ? east + 360 - west : east - west);
  const minzoom = Math.ceil(Math.log2((worlds * MIN_PIXELS) / TILE_PIXELS));
  map.addSource(id, {
    type: "raster",
    tiles: [source.url],
    tileSize: TILE_PIXELS,
    minzoom: Math.min(Math.max(minzoom, MIN_ZOOM), MAX_ZOOM),
    maxzoom: MAX_ZOOM,
    // MapLibre knows no box across the antimeridian; such a product asks for some empty tiles.
    ...(west < east ? { bounds: [...source.bbox] } : {}),
  });
  map.addLayer(
    {
      id,
      type: "raster",
      source: id,
      paint: {
        "raster-opacity": opacity / 100,
        "raster-fade-duration": source.coded ? 0 : 150,
        "raster-resampling": source.coded ? "nearest" : "linear",
      },
    },
    before,
  );
}
