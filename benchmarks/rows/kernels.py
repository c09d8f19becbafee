"""Kernel rasters as Earth Engine exports MCD43A1, made of ground that is known.

What MODIS would tell of the ground is apart from it in three ways: it is coarse (833 m by 618 m,
on a grid of 463 m), it has bands of its own, and it errs, by 0.01 that is alike over 5 km, each
band on its own. The ground is known in a camera's four bands alone; what MODIS's bands see there
is taken from the measured spectra of bare ground of one arid place, Mullewa in Western Australia.
The table that such kernels are read with must not have seen that place: :func:`table_without`.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter, map_coordinates

from processing.atmosphere.darkfit import in_bands
from processing.library.bandfit import fit_camera, ground_spectra, modis_response
from processing.library.bands import DENSE_NDVI, MODIS_BANDS, BandTable, green_share
from processing.sensors import camera

Floats = NDArray[np.float64]

FOOTPRINT_M = (618.0, 833.0)
"""Full widths at half maximum along track and along scan, here along columns and rows."""
ERROR = 0.01
STEP_M = 463.3127
"""Grid of the kernels."""
_CORRELATED_M = 5000.0
_FWHM_TO_SIGMA = 2.3548
_PLACE = 4
"""Number of Mullewa among the images."""


def write_kernels(ground: Path, camera_name: str, path: Path, seed: int = 71) -> Path:
    """Write the ground as kernel weights of a surface alike from all sides.

    Parameters
    ----------
    ground
        Raster of the camera's four bands in steps of 0.0001, in metres.
    camera_name
        The camera whose bands they are.
    path
        The kernel raster.
    seed
        Of its errors.
    """
    with rasterio.open(ground) as raster:
        bands = raster.read().astype(np.float64) * 1e-4
        crs, bounds, pixel_m = raster.crs, raster.bounds, raster.res[0]
    coarse = as_modis(bands, pixel_m, camera_name)
    iso = coarse + made_errors(coarse.shape, STEP_M, np.random.default_rng(seed))
    with rasterio.open(
        path, "w", driver="GTiff", count=12, dtype="int16", nodata=32767, crs=crs,
        transform=Affine(STEP_M, 0, bounds.left, 0, -STEP_M, bounds.top),
        height=iso.shape[1], width=iso.shape[2],
    ) as raster:  # fmt: skip
        for number, band in enumerate(MODIS_BANDS):
            for kernel, name in enumerate(("iso", "vol", "geo")):
                layer = 3 * number + kernel + 1
                values = np.rint(1000 * iso[number]) if name == "iso" else np.zeros(iso.shape[1:])
                raster.write(values.astype(np.int16), layer)
                raster.set_band_description(layer, f"BRDF_Albedo_Parameters_Band{band}_{name}")
    return path


def as_modis(bands: Floats, pixel_m: float, camera_name: str) -> Floats:
    """Return ground (4, rows, cols) as MODIS sees it: its bands, blurred, on its grid."""
    sigma = [width / _FWHM_TO_SIGMA / pixel_m for width in FOOTPRINT_M]
    modis = np.einsum("mb,brc->mrc", _to_modis(camera_name), bands)
    blurred = [gaussian_filter(band, sigma, mode="nearest") for band in modis]
    rows, cols = (int(size * pixel_m / STEP_M) for size in bands.shape[1:])
    place = (np.indices((rows, cols)) + 0.5) * STEP_M / pixel_m - 0.5
    return np.stack([map_coordinates(band, place, order=1, mode="nearest") for band in blurred])


def made_errors(shape: tuple[int, ...], step_m: float, rng: np.random.Generator) -> Floats:
    """Return errors of ``ERROR`` whose correlation falls to 1/e over 5 km, each band its own."""
    sigma = _CORRELATED_M / 2 / step_m
    fields = np.stack([gaussian_filter(rng.normal(size=shape[1:]), sigma) for _ in range(shape[0])])
    return np.asarray(ERROR * fields / fields.std(axis=(1, 2), keepdims=True))


@cache
def table_without(camera_name: str) -> BandTable:
    """Return the table from MODIS's bands of all images but the place of the kernels."""
    spectra, image = _spectra()
    keep = image != _PLACE
    return fit_camera(camera_name, spectra[keep], image[keep])


@cache
def _to_modis(camera_name: str) -> Floats:
    """Return the weights (4, 4) of a camera's bands in ``MODIS_BANDS`` over the place's ground."""
    spectra, image = _spectra()
    modis = spectra @ modis_response().T
    bare = green_share(modis[:, 2], modis[:, 3]) < 0.3 / DENSE_NDVI
    there = (image == _PLACE) & bare
    seen = in_bands(camera_name, spectra[there], [b.name for b in camera(camera_name).bands])
    return np.asarray(np.linalg.lstsq(seen.T, modis[there])[0].T)


@cache
def _spectra() -> tuple[Floats, NDArray[np.intp]]:
    folder = Path(os.environ["GFARD_TEST_DATA"]) / "spectra"
    return ground_spectra(
        folder / "refcube__Sentinel-2A__MSI__nclust50__nsamp1000.bsq",
        folder / "prosail_REFL_CAN.txt",
        folder / "prosail_soil_reflectance.txt",
    )
