import { h, icon, on } from "../dom";
import { curlCommand, downloadScript, fileName } from "../curl";
import { formatSize } from "../format";
import { downloads, type Product } from "../product";
import type { StacAsset } from "../stac/types";
import { t } from "../strings";

/** Files of a product: a link each, a curl command each, and one script for all. */
export function downloadList(product: Product): HTMLElement {
  const assets = downloads(product.item);
  const rows = assets.map(([key, asset]) => row(key, asset));
  const all = copyButton(t.product.copyAll, () => downloadScript(assets.map(([, asset]) => asset)));
  return h("div", {}, h("ul", { class: "downloads" }, ...rows), all);
}

/** A button that copies a text and says so. */
export function copyButton(label: string, text: () => string, spoken: string = label): HTMLButtonElement {
  const caption = h("span", {}, label);
  const button = h("button", { type: "button", class: "button small", "aria-label": spoken }, icon("copy"), caption);
  const say = (words: string): void => {
    caption.textContent = words;
    button.setAttribute("aria-label", words);
    setTimeout(() => {
      caption.textContent = label;
      button.setAttribute("aria-label", spoken);
    }, 2000);
  };
  on(button, "click", () => {
    copy(text()).then(
      () => say(t.product.copied),
      () => say(t.product.copyFailed),
    );
  });
  return button;
}

async function copy(text: string): Promise<void> {
  if (!isSecureContext) return copyByField(text);
  await navigator.clipboard.writeText(text);
}

/** The clipboard interface exists only on https and localhost; a field works everywhere. */
function copyByField(text: string): void {
  const field = h("textarea", { class: "sr-only", "aria-hidden": "true" }, text);
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("copy refused");
}

function row(key: string, asset: StacAsset): HTMLElement {
  const size = asset["file:size"] === undefined ? "" : formatSize(asset["file:size"]);
  const title = t.assets[key] ?? asset.title ?? key;
  const link = h(
    "a",
    { href: asset.href, download: fileName(asset.href) },
    icon("download"),
    h("span", { class: "sr-only" }, `${t.product.download} `),
    h("span", { class: "download-key" }, key),
    " ",
    h("span", { class: "download-title" }, title),
    " ",
    h("span", { class: "download-size" }, size),
  );
  const curl = copyButton("curl", () => curlCommand(asset.href), t.product.copyCurlFor(title));
  return h("li", {}, link, curl);
}
