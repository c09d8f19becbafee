import { h } from "../dom";
import { formatCount } from "../format";
import type { Bucket } from "../stac/types";
import { t } from "../strings";

/** Most tiles that are named. */
const NAMED = 24;

/** The tiles with most products and their number, each leading where `href` says. */
export function tileChips(tiles: readonly Bucket[], href: (tile: string) => string): HTMLElement {
  const most = tiles.toSorted((a, b) => b.frequency - a.frequency).slice(0, NAMED);
  const links = most.map(({ key, frequency }) => {
    const tile = key.replace(/^MGRS-/, "");
    return h("li", {}, h("a", { class: "chip", href: href(tile) }, tile, " ", h("b", {}, formatCount(frequency))));
  });
  return h("div", { class: "tile-chips" }, h("h3", {}, t.dataset.tiles), h("ul", { class: "chips" }, ...links));
}
