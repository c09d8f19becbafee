import "maplibre-gl/dist/maplibre-gl.css";
import {
  AttributionControl, Map as MapLibre, Marker, NavigationControl, ScaleControl, setWorkerUrl,
  type GeoJSONSource,
} from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import type { Position } from "geojson";
import { boxRing } from "../area";
import type { Product } from "../product";
import type { Bbox } from "../stac/types";
import type { MapView, Point } from "../state";
import { t } from "../strings";
import { onScheme, scheme } from "../theme";
import { baseStyle, FINE_ZOOM, loadBasemap, PALETTES, type Palette } from "./basemap";
import { clickShape, dragBox } from "./draw";
import { Footprints, LOWEST_OVERLAY, OVERLAYS } from "./footprints";
import { putRaster, type RenderSource } from "./raster";
import { Swipe } from "./swipe";

setWorkerUrl(workerUrl);

const RENDER = "render";
const OVERLAY = "overlay";

/** What the map tells the rest of the page. */
export interface MapEvents {
  hover(id: string | null): void;
  /** Footprints under a click, topmost first; none for open land. */
  click(ids: readonly string[], place: Point): void;
  moved(view: MapView): void;
  /** The divider of a comparison was moved to this percentage of the width. */
  swiped(at: number): void;
  /** A tile of the render did not arrive. */
  tileFailed(): void;
}

/** The map of the page: basemap, footprints, and one product drawn by a render. */
export class MapPanel {
  private readonly footprints: Footprints;
  private readonly marker: Marker;
  private swipe: Swipe | null = null;
  private coastKnown = false;

  private constructor(private readonly map: MapLibre, private readonly events: MapEvents) {
    this.footprints = new Footprints(map, OVERLAYS[scheme()]);
    this.marker = new Marker({ color: "#d9480f", scale: 0.8 });
    onScheme(() => this.recolour());
    this.listen();
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
    const map = new MapLibre({
      container,
      style: baseStyle(PALETTES[scheme()], t.map.attribution),
      center: view ? [view.lon, view.lat] : [10, 30],
      zoom: view?.zoom ?? 1.6,
      maxZoom: 17,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      locale: {
        "AttributionControl.ToggleAttribution": t.map.attributionToggle,
        "Map.Title": t.map.label,
        "Marker.Title": t.map.marker,
        "NavigationControl.ZoomIn": t.map.zoomIn,
        "NavigationControl.ZoomOut": t.map.zoomOut,
        "ScaleControl.Kilometers": t.map.kilometres,
        "ScaleControl.Meters": t.map.metres,
      },
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

  /** Show where a search looks: closed rings, none to take them away. */
  showArea(rings: readonly Position[][]): void {
    this.footprints.showArea(rings);
  }

  /** Mark the place of a time series, or none. */
  showPoint(point: Point | null): void {
    if (point) this.marker.setLngLat([point.lon, point.lat]).addTo(this.map);
    else this.marker.remove();
    this.map.getCanvas().classList.toggle("is-picking", point !== null);
  }

  /** Ask for a rectangle; null when the visitor cancels. */
  drawBox(): Promise<Bbox | null> {
    return dragBox(this.map, (growing) => this.showArea([boxRing(growing)]));
  }

  /** Ask for a polygon; null when the visitor cancels. */
  drawShape(): Promise<Position[] | null> {
    return clickShape(this.map, (growing) => this.showArea([growing]));
  }

  /** Draw the picture of a product, or nothing. */
  showRender(render: RenderSource | null, opacity: number): void {
    putRaster(this.map, RENDER, render, opacity, this.map.getLayer(OVERLAY) ? OVERLAY : LOWEST_OVERLAY);
  }

  /** Draw the mask over the picture, or nothing. */
  showOverlay(overlay: RenderSource | null): void {
    putRaster(this.map, OVERLAY, overlay, 100, LOWEST_OVERLAY);
  }

  /** Show another picture right of a divider at `at` percent, or end the comparison. */
  showCompare(compare: { source: RenderSource; left: string; right: string } | null, at: number, opacity: number): void {
    if (!compare) {
      this.swipe?.remove();
      this.swipe = null;
      return;
    }
    this.swipe ??= new Swipe(this.map, this.map.getContainer(), PALETTES[scheme()].land, (to) => this.events.swiped(to));
    this.swipe.show(compare.source, opacity, compare.left, compare.right);
    this.swipe.place(at);
  }

  setOpacity(opacity: number): void {
    if (this.map.getLayer(RENDER)) this.map.setPaintProperty(RENDER, "raster-opacity", opacity / 100);
  }

  private listen(): void {
    const { map, events } = this;
    map.on("mousemove", (event) => {
      const id = this.footprints.at(event.point)[0] ?? null;
      map.getCanvas().style.cursor = id ? "pointer" : "";
      events.hover(id);
    });
    map.on("mouseout", () => events.hover(null));
    map.on("click", (event) => {
      const { lng, lat } = event.lngLat.wrap();
      events.click(this.footprints.at(event.point), { lon: lng, lat });
    });
    map.on("moveend", () => events.moved(this.view()));
    map.on("error", (event) => {
      if ("sourceId" in event && (event.sourceId === RENDER || event.sourceId === OVERLAY)) events.tileFailed();
      else console.warn(event.error);
    });
  }

  private async detail(level: "coarse" | "fine"): Promise<void> {
    const basemap = await loadBasemap(level);
    for (const name of ["land", "coast", "borders"] as const) {
      this.map.getSource<GeoJSONSource>(name)?.setData(basemap[name]);
    }
    await this.map.once("idle");
    this.coastKnown = true;
    this.recolour();
  }

  private recolour(): void {
    const palette: Palette = PALETTES[scheme()];
    this.map.setPaintProperty("sea", "background-color", this.coastKnown ? palette.sea : palette.land);
    this.map.setPaintProperty("land", "fill-color", palette.land);
    this.map.setPaintProperty("zones", "line-color", palette.zone);
    this.map.setPaintProperty("borders", "line-color", palette.border);
    this.map.setPaintProperty("coast", "line-color", palette.coast);
    this.map.setPaintProperty("names", "text-color", palette.name);
    this.map.setPaintProperty("names", "text-halo-color", palette.halo);
    this.footprints.recolour(OVERLAYS[scheme()]);
  }
}
