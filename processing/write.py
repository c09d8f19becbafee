"""Encoded arrays to the files of one item: Cloud-Optimized GeoTIFFs and the thumbnail.

GDAL's COG driver needs the whole tile as a source, builds overviews in a temporary file and
copies everything once more. A tile is often filled to a tenth, so the files are written here in
one pass: overviews in memory, blocks compressed in threads, empty blocks left out.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from catalog.errors import ProductError
from catalog.grid import Grid
from catalog.product import REFLECTANCE_SCALE, AssetSpec
from processing.cog import BlockTable, header, write_block
from processing.pyramid import Level, Pixels, pyramid

_COMPRESSION_LEVEL = 2
_THREADS = min(4, os.cpu_count() or 1)
_THUMBNAIL_PIXELS = 512
_TRUE_COLOUR = (2, 1, 0)
"""Positions of red, green and blue, the same in the files of both satellites."""
_BRIGHT_REFLECTANCE = 0.3
_GAMMA = 1.6
_WEBP_QUALITY = 85


def write_cog(
    path: Path, pixels: Pixels, spec: AssetSpec, frame: Grid, row: int = 0, col: int = 0
) -> None:
    """Write one asset as a Cloud-Optimized GeoTIFF; a file appears complete or not at all.

    Parameters
    ----------
    path : Path
        The file; an older one is replaced.
    pixels : ndarray, shape (bands, rows, cols) or (rows, cols), uint8 or uint16
        Encoded pixels of the window at (``row``, ``col``); 0 = fill. All else is fill.
    spec : AssetSpec
        What the asset has to look like.
    frame : Grid
        Grid of the whole file.

    Raises
    ------
    ProductError
        Type, bands or window do not fit the asset and its frame.
    """
    full = _full_level(path, pixels, spec, frame, row, col)
    levels = pyramid(full, spec.overviews)
    tables = [BlockTable.empty(level) for level in levels]
    with _complete_file(path) as file, ThreadPoolExecutor(_THREADS) as pool:
        file.seek(len(header(levels, tables, spec, frame)))
        for level, table in reversed(list(zip(levels, tables, strict=True))):
            _write_level(file, level, table, pool)
        file.seek(0)
        file.write(header(levels, tables, spec, frame))


def _full_level(
    path: Path, pixels: Pixels, spec: AssetSpec, frame: Grid, row: int, col: int
) -> Level:
    layers = pixels[np.newaxis] if pixels.ndim == 2 else pixels
    bands, rows, cols = layers.shape
    if bands != len(spec.bands) or layers.dtype != spec.dtype:
        raise ProductError(
            f"{path}: {bands} bands of {layers.dtype}, asset {spec.key} wants "
            f"{len(spec.bands)} of {spec.dtype}"
        )
    if not (0 <= row <= row + rows <= frame.rows and 0 <= col <= col + cols <= frame.cols):
        raise ProductError(
            f"{path}: window of {rows} x {cols} at row {row}, column {col} leaves the frame of "
            f"{frame.rows} x {frame.cols}"
        )
    return Level(frame.rows, frame.cols, layers, row, col)


@contextmanager
def _complete_file(path: Path) -> Iterator[BinaryIO]:
    """Open a hidden file beside ``path`` that takes its name only when all went well."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_level(file: BinaryIO, level: Level, table: BlockTable, pool: ThreadPoolExecutor) -> None:
    """Append the blocks of one level, a row of blocks in flight at a time."""
    down, across = level.blocks

    def compressed(index: int) -> bytes | None:
        """Return a block as it is stored; None where it has no data."""
        block = level.predicted_block(*divmod(index, across))
        return None if block is None else isal_zlib.compress(block, _COMPRESSION_LEVEL)

    for first in range(0, down * across, across):
        indices = range(first, first + across)
        for index, data in zip(indices, pool.map(compressed, indices), strict=True):
            if data is not None:
                write_block(file, data, table, index)


def write_thumbnail(path: Path, reflectance: NDArray[np.uint16]) -> None:
    """Write a true-colour picture, at most 512 pixels along each side.

    Parameters
    ----------
    path : Path
        The file; the suffix, ``.webp`` or ``.png``, decides the format.
    reflectance : ndarray, shape (bands, rows, cols), uint16
        Encoded surface reflectance of the part of the tile that holds data; 0 = fill,
        transparent.
    """
    _, rows, cols = reflectance.shape
    level = Level(rows, cols, reflectance[list(_TRUE_COLOUR)])
    while max(level.rows, level.cols) > _THUMBNAIL_PIXELS:
        level = level.halved("average")
    picture = np.zeros((level.rows, level.cols, 4), np.uint8)
    picture[..., :3] = np.moveaxis(_stretched(level.pixels), 0, -1)
    picture[..., 3] = np.where(level.pixels.all(axis=0), 255, 0)
    with _complete_file(path) as file:
        kind = path.suffix.lstrip(".").upper()
        Image.fromarray(picture, "RGBA").save(file, kind, quality=_WEBP_QUALITY)


def _stretched(encoded: Pixels) -> NDArray[np.uint8]:
    """Return display values: the same fixed stretch for all scenes, dark tones lifted."""
    share = np.clip(encoded * (REFLECTANCE_SCALE / _BRIGHT_REFLECTANCE), 0.0, 1.0)
    display: NDArray[np.uint8] = np.rint(255.0 * share ** (1.0 / _GAMMA)).astype(np.uint8)
    return display
