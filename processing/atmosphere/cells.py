"""From pixels of 32 m to cells of 512 m: what a scene shows on each cell."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from processing.atmosphere.darktarget import dark_means
from processing.atmosphere.lut import Float32Array, Terms
from processing.saturation import MOST_SATURATED

Scalar = TypeVar("Scalar", bound=np.generic)

CELL_FACTOR = 16
"""Pixels of the 32 m look along one side of a cell of 512 m."""
_LEAST_CLEAR = 0.5
"""Share of a cell that must be clear land for its mean to stand for it."""
_STRIP_ROWS = 8


@dataclass(frozen=True, slots=True)
class CellSignals:
    """Mean TOA reflectance of cells, float32, NaN = too little clear land, or saturated.

    Attributes
    ----------
    land
        (bands, rows, cols), mean over the clear land.
    doubt
        (bands, rows, cols), how far that mean may be from that of the whole cell: the scatter of
        its pixels times the share that is not clear.
    dark
        (3, rows, cols), blue, red and near infrared of its darker vegetation.
    """

    land: Float32Array
    doubt: Float32Array
    dark: Float32Array

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        rows, cols = self.land.shape[1:]
        return rows, cols

    def brighter(self, band: int, by: float, dark_bands: tuple[int, ...]) -> "CellSignals":
        """Return what would be seen were one band brighter by a share.

        ``dark_bands`` are the positions of the bands of ``dark``.
        """
        factor = np.ones((len(self.land), 1, 1), np.float32)
        factor[band] += by
        return CellSignals(
            self.land * factor, self.doubt * factor, self.dark * factor[list(dark_bands)]
        )


def cell_signals(
    toa: Float32Array,
    clear_land: NDArray[np.bool_],
    clear_sky: Terms,
    dark_bands: tuple[int, ...],
    saturated: NDArray[np.uint8] | None = None,
) -> CellSignals:
    """Average a scene over its cells.

    Parameters
    ----------
    toa
        TOA reflectance, float32 (bands, rows, cols); NaN = no data.
    clear_land
        (rows, cols), pixels of land without cloud, shadow, snow.
    clear_sky
        Terms of the haze-free atmosphere of the cells in ``dark_bands``, (3, cell rows, cell
        cols); NaN where a cell is not to be used.
    dark_bands
        Positions of blue, red and near infrared.
    saturated
        (rows, cols), bit b set where band b is saturated; None where none is.
    """
    cell_rows, cell_cols = clear_sky.path.shape[1:]
    shape = cell_rows, cell_cols
    land, doubt = (np.full((len(toa), *shape), np.nan, np.float32) for _ in range(2))
    dark = np.full((len(dark_bands), *shape), np.nan, np.float32)
    for first in range(0, cell_rows, _STRIP_ROWS):
        strip = slice(first, min(first + _STRIP_ROWS, cell_rows))
        rows = slice(strip.start * CELL_FACTOR, strip.stop * CELL_FACTOR)
        count = strip.stop - strip.start
        pixels = _blocks(toa[:, rows], count, cell_cols, np.nan)
        clear = _blocks(clear_land[np.newaxis, rows], count, cell_cols, False)[0]
        clear = clear & np.isfinite(pixels).all(axis=0)
        land[:, strip], doubt[:, strip] = _mean_and_doubt(pixels, clear)
        if saturated is not None:
            bits = _blocks(saturated[np.newaxis, rows], count, cell_cols, 0)[0]
            land[:, strip][_clipped(bits, clear, len(toa))] = np.nan
        air = Terms(
            *(
                part[:, strip, :, np.newaxis]
                for part in (clear_sky.path, clear_sky.transmittance, clear_sky.albedo)
            )
        )
        dark[:, strip] = dark_means(pixels[list(dark_bands)], clear, air)
    return CellSignals(land, doubt, dark)


def _clipped(bits: NDArray[np.uint8], clear: NDArray[np.bool_], bands: int) -> NDArray[np.bool_]:
    """Tell in which bands (bands, cell rows, cell cols) a cell's clear pixels are saturated."""
    flags = np.arange(bands)[:, np.newaxis, np.newaxis, np.newaxis]
    share = np.mean((bits >> flags) & clear, axis=-1)
    return np.asarray(share > MOST_SATURATED * clear.mean(axis=-1))


def _blocks(
    image: NDArray[Scalar], cell_rows: int, cell_cols: int, fill: float | bool
) -> NDArray[Scalar]:
    """Cut (layers, rows, cols) into (layers, cell rows, cell cols, pixels), padded by fill."""
    rows, cols = cell_rows * CELL_FACTOR, cell_cols * CELL_FACTOR
    padding = ((0, 0), (0, rows - image.shape[1]), (0, cols - image.shape[2]))
    padded = np.pad(image, padding, constant_values=fill)
    cells = padded.reshape(-1, cell_rows, CELL_FACTOR, cell_cols, CELL_FACTOR).swapaxes(2, 3)
    return cells.reshape(-1, cell_rows, cell_cols, CELL_FACTOR * CELL_FACTOR)


def _mean_and_doubt(
    pixels: Float32Array, clear: NDArray[np.bool_]
) -> tuple[Float32Array, Float32Array]:
    """Return mean and doubt of the clear pixels (last axis), NaN where they are too few."""
    count = np.count_nonzero(clear, axis=-1)
    enough = count >= _LEAST_CLEAR * clear.shape[-1]
    seen = np.where(clear, pixels, np.float32(0))
    safe = np.maximum(count, 1)
    mean = seen.sum(axis=-1) / safe
    spread = np.where(clear, pixels - mean[..., np.newaxis], np.float32(0))
    scatter = np.sqrt(np.einsum("...p,...p->...", spread, spread) / safe)
    doubt = scatter * (1 - count / clear.shape[-1])
    return (
        np.where(enough, mean, np.nan).astype(np.float32),
        np.where(enough, doubt, np.nan).astype(np.float32),
    )
