import { RequestError } from "./http";
import { t } from "./strings";

/** Forms in which the server lists what a search finds, as it names them. */
export const FORMATS = ["aria2", "metalink", "curl", "urls", "sha256sum", "csv", "geojsonseq", "geoparquet"] as const;
export type Format = (typeof FORMATS)[number];

/** Forms that describe products; the others list files, of which some may be chosen. */
export const TABLES: readonly Format[] = ["csv", "geojsonseq", "geoparquet"];

/** Commands that take a list under the name that the server gives it; tables have none. */
export const COMMANDS: Readonly<Partial<Record<Format, string>>> = {
  aria2: "aria2c -c -x4 -i gfard-aria2.txt",
  metalink: "aria2c -c -M gfard.meta4",
  curl: "sh gfard-download.sh",
  urls: "wget -c -i gfard-urls.txt",
  sha256sum: "sha256sum -c gfard.sha256",
  geojsonseq: "ogrinfo -so gfard.geojsons",
};

/** A list that can be asked for: a search, the form and the wanted files (all when there are none). */
export interface ExportRequest {
  readonly search: Record<string, unknown>;
  readonly format: Format;
  readonly assets: readonly string[];
}

/** Ask for a list and let the browser save it under the name that the server gives it. */
export async function saveExport(root: string, request: ExportRequest): Promise<void> {
  const response = await fetch(`${root}/export`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: body(request),
  });
  if (!response.ok) throw new RequestError(t.errors.status(response.status, ""));
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  saveBlob(await response.blob(), name ?? `gfard.${request.format}`);
}

/** Shell command that asks for the same list. */
export function exportCommand(root: string, request: ExportRequest): string {
  const quoted = body(request).replaceAll("'", "'\\''");
  return `curl -fsS -OJ -H 'Content-Type: application/json' -d '${quoted}' '${root}/export'`;
}

/** Let the browser save bytes as a file. */
export function saveBlob(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function body({ search, format, assets }: ExportRequest): string {
  const wanted = Object.entries(search).filter(([key]) => key !== "limit" && key !== "context");
  return JSON.stringify({ ...Object.fromEntries(wanted), format, assets });
}
