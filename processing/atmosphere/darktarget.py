"""Dark vegetation: where it is, and how blue follows from red over it.

Over dense vegetation blue reflectance is a function of red reflectance and NDVI, known to
0.005 to 0.009 (``processing/data/dark_target.json``, from measured spectra seen through each
camera's response). The haze brightens
blue more than red, so the depth that restores the function is the one in the air (Kaufman et
al. 1997, JGR 102, 17051; by class of NDVI as Levy et al. 2007, JGR 112, D13211).
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from processing.atmosphere.lut import Terms

Float32Array = NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)

_FIRST_NDVI = 0.3
_FIRST_RED = 0.2
"""Loose limits before the haze is known: a depth of 1 lifts red by about 0.1."""
_RANKS = (0.2, 0.5)
"""Share of a cell's candidates, by rising red reflectance, whose mean stands for the cell."""
_FEWEST_PIXELS = 20
_STRIP_ROWS = 8


@dataclass(frozen=True, slots=True)
class DarkTargetTable:
    """Surface relation by NDVI: blue = slope * red + intercept, standard deviation sigma."""

    ndvi: NDArray[np.float64]
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    sigma: NDArray[np.float64]
    ndvi_minimum: float
    red_maximum: float
    nir_minimum: float

    def blue(self, red: Float32Array, ndvi: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return expected blue reflectance and its sigma, linear between classes of NDVI."""
        slope, intercept, sigma = (
            np.interp(ndvi, self.ndvi, column).astype(np.float32)
            for column in (self.slope, self.intercept, self.sigma)
        )
        return slope * red + intercept, sigma

    def is_dark(self, red: Float32Array, nir: Float32Array) -> NDArray[np.bool_]:
        """Tell where surface reflectances are those of dark vegetation."""
        dense = ndvi_of(red, nir) >= self.ndvi_minimum
        return np.asarray(dense & (red <= self.red_maximum) & (nir >= self.nir_minimum))


@dataclass(frozen=True, slots=True)
class DarkCells:
    """Cells with dark vegetation: their ``row`` and ``col``, and mean TOA ``signal``.

    ``signal`` is float32 (3, cells): blue, red, near infrared.
    """

    row: NDArray[np.intp]
    col: NDArray[np.intp]
    signal: Float32Array


@cache
def dark_target_table(camera_name: str) -> DarkTargetTable:
    """Return the shipped surface relation in the bands of a camera."""
    table = json.loads(files("processing.data").joinpath("dark_target.json").read_text())
    ndvi, slope, intercept, sigma = (
        np.array([entry[name] for entry in table["cameras"][camera_name]])
        for name in ("ndvi", "slope", "intercept", "sigma")
    )
    limits = (table["ndvi_minimum"], table["red_maximum"], table["nir_minimum"])
    return DarkTargetTable(ndvi, slope, intercept, sigma, *limits)


def ndvi_of(red: Float32Array, nir: Float32Array) -> Float32Array:
    """Return (nir - red) / (nir + red), 0 where the sum is not positive."""
    total = nir + red
    return np.asarray(np.where(total > 0, (nir - red) / np.where(total > 0, total, 1), 0))


def find_dark_cells(
    signal: Float32Array, clear_land: NDArray[np.bool_], clear_sky: Terms, factor: int
) -> DarkCells:
    """Average the darker vegetation of every cell that has enough of it.

    Parameters
    ----------
    signal
        TOA reflectance, float32 (3, rows, cols): blue, red, near infrared; NaN = no data.
    clear_land
        (rows, cols), pixels of land without cloud, shadow, snow.
    clear_sky
        Terms of the haze-free atmosphere of the cells, (3, cell rows, cell cols); NaN where a
        cell is not to be used.
    factor
        Pixels along one side of a cell.
    """
    cell_rows, cell_cols = clear_sky.path.shape[1:]
    means = np.full((3, cell_rows, cell_cols), np.nan, dtype=np.float32)
    for first in range(0, cell_rows, _STRIP_ROWS):
        last = min(first + _STRIP_ROWS, cell_rows)
        rows = slice(first * factor, last * factor)
        blocks = _blocks(signal[:, rows], last - first, cell_cols, factor, np.nan)
        clear = _blocks(clear_land[np.newaxis, rows], last - first, cell_cols, factor, False)[0]
        air = Terms(
            *(
                part[:, first:last, :, np.newaxis]
                for part in (clear_sky.path, clear_sky.transmittance, clear_sky.albedo)
            )
        )
        means[:, first:last] = _dark_means(blocks, clear, air)
    row, col = np.nonzero(np.isfinite(means[0]))
    return DarkCells(row, col, means[:, row, col])


def _blocks(
    image: NDArray[Scalar], cell_rows: int, cell_cols: int, factor: int, fill: float | bool
) -> NDArray[Scalar]:
    """Cut (layers, rows, cols) into (layers, cell rows, cell cols, pixels), padded by fill."""
    rows, cols = cell_rows * factor, cell_cols * factor
    padding = ((0, 0), (0, rows - image.shape[1]), (0, cols - image.shape[2]))
    padded = np.pad(image, padding, constant_values=fill)
    cells = padded.reshape(-1, cell_rows, factor, cell_cols, factor).swapaxes(2, 3)
    return cells.reshape(-1, cell_rows, cell_cols, factor * factor)


def _dark_means(blocks: Float32Array, clear: NDArray[np.bool_], air: Terms) -> Float32Array:
    """Mean TOA of each cell's candidates between two ranks of red, NaN where too few."""
    ground = air.ground(blocks)
    red, nir = ground[1], ground[2]
    candidate = clear & (ndvi_of(red, nir) > _FIRST_NDVI) & (red < _FIRST_RED)
    count = np.count_nonzero(candidate, axis=-1)
    ordered = np.sort(np.where(candidate, red, np.float32(np.inf)), axis=-1)
    bounds = [
        np.take_along_axis(ordered, (share * count).astype(np.intp)[..., np.newaxis], axis=-1)
        for share in _RANKS
    ]
    chosen = candidate & (red >= bounds[0]) & (red <= bounds[1])
    total = np.sum(np.where(chosen, blocks, 0), axis=-1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        means = total / np.count_nonzero(chosen, axis=-1)
    return np.where(count >= _FEWEST_PIXELS, means, np.nan).astype(np.float32)
