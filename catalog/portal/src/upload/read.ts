import type { Position } from "geojson";
import { geojsonRings, searchRings } from "../area";
import { t } from "../strings";
import { kmlRings } from "./kml";
import { projectedSystem, shapefileRings } from "./shapefile";
import { unzip } from "./zip";

/** A file that gives no search area, with a message fit for the visitor. */
export class UploadError extends Error {
  override name = "UploadError";
}

/** Endings of the names of files that can be read, for the browser's choice of a file. */
export const ACCEPTED = ".geojson,.json,.kml,.kmz,.zip,.shp";

const WANTED = /\.(shp|prj|kml|geojson|json)$/i;

/** Read the outlines of the polygons in a file, simplified for a search; throws UploadError. */
export async function readArea(file: File): Promise<readonly Position[][]> {
  let found: Position[][];
  try {
    found = await outlines(file.name, await file.arrayBuffer());
  } catch (error) {
    if (error instanceof UploadError) throw error;
    throw new UploadError(t.filters.uploadUnread(file.name), { cause: error });
  }
  const rings = searchRings(found);
  if (rings === null) throw new UploadError(t.filters.uploadEmpty(file.name));
  return rings;
}

async function outlines(name: string, bytes: ArrayBuffer): Promise<Position[][]> {
  const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  if (ending === "zip" || ending === "kmz") return archived(name, bytes);
  if (ending === "shp") return shapefileRings(new Uint8Array(bytes));
  return written(ending, new TextDecoder().decode(bytes));
}

function written(ending: string, text: string): Position[][] {
  return ending === "kml" ? kmlRings(text) : geojsonRings(text);
}

/** All outlines in an archive; a shapefile there says beside it what its coordinates are. */
async function archived(name: string, bytes: ArrayBuffer): Promise<Position[][]> {
  const files = await unzip(bytes, (inside) => WANTED.test(inside) && !inside.startsWith("__MACOSX/"));
  const rings = [...files].flatMap(([inside, content]) => {
    const ending = inside.slice(inside.lastIndexOf(".") + 1).toLowerCase();
    if (ending === "prj") return [];
    if (ending !== "shp") return written(ending, new TextDecoder().decode(content));
    const prj = files.get(inside.replace(/shp$/i, "prj")) ?? files.get(inside.replace(/shp$/i, "PRJ"));
    const system = prj ? projectedSystem(new TextDecoder().decode(prj)) : null;
    if (system !== null) throw new UploadError(t.filters.uploadProjected(name, system));
    return shapefileRings(content);
  });
  return rings;
}
