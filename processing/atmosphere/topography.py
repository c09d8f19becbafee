"""Reflectance of slopes as if they were level: sun-canopy-sensor with the C of Teillet (SCS+C).

Trees stand upright on a slope, so what the sun lights of a canopy changes with the slope (SCS: Gu
and Gillespie 1998, RSE 64, 166-175); the light of the sky, which reaches what the sun does not, is
told by C (Soenen et al. 2005, IEEE TGRS 43, 2148-2159)::

    level = seen (cos(slope) cos(sun zenith) + c) / (cos(incidence) + c)

C is a number for each band: a / b of the line seen = a + b cos(incidence) (Teillet et al. 1982,
Canadian Journal of Remote Sensing 8, 84-106), after which what is corrected has no such slope left.
Here it is the C for which that is so, since the line alone leaves a slope where land is not all
canopy. Slopes are those of lines through medians in classes of NDVI apart, brought together by what
each reflects on level ground, so that other covers on sunny than on shady slopes are not taken for
light.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

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
_CLASS_PIXELS: Final = 1500
_MOST_CLASSES: Final = 24
"""Pixels of a class of NDVI, and classes: narrow ones, so that few hold two covers of which one
likes the shade."""
_BIN: Final = 0.04
"""Width of the classes of cos(incidence) whose medians make a line."""
_LEAST_IN_BIN: Final = 25
_LEAST_SPAN: Final = 0.2
"""Range of cos(incidence) that a line must cover."""
_LARGEST_C: Final = 10.0
"""C from which on a correction does nothing to speak of."""
_LEAST_EFFECT: Final = 0.02
"""Relative rise of reflectance over cos(incidence) from 0 to 1 below which relief does not show."""


@dataclass(frozen=True, slots=True)
class SlopeSample:
    """Clear, sunlit, sloping land: reflectance (bands, n), float32, and its light, (n,)."""

    reflectance: Float32Array
    light: Illumination


def fit_c(
    sample: SlopeSample, guess: Sequence[float], red: int, nir: int
) -> tuple[float | None, ...] | None:
    """Return C of each band.

    Parameters
    ----------
    sample
        Land of the scene with slopes of at least ``FIT_SLOPE_DEG``.
    guess
        C of each band as the air lets expect: it takes the light out of the NDVI, whose classes
        would else put dim slopes of one cover beside bright ones of another.
    red, nir
        Numbers of these bands, from 0.

    Returns
    -------
    tuple or None
        Per band C, from 0, or None where reflectance does not rise with the light; None where the
        land is too little or too level to tell.
    """
    ndvi = _ndvi(
        *(sample.reflectance[band] * factor(sample.light, guess[band]) for band in (red, nir))
    )
    count = int(np.clip(ndvi.size // _CLASS_PIXELS, 1, _MOST_CLASSES))
    if not ndvi.size:
        return None
    edges = np.quantile(ndvi, np.arange(1, count) / count)
    classes = _classes(np.digitize(ndvi, edges), sample.light.incidence)
    if not classes:
        return None
    return tuple(_level_c(values, sample.light, classes) for values in sample.reflectance)


def _level_c(
    values: Float32Array, light: Illumination, classes: Sequence["_Class"]
) -> float | None:
    """Return the C of one band after which it does not rise with the light any more."""
    level = float(np.mean(light.sun))

    def rise(c: float | None) -> float:
        """Return how reflectance still rises with the light, the mean of all classes."""
        corrected = values * factor(light, c)
        found = [each.relative_rise(corrected, level) for each in classes]
        return float(np.average(found, weights=[each.weight for each in classes]))

    if rise(None) < _LEAST_EFFECT:
        return None
    if rise(0.0) >= 0:
        return 0.0
    if rise(_LARGEST_C) <= 0:
        return None
    return float(brentq(rise, 0.0, _LARGEST_C, xtol=0.005))


def _ndvi(red: Float32Array, nir: Float32Array) -> Float32Array:
    return np.asarray((nir - red) / np.maximum(nir + red, np.float32(1e-4)), np.float32)


@dataclass(frozen=True, slots=True)
class _Class:
    """Land of like NDVI: its pixels by how the sun falls on them, and the mean cosine of each."""

    bins: tuple[NDArray[np.intp], ...]
    at: Floats
    count: Floats

    @property
    def weight(self) -> float:
        """How much the class tells of a line."""
        return float(self.count @ (self.at - self._middle) ** 2)

    @property
    def _middle(self) -> float:
        return float(np.average(self.at, weights=self.count))

    def relative_rise(self, values: Float32Array, level: float) -> float:
        """Return b / (a + b level) of the line a + b cos(incidence) through medians."""
        medians = np.array([np.median(values[pixels]) for pixels in self.bins], np.float64)
        slope = float((self.count * (self.at - self._middle)) @ medians) / self.weight
        height = float(np.average(medians, weights=self.count)) + slope * (level - self._middle)
        return slope / max(height, 1e-4)


def _classes(kinds: NDArray[np.intp], incidence: Float32Array) -> list[_Class]:
    """Return the classes that hold enough pixels over a wide enough range of light."""
    steps = np.floor(incidence / _BIN).astype(np.intp)
    found = []
    for kind in np.unique(kinds):
        bins = [
            pixels
            for step in np.unique(steps)
            if (pixels := np.flatnonzero((kinds == kind) & (steps == step))).size >= _LEAST_IN_BIN
        ]
        at = np.array([incidence[pixels].mean() for pixels in bins], np.float64)
        if len(bins) >= 3 and np.ptp(at) >= _LEAST_SPAN:
            found.append(_Class(tuple(bins), at, np.array([p.size for p in bins], np.float64)))
    return found


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
    least, full = np.cos(np.radians([_LEAST_SLOPE_DEG, FIT_SLOPE_DEG])).astype(np.float32)
    return np.asarray(np.clip((least - cos_slope) / (least - full), 0, 1), np.float32)


def correlation(values: Float32Array, incidence: Float32Array) -> float:
    """Return Pearson's correlation of reflectance with the cosine of the sun's incidence."""
    return float(np.corrcoef(values, incidence)[0, 1]) if values.size > 1 else 0.0
