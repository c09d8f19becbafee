import type { StacAsset } from "./stac/types";

/** Shell command that downloads one file and resumes where it stopped. */
export function curlCommand(href: string): string {
  return `curl -fL -C - -O ${quote(new URL(href, document.baseURI).href)}`;
}

/** Shell script that downloads files, then verifies those whose sha256 the catalogue knows. */
export function downloadScript(assets: readonly StacAsset[]): string {
  const lines = assets.map((asset) => curlCommand(asset.href));
  const sums = assets.flatMap((asset) => {
    const digest = sha256(asset["file:checksum"]);
    return digest ? [`${digest}  ${fileName(asset.href)}`] : [];
  });
  if (sums.length > 0) lines.push("sha256sum -c - <<'SUMS'", ...sums, "SUMS");
  return `${lines.join("\n")}\n`;
}

/** Last part of an address: the name of the file. */
export function fileName(href: string): string {
  return decodeURIComponent(new URL(href, document.baseURI).pathname.split("/").pop() ?? "");
}

/** Digest inside a multihash of sha256 (code 12, length 20 in hex), or null for another one. */
function sha256(checksum: string | undefined): string | null {
  return checksum?.startsWith("1220") && checksum.length === 68 ? checksum.slice(4) : null;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
