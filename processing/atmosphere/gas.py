"""Absorption by ozone, water vapour and oxygen in the bands of a camera.

Each gas multiplies: its two-way optical depth is ``exp(c0 + c1 x + c2 x^2)`` with x the
logarithm of amount times airmass 1/cos(sza) + 1/cos(vza). The coefficients are fits to 6SV over
the whole band response (``gasfit.py``) and therefore no independent check of it.

Columns without measurement follow van Heuklon (1979), Solar Energy 22, 63-68, for ozone, and
the AFGL standard atmospheres (McClatchey et al. 1972) by latitude and season for water.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from processing.atmosphere.rayleigh import STANDARD_PRESSURE_HPA
from processing.sensors import camera

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]

_WATER_SCALE = 8434.0 / 2000.0
"""Exponent of water above the ground as a power of pressure: scale heights 8434 m and 2 km."""

_WATER_LATITUDES_DEG = (15.0, 45.0, 60.0)
_WATER_SUMMER_G_CM2 = (4.12, 2.93, 2.10)
_WATER_WINTER_G_CM2 = (4.12, 0.853, 0.419)
"""Tropical, mid-latitude and subarctic standard atmospheres."""


@dataclass(frozen=True, slots=True)
class GasColumns:
    """Vertical columns: ozone in DU, water vapour in g/cm2 (cm), and origin.

    Water vapour counts from the height of pressure ``water_base_hpa`` upwards: that of the sea, or
    of the ground where it was found there, as by an analysis.
    """

    ozone_du: float = 300.0
    water_vapour_g_cm2: float = 2.0
    source: str = "default"
    water_base_hpa: float = STANDARD_PRESSURE_HPA


@dataclass(frozen=True, slots=True)
class GasTransmittance:
    """Two-way transmittances, shape (bands, ...), float32.

    ``above`` is that of ozone and oxygen, which lie above or all along the way and dim the whole
    signal; ``water`` that of the whole water column, ``half_water`` that of half of it, which
    light scattered by haze has met on average.
    """

    above: Float32Array
    water: Float32Array
    half_water: Float32Array


def gas_climatology(latitude: float, month: int) -> GasColumns:
    """Return typical columns of a latitude (degrees) and month (1-12)."""
    return GasColumns(
        _van_heuklon_du(latitude, month),
        _standard_water_g_cm2(latitude, month),
        "climatology: van Heuklon (1979) ozone, AFGL standard atmospheres' water vapour",
    )


def _van_heuklon_du(latitude: float, month: int) -> float:
    """Zonal mean of the model, without its term of longitude."""
    day = (month - 0.5) * 30.4
    north = latitude >= 0
    amplitude, season, phase, latitude_factor = (
        (150.0, 40.0, -30.0, 1.28) if north else (100.0, 30.0, 152.625, 1.5)
    )
    cycle = amplitude + season * np.sin(np.deg2rad(0.9865 * (day + phase)))
    zone = np.sin(np.deg2rad(latitude_factor * latitude)) ** 2
    return float(235.0 + cycle * zone)


def _standard_water_g_cm2(latitude: float, month: int) -> float:
    summer = np.interp(abs(latitude), _WATER_LATITUDES_DEG, _WATER_SUMMER_G_CM2)
    winter = np.interp(abs(latitude), _WATER_LATITUDES_DEG, _WATER_WINTER_G_CM2)
    warmest = 7 if latitude >= 0 else 1
    warmth = 0.5 + 0.5 * np.cos(2 * np.pi * (month - warmest) / 12)
    return float(winter + (summer - winter) * warmth)


def gas_transmittance(
    camera_name: str,
    columns: GasColumns,
    *,
    sza: ArrayLike,
    vza: ArrayLike,
    pressure_hpa: ArrayLike,
) -> GasTransmittance:
    """Return the transmittance of each band of a camera.

    Parameters
    ----------
    camera_name
        E.g. "GF6WFV".
    columns
        The columns; water between their base and the ground is taken off, or added below it.
    sza, vza
        Sun and view zenith angles, degrees below 85; broadcast with ``pressure_hpa``.
    pressure_hpa
        Surface pressure, hPa.

    Returns
    -------
    GasTransmittance of shape (bands, *points); NaN where an input is NaN.
    """
    sun, view, pressure = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (sza, vza, pressure_hpa))
    )
    airmass = 1 / np.cos(np.deg2rad(sun)) + 1 / np.cos(np.deg2rad(view))
    relative = pressure / STANDARD_PRESSURE_HPA
    water = columns.water_vapour_g_cm2 * airmass
    water = water * (pressure / columns.water_base_hpa) ** _WATER_SCALE
    ozone = columns.ozone_du / 1000 * airmass
    bands = _coefficients()[camera(camera_name).name]
    above = [
        _transmittance(band["ozone"], ozone)
        * _transmittance(band["oxygen"], relative ** band["oxygen_pressure_exponent"] * airmass)
        for band in bands
    ]
    return GasTransmittance(
        np.stack(above).astype(np.float32),
        np.stack([_transmittance(band["water"], water) for band in bands]).astype(np.float32),
        np.stack([_transmittance(band["water"], water / 2) for band in bands]).astype(np.float32),
    )


def _transmittance(coefficients: list[float] | None, amount: FloatArray) -> FloatArray:
    """Transmittance of an amount times airmass; 1 where the gas does not absorb."""
    if coefficients is None:
        return np.where(np.isnan(amount), np.nan, 1.0)
    c0, c1, c2 = coefficients
    x = np.log(np.maximum(amount, 1e-12))
    return np.asarray(np.exp(-np.exp(c0 + c1 * x + c2 * x**2)))


@cache
def _coefficients() -> dict[str, list[dict[str, Any]]]:
    table = json.loads(files("processing.data").joinpath("gas.json").read_text())
    cameras: dict[str, list[dict[str, Any]]] = table["cameras"]
    return cameras
