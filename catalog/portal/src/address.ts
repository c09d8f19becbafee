import { absolute } from "./config";
import type { StacItem } from "./stac/types";

/** Address of this page's folder, without a slash at its end. */
const OWN = absolute("");

/**
 * An item with its files at the address from which this page came.
 *
 * A server has several names (of a host, of its networks); the catalogue knows the one under which
 * it was published, which need not lead anywhere from where the visitor is.
 */
export function brought(item: StacItem, published: string): StacItem {
  if (published === OWN) return item;
  // What was asked for without its files has none.
  const assets = Object.entries(item.assets ?? {}).map(([key, asset]) => {
    const own = asset.href.startsWith(`${published}/`) ? OWN + asset.href.slice(published.length) : asset.href;
    return [key, { ...asset, href: own }] as const;
  });
  return { ...item, assets: Object.fromEntries(assets) };
}

/** Where the files of an item lie when that is not this site, such as "http://old.example:8000"; else null. */
export function elsewhere({ assets }: StacItem): string | null {
  const href = Object.values(assets).map((asset) => asset.href).find((one) => !one.startsWith(`${OWN}/`));
  return href === undefined ? null : new URL(href, document.baseURI).origin;
}
