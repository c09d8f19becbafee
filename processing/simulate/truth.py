"""What the scene truly is, kept beside its package: rasters on the ground's grid, and a record."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from catalog.grid import Grid
from processing.simulate.ground import Ground

_STEP = 1e-4
"""Step of reflectance and optical depth."""
_PROFILE = {"driver": "GTiff", "compress": "deflate", "tiled": True, "zlevel": 1}
DEM_STEP_DEG = 1 / 3600
_DEM_SPARE = 20
CLOUDY = 20
"""Opacity in hundredths from which a pixel counts as cloud or shadow."""


def write_rasters(
    folder: Path, ground: Ground, bands: tuple[str, ...], aod: NDArray[np.uint16]
) -> None:
    """Write ``sr.tif``, ``height.tif``, ``water.tif`` and ``aod.tif``.

    ``aod`` (rows, cols) is the optical depth at 550 nm in steps of 1e-4.
    """
    grid = ground.grid
    write_raster(folder / "sr.tif", ground.reflectance, grid, names=bands, scale=_STEP, nodata=0)
    write_raster(folder / "aod.tif", aod, grid, names=("aod550",), scale=_STEP, nodata=0)
    write_raster(folder / "height.tif", ground.height, grid, names=("height",))
    write_raster(folder / "water.tif", ground.water, grid, names=("water",))


def write_veil(folder: Path, name: str, opacity: NDArray[np.uint8], grid: Grid) -> None:
    """Write ``<name>.tif`` (1 where it counts) and ``<name>_opacity.tif`` (hundredths)."""
    drawn = (opacity >= CLOUDY).astype(np.uint8)
    write_raster(folder / f"{name}.tif", drawn, grid, names=(name,))
    write_raster(folder / f"{name}_opacity.tif", opacity, grid, names=(name,), scale=0.01)


def write_raster(
    path: Path,
    values: NDArray[Any],
    grid: Grid,
    *,
    names: tuple[str, ...],
    scale: float = 1.0,
    nodata: float | None = None,
) -> None:
    """Write ``values`` ((bands,) rows, cols) on ``grid`` as GeoTIFF with scale and names."""
    stack = values if values.ndim == 3 else values[None]
    transform = Affine(*grid.transform)
    _write(path, stack, f"EPSG:{grid.epsg}", transform, names, scale, nodata)


def write_dem(path: Path, heights: NDArray[np.float32], west: float, north: float) -> None:
    """Write ellipsoidal heights on a one-second grid; EPSG:4979 says so."""
    transform = Affine(DEM_STEP_DEG, 0, west, 0, -DEM_STEP_DEG, north)
    _write(path, heights[None], "EPSG:4979", transform, ("height",), 1.0, None)


def dem_frame(
    west: float, south: float, east: float, north: float
) -> tuple[float, float, tuple[int, int]]:
    """Return corner (west, north) and shape of the DEM that holds the bounds with some to spare."""
    first_col = math.floor(west / DEM_STEP_DEG) - _DEM_SPARE
    first_row = math.ceil(north / DEM_STEP_DEG) + _DEM_SPARE
    rows = first_row - math.floor(south / DEM_STEP_DEG) + _DEM_SPARE
    cols = math.ceil(east / DEM_STEP_DEG) + _DEM_SPARE - first_col
    return first_col * DEM_STEP_DEG, first_row * DEM_STEP_DEG, (rows, cols)


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write the record as JSON."""
    path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")


def _write(
    path: Path,
    stack: NDArray[Any],
    crs: str,
    transform: Affine,
    names: tuple[str, ...],
    scale: float,
    nodata: float | None,
) -> None:
    predictor = 3 if stack.dtype.kind == "f" else 2
    profile = {**_PROFILE, "predictor": predictor, "dtype": stack.dtype.name, "crs": crs}
    bands, rows, cols = stack.shape
    with rasterio.open(
        path, "w", count=bands, height=rows, width=cols, transform=transform, nodata=nodata,
        **profile,
    ) as raster:  # fmt: skip
        raster.write(stack)
        raster.descriptions = names
        raster.scales = (scale,) * bands
