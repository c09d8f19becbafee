"""Where a scene is compared with a reference: points all over it, and the chips around them.

Points lie on a regular grid of the image, so that the lines around a row of them are read once.
Their chips lie on the ground, north up, drawn from the image through camera model and heights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from catalog.grid import Grid
from catalog.product import RESOLUTION_M
from processing.geometry.dem import HeightModel
from processing.geometry.footprint import Part, reach
from processing.geometry.kernels import draw, interleave
from processing.geometry.ortho import grid_around
from processing.geometry.refine import Demand, Frame
from processing.geometry.rpc import IDENTITY, Floats, Rpc

Chips = NDArray[np.float32]
Index = NDArray[np.intp]

_NODE_PX: Final = 4
_TAPS_PX: Final = 3
_BLOCK_PX: Final = 1024
"""Side of the ground squares in which the reference is read."""
_HEIGHT_ROUNDS: Final = 4


class Reference(Protocol):
    """An image whose position is trusted."""

    @property
    def label(self) -> str:
        """What it is, for the item."""

    @property
    def band(self) -> str:
        """Common name of its band: red, green, nir..."""

    def read(self, grid: Grid) -> NDArray[np.float32]:
        """Return it on a grid of any UTM zone and resolution, shape ``grid.shape``; NaN = none."""


@dataclass(frozen=True, slots=True)
class BandPart:
    """One band of an image, with a camera model that may differ from the image's own."""

    part: Part
    band: int
    rpc: Rpc

    @property
    def width(self) -> int:
        """Columns of the image."""
        return self.part.width

    @property
    def height(self) -> int:
        """Rows of the image."""
        return self.part.height

    @property
    def bands(self) -> int:
        """One."""
        return 1

    def read(self, row: int, col: int, rows: int, cols: int) -> NDArray[np.uint16]:
        """Read a window, shape (1, rows, cols); 0 is no data."""
        return self.part.read(row, col, rows, cols)[self.band : self.band + 1]


@dataclass(frozen=True, slots=True)
class Terrain:
    """Ellipsoidal heights below a scene, on a coarse grid."""

    grid: Grid
    values: NDArray[np.float32]

    def at(self, grid: Grid, row: Floats, col: Floats) -> Floats:
        """Return heights at pixel-centre indices of another grid with the same corner."""
        ratio = grid.resolution / self.grid.resolution
        places = np.stack([(row + 0.5) * ratio - 0.5, (col + 0.5) * ratio - 0.5])
        heights = ndimage.map_coordinates(self.values, places, order=1, mode="nearest")
        return np.asarray(heights, np.float64)


@dataclass(frozen=True, slots=True)
class Sites:
    """Points to compare at, arrays of length n.

    ``part`` is the index of the image, ``line`` numbers the rows of points in it; ``top`` and
    ``left`` are the first pixel, on ``grid``, of a chip of ``size`` pixels.
    """

    grid: Grid
    size: int
    part: Index
    line: Index
    top: Index
    left: Index

    @property
    def middle(self) -> Floats:
        """Pixel-centre indices, rows and columns, of the chips' middles, shape (2, n)."""
        return np.stack([self.top, self.left]).astype(np.float64) + (self.size - 1) / 2

    def subset(self, pick: NDArray[np.bool_]) -> "Sites":
        """Return some of the points."""
        return Sites(
            self.grid, self.size,
            self.part[pick], self.line[pick], self.top[pick], self.left[pick],
        )  # fmt: skip


def terrain_below(parts: Sequence[BandPart], heights: HeightModel, resolution_m: float) -> Terrain:
    """Return heights below all that the images can see at any height of their RPC's range."""
    ring = [(float(lon), float(lat)) for lon, lat in zip(*reach(parts), strict=True)]
    grid = grid_around(ring, resolution_m)
    return Terrain(grid, heights.on(grid))


def common_frame(parts: Sequence[BandPart]) -> Frame:
    """Return the common image of parts, from where the edge of each lies in the one before."""
    origins = [np.zeros(2)]
    for before, part in pairwise(parts):
        middle = part.height / 2
        lon, lat = part.rpc.ground(middle, 0.0, part.rpc.height_offset)
        row, col = before.rpc.image(lon, lat, part.rpc.height_offset)
        origins.append(origins[-1] + [float(row) - middle, float(col)])
    places = np.array(origins) - np.min(origins, 0)
    ends = places + [(part.height, part.width) for part in parts]
    return Frame(
        tuple((float(r), float(c)) for r, c in places), (ends[:, 0].max(), ends[:, 1].max())
    )


def sites_over(
    parts: Sequence[BandPart], terrain: Terrain, grid: Grid, *, step: float, size: int
) -> Sites:
    """Return points every ``step`` pixels of the images, chips of ``size`` pixels of ``grid``."""
    found: list[tuple[Index, Index, Index, Index]] = []
    for index, part in enumerate(parts):
        rows, cols = (_spaced(extent, step) for extent in (part.height, part.width))
        row, col = (v.ravel() for v in np.meshgrid(rows, cols, indexing="ij"))
        line = np.repeat(np.arange(len(rows)), len(cols))
        height = np.full(row.shape, float(terrain.values.mean()))
        for _ in range(_HEIGHT_ROUNDS):
            down, right = grid.rowcol(*part.rpc.ground(row, col, height))
            height = terrain.at(grid, down, right)
        top, left = (np.rint(at - (size - 1) / 2).astype(np.intp) for at in (down, right))
        found.append((np.full(row.shape, index, np.intp), line, top, left))
    return Sites(grid, size, *(np.concatenate(column) for column in zip(*found, strict=True)))


def _spaced(extent: int, step: float) -> Floats:
    """Return places ``step`` apart, in the middle of an extent."""
    count = max(1, int(extent / step))
    return (np.arange(count) + 0.5) * extent / count - 0.5


def scene_chips(
    parts: Sequence[BandPart], terrain: Terrain, sites: Sites, saturation_dn: int
) -> tuple[Chips, Floats]:
    """Draw the chips of a scene; its pixels are averaged where those of the grid are larger.

    Returns
    -------
    chips : ndarray
        Shape (n, size, size), float32 counts, NaN = no data.
    saturated : ndarray
        Share of saturated pixels, shape (n,).
    """
    chips = np.full((len(sites.top), sites.size, sites.size), np.nan, np.float32)
    saturated = np.zeros(len(chips))
    for index, part in enumerate(parts):
        for line in np.unique(sites.line[sites.part == index]):
            here = np.flatnonzero((sites.part == index) & (sites.line == line))
            for k, dn, bits in _chips_of_line(part, terrain, sites, here, saturation_dn):
                chips[k] = np.where(dn > 0, dn, np.float32(np.nan))
                saturated[k] = (bits > 0).mean()
    return chips, saturated


def _chips_of_line(
    part: BandPart, terrain: Terrain, sites: Sites, here: Index, saturation_dn: int
) -> Iterator[tuple[int, NDArray[np.uint16], NDArray[np.uint8]]]:
    """Read the lines that a row of points needs, and draw their chips."""
    steps = np.arange(-(-sites.size // _NODE_PX) + 1) * float(_NODE_PX)
    row = sites.top[here, None, None] + steps[:, None] + 0.0 * steps
    col = sites.left[here, None, None] + steps + 0.0 * steps[:, None]
    height = terrain.at(sites.grid, row, col)
    seen_row, seen_col = part.rpc.image(*sites.grid.lonlat(row, col), height)
    factor = max(1, round(sites.grid.resolution / RESOLUTION_M))
    first = max(0, int(seen_row.min()) - _TAPS_PX * factor)
    end = min(part.height, int(seen_row.max()) + (_TAPS_PX + 1) * factor)
    if first >= end:
        return
    source = np.empty((-(-(end - first) // factor), -(-part.width // factor)), np.uint16)
    bits = np.zeros(source.shape if saturation_dn else (0, 0), np.uint8)
    lines = part.read(first, 0, end - first, part.width)
    flags = interleave(lines, factor, saturation_dn, source, bits)
    nodes = np.zeros((*seen_row.shape, 8))
    nodes[..., 0] = (seen_row - first + 0.5) / factor - 0.5
    nodes[..., 3] = (seen_col + 0.5) / factor - 0.5
    flat = np.zeros((2, 2), np.float32)
    window = (0, 0, sites.size, sites.size)
    for k, chip_nodes in zip(here, nodes, strict=True):
        dn = np.zeros((1, sites.size, sites.size), np.uint16)
        marks = np.zeros(dn.shape[1:], np.uint8)
        draw(source, bits, (True, *flags), chip_nodes, _NODE_PX, flat, (-1.0, 1.0), window,
             (0,), (0,) * 4, dn, marks)  # fmt: skip
        yield int(k), dn[0], marks


def reference_chips(reference: Reference, sites: Sites, search: int) -> Chips:
    """Cut the chips of a reference, ``search`` pixels larger on every side; NaN = no data."""
    side = sites.size + 2 * search
    chips = np.full((len(sites.top), side, side), np.nan, np.float32)
    blocks = np.stack([sites.top // _BLOCK_PX, sites.left // _BLOCK_PX], 1)
    for block in np.unique(blocks, axis=0):
        here = np.flatnonzero((blocks == block).all(1))
        top, left = sites.top[here] - search, sites.left[here] - search
        first_row, first_col = int(top.min()), int(left.min())
        rows, cols = int(top.max()) - first_row + side, int(left.max()) - first_col + side
        values = reference.read(sites.grid.window(first_row, first_col, rows, cols))
        for k, r, c in zip(here, top - first_row, left - first_col, strict=True):
            chips[k] = values[r : r + side, c : c + side]
    return chips


@dataclass(frozen=True, slots=True)
class TiePoints:
    """Matched points: ground places of the reference and what the image asks for there.

    ``lon``, ``lat`` in degrees, ``height`` in metres above the ellipsoid; ``demand`` as of the
    uncorrected camera models; ``to_ground`` (n, 2, 2) turns rows and columns into pixels of 16 m
    to the east and north.
    """

    lon: Floats
    lat: Floats
    height: Floats
    demand: Demand
    to_ground: Floats

    def on_ground(self, down: Floats, right: Floats) -> tuple[Floats, Floats]:
        """Return pixels of 16 m to the east and north of displacements in the image."""
        moved = np.einsum("nij,nj->ni", self.to_ground, np.stack([down, right], 1))
        return moved[:, 0], moved[:, 1]


def tie(parts: Sequence[BandPart], terrain: Terrain, sites: Sites, moved: Floats) -> TiePoints:
    """Return tie points of chips that were found.

    Parameters
    ----------
    parts
        The images with the camera models that drew the chips.
    terrain
        Heights.
    sites
        The chips.
    moved
        How far down and right of there the reference shows the same, pixels, shape (2, n).
    """
    grid, part, drawn_at = sites.grid, sites.part, sites.middle
    row, col = drawn_at + moved
    lon, lat = grid.lonlat(row, col)
    height = terrain.at(grid, row, col)
    drawn = _seen(parts, part, grid.lonlat(*drawn_at), terrain.at(grid, *drawn_at))
    raw = [replace(image, rpc=image.rpc.corrected(IDENTITY)) for image in parts]
    model = _seen(raw, part, (lon, lat), height)
    pixel = RESOLUTION_M / grid.resolution
    east = _seen(raw, part, grid.lonlat(row, col + pixel), height) - model
    north = _seen(raw, part, grid.lonlat(row - pixel, col), height) - model
    to_ground = np.linalg.inv(np.stack([east.T, north.T], 2))
    demand = Demand(part, model[0], model[1], *(drawn - model))
    return TiePoints(lon, lat, height, demand, to_ground)


def _seen(
    parts: Sequence[BandPart], part: Index, lonlat: tuple[Floats, Floats], height: Floats
) -> Floats:
    """Return rows and columns of ground points in their images, shape (2, n)."""
    seen = np.zeros((2, len(part)))
    for index, image in enumerate(parts):
        here = part == index
        seen[:, here] = image.rpc.image(lonlat[0][here], lonlat[1][here], height[here])
    return seen
