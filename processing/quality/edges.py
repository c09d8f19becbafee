"""The edges of clouds and shadows at the pixel size of a tile: sharper, and as wide as wanted.

What the look at the scene knows is coarser than a tile. At a rim, a pixel brighter than its
neighbours is likelier cloud than they are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.quality.shadows import grown

CONTRAST = 15.0
"""Log-odds of cloud per unit of visible reflectance above that of the neighbours."""
MOST = 1.0
"""Log-odds that contrast may add or take: it decides at rims, not on roofs in clear land."""


@dataclass(frozen=True, slots=True)
class Edges:
    """What is done to edges: ``sharpen`` those of clouds, and widen by a number of pixels."""

    sharpen: bool = True
    cloud_buffer: int = 0
    shadow_buffer: int = 0

    @property
    def reach(self) -> int:
        """Pixels around a pixel that decide about it."""
        return max(1, self.cloud_buffer, self.shadow_buffer)


USUAL = Edges()
"""Sharp edges of their own width."""


def sharpened(cloud: NDArray[np.float32], visible: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probability of cloud with the contrast of each pixel to its neighbours in it.

    Parameters
    ----------
    cloud
        Interpolated probability of cloud, (rows, cols) float32, NaN = no data.
    visible
        Mean visible reflectance, (rows, cols) float32, 0 = no data.

    Returns
    -------
    ndarray of float32
        (rows, cols), NaN = no data.
    """
    import cv2

    known = (visible > 0).astype(np.float32)
    around, share = (
        cv2.blur(np.ascontiguousarray(image), (3, 3), borderType=cv2.BORDER_REPLICATE)
        for image in (visible, known)
    )
    contrast = visible - around / np.maximum(share, np.float32(0.1))
    inside = np.clip(cloud, np.float32(1e-3), np.float32(1 - 1e-3))
    lift = np.exp(-np.clip(np.float32(CONTRAST) * contrast, -MOST, MOST))
    odds_against = (1 - inside) / inside * np.where(known > 0, lift, 1)
    return np.asarray(1 / (1 + odds_against), np.float32)


def widened(probability: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    """Return a probability that is just above a half up to ``pixels`` around where it is more.

    Parameters
    ----------
    probability
        (rows, cols) float32, NaN = no data.
    pixels
        Width of the buffer along rows and columns.
    """
    if pixels == 0:
        return probability
    near = grown(probability > 0.5, pixels) & ~(probability > 0.5)
    return np.where(near & np.isfinite(probability), np.float32(0.501), probability)
