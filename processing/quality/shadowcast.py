"""Where sun and view put the shadows of clouds, and which ground the shadows of clouds can reach.

Each piece of cloud has its base from :mod:`processing.quality.cloudbase`, from which its shadow
follows. Clouds beyond the edge of the image cast shadows into it too, which nothing can match:
of them only the ground that they can reach is known.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from processing.quality.cloudbase import CloudBases, Rays, cloud_bases

_REACH_RANGE = (0.5, 1.5)
_REACH_GROWTH = 2
_THIN = 4
_CLOUD, _OUTSIDE = np.uint8(1), np.uint8(2)
_BLOCK = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, slots=True)
class Shadows:
    """Shadows that geometry knows, each bool (rows, cols).

    ``matched`` is where an object's best base puts its shadow; ``in_reach`` wherever a cloud of
    the image could cast one from any base like those found; ``beyond`` where no such cloud could
    but one beyond the edge of the image.
    """

    matched: NDArray[np.bool_]
    in_reach: NDArray[np.bool_]
    beyond: NDArray[np.bool_]


def match_shadows(
    cloud: NDArray[np.bool_],
    lost: NDArray[np.float32],
    ground: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    rays: Rays,
) -> Shadows:
    """Find the shadow of every cloud.

    Parameters
    ----------
    cloud
        Cloud, bool (rows, cols).
    lost
        Share of light that each pixel lacks, float32 (rows, cols), 0-1.
    ground
        Ground on which a shadow would show, bool (rows, cols): no water, no shadow of relief.
    valid
        Pixels with data, bool (rows, cols).
    rays
        Displacement per metre of cloud base.

    Returns
    -------
    Shadows
        A piece of cloud below which nothing is darker than around it casts none. What can be
        reached follows from the bases found.
    """
    found = cloud_bases(cloud, lost, ground & valid, rays)
    heights = rays.heights()
    if not found.base_m.size:
        return Shadows(np.zeros_like(cloud), *_reach(cloud, valid, rays, heights))
    # Rounding leaves pinholes where the rays spread apart.
    matched = ndimage.binary_closing(_cast(found, cloud.shape, rays), _BLOCK)
    low, high = np.percentile(found.base_m, (10, 90)) * _REACH_RANGE
    usual = heights[(heights >= low) & (heights <= high)]
    return Shadows(matched & valid & ~cloud, *_reach(cloud, valid, rays, usual))


def _cast(found: CloudBases, shape: tuple[int, int], rays: Rays) -> NDArray[np.bool_]:
    """Return the shadow of cloud pixels with known base, bool (rows, cols)."""
    down, right = rays.pixels_per_metre(found.row, found.col)
    row = np.rint(found.row + found.base_m * down).astype(np.intp)
    col = np.rint(found.col + found.base_m * right).astype(np.intp)
    inside = (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1])
    shadow = np.zeros(shape, np.bool_)
    shadow[row[inside], col[inside]] = True
    return shadow


def _reach(
    cloud: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    rays: Rays,
    heights: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return valid pixels from which a base leads back to a cloud, and only out of the image.

    Worked on cells of four pixels: the question is coarse and the image large.
    """
    near = ndimage.binary_dilation(cloud, _BLOCK, _REACH_GROWTH)[::_THIN, ::_THIN]
    source = near * _CLOUD | ~valid[::_THIN, ::_THIN] * _OUTSIDE
    row, col = np.nonzero(source == 0)
    down, right = rays.pixels_per_metre(row * _THIN, col * _THIN)
    source[row, col] = _led_back(source, row, col, down, right, heights[::_THIN] / _THIN)
    rows, cols = cloud.shape
    fine = source.repeat(_THIN, 0).repeat(_THIN, 1)[:rows, :cols]
    in_reach = (fine & _CLOUD != 0) & valid
    return in_reach, (fine & _OUTSIDE != 0) & valid & ~in_reach


@njit(cache=True)
def _led_back(
    source: NDArray[np.uint8],
    row: NDArray[np.intp],
    col: NDArray[np.intp],
    down: NDArray[np.float32],
    right: NDArray[np.float32],
    heights: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """Return the sources, uint8 bits, that bases of ``heights`` lead each cell back to.

    Moves are in pixels per metre, heights in metres by the pixels along a cell. Once a cloud is
    found the search ends: what else there is does not matter.
    """
    found = np.zeros(row.size, np.uint8)
    for n in range(row.size):
        for height in heights:
            i = int(np.rint(row[n] - height * down[n]))
            j = int(np.rint(col[n] - height * right[n]))
            inside = 0 <= i < source.shape[0] and 0 <= j < source.shape[1]
            found[n] |= source[i, j] if inside else _OUTSIDE
            if found[n] & _CLOUD:
                break
    return found
