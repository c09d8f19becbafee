"""What grows or stands at each place of the made land, and the reflectance that makes.

Shares of materials are mixed linearly, then shaded by the slope of the ground: the reflectance
is that of the horizontal plane below the sun, as a correction without terrain sees it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from processing.simulate.arrays import Floats
from processing.simulate.materials import cover, kinds, library
from processing.simulate.noise import fractal, gradient_noise, hashed, smooth_step
from processing.simulate.parcels import block_at, parcel_at
from processing.simulate.terrain import lake_distance, river_at, river_distance, river_half_width

_NAMES = library().materials
_GRASS, _LEAVES = _NAMES.index("grass"), _NAMES.index("broadleaf")
_DARK, _BRIGHT = _NAMES.index("soil_dark"), _NAMES.index("soil_bright")
_CLEAR, _SILTY = _NAMES.index("water_clear"), _NAMES.index("water_silty")
_ROOF, _PAVING = _NAMES.index("roof"), _NAMES.index("paving")
_SOIL = len(_NAMES)
_WHEAT, _MAIZE, _RAPE, _SUNFLOWER = (
    kinds().index(k) for k in ("wheat", "maize", "rape", "sunflower")
)
_MEADOW, _VINES, _LEAF, _NEEDLE = (
    kinds().index(k) for k in ("grass", "vines", "broadleaf", "conifer")
)
_TOWN_PERIOD = 34_000.0
_TOWN_NORTH = 5_036_000.0
_PIXEL_M = 16.0
_SHADE = 0.65
"""Share of the slope's effect on direct sun that reaches the reflectance (the rest is sky)."""


@dataclass(frozen=True, slots=True)
class Season:
    """What depends on camera, date and sun: cover shares, band spectra and the sun's direction.

    ``shares`` (kinds, shifts, materials + 1), ``spectra`` (materials, bands), ``sun`` the unit
    vector towards the sun: east, north, up on the grid.
    """

    shares: Floats
    spectra: Floats
    sun: tuple[float, float, float]


def season(camera_name: str, day_of_year: int, zenith_deg: float, azimuth_deg: float) -> Season:
    """Return the season of a scene; the azimuth counts from grid north."""
    zenith, azimuth = math.radians(zenith_deg), math.radians(azimuth_deg)
    sun = (
        math.sin(zenith) * math.sin(azimuth),
        math.sin(zenith) * math.cos(azimuth),
        math.cos(zenith),
    )
    return Season(cover(day_of_year), library().in_bands(camera_name), sun)


@njit(cache=True, nogil=True)
def _town(x: float, y: float, river: float, seed: int) -> float:
    """Return 1 in the middle of a town, 0 outside; towns stand by the river."""
    index = math.floor((y - _TOWN_NORTH) / _TOWN_PERIOD + 0.5)
    along = y - _TOWN_NORTH - index * _TOWN_PERIOD - 3000 * (hashed(index, 3, seed) - 0.5)
    across = river - 900
    radius = 900 + 900 * hashed(index, 4, seed)
    away = math.hypot(along, across)
    if away > 2 * radius:
        return 0.0
    edge = 1 + 0.55 * fractal(x / 700, y / 700, seed + 1, 4)
    return 1 - smooth_step(0.55 * radius, 1.15 * radius, away / edge)


@njit(cache=True, nogil=True)
def _lay_parcel(
    x: float, y: float, kind: int, pick: float, shares: Floats,
    share: Floats, seed: int,
) -> None:  # fmt: skip
    shift = min(20, int(21 * pick))
    thin = 0.22 * max(0.0, fractal(x / 90, y / 90, seed, 3) + 0.15)
    wet = 0.35 + 0.5 * gradient_noise(x / 6000, y / 6000, seed + 1) + 0.6 * (pick - 0.5)
    dark = min(1.0, max(0.0, wet + 0.35 * fractal(x / 160, y / 160, seed + 2, 3)))
    for m in range(_SOIL):
        share[m] = shares[kind, shift, m] * (1 - thin)
    soil = shares[kind, shift, _SOIL] + thin * (1 - shares[kind, shift, _SOIL])
    share[_DARK] += soil * dark
    share[_BRIGHT] += soil * (1 - dark)


@njit(cache=True, nogil=True)
def _blend(share: Floats, material: int, part: float) -> None:
    for m in range(_SOIL):
        share[m] *= 1 - part
    share[material] += part


@njit(cache=True, nogil=True)
def _crop(x: float, y: float, slope: float, pick: float, seed: int) -> int:
    if slope > 0.16:
        return _MEADOW
    vines = smooth_step(0.1, 0.35, gradient_noise(x / 9000, y / 9000, seed + 3))
    if slope > 0.05 and pick < 0.5 * vines:
        return _VINES
    if pick < 0.34:
        return _WHEAT
    if pick < 0.54:
        return _MAIZE
    if pick < 0.66:
        return _RAPE
    return _SUNFLOWER if pick < 0.76 else _MEADOW


@njit(cache=True, nogil=True)
def _lay_fields(
    x: float, y: float, slope: float, shares: Floats, share: Floats,
    seed: int,
) -> None:  # fmt: skip
    i, j, block_edge = block_at(x, y, seed + 20)
    row, step, edge = parcel_at(x, y, i, j, seed + 30)
    a, b = 1009 * i + 31 * row, 2003 * j + 17 * step
    kind = _crop(x, y, slope, hashed(a, b, seed + 40), seed)
    _lay_parcel(x, y, kind, hashed(a, b, seed + 41), shares, share, seed + 42)
    border = 1 - smooth_step(2, 13, edge)
    if border > 0:
        if hashed(a, b, seed + 43) < 0.35:
            for m in range(_SOIL):
                share[m] += border * (shares[_LEAF, 10, m] - share[m])
        else:
            _blend(share, _GRASS, 0.5 * border)
    road = 1 - smooth_step(3, 15, block_edge)
    if road > 0:
        _blend(share, _PAVING, 0.7 * road)


@njit(cache=True, nogil=True)
def _lay_woods(
    x: float, y: float, part: float, shares: Floats, share: Floats,
    seed: int,
) -> float:  # fmt: skip
    """Cover ``part`` with trees and return the brightness of their crowns, 1 on average."""
    needle = smooth_step(0.05, 0.25, fractal(x / 1500, y / 1500, seed + 50, 3) - 0.05)
    ahead = min(20, max(0, int(10 + 9 * gradient_noise(x / 700, y / 700, seed + 51))))
    for m in range(_SOIL):
        tree = (1 - needle) * shares[_LEAF, ahead, m] + needle * shares[_NEEDLE, 10, m]
        share[m] += part * (tree - share[m])
    crowns = (
        1
        + 0.10 * fractal(x / 40, y / 40, seed + 52, 2)
        + 0.16 * fractal(x / 260, y / 260, seed + 53, 3)
    )
    return 1 + part * (crowns - 1)


@njit(cache=True, nogil=True)
def _lay_town(x: float, y: float, part: float, share: Floats, seed: int) -> None:
    i, j = math.floor(x / 32), math.floor(y / 32)
    street = 1 - smooth_step(4, 14, abs((0.9 * x + 0.43 * y) % 120 - 60))
    street = max(street, 1 - smooth_step(4, 14, abs((0.43 * x - 0.9 * y) % 160 - 80)))
    roofs = 0.15 + 0.5 * hashed(i, j, seed + 60)
    green = 0.45 * hashed(i, j, seed + 61) * (1.2 - part)
    _blend(share, _LEAVES, part * 0.45)
    _blend(share, _ROOF, part * roofs * (1 - green))
    _blend(share, _PAVING, part * max(street, 0.55 * (1 - green)))


@njit(cache=True, nogil=True)
def _wood_part(x: float, y: float, height: float, slope: float, bank: float, seed: int) -> float:
    wild = fractal(x / 2600, y / 2600, seed + 54, 6) + 1.6 * (slope - 0.13)
    wild += 0.0011 * (height - 330)
    part = smooth_step(0.0, 0.035, wild - 0.06)
    if bank < 260:
        grove = 0.55 * fractal(x / 600, y / 600, seed + 55, 3) + 0.32 - bank / 260
        part = max(part, smooth_step(0.0, 0.1, grove))
    return part


@njit(cache=True, nogil=True)
def _lay(
    x: float, y: float, height: float, slope: float, river: tuple[float, float],
    shares: Floats, share: Floats, seed: int,
) -> tuple[float, float]:  # fmt: skip
    """Fill ``share`` for one place; return brightness and the share of water."""
    away, shore, half = river_distance(x, river), lake_distance(x, y), _PIXEL_M / 2
    bank = abs(away) - river_half_width(y)
    water = 1 - smooth_step(-half, half, min(bank, shore))
    bright = 1.0
    share[:] = 0
    if water < 1:
        _lay_fields(x, y, slope, shares, share, seed)
        trees = _wood_part(x, y, height, slope, bank, seed)
        if trees > 0:
            bright = _lay_woods(x, y, trees, shares, share, seed)
        town = _town(x, y, away, seed + 70)
        if town > 0:
            _lay_town(x, y, town, share, seed)
    if water > 0:
        silt = 0.15 + 0.6 * smooth_step(-40, 20, shore - bank)
        _blend(share, _CLEAR, water)
        share[_CLEAR] -= water * silt
        share[_SILTY] += water * silt
        bright += water * (1 + 0.06 * fractal(x / 300, y / 300, seed + 71, 3) - bright)
    return bright, water


@njit(cache=True, nogil=True)
def paint(
    height: NDArray[np.float32], x0: float, y0: float, step: float,
    shares: Floats, spectra: Floats, sun: tuple[float, float, float],
    seed: int, out: NDArray[np.uint16], water: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Fill ``out`` (bands, rows, cols; reflectance in 1e-4) and ``water`` (rows, cols; 0 or 1).

    ``height`` (rows + 2, cols + 2) has one more pixel on each side; (``x0``, ``y0``) is the
    centre of the first pixel of ``out``.
    """
    bands, rows, cols = out.shape
    share = np.zeros(_SOIL + 1)
    for row in range(rows):
        river = river_at(y0 - row * step)
        for col in range(cols):
            x, y = x0 + col * step, y0 - row * step
            east = (height[row + 1, col + 2] - height[row + 1, col]) / (2 * step)
            north = (height[row, col + 1] - height[row + 2, col + 1]) / (2 * step)
            slope = math.hypot(east, north)
            bright, wet = _lay(x, y, height[row + 1, col + 1], slope, river, shares, share, seed)
            facing = (sun[2] - east * sun[0] - north * sun[1]) / math.sqrt(1 + slope * slope)
            lit = 1 + _SHADE * (max(0.0, facing) / sun[2] - 1) * (1 - wet)
            for band in range(bands):
                total = 0.0
                for m in range(_SOIL):
                    total += share[m] * spectra[m, band]
                out[band, row, col] = max(1, int(10000 * total * bright * lit + 0.5))
            water[row, col] = 1 if wet > 0.5 else 0
