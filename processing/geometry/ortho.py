"""One resampling from the pixels of an image to a grid on the ground.

Row and column are computed on a lattice as quadratics in height, the height at every pixel, and
all bands are drawn in one pass. Counts stay counts: 0 is no data, and a pixel is drawn where the
image pixel under its centre is valid. Cubic convolution falls back to the mean of the valid ones of
the four nearest pixels where one of its sixteen is missing, as GDAL does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from catalog.errors import GeometryError
from catalog.grid import Grid
from catalog.product import RESOLUTION_M
from processing.geometry.dem import HeightModel, extent
from processing.geometry.footprint import (
    Part,
    Window,
    cells_inside,
    covered_window,
    footprint,
    part_window,
)
from processing.geometry.kernels import draw, interleave
from processing.geometry.lattice import Lattice
from processing.geometry.rpc import Floats

__all__ = [
    "Ortho",
    "coarse_window",
    "covered_window",
    "footprint",
    "orthorectify",
    "scene_grid",
]

Kernel = Literal["cubic", "bilinear"]

_CHUNK_ROWS: Final = 128
_STRIP_ROWS: Final = 1024
_TAPS_PX: Final = 3
_LEAST_HALF_RANGE_M: Final = 50.0
_SNAP_M: Final = 512.0


@dataclass(frozen=True, slots=True)
class Ortho:
    """An image on the ground.

    ``dn`` has shape (bands, rows, cols), uint16, 0 = no data; bit b of ``saturated`` (rows,
    cols), uint8, tells that a pixel of band b that went into it was saturated.
    """

    dn: NDArray[np.uint16]
    saturated: NDArray[np.uint8]


def orthorectify(
    parts: Sequence[Part],
    target: Grid,
    heights: HeightModel,
    *,
    kernel: Kernel = "cubic",
    saturation_dn: int | None = None,
) -> Ortho:
    """Resample a scene to a grid.

    Parameters
    ----------
    parts
        The images of the scene; where several see a pixel the first valid one wins.
    target
        Grid in any UTM zone; only what it covers is read.
    heights
        Heights of the ground.
    kernel
        Cubic convolution (a = -0.5) or bilinear.
    saturation_dn
        Count from which a pixel is saturated; None does not look.
    """
    return _resample(parts, target, heights, _Options(kernel, 1, saturation_dn or 0))


def scene_grid(parts: Sequence[Part], heights: HeightModel, resolution_m: float) -> Grid:
    """Return the grid in the UTM zone of a scene's middle that holds the scene.

    Its origin lies on multiples of 512 m.
    """
    return grid_around(footprint(parts, heights), resolution_m)


def coarse_window(
    parts: Sequence[Part],
    heights: HeightModel,
    grid: Grid,
    *,
    saturation_dn: int | None = None,
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Resample to a coarse grid, for what is decided once for all tiles of a scene.

    Image pixels are averaged in squares to about the resolution, then resampled bilinearly.

    Parameters
    ----------
    parts, heights, saturation_dn
        As in `orthorectify`.
    grid
        Grid or a window of it, of any resolution.

    Returns
    -------
    dn : ndarray
        Shape (bands, rows, cols), uint16, 0 = no data.
    saturated : ndarray
        Shape (rows, cols), uint8; bits of bands as in `Ortho`.
    """
    factor = max(1, round(grid.resolution / RESOLUTION_M))
    options = _Options("bilinear", factor, saturation_dn or 0)
    dn = np.zeros((parts[0].bands, *grid.shape), np.uint16)
    saturated = np.zeros(grid.shape, np.uint8)
    for first in range(0, grid.rows, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, grid.rows - first)
        strip = _resample(parts, grid.window(first, 0, rows, grid.cols), heights, options)
        dn[:, first : first + rows] = strip.dn
        saturated[first : first + rows] = strip.saturated
    return dn, saturated


@dataclass(frozen=True, slots=True)
class _Options:
    """How to resample: ``factor`` is the side of the squares that are averaged before."""

    kernel: Kernel
    factor: int
    saturation: int


@dataclass(frozen=True, slots=True)
class _Source:
    """A window of an image, interleaved and averaged; row and column of its first pixel."""

    row: int
    col: int
    pixels: NDArray[np.uint16]
    saturated: NDArray[np.uint8]
    any_invalid: bool
    any_saturated: bool


def _resample(
    parts: Sequence[Part], target: Grid, heights: HeightModel, options: _Options
) -> Ortho:
    """Draw every part onto a grid."""
    if len({part.bands for part in parts}) != 1:
        raise GeometryError(
            f"parts with {[part.bands for part in parts]} bands; one or more parts with equally "
            "many wanted"
        )
    ortho = Ortho(
        np.zeros((parts[0].bands, *target.shape), np.uint16), np.zeros(target.shape, np.uint8)
    )
    for part in parts:
        window = part_window(part, target, heights)
        if window is not None:
            _draw_part(part, target, window, heights, options, ortho)
    return ortho


def _draw_part(
    part: Part, target: Grid, window: Window, heights: HeightModel, options: _Options, ortho: Ortho
) -> None:
    """Draw one part onto the window of the grid that it covers."""
    lattice = Lattice.over(target.window(*window))
    lon, lat = lattice.lonlat()
    block = heights.block(extent(lon, lat), target.resolution)
    middle = float(block.values.max() + block.values.min()) / 2
    half = max(float(np.ptp(block.values)) / 2, _LEAST_HALF_RANGE_M)
    seen = [part.rpc.image(lon, lat, middle + sign * half) for sign in (-1.0, 0.0, 1.0)]
    source = _read_source(part, seen, options)
    if source is None:
        return
    nodes = np.stack(
        [
            *_quadratic([_to_source(row, source.row, options.factor) for row, _ in seen]),
            *_quadratic([_to_source(col, source.col, options.factor) for _, col in seen]),
            *block.position(lon, lat),
        ],
        -1,
    )
    draw(
        source.pixels,
        source.saturated,
        (options.kernel == "cubic", source.any_invalid, source.any_saturated),
        nodes,
        lattice.step,
        block.values,
        (middle - half, middle + half),
        window,
        (0,) * part.bands,
        (0,) * (4 * part.bands),
        ortho.dn,
        ortho.saturated,
    )


def _quadratic(low_middle_high: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """Return a, b, c of a + b h + c h**2 through the values at h = -1, 0, 1."""
    low, middle, high = low_middle_high
    return middle, (high - low) / 2, (high + low) / 2 - middle


def _to_source(index: Floats, first: int, factor: int) -> Floats:
    """Turn pixel-centre indices of the image into those of the averaged source."""
    return (index - first + 0.5) / factor - 0.5


def _read_source(
    part: Part, seen: Sequence[tuple[Floats, Floats]], options: _Options
) -> _Source | None:
    """Read the image window that the lattice sees, in chunks; None where it sees nothing."""
    cells = cells_inside(part, seen)
    if not cells.any():
        return None
    factor = options.factor
    (row, end_row), (col, end_col) = (
        _span([at[axis] for at in seen], cells, size, factor)
        for axis, size in ((0, part.height), (1, part.width))
    )
    rows, cols = math.ceil((end_row - row) / factor), math.ceil((end_col - col) / factor)
    pixels = np.empty((rows, cols * part.bands), np.uint16)
    saturated = np.zeros((rows, cols) if options.saturation else (0, 0), np.uint8)
    any_invalid = any_saturated = False
    for first in range(0, rows, _CHUNK_ROWS):
        here = slice(first, min(first + _CHUNK_ROWS, rows))
        top = row + first * factor
        chunk = part.read(top, col, min(row + here.stop * factor, end_row) - top, end_col - col)
        flags = interleave(chunk, factor, options.saturation, pixels[here], saturated[here])
        any_invalid, any_saturated = any_invalid or flags[0], any_saturated or flags[1]
    return _Source(row, col, pixels, saturated, any_invalid, any_saturated)


def _span(
    nodes: Sequence[Floats], cells: NDArray[np.bool_], size: int, factor: int
) -> tuple[int, int]:
    """Return first and end index of the image that the touched cells need along one axis."""
    used = np.zeros(nodes[0].shape, np.bool_)
    for rows in (slice(None, -1), slice(1, None)):
        for cols in (slice(None, -1), slice(1, None)):
            used[rows, cols] |= cells
    low = min(float(at[used].min()) for at in nodes) - _TAPS_PX * factor
    high = max(float(at[used].max()) for at in nodes) + _TAPS_PX * factor
    first = min(max(0, math.floor(low)), size - 1) // factor * factor
    return first, max(first + 1, min(size, math.ceil(high) + 1))


def grid_around(ring: Sequence[tuple[float, float]], resolution: float) -> Grid:
    """Return the grid in the UTM zone of the ring's middle that holds the ring (lon, lat)."""
    lon, lat = np.array(ring).T
    middle = (lon.min() + lon.max()) / 2
    zone = int((middle + 180.0) % 360.0 // 6) + 1
    epsg = (32600 if lat.min() + lat.max() >= 0 else 32700) + zone
    row, col = Grid(epsg, 0.0, 0.0, 1.0, 1, 1).rowcol(lon, lat)
    west = math.floor(col.min() / _SNAP_M) * _SNAP_M
    north = math.ceil(-row.min() / _SNAP_M) * _SNAP_M
    rows = math.ceil((north + row.max()) / resolution)
    cols = math.ceil((col.max() - west) / resolution)
    return Grid(epsg, west, north, float(resolution), rows, cols)
