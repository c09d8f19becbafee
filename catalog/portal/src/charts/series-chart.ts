import { h, s } from "../dom";
import { formatDate, formatNumber } from "../format";
import type { Index } from "../state";
import { t } from "../strings";
import { SERIES_BANDS, type Sample } from "../tools/series";

const WIDTH = 372;
const HEIGHT = 210;
const LEFT = 34;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 24;

/** A line of the chart: its name, the class of its colour and its values. */
interface Line {
  readonly name: string;
  readonly style: string;
  readonly value: (sample: Sample) => number;
}

const LINES: Readonly<Record<Index, readonly Line[]>> = {
  ndvi: [{ name: t.series.ndvi, style: "line-ndvi", value: (sample) => sample.ndvi }],
  sr: SERIES_BANDS.map((band) => ({
    name: t.bands[band] ?? band,
    style: `line-${band}`,
    value: (sample) => sample.bands[band],
  })),
};

/** Chart of samples through time: clear ones joined by lines, the others as rings; a line at the product that is open. */
export function seriesChart(samples: readonly Sample[], index: Index, place: string, open: string): HTMLElement {
  const lines = LINES[index];
  const times = samples.map(({ time }) => time.getTime());
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const [low, high] = valueRange(samples, lines, index);
  const x = (time: number): number =>
    last === first ? (LEFT + WIDTH - RIGHT) / 2 : LEFT + ((time - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const picture = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t.series.chart(lines[0] && lines.length === 1 ? lines[0].name : t.series.sr, place) },
    ...valueAxis(low, high, y),
    ...timeAxis(first, last, x),
    ...lines.flatMap((line) => drawn(line, samples, x, y)),
    ...nowLine(samples, open, x),
  );
  return h("figure", { class: "series-chart" }, picture, legend(lines));
}

function valueRange(samples: readonly Sample[], lines: readonly Line[], index: Index): readonly [number, number] {
  const values = samples.flatMap((sample) => lines.map((line) => line.value(sample))).filter(Number.isFinite);
  const step = 0.1;
  const low = Math.min(index === "ndvi" ? 0 : Infinity, ...values);
  const high = Math.max(index === "ndvi" ? 1 : step, ...values);
  return [index === "sr" ? 0 : Math.floor(low / step) * step, Math.ceil(high / step - 1e-9) * step];
}

function valueAxis(low: number, high: number, y: (value: number) => number): SVGElement[] {
  const step = high - low > 0.8 ? 0.2 : high - low > 0.35 ? 0.1 : 0.05;
  const ticks = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => low + i * step);
  return ticks.map((value) =>
    s(
      "g",
      { class: "axis" },
      s("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      s("text", { x: LEFT - 5, y: y(value) + 3.5, "text-anchor": "end" }, formatNumber(value, step < 0.1 ? 2 : 1)),
    ));
}

/** Up to four dates under the chart. */
function timeAxis(first: number, last: number, x: (time: number) => number): SVGElement[] {
  const count = last === first ? 1 : 3;
  return Array.from({ length: count }, (_, i) => first + ((last - first) * i) / Math.max(count - 1, 1)).map((time, i) => {
    const anchor = count === 1 ? "middle" : (["start", "middle", "end"][i] ?? "middle");
    return s("g", { class: "axis" }, s("text", { x: x(time), y: HEIGHT - 7, "text-anchor": anchor }, formatDate(new Date(time))));
  });
}

function drawn(line: Line, samples: readonly Sample[], x: (time: number) => number, y: (value: number) => number): SVGElement[] {
  const place = (sample: Sample): readonly [number, number] => [x(sample.time.getTime()), y(line.value(sample))];
  const points = samples.filter(({ clear }) => clear).map((sample) => place(sample).map((value) => value.toFixed(1)).join(","));
  const marks = samples.filter((sample) => Number.isFinite(line.value(sample))).map((sample) => {
    const [cx, cy] = place(sample);
    const words = `${formatDate(sample.time)} · ${line.name} ${formatNumber(line.value(sample), 3)} · ${sample.className}`;
    return s("circle", { cx, cy, r: 3.2, class: sample.clear ? line.style : "mark-masked", "data-id": sample.id }, s("title", {}, words));
  });
  return [s("polyline", { points: points.join(" "), class: line.style }), ...marks];
}

/** Upright line at the date of the product that is open. */
function nowLine(samples: readonly Sample[], open: string, x: (time: number) => number): SVGElement[] {
  const sample = samples.find(({ id }) => id === open);
  if (!sample) return [];
  const at = x(sample.time.getTime());
  return [s("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM, class: "chart-now" })];
}

function legend(lines: readonly Line[]): HTMLElement {
  const entries = lines.map((line) => h("li", {}, h("span", { class: `key ${line.style}` }), line.name));
  return h("ul", { class: "chart-legend" }, ...entries, h("li", {}, h("span", { class: "key mark-masked" }), t.series.masked));
}
