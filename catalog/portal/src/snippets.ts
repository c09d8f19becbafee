import type { Product } from "./product";

/** Python that opens a product with the usual clients. */
export function pythonSnippet(root: string, product: Product): string {
  return `import odc.stac
import pystac_client

catalog = pystac_client.Client.open("${root}")
search = catalog.search(collections=["${product.collection}"], ids=["${product.id}"])
data = odc.stac.load(search.items(), bands=["SR.1", "SR.2", "SR.3", "SR.4"], chunks={})
reflectance = data.where(data != 0) * 0.0001
`;
}
