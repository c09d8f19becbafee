"""The gate: how accurate a scene is by points that took no part in its fit.

Landsat's verification of every scene by a grid of correlation points, with figures for each part
of the scene, is the model (USGS, Landsat Geometric Verify). One pixel is 16 m on the ground.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from processing.geometry.rpc import Floats

WITHIN_PX: Final = 0.8
"""RMSE up to which a scene becomes a product."""
MARGINAL_PX: Final = 1.0
LEAST_POINTS: Final = 30
LEAST_CELLS: Final = 5
SIDE_CELLS: Final = 3


class AccuracyClass(StrEnum):
    """Classes of the radial RMSE in pixels; insufficient are too few or too clustered points."""

    WITHIN = "0-0.8"
    MARGINAL = "0.8-1.0"
    BEYOND = "above 1.0"
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, slots=True)
class CellAccuracy:
    """One of the 3 x 3 cells of the scene: its points and their radial RMSE, NaN without any."""

    points: int
    rmse_px: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What the check points of a scene say, in pixels of 16 m; x is east, y is north.

    ``rmse_px`` is radial: the root of the mean of x squared plus y squared. ``ce90_px`` and
    ``median_px`` are the 90th percentile and the median of the distances. ``outliers`` were left
    out as false matches; ``grid`` holds the cells row by row as the image lies. Figures are NaN
    without points.
    """

    rmse_px: float
    rmse_x_px: float
    rmse_y_px: float
    bias_x_px: float
    bias_y_px: float
    stddev_x_px: float
    stddev_y_px: float
    ce90_px: float
    median_px: float
    check_points: int
    outliers: int
    grid: tuple[CellAccuracy, ...]

    @property
    def cells(self) -> int:
        """How many of the nine cells hold a check point."""
        return sum(cell.points > 0 for cell in self.grid)

    @property
    def klass(self) -> AccuracyClass:
        """The class of the scene; where most matches were false, the rest proves nothing."""
        few = self.check_points < max(LEAST_POINTS, self.outliers)
        if few or self.cells < LEAST_CELLS:
            return AccuracyClass.INSUFFICIENT
        if self.rmse_px <= WITHIN_PX:
            return AccuracyClass.WITHIN
        return AccuracyClass.MARGINAL if self.rmse_px <= MARGINAL_PX else AccuracyClass.BEYOND


def cells_of(row: Floats, col: Floats, shape: tuple[float, float]) -> NDArray[np.intp]:
    """Return which of the 3 x 3 cells of an image of ``shape`` points lie in, 0 to 8."""
    down, across = (
        np.clip((at / size * SIDE_CELLS).astype(np.intp), 0, SIDE_CELLS - 1)
        for at, size in zip((row, col), shape, strict=True)
    )
    return np.asarray(down * SIDE_CELLS + across, np.intp)


def measure(x_px: Floats, y_px: Floats, cell: NDArray[np.intp], outliers: int = 0) -> Accuracy:
    """Return the accuracy that check points show.

    Parameters
    ----------
    x_px, y_px
        Residuals to the east and north, pixels, shape (n,).
    cell
        The cell of each point as `cells_of` numbers them.
    outliers
        How many others were left out as false.
    """
    square = x_px**2 + y_px**2
    grid = tuple(
        CellAccuracy(int(here.sum()), _root_mean(square[here]))
        for here in (cell == k for k in range(SIDE_CELLS**2))
    )
    if not len(square):
        return Accuracy(*(np.nan,) * 9, 0, outliers, grid)
    distance = np.sqrt(square)
    return Accuracy(
        rmse_px=_root_mean(square),
        rmse_x_px=_root_mean(x_px**2),
        rmse_y_px=_root_mean(y_px**2),
        bias_x_px=float(x_px.mean()),
        bias_y_px=float(y_px.mean()),
        stddev_x_px=float(x_px.std()),
        stddev_y_px=float(y_px.std()),
        ce90_px=float(np.quantile(distance, 0.9)),
        median_px=float(np.median(distance)),
        check_points=len(square),
        outliers=outliers,
        grid=grid,
    )


def _root_mean(square: Floats) -> float:
    """Return the root of the mean, NaN of nothing."""
    return float(np.sqrt(square.mean())) if len(square) else float("nan")
