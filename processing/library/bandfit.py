"""How the table from MODIS's bands to the cameras' is made: measured spectra seen through both.

The spectra are those of the dark-target table (:mod:`processing.atmosphere.darkfit`), here of all
ground, bare and green. They were measured as nine Sentinel-2 bands and rebuilt between them; four
of these lie between MODIS's red and near infrared, so what a straight line there would miss is in
them.

Run as ``python -m processing.library.bandfit REFCUBE CANOPIES SOILS TABLE``.
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processing.atmosphere.darkfit import (
    endmembers,
    in_bands,
    measured_bands,
    rebuild,
    responses,
)
from processing.library.bands import MODIS_BANDS, BandTable, green_share
from processing.sensors import camera, camera_names

Floats = NDArray[np.float64]

SOURCE = (
    "Weights of MODIS bands 3, 4, 1, 2 (Terra) in each camera's bands over bare and densely green "
    "ground: least squares of relative error over measured spectra of the reference cube of GFZ "
    "spechomo (tests/data, Apache-2.0, nine airborne images) as Sentinel-2A bands, rebuilt with "
    "PROSAIL canopies and soils and seen through both responses; sigma is the rms error on images "
    "left out of the fit in turn; made by processing.library.bandfit, 2026-11."
)
_DARKEST, _BRIGHTEST = 0.002, 1.0
_FLOOR = 0.01
"""Reflectance added to a band's own where errors are taken relative to it."""


def fit_bands(refcube: Path, canopies: Path, soils: Path) -> dict[str, object]:
    """Return the table of every camera.

    Parameters
    ----------
    refcube, canopies, soils
        As for :func:`processing.atmosphere.darkfit.fit_table`.
    """
    spectra, image = ground_spectra(refcube, canopies, soils)
    cameras: dict[str, object] = {}
    for name in camera_names():
        table = fit_camera(name, spectra, image)
        cameras[name] = {
            part: np.round(getattr(table, part), 4).tolist() for part in ("bare", "green", "sigma")
        }
    return {"source": SOURCE, "unit": "1", "modis_bands": MODIS_BANDS, "cameras": cameras}


def ground_spectra(refcube: Path, canopies: Path, soils: Path) -> tuple[Floats, NDArray[np.intp]]:
    """Return spectra of all ground (n, wavelengths), 400 to 1000 nm at 1 nm, and their images."""
    measured, image = measured_bands(refcube)
    usable = ((measured > _DARKEST) & (measured < _BRIGHTEST)).all(axis=1)
    return rebuild(measured[usable], endmembers(canopies, soils)), image[usable]


def fit_camera(name: str, spectra: Floats, image: NDArray[np.intp]) -> BandTable:
    """Fit one camera; each image in turn is left out to tell the error.

    Parameters
    ----------
    name, spectra, image
        As for :func:`processing.atmosphere.darkfit.fit_camera`.
    """
    modis = spectra @ modis_response().T
    seen = in_bands(name, spectra, [band.name for band in camera(name).bands])
    errors = np.empty_like(seen)
    for left_out in np.unique(image):
        out = image == left_out
        errors[:, out] = _weights(modis[~out], seen[:, ~out]) @ _parts(modis[out]).T - seen[:, out]
    weights = _weights(modis, seen)
    count = len(MODIS_BANDS)
    sigma = np.sqrt(np.mean(errors**2, axis=1))
    return BandTable(weights[:, :count], weights[:, count:], sigma)


def modis_response() -> Floats:
    """Return the responses of ``MODIS_BANDS`` of Terra (4, wavelengths), each of sum 1."""
    return responses([f"ACCURATE_MODIS_TERRA_{band}" for band in MODIS_BANDS])


def _parts(modis: Floats) -> Floats:
    """Return bands (n, 4) as their bare and their green part, (n, 8)."""
    green = green_share(modis[:, 2], modis[:, 3])[:, np.newaxis]
    return np.hstack([(1 - green) * modis, green * modis])


def _weights(modis: Floats, seen: Floats) -> Floats:
    """Fit each band of ``seen`` (bands, n) to the parts of ``modis`` (n, 4): (bands, 8)."""
    parts = _parts(modis)
    return np.stack([
        np.linalg.lstsq(parts / (band + _FLOOR)[:, np.newaxis], band / (band + _FLOOR))[0]
        for band in seen
    ])  # fmt: skip


if __name__ == "__main__":
    cube, canopies, soils, table = map(Path, sys.argv[1:])
    table.write_text(json.dumps(fit_bands(cube, canopies, soils), indent=1) + "\n")
