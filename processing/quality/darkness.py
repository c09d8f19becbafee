"""Ground darker in the near infrared than all around it: where a shadow may lie.

A flood from outside fills the image to the least level at which every pixel drains; what stays
below its level is a pit (Zhu and Woodcock 2012, RSE 118, 83-94, section 3.1.2).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from catalog.product import REFLECTANCE_SCALE

DARKENING = 0.02
"""Reflectance by which a shadow lies below its surroundings (Fmask, equation 19)."""
_LEVEL_QUANTILE = 0.175
_TOP = 65535
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
        (rows, cols) in steps of 1e-4, at least 0, 0 where there are no data.
    """
    valid = np.isfinite(nir)
    level = np.quantile(nir[clear], _LEVEL_QUANTILE) if clear.any() else np.float32(0)
    lowest = int(np.clip(np.rint(level / REFLECTANCE_SCALE), 0, _TOP))
    counts = np.clip(np.nan_to_num(nir) / np.float32(REFLECTANCE_SCALE) + 0.5, 0, _TOP)
    floor = counts.astype(np.uint16)
    floor[~valid] = lowest
    water = _flood(floor, valid, lowest)
    return np.where(valid, (water - floor) * np.float32(REFLECTANCE_SCALE), np.float32(0))


def share_lost(nir: NDArray[np.float32], loss: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share (0-1) of near infrared that a pixel lacks, 0 where there are no data."""
    level = np.maximum(nir + loss, np.float32(_DIMMEST))
    return np.asarray(np.nan_to_num(np.clip(loss / level, 0, 1)), np.float32)


@njit(cache=True)
def _flood(floor: NDArray[np.uint16], valid: NDArray[np.bool_], lowest: int) -> NDArray[np.uint16]:
    """Return the least level at which every pixel drains to the outside, which is at ``lowest``.

    Outside is all around the image and where it has no data. The lowest pixels go first and
    each is visited once (priority flood, Barnes et al. 2014, Comput. Geosci. 62, 117-127); a
    list for each level makes the queue.
    """
    rows, cols = floor.shape
    water = np.zeros(floor.shape, np.uint16)
    known = np.zeros(floor.shape, np.bool_)
    newest = np.full(_TOP + 1, -1, np.int32)
    older = np.empty(floor.size, np.int32)
    for r in range(rows):
        for c in range(cols):
            if r == 0 or c == 0 or r == rows - 1 or c == cols - 1 or not valid[r, c]:
                known[r, c] = True
                water[r, c] = max(floor[r, c], lowest)
                older[r * cols + c] = newest[water[r, c]]
                newest[water[r, c]] = r * cols + c
    for level in range(_TOP + 1):
        while newest[level] >= 0:
            here = newest[level]
            newest[level] = older[here]
            r, c = here // cols, here % cols
            for step in range(4):
                i, j = r + (step == 0) - (step == 1), c + (step == 2) - (step == 3)
                if 0 <= i < rows and 0 <= j < cols and not known[i, j]:
                    known[i, j] = True
                    water[i, j] = max(floor[i, j], level)
                    older[i * cols + j] = newest[water[i, j]]
                    newest[water[i, j]] = i * cols + j
    return water
