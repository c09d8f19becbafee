"""How the reflectance of a band differs from that of a like band of another sensor."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CalibrationError
from processing.sensors import camera, camera_names, spectral_response

Floats = NDArray[np.float64]


def band_adjustment(spectra: Floats, response: Floats, reference_response: Floats) -> float:
    """Return the ratio of the reflectance in one band to that in another over spectra.

    The slope through the origin of one against the other (spectral band adjustment factor,
    Chander et al. 2013, IEEE TGRS 51, 1267).

    Parameters
    ----------
    spectra
        Reflectance of the ground in question, 0-1, shape (spectra, n), at wavelengths equally
        spaced.
    response, reference_response
        Relative response of the camera's band and of the reference's, shape (n,).
    """
    ours, theirs = (spectra @ band / band.sum() for band in (response, reference_response))
    return float(ours @ theirs / (theirs @ theirs))


def band_adjustments(spectra: Path, response: Path) -> dict[tuple[str, str], float]:
    """Return the adjustment of every camera's bands to those of a reference sensor.

    Parameters
    ----------
    spectra
        CSV with a header: wavelength in nm, then the reflectance of each spectrum, 0-1.
    response
        CSV with a header: wavelength in nm, then the reference's relative response, in columns
        named as our bands.

    Raises
    ------
    CalibrationError
        A file cannot be read as numbers.
    """
    (grid, *ground), (axis, *theirs) = (_columns(path) for path in (spectra, response))
    names = response.read_text("utf-8").splitlines()[0].replace(" ", "").split(",")[1:]
    found = {}
    for name in camera_names():
        nm, ours = spectral_response(name)
        on_ours = np.stack([np.interp(nm, grid, each) for each in ground])
        for band, mine in zip(camera(name).bands, ours, strict=True):
            if band.name in names:
                other = np.interp(nm, axis, theirs[names.index(band.name)], 0.0, 0.0)
                found[name, band.name] = band_adjustment(on_ours, mine, other)
    return found


def _columns(path: Path) -> Floats:
    try:
        table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except (OSError, ValueError) as error:
        raise CalibrationError(f"{path}: not a table of numbers: {error}") from error
    if table.shape[1] < 2:
        raise CalibrationError(f"{path}: one column; wavelength and at least another wanted")
    return np.asarray(table.T, np.float64)
