"""A large scene in blocks: what is looked at piece by piece and put together again.

A GF-6 scene has over 400 million pixels at 32 m, too many for what is computed on the way to
their classes. The margin around a block is looked at too and thrown away.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from catalog.grid import Grid
from catalog.product import MaskClass
from processing.atmosphere.cells import CELL_FACTOR, CellSignals
from processing.quality.mask import SceneQuality, cloud_shadow_percent

BLOCK_PX = 576 * CELL_FACTOR
"""Most pixels along one side of a scene that is looked at at once: 295 km, which holds GF-1."""
PIECE_PX = 288 * CELL_FACTOR
"""Most pixels along one side of a block of a larger scene."""
MARGIN_PX = 24 * CELL_FACTOR
"""Pixels around a block that are looked at with it: 12 km, as far as shadows reach."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the scene's grid: its cells, and the pixels that are looked at around them."""

    rows: slice
    cols: slice
    frame: Grid
    row: int
    col: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """The block in the scene."""
        return self.rows, self.cols

    @property
    def inner(self) -> tuple[slice, slice]:
        """The block in what is looked at."""
        height, width = self.rows.stop - self.rows.start, self.cols.stop - self.cols.start
        return slice(self.row, self.row + height), slice(self.col, self.col + width)


def blocks(grid: Grid) -> Iterator[Block]:
    """Cut a scene into blocks of equal size; one of moderate size is a single block."""
    most = BLOCK_PX if max(grid.shape) <= BLOCK_PX else PIECE_PX
    for rows in _cuts(grid.rows, most):
        for cols in _cuts(grid.cols, most):
            top, left = max(rows.start - MARGIN_PX, 0), max(cols.start - MARGIN_PX, 0)
            bottom, right = (
                min(part.stop + MARGIN_PX, size)
                for part, size in ((rows, grid.rows), (cols, grid.cols))
            )
            frame = grid.window(top, left, bottom - top, right - left)
            yield Block(rows, cols, frame, rows.start - top, cols.start - left)


def _cuts(size: int, most: int) -> Iterator[slice]:
    """Cut a length into equal pieces of whole cells, none above ``most``."""
    count = math.ceil(size / most)
    step = math.ceil(size / count / CELL_FACTOR) * CELL_FACTOR
    for first in range(0, size, step):
        yield slice(first, min(first + step, size))


@dataclass(frozen=True, slots=True)
class Whole:
    """The scene as it is put together from blocks; what no block saw has no data."""

    quality: SceneQuality
    signals: CellSignals

    @classmethod
    def like(cls, quality: SceneQuality, signals: CellSignals, grid: Grid) -> "Whole":
        """Return an empty scene on ``grid`` for blocks like this one.

        It keeps probabilities in half precision, to 0.0005, and so in half the memory.
        """
        empty = np.full(grid.shape, np.nan, np.float16)
        cells = grid.coarsen(CELL_FACTOR).shape
        return cls(
            replace(
                quality,
                grid=grid,
                cloud=empty,
                shadow=empty.copy(),
                classes=np.full(grid.shape, MaskClass.FILL, np.uint8),
                context=np.zeros(grid.shape, np.uint8),
            ),
            CellSignals(
                *(
                    np.full((len(layers), *cells), np.nan, np.float32)
                    for layers in (signals.land, signals.doubt, signals.dark)
                )
            ),
        )

    def put(self, block: Block, quality: SceneQuality, signals: CellSignals) -> None:
        """Put in what was seen of a block."""
        for whole, part in (
            (self.quality.cloud, quality.cloud),
            (self.quality.shadow, quality.shadow),
            (self.quality.classes, quality.classes),
            (self.quality.context, quality.context),
        ):
            whole[block.pixels] = part[block.inner]
        there, here = (
            tuple(slice(side.start // CELL_FACTOR, -(-side.stop // CELL_FACTOR)) for side in sides)
            for sides in (block.pixels, block.inner)
        )
        for cells, found in (
            (self.signals.land, signals.land),
            (self.signals.doubt, signals.doubt),
            (self.signals.dark, signals.dark),
        ):
            cells[:, *there] = found[:, *here]

    def scene_quality(self) -> SceneQuality:
        """Return the classified scene."""
        percent = cloud_shadow_percent(self.quality.classes)
        return replace(self.quality, cloud_shadow_percent=percent)
