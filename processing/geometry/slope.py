"""How the ground lies to the sun: slope, and the angle under which its light falls on it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.geometry.angles import AngleField, true_north_deg
from processing.geometry.dem import HeightModel

Float32Array = NDArray[np.float32]

_CELL_PX: Final = 16
"""Pixels along one side of a cell of constant direction to the sun; over it the sun moves by less
than 0.005 degree."""


@dataclass(frozen=True, slots=True)
class Illumination:
    """Cosines, float32 (rows, cols), of the sun's incidence on the ground and of its slope.

    ``incidence`` is below 0 where the ground is turned away from the sun; ``sun`` is the cosine of
    the sun's zenith, which is the incidence on level ground.
    """

    incidence: Float32Array
    slope: Float32Array
    sun: Float32Array


def illumination(heights: HeightModel, grid: Grid, directions: AngleField) -> Illumination:
    """Return how the sun falls on the ground at the pixels of a grid.

    The gradient of the heights is that of Horn (1981, Proceedings of the IEEE 69, 14-47) over the
    eight neighbours; the direction to the sun is turned to the grid's north.

    Parameters
    ----------
    heights
        Heights of the ground.
    grid
        Where it is wanted; what lies one pixel beyond counts.
    directions
        Sun and view angles over ``grid``.
    """
    ground = heights.on(grid.window(-1, -1, grid.rows + 2, grid.cols + 2))
    cells = grid.coarsen(_CELL_PX)
    angles = directions.on(cells)
    azimuth = np.radians(angles.sun_azimuth + true_north_deg(cells))
    zenith = np.radians(angles.sun_zenith)
    sine = np.sin(zenith)
    sun = np.stack([sine * np.sin(azimuth), sine * np.cos(azimuth), np.cos(zenith)])
    parts = tuple(np.empty(grid.shape, np.float32) for _ in range(3))
    _fall(ground, grid.resolution, sun.astype(np.float32), *parts)
    return Illumination(*parts)


@njit(cache=True, nogil=True)
def _fall(
    ground: Float32Array,
    resolution: float,
    sun: Float32Array,
    incidence: Float32Array,
    slope: Float32Array,
    level: Float32Array,
) -> None:
    """Fill the cosines; ``ground`` has one pixel more on each side, ``sun`` is east, north, up."""
    scale = 1.0 / (8.0 * resolution)
    for r in range(incidence.shape[0]):
        for c in range(incidence.shape[1]):
            up = ground[r, c] + 2 * ground[r, c + 1] + ground[r, c + 2]
            down = ground[r + 2, c] + 2 * ground[r + 2, c + 1] + ground[r + 2, c + 2]
            left = ground[r, c] + 2 * ground[r + 1, c] + ground[r + 2, c]
            right = ground[r, c + 2] + 2 * ground[r + 1, c + 2] + ground[r + 2, c + 2]
            east, north = (right - left) * scale, (up - down) * scale
            i, j = r // 16, c // 16
            steep = 1.0 / np.sqrt(1.0 + east * east + north * north)
            slope[r, c] = steep
            level[r, c] = sun[2, i, j]
            incidence[r, c] = steep * (sun[2, i, j] - east * sun[0, i, j] - north * sun[1, i, j])
