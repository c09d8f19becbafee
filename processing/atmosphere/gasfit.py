"""Offline fit of the gas terms of every camera band to 6SV, over the band's whole response.

``gas.py`` reads the result, ``processing/data/gas.json``. These coefficients come from 6SV
itself, so a comparison of gas terms with 6SV checks the fit and is no independent proof.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs
from processing.sensors import camera, camera_names

FloatArray = NDArray[np.float64]

_WATER_G_CM2 = (0.2, 0.7, 2.0, 4.5)
_OZONE_DU = (180.0, 270.0, 350.0, 480.0)
_ZENITHS_DEG = ((10.0, 5.0), (45.0, 20.0), (65.0, 40.0))
_HEIGHTS_KM = (0.0, 2.0, 4.0)
_SIXS_PRESSURE_HPA = 1013.0
"""Sea level in 6SV."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """Two-way transmittances of one 6SV run, airmass 1/cos(sza) + 1/cos(vza)."""

    airmass: float
    water_g_cm2: float
    ozone_du: float
    pressure: float
    transmittance: dict[str, float]


def fit_gases(path: Path, progress: Callable[[str, float], None] | None = None) -> None:
    """Fit all bands of all cameras and write the table; about three CPU minutes.

    Every gas follows optical depth = exp(c0 + c1 x + c2 x^2) with x = ln(amount * airmass);
    amounts are g/cm2 of water, DU / 1000 of ozone, and for oxygen (p / 1013.25 hPa)**q.
    """
    bands: dict[str, list[dict[str, object]]] = {}
    jobs = [(name, number) for name in camera_names() for number in range(len(camera(name).bands))]
    for done, (name, number) in enumerate(jobs):
        bands.setdefault(name, []).append(_fit_band(name, number))
        if progress is not None:
            progress(f"{name} band {number + 1}", (done + 1) / len(jobs))
    table = {
        "source": "fit to 6SV1.1 over the full band response (processing/atmosphere/gasfit.py); "
        "not independent of 6SV",
        "form": "optical depth = exp(c0 + c1 x + c2 x^2), x = ln(amount * airmass); amount: "
        "water g/cm2, ozone DU/1000, oxygen (p/1013.25 hPa)**pressure_exponent",
        "cameras": bands,
    }
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _fit_band(name: str, number: int) -> dict[str, object]:
    level = [
        _run(name, number, zeniths, water, ozone, 0.0)
        for zeniths, (water, ozone) in product(
            _ZENITHS_DEG, zip(_WATER_G_CM2, _OZONE_DU, strict=True)
        )
    ]
    high = [_run(name, number, _ZENITHS_DEG[1], 1.0, 300.0, height) for height in _HEIGHTS_KM]
    exponent = _pressure_exponent(high)
    airmass = np.array([sample.airmass for sample in level])
    amounts = {
        "water": np.array([sample.water_g_cm2 for sample in level]),
        "ozone": np.array([sample.ozone_du / 1000 for sample in level]),
        "oxygen": np.ones(len(level)),
    }
    fits: dict[str, object] = {"band": camera(name).bands[number].name}
    for gas, amount in amounts.items():
        seen = np.array([sample.transmittance[gas] for sample in level])
        fits[gas] = _fit(amount * airmass, seen)
    fits["oxygen_pressure_exponent"] = exponent
    return fits


def _fit(amount: FloatArray, transmittance: FloatArray) -> list[float] | None:
    """Coefficients c0, c1, c2, or None where the gas does not absorb in the band.

    Weights make the misfit one of transmittance.
    """
    if transmittance.min() > 0.9995:
        return None
    depth = -np.log(np.clip(transmittance, 1e-6, 1 - 1e-6))
    weight = depth * transmittance
    x = np.log(amount)
    degree = 2 if np.unique(np.round(amount, 6)).size > 3 else 1
    fit = np.polynomial.polynomial.polyfit(x, np.log(depth), degree, w=weight)
    return [float(f"{value:.6g}") for value in (*fit, 0.0)[:3]]


def _pressure_exponent(samples: list[_Sample]) -> float:
    """Exponent q of oxygen's effective amount (p / p0)**q, 0 where it does not absorb."""
    depth = -np.log([sample.transmittance["oxygen"] for sample in samples])
    if depth[0] < 5e-4:
        return 0.0
    pressure = np.log([sample.pressure for sample in samples])
    return float(f"{np.polyfit(pressure, np.log(depth), 1)[0]:.4g}")


def _run(
    name: str,
    number: int,
    zeniths_deg: tuple[float, float],
    water_g_cm2: float,
    ozone_du: float,
    height_km: float,
) -> _Sample:
    """Run 6SV once without aerosol."""
    sza, vza = zeniths_deg
    case = SixsCase(
        sza,
        vza,
        90.0,
        aerosol=None,
        water_g_cm2=water_g_cm2,
        ozone_du=ozone_du,
        height_km=height_km,
    )
    terms = run_sixs(case, Spectrum.of_band(name, number))
    airmass = float(np.sum(1 / np.cos(np.deg2rad(zeniths_deg))))
    pressure = terms.pressure_hpa / _SIXS_PRESSURE_HPA
    return _Sample(airmass, water_g_cm2, ozone_du, pressure, terms.gases)
