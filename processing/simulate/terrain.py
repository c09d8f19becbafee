"""The lie of the made land: hills, a winding river in its valley, lakes beside it.

Coordinates are metres east and north of a UTM zone, heights metres above the ellipsoid. The
river runs from north to south and comes again every 60 km to the east; a lake lies beside it
every 40 km.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from processing.simulate.arrays import Floats
from processing.simulate.noise import fractal, gradient_noise, hashed, ridges, smooth_step

_RIVER_PERIOD = 60_000.0
_RIVER_EAST = 351_000.0
_LAKE_PERIOD = 40_000.0
_LAKE_NORTH = 5_041_000.0
_LAKE_REACH = 4000.0
"""Metres from a lake's middle beyond which its shore does not matter."""
_FLOOR_M = 170.0
"""Height of the valley floor at the reference northing."""
HIGHEST_M = 1500.0
"""No hill is higher."""
_FALL = 0.0006
"""Fall of the river per metre to the south."""


@njit(cache=True, nogil=True)
def _valley_offset(y: float) -> float:
    return 6000 * math.sin(y / 16000 + 0.7)


@njit(cache=True, nogil=True)
def _river_offset(y: float) -> float:
    return (
        _valley_offset(y)
        + 1500 * math.sin(y / 4100 + 2.0)
        + 420 * math.sin(y / 1300)
        + 300 * gradient_noise(y / 900, 0.5, 71)
    )


@njit(cache=True, nogil=True)
def river_at(y: float) -> tuple[float, float]:
    """Return the river's easting offset at a northing, and its length per metre of northing."""
    lean = (_river_offset(y + 20) - _river_offset(y - 20)) / 40
    return _river_offset(y), math.sqrt(1 + lean * lean)


@njit(cache=True, nogil=True)
def river_distance(x: float, river: tuple[float, float]) -> float:
    """Return metres from the river's middle, positive to the east; ``river`` of the northing."""
    across = (x - _RIVER_EAST - river[0] + _RIVER_PERIOD / 2) % _RIVER_PERIOD
    return (across - _RIVER_PERIOD / 2) / river[1]


@njit(cache=True, nogil=True)
def _valley_distance(x: float, y: float) -> float:
    across = (x - _RIVER_EAST - _valley_offset(y) + _RIVER_PERIOD / 2) % _RIVER_PERIOD
    return abs(across - _RIVER_PERIOD / 2)


@njit(cache=True, nogil=True)
def river_half_width(y: float) -> float:
    """Return half the river's width in metres."""
    return 48 + 22 * gradient_noise(y / 2500, 7.5, 72)


@njit(cache=True, nogil=True)
def lake_distance(x: float, y: float) -> float:
    """Return metres outside the nearest lake's shore (negative on the lake), approximately."""
    index = math.floor((y - _LAKE_NORTH) / _LAKE_PERIOD + 0.5)
    middle = _LAKE_NORTH + index * _LAKE_PERIOD
    side = 1.0 if index % 2 == 0 else -1.0
    column = math.floor((x - _RIVER_EAST - _river_offset(middle)) / _RIVER_PERIOD + 0.5)
    lake_x = _RIVER_EAST + _river_offset(middle) + column * _RIVER_PERIOD + side * 4200
    dx, dy = (x - lake_x) / 1.5, y - middle
    away = math.hypot(dx, dy)
    if away > _LAKE_REACH:
        return away - _LAKE_REACH / 2
    radius = 1150 + 500 * hashed(index, column, 73)
    shore = radius * (1 + 0.5 * fractal(x / 1400, y / 1400, 74, 5))
    return away - shore


@njit(cache=True, nogil=True)
def height_at(x: float, y: float, river: tuple[float, float], seed: int) -> float:
    """Return the height in metres above the ellipsoid; ``river`` is that of the northing."""
    floor = _FLOOR_M + _FALL * (y - 5_000_000)
    region = 0.5 + 0.5 * gradient_noise(x / 21000, y / 21000, seed + 5)
    rise = smooth_step(2500, 16000, _valley_distance(x, y)) * (
        0.28 + 0.72 * smooth_step(0.25, 0.8, region)
    )
    bend_x = x + 900 * gradient_noise(x / 5000, y / 5000, seed + 6)
    bend_y = y + 900 * gradient_noise(x / 5000, y / 5000, seed + 7)
    hills = 640 * rise * ridges(bend_x / 9000, bend_y / 9000, seed + 8, 6)
    gentle = smooth_step(60, 900, abs(river_distance(x, river))) * (
        14 + 16 * fractal(x / 1800, y / 1800, seed + 9, 4)
    )
    land = floor + gentle + hills
    shore = smooth_step(0, 900, lake_distance(x, y))
    return (floor + 4) * (1 - shore) + land * shore


@njit(cache=True, nogil=True)
def _fill(x: Floats, y: Floats, seed: int, out: NDArray[np.float32]) -> None:
    river, northing = river_at(y[0]), y[0]
    for i in range(x.size):
        if y[i] != northing:
            river, northing = river_at(y[i]), y[i]
        out[i] = height_at(x[i], y[i], river, seed)


def heights(x: Floats, y: Floats, seed: int) -> NDArray[np.float32]:
    """Return ellipsoidal heights in metres at eastings and northings of the same shape."""
    out = np.empty(x.size, np.float32)
    _fill(np.ascontiguousarray(x).ravel(), np.ascontiguousarray(y).ravel(), seed, out)
    return out.reshape(x.shape)
