"""Counts to top-of-atmosphere reflectance.

    rho = pi * L * d^2 / (ESUN * cos(sun zenith)),  L = slope * DN + intercept

with the radiance L in W m-2 sr-1 um-1, the band-mean solar irradiance ESUN in W m-2 um-1 at 1 au
and the Earth-Sun distance d in au. Slope, intercept, ESUN and d are constant over a scene and
fold into one scale and one offset a band; the cosine varies from pixel to pixel.
"""

import math
from datetime import UTC, datetime

import numba
import numpy as np
from numpy.typing import NDArray

from catalog.product import REFLECTANCE_SCALE
from processing.sensors import Calibration

Factors = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Scale and offset per band: rho * cos(sun zenith) = scale * DN + offset."""

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
_MAX_ENCODED = 65535.0


def earth_sun_distance_au(time: datetime) -> float:
    """Return the distance between Earth and Sun in au.

    Low-precision formula of the Astronomical Almanac (section C), within 1e-4 au from 1950 to
    2050. ``time`` is aware.
    """
    days = (time - _J2000).total_seconds() / 86400.0
    anomaly = math.radians(357.528 + 0.9856003 * days)
    return 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2.0 * anomaly)


def reflectance_factors(calibration: Calibration, time: datetime) -> Factors:
    """Return scale and offset per band of rho * cos(sun zenith) = scale * DN + offset.

    Parameters
    ----------
    calibration : Calibration
        Radiance coefficients and solar irradiance.
    time : datetime
        Aware time of the scene.

    Returns
    -------
    scale, offset : ndarray, shape (bands,), float64
    """
    distance = earth_sun_distance_au(time)
    per_radiance = math.pi * distance * distance / np.array(calibration.esun)
    return per_radiance * np.array(calibration.slope), per_radiance * np.array(
        calibration.intercept
    )


def counts_of(reflectance: float, factors: Factors, cos_sza: float) -> NDArray[np.float64]:
    """Return the count of each band, shape (bands,), that means a top-of-atmosphere reflectance.

    Parameters
    ----------
    reflectance : float
        0-1.
    factors : Factors
        See :func:`reflectance_factors`.
    cos_sza : float
        Cosine of the sun zenith angle.
    """
    scale, offset = factors
    return np.asarray((reflectance * cos_sza - offset) / scale, np.float64)


def usable_cosine(sun_zenith_deg: NDArray[np.float32], limit_deg: float) -> NDArray[np.float32]:
    """Return the cosine of sun zenith angles, 0 (no data) where the sun is below the limit.

    Parameters
    ----------
    sun_zenith_deg : ndarray of float32
        Degrees.
    limit_deg : float
        Largest zenith angle that can be corrected.
    """
    cosine = np.cos(np.radians(sun_zenith_deg))
    return np.where(sun_zenith_deg <= limit_deg, cosine, np.float32(0))


def toa_reflectance(
    dn: NDArray[np.uint16], factors: Factors, cos_sza: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return top-of-atmosphere reflectance.

    Parameters
    ----------
    dn : ndarray, shape (bands, rows, cols), uint16
        Counts, 0 = no data.
    factors : Factors
        See :func:`reflectance_factors`.
    cos_sza : ndarray, shape (rows, cols), float32
        Cosine of the sun zenith angle.

    Returns
    -------
    ndarray, shape (bands, rows, cols), float32
        Reflectance; NaN where any band has no data or the sun is not above the horizon.
    """
    scale, offset = (factor.astype(np.float32)[:, None, None] for factor in factors)
    usable = (dn != 0).all(axis=0) & (cos_sza > 0)
    inverse = np.full(cos_sza.shape, np.nan, np.float32)
    np.divide(1.0, cos_sza, out=inverse, where=usable)
    reflectance: NDArray[np.float32] = dn * scale
    reflectance += offset
    reflectance *= inverse
    return reflectance


def toa_encoded(
    dn: NDArray[np.uint16], factors: Factors, cos_sza: NDArray[np.float32]
) -> NDArray[np.uint16]:
    """Return top-of-atmosphere reflectance as the product stores it, in one pass.

    Takes what :func:`toa_reflectance` takes.

    Returns
    -------
    ndarray, shape (bands, rows, cols), uint16
        Reflectance in steps of ``REFLECTANCE_SCALE``, clamped to 1-65535; 0 where any band has
        no data or the sun is not above the horizon.
    """
    scale, offset = (factor.astype(np.float32) for factor in factors)
    encoded = np.empty_like(dn)
    _encode(dn, scale, offset, np.asarray(cos_sza, np.float32), encoded)
    return encoded


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _encode(
    dn: NDArray[np.uint16],
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    cos_sza: NDArray[np.float32],
    encoded: NDArray[np.uint16],
) -> None:
    bands, rows, cols = dn.shape
    one, half, top = np.float32(1.0), np.float32(0.5), np.float32(_MAX_ENCODED)
    steps = np.float32(1.0 / REFLECTANCE_SCALE)
    factor = np.empty(cols, np.float32)
    for row in range(rows):
        # A factor of 0 marks fill for all bands of the pixel; the loops stay free of branches.
        for col in range(cols):
            cosine = cos_sza[row, col]
            factor[col] = steps / cosine if cosine > 0 else np.float32(0.0)
        for band in range(bands):
            for col in range(cols):
                factor[col] = factor[col] if dn[band, row, col] else np.float32(0.0)
        for band in range(bands):
            for col in range(cols):
                value = (dn[band, row, col] * scale[band] + offset[band]) * factor[col] + half
                value = min(max(value, one), top)
                encoded[band, row, col] = np.uint16(value) if factor[col] > 0 else np.uint16(0)
