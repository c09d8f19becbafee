"""The ground below a scene: reflectance, heights and water on a 16 m grid."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from catalog.grid import Grid
from processing.simulate.landcover import Season, paint
from processing.simulate.terrain import heights

_CHUNK_ROWS = 512


@dataclass(frozen=True, slots=True)
class Ground:
    """Truth on the ground.

    ``reflectance`` uint16 (bands, rows, cols) in steps of 1e-4, 0 = no data; ``height`` float32
    (rows, cols), metres above the ellipsoid; ``water`` uint8 (rows, cols), 1 = water.
    """

    grid: Grid
    reflectance: NDArray[np.uint16]
    height: NDArray[np.float32]
    water: NDArray[np.uint8]


def made_ground(grid: Grid, season: Season, seed: int, progress: Callable[[float], None]) -> Ground:
    """Return the made land on ``grid``; ``progress`` hears the share done, 0-1."""
    bands = season.spectra.shape[1]
    reflectance = np.empty((bands, *grid.shape), np.uint16)
    height = np.empty(grid.shape, np.float32)
    water = np.empty(grid.shape, np.uint8)
    for first in range(0, grid.rows, _CHUNK_ROWS):
        rows = slice(first, min(first + _CHUNK_ROWS, grid.rows))
        around = _heights_around(grid, rows, seed)
        height[rows] = around[1:-1, 1:-1]
        paint(
            around,
            grid.ulx + grid.resolution / 2,
            grid.uly - (first + 0.5) * grid.resolution,
            grid.resolution,
            season.shares,
            season.spectra,
            season.sun,
            seed,
            reflectance[:, rows],
            water[rows],
        )
        progress(rows.stop / grid.rows)
    return Ground(grid, reflectance, height, water)


def made_dem(
    west: float, north: float, step_deg: float, shape: tuple[int, int], epsg: int, seed: int
) -> NDArray[np.float32]:
    """Return ellipsoidal heights at pixel centres of a lon/lat raster, north up.

    (``west``, ``north``) is the raster's corner in degrees; ``epsg`` names the UTM zone in
    which the land is made.
    """
    to_map = Transformer.from_crs(4326, epsg, always_xy=True)
    lon = west + (np.arange(shape[1]) + 0.5) * step_deg
    out = np.empty(shape, np.float32)
    for first in range(0, shape[0], _CHUNK_ROWS):
        rows = np.arange(first, min(first + _CHUNK_ROWS, shape[0]))
        x, y = to_map.transform(*np.meshgrid(lon, north - (rows + 0.5) * step_deg))
        out[rows] = heights(np.asarray(x), np.asarray(y), seed)
    return out


def _heights_around(grid: Grid, rows: slice, seed: int) -> NDArray[np.float32]:
    x = grid.ulx + (np.arange(-1, grid.cols + 1) + 0.5) * grid.resolution
    y = grid.uly - (np.arange(rows.start - 1, rows.stop + 1) + 0.5) * grid.resolution
    east, north = np.meshgrid(x, y)
    return heights(east, north, seed)
