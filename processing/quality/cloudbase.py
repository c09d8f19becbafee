"""The base of each cloud: the height at which its shadow falls where the ground is darkest.

With azimuths clockwise from north, towards sun and sensor, a cloud with its base ``H`` metres
above the ground is seen beside its shadow:

    shadow(E, N) = apparent cloud + H tan(view) (sin va, cos va) - H tan(sun) (sin sa, cos sa)

as in python-fmask and FORCE. WFV looks up to 37 degrees off nadir, so the view term is as large
as the sun's. For every piece of cloud heights are tried, and the one is kept at which the ground
below the displaced piece lacks most light against the ground around it: dark forest looks like
shadow all over, shadow ends with the cloud. Clouds of several layers touch in the image, so large
ones are cut; and a small piece leans on what the pieces near it found.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

BASE_HEIGHTS_M = (200.0, 12000.0)
"""Lowest and highest cloud base that is tried."""
ACCEPT = 0.06
"""Share of light by which the ground below a displaced piece is darker than around it."""
PIECE_PIXELS = 40
"""Side of the squares into which clouds larger than one and a half of them are cut."""
RING_PIXELS = 1
"""Width of the ring around a cloud whose ground is compared with that below it."""
IN_SIGHT = 0.2
"""Share of a displaced piece that must lie on ground in sight, else there is nothing to judge."""
PRIOR_WEIGHT = 0.6
"""Share of light that the heights found nearby are worth to a piece of ``PRIOR_PIXELS``."""
PRIOR_PIXELS = 90
_PRIOR_CELL = 32
_PRIOR_SPREAD = (2, 2, 2)
"""Standard deviation of the prior in steps of height and in cells of 32 pixels."""
_SAMPLES = 400
_NOISE_PIXELS = 2
"""Pixels without loss that are added to each mean, so that few pixels prove little."""
_LOWEST_RAY_DEG = 72.0
"""Zenith of the lowest ray that is followed; below it shadows run for tens of kilometres."""
_BLOCK = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, slots=True)
class Rays:
    """How far east and north a shadow moves per metre of cloud base, per cell of the angle grid.

    ``east`` and ``north`` are float32 (rows, cols); a cell spans ``cell`` pixels of the image
    and ``resolution_m`` is the size of such a pixel.
    """

    east: NDArray[np.float32]
    north: NDArray[np.float32]
    cell: int
    resolution_m: float

    @classmethod
    def of(
        cls,
        sun: tuple[NDArray[np.float32], NDArray[np.float32]],
        view: tuple[NDArray[np.float32], NDArray[np.float32]],
        cell: int,
        resolution_m: float,
    ) -> "Rays":
        """Return the rays of (azimuth, zenith) of sun and view, degrees, float32 (rows, cols)."""
        (sun_east, sun_north), (view_east, view_north) = _slope(*sun), _slope(*view)
        return cls(view_east - sun_east, view_north - sun_north, cell, resolution_m)

    def pixels_per_metre(
        self, row: NDArray[np.integer], col: NDArray[np.integer]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return rows (southwards) and columns that a shadow moves per metre at image pixels."""
        at = row // self.cell, col // self.cell
        return -self.north[at] / self.resolution_m, self.east[at] / self.resolution_m

    def heights(self) -> NDArray[np.float64]:
        """Return the bases to try, metres; the shadow moves by about a pixel between two."""
        length = float(np.nanmedian(np.hypot(self.east, self.north)))
        step = self.resolution_m / max(length, 0.05)
        return np.arange(BASE_HEIGHTS_M[0], BASE_HEIGHTS_M[1] + step, step)


def _slope(
    azimuth_deg: NDArray[np.float32], zenith_deg: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return eastward and northward run per metre of height towards a direction."""
    run = np.tan(np.radians(np.clip(zenith_deg, 0, _LOWEST_RAY_DEG)))
    azimuth = np.radians(azimuth_deg)
    return run * np.sin(azimuth), run * np.cos(azimuth)


@dataclass(frozen=True, slots=True)
class CloudBases:
    """Pixels of cloud with a known base: image indices, and metres above the ground."""

    row: NDArray[np.intp]
    col: NDArray[np.intp]
    base_m: NDArray[np.float64]


def cloud_bases(
    cloud: NDArray[np.bool_], lost: NDArray[np.float32], ground: NDArray[np.bool_], rays: Rays
) -> CloudBases:
    """Find the base of clouds by their shadows.

    Parameters
    ----------
    cloud
        Cloud, bool (rows, cols).
    lost
        Share of light that each pixel lacks, float32 (rows, cols), 0-1.
    ground
        Ground on which a shadow would show, bool (rows, cols).
    rays
        Displacement per metre of cloud base.

    Returns
    -------
    CloudBases
        A piece of cloud below which no height finds darker ground than around it is left out.
    """
    heights = rays.heights()
    pieces = _pieces(cloud)
    if not pieces.size.size:
        return CloudBases(pieces.row, pieces.col, np.zeros(0))
    likeness = _likeness(pieces, heights, lost, ground & ~cloud, rays)
    base = _choose(likeness, pieces, heights, cloud.shape)[pieces.owner]
    known = np.isfinite(base)
    return CloudBases(pieces.row[known], pieces.col[known], base[known])


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Pieces of cloud: every pixel with its owner, in the order of owners, and rings around them.

    ``row``, ``col`` and ``owner`` are the pixels of cloud; ``ring_row``, ``ring_col`` and
    ``ring_owner`` those around. ``size`` counts the pixels of each piece.
    """

    row: NDArray[np.intp]
    col: NDArray[np.intp]
    owner: NDArray[np.intp]
    ring_row: NDArray[np.intp]
    ring_col: NDArray[np.intp]
    ring_owner: NDArray[np.intp]
    size: NDArray[np.intp]


def _pieces(cloud: NDArray[np.bool_]) -> _Pieces:
    """Cut clouds into pieces: objects apart, and large ones by squares."""
    import cv2

    labels, _ = ndimage.label(cloud, _BLOCK)
    large = np.bincount(labels.ravel()) > 1.5 * PIECE_PIXELS**2
    row, col = np.nonzero(labels)
    whole = labels[row, col]
    squares = cloud.shape[1] // PIECE_PIXELS + 1
    square = (row // PIECE_PIXELS) * squares + col // PIECE_PIXELS + 1
    key = whole.astype(np.int64) * (square.max(initial=0) + 1) + np.where(large[whole], square, 0)
    names, owner = np.unique(key, return_inverse=True)
    labels[row, col] = owner + 1
    side = 2 * RING_PIXELS + 3
    near = cv2.dilate(labels.astype(np.float32), np.ones((side, side), np.uint8))
    ring_row, ring_col = np.nonzero((near > 0) & ~ndimage.binary_dilation(cloud, _BLOCK))
    ring_owner = near[ring_row, ring_col].astype(np.intp) - 1
    inner, outer = np.argsort(owner, kind="stable"), np.argsort(ring_owner, kind="stable")
    return _Pieces(
        row[inner],
        col[inner],
        owner[inner],
        ring_row[outer],
        ring_col[outer],
        ring_owner[outer],
        np.bincount(owner, minlength=names.size),
    )


def _likeness(
    pieces: _Pieces,
    heights: NDArray[np.float64],
    lost: NDArray[np.float32],
    ground: NDArray[np.bool_],
    rays: Rays,
) -> NDArray[np.float32]:
    """Return by how much the ground below each displaced piece is darker than around it.

    Shares of light, at least 0, float32 (pieces, heights); 0 also where too little of the piece
    lies on ground in sight.
    """
    count = pieces.size.size
    inner, inner_starts = _sample(pieces.owner, count)
    outer, outer_starts = _sample(pieces.ring_owner, count)
    row, col = pieces.row[inner], pieces.col[inner]
    ring_row, ring_col = pieces.ring_row[outer], pieces.ring_col[outer]
    result = np.zeros((count, heights.size), np.float32)
    _compare(
        np.stack((row, col, *rays.pixels_per_metre(row, col)), axis=1).astype(np.float32),
        inner_starts,
        np.stack((ring_row, ring_col, *rays.pixels_per_metre(ring_row, ring_col)), axis=1).astype(
            np.float32
        ),
        outer_starts,
        heights,
        np.where(ground, lost, np.float32(np.nan)),
        result,
    )
    return result


def _sample(owner: NDArray[np.intp], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return indices of about ``_SAMPLES`` pixels of each piece, and where each piece begins."""
    size = np.bincount(owner, minlength=count)
    rank = np.arange(owner.size) - np.repeat(np.cumsum(size) - size, size)
    stride = np.maximum(size // _SAMPLES, 1)
    kept = np.flatnonzero(rank % np.repeat(stride, size) == 0)
    return kept, np.searchsorted(owner[kept], np.arange(count + 1))


@njit(cache=True)
def _compare(
    inner: NDArray[np.float32],
    inner_starts: NDArray[np.intp],
    outer: NDArray[np.float32],
    outer_starts: NDArray[np.intp],
    heights: NDArray[np.float64],
    lost: NDArray[np.float32],
    result: NDArray[np.float32],
) -> None:
    """Fill ``result`` (pieces, heights); see :func:`_likeness`.

    Rows of ``inner`` and ``outer`` are row, column, and rows and columns moved per metre.
    """
    for piece in range(result.shape[0]):
        first, last = inner_starts[piece], inner_starts[piece + 1]
        for step in range(heights.size):
            below, seen = _total(inner, first, last, heights[step], lost)
            if seen < IN_SIGHT * (last - first):
                continue
            around, beside = _total(
                outer, outer_starts[piece], outer_starts[piece + 1], heights[step], lost
            )
            darker = below / (seen + _NOISE_PIXELS) - around / (beside + _NOISE_PIXELS)
            result[piece, step] = max(darker, 0.0)


@njit(cache=True)
def _total(
    pixels: NDArray[np.float32], first: int, last: int, height: float, lost: NDArray[np.float32]
) -> tuple[float, int]:
    """Return the sum of what displaced pixels have lost and how many lie on ground in sight."""
    total, count = 0.0, 0
    for n in range(first, last):
        row = int(np.rint(pixels[n, 0] + height * pixels[n, 2]))
        col = int(np.rint(pixels[n, 1] + height * pixels[n, 3]))
        if 0 <= row < lost.shape[0] and 0 <= col < lost.shape[1] and not np.isnan(lost[row, col]):
            total += lost[row, col]
            count += 1
    return total, count


def _choose(
    likeness: NDArray[np.float32],
    pieces: _Pieces,
    heights: NDArray[np.float64],
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """Return the base of each piece in metres, NaN where none is accepted."""
    weight = PRIOR_WEIGHT * np.minimum(1, np.sqrt(PRIOR_PIXELS / pieces.size))
    judged = ndimage.gaussian_filter1d(likeness, 1, axis=1)
    judged += weight[:, None].astype(np.float32) * _prior(likeness, pieces, shape)
    top = judged.argmax(axis=1)
    accepted = np.take_along_axis(likeness, top[:, None], 1)[:, 0] > ACCEPT
    return np.where(accepted, heights[top], np.nan)


def _prior(
    likeness: NDArray[np.float32], pieces: _Pieces, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return how usual each height is, 0-1, float32 (pieces, heights).

    Half of it is what the whole scene found, half what was found within some kilometres; large
    and well matched pieces count most.
    """
    row = np.bincount(pieces.owner, pieces.row) / pieces.size // _PRIOR_CELL
    col = np.bincount(pieces.owner, pieces.col) / pieces.size // _PRIOR_CELL
    cells = shape[0] // _PRIOR_CELL + 1, shape[1] // _PRIOR_CELL + 1
    cell = (row * cells[1] + col).astype(np.intp)
    votes = np.zeros((cells[0] * cells[1], likeness.shape[1]), np.float32)
    np.add.at(votes, cell, likeness**2 * np.sqrt(pieces.size)[:, None].astype(np.float32))
    votes = ndimage.gaussian_filter1d(votes, _PRIOR_SPREAD[0], axis=1)
    together = votes.sum(axis=0)
    local = ndimage.gaussian_filter(
        votes.reshape(*cells, -1), (*_PRIOR_SPREAD[1:], 0), mode="constant"
    ).reshape(votes.shape)
    local /= np.maximum(local.max(axis=1, keepdims=True), np.float32(1e-9))
    return np.asarray((local[cell] + together / max(together.max(), 1e-9)) / 2, np.float32)
