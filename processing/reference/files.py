"""References on this machine: a raster, a VRT, or a folder of rasters."""

from pathlib import Path
from typing import Final

from catalog.errors import ReferenceImageError
from processing.geometry.dem import extent_text
from processing.rasters import Bounds
from processing.reference.image import (
    ReferenceImage,
    describe,
    first_known,
    known_bands,
    opened,
)

SUFFIXES: Final = frozenset({".tif", ".tiff", ".vrt", ".jp2", ".img"})


def open_files(path: Path, bounds: Bounds, band: str) -> ReferenceImage:
    """Open the rasters of a path that meet a scene.

    Parameters
    ----------
    path
        A raster, or a folder that is searched with its subfolders; where rasters overlap the
        first by name wins.
    bounds
        West, south, east, north of the scene, degrees.
    band
        Common name of the band wanted; the next best is taken where the first raster lacks it.

    Raises
    ------
    ReferenceImageError
        Nothing there can be read, or nothing meets the scene.
    """
    files = _listed(path)
    chosen = _band_of(files[0], band)
    pieces = [describe(str(file), chosen, file.name) for file in files]
    meeting = tuple(piece for piece in pieces if piece.meets(bounds))
    if not meeting:
        raise ReferenceImageError(
            f"{path}: the reference covers {extent_text([piece.bounds for piece in pieces])}, "
            f"nothing of the scene at {extent_text([bounds])}; give one of that place"
        )
    return ReferenceImage(path.name, chosen, meeting)


def _listed(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ReferenceImageError(
            f"{path}: no such file or folder of reference images; wanted a raster, a folder of "
            "rasters, ADDRESS#COLLECTION of a STAC API, or archive"
        )
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise ReferenceImageError(
            f"{path}: no rasters ({', '.join(sorted(SUFFIXES))}) in this folder"
        )
    return files


def _band_of(file: Path, wanted: str) -> str:
    """Return the band to use: the wanted one, or the next best of the raster."""
    with opened(str(file), file.name) as raster:
        known = known_bands(raster)
        return wanted if not known else first_known(known, wanted) or wanted
