"""Real Sentinel-2 images through the platform's look-up table, beside other people's correction.

Bands of Sentinel-2 have no gas coefficients of ours, so 6SV gives their gases; all scattering is
the table's own, convolved with the responses that Py6S brings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product, starmap
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from Py6S import PredefinedWavelengths

from processing.atmosphere.correct import gas_coupled
from processing.atmosphere.lut import CameraLut, Terms, response_lut, surface_pressure_hpa
from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs

BANDS = ("B02", "B03", "B04", "B08")
_TABLES = tuple(getattr(PredefinedWavelengths, f"S2A_MSI_{band[1:]}") for band in BANDS)
_MODEL = "continental"
_SCALE = 1e-4
_OFFSET = 1000
_FOUR = (2, 3, 4, 8)
_SUNS, _SIDES = (20.0, 30.0, 40.0, 50.0, 60.0, 70.0), (20.0, 90.0, 160.0)
_DEPTHS = (0.03, 0.1, 0.2, 0.4, 0.7, 1.0)
_WRAPPED = 3.0
"""Reflectance above which a negative value was wrapped around."""

Image = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Air:
    """Sun, view, haze, water vapour (g/cm2), ozone (DU) and height (m) of a scene."""

    sza: float
    vza: float
    raa: float
    aod: float
    water: float
    ozone: float
    height: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of each band: share of pixels inside 0.005 + 0.05 rho, percent, and mean difference."""

    inside: Mapping[str, float]
    bias: Mapping[str, float]


def against_two_solutions(folder: Path) -> tuple[Agreement, Air]:
    """Compare with the mean of iCOR's and SMAC's reflectance, for the haze and water they state."""
    toa, icor, smac, angles, stated = (
        _read(folder / f"s2_20190411_{name}.tif", count)
        for name, count in (
            ("toa", 4), ("sr_icor", 4), ("sr_smac", 4), ("angles", 4), ("aux_icor", 3)
        )
    )  # fmt: skip
    sza, saa, vza, vaa = (float(np.median(one)) for one in angles)
    aod, water, height_km = (float(np.median(one)) / 100 for one in stated)
    air = Air(sza, vza, abs(saa - vaa), aod, water, 330.0, 1000 * height_km)
    toa, icor, smac = (image * _SCALE for image in (toa, icor, smac))
    valid = (icor < _WRAPPED).all(0) & (smac < _WRAPPED).all(0) & (toa < 2 * _WRAPPED).all(0)
    return agreement(corrected(toa, air), (icor + smac) / 2, valid), air


def best_geometry(folder: Path, chip: str) -> tuple[Agreement, Air, int]:
    """Compare with Sen2Cor, whose angles and haze nobody kept: at those that fit best.

    The band at 1.38 um, dark under all but high cloud, reads 1010 to 1072 in every chip: their
    L1C holds the offset of 1000 that Sentinel-2 has had since 2022. Whether the L2A beside it
    holds one too differs from chip to chip; the better fit decides, and is returned last.
    """
    toa = (_read(folder / f"{chip}_S2L1C.tif", 4, _FOUR)[:, ::4, ::4] - _OFFSET) * _SCALE
    stored = _read(folder / f"{chip}_S2L2A.tif", 4, _FOUR)[:, ::4, ::4]
    tries = [(corrected(toa, air), air) for air in starmap(_guess, product(_SUNS, _SIDES, _DEPTHS))]
    found = []
    for offset in (0, _OFFSET):
        theirs = (stored - offset) * _SCALE
        valid = (toa > 0).all(0) & (theirs > 0).all(0)
        misfits = [_misfit(ours[:, valid], theirs[:, valid]) for ours, _ in tries]
        best = int(np.argmin(misfits))
        ours, air = tries[best]
        found.append((misfits[best], (agreement(ours, theirs, valid), air, offset)))
    return min(found, key=lambda one: one[0])[1]


def _guess(sza: float, raa: float, aod: float) -> Air:
    return Air(sza, 5.0, raa, aod, 2.0, 320.0, 50.0)


def _misfit(ours: Image, theirs: Image) -> float:
    return float(np.mean(np.minimum(np.abs(ours - theirs) / (0.005 + 0.05 * theirs), 3.0)))


def agreement(ours: Image, theirs: Image, valid: NDArray[np.bool_]) -> Agreement:
    """Compare two images (bands, rows, cols) where valid."""
    inside, bias = {}, {}
    for name, mine, other in zip(BANDS, ours, theirs, strict=True):
        error = (mine - other)[valid]
        inside[name] = float(100 * np.mean(np.abs(error) <= 0.005 + 0.05 * other[valid]))
        bias[name] = float(error.mean())
    return Agreement(inside, bias)


def corrected(toa: Image, air: Air) -> Image:
    """Return the surface reflectance of an image (bands, rows, cols)."""
    pressure = surface_pressure_hpa(air.height)
    terms, clear = (
        _lut().terms(
            _MODEL, sza=air.sza, vza=air.vza, raa=air.raa, pressure_hpa=pressure, aod=depth
        )
        for depth in (air.aod, 0.0)
    )
    known: Terms = gas_coupled(terms, clear.path, *_gases(air.sza, air.vza, air.water, air.ozone))
    path, way, albedo = (
        np.asarray(part, float)[:, None, None]
        for part in (known.path, known.transmittance, known.albedo)
    )
    ground: Image = (toa - path) / way
    return ground / (1 + albedo * ground)


@cache
def _lut() -> CameraLut:
    nm = np.arange(400.0, 1041.0)
    response = [
        np.interp(nm, 1000 * np.linspace(start, end, len(values)), values, 0.0, 0.0)
        for _, start, end, values in _TABLES
    ]
    return response_lut(nm, np.stack(response))


@cache
def _gases(
    sza: float, vza: float, water: float, ozone: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return transmittances above the haze, of all water and of half of it, one a band."""
    whole, half = (
        [
            run_sixs(
                SixsCase(sza, vza, 0.0, None, 0.0, amount, ozone),
                Spectrum(start, end, np.asarray(values)),
            ).gases
            for _, start, end, values in _TABLES
        ]
        for amount in (water, water / 2)
    )
    above = [each["ozone"] * each["oxygen"] for each in whole]
    return tuple(  # type: ignore[return-value]
        np.array(values, np.float32)
        for values in (above, [each["water"] for each in whole], [each["water"] for each in half])
    )


def _read(path: Path, bands: int, which: Sequence[int] | None = None) -> Image:
    with rasterio.open(path) as raster:
        image: Image = raster.read(list(which or range(1, bands + 1))).astype(float)
    return image
