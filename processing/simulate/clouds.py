"""Clouds at a height of their own: where the camera sees them and where their shadows fall.

A layer is a sheet of opacity in a horizontal plane. The camera's ray meets the sheet away from
the ground point it ends at, and so does the ray of the sun; both displacements follow.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.simulate.arrays import Floats
from processing.simulate.noise import fractal, smooth_step

_SAMPLE = 8
"""Every how many pixels the share of cloud is measured."""
_SOFTNESS = 0.16
_RELIEF_M = 240.0


@dataclass(frozen=True, slots=True)
class CloudLayer:
    """A field of cumulus: base height above the ellipsoid in metres, share of the sky 0-1.

    ``size_m`` is the distance between clouds; ``opacity`` the largest share of light a cloud
    takes from what lies below it.
    """

    height_m: float
    cover: float
    size_m: float = 4200.0
    opacity: float = 0.97
    seed: int = 1


@dataclass(frozen=True, slots=True)
class CloudSheet:
    """A layer drawn on a grid in its own plane.

    ``opacity`` and ``brightness`` are uint8 (rows, cols) in hundredths: the share of light
    that is taken away, and the top-of-atmosphere reflectance of the cloud.
    """

    grid: Grid
    height_m: float
    opacity: NDArray[np.uint8]
    brightness: NDArray[np.uint8]


@njit(cache=True, nogil=True)
def _thickness(x: float, y: float, size: float, seed: int) -> float:
    bend_x = x + 0.18 * size * fractal(x / (0.7 * size), y / (0.7 * size), seed + 1, 3)
    bend_y = y + 0.18 * size * fractal(x / (0.7 * size), y / (0.7 * size), seed + 2, 3)
    group = 0.45 * fractal(x / (6 * size), y / (6 * size), seed + 3, 2)
    return group + fractal(bend_x / size, bend_y / size, seed + 4, 7)


@njit(cache=True, nogil=True)
def _sample(x0: float, y0: float, step: float, size: float, seed: int, out: Floats) -> None:
    for row in range(out.shape[0]):
        for col in range(out.shape[1]):
            out[row, col] = _thickness(x0 + col * step, y0 - row * step, size, seed)


@njit(cache=True, nogil=True)
def _draw(
    x0: float, y0: float, step: float, size: float, seed: int, limit: float, most: float,
    sun: tuple[float, float], opacity: NDArray[np.uint8], brightness: NDArray[np.uint8],
) -> None:  # fmt: skip
    for row in range(opacity.shape[0]):
        for col in range(opacity.shape[1]):
            x, y = x0 + col * step, y0 - row * step
            here = _thickness(x, y, size, seed)
            if here <= limit:
                opacity[row, col] = 0
                brightness[row, col] = 0
                continue
            thick = smooth_step(limit, limit + _SOFTNESS, here)
            behind = _thickness(x + _RELIEF_M * sun[0], y + _RELIEF_M * sun[1], size, seed)
            relief = 0.9 * (here - behind)
            white = 0.44 + 0.30 * smooth_step(limit, limit + 0.45, here) + relief
            opacity[row, col] = int(100 * most * thick + 0.5)
            brightness[row, col] = int(100 * min(0.98, max(0.25, white)) + 0.5)


def draw_clouds(layer: CloudLayer, grid: Grid, sun_azimuth_deg: float) -> CloudSheet:
    """Return the layer drawn on ``grid``; the sun's azimuth counts from grid north."""
    x0, y0 = grid.ulx + grid.resolution / 2, grid.uly - grid.resolution / 2
    step = grid.resolution * _SAMPLE
    coarse = np.empty((-(-grid.rows // _SAMPLE), -(-grid.cols // _SAMPLE)))
    _sample(x0, y0, step, layer.size_m, layer.seed, coarse)
    limit = float(np.quantile(coarse, 1 - layer.cover))
    opacity = np.empty(grid.shape, np.uint8)
    brightness = np.empty(grid.shape, np.uint8)
    azimuth = math.radians(sun_azimuth_deg)
    _draw(
        x0, y0, grid.resolution, layer.size_m, layer.seed, limit, layer.opacity,
        (math.sin(azimuth), math.cos(azimuth)), opacity, brightness,
    )  # fmt: skip
    return CloudSheet(grid, layer.height_m, opacity, brightness)


@dataclass(frozen=True, slots=True)
class Lean:
    """Metres east and north that rays move per metre of height, a parabola over the map.

    ``terms`` (2, 6) belong to 1, u, v, uu, uv, vv with u, v in units of 100 km from ``centre``.
    """

    centre: tuple[float, float]
    terms: Floats

    def at(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return the two components at map places."""
        powers = _powers((x - self.centre[0]) / 1e5, (y - self.centre[1]) / 1e5)
        east, north = np.tensordot(self.terms, powers, 1)
        return east, north


def fit_lean(
    x: Floats,
    y: Floats,
    east: Floats,
    north: Floats,
) -> Lean:
    """Return the parabola through rays known at some places (least squares)."""
    centre = float(x.mean()), float(y.mean())
    powers = _powers((x.ravel() - centre[0]) / 1e5, (y.ravel() - centre[1]) / 1e5)
    targets = np.stack([east.ravel(), north.ravel()], axis=1)
    return Lean(centre, np.linalg.lstsq(powers.T, targets, rcond=None)[0].T)


def _powers(u: Floats, v: Floats) -> Floats:
    u, v = np.broadcast_arrays(u, v)
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v])


def displaced(
    sheet: CloudSheet, grid: Grid, height: NDArray[np.float32], lean: Lean
) -> NDArray[np.uint8]:
    """Return the opacity (hundredths) that a ray from each ground pixel meets in the sheet.

    ``height`` (metres) has the shape of ``grid``, which is in the projection of the sheet.
    """
    out = np.empty(grid.shape, np.uint8)
    over = sheet.grid
    x = grid.ulx + (np.arange(grid.cols) + 0.5) * grid.resolution
    for row in range(grid.rows):
        y = np.full(grid.cols, grid.uly - (row + 0.5) * grid.resolution)
        east, north = lean.at(x, y)
        rise = sheet.height_m - height[row]
        cols = (x + rise * east - over.ulx) // over.resolution
        rows = (over.uly - y - rise * north) // over.resolution
        out[row] = sheet.opacity[
            np.clip(rows, 0, over.rows - 1).astype(np.intp),
            np.clip(cols, 0, over.cols - 1).astype(np.intp),
        ]
    return out
