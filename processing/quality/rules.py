"""Rules on four bands: evidence of cloud, water, snow, and where snow can lie at all.

All take TOA reflectance of blue, green, red and near infrared. Sources: the haze-optimised
transform HOT = blue - 0.5 red - 0.08 and the water test are equations 3 and 5 of Fmask (Zhu and
Woodcock 2012, RSE 118, 83-94), the slope limit of water is FORCE's. The weights of the fusion
were set on labelled Landsat-8 and Sentinel-2 chips; see ``benchmarks/quality.py``.
"""

import numpy as np
from numpy.typing import NDArray

HOT_NEUTRAL = 0.065
"""HOT at which the rules speak neither for nor against cloud."""
HOT_WEIGHT = 40.0
"""Log-odds of cloud per unit of HOT."""
CLOUD_BRIGHTNESS = 0.20
"""Mean visible reflectance below which the rules never speak for cloud."""
SNOW_WEIGHT = 4.0
"""Log-odds against cloud on pixels that look like snow where snow can lie."""
WATER_SLOPE_DEG = 5.0
"""Ground steeper than this is not taken for water."""
SNOW_TEMPERATURE_C = 10.0
"""Monthly mean air temperature above which lasting snow is ruled out."""

_TINY = np.float32(1e-4)


def hot(toa: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the haze-optimised transform of TOA (bands, ...) reflectance; clear land is near 0."""
    transform: NDArray[np.float32] = toa[0] - np.float32(0.5) * toa[2] - np.float32(0.08)
    return transform


def ndvi(toa: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vegetation index of TOA (bands, ...) reflectance, -1 to 1."""
    red, nir = toa[2], toa[3]
    index: NDArray[np.float32] = (nir - red) / np.maximum(nir + red, _TINY)
    return index


def cloud_evidence(toa: NDArray[np.float32], can_snow: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return log-odds of cloud that the rules add to those of the network.

    Parameters
    ----------
    toa
        TOA reflectance (4 or more bands, rows, cols) float32, NaN = no data.
    can_snow
        Where snow can lie, (rows, cols).

    Returns
    -------
    ndarray of float32
        (rows, cols), NaN = no data. Never positive on dark pixels, nor where a pixel looks like
        snow and snow can lie: there HOT is high on snow and on cloud alike.
    """
    evidence = np.float32(HOT_WEIGHT) * (hot(toa) - np.float32(HOT_NEUTRAL))
    dark = toa[:3].mean(axis=0) < CLOUD_BRIGHTNESS
    evidence = np.where(dark, np.minimum(evidence, 0), evidence)
    evidence = np.where(can_snow & white(toa), np.minimum(evidence, 0), evidence)
    against = np.where(can_snow & snow_like(toa), np.float32(SNOW_WEIGHT), np.float32(0))
    return np.asarray(evidence - against, np.float32)


def white(toa: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return bright pixels without vegetation, bluer than bare soil: snow or thick cloud."""
    bright = toa[:3].mean(axis=0) > 0.3
    result: NDArray[np.bool_] = bright & (toa[0] > toa[2]) & (np.abs(ndvi(toa)) < 0.15)
    return result


def snow_like(toa: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return white pixels with the visible colour of snow: blue over red, green under it.

    Light that reaches low ground twice crosses the whole Rayleigh atmosphere, which lifts blue
    over red more than above a cloud top.
    """
    blue, green, red = toa[:3]
    result: NDArray[np.bool_] = white(toa) & (blue > 1.04 * red) & (green < 0.955 * red)
    return result


def is_snow(toa: NDArray[np.float32], can_snow: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return snow among the pixels that are not cloud: white, where snow can lie."""
    result: NDArray[np.bool_] = white(toa) & can_snow
    return result


def is_water(toa: NDArray[np.float32], flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return water: dark in the near infrared without vegetation, on flat ground.

    Parameters
    ----------
    toa
        TOA reflectance (4 or more bands, rows, cols) float32, NaN = no data.
    flat
        Ground less steep than ``WATER_SLOPE_DEG``, (rows, cols).
    """
    index, nir = ndvi(toa), toa[3]
    dark = ((index < 0.01) & (nir < 0.11)) | ((index < 0.1) & (nir < 0.05))
    result: NDArray[np.bool_] = dark & flat
    return result


def is_deep_water(toa: NDArray[np.float32], flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return water that is darker in the near infrared than land in the shadow of a cloud.

    Parameters are those of :func:`is_water`.
    """
    result: NDArray[np.bool_] = (ndvi(toa) < 0.1) & (toa[3] < 0.05) & flat
    return result


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


def can_snow_lie(
    heights: NDArray[np.float32], latitude_deg: float, month: int | None
) -> NDArray[np.bool_]:
    """Return where the season leaves room for snow.

    The monthly mean air temperature is a zonal mean, 27 - 38 sin²(latitude) °C, with a yearly
    swing of 24 sin²(latitude) °C that peaks in July (January in the south), less 6.5 °C per
    kilometre of height. It is coarse, so its limit is generous.

    Parameters
    ----------
    heights
        Heights (rows, cols) in metres.
    latitude_deg
        Latitude of the scene, north positive.
    month
        Month of the observation, 1-12; None leaves room everywhere.
    """
    if month is None:
        return np.ones(heights.shape, np.bool_)
    polar = np.sin(np.radians(latitude_deg)) ** 2
    season = np.cos(2 * np.pi * (month - 7) / 12) * np.sign(latitude_deg)
    sea_level = 27 - 38 * polar + 24 * polar * season
    result: NDArray[np.bool_] = sea_level - 0.0065 * heights < SNOW_TEMPERATURE_C
    return result
