"""Shadow of the relief itself: ground from which terrain hides the sun."""

import numpy as np
from numpy.typing import NDArray

_THIN = 2
"""The relief is followed on every second pixel: height models are no finer than that."""


def terrain_shadow(
    heights: NDArray[np.float32],
    resolution_m: float,
    sun_azimuth_deg: NDArray[np.float32],
    sun_zenith_deg: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return ground that is not directly lit.

    From every pixel the ground towards the sun is followed until the ray has left the relief;
    over one scene the sun's direction counts as constant.

    Parameters
    ----------
    heights
        Heights (rows, cols) float32 in metres.
    resolution_m
        Pixel size in metres.
    sun_azimuth_deg, sun_zenith_deg
        Direction to the sun anywhere in the scene, degrees; the mean is used.
    """
    ground = heights[::_THIN, ::_THIN]
    step = resolution_m * _THIN
    azimuth = np.radians(np.nanmean(sun_azimuth_deg))
    rise = step / np.tan(np.radians(np.clip(np.nanmean(sun_zenith_deg), 0.1, 89.0)))
    dark = np.zeros(ground.shape, np.bool_)
    for count in range(1, int(np.ptp(ground) / rise) + 1):
        down, right = round(-count * np.cos(azimuth)), round(count * np.sin(azimuth))
        here, there = _overlap(ground.shape, down, right)
        dark[here] |= ground[there] > ground[here] + np.float32(count * rise)
    rows, cols = heights.shape
    fine: NDArray[np.bool_] = dark.repeat(_THIN, 0).repeat(_THIN, 1)[:rows, :cols]
    return fine


def _overlap(
    shape: tuple[int, ...], down: int, right: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the window of pixels whose neighbour at an offset exists, and the neighbours'."""
    here, there = [], []
    for length, offset in zip(shape, (down, right), strict=True):
        start, stop = max(-offset, 0), max(min(length - offset, length), 0)
        start = min(start, stop)
        here.append(slice(start, stop))
        there.append(slice(start + offset, stop + offset))
    return (here[0], here[1]), (there[0], there[1])
