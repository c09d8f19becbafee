"""Kernel weights of MODIS (MCD43A1) as a surface library.

Read are GeoTIFF re-exports in any projection: one file with a layer for each weight, named as in
the product (``BRDF_Albedo_Parameters_Band3_iso``, ``…_vol``, ``…_geo``, as Earth Engine exports
them), or a file for each band with three layers in that order (``*BRDF_Albedo_Parameters_Band3*``).
Integers without a scale of their own count 0.001; 32767 is fill.

A band of a camera takes a weighted sum of MODIS's (:mod:`processing.library.bands`). What that
leaves in error, and the product's own error (Wang et al. 2018, RSE 207, 50-64: about 0.02 in
albedo, less in the visible: 0.005 and 3 % of iso), is sigma.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT

from catalog.errors import AtmosphereError
from catalog.grid import Grid
from processing.library.bands import MODIS_BANDS, BandTable, band_table
from processing.library.tile import KERNELS, PAIRS, SurfaceTile, cell_grid, empty_tile
from processing.rasters import lies_on_earth

RESOLUTION_M = 833.0
"""Ground that a cell of the product stands for: it is gridded at 463 m, but looks from aside and
the swath's stretch make it 833 m by 618 m at middle latitudes (Campagnolo et al. 2016, RSE 175,
52-64)."""
_LAYER = re.compile(r"Band([1-4])_(iso|vol|geo)\b")
_FILE = re.compile(r"Parameters_Band([1-4])(?!\d)")
_INTEGER_SCALE = 0.001
_INTEGER_FILL = 32767
_SIGMA = 0.005
_RELATIVE_SIGMA = 0.03
_OBSERVATIONS = 7.0
"""What a full inversion of the product rests on at least."""

Floats = NDArray[np.float64]
_Place = tuple[Path, int]


def library_of_kernels(
    sources: Sequence[Path], camera_name: str, tile_name: str, table: BandTable | None = None
) -> SurfaceTile:
    """Make the library of one tile from kernel rasters.

    Parameters
    ----------
    sources
        GeoTIFFs, or folders with them.
    camera_name, tile_name
        E.g. "GF1WFV1", "31TCL".
    table
        From MODIS's bands to the camera's, that of the package where None.

    Raises
    ------
    AtmosphereError
        Layers are missing or unreadable, or hold nothing on the tile.
    """
    places = _find(sources)
    grid = cell_grid(tile_name)
    modis = np.stack([
        np.stack([_warped(*places[band, kernel], grid) for kernel in KERNELS])
        for band in MODIS_BANDS
    ])  # fmt: skip
    if not np.isfinite(modis).any():
        named = ", ".join(sorted({path.name for path, _ in places.values()}))
        raise AtmosphereError(
            f"{named}: no kernel weights on tile {tile_name}; rasters that cover it wanted"
        )
    relation = table or band_table(camera_name)
    weights = relation.convert(modis)
    names = ", ".join(sorted({path.name for path, _ in places.values()}))
    empty = empty_tile(camera_name, tile_name, len(weights), f"MCD43A1-like kernels: {names}")
    surface = replace(empty, resolution_m=RESOLUTION_M)
    known = np.isfinite(weights).all(axis=(0, 1))
    surface.weights[:, :, known] = weights[:, :, known]
    surface.sigma[:, known] = kernel_sigma(weights[:, 0], relation)[:, known]
    surface.count[known] = _OBSERVATIONS
    for place, (i, j) in enumerate(PAIRS):
        surface.information[place, known] = _OBSERVATIONS if i == j else 0.0
    return surface


def kernel_sigma(iso: Floats, table: BandTable) -> Floats:
    """Return the sigma of reflectance that kernels predict, (bands, rows, cols) as ``iso``."""
    own = np.hypot(_SIGMA, _RELATIVE_SIGMA * iso)
    return np.asarray(np.hypot(own, table.sigma[:, np.newaxis, np.newaxis]))


def _find(sources: Sequence[Path]) -> dict[tuple[int, str], _Place]:
    """Return file and layer number of every kernel weight."""
    places: dict[tuple[int, str], _Place] = {}
    for path in _files(sources):
        try:
            with rasterio.open(path) as raster:
                descriptions, count = raster.descriptions, raster.count
                if not lies_on_earth(raster):
                    raise AtmosphereError(
                        f"{path}: kernel weights in a geographic or projected CRS wanted"
                    )
        except RasterioError as error:
            raise AtmosphereError(f"{path}: not readable as a raster: {error}") from error
        named = [_LAYER.search(text or "") for text in descriptions]
        whole = _FILE.search(path.name)
        if any(named):
            for number, match in enumerate(named, start=1):
                if match:
                    places[int(match[1]), match[2]] = path, number
        elif whole and count >= len(KERNELS):
            for number, kernel in enumerate(KERNELS, start=1):
                places[int(whole[1]), kernel] = path, number
    missing = [
        f"Band{band}_{kernel}"
        for band in sorted(MODIS_BANDS)
        for kernel in KERNELS
        if (band, kernel) not in places
    ]
    if missing:
        given = ", ".join(str(path) for path in sources)
        some = ", ".join(missing[:4]) + (" ..." if missing[4:] else "")
        raise AtmosphereError(
            f"{given}: no layer {some}; wanted are "
            "layers named like BRDF_Albedo_Parameters_Band1_iso, or files of three layers named "
            "like *BRDF_Albedo_Parameters_Band1*"
        )
    return places


def _files(sources: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for source in sources:
        if not source.exists():
            raise AtmosphereError(f"{source} is not there; a GeoTIFF or a folder of them wanted")
        found += sorted(source.glob("*.tif*")) if source.is_dir() else [source]
    return found


def _warped(path: Path, number: int, grid: Grid) -> Floats:
    """Read one layer on a grid in reflectance, NaN = no data."""
    with rasterio.open(path) as raster:
        integer = np.issubdtype(np.dtype(raster.dtypes[number - 1]), np.integer)
        nodata = raster.nodatavals[number - 1]
        if nodata is None and integer:
            nodata = _INTEGER_FILL
        scale = raster.scales[number - 1]
        if integer and scale == 1.0:
            scale = _INTEGER_SCALE
        with WarpedVRT(
            raster,
            crs=f"EPSG:{grid.epsg}",
            transform=rasterio.Affine(*grid.transform),
            width=grid.cols,
            height=grid.rows,
            src_nodata=nodata,
            nodata=nodata,
            resampling=Resampling.bilinear,
            dtype=raster.dtypes[number - 1],
        ) as warped:
            values = warped.read(number, masked=True).astype(np.float64)
    return np.asarray(values.filled(np.nan) * scale, np.float64)
