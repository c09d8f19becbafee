import { Map as MapLibre } from "maplibre-gl";
import { h, on } from "../dom";
import { t } from "../strings";
import type { RenderSource } from "./raster";
import { putRaster } from "./raster";

/** A second map over the right part of the first one, which it follows, with a divider to drag. */
export class Swipe {
  private readonly element = h("div", { class: "swipe-map", "aria-hidden": "true" });
  private readonly slider = h("input", {
    type: "range", class: "swipe", min: 0, max: 100, step: 1, "aria-label": t.product.compareSwipe,
  });
  private readonly labels = h("div", { class: "swipe-labels", "aria-hidden": "true" });
  private readonly second: MapLibre;
  private readonly ready: Promise<unknown>;
  private readonly follow = (): void => {
    this.second.jumpTo({ center: this.first.getCenter(), zoom: this.first.getZoom() });
  };

  /** `ground` is the colour under the picture; `moved` is told where the divider comes to rest. */
  constructor(private readonly first: MapLibre, private readonly host: HTMLElement, ground: string, moved: (at: number) => void) {
    host.append(this.element, this.slider, this.labels);
    this.second = new MapLibre({
      container: this.element,
      style: { version: 8, sources: {}, layers: [{ id: "ground", type: "background", paint: { "background-color": ground } }] },
      center: first.getCenter(),
      zoom: first.getZoom(),
      maxZoom: first.getMaxZoom(),
      interactive: false,
      attributionControl: false,
    });
    this.ready = this.second.once("load");
    first.on("move", this.follow);
    on(this.slider, "input", () => this.place(Number(this.slider.value)));
    on(this.slider, "change", () => moved(Number(this.slider.value)));
  }

  /** Show a picture on the right, of the date named there; `left` names what the first map shows. */
  show(source: RenderSource, opacity: number, left: string, right: string): void {
    void this.ready.then(() => putRaster(this.second, "render", source, opacity));
    this.labels.replaceChildren(h("span", {}, left), h("span", {}, right));
  }

  /** Put the divider at a percentage of the width. */
  place(at: number): void {
    this.slider.value = String(at);
    this.host.style.setProperty("--swipe", String(at / 100));
  }

  remove(): void {
    this.first.off("move", this.follow);
    this.second.remove();
    for (const element of [this.element, this.slider, this.labels]) element.remove();
  }
}

