import { absolute } from "./config";
import type { StacAsset, StacItem } from "./stac/types";

/** Address of this page's folder, without a slash at its end. */
const OWN = absolute("");
/** Where a site has its files. */
const FILES = "/data/";

/**
 * An item with its files at the address from which this page came, and a note of another site's.
 *
 * A server has several names (of a host, of its networks); the catalogue knows the one under which
 * it was published, which need not lead anywhere from where the visitor is. A store that moved to
 * another address and was not published again has its files here all the same, as the tiler knows.
 */
export function brought(item: StacItem, published: string): StacItem {
  // What was asked for without its files has none.
  const assets = Object.entries(item.assets ?? {});
  const away = assets.find(([, { href }]) => ![published, OWN].some((site) => href.startsWith(site + FILES)));
  return {
    ...item,
    assets: Object.fromEntries(assets.map(([key, asset]) => [key, here(asset)])),
    ...(away ? { publishedAt: new URL(away[1].href, document.baseURI).origin } : {}),
  };
}

function here(asset: StacAsset): StacAsset {
  const place = asset.href.indexOf(FILES);
  return place < 0 ? asset : { ...asset, href: OWN + asset.href.slice(place) };
}
