import { fetchJson } from "./http";

/** Where the services of this site answer. Addresses end without a slash. */
export interface SiteConfig {
  readonly stac: string;
  readonly tiles: string;
  readonly counters: string;
  /** Address under which the files of this site are published. */
  readonly published: string;
  /** Title that the operator chose, or null. */
  readonly title: string | null;
  /** Mail address or web page of the operator, or null. */
  readonly contact: string | null;
}

interface ConfigFile {
  stac?: string;
  tiles?: string;
  counters?: string;
  published?: string;
  title?: string | null;
  contact?: string | null;
}

/** Read `config.json`; a site that ships none uses the default addresses. */
export async function loadConfig(): Promise<SiteConfig> {
  const file = await fetchJson<ConfigFile>(absolute("config.json")).catch((): ConfigFile => ({}));
  return {
    stac: absolute(file.stac ?? "stac"),
    tiles: absolute(file.tiles ?? "tiles"),
    counters: absolute(file.counters ?? "counters"),
    published: absolute(file.published ?? ""),
    title: file.title ?? null,
    contact: file.contact ?? null,
  };
}

/** Address of a path beside this page, without a slash at its end. */
export function absolute(path: string): string {
  return new URL(path, document.baseURI).href.replace(/\/$/, "");
}
