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

REFLECTANCE_STEP = 1e-4
_PROFILE = {"driver": "GTiff", "compress": "deflate", "predictor": 2, "tiled": True, "zlevel": 1}
DEM_STEP_DEG = 1 / 3600


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
    _write(path, stack, f"EPSG:{grid.epsg}", transform, names, scale, nodata, {})


def write_dem(path: Path, heights: NDArray[np.float32], west: float, north: float) -> None:
    """Write ellipsoidal heights on a one-second grid; EPSG:4979 says so."""
    transform = Affine(DEM_STEP_DEG, 0, west, 0, -DEM_STEP_DEG, north)
    tags = {"VERTICAL_DATUM": "ELLIPSOID"}
    _write(path, heights[None], "EPSG:4979", transform, ("height",), 1.0, None, tags)


def lonlat_frame(
    west: float, south: float, east: float, north: float
) -> tuple[float, float, float, float]:
    """Return the bounds widened to whole steps of the DEM's grid, with some steps to spare."""
    spare = 20
    return (
        (math.floor(west / DEM_STEP_DEG) - spare) * DEM_STEP_DEG,
        (math.floor(south / DEM_STEP_DEG) - spare) * DEM_STEP_DEG,
        (math.ceil(east / DEM_STEP_DEG) + spare) * DEM_STEP_DEG,
        (math.ceil(north / DEM_STEP_DEG) + spare) * DEM_STEP_DEG,
    )


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
    tags: Mapping[str, str],
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
        raster.update_tags(**tags)
