"""The surface library on disk: one Cloud-Optimized GeoTIFF per camera and tile.

Float32 layers named for what they hold (``blue iso``, ``blue vol``, ``blue geo``, ``blue sigma``,
… ``observations``, ``information iso vol`` …), NaN where nothing is known; readable by any GIS.
Tags say which camera, where from, which products came in, and how much ground a cell stands for.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rio_cogeo.cogeo import cog_translate

from catalog.errors import AtmosphereError
from processing.library.modis import RESOLUTION_M
from processing.library.tile import KERNELS, PAIRS, SurfaceTile, cell_grid
from processing.sensors import camera

_SUFFIX = ".surface.tiff"
_BLOCK = 256
_PROFILE = {
    "driver": "GTiff",
    "interleave": "pixel",
    "tiled": True,
    "compress": "DEFLATE",
    "predictor": 3,
    "blockxsize": _BLOCK,
    "blockysize": _BLOCK,
}


def tile_path(folder: Path, camera_name: str, name: str) -> Path:
    """Return the file of a tile in a library's folder."""
    return folder / f"{camera_name}.{name}{_SUFFIX}"


def tile_paths(folder: Path) -> list[Path]:
    """Return the files of a library.

    Raises
    ------
    AtmosphereError
        The folder is not there, or holds no library.
    """
    paths = sorted(folder.glob(f"*{_SUFFIX}"))
    if not paths:
        state = "holds no surface library" if folder.is_dir() else "is not a folder"
        raise AtmosphereError(f"{folder} {state}; `gfard library build` makes one")
    return paths


def layer_names(camera_name: str) -> list[str]:
    """Return the names of the layers of a camera's tiles in their order."""
    names = [band.name for band in camera(camera_name).bands]
    own = [f"{name} {part}" for name in names for part in (*KERNELS, "sigma")]
    return [*own, "observations", *(f"information {KERNELS[i]} {KERNELS[j]}" for i, j in PAIRS)]


def read_tile(path: Path) -> SurfaceTile:
    """Read a tile; one that does not tell its resolution counts as coarse as any, MODIS's.

    Raises
    ------
    AtmosphereError
        It is no tile of a library, or lies on another grid than the tile that it is named for.
    """
    try:
        with rasterio.open(path) as raster:
            tags, layers = raster.tags(), raster.read()
            names = list(raster.descriptions)
            place = (raster.crs and raster.crs.to_epsg(), tuple(raster.transform)[:6], raster.shape)
    except RasterioError as error:
        raise AtmosphereError(f"{path}: not readable as a GeoTIFF: {error}") from error
    camera_name, name = tags.get("GFARD_CAMERA", ""), tags.get("GFARD_TILE", "")
    if not camera_name or names != layer_names(camera_name):
        raise AtmosphereError(
            f"{path}: not a tile of a surface library (layers {names[:5]} ...); "
            "`gfard library build` makes one"
        )
    grid = cell_grid(name)
    wanted = (grid.epsg, grid.transform, grid.shape)
    if place != wanted:
        raise AtmosphereError(
            f"{path}: lies on another grid than tile {name}: EPSG, transform and shape {place} "
            f"seen, {wanted} wanted; build the library again"
        )
    bands = len(camera(camera_name).bands)
    own = layers[: bands * 4].reshape(bands, 4, *grid.shape)
    return SurfaceTile(
        camera_name,
        name,
        own[:, :3],
        own[:, 3],
        layers[bands * 4],
        layers[bands * 4 + 1 :],
        tags.get("GFARD_SOURCE", ""),
        tuple(json.loads(tags.get("GFARD_ITEMS", "[]"))),
        float(tags.get("GFARD_RESOLUTION_M", RESOLUTION_M)),
    )


def write_tile(folder: Path, surface: SurfaceTile) -> Path:
    """Write a tile into a library's folder, whole or not at all; return its file."""
    grid, bands = surface.grid, len(surface.weights)
    own = np.concatenate([surface.weights, surface.sigma[:, np.newaxis]], axis=1)
    layers = np.concatenate(
        [
            own.reshape(bands * 4, *grid.shape),
            surface.count[np.newaxis],
            surface.information,
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = tile_path(folder, surface.camera, surface.name)
    with tempfile.TemporaryDirectory(prefix=".library-", dir=folder) as scratch:
        part = Path(scratch) / path.name
        _write_cog(part, layers.astype(np.float32), surface)
        os.replace(part, path)
    return path


def _write_cog(path: Path, layers: NDArray[np.float32], surface: SurfaceTile) -> None:
    grid = surface.grid
    profile = {
        "driver": "GTiff", "dtype": "float32", "count": len(layers), "nodata": np.nan,
        "width": grid.cols, "height": grid.rows, "crs": f"EPSG:{grid.epsg}",
        "transform": rasterio.Affine(*grid.transform),
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**profile) as raster:
            raster.write(layers)
            raster.descriptions = layer_names(surface.camera)
            raster.update_tags(
                GFARD_CAMERA=surface.camera,
                GFARD_TILE=surface.name,
                GFARD_SOURCE=surface.source,
                GFARD_ITEMS=json.dumps(surface.items),
                GFARD_RESOLUTION_M=f"{surface.resolution_m:g}",
            )
        with memory.open() as raster:
            cog_translate(
                raster, str(path), _PROFILE, in_memory=True, quiet=True, forward_band_tags=True
            )  # fmt: skip


def tiles_of(folder: Path, camera_name: str) -> Iterator[Path]:
    """Yield the files of one camera.

    Raises
    ------
    AtmosphereError
        The folder holds no library, or none of this camera.
    """
    own = [path for path in tile_paths(folder) if path.name.startswith(f"{camera_name}.")]
    if not own:
        raise AtmosphereError(
            f"{folder} holds no surface library for {camera_name}; `gfard library build` makes one"
        )
    yield from own
