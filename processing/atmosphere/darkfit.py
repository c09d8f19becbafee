"""How the dark-target table is made: blue against red of vegetation, in the bands of each camera.

The relation depends on the response: WFV's red band reaches from 617 to 691 or 705 nm, so it
sees the foot of the red edge, and green plants are a third brighter in it than at 655 nm; a
table of another sensor would ask for far too little blue. Measured spectra are at hand as
Sentinel-2 bands only. Each is rebuilt as the mixture of canopies and soils that comes nearest
in those bands, plus the interpolated rest, and is then seen through the camera's own response.
The images are nine places on four continents; what the relation is worth at a tenth is told by
leaving out each in turn.

Run as ``python -m processing.atmosphere.darkfit REFCUBE CANOPIES SOILS TABLE``.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy.optimize import nnls

from processing.atmosphere.darktarget import DARK_BANDS
from processing.sensors import camera, camera_names, spectral_response

Floats = NDArray[np.float64]

SOURCE = (
    "Linear fits of blue to red reflectance of vegetation by class of NDVI, over measured "
    "spectra of the reference cube of GFZ spechomo (tests/data, Apache-2.0, nine airborne "
    "images) as Sentinel-2A bands, rebuilt with PROSAIL canopies and soils and seen through "
    "each camera's response; sigma is the scatter inside an image, site_sigma the rms of the mean "
    "departures of images left out of the fit in turn; made by processing.atmosphere.darkfit, "
    "2026-11."
)
CLASSES = ((0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.97))
LIMITS = {"ndvi_minimum": 0.5, "red_maximum": 0.08, "nir_minimum": 0.15}
WAVELENGTH_NM = np.arange(400.0, 1001.0)
"""Where rebuilt spectra have their values."""
_MSI_BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A")
_FEWEST = 40
_FEWEST_IN_PLACE = 20


def fit_table(refcube: Path, canopies: Path, soils: Path) -> dict[str, object]:
    """Return the table of every camera.

    Parameters
    ----------
    refcube
        Raster of Sentinel-2A reflectance times 10 000, bands B1 to B8, B8A first.
    canopies, soils
        Text tables of spectra: wavelength from 400 nm at 1 nm in the first column of the
        canopies; soils in columns of their own, from 400 nm at 1 nm.
    """
    measured, image = measured_vegetation(refcube)
    spectra = rebuild(measured, endmembers(canopies, soils))
    cameras = {name: fit_camera(name, spectra, image) for name in camera_names()}
    return {"source": SOURCE, "unit": "reflectance", **LIMITS, "cameras": cameras}


def rebuild(measured: Floats, endmembers: Floats) -> Floats:
    """Return spectra (n, wavelengths) from Sentinel-2A bands (n, 9) and endmembers.

    Parameters
    ----------
    measured
        Reflectance in ``_MSI_BANDS``.
    endmembers
        Spectra (m, wavelengths), 400 to 1000 nm at 1 nm.
    """
    response = _msi_response()
    centres = response @ WAVELENGTH_NM
    seen = response @ endmembers.T
    shares = np.stack([nnls(seen, bands)[0] for bands in measured])
    rest = measured - shares @ seen.T
    smooth = np.stack([np.interp(WAVELENGTH_NM, centres, bands) for bands in rest])
    spectra: Floats = shares @ endmembers + smooth
    return spectra


def measured_bands(refcube: Path) -> tuple[Floats, NDArray[np.intp]]:
    """Return the spectra of the cube, (n, 9), and the image of each; images are its columns."""
    with rasterio.open(refcube) as raster:
        bands = raster.read(list(range(1, len(_MSI_BANDS) + 1))).astype(np.float64) / 1e4
    spectra: Floats = bands.reshape(len(_MSI_BANDS), -1).T
    return spectra, np.tile(np.arange(bands.shape[2]), bands.shape[1])


def measured_vegetation(refcube: Path) -> tuple[Floats, NDArray[np.intp]]:
    """Return the vegetation of the cube, (n, 9), and the image of each."""
    spectra, image = measured_bands(refcube)
    blue, red, nir = spectra[:, 1], spectra[:, 3], spectra[:, 7]
    green = (nir - red) > 0.35 * (nir + red)
    vegetation = green & (red > 0.005) & (red < 0.12) & (nir > 0.12) & (blue > 0.003)
    return spectra[vegetation], image[vegetation]


def endmembers(canopies: Path, soils: Path) -> Floats:
    """Return the spectra of plants and soils, (n, wavelengths), of text tables as `fit_table`."""
    plants = np.loadtxt(canopies)
    ground = np.loadtxt(soils)[: WAVELENGTH_NM.size]
    leaves = [np.interp(WAVELENGTH_NM, plants[:, 0], column) for column in plants[:, 1:].T]
    return np.stack([*leaves, *ground.T])


def _msi_response() -> Floats:
    """Return the responses of ``_MSI_BANDS`` (9, wavelengths)."""
    numbers = ["8A" if band == "B8A" else f"{int(band[1:]):02d}" for band in _MSI_BANDS]
    return responses([f"S2A_MSI_{number}" for number in numbers])


def responses(names: Sequence[str]) -> Floats:
    """Return responses that Py6S names, (n, wavelengths), each of sum 1."""
    from Py6S import PredefinedWavelengths

    rows = []
    for name in names:
        _, first_um, _, response = getattr(PredefinedWavelengths, name)
        wavelength = 1000 * (first_um + 0.0025 * np.arange(len(response)))
        row = np.interp(WAVELENGTH_NM, wavelength, response, left=0, right=0)
        rows.append(row / row.sum())
    return np.stack(rows)


def fit_camera(name: str, spectra: Floats, image: NDArray[np.intp]) -> dict[str, object]:
    """Fit one camera: the relation by class of NDVI, and how far it is off from place to place.

    Parameters
    ----------
    name
        E.g. "GF1WFV1".
    spectra
        Reflectance (n, wavelengths), 400 to 1000 nm at 1 nm.
    image
        The image that each spectrum comes from, (n,). Each image in turn is left out of the fit
        and its mean departure is taken; their root mean square is the error between places.
    """
    seen = in_bands(name, spectra)
    classes = _classes(seen, image)
    means = []
    for left_out in np.unique(image):
        rest = departure(_classes(seen[:, image != left_out], image[image != left_out]), seen)
        there = rest[(image == left_out) & _is_dark(seen)]
        if there.size >= _FEWEST_IN_PLACE:
            means.append(float(np.mean(there)))
    site_sigma = float(np.sqrt(np.mean(np.square(means))))
    return {"site_sigma": round(site_sigma, 4), "places": len(means), "classes": classes}


def departure(classes: list[dict[str, float]], seen: Floats) -> Floats:
    """Return blue minus the blue expected of spectra (3, n): blue, red, near infrared."""
    blue, red, nir = seen
    ndvi = (nir - red) / (nir + red)
    nodes = [entry["ndvi"] for entry in classes]
    slope, intercept = (
        np.interp(ndvi, nodes, [entry[part] for entry in classes])
        for part in ("slope", "intercept")
    )
    return np.asarray(blue - slope * red - intercept)


def _is_dark(seen: Floats) -> NDArray[np.bool_]:
    _, red, nir = seen
    dense = (nir - red) >= LIMITS["ndvi_minimum"] * (nir + red)
    return np.asarray(dense & (red <= LIMITS["red_maximum"]) & (nir >= LIMITS["nir_minimum"]))


def _classes(seen: Floats, image: NDArray[np.intp]) -> list[dict[str, float]]:
    """Slope, intercept and scatter inside an image by class of NDVI."""
    blue, red, nir = seen
    ndvi = (nir - red) / (nir + red)
    classes = []
    for low, high in CLASSES:
        chosen = _is_dark(seen) & (ndvi > low) & (ndvi <= high)
        if np.count_nonzero(chosen) < _FEWEST:
            continue
        slope, intercept = _line(red[chosen], blue[chosen])
        rest = (blue - slope * red - intercept)[chosen]
        classes.append({
            "ndvi": round(float(np.median(ndvi[chosen])), 3),
            "slope": round(slope, 3),
            "intercept": round(intercept, 4),
            "sigma": round(_scatter(rest, image[chosen]), 4),
            "spectra": int(np.count_nonzero(chosen)),
        })  # fmt: skip
    return classes


def _scatter(rest: Floats, image: NDArray[np.intp]) -> float:
    """Return the robust standard deviation of departures about the median of their image."""
    own = [rest[image == each] - np.median(rest[image == each]) for each in np.unique(image)]
    return 1.4826 * float(np.median(np.abs(np.concatenate(own))))


def in_bands(name: str, spectra: Floats, bands: Sequence[str] = DARK_BANDS) -> Floats:
    """Return spectra (n, wavelengths) as bands of a camera see them, (bands, n)."""
    wavelength, response = spectral_response(name)
    names = [band.name for band in camera(name).bands]
    return np.stack([_through(wavelength, response[names.index(n)], spectra) for n in bands])


def _through(wavelength: Floats, response: Floats, spectra: Floats) -> Floats:
    weight = np.interp(WAVELENGTH_NM, wavelength, response, left=0, right=0)
    seen: Floats = spectra @ (weight / weight.sum())
    return seen


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Fit a line without the points beyond 3 sigma; return slope and intercept."""
    keep = np.ones(x.shape, bool)
    for _ in range(5):
        slope, intercept = np.polyfit(x[keep], y[keep], 1)
        rest = y - slope * x - intercept
        sigma = float(1.4826 * np.median(np.abs(rest[keep])))
        keep = np.abs(rest) < 3 * sigma
    return float(slope), float(intercept)


if __name__ == "__main__":
    cube, canopies, soils, table = map(Path, sys.argv[1:])
    table.write_text(json.dumps(fit_table(cube, canopies, soils), indent=1) + "\n")
