import type { Product } from "./product";
import type { RenderEntry, StacCollection } from "./stac/types";
import { t } from "./strings";

/** A way to draw a product, by the name that the tile server knows. */
export interface Render {
  readonly name: string;
  readonly title: string;
  readonly help: string;
  readonly entry: RenderEntry;
}

/** Renders that every product has, for collections that do not list theirs. */
const DEFAULT_RENDERS: Readonly<Record<string, RenderEntry>> = {
  "true-colour": { assets: ["SR"] },
  "false-colour": { assets: ["SR"] },
  ndvi: { assets: ["SR"], rescale: [[-0.2, 0.9]], colormap_name: "rdylgn" },
  aod: { assets: ["AOD"], rescale: [[0, 10000]], colormap_name: "ylorbr" },
  mask: { assets: ["mask"] },
};

/** Place of a render in the list: the database forgets the order in which a collection names them. */
function rank(name: string): number {
  const place = Object.keys(DEFAULT_RENDERS).indexOf(name);
  return place < 0 ? Number.MAX_SAFE_INTEGER : place;
}

/** The renders of a collection, those of every product first. */
export function rendersOf(collection: StacCollection | undefined): readonly Render[] {
  const entries = Object.entries(collection?.renders ?? DEFAULT_RENDERS);
  return entries.toSorted(([a], [b]) => rank(a) - rank(b)).map(([name, entry]) => ({
    name,
    title: t.renders[name] ?? entry.title ?? name,
    help: t.renderHelp[name] ?? entry.title ?? "",
    entry,
  }));
}

/** Address pattern of the map tiles of a product drawn by a render. */
export function tileUrl(tiles: string, product: Product, render: string): string {
  const item = `collections/${encodeURIComponent(product.collection)}/items/${encodeURIComponent(product.id)}`;
  return `${tiles}/${item}/tiles/WebMercatorQuad/{z}/{x}/{y}?render=${encodeURIComponent(render)}`;
}
