"""Values on a coarse ground grid that can be read on any other grid."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.errors import GeometryError
from catalog.grid import Grid
from processing.geometry.lattice import Floats, Lattice


@dataclass(frozen=True, slots=True)
class GroundField:
    """A quantity on the ground, e.g. the aerosol optical depth at 512 m.

    ``values`` has shape (rows, cols) or (layers, rows, cols) and belongs to the cell centres of
    ``grid``; NaN = no value.
    """

    grid: Grid
    values: NDArray[Any]

    def __post_init__(self) -> None:
        if self.values.ndim not in (2, 3) or self.values.shape[-2:] != self.grid.shape:
            raise GeometryError(
                f"field of shape {self.values.shape} on a grid of {self.grid.shape}: "
                "rows and columns must be equal"
            )

    def on(self, target: Grid, *, nearest: bool = False) -> NDArray[Any]:
        """Return the field on another grid, also of another UTM zone.

        Parameters
        ----------
        target
            The wanted grid. Beyond the outermost cell centres their values are kept.
        nearest
            Take the nearest value, for coded values; the dtype is kept.

        Returns
        -------
        ndarray
            Shape (rows, cols) or (layers, rows, cols) of ``target``. Bilinear in float32; a NaN
            neighbour is left out, all four NaN give NaN.
        """
        lattice, row, col = self._places(target)
        layers = np.atleast_3d(self.values.T).T
        if nearest:
            out = lattice.pick(layers, row, col)
        else:
            out = lattice.sample(layers.astype(np.float32, copy=False), row, col)
        return out.reshape(self.values.shape[:-2] + target.shape)

    def near(self, target: Grid) -> "GroundField":
        """Return the part of the field that `on` needs for a grid, as a view of the values."""
        _, row, col = self._places(target)
        rows, cols = _reach(row, self.grid.rows), _reach(col, self.grid.cols)
        height, width = rows.stop - rows.start, cols.stop - cols.start
        part = self.grid.window(rows.start, cols.start, height, width)
        return GroundField(part, self.values[..., rows, cols])

    def _places(self, target: Grid) -> tuple[Lattice, Floats, Floats]:
        """Return nodes over the target and where they lie in this field, cell-centre indices."""
        if target.epsg != self.grid.epsg:
            lattice = Lattice.over(target)
            return lattice, *self.grid.rowcol(*lattice.lonlat())
        lattice = Lattice.affine(target)
        row, col = lattice.nodes()
        ratio = target.resolution / self.grid.resolution
        down = (self.grid.uly - target.uly) / self.grid.resolution
        right = (target.ulx - self.grid.ulx) / self.grid.resolution
        return lattice, (row + 0.5) * ratio + down - 0.5, (col + 0.5) * ratio + right - 0.5


def _reach(index: Floats, size: int) -> slice:
    """Return the cells along an axis that values at cell-centre indices are read from."""
    first = min(max(math.floor(index.min()), 0), size - 1)
    return slice(first, max(first, min(math.ceil(index.max()), size - 1)) + 1)


def averaged(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Return an image averaged over squares of pixels.

    Parameters
    ----------
    image
        (bands, rows, cols) float32, NaN = no data.
    factor
        Side of a square in pixels; squares at the lower and right edge may be cut.

    Returns
    -------
    ndarray of float32
        Means of the pixels with data, NaN where a square has none.
    """
    if factor == 1:
        return image
    bands, rows, cols = image.shape
    edge = ((0, 0), (0, -rows % factor), (0, -cols % factor))
    padded = np.pad(image, edge, constant_values=np.nan)
    squares = padded.reshape(bands, -(-rows // factor), factor, -(-cols // factor), factor)
    known = np.isfinite(squares)
    count = known.sum(axis=(2, 4))
    total = np.where(known, squares, 0).sum(axis=(2, 4), dtype=np.float32)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
