"""Rules on four bands: the haze of the air, evidence of cloud, and water.

All take TOA reflectance of blue, green, red and near infrared. Sources: the haze-optimised
transform HOT = blue - 0.5 red - 0.08 and the water test are equations 3 and 5 of Fmask (Zhu and
Woodcock 2012, RSE 118, 83-94), the slope limit of water is FORCE's. Numbers of our own were set
on the tuning part of the labelled chips, see ``benchmarks/mask_split.json``.
"""

import numpy as np
from numpy.typing import NDArray

CLEAR_HOT = 0.01
"""HOT of clear ground where nothing is known about the scene."""
CLOUD_HOT = 0.03
"""HOT above that of the clear ground around at which cloud and clear are as likely."""
HOT_WEIGHT = 100.0
"""Log-odds of cloud per unit of HOT."""
HOT_RANGE = (-0.02, 0.12)
"""HOT above clear ground beyond which more tells no more."""
WATER_SLOPE_DEG = 5.0
"""Ground steeper than this is not taken for water."""
AIR_OFFSET = (0.0708, 0.0416, 0.0239, 0.0104)
AIR_SLOPE = (0.802, 0.795, 0.877, 0.901)
"""Clear air as one line per band, TOA = offset + slope * surface: iCOR (MODTRAN) over Belgium at
aerosol optical depth 0.14 and sun zenith 44 degrees, R > 0.9998."""
AIR_HAZE = 0.02
"""HOT that the air of a usual scene has above that of ``AIR_OFFSET``."""

_TINY = np.float32(1e-4)


def as_toa(surface: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return surface reflectance as it would look through a usual sky, for these rules.

    Parameters
    ----------
    surface
        Surface reflectance (4, rows, cols) float32, 0-1, NaN = no data.

    Returns
    -------
    ndarray of float32
        TOA reflectance of the same shape.
    """
    offset, slope = (np.array(v, np.float32)[:, None, None] for v in (AIR_OFFSET, AIR_SLOPE))
    offset[0] += np.float32(AIR_HAZE)
    return np.asarray(offset + slope * surface, np.float32)


def hot(toa: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the haze-optimised transform of TOA (bands, ...) reflectance; clear land is near 0."""
    transform: NDArray[np.float32] = toa[0] - np.float32(0.5) * toa[2] - np.float32(0.08)
    return transform


def ndvi(toa: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vegetation index of TOA (bands, ...) reflectance, -1 to 1."""
    red, nir = toa[2], toa[3]
    index: NDArray[np.float32] = (nir - red) / np.maximum(nir + red, _TINY)
    return index


def cloud_evidence(
    toa: NDArray[np.float32], clear_hot: NDArray[np.float32] | float = CLEAR_HOT
) -> NDArray[np.float32]:
    """Return the log-odds of cloud that haze gives.

    Parameters
    ----------
    toa
        TOA reflectance (4 or more bands, rows, cols) float32, NaN = no data.
    clear_hot
        HOT of the clear ground around, (rows, cols) or one value.

    Returns
    -------
    ndarray of float32
        (rows, cols), NaN = no data. Snow has the HOT of cloud: nothing is said about it.
    """
    above = np.clip(hot(toa) - clear_hot, *HOT_RANGE)
    return np.asarray(HOT_WEIGHT * (above - CLOUD_HOT), np.float32)


def is_water(toa: NDArray[np.float32], flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return water: dark in the near infrared without vegetation, on flat ground.

    Parameters
    ----------
    toa
        TOA reflectance (4 or more bands, rows, cols) float32, NaN = no data.
    flat
        Ground less steep than ``WATER_SLOPE_DEG``, (rows, cols).
    """
    index = ndvi(toa)
    dark = ((index < 0.01) & (toa[3] < 0.15)) | ((index < 0.1) & (toa[3] < 0.05))
    result: NDArray[np.bool_] = dark & flat
    return result


def is_deep_water(toa: NDArray[np.float32], flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return water that is darker in the near infrared than land in the shadow of a cloud.

    Parameters are those of :func:`is_water`.
    """
    result: NDArray[np.bool_] = (ndvi(toa) < 0.1) & (toa[3] < 0.05) & flat
    return result


def is_lit(toa: NDArray[np.float32], land: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what is as bright in green as land is for the most part.

    A shadow is dark in every colour, water in the near infrared: what looks like water and is
    lit lies in no shadow.

    Parameters
    ----------
    toa
        TOA reflectance (4 or more bands, rows, cols) float32, NaN = no data.
    land
        Land in sight, (rows, cols); without any nothing is lit.
    """
    level = np.median(toa[1][land]) if land.any() else np.float32(np.inf)
    return np.asarray(toa[1] > level)


def is_flat(heights: NDArray[np.float32], resolution_m: float) -> NDArray[np.bool_]:
    """Return ground that water can cover.

    Parameters
    ----------
    heights
        Heights (rows, cols) in metres.
    resolution_m
        Pixel size in metres.
    """
    if min(heights.shape) < 2:
        return np.ones(heights.shape, np.bool_)
    south, east = np.gradient(heights, np.float32(resolution_m))
    limit = np.float32(np.tan(np.radians(WATER_SLOPE_DEG)))
    result: NDArray[np.bool_] = np.hypot(south, east) < limit
    return result
