"""Where an image lies on the ground: its outline, and the part of a grid that it covers."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.ops import unary_union

from catalog.errors import DemError
from catalog.grid import Grid
from processing.geometry.dem import HeightModel, extent, extent_text
from processing.geometry.lattice import Lattice
from processing.geometry.rpc import Floats, Rpc, near_longitude

_LOWEST_M: Final = -500.0
_HIGHEST_M: Final = 9000.0
"""Between these heights above the ellipsoid lies all ground."""
_SIDE_POINTS: Final = 17
_OUTLINE_DEM_M: Final = 500.0
"""Heights are averaged to this size where only an outline or a range is wanted."""
_HEIGHT_ITERATIONS: Final = 8
_MARGIN_PX: Final = 64
_RANGE_MARGIN_M: Final = 300.0
"""What averaging may take off a summit."""

Window = tuple[int, int, int, int]
"""First row, first column, rows, columns."""


class Part(Protocol):
    """An image with its RPC: what the geometry needs to know of it."""

    @property
    def rpc(self) -> Rpc:
        """Camera model."""

    @property
    def width(self) -> int:
        """Columns of the image."""

    @property
    def height(self) -> int:
        """Rows of the image."""

    @property
    def bands(self) -> int:
        """Bands of the image."""

    def read(self, row: int, col: int, rows: int, cols: int) -> NDArray[np.uint16]:
        """Read a window, shape (bands, rows, cols); 0 is no data."""


def footprint(parts: Sequence[Part], heights: HeightModel) -> list[tuple[float, float]]:
    """Return the outline of a scene on the ground.

    Parameters
    ----------
    parts
        The images of the scene; several are joined.
    heights
        Heights of the ground.

    Returns
    -------
    list of (lon, lat)
        Degrees, an open ring in one turn of longitude (beyond 180 where it crosses).

    Raises
    ------
    DemError
        The heights end inside the scene.
    """
    rings = [_ring_on_ground(part, heights) for part in parts]
    centre = float(rings[0][0].flat[0])
    outlines = [Polygon(np.stack([near_longitude(lon, centre), lat], 1)) for lon, lat in rings]
    joined = unary_union(outlines)
    if joined.geom_type != "Polygon":
        joined = joined.convex_hull
    return [(float(lon), float(lat)) for lon, lat in joined.exterior.coords[:-1]]


def covered_window(parts: Sequence[Part], target: Grid, heights: HeightModel) -> Window | None:
    """Return the part of a grid that a scene covers, a little generously.

    Parameters
    ----------
    parts
        The images of the scene.
    target
        The grid.
    heights
        Heights of the ground.

    Returns
    -------
    row, col, rows, cols
        Window of ``target``; None where the scene does not reach it.
    """
    windows = [found for part in parts if (found := part_window(part, target, heights)) is not None]
    if not windows:
        return None
    first_row, first_col = min(w[0] for w in windows), min(w[1] for w in windows)
    end_row, end_col = max(w[0] + w[2] for w in windows), max(w[1] + w[3] for w in windows)
    return first_row, first_col, end_row - first_row, end_col - first_col


def part_window(part: Part, target: Grid, heights: HeightModel) -> Window | None:
    """Return the part of a grid that one image covers; as `covered_window`."""
    box = _box_of_outline(part, target)
    if box is None:
        return None
    row, col, rows, cols = box
    lattice = Lattice.over(target.window(row, col, rows, cols))
    lon, lat = lattice.lonlat()
    low, high = height_range(heights, lon, lat)
    seen = [part.rpc.image(lon, lat, h) for h in (low, high)]
    touched = cells_inside(part, seen).nonzero()
    if not len(touched[0]):
        return None
    step = lattice.step
    first_row, first_col = (int(index.min()) * step for index in touched)
    end_row, end_col = (int(index.max() + 1) * step + 1 for index in touched)
    end_row, end_col = min(end_row, rows), min(end_col, cols)
    return row + first_row, col + first_col, end_row - first_row, end_col - first_col


def height_range(heights: HeightModel, lon: Floats, lat: Floats) -> tuple[float, float]:
    """Return bounds of the heights around points, metres above the ellipsoid."""
    if heights.flat:
        return 0.0, 0.0
    values = heights.block(extent(lon, lat), _OUTLINE_DEM_M).values
    return float(values.min()) - _RANGE_MARGIN_M, float(values.max()) + _RANGE_MARGIN_M


def cells_inside(part: Part, seen: Sequence[tuple[Floats, Floats]]) -> NDArray[np.bool_]:
    """Tell which cells of a lattice may see the image.

    Parameters
    ----------
    part
        The image.
    seen
        Rows and columns of the nodes in the image, at several heights.

    Returns
    -------
    ndarray
        Shape (node rows - 1, node columns - 1).
    """
    inside = np.ones(np.subtract(seen[0][0].shape, 1), np.bool_)
    for axis, size in ((0, part.height), (1, part.width)):
        corners = np.stack([
            at[axis][rows, cols]
            for at in seen
            for rows in (slice(None, -1), slice(1, None))
            for cols in (slice(None, -1), slice(1, None))
        ])  # fmt: skip
        inside &= (corners.min(0) < size - 0.5) & (corners.max(0) > -0.5)
    return inside


def reach(parts: Sequence[Part]) -> tuple[Floats, Floats]:
    """Return longitudes and latitudes around all that images see at any height of their RPCs.

    Where the corners meet the lowest and the highest ground, degrees in one turn of longitude.
    """
    lon, lat = (np.concatenate(at) for at in zip(*map(_corners, parts), strict=True))
    return near_longitude(lon, float(lon[0])), lat


def _corners(part: Part) -> tuple[Floats, Floats]:
    """Return where the corners of an image meet the lowest and the highest ground."""
    row = np.tile([-0.5, -0.5, part.height - 0.5, part.height - 0.5], 2)
    col = np.tile([-0.5, part.width - 0.5], 4)
    return part.rpc.ground(row, col, np.repeat(_height_limits(part.rpc), 4))


def _height_limits(rpc: Rpc) -> tuple[float, float]:
    """Return the lowest and the highest ground for which an RPC is made, metres."""
    low, high = rpc.height_offset - rpc.height_scale, rpc.height_offset + rpc.height_scale
    return max(low, _LOWEST_M), min(high, _HIGHEST_M)


def _outline(part: Part) -> tuple[Floats, Floats]:
    """Return rows and columns along the outer edges of the image's pixels, once around."""
    share = np.linspace(0.0, 1.0, _SIDE_POINTS)[:-1]
    zero, one = np.zeros_like(share), np.ones_like(share)
    down = np.concatenate([zero, share, one, 1.0 - share])
    across = np.concatenate([share, one, 1.0 - share, zero])
    return down * part.height - 0.5, across * part.width - 0.5


def _ring_on_ground(part: Part, heights: HeightModel) -> tuple[Floats, Floats]:
    """Follow the rays of the outline down to the ground."""
    row, col = _outline(part)
    height = np.full(row.shape, part.rpc.height_offset)
    lon, lat = part.rpc.ground(row, col, height)
    if heights.flat:
        return part.rpc.ground(row, col, 0.0)
    west, south, east, north = extent(lon, lat)
    block = heights.block((west - 0.1, south - 0.1, east + 0.1, north + 0.1), _OUTLINE_DEM_M)
    for _ in range(_HEIGHT_ITERATIONS):
        lon, lat = part.rpc.ground(row, col, block.at(lon, lat))
    if not heights.covers(lon, lat).all():
        raise DemError(
            f"{heights.source}: heights end inside the scene: they cover "
            f"{extent_text([heights.files[0].bounds])}, the scene "
            f"{extent_text([extent(lon, lat)])}; give heights of all of it, or a folder of files"
        )
    return lon, lat


def _box_of_outline(part: Part, target: Grid) -> Window | None:
    """Return the window of the grid around the outline at the RPC's lowest and highest height.

    Beyond it the rational polynomials are not to be trusted.
    """
    row, col = _outline(part)
    on_grid = [target.rowcol(*part.rpc.ground(row, col, h)) for h in _height_limits(part.rpc)]
    box: list[tuple[int, int]] = []
    for axis, size in enumerate(target.shape):
        places = np.concatenate([at[axis] for at in on_grid])
        if not np.isfinite(places).all():
            return None
        first = max(0, int(places.min()) - _MARGIN_PX)
        end = min(size, int(places.max()) + _MARGIN_PX + 1)
        if first >= end:
            return None
        box.append((first, end - first))
    return box[0][0], box[1][0], box[0][1], box[1][1]
