"""Real land: reflectance and heights from rasters, brought to the scene's ground grid."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject

from catalog.errors import DemError, ImageError
from catalog.grid import Grid
from processing.sensors import camera
from processing.simulate.ground import Ground
from processing.simulate.spec import RealLand

_DARKEST_LAND_NIR = 0.10
_BRIGHTEST = 2.0
"""Reflectance above which a value is a wrapped negative or a saturated pixel: no data."""


def real_ground(land: RealLand, grid: Grid, camera_name: str) -> Ground:
    """Return the land of a raster on ``grid``; 0 where the raster has no value.

    Bands that the raster has under the same name are taken as they are, others are
    interpolated by their central wavelength. Water is where green is above a dark near infrared.
    """
    known = {name: _band(land, index, grid) for name, index in land.bands}
    wanted = {b.name: b.center_nm for b in camera(camera_name).bands}
    bands = np.stack([_spectral(name, wanted, known) for name in wanted])
    lost = ~np.isfinite(bands).all(axis=0)
    encoded = np.clip(np.rint(1e4 * np.nan_to_num(bands)), 1, 65535).astype(np.uint16)
    encoded[:, lost] = 0
    if lost.all():
        raise ImageError(f"{land.raster}: no pixel with values below the scene; check its place")
    water = (known["green"] > known["nir"]) & (known["nir"] < _DARKEST_LAND_NIR)
    height = real_heights(land, f"EPSG:{grid.epsg}", Affine(*grid.transform), grid.shape)
    return Ground(grid, encoded, height, water.astype(np.uint8))


def real_heights(
    land: RealLand, crs: str, transform: Affine, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the DEM's heights on a frame; its mean where it has none, 0 without a DEM."""
    if land.dem is None:
        return np.zeros(shape, np.float32)
    out = _warped(land.dem, 1, crs, transform, shape, Resampling.bilinear)
    seen = np.isfinite(out)
    if not seen.any():
        raise DemError(f"{land.dem}: no heights below the scene; check its place")
    return np.where(seen, out, out[seen].mean()).astype(np.float32)


def height_limits(land: RealLand) -> tuple[float, float]:
    """Return the lowest and highest height of the DEM, metres; 0 and 0 without one."""
    if land.dem is None:
        return 0.0, 0.0
    with rasterio.open(land.dem) as raster:
        values = raster.read(1, masked=True)
    return float(values.min()), float(values.max())


def _band(land: RealLand, index: int, grid: Grid) -> NDArray[np.float32]:
    return _warped(
        land.raster, index, f"EPSG:{grid.epsg}", Affine(*grid.transform), grid.shape,
        Resampling.average, land.scale, _BRIGHTEST,
    )  # fmt: skip


def _warped(
    path: Path,
    index: int,
    crs: str,
    transform: Affine,
    shape: tuple[int, int],
    resampling: Resampling,
    scale: float = 1.0,
    most: float = math.inf,
) -> NDArray[np.float32]:
    out = np.full(shape, np.nan, np.float32)
    with rasterio.open(path) as raster:
        values = raster.read(index, masked=True).astype(np.float32).filled(np.nan)
        values[values * scale > most] = np.nan
        reproject(
            values * np.float32(scale),
            out,
            src_crs=raster.crs,
            src_transform=raster.transform,
            dst_crs=crs,
            dst_transform=transform,
            src_nodata=np.nan,
            dst_nodata=np.nan,
            resampling=resampling,
        )
    return out


def _spectral(
    name: str, wanted: Mapping[str, float], known: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    if name in known:
        return known[name]
    near = sorted(known, key=lambda other: abs(wanted[other] - wanted[name]))
    below = [other for other in near if wanted[other] < wanted[name]]
    above = [other for other in near if wanted[other] > wanted[name]]
    if not below or not above:
        return known[near[0]]
    low, high = below[0], above[0]
    part = np.float32((wanted[name] - wanted[low]) / (wanted[high] - wanted[low]))
    return known[low] + part * (known[high] - known[low])
