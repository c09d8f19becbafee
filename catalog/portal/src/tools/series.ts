import { fetchJson, isAbort, RequestError } from "../http";
import { className, maskClasses, type Product } from "../product";
import { itemUrl } from "../renders";
import type { Point } from "../state";

/** One product at one point. */
export interface Sample {
  readonly product: Product;
  /** Surface reflectance of blue, green, red and near infrared, 0 to 1. */
  readonly bands: readonly [number, number, number, number];
  /** Class of the pixel, and its name for people. */
  readonly class: number;
  readonly className: string;
  /** Whether the ground was seen: clear land or water. */
  readonly clear: boolean;
}

const CLEAR: readonly number[] = [1, 2];
const AT_ONCE = 4;
const DEFAULT_SCALE = 0.0001;

/** NDVI of a sample; NaN where both bands are dark. */
export function ndvi({ bands: [, , red, nir] }: Sample): number {
  return (nir - red) / (nir + red);
}

/**
 * Read products at a point, oldest first; those that have no valid pixel there are left out.
 *
 * `progress` is told how many have been read.
 */
export async function readSeries(
  tiles: string, products: readonly Product[], point: Point, progress: (done: number) => void, signal: AbortSignal,
): Promise<readonly Sample[]> {
  const waiting = [...products];
  const samples: Sample[] = [];
  let done = 0;
  const work = async (): Promise<void> => {
    for (let product = waiting.pop(); product; product = waiting.pop()) {
      const sample = await readSample(tiles, product, point, signal);
      if (sample) samples.push(sample);
      progress(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return samples.toSorted((a, b) => a.product.time.getTime() - b.product.time.getTime());
}

async function readSample(tiles: string, product: Product, point: Point, signal: AbortSignal): Promise<Sample | null> {
  if (!inside(product, point)) return null;
  const url = `${itemUrl(tiles, product)}/point/${point.lon},${point.lat}?assets=SR%7Cbidx%3D1,2,3,4&assets=mask`;
  let values: readonly (number | null)[];
  try {
    ({ values } = await fetchJson<{ values: readonly (number | null)[] }>(url, { signal }));
  } catch (error) {
    // A footprint's box is larger than its pixels: the tiler refuses a point beside them.
    if (isAbort(error) || !(error instanceof RequestError)) throw error;
    return null;
  }
  return sampleOf(product, values);
}

function sampleOf(product: Product, values: readonly (number | null)[]): Sample | null {
  const [blue, green, red, nir, mask] = values;
  if (!blue || !green || !red || !nir || !mask) return null; // 0 is no data
  const scale = product.item.assets["SR"]?.["raster:scale"] ?? DEFAULT_SCALE;
  const one = maskClasses(product.item).find(({ value }) => value === mask);
  return {
    product,
    bands: [blue * scale, green * scale, red * scale, nir * scale],
    class: mask,
    className: one ? className(one) : String(mask),
    clear: CLEAR.includes(mask),
  };
}

function inside({ bbox: [west, south, east, north] }: Product, { lon, lat }: Point): boolean {
  const between = west <= east ? lon >= west && lon <= east : lon >= west || lon <= east;
  return between && lat >= south && lat <= north;
}

/** Samples as comma-separated text with a heading. */
export function seriesCsv(samples: readonly Sample[]): string {
  const rows = samples.map((one) => [
    one.product.time.toISOString(), one.product.id, ...one.bands.map((value) => value.toFixed(4)), ndvi(one).toFixed(4), one.class,
  ]);
  return ["time,item,blue,green,red,nir,ndvi,mask", ...rows.map((row) => row.join(","))].join("\n") + "\n";
}
