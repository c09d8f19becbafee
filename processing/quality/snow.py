"""Snow: what is white like it, and how likely it lies, by season, place and a prior raster.

Snow and thick cloud have the same colour in four visible and near-infrared bands, and neither
brightness nor roughness parts them (smooth ice, rough forest under snow and every kind of cloud
overlap). So a white pixel where snow can lie is left to the network's word, which must be the
surer the likelier snow is; see ``fusion.py``.
"""

import math
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT

from catalog.errors import MaskError
from catalog.grid import Grid
from processing.quality.rules import ndvi
from processing.rasters import lies_on_earth

POSSIBLE = 0.05
"""Chance of snow on the ground below which white is not taken for snow."""
UNKNOWN = 0.4
"""Chance of snow on the ground where neither season nor place is known."""
EVEN_TEMPERATURE_C = -5.0
"""Monthly mean air temperature at which snow on the ground is as likely as none."""
TEMPERATURE_SPREAD_C = 5.0
"""Scale over which its chance changes with temperature; generous, as the temperature is zonal."""


def white(toa: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return what may be snow or thick cloud: bright, without vegetation, not redder than grey.

    Parameters
    ----------
    toa
        TOA reflectance (4 or more bands, rows, cols) float32, NaN = no data.
    """
    bright = toa[0] + toa[1] + toa[2] > np.float32(0.75)
    grey = (toa[0] > np.float32(0.95) * toa[2]) & (np.abs(ndvi(toa)) < 0.15)
    result: NDArray[np.bool_] = bright & grey
    return result


def chance_by_season(
    heights: NDArray[np.float32], latitude_deg: float, month: int | None
) -> NDArray[np.float32]:
    """Return the chance (0-1) of snow on the ground by season, latitude and height.

    The monthly mean air temperature is a zonal mean, 27 - 38 sin²(latitude) °C, with a yearly
    swing of 24 sin²(latitude) °C that peaks in July (January in the south), less 6.5 °C per
    kilometre of height.

    Parameters
    ----------
    heights
        Heights (rows, cols) in metres.
    latitude_deg
        Latitude of the scene, north positive.
    month
        Month of the observation, 1-12; None knows no season and gives ``UNKNOWN``.
    """
    if month is None:
        return np.full(heights.shape, UNKNOWN, np.float32)
    polar = math.sin(math.radians(latitude_deg)) ** 2
    season = math.cos(2 * math.pi * (month - 7) / 12) * math.copysign(1, latitude_deg)
    at_sea_level = 27 - 38 * polar + 24 * polar * season
    above = (at_sea_level - EVEN_TEMPERATURE_C - 0.0065 * heights) / TEMPERATURE_SPREAD_C
    return np.asarray(1 / (1 + np.exp(above)), np.float32)


def chance_by_prior(path: Path, grid: Grid) -> NDArray[np.float32]:
    """Return the chance (0-1) of snow that a prior raster gives, NaN where it says nothing.

    Parameters
    ----------
    path
        Raster of snow cover around the day of the scene in percent, 0-100, in any projection;
        other values, and its nodata value, say nothing.
    grid
        Frame of the result.

    Raises
    ------
    MaskError
        Not readable as a raster, or it does not say where it lies.
    """
    frame = {
        "crs": f"EPSG:{grid.epsg}",
        "transform": from_origin(grid.ulx, grid.uly, grid.resolution, grid.resolution),
        "width": grid.cols,
        "height": grid.rows,
    }
    try:
        with rasterio.open(path) as raster:
            if not lies_on_earth(raster):
                raise MaskError(f"{path}: a snow prior with a geographic or projected CRS wanted")
            with WarpedVRT(
                raster, nodata=np.nan, resampling=Resampling.nearest, dtype="float32", **frame
            ) as warped:
                percent = warped.read(1)
    except RasterioError as error:
        raise MaskError(f"{path}: not readable as a snow prior: {error}") from error
    known = (percent >= 0) & (percent <= 100)
    return np.where(known, percent / np.float32(100), np.float32(np.nan))
