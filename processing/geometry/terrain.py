"""Ground that the relief hides: from the sun (cast shadow) and from the sensor (occlusion).

From every pixel the ray towards the sun or the sensor is followed over the height model until it
is above everything there. The direction follows the scene, and relief beyond the scene's edge
counts, since its shadow may reach in.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.geometry.angles import AngleField, true_north_deg
from processing.geometry.dem import HeightModel

_CELL_PX: Final = 16
"""Pixels along one side of a cell of constant direction, and of a step over lower ground."""
_FARTHEST_M: Final = 15_000.0
"""How far beyond the scene relief is looked for: 4000 m of relief at a sun zenith of 75 degrees."""
_LOWEST_RAY_DEG: Final = 89.0


@dataclass(frozen=True, slots=True)
class HiddenGround:
    """Ground out of sight, each (rows, cols) bool.

    ``shadow`` is not lit by the sun directly, since it is turned away from it or relief stands
    between; ``occluded`` is not seen by the sensor for the same reasons.
    """

    shadow: NDArray[np.bool_]
    occluded: NDArray[np.bool_]


def hidden_ground(heights: HeightModel, grid: Grid, directions: AngleField) -> HiddenGround:
    """Find the ground that relief hides from sun and sensor.

    Parameters
    ----------
    heights
        Heights of the ground.
    grid
        Where it is wanted; pixels of 30 m or more suit the usual height models.
    directions
        Sun and view angles over ``grid``.
    """
    if heights.flat:
        return HiddenGround(np.zeros(grid.shape, np.bool_), np.zeros(grid.shape, np.bool_))
    angles = directions.on(grid.coarsen(_CELL_PX))
    rough = heights.on(grid.coarsen(_CELL_PX))
    steepest = min(_LOWEST_RAY_DEG, float(max(angles.sun_zenith.max(), angles.view_zenith.max())))
    reach = min(_FARTHEST_M, float(np.ptp(rough)) * math.tan(math.radians(steepest)))
    margin = math.ceil(reach / grid.resolution / _CELL_PX) * _CELL_PX
    ground = heights.on(
        grid.window(-margin, -margin, grid.rows + 2 * margin, grid.cols + 2 * margin)
    )
    north = true_north_deg(grid.coarsen(_CELL_PX))
    sun, view = (
        out_of_sight(ground, grid.resolution, azimuth + north, zenith, margin)
        for azimuth, zenith in (
            (angles.sun_azimuth, angles.sun_zenith),
            (angles.view_azimuth, angles.view_zenith),
        )
    )
    return HiddenGround(sun, view)


def out_of_sight(
    ground: NDArray[np.float32],
    resolution_m: float,
    azimuth_deg: NDArray[np.float32],
    zenith_deg: NDArray[np.float32],
    margin: int = 0,
) -> NDArray[np.bool_]:
    """Return the ground from which a far point cannot be seen.

    Parameters
    ----------
    ground
        Heights (rows, cols) float32, metres, with ``margin`` pixels more on each side than what
        is returned.
    resolution_m
        Pixel size, metres.
    azimuth_deg, zenith_deg
        Direction to the far point, clockwise from the grid's north and from the vertical, one value
        for each cell of 16 x 16 returned pixels, counted from the upper left.
    margin
        Pixels of ``ground`` around what is returned, a multiple of 16.

    Returns
    -------
    ndarray
        bool (rows - 2 * margin, cols - 2 * margin). The ray is sampled bilinearly every pixel.
    """
    rows, cols = (size - 2 * margin for size in ground.shape)
    hidden = np.zeros((rows, cols), np.bool_)
    steps = _steps(azimuth_deg, zenith_deg, resolution_m)
    _march(ground, _summits(ground), float(ground.max()), *steps, margin, hidden)
    return hidden


def _steps(
    azimuth_deg: NDArray[np.float32], zenith_deg: NDArray[np.float32], resolution_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return rows and columns per step of a pixel's length along the rays, and metres of rise."""
    azimuth = np.radians(azimuth_deg.astype(np.float64))
    zenith = np.radians(np.clip(zenith_deg.astype(np.float64), 0.01, _LOWEST_RAY_DEG))
    return -np.cos(azimuth), np.sin(azimuth), resolution_m / np.tan(zenith)


def _summits(ground: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the highest ground in each cell of 16 x 16 pixels and its eight neighbours."""
    rows, cols = (math.ceil(size / _CELL_PX) for size in ground.shape)
    padded = np.full((rows * _CELL_PX, cols * _CELL_PX), -np.inf, np.float32)
    padded[: ground.shape[0], : ground.shape[1]] = ground
    cells = np.pad(
        padded.reshape(rows, _CELL_PX, cols, _CELL_PX).max((1, 3)), 1, constant_values=-np.inf
    )
    around = [cells[r : r + rows, c : c + cols] for r in range(3) for c in range(3)]
    highest: NDArray[np.float32] = np.max(around, axis=0)
    return highest


@njit(cache=True, nogil=True)
def _march(
    ground: NDArray[np.float32],
    summits: NDArray[np.float32],
    top: float,
    down: NDArray[np.float64],
    right: NDArray[np.float64],
    rise: NDArray[np.float64],
    margin: int,
    hidden: NDArray[np.bool_],
) -> None:
    """Follow the ray of every pixel; a cell's length at a time where all ground is lower."""
    last_row, last_col = ground.shape[0] - 1.0, ground.shape[1] - 1.0
    for r in range(hidden.shape[0]):
        for c in range(hidden.shape[1]):
            step_row, step_col = down[r // 16, c // 16], right[r // 16, c // 16]
            step_up = rise[r // 16, c // 16]
            row, col, height = r + margin, c + margin, ground[r + margin, c + margin]
            taken = 0.0
            while True:
                taken += 1.0
                y, x = row + taken * step_row, col + taken * step_col
                ray = height + taken * step_up
                if ray > top or y < 0.0 or x < 0.0 or y > last_row or x > last_col:
                    break
                i, j = int(y), int(x)
                if ray > summits[i // 16, j // 16]:
                    taken += 15.0
                    continue
                v, u = y - i, x - j
                below, beside = min(i + 1, ground.shape[0] - 1), min(j + 1, ground.shape[1] - 1)
                upper = ground[i, j] * (1 - u) + ground[i, beside] * u
                lower = ground[below, j] * (1 - u) + ground[below, beside] * u
                if upper * (1 - v) + lower * v > ray:
                    hidden[r, c] = True
                    break
