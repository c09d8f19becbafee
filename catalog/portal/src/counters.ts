import { fetchJson } from "./http";

/** What is held and how often it was looked at and downloaded; volume in bytes. */
export interface Counters {
  readonly items: number;
  readonly files: number;
  readonly volume: number;
  readonly views: number;
  readonly downloads: number;
}

/** Counters of the platform and of each of its collections. */
export interface AllCounters extends Counters {
  readonly collections: Readonly<Record<string, Counters>>;
}

/** Ask for the counters. */
export function loadCounters(url: string): Promise<AllCounters> {
  return fetchJson<AllCounters>(url);
}
