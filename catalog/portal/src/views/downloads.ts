import { copyButton } from "../copy";
import { h, icon } from "../dom";
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

function row(key: string, asset: StacAsset): HTMLElement {
  const size = asset["file:size"] === undefined ? "" : formatSize(asset["file:size"]);
  const title = t.assets[key] ?? asset.title ?? key;
  const link = h(
    "a",
    { href: asset.href, download: fileName(asset.href) },
    icon("download"),
    h("span", { class: "sr-only" }, `${t.product.download} `),
    h("code", { class: "download-key" }, key),
    " ",
    h("span", { class: "download-title" }, title),
    " ",
    h("span", { class: "download-size" }, size),
  );
  const curl = copyButton(t.product.copyCurl, () => curlCommand(asset.href), t.product.copyCurlFor(title));
  return h("li", {}, link, curl);
}
