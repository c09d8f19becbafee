import { fetchJson } from "./http";

/** Where the services of this site answer. Addresses end without a slash. */
export interface SiteConfig {
  readonly stac: string;
  readonly tiles: string;
  readonly title: string | null;
}

interface ConfigFile {
  stac?: string;
  tiles?: string;
  title?: string;
}

/** Read `config.json`; a site that ships none uses the default addresses. */
export async function loadConfig(): Promise<SiteConfig> {
  const file = await fetchJson<ConfigFile>(absolute("config.json")).catch((): ConfigFile => ({}));
  return {
    stac: absolute(file.stac ?? "stac"),
    tiles: absolute(file.tiles ?? "tiles"),
    title: file.title ?? null,
  };
}

function absolute(path: string): string {
  return new URL(path, document.baseURI).href.replace(/\/$/, "");
}
