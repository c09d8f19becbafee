"""Ellipsoidal heights of the ground from digital elevation models.

A model reads only the part that is asked for, mosaicked from its files; what it returns is
always metres above the WGS84 ellipsoid, so the geoid is added to heights that count from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.errors import DemError
from catalog.grid import Grid
from processing.geometry import glo30
from processing.geometry.demfiles import (
    SUFFIXES,
    DemFile,
    frame_over,
    mosaic,
)
from processing.geometry.geoid import Datum, Geoid, open_geoid
from processing.geometry.lattice import Lattice
from processing.geometry.rpc import Floats, near_longitude
from processing.rasters import Bounds

_CACHE: Final = Path("~/.cache/gfard/glo30")
_ADDRESSES: Final = ("https://", "http://", "s3://")
_STRIP_ROWS: Final = 1024
_POINT_CELL_DEG: Final = 0.5


def extent_text(boxes: Sequence[Bounds]) -> str:
    """Say for messages what boxes in degrees cover together."""
    west, south = (min(box[k] for box in boxes) for k in (0, 1))
    east, north = (max(box[k] for box in boxes) for k in (2, 3))
    return f"{west:.3f} to {east:.3f} E, {south:.3f} to {north:.3f} N"


def extent(lon: Floats, lat: Floats) -> Bounds:
    """Return west, south, east, north around points, also across 180 E."""
    lon = near_longitude(lon, float(lon.flat[0]))
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())


@dataclass(frozen=True, slots=True)
class HeightBlock:
    """A lon/lat raster of ellipsoidal heights; ``west``, ``north`` = centre of the first value."""

    west: float
    north: float
    step_lon: float
    step_lat: float
    values: NDArray[np.float32]

    def position(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
        """Return row and column, as cell-centre indices, of points in degrees."""
        middle = self.west + self.step_lon * self.values.shape[1] / 2
        col = (near_longitude(lon, middle) - self.west) / self.step_lon
        return (self.north - np.asarray(lat, np.float64)) / self.step_lat, col

    def at(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float32]:
        """Interpolate bilinearly at points; the outermost values reach on."""
        rows, cols = self.values.shape
        row, col = self.position(lon, lat)
        row, col = np.clip(row, 0.0, rows - 1.0), np.clip(col, 0.0, cols - 1.0)
        top, left = row.astype(int), col.astype(int)
        bottom, right = np.minimum(top + 1, rows - 1), np.minimum(left + 1, cols - 1)
        down, across = row - top, col - left
        upper = self.values[top, left] * (1 - across) + self.values[top, right] * across
        lower = self.values[bottom, left] * (1 - across) + self.values[bottom, right] * across
        heights: Floats = upper * (1 - down) + lower * down
        return heights.astype(np.float32)


@dataclass(frozen=True, slots=True)
class HeightModel:
    """Heights of the ground around a scene.

    ``source`` and ``geoid`` name where they come from. Where the files of a folder or a server
    leave gaps the sea level is taken, which is what gaps mean if the source is ``worldwide``; a
    file of its own ``ends`` at its edge, beyond which its outermost heights reach on.
    """

    source: str
    geoid: str
    files: tuple[DemFile, ...] = ()
    undulation: Geoid | None = None
    ends: bool = False
    worldwide: bool = False

    @property
    def flat(self) -> bool:
        """Tell whether no heights were given and the ellipsoid stands for the ground."""
        return not self.files and self.undulation is None

    def covers(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points have heights of their own: all, unless a single file ends."""
        x, y = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
        if not self.ends:
            return np.ones(x.shape, np.bool_)
        west, south, east, north = self.files[0].bounds
        x = near_longitude(x, (west + east) / 2)
        covered: NDArray[np.bool_] = (west <= x) & (x <= east) & (south <= y) & (y <= north)
        return covered

    def gaps(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
        """Tell at which points (degrees) the sea level stands in for files that are not there."""
        x, y = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
        gap = np.full(x.shape, not (self.worldwide or self.ends))
        for west, south, east, north in (file.bounds for file in self.files):
            near = near_longitude(x, (west + east) / 2)
            gap &= (near < west) | (near > east) | (y < south) | (y > north)
        return gap

    def void_share(self, bounds: Bounds) -> float:
        """Return the share, 0 to 1, of the heights inside an extent that the files mark void."""
        areas = [file.voids(bounds) for file in self.files if file.meets(bounds)]
        whole = sum(area for _, area in areas)
        return sum(void for void, _ in areas) / whole if whole else 0.0

    def heights(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float32]:
        """Interpolate at points.

        Parameters
        ----------
        lon, lat
            Degrees, shapes that broadcast.

        Returns
        -------
        ndarray
            Metres above the ellipsoid, float32.
        """
        x, y = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
        out = np.zeros(x.shape, np.float32)
        if self.flat or not x.size:
            return out
        x = near_longitude(x, float(x.flat[0]))
        cell = np.floor(x / _POINT_CELL_DEG) * 1000 + np.floor(y / _POINT_CELL_DEG)
        for key in np.unique(cell):
            here = cell == key
            out[here] = self.block(extent(x[here], y[here])).at(x[here], y[here])
        return out

    def on(self, grid: Grid) -> NDArray[np.float32]:
        """Return heights at the pixel centres of a grid, averaged where its pixels are larger.

        Returns
        -------
        ndarray
            Metres above the ellipsoid, shape ``grid.shape``, float32.
        """
        out = np.zeros(grid.shape, np.float32)
        if self.flat:
            return out
        for first in range(0, grid.rows, _STRIP_ROWS):
            strip = grid.window(first, 0, min(_STRIP_ROWS, grid.rows - first), grid.cols)
            lattice = Lattice.over(strip)
            lon, lat = lattice.lonlat()
            block = self.block(extent(lon, lat), grid.resolution)
            row, col = block.position(lon, lat)
            out[first : first + strip.rows] = lattice.sample(block.values[None], row, col)[0]
        return out

    def block(self, bounds: Bounds, resolution_m: float = 0.0) -> HeightBlock:
        """Read the heights that surround an extent.

        Parameters
        ----------
        bounds
            West, south, east, north in degrees; east may exceed 180.
        resolution_m
            Metres; pixels are averaged to about that size where they are smaller.

        Raises
        ------
        DemError
            A file cannot be read.
        """
        if self.flat:
            return HeightBlock(bounds[0], bounds[3], 1.0, 1.0, np.zeros((2, 2), np.float32))
        frame = frame_over(self.files, bounds, resolution_m, clip=self.ends)
        values = mosaic(self.files, frame)
        lon, lat = frame.centres()
        if self.undulation is not None:
            values += self.undulation.undulation(lon, lat)
        return HeightBlock(float(lon[0]), float(lat[0]), frame.step_lon, frame.step_lat, values)


def open_dem(
    source: str | Path | None,
    bounds: Bounds,
    *,
    cache: Path | None = None,
    geoid: Path | None = None,
) -> HeightModel:
    """Open the heights around a scene.

    Parameters
    ----------
    source
        A raster file; a folder of raster files; ``"glo30"`` for Copernicus GLO-30 from its open
        bucket, or an ``https://`` or ``s3://`` address under which its files lie; None for the
        ellipsoid. The CRS tells what heights count from (EPSG:4979: the ellipsoid; a compound
        CRS: its geoid). Without that, Copernicus files count from EGM2008, others from EGM96.
    bounds
        West, south, east, north of the scene in degrees; east may exceed 180.
    cache
        Folder that keeps fetched files; ``~/.cache/gfard/glo30`` by default.
    geoid
        A geoid grid to read instead of the installed ones.

    Raises
    ------
    DemError
        Nothing there can be read or lies near the scene, files count from different surfaces, or
        no geoid grid is installed.
    """
    if source is None:
        return HeightModel("none (ellipsoid)", "none")
    name = glo30.PUBLIC_BUCKET if source == "glo30" else str(source)
    fetched = name.startswith(_ADDRESSES)
    paths = (
        glo30.fetch(name, bounds, cache or _CACHE.expanduser()) if fetched else _listed(Path(name))
    )
    found = [DemFile.describe(path) for path in paths]
    files = tuple(file for file in found if file.meets(bounds))
    if not files and not fetched:
        raise DemError(
            f"{source}: the heights cover {extent_text([file.bounds for file in found])}, nothing "
            f"of the scene at {extent_text([bounds])}; give heights of that place"
        )
    if any((file.datum is None) != (files[0].datum is None) for file in files):
        raise DemError(
            f"{source}: some heights count from the ellipsoid and some from a geoid; files of one "
            "kind wanted"
        )
    ends = not fetched and Path(name).is_file()
    datum: Datum | None = "EGM2008" if fetched else files[0].datum
    if datum is None:
        return HeightModel(str(source), "none (ellipsoidal heights)", files, ends=ends)
    undulation = open_geoid(datum, bounds[1] - 1.0, bounds[3] + 1.0, geoid)
    return HeightModel(str(source), undulation.name, files, undulation, ends, fetched)


def _listed(path: Path) -> list[Path]:
    """Return the file, or the rasters of a folder."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DemError(f"{path}: no such file or folder of heights")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise DemError(f"{path}: no rasters ({', '.join(sorted(SUFFIXES))}) in this folder")
    return files
