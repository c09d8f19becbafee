"""Pixels of a raster on the grid of a map tile.

GDAL's warper reads and moves every band of a file and sets its machinery up for each picture. A
map tile is simple enough to be moved here: positions are transformed at the nodes of a coarse
mesh, interpolated between them, and the pixels around them are read once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

_STEP = 16
"""Most pixels of a picture between two nodes of the mesh.

Across 16 pixels of 2.4 km (zoom level 6) a meridian bends by 60 m, a fortieth of a pixel.
"""

DRAWN_TYPES = frozenset({"uint8", "uint16", "int16", "float32"})
"""Types of pixels that are moved here."""
Bounds = tuple[float, float, float, float]
Transform = Callable[
    [NDArray[np.float64], NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]
]


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the pixels of a square picture lie in a raster.

    Attributes
    ----------
    cols, rows
        Shape (size, size), float64, in pixels of the raster from its outer corner, so that 0.5 is
        the centre of the first pixel; not finite where there is no such place.
    """

    cols: NDArray[np.float64]
    rows: NDArray[np.float64]

    def step(self) -> float:
        """Return how many pixels of the raster lie between two of the picture, in the mean."""
        size = len(self.cols) - 1
        across = np.hypot(self.cols[:, -1] - self.cols[:, 0], self.rows[:, -1] - self.rows[:, 0])
        return float(across.mean() / size)

    def span(self, shape: tuple[int, int]) -> tuple[slice, slice] | None:
        """Return the rows and columns that a picture needs, with a margin; None for none.

        Parameters
        ----------
        shape
            Rows and columns of the raster.
        """
        rows, cols = (
            slice(max(0, int(places.min()) - 2), min(most, int(places.max()) + 3))
            for places, most in ((self.rows, shape[0]), (self.cols, shape[1]))
        )
        if rows.start >= rows.stop or cols.start >= cols.stop:
            return None
        return rows, cols

    def inside(self, shape: tuple[int, int]) -> bool:
        """Return whether every position has four pixels of a raster of this shape around it."""
        return all(
            places.min() >= 0.5 and places.max() <= most - 0.5
            for places, most in ((self.rows, shape[0]), (self.cols, shape[1]))
        )

    def coarser(self, by_cols: float, by_rows: float) -> "Positions":
        """Return the same places in a raster whose pixels are larger by these factors."""
        return Positions(self.cols / by_cols, self.rows / by_rows)


def positions(
    bounds: Bounds, size: int, transform: Transform, origin: tuple[float, float],
    pixel: tuple[float, float],
) -> Positions:  # fmt: skip
    """Return where the pixels of a picture lie in a raster.

    Parameters
    ----------
    bounds
        Left, bottom, right and top of the picture, metres of its own coordinate system.
    size
        Pixels along a side of the picture.
    transform
        From the picture's coordinates to the raster's.
    origin, pixel
        x and y of the raster's upper-left corner, width and height (negative) of a pixel.
    """
    left, bottom, right, top = bounds
    nodes, between = _mesh(size)
    x, y = np.meshgrid(left + (right - left) * nodes, top + (bottom - top) * nodes)
    east, north = transform(x.ravel(), y.ravel())
    cols = (np.reshape(east, x.shape) - origin[0]) / pixel[0]
    rows = (np.reshape(north, y.shape) - origin[1]) / pixel[1]
    return Positions(between @ cols @ between.T, between @ rows @ between.T)


@lru_cache(maxsize=64)
def _mesh(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the nodes along a side (0 to 1) and their weights at each pixel's centre."""
    count = -(-size // _STEP)
    place = (np.arange(size) + 0.5) / size * count
    before = np.minimum(place.astype(int), count - 1)
    weights = np.zeros((size, count + 1))
    weights[np.arange(size), before] = 1 - (place - before)
    weights[np.arange(size), before + 1] = place - before
    return np.linspace(0, 1, count + 1), weights


def nearest(
    pixels: NDArray[np.generic], at: Positions, fill: float
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return the pixels that positions fall into.

    Parameters
    ----------
    pixels
        Shape (bands, rows, cols).
    at
        Positions in them.
    fill
        Value that means no data.

    Returns
    -------
    ndarray, ndarray
        Values and where there are none, shape (bands, size, size).
    """
    rows, cols = np.floor(at.rows).astype(np.intp), np.floor(at.cols).astype(np.intp)
    inside = (rows >= 0) & (rows < pixels.shape[1]) & (cols >= 0) & (cols < pixels.shape[2])
    values = pixels[:, np.where(inside, rows, 0), np.where(inside, cols, 0)]
    return values, ~inside | (values == fill)


def bilinear(
    pixels: NDArray[np.generic], at: Positions, fill: float
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return what lies between the four pixels around each position.

    Pixels without data in any band have no weight; a place more than half of which they make up
    has no data. Arguments and result are those of `nearest`.
    """
    cols, rows = (places.astype(np.float32) - np.float32(0.5) for places in (at.cols, at.rows))
    known = pixels[0] != fill
    for layer in pixels[1:]:
        known |= layer != fill
    whole = bool(known.all())
    layers = pixels if whole or fill == 0 else np.where(known, pixels, pixels.dtype.type(0))
    moved = cv2.remap(cv2.merge(list(layers)), cols, rows, cv2.INTER_LINEAR)
    moved = moved.reshape(*cols.shape, len(pixels))
    if whole and at.inside(known.shape):
        hidden = np.zeros(cols.shape, np.bool_)
    else:
        weight = cv2.remap(known.astype(np.float32), cols, rows, cv2.INTER_LINEAR)
        hidden = weight < 0.5
        edge = ~hidden & (weight < 1)
        moved[edge] = moved[edge] / weight[edge][:, np.newaxis]
        moved[hidden] = fill
    values = np.moveaxis(moved, -1, 0)
    return values, np.broadcast_to(hidden, values.shape)
