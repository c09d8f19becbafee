import { h } from "./dom";
import { formatNumber } from "./format";
import { className, maskClasses, type Product } from "./product";
import type { Render } from "./renders";
import { t } from "./strings";

/** Five stops of the colour maps that renders of this catalogue may name. */
const RAMPS: Readonly<Record<string, readonly string[]>> = {
  rdylgn: ["#a50026", "#f98e52", "#feffbe", "#84ca66", "#006837"],
  ylgn: ["#ffffe5", "#d9f0a3", "#78c679", "#238443", "#004529"],
  ylorrd: ["#ffffcc", "#fed976", "#fd8d3c", "#e31a1c", "#800026"],
  ylorbr: ["#ffffe5", "#fee391", "#fe9929", "#cc4c02", "#662506"],
  viridis: ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"],
  magma: ["#000004", "#51127c", "#b73779", "#fc8961", "#fcfdbf"],
  inferno: ["#000004", "#57106e", "#bc3754", "#f98e09", "#fcffa4"],
  plasma: ["#0d0887", "#7e03a8", "#cc4778", "#f89540", "#f0f921"],
  cividis: ["#00224e", "#434e6c", "#7d7c78", "#bbad6c", "#fee838"],
  greys: ["#ffffff", "#d9d9d9", "#969696", "#525252", "#000000"],
};

const COMPOSITES: Readonly<Record<string, readonly string[]>> = {
  "true-colour": ["red", "green", "blue"],
  "false-colour": ["nir", "red", "green"],
};

/** Legend that tells what the colours of a render mean. */
export function legend(product: Product, render: Render): HTMLElement {
  if (render.name === "mask") return classLegend(product);
  const range = shownRange(product, render);
  const ramp = RAMPS[render.entry.colormap_name?.toLowerCase().replace(/_r$/, "") ?? ""];
  if (range && ramp) {
    const reversed = render.entry.colormap_name?.endsWith("_r") ?? false;
    return rampLegend(range, reversed ? ramp.toReversed() : ramp, render.help);
  }
  return bandLegend(render);
}

/**
 * Values at the two ends of the colours, in the unit of the asset, or null when there is no range.
 *
 * A render stretches what is stored; an expression is already a value of its own.
 */
function shownRange(product: Product, render: Render): readonly number[] | null {
  const range = render.entry.rescale?.[0];
  const [asset = "", options = ""] = render.entry.assets?.[0]?.split("|") ?? [];
  if (!range || render.entry.expression || options.startsWith("expression=")) return range ?? null;
  const scale = product.item.assets[asset]?.["raster:scale"] ?? 1;
  return range.map((stored) => stored * scale);
}

function classLegend(product: Product): HTMLElement {
  const entries = maskClasses(product.item).map((one) =>
    h("li", {}, swatch(`#${one.color_hint ?? "888888"}`), className(one)),
  );
  return h("ul", { class: "legend legend-classes" }, ...entries);
}

function rampLegend(range: readonly number[], ramp: readonly string[], label: string): HTMLElement {
  const [low = 0, high = 1] = range;
  const ticks = [low, (low + high) / 2, high].map((value) =>
    h("span", {}, formatNumber(value, Number.isInteger(value) ? 0 : 2)),
  );
  const bar = h("div", { class: "legend-ramp", role: "img", "aria-label": label });
  bar.style.background = `linear-gradient(to right, ${ramp.join(", ")})`;
  return h("div", { class: "legend" }, bar, h("div", { class: "legend-ticks" }, ...ticks), help(label));
}

function bandLegend(render: Render): HTMLElement {
  const colours = ["#d64545", "#3f9b52", "#3b76d8"];
  const chips = (COMPOSITES[render.name] ?? []).map((band, index) =>
    h("li", {}, swatch(colours[index] ?? "#888"), t.bands[band] ?? band),
  );
  return h(
    "div",
    { class: "legend" },
    chips.length > 0 && h("ul", { class: "legend-classes", "aria-label": t.product.composition }, ...chips),
    help(render.help),
  );
}

function help(text: string): HTMLElement {
  return h("p", { class: "legend-help" }, text);
}

function swatch(colour: string): HTMLElement {
  const element = h("span", { class: "swatch" });
  element.style.background = colour;
  return element;
}
