import { maskClasses, type Product } from "./product";
import type { RenderEntry, StacCollection } from "./stac/types";
import { t } from "./strings";

/** A way to draw a product, by the name that the tile server knows. */
export interface Render {
  readonly name: string;
  readonly title: string;
  readonly help: string;
  readonly entry: RenderEntry;
}

/** Three bands of one file as red, green and blue; `white` is the stored value that is drawn white. */
export interface OwnBands {
  readonly asset: string;
  /** Numbers of the bands in the file, from 1. */
  readonly bands: readonly [number, number, number];
  readonly white: number;
}

/** Renders that every product has, for collections that do not list theirs. */
const DEFAULT_RENDERS: Readonly<Record<string, RenderEntry>> = {
  "true-colour": { assets: ["SR"] },
  "false-colour": { assets: ["SR"] },
  ndvi: { assets: ["SR"], rescale: [[-0.2, 0.9]], colormap_name: "rdylgn" },
  aod: { assets: ["AOD"], rescale: [[0, 10000]], colormap_name: "ylorbr" },
  mask: { assets: ["mask"] },
};

/** Opacity of a class that the mask over a picture tints, of 255. */
const TINT = 190;

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

/** Write bands of one's own as the name of a render, for permalinks: "SR:4,3,2:3000". */
export function encodeOwn({ asset, bands, white }: OwnBands): string {
  return `${asset}:${bands.join(",")}:${white}`;
}

/** Read bands of one's own back; null when the name is that of a render. */
export function decodeOwn(name: string): OwnBands | null {
  const match = /^(SR|TOA):(\d),(\d),(\d):(\d{3,5})$/.exec(name);
  if (!match) return null;
  const [, asset = "SR", red, green, blue, white] = match;
  return { asset, bands: [Number(red), Number(green), Number(blue)], white: Number(white) };
}

/** Whether a picture shows coded values, whose colours must not be blended. */
export function isCoded(render: string): boolean {
  return render === "mask";
}

/** Address pattern of the map tiles of a product drawn by a render, or by bands of one's own. */
export function tileUrl(tiles: string, product: Product, render: string): string {
  const own = decodeOwn(render);
  const query = own
    ? new URLSearchParams({
        assets: `${own.asset}|bidx=${own.bands.join(",")}`,
        rescale: `0,${own.white}`,
        resampling: "bilinear",
      })
    : new URLSearchParams({ render });
  return `${itemUrl(tiles, product)}/tiles/WebMercatorQuad/{z}/{x}/{y}?${query}`;
}

/** Address pattern of tiles that tint what is not clear land, and leave the rest open. */
export function overlayUrl(tiles: string, product: Product): string {
  const colours = Object.fromEntries(
    maskClasses(product.item).map(({ value, name, color_hint: hint }) => {
      const rgb = (hint ?? "888888").match(/../g)?.map((part) => parseInt(part, 16)) ?? [136, 136, 136];
      return [value, [...rgb, name === "clear" ? 0 : TINT]];
    }),
  );
  const query = new URLSearchParams({ assets: "mask", colormap: JSON.stringify(colours), resampling: "nearest" });
  return `${itemUrl(tiles, product)}/tiles/WebMercatorQuad/{z}/{x}/{y}.png?${query}`;
}

/** Address of a product at the tile server. */
export function itemUrl(tiles: string, { collection, id }: Pick<Product, "collection" | "id">): string {
  return `${tiles}/collections/${encodeURIComponent(collection)}/items/${encodeURIComponent(id)}`;
}
