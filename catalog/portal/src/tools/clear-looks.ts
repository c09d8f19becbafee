import { numeric } from "../product";
import type { StacItem } from "../stac/types";

/** Clear looks of one month: products, and their clear shares of the tile added up. */
export interface Looks {
  readonly products: number;
  readonly looks: number;
}

/** Looks by year, then by month from 0. */
export type Calendar = ReadonlyMap<number, readonly Looks[]>;

const NONE: Looks = { products: 0, looks: 0 };

/**
 * Clear share of a tile in one product, 0 to 1: its valid pixels less cloud and cloud shadow.
 *
 * Cloud and shadow are percents of the valid pixels, those percents of the tile.
 */
function clearShare({ properties }: Pick<StacItem, "properties">): number {
  const valid = numeric(properties, "gfard:valid_percent") ?? 100;
  const hidden = (numeric(properties, "eo:cloud_cover") ?? 0) + (numeric(properties, "gfard:cloud_shadow_cover") ?? 0);
  return (valid / 100) * Math.max(0, 1 - hidden / 100);
}

/** Count the clear looks of products by month; years without any in between are there too. */
export function countLooks(items: readonly Pick<StacItem, "properties">[]): Calendar {
  const years = new Map<number, Looks[]>();
  for (const item of items) {
    const time = new Date(String(item.properties["datetime"]));
    const months = years.get(time.getUTCFullYear()) ?? Array.from({ length: 12 }, () => NONE);
    const { products, looks } = months[time.getUTCMonth()] ?? NONE;
    months[time.getUTCMonth()] = { products: products + 1, looks: looks + clearShare(item) };
    years.set(time.getUTCFullYear(), months);
  }
  const known = [...years.keys()];
  const [first, last] = [Math.min(...known), Math.max(...known)];
  const all = known.length === 0 ? [] : Array.from({ length: last - first + 1 }, (_, i) => last - i);
  return new Map(all.map((year) => [year, years.get(year) ?? Array.from({ length: 12 }, () => NONE)]));
}

/** Add up looks. */
export function sum(looks: Iterable<Looks>): Looks {
  let total = NONE;
  for (const one of looks) total = { products: total.products + one.products, looks: total.looks + one.looks };
  return total;
}
