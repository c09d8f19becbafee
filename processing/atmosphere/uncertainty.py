"""How sure surface reflectance is: each input is moved by its sigma and the image inverted anew.

The squares of four departures add up: optical depth one sigma higher; a calibration higher by the
uncertainty that its normalisation states (:mod:`processing.normalisation`); another aerosol; and
0.0008 for the radiative transfer (rms of the table against 6SV, as ``benchmarks/atmosphere.py``
measures it). What kind of aerosol hangs in the air is known from region and season only; half the
way to the kind that it is most easily taken for counts as one sigma.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import REFLECTANCE_SCALE
from processing.atmosphere.correct import Coefficients, surface_reflectance

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


def reflectance_uncertainty(
    toa: NDArray[np.uint16],
    sr: NDArray[np.uint16],
    grid: Grid,
    *,
    best: Coefficients,
    hazier: Coefficients,
    other_model: Coefficients,
    calibration_sigma: Sequence[float],
) -> NDArray[np.uint16]:
    """Return one sigma of surface reflectance.

    Parameters
    ----------
    toa, sr
        (bands, rows, cols), steps of 0.0001, 0 = no data; ``sr`` was made with ``best``.
    grid
        Their frame.
    best, hazier, other_model
        Coefficients as used, with the optical depth one sigma higher, and with the aerosol model
        of ``CONFUSED_WITH``.
    calibration_sigma
        Relative error of ``toa``, one sigma a band.

    Returns
    -------
    uint16, (bands, rows, cols), steps of 0.0001, 0 = no data, valid values from 1.
    """
    out = np.empty_like(sr)
    for band, (signal, found, error) in enumerate(zip(toa, sr, calibration_sigma, strict=True)):
        brighter = np.minimum(np.rint(signal * np.float32(1 + error)), _HIGHEST)
        square = np.full(found.shape, (TRANSFER_SIGMA / REFLECTANCE_SCALE) ** 2, np.float32)
        for moved, coefs, share in (
            (signal, hazier, 1.0),
            (brighter.astype(np.uint16), best, 1.0),
            (signal, other_model, MODEL_SHARE),
        ):
            again, _ = surface_reflectance(moved[np.newaxis], grid, _of_band(coefs, band))
            departure = again[0].astype(np.float32) - found
            square += np.float32(share**2) * departure * departure
        out[band] = np.where(found != 0, np.clip(np.rint(np.sqrt(square)), 1, _HIGHEST), 0)
    return out


def _of_band(coefs: Coefficients, band: int) -> Coefficients:
    """Return the coefficients of one band."""
    one = slice(band, band + 1)
    return Coefficients(coefs.grid, coefs.gain[one], coefs.offset[one], coefs.albedo[one])
