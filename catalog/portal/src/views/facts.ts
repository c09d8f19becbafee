import { h } from "../dom";
import { formatDate, formatNumber, formatPercent, formatTime } from "../format";
import { className, maskClasses, numeric, text, type Product } from "../product";
import { served, t } from "../strings";

type Fact = readonly [name: Node | string, value: Node | string | null];
type Properties = Product["item"]["properties"];

/** Prefix of the properties that this platform adds to STAC. */
const OWN = "gfard:";
const SHOWN_ELSEWHERE = new Set(["quality_reason", "warnings", "valid_percent"]);

/** Everything that the item tells about a product, in sections. */
export function factSections(product: Product): readonly HTMLElement[] {
  const { properties } = product.item;
  return [
    section(t.facts.qualityHeading, quality(product), true),
    section(t.facts.acquisition, acquisition(product), true),
    section(t.facts.angles, angles(properties), true),
    section(t.facts.processing, processing(properties), false),
    section(t.facts.provenance, provenance(properties), false),
  ].filter((one) => one !== null);
}

/** Stacked bar of the pixel classes with a legend; null where the item gives no shares. */
export function classBar(product: Product): HTMLElement | null {
  const classes = maskClasses(product.item).filter((one) => (one.percentage ?? 0) > 0);
  if (classes.length === 0) return null;
  const parts = classes.map((one) => {
    const part = h("span", { class: "bar-part" });
    part.style.background = `#${one.color_hint ?? "888888"}`;
    part.style.flexGrow = String(one.percentage);
    return part;
  });
  const entries = classes.map((one) => {
    const dot = h("span", { class: "swatch" });
    dot.style.background = `#${one.color_hint ?? "888888"}`;
    return h("li", {}, dot, `${className(one)} `, h("b", {}, formatPercent(one.percentage ?? 0)));
  });
  return h(
    "figure",
    { class: "class-bar" },
    h("figcaption", {}, t.product.pixels, h("small", {}, t.product.pixelsNote)),
    h("div", { class: "bar", "aria-hidden": "true" }, ...parts),
    h("ul", { class: "legend-classes" }, ...entries),
  );
}

function quality(product: Product): readonly Fact[] {
  const { properties } = product.item;
  const rmse = numeric(properties, "accuracy:geometric_rmse");
  const warnings = properties[`${OWN}warnings`];
  return [
    [t.facts.status, t.quality[product.quality]],
    [t.facts.reason, sentences(text(properties, `${OWN}quality_reason`)?.split("; ") ?? [])],
    [t.facts.rmse, rmse === null ? t.facts.rmseUnknown : metres(rmse, properties)],
    [t.facts.cloud, percent(properties, "eo:cloud_cover")],
    [t.facts.snow, percent(properties, "eo:snow_cover")],
    [t.facts.valid, percent(properties, `${OWN}valid_percent`)],
    [t.facts.warnings, sentences(Array.isArray(warnings) ? warnings.map(String) : [])],
  ];
}

function metres(rmse: number, properties: Properties): string {
  const pixels = rmse / (numeric(properties, "gsd") ?? 16);
  return `${formatNumber(rmse, 1, "m")} (${formatNumber(pixels, 2, "px")})`;
}

function acquisition(product: Product): readonly Fact[] {
  return [
    [t.facts.time, `${formatDate(product.time)} ${formatTime(product.time)}`],
    [t.facts.camera, product.camera],
    [t.facts.tile, product.tile],
    [t.facts.crs, text(product.item.properties, "proj:code")],
  ];
}

function angles(properties: Properties): readonly Fact[] {
  const degrees = (key: string): string | null => {
    const value = numeric(properties, key);
    return value === null ? null : formatNumber(value, 1, "°");
  };
  return [
    [t.facts.sunElevation, degrees("view:sun_elevation")],
    [t.facts.sunAzimuth, degrees("view:sun_azimuth")],
    [t.facts.viewZenith, degrees("view:incidence_angle")],
    [t.facts.viewAzimuth, degrees("view:azimuth")],
    [t.facts.offNadir, degrees("view:off_nadir")],
  ];
}

function processing(properties: Properties): readonly Fact[] {
  const made = text(properties, "processing:datetime");
  const time = made === null ? null : new Date(made);
  const lineage = text(properties, "processing:lineage");
  const steps = lineage?.split("\n").map((line) => line.replace(/^\d+\.\s*/, ""));
  return [
    [t.facts.level, text(properties, "processing:level")],
    [t.facts.version, text(properties, "processing:version")],
    [t.facts.processed, time && `${formatDate(time)} ${formatTime(time)}`],
    [t.facts.software, plain(properties["processing:software"])],
    [t.facts.lineage, steps ? list(steps) : null],
  ];
}

function provenance(properties: Properties): readonly Fact[] {
  return Object.entries(properties)
    .filter(([key]) => key.startsWith(OWN) && !SHOWN_ELSEWHERE.has(key.slice(OWN.length)))
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, value]) => {
      const name = key.slice(OWN.length);
      const words = plain(value);
      return [t.provenance[name] ?? original(spoken(name)), words === null ? null : original(words)];
    });
}

/** Words that stand in the catalogue as they are, in English. */
function original(words: string): HTMLElement {
  return h("span", { lang: "en" }, words);
}

/** Sentences of the catalogue; those that the page cannot translate are marked as English. */
function sentences(texts: readonly string[]): HTMLElement | null {
  if (texts.length === 0) return null;
  const entries = texts.map((one) => {
    const said = served(one);
    return h("li", { lang: said === one ? "en" : null }, said);
  });
  return h("ul", {}, ...entries);
}

/** "aerosol_source" as "Aerosol source". */
function spoken(key: string): string {
  const words = key.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Any JSON value as short text; null for an empty one. */
function plain(value: unknown): string | null {
  if (value === null || value === undefined || value === "") return null;
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  if (Array.isArray(value)) return value.map(plain).filter(Boolean).join(", ") || null;
  if (typeof value !== "object") return String(value);
  return Object.entries(value).map(([key, inner]) => `${key.replaceAll("_", " ")} ${plain(inner) ?? "–"}`).join(" · ");
}

function percent(properties: Properties, key: string): string | null {
  const value = numeric(properties, key);
  return value === null ? null : formatPercent(value);
}

/** Numbered entries that the catalogue has in English alone. */
function list(entries: readonly string[]): HTMLElement {
  return h("ol", { lang: "en" }, ...entries.map((entry) => h("li", {}, entry)));
}

function section(title: string, facts: readonly Fact[], open: boolean): HTMLElement | null {
  const rows = facts.flatMap(([name, value]) => (value === null ? [] : [h("dt", {}, name), h("dd", {}, value)]));
  if (rows.length === 0) return null;
  return h("details", { class: "section", open }, h("summary", {}, title), h("dl", { class: "facts" }, ...rows));
}
