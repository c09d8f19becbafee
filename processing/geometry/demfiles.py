"""Rasters of heights as they lie on disk, read as one mosaic in longitude and latitude."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioIOError
from rasterio.fill import fillnodata
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import from_bounds
from scipy.ndimage import distance_transform_edt

from catalog.errors import DemError
from processing.geometry.geoid import Datum
from processing.rasters import Bounds, lies_on_earth, lonlat_bounds

Floats = NDArray[np.float64]
SUFFIXES: Final = frozenset({".tif", ".tiff", ".hgt", ".dt1", ".dt2", ".vrt", ".bil"})
_METRES_PER_DEGREE: Final = 111_000.0
_VOID_SEARCH_PX: Final = 100
_VOID_SAMPLES: Final = 512
_SEA_STEP_DEG: Final = 1 / 60


@dataclass(frozen=True, slots=True)
class DemFile:
    """One raster of heights: its extent and pixel size in degrees.

    ``datum`` is what the heights count from, None the ellipsoid.
    """

    path: Path
    bounds: Bounds
    step_lon: float
    step_lat: float
    datum: Datum | None

    @classmethod
    def describe(cls, path: Path) -> "DemFile":
        """Read what a raster says of itself.

        Raises
        ------
        DemError
            It cannot be read, or has no CRS.
        """
        try:
            with rasterio.open(path) as raster:
                if not lies_on_earth(raster):
                    raise DemError(
                        f"{path}: heights without a geographic or projected CRS; one is wanted"
                    )
                bounds = lonlat_bounds(raster)
                shape, crs = raster.shape, CRS.from_user_input(raster.crs)
        except RasterioIOError as error:
            raise DemError(f"{path}: heights cannot be read: {error}") from error
        west, south, east, north = bounds
        steps = (east - west) / shape[1], (north - south) / shape[0]
        return cls(path, bounds, *steps, _datum(path, crs))

    def turn_to(self, bounds: Bounds) -> float:
        """Return the full turns, in degrees, that bring the file near ``bounds``."""
        apart = (bounds[0] + bounds[2] - self.bounds[0] - self.bounds[2]) / 2
        return 360.0 * round(apart / 360.0)

    def meets(self, bounds: Bounds) -> bool:
        """Tell whether the file shares ground with ``bounds``."""
        turn = self.turn_to(bounds)
        west, south, east, north = self.bounds
        return (
            west + turn <= bounds[2]
            and east + turn >= bounds[0]
            and south <= bounds[3]
            and north >= bounds[1]
        )

    def voids(self, bounds: Bounds) -> tuple[float, float]:
        """Return the area of voids and the whole area, square degrees, inside ``bounds``.

        Void is what is marked so, or not finite; at most 512 pixels along each side are looked at.
        """
        turn = self.turn_to(bounds)
        west, south, east, north = self.bounds
        edges = (
            max(bounds[0] - turn, west), max(bounds[1], south),
            min(bounds[2] - turn, east), min(bounds[3], north),
        )  # fmt: skip
        with rasterio.open(self.path) as raster:
            window = from_bounds(
                *transform_bounds("OGC:CRS84", raster.crs, *edges), raster.transform
            )
            if min(window.height, window.width) < 1:
                return 0.0, 0.0
            rows, cols = (
                min(_VOID_SAMPLES, max(1, round(size))) for size in (window.height, window.width)
            )
            values = raster.read(1, window=window, out_shape=(rows, cols), masked=True)
        void = np.ma.getmaskarray(values) | ~np.isfinite(values.data)
        area = (edges[2] - edges[0]) * (edges[3] - edges[1])
        return area * float(void.mean()), area


@dataclass(frozen=True, slots=True)
class Frame:
    """A lon/lat raster frame: upper-left corner, pixel size in degrees, and shape."""

    west: float
    north: float
    step_lon: float
    step_lat: float
    rows: int
    cols: int

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north in degrees."""
        east, south = self.west + self.cols * self.step_lon, self.north - self.rows * self.step_lat
        return self.west, south, east, self.north

    def centres(self) -> tuple[Floats, Floats]:
        """Return longitudes (cols,) and latitudes (rows,) of the pixel centres, degrees."""
        lon = self.west + (np.arange(self.cols, dtype=np.float64) + 0.5) * self.step_lon
        lat = self.north - (np.arange(self.rows, dtype=np.float64) + 0.5) * self.step_lat
        return lon, lat


def frame_over(
    files: Sequence[DemFile], bounds: Bounds, resolution_m: float, *, clip: bool
) -> Frame:
    """Return the frame around ``bounds`` on the pixels of the finest file.

    Pixels are multiplied up to about ``resolution_m``. With ``clip`` the frame ends at that
    file's edges, so that what lies beyond is not taken for sea.
    """
    if not files:
        west, south, east, north = bounds
        cols, rows = ((hi - lo) / _SEA_STEP_DEG for lo, hi in ((west, east), (south, north)))
        return Frame(west, north, _SEA_STEP_DEG, _SEA_STEP_DEG, int(rows) + 2, int(cols) + 2)
    fine = min(files, key=lambda file: file.step_lon)
    turn = fine.turn_to(bounds)
    factor = max(1, int(resolution_m / (fine.step_lat * _METRES_PER_DEGREE)))
    step_lon, step_lat = fine.step_lon * factor, fine.step_lat * factor
    origin_lon, origin_lat = fine.bounds[0] + turn, fine.bounds[3]
    first_col = math.floor((bounds[0] - origin_lon) / step_lon) - 1
    last_col = math.floor((bounds[2] - origin_lon) / step_lon) + 1
    first_row = math.floor((origin_lat - bounds[3]) / step_lat) - 1
    last_row = math.floor((origin_lat - bounds[1]) / step_lat) + 1
    if clip:
        cols = math.ceil(round((fine.bounds[2] - fine.bounds[0]) / step_lon, 6))
        rows = math.ceil(round((fine.bounds[3] - fine.bounds[1]) / step_lat, 6))
        first_col, last_col = (min(max(v, 0), cols - 1) for v in (first_col, last_col))
        first_row, last_row = (min(max(v, 0), rows - 1) for v in (first_row, last_row))
    return Frame(
        origin_lon + first_col * step_lon,
        origin_lat - first_row * step_lat,
        step_lon,
        step_lat,
        last_row - first_row + 1,
        last_col - first_col + 1,
    )


def mosaic(files: Sequence[DemFile], frame: Frame) -> NDArray[np.float32]:
    """Read the heights of a frame.

    Earlier files win; voids are filled from around them, and what no file covers is sea level, as
    is a frame of voids alone.

    Returns
    -------
    ndarray
        Metres above what the files count from, shape (frame.rows, frame.cols), float32.

    Raises
    ------
    DemError
        A file cannot be read.
    """
    values = np.full((frame.rows, frame.cols), np.nan, np.float32)
    sea = np.ones(values.shape, np.bool_)
    for file in files:
        if file.meets(frame.bounds):
            seen = _read(file, frame)
            np.copyto(values, seen, where=np.isnan(values))
            sea[_within(file, frame)] = False
    values[sea & np.isnan(values)] = 0.0
    void = np.isnan(values)
    return _filled(values, void) if void.any() else values


def _filled(values: NDArray[np.float32], void: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return heights without voids: interpolated, in the middle of large ones the nearest."""
    if void.all():
        return np.zeros_like(values)
    filled: NDArray[np.float32] = fillnodata(values, (~void).astype(np.uint8), _VOID_SEARCH_PX)
    far = np.isnan(filled)
    if far.any():
        row, col = distance_transform_edt(far, return_distances=False, return_indices=True)
        filled = filled[row, col]
    return filled


def _within(file: DemFile, frame: Frame) -> tuple[slice, slice]:
    """Return the rows and columns of a frame whose centres lie in a file."""
    lon, lat = frame.centres()
    turn = file.turn_to(frame.bounds)
    west, south, east, north = file.bounds
    cols = np.searchsorted(lon, [west + turn, east + turn])
    rows = np.searchsorted(-lat, [-north, -south])
    return slice(int(rows[0]), int(rows[1])), slice(int(cols[0]), int(cols[1]))


def _read(file: DemFile, frame: Frame) -> NDArray[np.float32]:
    """Read one file onto a frame; NaN where it has nothing."""
    step_lon, step_lat = frame.step_lon, frame.step_lat
    west = frame.west - file.turn_to(frame.bounds)
    coarser = step_lat > 1.5 * file.step_lat
    try:
        with (
            rasterio.open(file.path) as raster,
            WarpedVRT(
                raster,
                src_crs=raster.crs if raster.crs.is_projected else "OGC:CRS84",
                crs="OGC:CRS84",
                transform=Affine(step_lon, 0.0, west, 0.0, -step_lat, frame.north),
                width=frame.cols,
                height=frame.rows,
                resampling=Resampling.average if coarser else Resampling.bilinear,
                dtype="float32",
                src_nodata=raster.nodata,
                nodata=np.nan,
            ) as warped,
        ):
            seen: NDArray[np.float32] = warped.read(1)
    except RasterioIOError as error:
        raise DemError(
            f"{file.path}: heights cannot be read: {error}; remove the file if it was fetched"
        ) from error
    return seen


_EGM = re.compile(r"EGM ?(96|2008|08)", re.IGNORECASE)


def _datum(path: Path, crs: CRS) -> Datum | None:
    """Tell from CRS, else from the file's name, what heights count from."""
    vertical = [part for part in crs.sub_crs_list if part.is_vertical]
    if len(crs.axis_info) == 3 and not vertical:
        return None
    told = _EGM.search(vertical[0].name if vertical else "")
    if told is not None:
        return "EGM96" if told[1] == "96" else "EGM2008"
    if vertical:
        raise DemError(
            f"{path}: heights count from {vertical[0].name!r}; the ellipsoid, EGM96 or EGM2008 "
            "wanted"
        )
    return "EGM2008" if "copernicus" in path.name.lower() else "EGM96"
