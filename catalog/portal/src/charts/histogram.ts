import { fill, h, on, s } from "../dom";
import { formatCount, formatMonth } from "../format";
import type { Bucket } from "../stac/types";
import { t } from "../strings";

const WIDTH = 340;
const HEIGHT = 44;

/** A period in whole days, `YYYY-MM-DD`. */
export interface Period {
  readonly from: string;
  readonly to: string;
}

/** Bars of products by month over which a period is dragged; the date fields do the same by keyboard. */
export class Histogram {
  readonly element = h("div", { class: "histogram", hidden: true });
  private buckets: readonly Bucket[] = [];
  private months: readonly Date[] = [];
  private start: number | null = null;
  private period: Period = { from: "", to: "" };
  private readonly said = h("p", { class: "histogram-said", "aria-hidden": "true" });
  private readonly svg = s("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": t.filters.histogram,
  });

  constructor(private readonly chosen: (period: Period) => void) {
    this.element.append(this.svg, this.said);
    on(this.svg, "pointerdown", (event) => {
      this.start = this.monthAt(event);
      this.svg.setPointerCapture(event.pointerId);
      this.mark(this.start, this.start);
    });
    on(this.svg, "pointermove", (event) => {
      const month = this.monthAt(event);
      this.say(month);
      if (this.start !== null) this.mark(this.start, month);
    });
    on(this.svg, "pointerleave", () => this.sayRange());
    on(this.svg, "pointerup", (event) => {
      if (this.start === null) return;
      const [first, last] = [this.start, this.monthAt(event)].sort((a, b) => a - b);
      this.start = null;
      this.choose(first ?? 0, last ?? 0);
    });
  }

  /** Show what was found by month; nothing is shown where nothing is known. */
  show(buckets: readonly Bucket[] | null, period: Period): void {
    this.period = period;
    this.buckets = buckets ?? [];
    this.element.hidden = this.buckets.length === 0;
    if (this.element.hidden) return;
    const times = this.buckets.map(({ key }) => new Date(key).getTime());
    this.months = monthsBetween(new Date(Math.min(...times)), new Date(Math.max(...times)));
    this.draw();
    this.sayRange();
  }

  private draw(): void {
    const counts = this.months.map((month) => this.count(month));
    const most = Math.max(...counts);
    const step = WIDTH / this.months.length;
    const bars = counts.map((count, index) => {
      const height = count === 0 ? 0 : Math.max(2, (count / most) * (HEIGHT - 2));
      return s("rect", {
        x: index * step, y: HEIGHT - height, width: Math.max(step - Math.min(1, step / 4), 0.5), height,
        class: this.within(index) ? "bar-in" : "bar-out",
      });
    });
    fill(this.svg, s("rect", { width: WIDTH, height: HEIGHT, class: "histogram-ground" }), ...bars);
  }

  private within(index: number): boolean {
    const month = this.months[index]?.toISOString().slice(0, 7) ?? "";
    const { from, to } = this.period;
    return (!from || month >= from.slice(0, 7)) && (!to || month <= to.slice(0, 7));
  }

  private count(month: Date): number {
    const name = month.toISOString().slice(0, 7);
    return this.buckets.filter(({ key }) => key.startsWith(name)).reduce((sum, { frequency }) => sum + frequency, 0);
  }

  private monthAt(event: PointerEvent): number {
    const frame = this.svg.getBoundingClientRect();
    const at = Math.floor(((event.clientX - frame.left) / frame.width) * this.months.length);
    return Math.max(0, Math.min(at, this.months.length - 1));
  }

  private mark(a: number, b: number): void {
    const [first, last] = [Math.min(a, b), Math.max(a, b)];
    this.svg.querySelectorAll("rect:not(.histogram-ground)").forEach((bar, index) =>
      bar.setAttribute("class", index >= first && index <= last ? "bar-in" : "bar-out"));
  }

  private choose(first: number, last: number): void {
    const [from, to] = [this.months[first], this.months[last]];
    if (!from || !to) return;
    const end = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0));
    this.chosen({ from: from.toISOString().slice(0, 10), to: end.toISOString().slice(0, 10) });
  }

  private say(index: number): void {
    const month = this.months[index];
    if (month) this.said.textContent = t.filters.histogramOf(formatMonth(month), formatCount(this.count(month)));
  }

  private sayRange(): void {
    const [first, last] = [this.months[0], this.months.at(-1)];
    if (first && last) this.said.textContent = first === last ? formatMonth(first) : `${formatMonth(first)} – ${formatMonth(last)}`;
  }
}

function monthsBetween(first: Date, last: Date): readonly Date[] {
  const count = (last.getUTCFullYear() - first.getUTCFullYear()) * 12 + last.getUTCMonth() - first.getUTCMonth() + 1;
  return Array.from({ length: count }, (_, i) => new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + i, 1)));
}
