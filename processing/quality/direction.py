"""Where shadows fall on an image whose sun and view are unknown, as told by the image itself.

Clouds and the shadows that a network sees of them lie side by side all over an image. The
displacement at which most shadow lies below displaced clouds, beyond what chance would put there,
gives the direction; how far shadows lie follows cloud by cloud from the height of its base.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from processing.quality.cloudbase import Rays
from processing.quality.network import Probabilities

LEAST_PIXELS = 50
"""Pixels of cloud and of shadow below which nothing can be told."""
PLAIN = 2.0
"""How much more shadow than in the middling direction must lie in the best one."""
MOST_PIXELS = 1024
"""Pixels along one side of the image that are compared; larger images are thinned."""
STEP_DEG = 2.5
_NEAREST = 4
_RANGE = 9
_CELL = 16


def rays_of_image(seen: Probabilities, resolution_m: float) -> Rays | None:
    """Return the displacement of shadows, one direction for the whole image.

    The run of a shadow per metre of base is taken for 1, so that bases are right but for a
    factor; that shadows lie within 12 km of their clouds is all that follows from it.

    Parameters
    ----------
    seen
        What a network found.
    resolution_m
        Size of a pixel in metres.

    Returns
    -------
    Rays or None
        None where clouds and shadows are too few, or no direction stands out.
    """
    azimuth_deg = _azimuth(seen)
    if azimuth_deg is None:
        return None
    rows, cols = seen.cloud.shape
    cells = np.ones((rows // _CELL + 1, cols // _CELL + 1), np.float32)
    azimuth = np.radians(azimuth_deg)
    return Rays(
        cells * np.float32(np.sin(azimuth)),
        cells * np.float32(np.cos(azimuth)),
        _CELL,
        resolution_m,
    )


def _azimuth(seen: Probabilities) -> float | None:
    """Return the direction from clouds to shadows in degrees clockwise from up, None if unclear."""
    thin = -(-max(seen.cloud.shape) // MOST_PIXELS)
    chance, shadow = (np.nan_to_num(v)[::thin, ::thin] for v in (seen.cloud, seen.shadow))
    cloud = chance > 0.5
    free = ~cloud & np.isfinite(seen.cloud[::thin, ::thin])
    shadow = np.where(free, shadow, np.float32(0))
    if min(np.count_nonzero(cloud), np.count_nonzero(shadow > 0.5)) < LEAST_PIXELS:
        return None
    excess = _excess(cloud, shadow, free)
    directions = np.arange(0, 360, STEP_DEG)
    distance = np.arange(_NEAREST, max(cloud.shape) // 2)
    if distance.size < _RANGE:
        return None
    azimuth = np.radians(directions)[:, None]
    row = np.rint(-np.cos(azimuth) * distance).astype(np.intp) % excess.shape[0]
    col = np.rint(np.sin(azimuth) * distance).astype(np.intp) % excess.shape[1]
    found = np.lib.stride_tricks.sliding_window_view(excess[row, col], _RANGE, axis=1)
    best = found.mean(axis=2).max(axis=1)
    if best.max() <= PLAIN * max(float(np.median(best)), 0):
        return None
    return float(directions[best.argmax()])


def _excess(
    cloud: NDArray[np.bool_], shadow: NDArray[np.float32], free: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return by displacement how much shadow lies below displaced clouds beyond chance.

    Rows and columns of the result are displacements, negative ones counted from the end.
    """
    shape = tuple(fft.next_fast_len(2 * size) for size in cloud.shape)
    beyond = np.where(free, shadow - shadow.sum() / max(np.count_nonzero(free), 1), 0)
    product = np.conj(fft.rfft2(cloud.astype(np.float32), shape))
    product *= fft.rfft2(beyond.astype(np.float32), shape)
    return np.asarray(fft.irfft2(product, shape), np.float32)
