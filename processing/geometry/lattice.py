"""Coarse nodes over a grid: what is smooth is computed there and interpolated between.

Map projections and the camera model are smooth over a kilometre, so they are evaluated at
every ``step``-th pixel; the kernels walk along rows and interpolate the node values linearly.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from catalog.grid import Grid

Floats = NDArray[np.float64]

_MAX_STEP_PX: Final = 32
_MAX_CELL_M: Final = 1024.0


@dataclass(frozen=True, slots=True)
class Lattice:
    """Nodes at every ``step``-th pixel centre of a grid.

    The last ones lie beyond its edges, so that every pixel is in a cell.
    """

    grid: Grid
    step: int

    @classmethod
    def over(cls, grid: Grid) -> Self:
        """Return the lattice fine enough for projections and RPCs: 32 pixels or 1 km."""
        return cls(grid, max(1, min(_MAX_STEP_PX, int(_MAX_CELL_M / grid.resolution))))

    @classmethod
    def affine(cls, grid: Grid) -> Self:
        """Return the lattice of one cell, exact for coordinates that are affine in the pixels."""
        return cls(grid, max(grid.shape))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of nodes."""
        rows, cols = (math.ceil(n / self.step) + 1 for n in self.grid.shape)
        return rows, cols

    def nodes(self) -> tuple[Floats, Floats]:
        """Return the pixel-centre indices of the nodes, shape ``self.shape``."""
        rows, cols = (np.arange(n, dtype=np.float64) * self.step for n in self.shape)
        row, col = np.meshgrid(rows, cols, indexing="ij")
        return row, col

    def lonlat(self) -> tuple[Floats, Floats]:
        """Return longitude and latitude of the nodes, degrees, shape ``self.shape``."""
        return self.grid.lonlat(*self.nodes())

    def sample(self, values: NDArray[np.float32], row: Floats, col: Floats) -> NDArray[np.float32]:
        """Interpolate layers bilinearly at every pixel of the grid.

        Parameters
        ----------
        values
            Shape (layers, rows, cols), float32; NaN is left out of the mean, and the outermost
            values reach on beyond the edges.
        row, col
            Where each node lies in ``values``, as cell-centre indices, shape ``self.shape``.

        Returns
        -------
        ndarray
            Shape (layers, *grid.shape), float32; NaN where all four neighbours are.
        """
        out = np.empty((len(values), *self.grid.shape), np.float32)
        _sample_bilinear(values, row, col, self.step, out)
        return out

    def pick(self, values: NDArray[Any], row: Floats, col: Floats) -> NDArray[Any]:
        """Take the nearest value at every pixel; parameters as of `sample`, any dtype."""
        out = np.empty((len(values), *self.grid.shape), values.dtype)
        _sample_nearest(values, row, col, self.step, out)
        return out


@njit(cache=True, nogil=True, inline="always")
def _along(nodes: Floats, i: int, j: int, v: float, step: int) -> tuple[float, float]:
    """Value at the left end of a row through cell (i, j), and its change per pixel."""
    left = nodes[i, j] + v * (nodes[i + 1, j] - nodes[i, j])
    right = nodes[i, j + 1] + v * (nodes[i + 1, j + 1] - nodes[i, j + 1])
    return left, (right - left) / step


@njit(cache=True, nogil=True)
def _sample_bilinear(
    values: NDArray[np.float32],
    node_row: Floats,
    node_col: Floats,
    step: int,
    out: NDArray[np.float32],
) -> None:
    layers, height, width = values.shape
    for r in range(out.shape[1]):
        i = min(r // step, node_row.shape[0] - 2)
        v = r / step - i
        for j in range(node_row.shape[1] - 1):
            y0, dy = _along(node_row, i, j, v, step)
            x0, dx = _along(node_col, i, j, v, step)
            for c in range(j * step, min((j + 1) * step, out.shape[2])):
                y = min(max(y0 + dy * (c - j * step), 0.0), height - 1.0)
                x = min(max(x0 + dx * (c - j * step), 0.0), width - 1.0)
                top, left = min(int(y), height - 2), min(int(x), width - 2)
                top, left = max(top, 0), max(left, 0)
                bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
                fy, fx = y - top, x - left
                for k in range(layers):
                    mean = (1.0 - fy) * (
                        (1.0 - fx) * values[k, top, left] + fx * values[k, top, right]
                    ) + fy * ((1.0 - fx) * values[k, bottom, left] + fx * values[k, bottom, right])
                    if not np.isnan(mean):
                        out[k, r, c] = mean
                        continue
                    total, weights = 0.0, 0.0
                    for row, wy in ((top, 1.0 - fy), (bottom, fy)):
                        for col, wx in ((left, 1.0 - fx), (right, fx)):
                            value = values[k, row, col]
                            if not np.isnan(value):
                                total += wy * wx * value
                                weights += wy * wx
                    out[k, r, c] = total / weights if weights > 1e-6 else np.nan


@njit(cache=True, nogil=True)
def _sample_nearest(
    values: NDArray[Any], node_row: Floats, node_col: Floats, step: int, out: NDArray[Any]
) -> None:
    layers, height, width = values.shape
    for r in range(out.shape[1]):
        i = min(r // step, node_row.shape[0] - 2)
        v = r / step - i
        for j in range(node_row.shape[1] - 1):
            y0, dy = _along(node_row, i, j, v, step)
            x0, dx = _along(node_col, i, j, v, step)
            for c in range(j * step, min((j + 1) * step, out.shape[2])):
                y = min(max(int(np.floor(y0 + dy * (c - j * step) + 0.5)), 0), height - 1)
                x = min(max(int(np.floor(x0 + dx * (c - j * step) + 0.5)), 0), width - 1)
                for k in range(layers):
                    out[k, r, c] = values[k, y, x]
