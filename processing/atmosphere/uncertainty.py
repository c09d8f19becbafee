"""How sure the products are: each input is moved by its sigma and all that follows made anew.

For surface reflectance the squares of four departures add up:

- TOA reflectance of the band brighter by the uncertainty that its normalisation states
  (:mod:`processing.normalisation`), with the optical depth that is then found: what the depth takes
  up of a wrong calibration makes up for part of it;
- optical depth higher by one sigma of what does not change the band itself, which is the sigma of
  its field and what the depth takes up of the calibration of the other bands;
- another aerosol, with the optical depth that is then found; what kind of aerosol hangs in the air
  is known from region and season only, and half the way to the kind that it is most easily taken
  for counts as one sigma;
- 0.0008 for the radiative transfer (rms of the table against 6SV, as ``benchmarks/atmosphere.py``
  measures it).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import REFLECTANCE_SCALE
from processing.atmosphere.correct import Coefficients, surface_reflectance
from processing.atmosphere.prior import AodPrior

Floats = NDArray[np.float64]

TRANSFER_SIGMA = 0.0008
CONFUSED_WITH = {
    "continental": "urban",
    "dust": "continental",
    "fine": "continental",
    "maritime": "continental",
    "urban": "continental",
}
"""The aerosol model that another one is most easily taken for."""
MODEL_SHARE = 0.5
"""Part of the way to that model that counts as one sigma."""
_HIGHEST = np.iinfo(np.uint16).max
_STRIP_ROWS = 64
_LEAST_GAIN = 0.01
"""Gain below which an optical depth is all but the prior's."""


def reflectance_uncertainty(
    toa: NDArray[np.uint16],
    sr: NDArray[np.uint16],
    grid: Grid,
    *,
    brighter: Coefficients,
    hazier: Coefficients,
    other_model: Coefficients,
    calibration_sigma: Sequence[float],
) -> NDArray[np.uint16]:
    """Return one sigma of surface reflectance.

    Parameters
    ----------
    toa, sr
        (bands, rows, cols), steps of 0.0001, 0 = no data; ``sr`` is the best estimate.
    grid
        Their frame.
    brighter, hazier, other_model
        Coefficients for the optical depth of each band where that band is brighter by its sigma,
        for the one higher by one sigma of all the rest, and for the aerosol model of
        ``CONFUSED_WITH``; see :class:`processing.atmosphere.aod.MovedDepths`.
    calibration_sigma
        Relative error of ``toa``, one sigma a band.

    Returns
    -------
    uint16, (bands, rows, cols), steps of 0.0001, 0 = no data, valid values from 1.
    """
    out = np.empty_like(sr)
    factor = 1 + np.array(calibration_sigma, np.float32)[:, np.newaxis, np.newaxis]
    for first in range(0, grid.rows, _STRIP_ROWS):
        strip = np.s_[:, first : first + _STRIP_ROWS]
        signal, found = toa[strip], sr[strip]
        frame = grid.window(first, 0, found.shape[1], grid.cols)
        lifted = np.minimum(np.rint(signal * factor), _HIGHEST).astype(np.uint16)
        square = np.full(found.shape, (TRANSFER_SIGMA / REFLECTANCE_SCALE) ** 2, np.float32)
        for moved, coefs, share in (
            (lifted, brighter, 1.0),
            (signal, hazier, 1.0),
            (signal, other_model, MODEL_SHARE),
        ):
            again, _ = surface_reflectance(moved, frame, coefs)
            departure = np.float32(share) * (again.astype(np.float32) - found)
            square += departure * departure
        sigma = np.clip(np.rint(np.sqrt(square)), 1, _HIGHEST)
        out[strip] = np.where(found != 0, sigma, 0)
    return out


def depth_uncertainty(
    aod: Floats, sigma: Floats, misled: Floats, prior: AodPrior
) -> NDArray[np.float64]:
    """Return one sigma of an optical depth that errors of the input have led astray.

    The depth was found as if evidence e had the sigma s_e, the posterior variance ``sigma``^2 of
    evidence and prior being 1 / (1 / s_e^2 + 1 / s_p^2) and its gain K = 1 - sigma^2 / s_p^2. With
    the errors the evidence has a variance more, ``misled`` / K^2, and its gain should have been
    K'. The mean square error of what was found is then the variance of the better estimate and
    the square of the distance from it (Rodgers 2000, Inverse methods for atmospheric sounding,
    chapter 2) ::

        s_p^2 (1 - K') + (1 - K' / K)^2 (aod - aod_p)^2

    Over ground that shows little of the haze, where a calibration wrong by 5 % moves the depth by
    more than the prior's sigma, it is about as far off as it is from the prior.

    Parameters
    ----------
    aod, sigma
        Optical depth and its sigma without those errors, (rows, cols).
    misled
        Variance that the errors bring into it, (rows, cols); where it is 0, ``sigma`` returns.
    prior
        First guess that the depth was found with.
    """
    spread = prior.sigma**2
    gain = np.maximum(1 - sigma**2 / spread, _LEAST_GAIN)
    better = spread / (spread + (spread - gain * spread) / gain + misled / gain**2)
    square = spread * (1 - better) + (1 - better / gain) ** 2 * (aod - prior.aod) ** 2
    return np.where(misled > 0, np.sqrt(square), sigma)
