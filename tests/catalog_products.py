"""Small real products for the catalogue's tests: facts, six COGs and a thumbnail."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.shutil import copy as raster_copy
from rasterio.transform import Affine

from catalog.facts import AssetFile, BandFacts, GeometricFacts, ItemFacts, describe_file
from catalog.folder import FolderStore
from catalog.grid import Grid
from catalog.item import build_item
from catalog.product import GEOMETRY, MASK_COLOURS, AssetSpec, ItemId, MaskClass, asset_specs

GRID = Grid(32631, 300000.0, 4900020.0, 16.0, 64, 64)
CENTRES_UM = {
    "GF1": (0.483, 0.554, 0.657, 0.824),
    "GF6": (0.488, 0.558, 0.659, 0.826, 0.701, 0.749, 0.432, 0.609),
}


def facts(
    camera: str = "GF1WFV1",
    time: datetime = datetime(2014, 7, 25, 11, 9, 43, tzinfo=UTC),
    version: str = "000123",
    cloud: float = 12.5,
    west: float = 0.5,
) -> ItemFacts:
    """Facts of a small square product of tile 31TCL."""
    item_id = ItemId(camera, time, "31TCL", version)
    names = next(spec for spec in asset_specs(item_id.satellite) if spec.key == "SR").bands
    ring = [(west, 44.2), (west + 0.1, 44.2), (west + 0.1, 44.3), (west, 44.3), (west, 44.2)]
    return ItemFacts(
        id=item_id,
        start_time=time - timedelta(seconds=14),
        end_time=time + timedelta(seconds=14),
        grid=GRID,
        footprint={"type": "Polygon", "coordinates": [[list(point) for point in ring]]},
        bands=tuple(
            BandFacts(band.name, centre, 0.06)
            for band, centre in zip(names, CENTRES_UM[item_id.satellite], strict=True)
        ),
        platform="gaofen-1" if item_id.satellite == "GF1" else "gaofen-6",
        instrument="wfv1" if item_id.satellite == "GF1" else "wfv",
        international_designator="2013-018A" if item_id.satellite == "GF1" else "2018-048A",
        sun_azimuth=140.2,
        sun_elevation=60.1,
        view_zenith=20.1,
        view_azimuth=100.0,
        off_nadir=18.2,
        class_percent={
            MaskClass.CLEAR: 80.0 - cloud,
            MaskClass.WATER: 20.0,
            MaskClass.CLOUD: cloud,
        },
        valid_percent=100.0,
        geometric=GeometricFacts(
            rmse_m=6.4,
            rmse_x_m=4.2,
            rmse_y_m=4.8,
            bias_x_m=0.5,
            bias_y_m=-1.0,
            stddev_x_m=4.0,
            stddev_y_m=4.5,
            ce90_m=9.6,
            median_m=5.1,
            klass="0-0.8",
            check_points=120,
            check_cells=9,
            model="affine",
            reference="reference.tif",
        ),
        quality_reason=None,
        warnings=("no DEM was given: heights are 0 m",),
        lineage=("calibration", "orthorectification", "atmospheric correction"),
        auxiliary={"dem": "https://example.org/dem/", "geoid": "egm96_15"},
        provenance={"calibration": {"year": 2014, "irradiance": "tsis1"}, "water_vapour": 2.0},
        derived_from="GF1_WFV1_E1.0_N44.3_20140725_L1A0000123456",
        software_version="0.1.0",
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def pixels(spec: AssetSpec, grid: Grid) -> NDArray[Any]:
    """Valid pixels everywhere but for a corner of fill."""
    rng = np.random.default_rng(math.prod(grid.shape))
    high = 6 if spec.dtype == "uint8" else 5000
    values = rng.integers(1, high, (len(spec.bands), *grid.shape), dtype=spec.dtype)
    values[:, :5, :5] = 0
    return values


def write_asset(path: Path, spec: AssetSpec, grid: Grid) -> None:
    """Write a COG by GDAL's driver, independently of the writer of the products."""
    profile = {
        "driver": "GTiff", "width": grid.cols, "height": grid.rows, "count": len(spec.bands),
        "dtype": spec.dtype, "crs": CRS.from_epsg(grid.epsg),
        "transform": Affine(*grid.transform), "nodata": spec.nodata,
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**profile) as raster:
            raster.write(pixels(spec, grid))
            raster.descriptions = [band.name for band in spec.bands]
            if spec.scale is not None:
                raster.scales = [spec.scale] * len(spec.bands)
            if spec.key == "mask":
                raster.write_colormap(1, {int(k): (*v, 255) for k, v in MASK_COLOURS.items()})
        with rasterio.open(memory.name) as source:
            raster_copy(source, path, driver="COG", blocksize=512, compress="DEFLATE", predictor=2)


def write_product(folder: Path, item_facts: ItemFacts) -> tuple[AssetFile, ...]:
    """Write the files of a product into a folder."""
    for spec in asset_specs(item_facts.id.satellite):
        path = folder / item_facts.id.file_name(spec.key)
        write_asset(path, spec, item_facts.grid)
    thumbnail = folder / f"{item_facts.id}.thumbnail.png"
    Image.new("RGB", (16, 16), (90, 90, 90)).save(thumbnail)
    keys = [spec.key for spec in asset_specs(item_facts.id.satellite)]
    if item_facts.geometric is not None:
        keys.append(GEOMETRY.key)
        write_points(folder / item_facts.id.file_name(GEOMETRY.key), item_facts.geometric)
    files = [describe_file(key, folder / item_facts.id.file_name(key)) for key in keys]
    return (*files, describe_file("thumbnail", thumbnail))


def write_points(path: Path, measured: GeometricFacts) -> None:
    """Write check points of that RMSE, and one that took part in the fit."""
    turns = [(0.6, 0.8), (-0.6, -0.8), (0.8, -0.6), (-0.8, 0.6)]
    moves = [turns[n % 4] for n in range(measured.check_points)] + [(9.0, 9.0)]
    points = {
        "x_m": [measured.rmse_m * x for x, _ in moves],
        "y_m": [measured.rmse_m * y for _, y in moves],
        "use": ["check"] * measured.check_points + ["fit"],
    }
    path.write_text(json.dumps({"points": points}))


def store_product(store: FolderStore, item_facts: ItemFacts) -> Path:
    """Put a product into the store and return its folder."""
    with store.draft(item_facts.id) as draft:
        files = write_product(draft.folder, item_facts)
        draft.commit(build_item(item_facts, files))
    stored = store.get(item_facts.id)
    assert stored is not None
    return store.resolve(stored.relative)


def named_files(item_facts: ItemFacts) -> tuple[AssetFile, ...]:
    """Descriptions of files that need not exist."""
    keys = [spec.key for spec in asset_specs(item_facts.id.satellite)]
    if item_facts.geometric is not None:
        keys.append(GEOMETRY.key)
    files = [AssetFile(key, Path(item_facts.id.file_name(key)), 1000, "ab" * 32) for key in keys]
    return (*files, AssetFile("thumbnail", Path(f"{item_facts.id}.thumbnail.webp"), 10, "cd" * 32))


def document(item_facts: ItemFacts) -> dict[str, Any]:
    """The item of a product without files."""
    return build_item(item_facts, named_files(item_facts))


def changed(item_facts: ItemFacts, changes: Mapping[str, Any]) -> ItemFacts:
    """The facts with some of them replaced."""
    return replace(item_facts, **changes)
