"""Grids on the ground: a raster's frame as one value, and the Sentinel-2/MGRS tiles at 16 m.

Tile geometry is a closed form. A name is zone, latitude band (of the CENTRE of the 100 km
square), column letter and row letter. The square's south-west corner (E, N) is snapped to
multiples of 60 m: west edge floor(E / 60), north edge ceil((N + 100 km) / 60), where the southern
hemisphere counts N from the equator southwards. Which names exist is not a formula: the list is
shipped.
"""

import lzma
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

from catalog.errors import ProductError, TileError
from catalog.product import RESOLUTION_M, TILE_PIXELS

Floats = NDArray[np.float64]

_SNAP_M = 60
_SQUARE_M = 100_000
_ROW_CYCLE_M = 2_000_000
_FALSE_NORTHING_M = 10_000_000
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
"""Column letters of zones 1, 2, 3, then again; the first is 100 km east."""
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
"""Latitude bands of 8 degrees from 80 S; X is 12 degrees high."""
_METRES_PER_DEGREE = 111_000.0
_RING_STEP_DEG = 0.1


@dataclass(frozen=True, slots=True)
class Grid:
    """A north-up raster frame: CRS, upper-left corner, pixel size and shape in one value.

    Coordinates are metres of a UTM zone (``epsg`` 326xx or 327xx). Pixel (0, 0) has its
    upper-left corner at (``ulx``, ``uly``) and its centre half a pixel to the south-east.
    """

    epsg: int
    ulx: float
    uly: float
    resolution: float
    rows: int
    cols: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.cols < 1 or not self.resolution > 0:
            raise ProductError(f"empty grid: {self.rows} x {self.cols} at {self.resolution} m")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine coefficients a, b, c, d, e, f of (col, row) corner -> (x, y)."""
        return (self.resolution, 0.0, self.ulx, 0.0, -self.resolution, self.uly)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in metres."""
        return (
            self.ulx,
            self.uly - self.rows * self.resolution,
            self.ulx + self.cols * self.resolution,
            self.uly,
        )

    def lonlat(self, row: ArrayLike, col: ArrayLike) -> tuple[Floats, Floats]:
        """Return longitude and latitude, degrees, of pixel-centre indices (0.0 = first centre)."""
        x = self.ulx + (np.asarray(col, np.float64) + 0.5) * self.resolution
        y = self.uly - (np.asarray(row, np.float64) + 0.5) * self.resolution
        lon, lat = _from_lonlat(self.epsg).transform(x, y, direction="INVERSE")
        return np.asarray(lon), np.asarray(lat)

    def rowcol(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
        """Return pixel-centre indices of longitudes and latitudes in degrees; also outside."""
        x, y = _from_lonlat(self.epsg).transform(lon, lat)
        col = (np.asarray(x) - self.ulx) / self.resolution - 0.5
        row = (self.uly - np.asarray(y)) / self.resolution - 0.5
        return row, col

    def window(self, row: int, col: int, rows: int, cols: int) -> "Grid":
        """Return the grid of a pixel window."""
        return Grid(
            self.epsg,
            self.ulx + col * self.resolution,
            self.uly - row * self.resolution,
            self.resolution,
            rows,
            cols,
        )

    def coarsen(self, factor: int) -> "Grid":
        """Return the grid with pixels ``factor`` times as large that covers this one."""
        return Grid(
            self.epsg,
            self.ulx,
            self.uly,
            self.resolution * factor,
            math.ceil(self.rows / factor),
            math.ceil(self.cols / factor),
        )


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of the grid, e.g. 31TCL."""

    name: str
    grid: Grid

    @property
    def zone(self) -> int:
        """UTM zone, 1 to 60."""
        return int(self.name[:2])

    @property
    def latitude_band(self) -> str:
        """Letter of the latitude band."""
        return self.name[2]

    @property
    def square(self) -> str:
        """The two letters of the 100 km square."""
        return self.name[3:]


@cache
def tile_names() -> frozenset[str]:
    """Return the names of all 56 686 tiles."""
    packed = resources.files("catalog").joinpath("data/mgrs_tiles.txt.xz").read_bytes()
    names: set[str] = set()
    for line in lzma.decompress(packed).decode("ascii").splitlines():
        if not line.startswith("#"):
            zone, squares = line.split()
            names.update(zone + squares[i : i + 2] for i in range(0, len(squares), 2))
    return frozenset(names)


def tile(name: str) -> Tile:
    """Return the tile called ``name``.

    Raises
    ------
    TileError
        No tile of the grid has that name.
    """
    if name not in tile_names():
        raise TileError(f"{name!r} is not a tile of the Sentinel-2 grid; one like '31TCL' wanted")
    zone = int(name[:2])
    easting = _SQUARE_M * (_COLUMNS[(zone - 1) % 3].index(name[3]) + 1)
    index = _ROWS.index(name[4]) - (5 if zone % 2 == 0 else 0)
    band_latitude = -76.0 + 8.0 * _BANDS.index(name[2])
    cycle = round((band_latitude * _METRES_PER_DEGREE - index * _SQUARE_M) / _ROW_CYCLE_M)
    return Tile(name, _tile_grid(zone, easting, index * _SQUARE_M + cycle * _ROW_CYCLE_M))


def tiles_touching(ring: Iterable[tuple[float, float]]) -> list[Tile]:
    """Return every tile, of every UTM zone, that shares ground with a polygon.

    Parameters
    ----------
    ring
        Longitude and latitude in degrees of the outline; its edges follow straight lines in
        these coordinates and take the short way around the globe, so a ring over 180 E needs no
        care. It must not enclose a pole.

    Returns
    -------
    list of Tile
        Sorted by name.
    """
    lon, lat = _densified(np.asarray(list(ring), np.float64))
    return sorted(
        (found for zone in _zones_near(lon, lat) for found in _tiles_in_zone(zone, lon, lat)),
        key=lambda found: found.name,
    )


@cache
def _from_lonlat(epsg: int) -> Transformer:
    """Return the projection of WGS84 longitude and latitude into ``epsg``."""
    return Transformer.from_crs("OGC:CRS84", f"EPSG:{epsg}", always_xy=True)


def _tile_grid(zone: int, easting: int, northing: int) -> Grid:
    """Return the grid of a square by its south-west corner; northing from the equator, signed."""
    ulx = easting // _SNAP_M * _SNAP_M
    uly = -(-(northing + _SQUARE_M) // _SNAP_M) * _SNAP_M
    epsg = 32600 + zone
    if northing < 0:
        epsg, uly = 32700 + zone, uly + _FALSE_NORTHING_M
    return Grid(epsg, float(ulx), float(uly), float(RESOLUTION_M), TILE_PIXELS, TILE_PIXELS)


def _densified(ring: Floats) -> tuple[Floats, Floats]:
    """Close the ring, unroll its longitudes and cut its edges into steps of 0.1 degree."""
    if ring.ndim != 2 or ring.shape[0] < 3 or ring.shape[1] != 2 or not np.isfinite(ring).all():
        raise ProductError(f"a ring needs 3 or more finite lon, lat points, got {ring.tolist()}")
    closed = np.vstack([ring, ring[:1]])
    closed[:, 0] = np.unwrap(closed[:, 0], period=360.0)
    steps = np.ceil(np.abs(np.diff(closed, axis=0)).max(axis=1) / _RING_STEP_DEG).astype(int)
    knots = np.concatenate([[0], np.cumsum(np.maximum(steps, 1))])
    dense = np.arange(knots[-1])
    return np.interp(dense, knots, closed[:, 0]), np.interp(dense, knots, closed[:, 1])


def _zones_near(lon: Floats, lat: Floats) -> list[int]:
    """Return the zones with tiles that could reach the ring (zones are up to 12 degrees wide)."""
    cosine = math.cos(math.radians(min(84.0, float(np.abs(lat).max()))))
    reach = 6.0 + 1.5 * _SQUARE_M / (_METRES_PER_DEGREE * cosine)
    middle, half = (lon.min() + lon.max()) / 2, (lon.max() - lon.min()) / 2
    return [
        zone
        for zone in range(1, 61)
        if abs((_meridian(zone) - middle + 180.0) % 360.0 - 180.0) <= half + reach
    ]


def _meridian(zone: int) -> float:
    """Return the central meridian of a zone in degrees."""
    return 6.0 * zone - 183.0


def _tiles_in_zone(zone: int, lon: Floats, lat: Floats) -> list[Tile]:
    """Return the tiles of one zone whose pixels share ground with the dense ring."""
    turn = 360.0 * round((_meridian(zone) - float(lon.mean())) / 360.0)
    x, y = _from_lonlat(32600 + zone).transform(lon + turn, lat)
    found = []
    for easting, northing in _squares_around(np.asarray(x), np.asarray(y)):
        name = _square_name(zone, easting, northing)
        if name in tile_names():
            grid = _tile_grid(zone, easting, northing)
            west, south, east, north = grid.bounds
            shift = _FALSE_NORTHING_M if northing < 0 else 0
            if _clipped_area(x, y, (west, south - shift, east, north - shift)) > 0:
                found.append(Tile(name, grid))
    return found


def _squares_around(x: Floats, y: Floats) -> list[tuple[int, int]]:
    """Return the 100 km squares whose tiles may meet the extent of the points."""
    first_col = max(1, math.floor(x.min() / _SQUARE_M) - 1)
    last_col = min(8, math.floor(x.max() / _SQUARE_M))
    first_row = math.floor(y.min() / _SQUARE_M) - 1
    last_row = math.floor(y.max() / _SQUARE_M) + 1
    return [
        (col * _SQUARE_M, row * _SQUARE_M)
        for col in range(first_col, last_col + 1)
        for row in range(first_row, last_row + 1)
    ]


def _square_name(zone: int, easting: int, northing: int) -> str:
    """Return the tile name of a square by its south-west corner."""
    middle = _SQUARE_M / 2
    _, lat = _from_lonlat(32600 + zone).transform(
        easting + middle, northing + middle, direction="INVERSE"
    )
    band = _BANDS[min(max(math.floor((lat + 80.0) / 8.0), 0), len(_BANDS) - 1)]
    row = (northing // _SQUARE_M + (5 if zone % 2 == 0 else 0)) % len(_ROWS)
    return f"{zone:02d}{band}{_COLUMNS[(zone - 1) % 3][easting // _SQUARE_M - 1]}{_ROWS[row]}"


def _clipped_area(x: Floats, y: Floats, box: tuple[float, float, float, float]) -> float:
    """Return the area of a polygon inside a box (Sutherland and Hodgman, 1974)."""
    west, south, east, north = box
    points = np.stack([x, y], 1)
    for axis, limit, sign in ((0, west, 1.0), (0, east, -1.0), (1, south, 1.0), (1, north, -1.0)):
        points = _clip_half_plane(points, sign * (points[:, axis] - limit))
        if not len(points):
            return 0.0
    px, py = (points - points[0]).T
    return abs(float(px @ np.roll(py, -1) - py @ np.roll(px, -1))) / 2


def _clip_half_plane(points: Floats, inside: Floats) -> Floats:
    """Keep the part of a closed polygon where ``inside``, linear along its edges, is positive."""
    after, inside_after = np.roll(points, -1, 0), np.roll(inside, -1)
    crosses = (inside > 0) != (inside_after > 0)
    share = np.divide(inside, inside - inside_after, out=np.zeros_like(inside), where=crosses)
    crossing = points + share[:, None] * (after - points)
    both = np.stack([points, crossing], 1)
    kept: Floats = both[np.stack([inside > 0, crosses], 1)]
    return kept
