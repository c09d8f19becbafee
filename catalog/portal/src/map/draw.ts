import type { Map as MapLibre } from "maplibre-gl";
import type { Bbox } from "../stac/types";

/**
 * Let the visitor drag a rectangle with mouse, pen or finger.
 *
 * `preview` is told the rectangle while it grows. Esc, and a press without a drag, answer null.
 */
export function dragBox(map: MapLibre, preview: (bbox: Bbox) => void): Promise<Bbox | null> {
  const canvas = map.getCanvasContainer();
  const finished = new AbortController();
  const { signal } = finished;
  canvas.classList.add("is-drawing");
  const capture = { signal, capture: true } as const;
  return new Promise((resolve) => {
    let start: readonly [number, number] | null = null;
    let box: Bbox | null = null;
    const end = (answer: Bbox | null): void => {
      finished.abort();
      canvas.classList.remove("is-drawing");
      resolve(answer);
    };
    // The map must not pan while the rectangle grows; stopping the press early keeps it still.
    for (const type of ["mousedown", "touchstart"] as const) {
      canvas.addEventListener(type, (event) => event.stopPropagation(), capture);
    }
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
    canvas.addEventListener("pointerup", () => end(box), capture);
    window.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      end(null);
    }, capture);
  });
}

function position(map: MapLibre, event: PointerEvent): readonly [number, number] {
  const frame = map.getCanvas().getBoundingClientRect();
  const { lng, lat } = map.unproject([event.clientX - frame.left, event.clientY - frame.top]).wrap();
  return [lng, lat];
}

function spanned(a: readonly [number, number], b: readonly [number, number]): Bbox {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
}
