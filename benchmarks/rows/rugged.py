"""Rugged land whose light is known: a sun that mountains block, and a sky that they hide.

Nothing here is shared with the correction under test. Heights are drawn by their spectrum, the
direct light falls on central differences of them and is followed towards the sun, and the sky is
what the horizon in 24 directions leaves of it (Dozier and Frew 1990, IEEE TGRS 28, 963-969), with
what the slopes opposite reflect. Land scatters alike into all directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from scipy.ndimage import map_coordinates

from catalog.grid import Grid

Floats = NDArray[np.float64]

REFLECTANCE = np.array([
    [0.025, 0.05, 0.09, 0.14],
    [0.045, 0.08, 0.13, 0.18],
    [0.030, 0.05, 0.16, 0.22],
    [0.280, 0.36, 0.27, 0.30],
])  # fmt: skip
"""Of blue, green, red and near infrared for four covers: woods, meadows, two kinds of soil."""
_DIRECTIONS = 24
_REACHES = (1, 2, 3, 4, 6, 8, 11, 15, 20, 28, 40, 60, 90)
_STEPS = 250


@dataclass(frozen=True, slots=True)
class RuggedLand:
    """Level reflectance (bands, rows, cols), the same as the light makes it look, and where."""

    level: Floats
    seen: Floats
    heights: Floats
    lit: NDArray[np.bool_]
    cover: NDArray[np.intp]


def mountains(shape: tuple[int, int], resolution_m: float, relief_m: float, seed: int) -> Floats:
    """Return heights with slopes as mountains have them, metres."""
    rng = np.random.default_rng(seed)
    row, col = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    wave = np.hypot(row, col) / resolution_m
    power = np.where(wave > 0, (1 / 6000 + wave) ** -2.1 * np.exp(-((90 * wave) ** 2)), 0)
    phase = rng.normal(size=wave.shape) + 1j * rng.normal(size=wave.shape)
    ground = np.fft.irfft2(power * phase, s=shape)
    return np.asarray((ground - ground.min()) / np.ptp(ground) * relief_m)


def covers(shape: tuple[int, int], heights: Floats, seed: int) -> NDArray[np.intp]:
    """Return patches of four covers; woods keep to slopes that face away from the south."""
    rng = np.random.default_rng(seed)
    fields = []
    for _ in range(4):
        coarse = rng.normal(size=(shape[0] // 12 + 3, shape[1] // 12 + 3))
        at = np.indices(shape) / 12
        fields.append(map_coordinates(coarse, at, order=1))
    fields[0] += 0.8 * np.sign(np.gradient(heights, axis=0))
    return np.asarray(np.argmax(fields, axis=0))


def level_land(cover: NDArray[np.intp]) -> Floats:
    """Return the reflectance (bands, rows, cols) of covers on level ground, with some scatter."""
    scatter = np.random.default_rng(1).normal(1, 0.05, (len(REFLECTANCE), *cover.shape))
    return np.asarray(REFLECTANCE[:, cover] * scatter)


def lit_land(
    level: Floats,
    heights: Floats,
    cover: NDArray[np.intp],
    resolution_m: float,
    sun: tuple[float, float],
    direct: Sequence[float],
) -> RuggedLand:
    """Return land as it looks under a sun.

    Parameters
    ----------
    level
        Reflectance 0-1, (bands, rows, cols).
    heights
        Metres, (rows, cols).
    cover
        Kind of land, (rows, cols).
    resolution_m
        Pixel size.
    sun
        Azimuth from the grid's north and zenith, degrees.
    direct
        Share of the direct light of all light on level ground, per band.
    """
    azimuth, zenith = np.radians(sun)
    fall, rise = np.gradient(heights, resolution_m)
    incidence = np.cos(zenith) - np.sin(zenith) * (rise * np.sin(azimuth) - fall * np.cos(azimuth))
    incidence /= np.sqrt(1 + fall**2 + rise**2)
    lit = (incidence > 0) & ~_blocked(heights, resolution_m, azimuth, zenith)
    sky, opposite = _sky(heights, resolution_m, fall, rise)
    beam = np.where(lit, incidence / np.cos(zenith), 0)
    light = [
        share * beam + (1 - share) * sky + opposite * band.mean()
        for share, band in zip(direct, level, strict=True)
    ]
    return RuggedLand(level, level * light, heights, lit, cover)


def _blocked(heights: Floats, resolution_m: float, azimuth: float, zenith: float) -> Any:
    """Return where relief stands between ground and sun."""
    row, col = np.indices(heights.shape, np.float64)
    hidden = np.zeros(heights.shape, bool)
    top = heights.max()
    for step in range(1, _STEPS):
        ray = heights + step * resolution_m / np.tan(zenith)
        if ray.min() > top:
            break
        at = [row - step * np.cos(azimuth), col + step * np.sin(azimuth)]
        hidden |= map_coordinates(heights, at, order=1, mode="nearest") > ray
    return hidden


def _sky(heights: Floats, resolution_m: float, fall: Floats, rise: Floats) -> tuple[Floats, Floats]:
    """Return the share of the sky that ground sees, and that of slopes opposite."""
    row, col = np.indices(heights.shape, np.float64)
    slope = np.arctan(np.hypot(fall, rise))
    facing = np.arctan2(-rise, fall)
    seen = np.zeros(heights.shape)
    for turn in np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS:
        tangent = np.full(heights.shape, 0.0)
        for reach in _REACHES:
            at = [row - reach * np.cos(turn), col + reach * np.sin(turn)]
            far = map_coordinates(heights, at, order=1, mode="nearest")
            tangent = np.maximum(tangent, (far - heights) / (reach * resolution_m))
        horizon = np.pi / 2 - np.arctan(tangent)
        # No lower than the slope itself lets the sky reach down.
        plane = np.arctan2(1.0, -np.tan(slope) * np.cos(turn - facing))
        horizon = np.minimum(horizon, np.clip(plane, 0, np.pi / 2))
        seen += np.cos(slope) * np.sin(horizon) ** 2 + np.sin(slope) * np.cos(turn - facing) * (
            horizon - np.sin(horizon) * np.cos(horizon)
        )
    view = np.clip(seen / _DIRECTIONS, 0, 1)
    return view, np.maximum((1 + np.cos(slope)) / 2 - view, 0)


def write_heights(path: Path, heights: Floats, grid: Grid) -> None:
    """Write heights above the ellipsoid on a lattice of one second, read from those of ``grid``."""
    step = 1 / 3600
    corner = np.array([-60.0, grid.rows + 60]), np.array([-60.0, grid.cols + 60])
    lon, lat = grid.lonlat(*corner)
    rows, cols = int(np.ptp(lat) / step), int(np.ptp(lon) / step)
    west, north = float(lon.min()), float(lat.max())
    at = np.meshgrid(west + (np.arange(cols) + 0.5) * step, north - (np.arange(rows) + 0.5) * step)
    place = np.stack(grid.rowcol(*at))
    values = map_coordinates(heights, place, order=3, mode="nearest").astype(np.float32)
    with rasterio.open(
        path, "w", driver="GTiff", width=cols, height=rows, count=1, dtype="float32",
        crs="EPSG:4979", transform=from_origin(west, north, step, step),
    ) as raster:  # fmt: skip
        raster.write(values, 1)
