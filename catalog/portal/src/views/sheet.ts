import { h, icon, on } from "../dom";
import { t } from "../strings";

const HEIGHTS = ["peek", "half", "full"] as const;
type Height = (typeof HEIGHTS)[number];

/** Handle that makes the panel a bottom sheet on narrow screens: press, drag or arrow keys. */
export class Sheet {
  readonly handle = h("button", { type: "button", class: "sheet-handle" }, icon("chevron"));
  private height: Height = "half";

  /** `body` is the element whose `data-sheet` attribute the style sheet follows. */
  constructor(private readonly body: HTMLElement) {
    on(this.handle, "click", () => this.set(this.height === "full" ? "half" : this.height === "half" ? "full" : "half"));
    on(this.handle, "keydown", (event) => {
      if (event.key === "ArrowUp") this.move(1);
      else if (event.key === "ArrowDown") this.move(-1);
    });
    this.followDrag();
    this.set("half");
  }

  set(height: Height): void {
    this.height = height;
    this.body.dataset["sheet"] = height;
    this.handle.setAttribute("aria-label", height === "full" ? t.sheet.shrink : t.sheet.grow);
    this.handle.setAttribute("aria-expanded", String(height !== "peek"));
  }

  private move(steps: number): void {
    const next = HEIGHTS[HEIGHTS.indexOf(this.height) + steps];
    if (next) this.set(next);
  }

  /** A drag of more than a finger's breadth moves the sheet by one step. */
  private followDrag(): void {
    let start = 0;
    on(this.handle, "pointerdown", (event) => {
      start = event.clientY;
      this.handle.setPointerCapture(event.pointerId);
    });
    on(this.handle, "pointerup", (event) => {
      const moved = start - event.clientY;
      if (Math.abs(moved) < 24) return;
      this.move(Math.sign(moved));
      // The drag ends in a click on the handle, which must not move the sheet again.
      this.handle.addEventListener("click", (click) => click.stopImmediatePropagation(), { capture: true, once: true });
    });
  }
}
