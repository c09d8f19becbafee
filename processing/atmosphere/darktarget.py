"""Dark vegetation: where it is, and how blue follows from red over it.

Over dense vegetation blue reflectance is a function of red reflectance and NDVI
(``processing/data/dark_target.json``, from measured spectra seen through each camera's response).
The haze brightens blue more than red, so the depth that restores the function is the one in the
air (Kaufman et al. 1997, JGR 102, 17051; by class of NDVI as Levy et al. 2007, JGR 112, D13211).

The function errs in two ways: plants of one place scatter around their mean by 0.002 to 0.006, and
that mean departs from the function by 0.007 to 0.008 from place to place, which is the larger part
and the same all over a scene.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.atmosphere.lut import Terms

Float32Array = NDArray[np.float32]
DARK_BANDS = ("blue", "red", "nir")

_FIRST_NDVI = 0.3
_FIRST_RED = 0.2
"""Loose limits before the haze is known: a depth of 1 lifts red by about 0.1."""
_RANKS = (0.2, 0.5)
"""Share of a cell's candidates, by rising red reflectance, whose mean stands for the cell."""
_FEWEST_PIXELS = 20


@dataclass(frozen=True, slots=True)
class DarkTargetTable:
    """Surface relation by NDVI: blue = slope * red + intercept.

    ``sigma`` is the scatter inside one place, ``site_sigma`` that of the means of places.
    """

    ndvi: NDArray[np.float64]
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    sigma: NDArray[np.float64]
    site_sigma: float
    ndvi_minimum: float
    red_maximum: float
    nir_minimum: float

    def blue(self, red: Float32Array, ndvi: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return expected blue reflectance and its sigma inside a place, by interpolated class."""
        slope, intercept, sigma = (
            np.interp(ndvi, self.ndvi, column).astype(np.float32)
            for column in (self.slope, self.intercept, self.sigma)
        )
        return slope * red + intercept, sigma

    def is_dark(self, red: Float32Array, nir: Float32Array) -> NDArray[np.bool_]:
        """Tell where surface reflectances are those of dark vegetation."""
        dense = ndvi_of(red, nir) >= self.ndvi_minimum
        return np.asarray(dense & (red <= self.red_maximum) & (nir >= self.nir_minimum))


@cache
def dark_target_table(camera_name: str) -> DarkTargetTable:
    """Return the shipped surface relation in the bands of a camera."""
    table = json.loads(files("processing.data").joinpath("dark_target.json").read_text())
    return relation(table["cameras"][camera_name], table)


def relation(fit: Mapping[str, Any], limits: Mapping[str, Any]) -> DarkTargetTable:
    """Return a surface relation from its fit and its limits, as ``darkfit`` makes them."""
    ndvi, slope, intercept, sigma = (
        np.array([entry[name] for entry in fit["classes"]])
        for name in ("ndvi", "slope", "intercept", "sigma")
    )
    bounds = (limits["ndvi_minimum"], limits["red_maximum"], limits["nir_minimum"])
    return DarkTargetTable(ndvi, slope, intercept, sigma, fit["site_sigma"], *bounds)


def ndvi_of(red: Float32Array, nir: Float32Array) -> Float32Array:
    """Return (nir - red) / (nir + red), 0 where the sum is not positive."""
    total = nir + red
    return np.asarray(np.where(total > 0, (nir - red) / np.where(total > 0, total, 1), 0))


def dark_means(pixels: Float32Array, clear: NDArray[np.bool_], air: Terms) -> Float32Array:
    """Average the darker vegetation of every cell that has enough of it.

    Parameters
    ----------
    pixels
        TOA reflectance, float32 (3, cell rows, cell cols, pixels): blue, red, near infrared.
    clear
        (cell rows, cell cols, pixels), land with data and without cloud, shadow, snow.
    air
        Terms of the haze-free atmosphere, (3, cell rows, cell cols, 1).

    Returns
    -------
    Mean TOA reflectance (3, cell rows, cell cols) of the candidates between two ranks of red,
    NaN where they are too few.
    """
    ground = air.ground(pixels)
    red, nir = ground[1], ground[2]
    candidate = clear & (ndvi_of(red, nir) > _FIRST_NDVI) & (red < _FIRST_RED)
    count = np.count_nonzero(candidate, axis=-1)
    ordered = np.sort(np.where(candidate, red, np.float32(np.inf)), axis=-1)
    bounds = [
        np.take_along_axis(ordered, (share * count).astype(np.intp)[..., np.newaxis], axis=-1)
        for share in _RANKS
    ]
    chosen = candidate & (red >= bounds[0]) & (red <= bounds[1])
    total = np.sum(np.where(chosen, pixels, 0), axis=-1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        means = total / np.count_nonzero(chosen, axis=-1)
    return np.where(count >= _FEWEST_PIXELS, means, np.nan).astype(np.float32)
