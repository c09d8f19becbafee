import "maplibre-gl/dist/maplibre-gl.css";
import {
  AttributionControl, Map as MapLibre, NavigationControl, ScaleControl, setWorkerUrl,
  type GeoJSONSource,
} from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import type { Product } from "../product";
import type { Bbox } from "../stac/types";
import type { MapView } from "../state";
import { t } from "../strings";
import { baseStyle, FINE_ZOOM, loadBasemap, PALETTES, type Palette } from "./basemap";
import { dragBox } from "./draw";
import { Footprints, LOWEST_OVERLAY, OVERLAYS } from "./footprints";

setWorkerUrl(workerUrl);

const RENDER = "render";
/** Below this the tiler draws nothing. */
const RENDER_MIN_ZOOM = 6;
/** Closest zoom that shows more than the one before at 16 m pixels. */
const RENDER_MAX_ZOOM = 14;
const TILE_PIXELS = 256;
/** A product that would be narrower than this many pixels is shown by its footprint alone. */
const RENDER_MIN_PIXELS = 64;

/** What the map tells the rest of the page. */
export interface MapEvents {
  hover(id: string | null): void;
  /** Footprints under a click, topmost first; none for open land. */
  click(ids: readonly string[]): void;
  moved(view: MapView): void;
  /** A tile of the render did not arrive. */
  tileFailed(): void;
}

/** The map of the page: basemap, footprints, and one product drawn by a render. */
export class MapPanel {
  private readonly footprints: Footprints;
  private readonly scheme = matchMedia("(prefers-color-scheme: dark)");

  private constructor(private readonly map: MapLibre, events: MapEvents) {
    this.footprints = new Footprints(map, OVERLAYS[this.colours()]);
    this.scheme.addEventListener("change", () => this.recolour());
    this.listen(events);
    void this.detail("coarse");
    const refine = (): void => {
      if (map.getZoom() < FINE_ZOOM) return;
      map.off("moveend", refine);
      void this.detail("fine");
    };
    map.on("moveend", refine);
    refine();
  }

  /** Make the map inside an element; resolves when it can be drawn on. */
  static async open(container: HTMLElement, view: MapView | null, events: MapEvents): Promise<MapPanel> {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const map = new MapLibre({
      container,
      style: baseStyle(PALETTES[dark ? "dark" : "light"], t.map.attribution),
      center: view ? [view.lon, view.lat] : [10, 30],
      zoom: view?.zoom ?? 1.6,
      maxZoom: 17,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
    });
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    map.getCanvas().setAttribute("aria-label", t.map.label);
    map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    map.addControl(new ScaleControl({ maxWidth: 120 }), "bottom-left");
    map.addControl(new AttributionControl({ compact: false }), "bottom-right");
    await map.once("load");
    return new MapPanel(map, events);
  }

  bounds(): Bbox {
    const box = this.map.getBounds();
    const world = (lon: number): number => Math.max(-180, Math.min(180, lon));
    return [world(box.getWest()), Math.max(-90, box.getSouth()), world(box.getEast()), Math.min(90, box.getNorth())];
  }

  view(): MapView {
    const { lng, lat } = this.map.getCenter().wrap();
    return { lon: lng, lat, zoom: this.map.getZoom() };
  }

  /** Move so that a box fills the map; `maxZoom` keeps a small box from filling it blurred. */
  fit([west, south, east, north]: Bbox, maxZoom: number): void {
    this.map.resize(); // a panel may just have opened beside the map
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const wrapped = east < west ? east + 360 : east;
    this.map.fitBounds([[west, south], [wrapped, north]], { padding: 48, maxZoom, duration: still ? 0 : 700 });
  }

  showProducts(products: readonly Product[]): void {
    this.footprints.show(products);
  }

  hover(id: string | null): void {
    this.footprints.hover(id);
  }

  select(product: Product | null): void {
    this.footprints.select(product);
  }

  showBox(bbox: Bbox | null): void {
    this.footprints.showBox(bbox);
  }

  /** Ask for a rectangle; the one on the map before stays when the visitor cancels. */
  async drawBox(before: Bbox | null): Promise<Bbox | null> {
    const bbox = await dragBox(this.map, (growing) => this.showBox(growing));
    if (!bbox) this.showBox(before);
    return bbox;
  }

  /** Draw map tiles inside a box, or nothing. */
  showRender(render: { url: string; bbox: Bbox } | null, opacity: number): void {
    if (this.map.getLayer(RENDER)) this.map.removeLayer(RENDER);
    if (this.map.getSource(RENDER)) this.map.removeSource(RENDER);
    if (!render) return;
    const [west, , east] = render.bbox;
    const worlds = 360 / (east < west ? east + 360 - west : east - west);
    const minzoom = Math.ceil(Math.log2((worlds * RENDER_MIN_PIXELS) / TILE_PIXELS));
    this.map.addSource(RENDER, {
      type: "raster",
      tiles: [render.url],
      tileSize: TILE_PIXELS,
      minzoom: Math.min(Math.max(minzoom, RENDER_MIN_ZOOM), RENDER_MAX_ZOOM),
      maxzoom: RENDER_MAX_ZOOM,
      // MapLibre knows no box across the antimeridian; such a product asks for some empty tiles.
      ...(west < east ? { bounds: [...render.bbox] } : {}),
    });
    this.map.addLayer(
      { id: RENDER, type: "raster", source: RENDER, paint: { "raster-opacity": opacity / 100, "raster-fade-duration": 150 } },
      LOWEST_OVERLAY,
    );
  }

  setOpacity(opacity: number): void {
    if (this.map.getLayer(RENDER)) this.map.setPaintProperty(RENDER, "raster-opacity", opacity / 100);
  }

  private listen(events: MapEvents): void {
    const { map } = this;
    map.on("mousemove", (event) => {
      const id = this.footprints.at(event.point)[0] ?? null;
      map.getCanvas().style.cursor = id ? "pointer" : "";
      events.hover(id);
    });
    map.on("mouseout", () => events.hover(null));
    map.on("click", (event) => events.click(this.footprints.at(event.point)));
    map.on("moveend", () => events.moved(this.view()));
    map.on("error", (event) => {
      if ("sourceId" in event && event.sourceId === RENDER) events.tileFailed();
      else console.warn(event.error);
    });
  }

  private async detail(level: "coarse" | "fine"): Promise<void> {
    const basemap = await loadBasemap(level);
    for (const name of ["land", "coast", "borders"] as const) {
      this.map.getSource<GeoJSONSource>(name)?.setData(basemap[name]);
    }
  }

  private colours(): "light" | "dark" {
    return this.scheme.matches ? "dark" : "light";
  }

  private recolour(): void {
    const palette: Palette = PALETTES[this.colours()];
    this.map.setPaintProperty("sea", "background-color", palette.sea);
    this.map.setPaintProperty("land", "fill-color", palette.land);
    this.map.setPaintProperty("zones", "line-color", palette.zone);
    this.map.setPaintProperty("borders", "line-color", palette.border);
    this.map.setPaintProperty("coast", "line-color", palette.coast);
    this.map.setPaintProperty("names", "text-color", palette.name);
    this.map.setPaintProperty("names", "text-halo-color", palette.halo);
    this.footprints.recolour(OVERLAYS[this.colours()]);
  }
}
