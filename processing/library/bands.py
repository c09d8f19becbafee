"""From the bands of MODIS to those of a camera: the same ground seen through other responses.

A band of a camera is a weighted sum of MODIS bands 3, 4, 1 and 2, with weights fitted over measured
spectra (``processing/data/modis_bands.json``, made by :mod:`processing.library.bandfit`). Bare
ground and dense vegetation have weights of their own, between which those of a cell lie by its
NDVI: a straight line through the centres would miss the red of plants by a third of itself,
because WFV's red band reaches into the red edge.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from catalog.errors import AtmosphereError

Floats = NDArray[np.float64]

MODIS_BANDS = (3, 4, 1, 2)
"""Blue, green, red, near infrared: those in the cameras' range, by wavelength."""
DENSE_NDVI = 0.6
"""NDVI of MODIS from which on the weights of vegetation count alone; those of bare ground at 0."""


@dataclass(frozen=True, slots=True)
class BandTable:
    """Weights of ``MODIS_BANDS`` in each band of a camera, float64 (bands, 4).

    ``sigma`` (bands,) is what they left in error on images left out of the fit, in reflectance.
    """

    bare: Floats
    green: Floats
    sigma: Floats

    def convert(self, kernels: Floats) -> Floats:
        """Return kernel weights in the bands of the camera.

        Parameters
        ----------
        kernels
            (4, kernels, rows, cols), weights in ``MODIS_BANDS``, the isotropic first; NaN =
            unknown.

        Returns
        -------
        ndarray
            (bands, kernels, rows, cols). All kernels of a cell are converted alike.
        """
        green = green_share(kernels[2, 0], kernels[3, 0])
        bare, dense = (
            np.einsum("bm,mkrc->bkrc", part, kernels) for part in (self.bare, self.green)
        )
        return np.asarray(bare + green * (dense - bare))


def green_share(red: Floats, nir: Floats) -> Floats:
    """Return how far ground is from bare (0) to densely green (1); NaN = unknown."""
    total = np.where(red + nir > 0, red + nir, np.nan)
    return np.asarray(np.clip((nir - red) / total / DENSE_NDVI, 0, 1))


@cache
def band_table(camera_name: str) -> BandTable:
    """Return the table of a camera that comes with the package.

    Raises
    ------
    AtmosphereError
        There is none for the camera.
    """
    path = files("processing") / "data" / "modis_bands.json"
    cameras = json.loads(path.read_text())["cameras"]
    if camera_name not in cameras:
        raise AtmosphereError(
            f"modis_bands.json has no weights for {camera_name}; there are {', '.join(cameras)}"
        )
    entry = cameras[camera_name]
    return BandTable(*(np.array(entry[part]) for part in ("bare", "green", "sigma")))
