"""A desert from the L1A package to the product, blind: without a surface library and with one.

The ground is Sentinel-2's, 83 km of it, the haze that of its own map, carried by 6SV. The library
is made as a user would, of kernel rasters as Earth Engine exports MCD43A1 (``kernels``). Over so
bright a ground an error of 0.01 in what is expected of it is worth a depth of 0.3 in a cell and
some 0.05 in the mean of the scene: one draw of such errors says little of the method, which
``haze.kernel_scene`` draws often, on cells, with the sigma of just these errors. What the package
shows is that the whole chain does as well; the product's own sigma also holds a wrong calibration
and another aerosol, and here both are right.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from benchmarks.real import DESERT, SETTINGS, files_of
from benchmarks.rows.kernels import table_without, write_kernels
from benchmarks.rows.row import Row, at_most
from catalog.folder import FolderStore
from catalog.grid import tiles_touching
from catalog.product import FILL, REFLECTANCE_SCALE, ItemId, MaskClass
from processing.compare import compare
from processing.library.files import write_tile
from processing.library.modis import library_of_kernels
from processing.pipeline import produce
from processing.simulate.scene import simulate
from processing.simulate.spec import RealLand

_SIDE = 5200
"""Pixels of 16 m: 83 km."""
_FEWEST_PERCENT = 20.0
"""Tiles of which the scene covers less are left out."""
_MOST_SIGMAS = 1.5
"""The error of the scene's mean depth is one draw: in two of fifteen it is larger than that."""


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
        spec = replace(DESERT.spec, rows=_SIDE, cols=_SIDE, land=RealLand(ground))
        made = simulate(spec, folder, memory=memory)
        found = _figures(made.package, made.truth, folder / "without", None)
        library, table = folder / "library", table_without(spec.camera)
        kernels = write_kernels(ground, spec.camera, folder / "MCD43A1_made.tif")
        for tile in _tiles_on(kernels):
            write_tile(library, library_of_kernels([kernels], spec.camera, tile, table))
        helped = _figures(made.package, made.truth, folder / "with", library)
        for told, by_tile in (("no library", found), ("library", helped)):
            for tile, rows in by_tile.items():
                for row in rows:
                    yield replace(row, name=f"{title}, {told}, {tile}: {row.name}")


def _tiles_on(raster_path: Path) -> list[str]:
    """Return the names of the tiles that share ground with a raster."""
    with rasterio.open(raster_path) as raster:
        west, south, east, north = transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)
    ring = ((west, south), (east, south), (east, north), (west, north))
    return [tile.name for tile in tiles_touching(ring)]


def _figures(
    package: Path, truth: Path, folder: Path, library: Path | None
) -> dict[str, list[Row]]:
    """Process the package and return the figures of each tile."""
    store = FolderStore(folder)
    settings = SETTINGS.model_copy(
        update={"uncertainty": library is not None, "minimum_valid_percent": _FEWEST_PERCENT}
    )
    result = produce(package, store=store, settings=settings, library=library)
    figures = {}
    for item in result.items:
        files = files_of(store, item)
        rows = [
            Row(row.name, round(row.value, 5), row.unit, row.bar, row.ok)
            for row in compare(files, truth, clouds_in_land=True)
            if row.name.startswith(("aod", "sr"))
        ]
        if library is not None:
            rows += _sigma_rows(files, truth)
        figures[ItemId.parse(item).tile] = rows
    return figures


def _sigma_rows(files: dict[str, Path], truth: Path) -> Iterator[Row]:
    """Yield what sigma says of the optical depth, and how often its error is inside."""
    sigma_file = files["AOD"].with_name(files["AOD"].name.replace(".AOD.", ".AOD_uncertainty."))
    with rasterio.open(files["AOD"]) as raster:
        found = raster.read(1).astype(np.float32) * REFLECTANCE_SCALE
        frame = {"crs": raster.crs, "transform": Affine(*raster.transform[:6])}
        frame |= {"width": raster.width, "height": raster.height}
    with rasterio.open(sigma_file) as raster:
        sigma = raster.read(1).astype(np.float32) * REFLECTANCE_SCALE
    with rasterio.open(files["mask"]) as raster:
        clear = raster.read(1) == MaskClass.CLEAR
    with (
        rasterio.open(truth / "aod.tif") as raster,
        WarpedVRT(raster, resampling=Resampling.bilinear, **frame) as warped,
    ):
        true = warped.read(1).astype(np.float32) * raster.scales[0]
    clear &= (true > FILL) & (found > FILL)
    error, sigma = (found - true)[clear], sigma[clear]
    yield Row("aod_sigma", round(float(sigma.mean()), 5), "1")
    yield Row("aod_inside_sigma", round(100 * float(np.mean(np.abs(error) < sigma)), 2), "%")
    rms = np.sqrt(np.mean((error / sigma) ** 2))
    yield at_most("aod_error_over_sigma, rms", float(rms), "1", _MOST_SIGMAS)
