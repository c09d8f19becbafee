import type { Position } from "geojson";

/** Outer rings of the polygons in a KML document (OGC 12-007r2); throws when it is no XML. */
export function kmlRings(text: string): Position[][] {
  const document = new DOMParser().parseFromString(text, "application/xml");
  if (document.querySelector("parsererror")) throw new Error("no XML");
  const outlines = [...document.getElementsByTagNameNS("*", "outerBoundaryIs")];
  return outlines.map((outline) => positions(outline.getElementsByTagNameNS("*", "coordinates")[0]?.textContent ?? ""));
}

/** "lon,lat[,height]" tuples between white space. */
function positions(text: string): Position[] {
  return text.trim().split(/\s+/).map((tuple) => tuple.split(",").slice(0, 2).map(Number));
}
