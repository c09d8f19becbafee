import { h, icon, on } from "../dom";
import { toBbox } from "../permalink";
import type { Bbox } from "../stac/types";
import type { Area } from "../state";
import { t } from "../strings";
import { ACCEPTED, readArea, UploadError } from "../upload/read";
import type { Position } from "geojson";

/** What the choice of an area asks of the map. */
export interface AreaSource {
  /** What the map shows now, or null before it shows anything. */
  bounds(): Bbox | null;
  /** Let the visitor drag a rectangle; null when cancelled. */
  drawBox(): Promise<Bbox | null>;
  /** Let the visitor click the corners of a polygon; null when cancelled. */
  drawShape(): Promise<Position[] | null>;
}

const KINDS = ["anywhere", "view", "box", "shape"] as const;

/** Choice of the area: anywhere, what the map shows, a rectangle, or a polygon drawn or uploaded. */
export class AreaField {
  readonly element: HTMLElement;
  private readonly radios: Readonly<Record<Area["kind"], HTMLInputElement>>;
  private readonly sides = [t.filters.west, t.filters.south, t.filters.east, t.filters.north].map((side) =>
    h("input", { type: "number", step: "any", "aria-label": side, placeholder: side, title: side }),
  );
  private readonly error = h("p", { class: "field-error", role: "alert" });
  private readonly box: HTMLElement;
  private readonly shape: HTMLElement;
  private readonly corners = h("p", { class: "shape-said", role: "status" });

  constructor(private readonly map: AreaSource, private readonly changed: (area: Area) => void) {
    const radio = (kind: Area["kind"]): HTMLInputElement =>
      on(h("input", { type: "radio", name: "area", value: kind }), "change", () => this.choose(kind));
    this.radios = { anywhere: radio("anywhere"), view: radio("view"), box: radio("box"), shape: radio("shape") };
    this.box = this.boxEditor();
    this.shape = this.shapeEditor();
    const names = { anywhere: t.filters.anywhere, view: t.filters.mapView, box: t.filters.box, shape: t.filters.shape };
    const segments = KINDS.map((kind) => h("label", {}, this.radios[kind], h("span", {}, names[kind])));
    this.element = h(
      "fieldset",
      { class: "field" },
      h("legend", {}, t.filters.area),
      h("div", { class: "segments" }, ...segments),
      this.box,
      this.shape,
      this.error,
    );
  }

  show(area: Area): void {
    this.radios[area.kind].checked = true;
    this.box.hidden = area.kind !== "box";
    this.shape.hidden = area.kind !== "shape";
    this.error.textContent = "";
    if (area.kind === "box") {
      this.sides.forEach((input, index) => (input.value = String(Number(area.bbox[index]?.toFixed(4)))));
    } else if (area.kind === "shape") {
      this.corners.textContent = t.filters.shapeOf(area.rings.reduce((sum, ring) => sum + ring.length - 1, 0));
    }
  }

  private boxEditor(): HTMLElement {
    const draw = h("button", { type: "button", class: "button small" }, icon("frame"), t.filters.draw);
    const view = h("button", { type: "button", class: "button small" }, t.filters.useView);
    on(draw, "click", () => void this.map.drawBox().then((bbox) => this.take(bbox)));
    on(view, "click", () => this.take(this.map.bounds()));
    for (const input of this.sides) on(input, "change", () => this.readSides());
    return h(
      "div",
      { class: "box-editor", hidden: true },
      h("div", { class: "box-sides" }, ...this.sides),
      h("div", { class: "box-buttons" }, draw, view),
    );
  }

  private shapeEditor(): HTMLElement {
    const draw = h("button", { type: "button", class: "button small" }, icon("polygon"), t.filters.draw);
    const file = h("input", { type: "file", accept: ACCEPTED, hidden: true, "aria-label": t.filters.upload });
    const upload = h("button", { type: "button", class: "button small" }, icon("upload"), t.filters.upload);
    on(draw, "click", () => void this.drawShape());
    on(upload, "click", () => file.click());
    on(file, "change", () => void this.readFile(file));
    return h("div", { class: "box-editor", hidden: true }, this.corners, h("div", { class: "box-buttons" }, draw, upload, file), h("p", { class: "note" }, t.filters.uploadHint));
  }

  /** The rectangle begins as what the map shows; a polygon, or a rectangle before there is a map, is yet to be made. */
  private choose(kind: Area["kind"]): void {
    const bounds = kind === "box" ? this.map.bounds() : null;
    if (bounds) this.take(bounds);
    else if (kind === "anywhere" || kind === "view") this.changed({ kind });
    else {
      this.box.hidden = kind !== "box";
      this.shape.hidden = kind !== "shape";
      this.corners.textContent = t.filters.shapeNone;
    }
  }

  private async drawShape(): Promise<void> {
    const ring = await this.map.drawShape();
    if (ring) this.changed({ kind: "shape", rings: [ring] });
  }

  private async readFile(file: HTMLInputElement): Promise<void> {
    const chosen = file.files?.[0];
    file.value = "";
    if (!chosen) return;
    try {
      this.changed({ kind: "shape", rings: await readArea(chosen) });
    } catch (error) {
      if (!(error instanceof UploadError)) throw error;
      this.error.textContent = error.message;
    }
  }

  private take(bbox: Bbox | null): void {
    if (bbox) this.changed({ kind: "box", bbox });
  }

  private readSides(): void {
    const values = this.sides.map((input) => input.valueAsNumber);
    const bbox = toBbox(values);
    this.error.textContent = bbox || values.some(Number.isNaN) ? "" : t.filters.boxInvalid;
    this.take(bbox);
  }
}
