"""Grids on the ground: a raster's frame as one value, and the Sentinel-2/MGRS tiles at 16 m."""

import math
from dataclasses import dataclass

from catalog.errors import ProductError


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
