"""What is expected of the ground before it is seen, and how it is compared with what is seen.

Over ground near its critical reflectance haze shows as loss of contrast: dark ground brightens and
bright ground darkens. An expectation that is smoother than what the camera sees lacks contrast of
its own, and the air would be read as clearer than it is. So both are averaged over a window twice
as wide as the ground that an expected value stands for. Over a desert with texture down to single
cells a bias of 0.15 in depth shrinks to 0.02 by that, and wider windows take no more away.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from processing.atmosphere.cells import CellSignals
from processing.atmosphere.lut import Float32Array

_WINDOW = 2.0
"""Sides of the ground that an expected value stands for, along a window: what is smoothed inside
such a window stays inside it."""
_LEAST_KNOWN = 0.35
"""Share of a window in which both sides must be known for their means to be compared: the corner
of a piece of ground still counts, with 9 of 25 cells."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Surface reflectance expected on the cells of a scene, at its geometry.

    Attributes
    ----------
    kind
        Where it comes from ("library", "history").
    reflectance, sigma
        Float32 (bands, rows, cols), NaN where nothing is known.
    resolution
        Side of the ground that a value stands for, in cells; 1 for just its cell.
    depth_sigma
        Sigma of an error of optical depth at 550 nm, the same all over the scene, that the
        reflectance bears because it was retrieved: float32 (rows, cols), or one value for all.
        It comes on top of ``sigma``; 0 for ground that was not retrieved here.
    """

    kind: str
    reflectance: Float32Array
    sigma: Float32Array
    resolution: float = 1.0
    depth_sigma: Float32Array | float = 0.0


def at_one_resolution(
    signals: CellSignals, surface: Expectation
) -> tuple[CellSignals, Expectation]:
    """Return what is seen and what is expected as means over the same ground.

    Parameters
    ----------
    signals
        What the scene shows on its cells.
    surface
        What is expected on the same cells.

    Returns
    -------
    signals, surface
        As given where the expectation resolves single cells. Else ``land``, ``doubt`` and
        ``reflectance`` are means over the smallest odd square of cells at least twice
        ``resolution`` wide: of each band those cells in which both sides are known; NaN where one
        of the two lacks the cell itself or they share too little of the square. ``dark`` and
        ``sigma`` stay: errors of an expectation are alike over more than a window.
    """
    if surface.resolution <= 1:
        return signals, surface
    side = 2 * math.ceil((_WINDOW * surface.resolution - 1) / 2) + 1
    known = np.isfinite(signals.land) & np.isfinite(surface.reflectance)
    share = _window_mean(known, side)
    enough = known & (share >= _LEAST_KNOWN)

    def mean(values: Float32Array) -> Float32Array:
        """Return the mean of the known cells of each window."""
        total = _window_mean(np.where(known, values, 0), side)
        return np.where(enough, total / np.maximum(share, _LEAST_KNOWN), np.nan).astype(np.float32)

    return (
        replace(signals, land=mean(signals.land), doubt=mean(signals.doubt)),
        replace(surface, reflectance=mean(surface.reflectance)),
    )


def _window_mean(values: NDArray[np.generic], side: int) -> Float32Array:
    """Return means over squares of cells, (bands, rows, cols); beyond the border all is 0."""
    size = (1, side, side)
    return np.asarray(uniform_filter(values.astype(np.float32), size, mode="constant"))
