import type { SiteConfig } from "../config";
import { copyButton } from "../copy";
import { h } from "../dom";
import { curlSnippet, PROGRAMS, pythonSnippet, rSnippet, type Program, type Subject } from "../snippets";
import type { Product } from "../product";
import { t } from "../strings";
import { tabs } from "./tabs";

/** Examples for programs, a tab each, with the addresses of this server. */
export function accessTabs(
  config: SiteConfig, collection: string, newest: Product | null, program: Program, changed: (program: Program) => void,
): HTMLElement {
  const subject: Subject = { stac: config.stac, collection, id: newest?.id ?? null };
  const content: Record<Program, () => HTMLElement> = {
    Python: () => codeBox(pythonSnippet(subject)),
    R: () => codeBox(rSnippet(subject)),
    QGIS: () => qgis(config, collection, newest?.item.assets["SR"]?.href ?? ""),
    curl: () => codeBox(curlSnippet(subject)),
  };
  const specs = PROGRAMS.map((name) => ({ key: name, name, content: content[name] }));
  return tabs(t.dataset.snippetsFor, specs, program, (key) => changed(PROGRAMS.find((name) => name === key) ?? "Python"));
}

/** A program's text with a button that copies it. */
export function codeBox(code: string): HTMLElement {
  return h(
    "div",
    { class: "code-box" },
    h("pre", { tabindex: 0, role: "group", "aria-label": t.product.copyCode }, h("code", {}, code)),
    copyButton(t.product.copyCode, () => code),
  );
}

function qgis(config: SiteConfig, collection: string, file: string): HTMLElement {
  const tiles = `${config.tiles}/collections/${collection}/tiles/WebMercatorQuad/{z}/{x}/{y}?render=true-colour`;
  const addresses: readonly (readonly [string, string])[] = [
    [t.dataset.qgisStac, config.stac],
    [t.dataset.qgisTiles, tiles],
    [t.dataset.qgisFile, file],
  ];
  const rows = addresses.filter(([, address]) => address).flatMap(([name, address]) => [
    h("dt", {}, name),
    h("dd", {}, h("code", {}, address), copyButton(t.dataset.copy, () => address, t.dataset.copyOf(name))),
  ]);
  return h(
    "div",
    {},
    h("ol", { class: "steps" }, ...t.dataset.qgisSteps.map((step) => h("li", {}, step))),
    h("dl", { class: "addresses" }, ...rows),
  );
}
