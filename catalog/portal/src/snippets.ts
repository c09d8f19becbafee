/** What the examples for programs are about: addresses of this server and one product. */
export interface Subject {
  readonly stac: string;
  readonly collection: string;
  /** A product of the collection; null while it has none. */
  readonly id: string | null;
}

/** Languages of the examples, in the order in which they are shown. */
export const PROGRAMS = ["Python", "R", "QGIS", "curl"] as const;
export type Program = (typeof PROGRAMS)[number];

/** Python that opens the newest clear product, or one product, with the usual clients. */
export function pythonSnippet({ stac, collection, id }: Subject, single = false): string {
  const wanted = single && id ? `ids=["${id}"]` : `filter="eo:cloud_cover < 20", max_items=4`;
  return `import odc.stac
import pystac_client

catalog = pystac_client.Client.open("${stac}")
search = catalog.search(collections=["${collection}"], ${wanted})
items = list(search.items())
data = odc.stac.load(items, bands=["SR.1", "SR.2", "SR.3", "SR.4", "mask"], chunks={})
clear = data["mask"].isin([1, 2])
ndvi = (data["SR.4"] - 1.0 * data["SR.3"]) / (data["SR.4"] + 1.0 * data["SR.3"])
print(ndvi.where(clear))
`;
}

/** R that finds products and opens one in place. */
export function rSnippet({ stac, collection }: Subject): string {
  return `library(rstac)
library(terra)

items <- stac("${stac}") |>
  stac_search(collections = "${collection}", limit = 4) |>
  post_request()
href <- items$features[[1]]$assets$SR$href
sr <- rast(paste0("/vsicurl/", href))
NAflag(sr) <- 0
plotRGB(sr * 255 / 3000, r = 3, g = 2, b = 1)
`;
}

/** Shell that finds a clear product and downloads its reflectance, and a whole search as a list. */
export function curlSnippet({ stac, collection }: Subject): string {
  return `# Addresses of the reflectance and the mask of every product with little cloud
curl -fsSG '${stac}/export' \\
  --data-urlencode 'collections=${collection}' \\
  --data-urlencode 'filter=eo:cloud_cover < 20' \\
  -d 'format=urls' -d 'assets=SR,mask' -o gfard.urls.txt

# Download the first; the same command goes on where it stopped
head -n 1 gfard.urls.txt | xargs curl -fL -C - -O
`;
}
