"""Levels of an image that fills only a window of its frame, and the blocks they are stored in.

A product covers a whole tile while a scene may fill a small part of it. A level therefore keeps
the pixels of the window alone and knows where they lie; the rest is fill and costs nothing.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from catalog.product import Resampling

BLOCK = 512
_HOW: dict[Resampling, int] = {"average": 0, "mode": 1, "nearest": 2}
_AVERAGE = _HOW["average"]
_MODE = _HOW["mode"]

Pixels = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Level:
    """One level: an image of ``rows`` x ``cols`` that is fill (0) outside of ``pixels``.

    ``pixels`` has shape (bands, window rows, window cols), uint8 or uint16, with its first pixel
    at (``row``, ``col``).
    """

    rows: int
    cols: int
    pixels: Pixels
    row: int = 0
    col: int = 0

    @property
    def blocks(self) -> tuple[int, int]:
        """Number of blocks down and across."""
        return -(-self.rows // BLOCK), -(-self.cols // BLOCK)

    def halved(self, how: Resampling) -> "Level":
        """Return the level at half the resolution, aligned with the frame.

        Each pixel comes from 2 x 2, fill left out: "average" rounds their mean, "mode" takes
        the most frequent value and of equals the first, "nearest" takes the first. A pixel is
        fill only where all four are, so that all assets of an item keep one outline.
        """
        bands, rows, cols = self.pixels.shape
        row, col = self.row // 2, self.col // 2
        shape = (bands, -(-(self.row + rows) // 2) - row, -(-(self.col + cols) // 2) - col)
        out = np.empty(shape, self.pixels.dtype)
        _halve(self.pixels, self.row - 2 * row, self.col - 2 * col, _HOW[how], out)
        return Level(-(-self.rows // 2), -(-self.cols // 2), out, row, col)

    def predicted_block(self, down: int, across: int) -> Pixels | None:
        """Return one block ready for compression, or None where it is all fill.

        Returns
        -------
        ndarray, shape (BLOCK, BLOCK, bands), or None
            Differences to the pixel on the left, TIFF predictor 2 (TIFF 6.0, section 14).
        """
        bands, rows, cols = self.pixels.shape
        top, left = down * BLOCK - self.row, across * BLOCK - self.col
        if top >= rows or left >= cols or top + BLOCK <= 0 or left + BLOCK <= 0:
            return None
        block = np.zeros((BLOCK, BLOCK, bands), self.pixels.dtype)
        return block if _predict(self.pixels, top, left, block) else None


def pyramid(full: Level, how: Resampling) -> list[Level]:
    """Return the full level and its overviews, each half the one before, down to one block."""
    levels = [full]
    while max(levels[-1].rows, levels[-1].cols) > BLOCK:
        levels.append(levels[-1].halved(how))
    return levels


@numba.njit(inline="always")
def _average(a: int, b: int, c: int, d: int) -> int:
    count = (a != 0) + (b != 0) + (c != 0) + (d != 0)
    return (a + b + c + d + count // 2) // count if count else 0


@numba.njit(inline="always")
def _mode(a: int, b: int, c: int, d: int) -> int:
    if a != 0 and a in (b, c, d):
        return a
    if b != 0 and b in (c, d):
        return b
    if c != 0 and c == d:
        return c
    return _first(a, b, c, d)


@numba.njit(inline="always")
def _first(a: int, b: int, c: int, d: int) -> int:
    if a:
        return a
    if b:
        return b
    return c if c else d


@numba.njit(nogil=True, cache=True)
def _halve(pixels: Pixels, odd_row: int, odd_col: int, how: int, out: Pixels) -> None:
    """Fill ``out``; its first pixel covers window rows -odd_row and 1 - odd_row, cols alike."""
    bands, rows, cols = pixels.shape
    four = np.empty((2, 2), np.int64)
    for band in range(bands):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                for k in range(2):
                    for m in range(2):
                        row, col = 2 * i - odd_row + k, 2 * j - odd_col + m
                        inside = 0 <= row < rows and 0 <= col < cols
                        four[k, m] = pixels[band, row, col] if inside else 0
                a, b, c, d = four[0, 0], four[0, 1], four[1, 0], four[1, 1]
                if how == _AVERAGE:
                    out[band, i, j] = _average(a, b, c, d)
                elif how == _MODE:
                    out[band, i, j] = _mode(a, b, c, d)
                else:
                    out[band, i, j] = _first(a, b, c, d)


@numba.njit(nogil=True, cache=True)
def _predict(pixels: Pixels, top: int, left: int, block: Pixels) -> bool:
    """Fill a zeroed block with differences along its rows; return whether it holds any data."""
    bands, rows, cols = pixels.shape
    first, last = max(0, -left), min(block.shape[1], cols - left)
    found = False
    for i in range(max(0, -top), min(block.shape[0], rows - top)):
        for band in range(bands):
            before = np.int64(0)
            for j in range(first, last):
                value = np.int64(pixels[band, top + i, left + j])
                block[i, j, band] = value - before
                before = value
                found = found or value != 0
            if last < block.shape[1]:
                block[i, last, band] = -before
    return found
