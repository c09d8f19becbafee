"""Cloud shadows by geometry: where the sun and the view put the shadow of each cloud.

A cloud with its base ``H`` metres above the ground appears displaced away from the sensor, and
its shadow lies away from the sun. With azimuths clockwise from north, towards sun and sensor,

    shadow(E, N) = apparent cloud + H tan(view) (sin va, cos va) - H tan(sun) (sin sa, cos sa)

as in python-fmask and FORCE. WFV looks up to 37 degrees off nadir, so the view term is as large
as the sun's. The base is unknown: for every cloud object heights are tried, and the one whose
displaced object falls best onto dark ground is kept.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

BASE_HEIGHTS_M = (200.0, 12000.0)
"""Lowest and highest cloud base that is tried."""
DARKENING = 0.02
"""Near-infrared reflectance by which a shadow lies below its surroundings (Fmask, eq. 19)."""
ACCEPT = 0.3
"""Share of a displaced cloud that must fall onto dark ground (python-fmask)."""
BIG_PIXELS = 200
"""Objects of at least this size may have a base far from that of the scene's other clouds."""
DOUBT_BIG, DOUBT_SMALL = 0.3, 0.9
"""Likeness that objects lose at bases far from the usual one."""
_USUAL_SPREAD = 0.5
_REACH_RANGE = (0.5, 1.5)
_SAMPLES = 1500
_REACH_GROWTH = 2
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
class Shadows:
    """Shadows that geometry knows, each bool (rows, cols).

    ``matched`` is where an object's best base puts its shadow; ``reachable`` wherever a cloud,
    or one beyond the edge of the image, could cast one from any base like those found.
    """

    matched: NDArray[np.bool_]
    reachable: NDArray[np.bool_]


def dark_ground(nir: NDArray[np.float32], clear: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ground that is darker in the near infrared than all paths out of it.

    Parameters
    ----------
    nir
        TOA reflectance (rows, cols) float32, NaN = no data.
    clear
        Land that is surely neither cloud nor water; sets the level beyond the image edge at its
        17.5 % quantile.

    Returns
    -------
    ndarray of bool
        Pixels more than ``DARKENING`` below the level to which a flood from outside fills them.
    """
    valid = np.isfinite(nir)
    level = np.quantile(nir[clear], 0.175) if clear.any() else np.float32(0)
    floor = np.where(valid, nir, level).astype(np.float32)
    water = np.full(floor.shape, np.inf, np.float32)
    edge = np.maximum(floor, np.float32(level))
    for side in (np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[:, -1]):
        water[side] = edge[side]
    water[~valid] = level
    _flood(floor, water)
    return np.asarray(valid & (water - floor > DARKENING))


@njit(cache=True)
def _flood(floor: NDArray[np.float32], water: NDArray[np.float32]) -> None:
    """Lower ``water`` in place to the least level at which every pixel drains to the outside.

    Reconstruction by erosion with forward and backward sweeps (Vincent 1993), 4 neighbours.
    """
    rows, cols = floor.shape
    changed = True
    while changed:
        changed = False
        for r in range(rows):
            for c in range(cols):
                low = water[r, c]
                if r > 0:
                    low = min(low, water[r - 1, c])
                if c > 0:
                    low = min(low, water[r, c - 1])
                low = max(low, floor[r, c])
                if low < water[r, c]:
                    water[r, c] = low
                    changed = True
        for r in range(rows - 1, -1, -1):
            for c in range(cols - 1, -1, -1):
                low = water[r, c]
                if r < rows - 1:
                    low = min(low, water[r + 1, c])
                if c < cols - 1:
                    low = min(low, water[r, c + 1])
                low = max(low, floor[r, c])
                if low < water[r, c]:
                    water[r, c] = low
                    changed = True


def match_shadows(
    cloud: NDArray[np.bool_],
    dark: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    rays: Rays,
) -> Shadows:
    """Find the shadow of every cloud object.

    Parameters
    ----------
    cloud, dark, valid
        Cloud, candidate ground and pixels with data, each bool (rows, cols).
    rays
        Displacement per metre of cloud base.

    Returns
    -------
    Shadows
        An object may have any base, but needs the better match the farther that is from the
        base of most; what can be reached follows from the bases found.
    """
    labels, count = ndimage.label(cloud, _BLOCK)
    heights = rays.heights()
    if count == 0:
        return Shadows(np.zeros_like(cloud), _reachable(cloud, valid, rays, heights))
    row, col = np.nonzero(labels)
    owner = labels[row, col] - 1
    size = np.bincount(owner, minlength=count)
    sample = _sample(owner, size)
    pixels = row[sample], col[sample], owner[sample]
    likeness = _likeness(pixels, count, heights, dark & ~cloud, valid & ~cloud, rays)
    base = _choose(likeness, size, heights)
    keep = np.isfinite(base[owner])
    if not keep.any():
        return Shadows(np.zeros_like(cloud), _reachable(cloud, valid, rays, heights))
    matched = _cast(row[keep], col[keep], base[owner[keep]], cloud.shape, rays)
    # Rounding leaves pinholes where the rays spread apart.
    matched = ndimage.binary_closing(matched, _BLOCK)
    low, high = np.nanpercentile(base, (10, 90)) * _REACH_RANGE
    seen = heights[(heights >= low) & (heights <= high)]
    return Shadows(matched & valid & ~cloud, _reachable(cloud, valid, rays, seen))


def _sample(owner: NDArray[np.integer], size: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return indices of at most about ``_SAMPLES`` pixels of each object, evenly spread."""
    order = np.argsort(owner, kind="stable")
    starts = np.cumsum(size) - size
    rank = np.arange(owner.size) - np.repeat(starts, size)
    stride = np.maximum(size // _SAMPLES, 1)
    kept: NDArray[np.integer] = order[rank % np.repeat(stride, size) == 0]
    return kept


def _likeness(
    pixels: tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]],
    count: int,
    heights: NDArray[np.float64],
    dark: NDArray[np.bool_],
    free: NDArray[np.bool_],
    rays: Rays,
) -> NDArray[np.float64]:
    """Return the share of each displaced object on dark ground, (heights, objects).

    Objects of which less than half is still in sight count as unlike, for there is little to
    judge by.
    """
    row, col, owner = pixels
    down, right = rays.pixels_per_metre(row, col)
    total = np.bincount(owner, minlength=count)
    result = np.zeros((heights.size, count))
    for index, height in enumerate(heights):
        inside, at = _displaced(row, col, height * down, height * right, dark.shape)
        here = owner[inside]
        hits = np.bincount(here, dark[at], count)
        seen = np.bincount(here, free[at], count)
        result[index] = np.where(seen > 0.5 * total, hits / np.maximum(seen, 1), 0)
    return result


def _displaced(
    row: NDArray[np.integer],
    col: NDArray[np.integer],
    down: NDArray[np.floating],
    right: NDArray[np.floating],
    shape: tuple[int, int],
) -> tuple[NDArray[np.bool_], tuple[NDArray[np.integer], NDArray[np.integer]]]:
    """Return which displaced pixels stay inside the image, and where those are."""
    to_row = np.rint(row + down).astype(np.intp)
    to_col = np.rint(col + right).astype(np.intp)
    inside = (to_row >= 0) & (to_row < shape[0]) & (to_col >= 0) & (to_col < shape[1])
    return inside, (to_row[inside], to_col[inside])


def _choose(
    likeness: NDArray[np.float64], size: NDArray[np.integer], heights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the base of each object in metres, NaN where none is accepted.

    Clouds of one scene mostly share a base. The usual one is where the likeness of all objects,
    weighted by their extent, is highest; the doubt that other bases meet grows from there.
    """
    together = ndimage.gaussian_filter1d(likeness @ np.sqrt(size), 2)
    usual = heights[together.argmax()]
    unusual = 1 - np.exp(-0.5 * (np.log(heights / usual) / _USUAL_SPREAD) ** 2)
    doubt = np.where(size >= BIG_PIXELS, DOUBT_BIG, DOUBT_SMALL)
    top = (likeness * (1 - doubt * unusual[:, None])).argmax(axis=0)
    accepted = np.take_along_axis(likeness, top[None], 0)[0] > ACCEPT
    return np.where(accepted, heights[top], np.nan)


def _cast(
    row: NDArray[np.integer],
    col: NDArray[np.integer],
    base: NDArray[np.float64],
    shape: tuple[int, int],
    rays: Rays,
) -> NDArray[np.bool_]:
    """Return the shadow of cloud pixels with known base, bool (rows, cols)."""
    down, right = rays.pixels_per_metre(row, col)
    _, at = _displaced(row, col, base * down, base * right, shape)
    shadow = np.zeros(shape, np.bool_)
    shadow[at] = True
    return shadow


def _reachable(
    cloud: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    rays: Rays,
    heights: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return valid pixels from which one of the bases leads back to a cloud or out of the image.

    Worked on cells of four pixels: the question is coarse and the image large.
    """
    thin = 4
    source = ndimage.binary_dilation(cloud, _BLOCK, _REACH_GROWTH)[::thin, ::thin]
    source = np.pad(source | ~valid[::thin, ::thin], 1, constant_values=True)
    row, col = np.nonzero(~source[1:-1, 1:-1])
    down, right = rays.pixels_per_metre(row * thin, col * thin)
    found = np.zeros(row.size, np.bool_)
    limit = np.asarray(source.shape)[:, None] - 1
    for height in heights[::thin]:
        back = np.stack((row - height * down / thin, col - height * right / thin))
        at = np.clip(np.rint(back).astype(np.intp) + 1, 0, limit)
        found |= source[at[0], at[1]]
    coarse = source[1:-1, 1:-1].copy()
    coarse[row, col] = found
    rows, cols = cloud.shape
    fine: NDArray[np.bool_] = coarse.repeat(thin, 0).repeat(thin, 1)[:rows, :cols]
    return fine & valid
