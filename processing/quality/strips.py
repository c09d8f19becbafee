"""The pixel classes of a tile, from the look at its scene.

A tile takes the probabilities of the look back to 16 m and adds what rules see at that size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import REFLECTANCE_SCALE
from processing.geometry.field import GroundField
from processing.quality import rules, snow
from processing.quality.edges import sharpened, widened
from processing.quality.mask import Context, SceneQuality, compose

STRIP_ROWS = 128
"""Rows of a tile classified at once: what is worked on stays in the caches."""


@dataclass(frozen=True, slots=True)
class Strip:
    """What is known of some full rows of a tile; arrays are (rows of the strip, cols).

    ``valid`` has an observation. ``cloud`` and ``shadow`` are probabilities, NaN outside the look
    grid's data; ``snow`` and ``water`` are what the rules see at the tile's pixel size, whatever
    lies above.
    """

    rows: slice
    valid: NDArray[np.bool_]
    cloud: NDArray[np.float32]
    shadow: NDArray[np.float32]
    snow: NDArray[np.bool_]
    water: NDArray[np.bool_]
    context: NDArray[np.uint8]

    @property
    def classes(self) -> NDArray[np.uint8]:
        """``MaskClass`` of each pixel."""
        return compose(self.valid, self.cloud > 0.5, self.shadow > 0.5, self.snow, self.water)


def strips(quality: SceneQuality, toa: NDArray[np.uint16], grid: Grid) -> Iterator[Strip]:
    """Yield a tile strip by strip.

    Parameters
    ----------
    quality
        The classified scene.
    toa
        Encoded TOA reflectance (bands, rows, cols) uint16, steps of 1e-4, 0 = no data; the
        first four bands are blue, green, red and near infrared.
    grid
        Frame of ``toa``.
    """
    cloud, shadow, context = (
        GroundField(quality.grid, layer).near(grid)
        for layer in (quality.cloud, quality.shadow, quality.context)
    )
    chances = GroundField(cloud.grid, np.stack((cloud.values, shadow.values), dtype=np.float32))
    edges = quality.edges
    for top in range(0, grid.rows, STRIP_ROWS):
        rows = slice(top, min(top + STRIP_ROWS, grid.rows))
        wide = slice(max(top - edges.reach, 0), min(rows.stop + edges.reach, grid.rows))
        inner = slice(top - wide.start, rows.stop - wide.start)
        around = grid.window(wide.start, 0, wide.stop - wide.start, grid.cols)
        clouds, shadows = chances.on(around)
        if edges.sharpen and grid.resolution < quality.grid.resolution:
            visible = toa[:3, wide].mean(axis=0, dtype=np.float32)
            clouds = sharpened(clouds, visible * np.float32(REFLECTANCE_SCALE))
        frame = grid.window(top, 0, rows.stop - top, grid.cols)
        image = toa[:4, rows] * np.float32(REFLECTANCE_SCALE)
        known = context.on(frame, nearest=True)
        yield Strip(
            rows,
            toa[0, rows] != 0,
            widened(clouds, edges.cloud_buffer)[inner],
            widened(shadows, edges.shadow_buffer)[inner],
            _snow(image, known & Context.CAN_SNOW != 0),
            rules.is_water(image, known & Context.FLAT != 0),
            known,
        )


def _snow(image: NDArray[np.float32], possible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what is white where snow is possible; in summer nothing is looked at."""
    return snow.white(image) & possible if possible.any() else possible


def tile_mask(quality: SceneQuality, toa: NDArray[np.uint16], grid: Grid) -> NDArray[np.uint8]:
    """Return the ``mask`` asset of a tile, uint8 (rows, cols) of ``MaskClass``.

    Parameters
    ----------
    quality
        The classified scene.
    toa
        Encoded TOA reflectance (bands, rows, cols) uint16, 0 = no data.
    grid
        Frame of ``toa``.
    """
    mask = np.empty(grid.shape, np.uint8)
    for strip in strips(quality, toa, grid):
        mask[strip.rows] = strip.classes
    return mask
