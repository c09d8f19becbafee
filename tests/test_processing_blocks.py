"""Blocks cover a scene once, in whole cells, with room around them."""

import numpy as np
import pytest

from catalog.grid import Grid
from catalog.product import MaskClass
from processing.atmosphere.cells import CELL_FACTOR, CellSignals
from processing.blocks import BLOCK_PX, MARGIN_PX, PIECE_PX, Whole, blocks
from processing.quality.mask import SceneQuality


def _grid(rows: int, cols: int) -> Grid:
    return Grid(32631, 300032.0, 5100032.0, 32.0, rows, cols)


@pytest.mark.parametrize(
    ("rows", "cols", "count"),
    [(300, 320, 1), (8300, 7800, 1), (BLOCK_PX, BLOCK_PX, 1), (15600, 28200, 28)],
)
def test_blocks_cover_the_scene_once(rows: int, cols: int, count: int) -> None:
    found = list(blocks(_grid(rows, cols)))
    assert len(found) == count
    covered = np.zeros((-(-rows // 16), -(-cols // 16)), np.uint8)
    for block in found:
        down, across = block.pixels
        assert down.start % CELL_FACTOR == across.start % CELL_FACTOR == 0
        assert max(down.stop - down.start, across.stop - across.start) <= (
            BLOCK_PX if count == 1 else PIECE_PX
        )
        covered[
            down.start // 16 : -(-down.stop // 16), across.start // 16 : -(-across.stop // 16)
        ] += 1
        inner = block.inner
        assert inner[0].start == min(MARGIN_PX, down.start)
        assert block.frame.rows == min(down.stop + MARGIN_PX, rows) - max(down.start - MARGIN_PX, 0)
        at = _grid(rows, cols).window(
            down.start - inner[0].start, across.start - inner[1].start, 1, 1
        )
        assert (block.frame.ulx, block.frame.uly) == (at.ulx, at.uly)
    assert (covered == 1).all()


def test_what_blocks_saw_becomes_one_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processing.blocks.BLOCK_PX", 160)
    monkeypatch.setattr("processing.blocks.PIECE_PX", 160)
    monkeypatch.setattr("processing.blocks.MARGIN_PX", 32)
    grid = _grid(300, 410)
    rng = np.random.default_rng(0)
    cloud, shadow = rng.random((2, *grid.shape)).astype(np.float32)
    classes = rng.integers(MaskClass.FILL, MaskClass.CLOUD + 1, grid.shape).astype(np.uint8)
    context = rng.integers(0, 32, grid.shape).astype(np.uint8)
    cells = grid.coarsen(CELL_FACTOR).shape
    land, doubt = rng.random((2, 4, *cells)).astype(np.float32)
    dark = rng.random((3, *cells)).astype(np.float32)
    whole = None
    pieces = list(blocks(grid))
    assert len(pieces) == 6
    for block in pieces:
        frame = block.frame
        row, col = round((grid.uly - frame.uly) / 32), round((frame.ulx - grid.ulx) / 32)
        at = np.s_[row : row + frame.rows, col : col + frame.cols]
        cell = np.s_[
            ..., row // 16 : -(-(row + frame.rows) // 16), col // 16 : -(-(col + frame.cols) // 16)
        ]
        quality = SceneQuality(
            frame, cloud[at], shadow[at], classes[at], context[at], -1.0, "m", "1", "a"
        )
        signals = CellSignals(land[cell], doubt[cell], dark[cell])
        whole = whole or Whole.like(quality, signals, grid)
        whole.put(block, quality, signals)
    assert whole is not None
    found = whole.scene_quality()
    for mine, truth in ((found.cloud, cloud), (found.shadow, shadow)):
        np.testing.assert_allclose(mine, truth, atol=0.0005)
    for mine, truth in (
        (found.classes, classes), (found.context, context), (whole.signals.land, land),
        (whole.signals.doubt, doubt), (whole.signals.dark, dark),
    ):  # fmt: skip
        np.testing.assert_array_equal(mine, truth)
    hidden = np.isin(classes, (MaskClass.CLOUD, MaskClass.CLOUD_SHADOW)).sum()
    assert found.cloud_shadow_percent == pytest.approx(100 * hidden / (classes > 0).sum())
    assert (found.grid, found.model) == (grid, "m")
