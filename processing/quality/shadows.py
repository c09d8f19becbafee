"""Cloud shadows by geometry: where sun and view put the shadow of each cloud, and where they can.

Each piece of cloud has its base from :mod:`processing.quality.cloudbase`, from which its shadow
follows. Clouds beyond the edge of the image cast shadows into it too, which nothing can match:
what is dark and lies where such a shadow could fall is left to the network's word.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from processing.quality.cloudbase import CloudBases, Rays, cloud_bases
from processing.quality.darkness import DARKENING, light_loss, share_lost

MATCHED_SHADOW = 0.8
"""Probability of shadow on dark ground where geometry puts the shadow of a cloud."""
GROWTH_PIXELS, GROWTH_LOST = 6, 0.25
"""How far a matched shadow grows into ground that lacks this share of light: no cloud is as flat
as the sheet that is displaced, and its thin edge casts a thin shadow."""
WATER_IN_SHADOW = 0.5
"""Share of what looks like one water that must lie in a matched shadow to be shadow itself."""
MATCH_MARGIN = 3
"""Pixels around a matched shadow in which water may truly be shadow."""
_REACH_RANGE = (0.5, 1.5)
_REACH_GROWTH = 2
_BLOCK = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, slots=True)
class Ground:
    """What shadows fall on, all (rows, cols).

    ``nir`` is TOA reflectance in the near infrared, float32, NaN = no data. ``valid`` has data,
    ``cloud`` hides the ground, ``snow`` and ``water`` look like them, ``deep`` is water darker
    than land in shadow, ``dim`` lies in the shadow of relief; all bool.
    """

    nir: NDArray[np.float32]
    valid: NDArray[np.bool_]
    cloud: NDArray[np.bool_]
    snow: NDArray[np.bool_]
    water: NDArray[np.bool_]
    deep: NDArray[np.bool_]
    dim: NDArray[np.bool_]


def shadow_probability(
    found: NDArray[np.float32], ground: Ground, rays: Rays | None
) -> NDArray[np.float32]:
    """Return the probability of cloud shadow: what a network found, judged by geometry.

    Shadow that no cloud can reach, or that is no darker than its surroundings, is dropped, and
    so is what looks like water away from matched shadows. Where the shadow of a piece of cloud
    must lie it is added, and dark ground that goes on from there. Ground in the shadow of relief
    is left to that.

    Parameters
    ----------
    found
        Probability of shadow by a network, float32 (rows, cols), 0 everywhere without one.
    ground
        What shadows fall on.
    rays
        Displacement of shadows; None where sun and view are unknown.

    Returns
    -------
    ndarray of float32
        (rows, cols), 0-1, NaN = no data.
    """
    land = ground.valid & ~(ground.snow | ground.water | ground.dim | ground.cloud)
    loss = light_loss(ground.nir, land & (found < 0.2))
    dark = loss > DARKENING
    shadow = np.where(dark & ~ground.dim, found, np.float32(0))
    if rays is None:
        shadow[ground.deep] = 0
    else:
        lost = share_lost(ground.nir, loss)
        told = land | ((found > 0.5) & ~ground.dim)
        shadows = match_shadows(ground.cloud, lost, told, ground.valid, rays)
        shaded = _mostly(ground.water, shadows.matched)
        likely = ~ground.water | grown(shadows.matched, MATCH_MARGIN)
        shadow[~(shadows.reachable & likely) | (ground.deep & ~shaded)] = 0
        added = _completed(shadows.matched, dark, lost, land | (shaded & ~ground.cloud))
        shadow[added] = np.maximum(shadow[added], np.float32(MATCHED_SHADOW))
    return np.where(ground.valid, shadow, np.float32(np.nan))


def _mostly(water: NDArray[np.bool_], matched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what looks like water and lies for the most part where a shadow must.

    Bare soil in deep shadow has the colour of a lake; a lake goes on beyond the shadow.
    """
    bodies, count = ndimage.label(water, _BLOCK)
    if count == 0:
        return water
    extent = np.bincount(bodies.ravel())
    inside = np.bincount(bodies.ravel(), matched.ravel()) > extent * WATER_IN_SHADOW
    inside[0] = False
    return np.asarray(inside[bodies])


def _completed(
    matched: NDArray[np.bool_],
    dark: NDArray[np.bool_],
    lost: NDArray[np.float32],
    ground: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return matched shadows on ``ground`` with the dark parts of it that touch them."""
    start = (matched | (grown(matched, 1) & dark)) & ground
    onto = start | ((lost > GROWTH_LOST) & ground)
    return np.asarray(ndimage.binary_dilation(start, _BLOCK, GROWTH_PIXELS, mask=onto))


def grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return a mask with the pixels up to ``pixels`` away along rows and columns."""
    square = ndimage.maximum_filter(mask.view(np.uint8), 2 * pixels + 1)
    return np.asarray(square, np.bool_)


@dataclass(frozen=True, slots=True)
class Shadows:
    """Shadows that geometry knows, each bool (rows, cols).

    ``matched`` is where an object's best base puts its shadow; ``reachable`` wherever a cloud,
    or one beyond the edge of the image, could cast one from any base like those found.
    """

    matched: NDArray[np.bool_]
    reachable: NDArray[np.bool_]


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
        return Shadows(np.zeros_like(cloud), _reachable(cloud, valid, rays, heights))
    # Rounding leaves pinholes where the rays spread apart.
    matched = ndimage.binary_closing(_cast(found, cloud.shape, rays), _BLOCK)
    low, high = np.percentile(found.base_m, (10, 90)) * _REACH_RANGE
    usual = heights[(heights >= low) & (heights <= high)]
    return Shadows(matched & valid & ~cloud, _reachable(cloud, valid, rays, usual))


def _cast(found: CloudBases, shape: tuple[int, int], rays: Rays) -> NDArray[np.bool_]:
    """Return the shadow of cloud pixels with known base, bool (rows, cols)."""
    down, right = rays.pixels_per_metre(found.row, found.col)
    row = np.rint(found.row + found.base_m * down).astype(np.intp)
    col = np.rint(found.col + found.base_m * right).astype(np.intp)
    inside = (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1])
    shadow = np.zeros(shape, np.bool_)
    shadow[row[inside], col[inside]] = True
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
