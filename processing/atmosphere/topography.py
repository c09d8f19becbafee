"""Reflectance of slopes as if they were level: sun-canopy-sensor with the C of Teillet (SCS+C).

Trees stand upright on a slope, so what the sun lights of a canopy changes with the slope (SCS: Gu
and Gillespie 1998, RSE 64, 166-175); the light of the sky, which reaches what the sun does not, is
told by C (Soenen et al. 2005, IEEE TGRS 43, 2148-2159)::

    level = seen (cos(slope) cos(sun zenith) + c) / (cos(incidence) + c)

C = a / b of the line seen = a + b cos(incidence), a number for each band (Teillet et al. 1982,
Canadian Journal of Remote Sensing 8, 84-106). The line is found in classes of NDVI apart, through
medians, and the classes are brought together by what each reflects on level ground, so that other
covers on sunny than on shady slopes are not taken for light.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from processing.geometry.slope import Illumination

Float32Array = NDArray[np.float32]
Floats = NDArray[np.float64]

FIT_SLOPE_DEG: Final = 5.0
"""Slope from which ground tells of the light on slopes, and from which it is corrected in full."""
_LEAST_SLOPE_DEG: Final = 2.0
"""Slope up to which ground counts as level: the noise of a height model is as much."""
_STEEPEST_DEG: Final = 60.0
"""Slope beyond which heights of 30 m are in error rather than true."""
_LOWEST, _HIGHEST = 0.4, 2.5
"""Bounds of the factor: grazing light tells nothing that a larger one could bring out."""
_CLASSES: Final = (-1.0, 0.2, 0.4, 0.55, 0.7, 0.8, 1.01)
_BIN: Final = 0.04
"""Width of the classes of cos(incidence) whose medians make a line."""
_LEAST_IN_BIN: Final = 25
_LEAST_SPAN: Final = 0.2
"""Range of cos(incidence) that a line must cover."""
_LEAST_EFFECT: Final = 0.02
"""Relative rise of reflectance over cos(incidence) from 0 to 1 below which relief does not show."""


@dataclass(frozen=True, slots=True)
class SlopeSample:
    """Clear, sunlit, sloping land: reflectance (bands, n), float32, and its light, (n,)."""

    reflectance: Float32Array
    light: Illumination


def fit_c(sample: SlopeSample, red: int, nir: int) -> tuple[float | None, ...] | None:
    """Return C of each band.

    Parameters
    ----------
    sample
        Land of the scene with slopes of at least ``FIT_SLOPE_DEG``.
    red, nir
        Numbers of these bands, from 0.

    Returns
    -------
    tuple or None
        Per band C, from 0, or None where reflectance does not rise with the light; None where the
        land is too little or too level to tell.
    """
    ndvi = _ndvi(sample.reflectance[red], sample.reflectance[nir])
    kinds = np.digitize(ndvi, _CLASSES)
    incidence = sample.light.incidence
    level = float(np.mean(sample.light.sun)) if incidence.size else 1.0
    rises: list[Floats] = []
    weights: list[float] = []
    for kind in range(1, len(_CLASSES)):
        here = kinds == kind
        found = _relative_rise(sample.reflectance[:, here], incidence[here], level)
        if found is not None:
            rises.append(found[0])
            weights.append(found[1])
    if not rises:
        return None
    rise = np.average(rises, axis=0, weights=weights)
    return tuple(
        max(1.0 / each - level, 0.0) if each > _LEAST_EFFECT else None for each in rise.tolist()
    )


def _ndvi(red: Float32Array, nir: Float32Array) -> Float32Array:
    return np.asarray((nir - red) / np.maximum(nir + red, np.float32(1e-4)), np.float32)


def _relative_rise(
    reflectance: Float32Array, incidence: Float32Array, level: float
) -> tuple[Floats, float] | None:
    """Return b / (a + b level) of each band in one class, and its weight; None of too little."""
    bins = np.floor(incidence / _BIN).astype(np.intp)
    kept = [
        here for each in np.unique(bins) if np.count_nonzero(here := bins == each) >= _LEAST_IN_BIN
    ]
    if len(kept) < 3:
        return None
    at = np.array([incidence[here].mean() for here in kept], np.float64)
    if np.ptp(at) < _LEAST_SPAN:
        return None
    count = np.array([np.count_nonzero(here) for here in kept], np.float64)
    medians = np.array([np.median(reflectance[:, here], axis=1) for here in kept], np.float64)
    middle = np.average(at, weights=count)
    spread = count * (at - middle) ** 2
    rise = (count * (at - middle)) @ medians / spread.sum()
    height = np.average(medians, axis=0, weights=count) + rise * (level - middle)
    return rise / np.maximum(height, 1e-4), float(spread.sum())


def factor(light: Illumination, c: float | None) -> Float32Array:
    """Return what the reflectance of slopes is multiplied by.

    Parameters
    ----------
    light
        How the sun falls on the ground, (rows, cols).
    c
        Of the band; None corrects nothing.

    Returns
    -------
    ndarray of float32
        (rows, cols), 0.4 to 2.5; 1 up to a slope of 2 degrees, in full from 5 degrees on, 1 again
        where the ground is turned away from the sun or steeper than 60 degrees.
    """
    if c is None:
        return np.ones(light.incidence.shape, np.float32)
    lit = np.maximum(light.incidence, np.float32(0)) + np.float32(c)
    wanted = (light.slope * light.sun + np.float32(c)) / np.maximum(lit, np.float32(1e-3))
    wanted = np.clip(wanted, np.float32(_LOWEST), np.float32(_HIGHEST))
    full = 1 + sloping(light.slope) * (wanted - 1)
    beyond = (light.incidence <= 0) | (light.slope < np.cos(np.radians(_STEEPEST_DEG)))
    return np.where(beyond, np.float32(1), full).astype(np.float32)


def sloping(cos_slope: Float32Array) -> Float32Array:
    """Return from 0 (level) to 1 how far ground of a slope is corrected."""
    degrees = np.degrees(np.arccos(np.minimum(cos_slope, np.float32(1))))
    share = (degrees - _LEAST_SLOPE_DEG) / (FIT_SLOPE_DEG - _LEAST_SLOPE_DEG)
    return np.asarray(np.clip(share, 0, 1), np.float32)


def correlation(values: Float32Array, incidence: Float32Array) -> float:
    """Return Pearson's correlation of reflectance with the cosine of the sun's incidence."""
    return float(np.corrcoef(values, incidence)[0, 1]) if values.size > 1 else 0.0
