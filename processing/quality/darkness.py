"""Ground darker in the near infrared than all around it: where a shadow may lie.

A flood from outside fills the image to the least level at which every pixel drains; what stays
below its level is a pit (Zhu and Woodcock 2012, RSE 118, 83-94, section 3.1.2).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

DARKENING = 0.02
"""Reflectance by which a shadow lies below its surroundings (Fmask, equation 19)."""
_LEVEL_QUANTILE = 0.175
_DIMMEST = 0.05
"""Level of near infrared below which ground is too dark to tell how much light it lacks."""


def light_loss(nir: NDArray[np.float32], clear: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the reflectance by which each pixel lies below its way out.

    Parameters
    ----------
    nir
        TOA reflectance (rows, cols) float32, NaN = no data.
    clear
        Land that is surely neither cloud nor water; sets the level beyond the image edge at its
        17.5 % quantile.

    Returns
    -------
    ndarray of float32
        (rows, cols), at least 0, 0 where there are no data.
    """
    valid = np.isfinite(nir)
    level = np.quantile(nir[clear], _LEVEL_QUANTILE) if clear.any() else np.float32(0)
    floor = np.where(valid, nir, level).astype(np.float32)
    water = np.full(floor.shape, np.inf, np.float32)
    edge = np.maximum(floor, np.float32(level))
    for side in (np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[:, -1]):
        water[side] = edge[side]
    water[~valid] = level
    _flood(floor, water)
    return np.where(valid, water - floor, np.float32(0))


def share_lost(nir: NDArray[np.float32], loss: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share (0-1) of near infrared that a pixel lacks, 0 where there are no data."""
    level = np.maximum(nir + loss, np.float32(_DIMMEST))
    return np.asarray(np.nan_to_num(np.clip(loss / level, 0, 1)), np.float32)


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
