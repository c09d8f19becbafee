import type { FeatureCollection, GeoJSON, Position } from "geojson";
import type { ExpressionSpecification, GeoJSONSource, Map as MapLibre } from "maplibre-gl";
import type { Product } from "../product";

/** Colours of what lies over the land, in one colour scheme. */
export interface OverlayPalette {
  readonly footprint: string;
  readonly hover: string;
  readonly selected: string;
  readonly box: string;
  readonly halo: string;
}

export const OVERLAYS: Readonly<Record<"light" | "dark", OverlayPalette>> = {
  light: { footprint: "#0b5cc0", hover: "#003c8f", selected: "#d9480f", box: "#5f3dc4", halo: "#ffffff" },
  dark: { footprint: "#6db3ff", hover: "#c5e1ff", selected: "#ff922b", box: "#b197fc", halo: "#111a23" },
};

const NOTHING: FeatureCollection = { type: "FeatureCollection", features: [] };

/** Lowest layer of the overlay: a picture added below it lies under the footprints. */
export const LOWEST_OVERLAY = "footprints-fill";

/** Footprints of the found products, the outline of the selected one and the search rectangle. */
export class Footprints {
  private hovered: string | null = null;

  constructor(private readonly map: MapLibre, palette: OverlayPalette) {
    map.addSource("footprints", { type: "geojson", data: NOTHING, promoteId: "id" });
    for (const name of ["tiles", "selected", "box"]) map.addSource(name, { type: "geojson", data: NOTHING });
    map.addLayer({ id: LOWEST_OVERLAY, type: "fill", source: "footprints" });
    map.addLayer({ id: "footprints-line", type: "line", source: "footprints" });
    map.addLayer({ id: "box-fill", type: "fill", source: "box", paint: { "fill-opacity": 0.06 } });
    map.addLayer({
      id: "box-line", type: "line", source: "box", paint: { "line-width": 2, "line-dasharray": [3, 2] },
    });
    map.addLayer({ id: "selected-line", type: "line", source: "selected", paint: { "line-width": 2.5 } });
    map.addLayer({
      id: "tile-names",
      type: "symbol",
      source: "tiles",
      minzoom: 5,
      layout: { "text-field": ["get", "tile"], "text-font": ["system-ui", "sans-serif"], "text-size": 13 },
      paint: { "text-halo-width": 1.6 },
    });
    this.recolour(palette);
    this.select(null);
  }

  recolour(palette: OverlayPalette): void {
    this.map.setPaintProperty(LOWEST_OVERLAY, "fill-color", palette.footprint);
    this.map.setPaintProperty("footprints-line", "line-color", whenHovered(palette.hover, palette.footprint));
    this.map.setPaintProperty("box-fill", "fill-color", palette.box);
    this.map.setPaintProperty("box-line", "line-color", palette.box);
    this.map.setPaintProperty("selected-line", "line-color", palette.selected);
    this.map.setPaintProperty("tile-names", "text-color", palette.hover);
    this.map.setPaintProperty("tile-names", "text-halo-color", palette.halo);
  }

  show(products: readonly Product[]): void {
    this.hover(null);
    this.set("footprints", {
      type: "FeatureCollection",
      features: products.map(({ id, item }) => ({ type: "Feature", properties: { id }, geometry: item.geometry })),
    });
    this.set("tiles", tileNames(products));
  }

  hover(id: string | null): void {
    if (id === this.hovered) return;
    if (this.hovered) this.map.setFeatureState({ source: "footprints", id: this.hovered }, { hover: false });
    if (id) this.map.setFeatureState({ source: "footprints", id }, { hover: true });
    this.hovered = id;
  }

  /** Outline the selected product; the others step back, so that nothing tints its picture. */
  select(product: Product | null): void {
    this.set("selected", product ? { type: "Feature", properties: {}, geometry: product.item.geometry } : NOTHING);
    // A fill of opacity 0 would not answer to the pointer.
    const fill = product ? whenHovered(0.12, 0.001) : whenHovered(0.22, 0.03);
    this.map.setPaintProperty(LOWEST_OVERLAY, "fill-opacity", fill);
    this.map.setPaintProperty("footprints-line", "line-width", whenHovered(2.5, product ? 0.8 : 1.2));
    this.map.setPaintProperty("footprints-line", "line-opacity", whenHovered(1, product ? 0.35 : 0.9));
    this.map.setLayoutProperty("tile-names", "visibility", product ? "none" : "visible");
  }

  /** Show where the search looks: closed rings, none to take them away. */
  showArea(rings: readonly Position[][]): void {
    const coordinates = rings.map((ring) => [ring]);
    this.set("box", coordinates.length > 0 ? { type: "Feature", properties: {}, geometry: { type: "MultiPolygon", coordinates } } : NOTHING);
  }

  /** Ids of the footprints at a point of the map, topmost first. */
  at(point: { x: number; y: number }): readonly string[] {
    const found = this.map.queryRenderedFeatures([point.x, point.y], { layers: [LOWEST_OVERLAY] });
    return [...new Set(found.map((one) => String(one.properties["id"])))];
  }

  private set(source: string, data: GeoJSON): void {
    this.map.getSource<GeoJSONSource>(source)?.setData(data);
  }
}

function whenHovered<T extends string | number>(hovered: T, otherwise: T): ExpressionSpecification {
  return ["case", ["boolean", ["feature-state", "hover"], false], hovered, otherwise];
}

/** Name of every tile that has a product, once, in the middle of one of its footprints. */
function tileNames(products: readonly Product[]): FeatureCollection {
  const tiles = new Map(products.map((product) => [product.tile, product.bbox]));
  return {
    type: "FeatureCollection",
    features: [...tiles].map(([tile, [west, south, east, north]]) => ({
      type: "Feature",
      properties: { tile },
      geometry: { type: "Point", coordinates: [(west + east) / 2, (south + north) / 2] },
    })),
  };
}
