"""A product of the archive on cells of 512 m: clear reflectance and the angles it was seen at."""

from dataclasses import dataclass

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from catalog.errors import StoreError
from catalog.product import ANGLE_SCALE, FILL, QA, REFLECTANCE_SCALE, TERRAIN_FACTOR, MaskClass
from catalog.store import Store, StoredItem
from processing.atmosphere.evidence import haze_bands
from processing.geometry.angles import Angles
from processing.library.tile import CELL_PIXELS, cell_grid
from processing.saturation import MOST_SATURATED, saturated_bands

_STEP = 4
"""Pixels are read four by four: from the second overview."""
_PER_CELL = CELL_PIXELS // _STEP
_LEAST_CLEAR = 0.8
_MOST_AOD = 0.4
"""Thicker haze leaves too much of its own error in the reflectance."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Cells of one product on ``cell_grid`` of its tile.

    ``reflectance`` is float32 (bands, rows, cols), NaN where the cell is not clear land all over,
    the haze was thick, or a band that shows haze is saturated (in the near infrared, as bright
    plants often are, the highest value that it can have stands); ``angles`` in degrees.
    """

    item: str
    reflectance: NDArray[np.float32]
    angles: Angles


def observe(store: Store, stored: StoredItem) -> Observed:
    """Read a product of ``store`` on cells.

    Raises
    ------
    StoreError
        An asset cannot be read.
    """
    grid = cell_grid(stored.id.tile)
    sr, mask, aod, angle, qa = (
        _blocks(_read(store, stored, key), grid.shape)
        for key in ("SR", "mask", "AOD", "angle", "qa")
    )
    clear = (mask[0] == MaskClass.CLEAR) & (sr != FILL).all(axis=0)
    share = clear.mean(axis=-1)
    haze = np.where(clear, aod[0] * REFLECTANCE_SCALE, 0).sum(axis=-1)
    count = np.maximum(clear.sum(axis=-1), 1)
    good = (share >= _LEAST_CLEAR) & (haze / count <= _MOST_AOD)
    if (qa & QA["saturated"].encode(1)).any():
        toa = _blocks(_read(store, stored, "TOA"), grid.shape) * REFLECTANCE_SCALE
        sun = np.where(angle[1] != FILL, angle[1] * ANGLE_SCALE, np.nan)
        flags = saturated_bands(stored.item["properties"], stored.id.camera, toa, sun, qa[0])
        hazy = flags[list(haze_bands(stored.id.camera))].any(axis=0) & clear
        good &= hazy.sum(axis=-1) <= MOST_SATURATED * count
    seen = sr * REFLECTANCE_SCALE
    if TERRAIN_FACTOR in stored.item["assets"]:
        # What the sensor will see again is the light on the slopes, not their reflectance.
        factors = _blocks(_read(store, stored, TERRAIN_FACTOR), grid.shape)
        seen = seen / np.where(factors != FILL, factors * REFLECTANCE_SCALE, 1)
    mean = np.where(clear, seen, 0).sum(axis=-1) / count
    middle = angle[..., angle.shape[-1] // 2 + _PER_CELL // 2]
    known = (middle != FILL).all(axis=0)
    saa, sza, vaa, vza = np.where(known, middle * ANGLE_SCALE, np.nan).astype(np.float32)
    reflectance = np.where(good & known, mean, np.nan).astype(np.float32)
    return Observed(str(stored.id), reflectance, Angles(saa, sza, vaa, vza))


def _read(store: Store, stored: StoredItem, key: str) -> NDArray[np.unsignedinteger]:
    href = str(stored.item["assets"][key]["href"]).removeprefix("./")
    try:
        with rasterio.open(store.raster_path(f"{stored.relative}/{href}")) as raster:
            rows, cols = (-(-n // _STEP) for n in raster.shape)
            return np.asarray(raster.read(out_shape=(raster.count, rows, cols)))
    except RasterioError as error:
        raise StoreError(
            f"{stored.relative}/{href}: cannot be read: {error}; `gfard check --catalogue "
            "--repair` hides products whose files are broken"
        ) from error


def _blocks(
    image: NDArray[np.unsignedinteger], shape: tuple[int, int]
) -> NDArray[np.unsignedinteger]:
    """Cut (layers, rows, cols) into (layers, cell rows, cell cols, pixels), padded by fill."""
    rows, cols = (n * _PER_CELL for n in shape)
    padding = ((0, 0), (0, rows - image.shape[1]), (0, cols - image.shape[2]))
    cells = np.pad(image, padding).reshape(-1, shape[0], _PER_CELL, shape[1], _PER_CELL)
    return cells.swapaxes(2, 3).reshape(-1, *shape, _PER_CELL**2)
