"""A desert from the L1A package to the product, blind: without a surface library and with one.

The ground is Sentinel-2's, the haze that of its own map, carried by 6SV. The library is made as a
user would, of kernel rasters as Earth Engine exports MCD43A1: the true ground at 463 m with an
error of 0.01 that is alike over 5 km, each band its own.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from scipy.ndimage import gaussian_filter

from benchmarks.real import DESERT, SETTINGS, files_of
from benchmarks.rows.row import Row
from catalog.folder import FolderStore
from catalog.product import ItemId
from processing.compare import compare
from processing.library.files import write_tile
from processing.library.modis import CENTRES_NM, library_of_kernels
from processing.pipeline import produce
from processing.sensors import camera
from processing.simulate.scene import simulate
from processing.simulate.spec import RealLand

_STEP_M = 463.3127
_SIGMA = 0.01
_CORRELATED_M = 5000.0


def desert_rows(memory: Path) -> Iterator[Row]:
    """Simulate the scene once, process it twice, and yield the figures of aerosol and ground."""
    title = "desert L1A"
    setting = os.environ.get("GFARD_TEST_DATA")
    if not setting:
        reason = "GFARD_TEST_DATA is not set: it names the folder with the image"
        yield Row(f"{title}: retrieved blind", None, "1", skipped=reason)
        return
    ground = Path(setting) / DESERT.raster
    with tempfile.TemporaryDirectory(prefix="gfard-desert-") as name:
        folder = Path(name)
        made = simulate(replace(DESERT.spec, land=RealLand(ground)), folder, memory=memory)
        found = _figures(made.package, made.truth, folder / "without", None)
        library = folder / "library"
        kernels = _kernels(ground, folder / "MCD43A1_made.tif")
        for tile in sorted(found):
            write_tile(library, library_of_kernels([kernels], DESERT.spec.camera, tile))
        helped = _figures(made.package, made.truth, folder / "with", library)
        for told, by_tile in (("no library", found), ("library", helped)):
            for tile, rows in by_tile.items():
                for row in rows:
                    yield replace(row, name=f"{title}, {told}, {tile}: {row.name}")


def _figures(
    package: Path, truth: Path, folder: Path, library: Path | None
) -> dict[str, list[Row]]:
    """Process the package and return the figures of each tile."""
    store = FolderStore(folder)
    result = produce(package, store=store, settings=SETTINGS, library=library)
    return {
        ItemId.parse(item).tile: [
            Row(row.name, round(row.value, 5), row.unit, row.bar, row.ok)
            for row in compare(files_of(store, item), truth, clouds_in_land=True)
            if row.name.startswith(("aod", "sr"))
        ]
        for item in result.items
    }


def _kernels(ground: Path, path: Path) -> Path:
    """Write the ground as kernel weights of a surface alike from all sides, with its error."""
    with rasterio.open(ground) as raster:
        west, south, east, north = raster.bounds
        frame = {
            "crs": raster.crs,
            "transform": Affine(_STEP_M, 0, west, 0, -_STEP_M, north),
            "width": int((east - west) / _STEP_M),
            "height": int((north - south) / _STEP_M),
        }
        with WarpedVRT(raster, resampling=Resampling.average, **frame) as warped:
            bands = warped.read().astype(np.float64) * 1e-4
    bands = _at_modis(bands)
    rng = np.random.default_rng(71)
    with rasterio.open(
        path, "w", driver="GTiff", count=12, dtype="int16", nodata=32767, **frame
    ) as raster:
        for number, band in enumerate(CENTRES_NM):
            error = gaussian_filter(
                rng.normal(size=bands[number].shape), _CORRELATED_M / 2 / _STEP_M
            )
            iso = np.rint(1000 * (bands[number] + _SIGMA * error / error.std()))
            for kernel, name in enumerate(("iso", "vol", "geo")):
                layer = 3 * number + kernel + 1
                raster.write((iso if name == "iso" else 0 * iso).astype(np.int16), layer)
                raster.set_band_description(layer, f"BRDF_Albedo_Parameters_Band{band}_{name}")
    return path


def _at_modis(bands: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ground at the wavelengths of MODIS, along straight lines between the bands."""
    centres = np.array([band.center_nm for band in camera(DESERT.spec.camera).bands])
    slopes = np.diff(bands, axis=0) / np.diff(centres)[:, np.newaxis, np.newaxis]
    wanted = np.array(list(CENTRES_NM.values()))
    below = np.clip(np.searchsorted(centres, wanted) - 1, 0, len(slopes) - 1)
    step = (wanted - centres[below])[:, np.newaxis, np.newaxis]
    return np.asarray(bands[below] + slopes[below] * step)
