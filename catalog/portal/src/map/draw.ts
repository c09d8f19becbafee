import type { Position } from "geojson";
import type { Map as MapLibre } from "maplibre-gl";
import { closed } from "../area";
import type { Bbox } from "../stac/types";

/**
 * Let the visitor drag a rectangle with mouse, pen or finger.
 *
 * `preview` is told the rectangle while it grows. Esc, and a press without a drag, answer null.
 */
export function dragBox(map: MapLibre, preview: (bbox: Bbox) => void): Promise<Bbox | null> {
  const { canvas, capture, end } = drawing(map);
  return new Promise((resolve) => {
    let start: Position | null = null;
    let box: Bbox | null = null;
    const answer = (value: Bbox | null): void => {
      end();
      resolve(value);
    };
    canvas.addEventListener("pointerdown", (event) => {
      start = position(map, event);
      canvas.setPointerCapture(event.pointerId);
      event.preventDefault();
    }, capture);
    canvas.addEventListener("pointermove", (event) => {
      if (!start) return;
      box = spanned(start, position(map, event));
      preview(box);
    }, capture);
    canvas.addEventListener("pointerup", () => answer(box), capture);
    onKey("Escape", capture, () => answer(null));
  });
}

/**
 * Let the visitor click the corners of a polygon; a double click or Enter ends it.
 *
 * `preview` is told the ring while it grows. Answers a closed ring, or null for Esc and for fewer
 * than three corners.
 */
export function clickShape(map: MapLibre, preview: (ring: Position[]) => void): Promise<Position[] | null> {
  const { canvas, capture, end } = drawing(map);
  return new Promise((resolve) => {
    const corners: Position[] = [];
    const answer = (ring: Position[] | null): void => {
      end();
      resolve(ring && ring.length >= 4 ? ring : null);
    };
    canvas.addEventListener("pointerup", (event) => {
      const corner = position(map, event);
      // The second press of a double click lies on the corner that the first one made.
      if (!isNear(map, corners.at(-1), corner)) corners.push(corner);
      preview(closed(corners));
    }, capture);
    canvas.addEventListener("pointermove", (event) => {
      if (corners.length > 0) preview(closed([...corners, position(map, event)]));
    }, capture);
    for (const type of ["click", "dblclick"] as const) {
      canvas.addEventListener(type, (event) => event.stopPropagation(), capture);
    }
    canvas.addEventListener("dblclick", () => answer(closed(corners)), capture);
    onKey("Enter", capture, () => answer(closed(corners)));
    onKey("Escape", capture, () => answer(null));
  });
}

const NEAR_PIXELS = 5;

type Capture = { readonly signal: AbortSignal; readonly capture: true };

/** Keep the map still and show a cross until `end` is called. */
function drawing(map: MapLibre): { canvas: HTMLElement; capture: Capture; end: () => void } {
  const canvas = map.getCanvasContainer();
  const finished = new AbortController();
  const capture: Capture = { signal: finished.signal, capture: true };
  canvas.classList.add("is-drawing");
  map.stop(); // a flight that goes on would carry the corners away
  // The map must not pan while something is drawn; stopping the press early keeps it still.
  for (const type of ["mousedown", "touchstart"] as const) {
    canvas.addEventListener(type, (event) => event.stopPropagation(), capture);
  }
  const end = (): void => {
    finished.abort();
    canvas.classList.remove("is-drawing");
  };
  return { canvas, capture, end };
}

function onKey(key: string, capture: Capture, act: () => void): void {
  window.addEventListener("keydown", (event) => {
    if (event.key !== key) return;
    event.stopPropagation();
    event.preventDefault();
    act();
  }, capture);
}

function position(map: MapLibre, event: PointerEvent): Position {
  const frame = map.getCanvas().getBoundingClientRect();
  const { lng, lat } = map.unproject([event.clientX - frame.left, event.clientY - frame.top]).wrap();
  return [lng, lat];
}

function isNear(map: MapLibre, a: Position | undefined, b: Position): boolean {
  if (!a) return false;
  const [from, to] = [map.project([a[0] ?? 0, a[1] ?? 0]), map.project([b[0] ?? 0, b[1] ?? 0])];
  return Math.hypot(from.x - to.x, from.y - to.y) < NEAR_PIXELS;
}

function spanned([x1 = 0, y1 = 0]: Position, [x2 = 0, y2 = 0]: Position): Bbox {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
}
