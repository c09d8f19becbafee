import { fetchJson } from "../http";
import type { StacCollection } from "../stac/types";
import type { ItemRef, Point } from "../state";
import { t } from "../strings";

/** Bands of a series, as the tiler names them. */
export const SERIES_BANDS = ["blue", "green", "red", "nir"] as const;
type Band = (typeof SERIES_BANDS)[number];

/** One product at one point. */
export interface Sample extends ItemRef {
  readonly time: Date;
  /** Surface reflectance, 0 to 1. */
  readonly bands: Readonly<Record<Band, number>>;
  /** NaN where both of its bands are dark. */
  readonly ndvi: number;
  /** Class of the pixel, as the mask names it, and its name for people. */
  readonly class: string;
  readonly className: string;
  /** Whether the ground was seen: no cloud and no shadow. */
  readonly clear: boolean;
}

/** What the tiler tells of one product at a point. */
interface Look {
  readonly id: string;
  readonly datetime: string;
  readonly class: string;
  readonly clear: boolean;
  readonly reflectance: Readonly<Record<Band, number>>;
  readonly ndvi: number | null;
}

/** The history of a point, oldest first; `cut` when only the newest products were read. */
export interface Series {
  readonly samples: readonly Sample[];
  readonly cut: boolean;
}

/**
 * Read the history of a point in one tile, one request for each collection.
 *
 * Where tiles overlap the tiler answers with the products of all of them; those of the others show
 * the same scenes again and are left out.
 */
export async function readSeries(
  tiles: string, collections: readonly StacCollection[], tile: string, point: Point, signal: AbortSignal,
): Promise<Series> {
  const place = new URLSearchParams({ lon: point.lon.toFixed(6), lat: point.lat.toFixed(6) });
  const answers = await Promise.all(
    collections.filter(hasSeries).map(async ({ id }) => {
      const url = `${tiles}/collections/${encodeURIComponent(id)}/timeseries?${place}`;
      const { looks, more } = await fetchJson<{ looks: readonly Look[]; more: boolean }>(url, { signal });
      return { samples: looks.filter((look) => look.id.includes(`.${tile}.`)).map((look) => sample(id, look)), more };
    }),
  );
  return {
    samples: answers.flatMap(({ samples }) => samples).toSorted((a, b) => a.time.getTime() - b.time.getTime()),
    cut: answers.some(({ more }) => more),
  };
}

function hasSeries({ item_assets: assets }: StacCollection): boolean {
  return assets?.["SR"] !== undefined && assets["mask"] !== undefined;
}

function sample(collection: string, look: Look): Sample {
  return {
    collection,
    id: look.id,
    time: new Date(look.datetime),
    bands: look.reflectance,
    ndvi: look.ndvi ?? Number.NaN,
    class: look.class,
    className: t.classes[look.class] ?? look.class,
    clear: look.clear,
  };
}

/** Samples as comma-separated text with a heading. */
export function seriesCsv(samples: readonly Sample[]): string {
  const rows = samples.map((one) => [
    one.time.toISOString(), one.id, ...SERIES_BANDS.map((band) => one.bands[band].toFixed(4)),
    Number.isNaN(one.ndvi) ? "" : one.ndvi.toFixed(4), one.class,
  ]);
  return [["time", "item", ...SERIES_BANDS, "ndvi", "class"], ...rows].map((row) => row.join(",")).join("\n") + "\n";
}
