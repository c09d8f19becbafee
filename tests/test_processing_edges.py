"""Edges of clouds: sharper by contrast, wider by a setting, nothing made where nothing is known."""

import numpy as np

from processing.quality.edges import Edges, sharpened, widened


def _disc(side: int, radius: float) -> np.ndarray:
    rows, cols = np.ogrid[:side, :side]
    return np.hypot(rows - side / 2 + 0.5, cols - side / 2 + 0.5) < radius


def _blurred(mask: np.ndarray) -> np.ndarray:
    """Return a mask as it comes back from pixels of twice the size."""
    side = mask.shape[0] // 2
    coarse = mask.reshape(side, 2, side, 2).mean((1, 3))
    at = (np.arange(2 * side) + 0.5) / 2 - 0.5
    low, weight = np.clip(np.floor(at).astype(int), 0, side - 2), None
    weight = np.clip(at - low, 0, 1)
    rows = coarse[low] * (1 - weight[:, None]) + coarse[low + 1] * weight[:, None]
    return (rows[:, low] * (1 - weight) + rows[:, low + 1] * weight).astype(np.float32)


def test_a_rim_follows_the_picture_more_closely() -> None:
    rng = np.random.default_rng(3)
    truth = _disc(96, 30) ^ (rng.random((96, 96)) < 0.15) & (_disc(96, 33) & ~_disc(96, 27))
    visible = np.where(truth, 0.35, 0.08).astype(np.float32)
    before = _blurred(truth.astype(np.float32))
    after = sharpened(before, visible)
    wrong = [np.count_nonzero((chance > 0.5) != truth) for chance in (before, after)]
    assert wrong[1] < 0.8 * wrong[0]


def test_a_roof_in_clear_land_stays_clear() -> None:
    visible = np.full((9, 9), 0.1, np.float32)
    visible[4, 4] = 0.6
    assert (sharpened(np.full((9, 9), 0.1, np.float32), visible) < 0.5).all()


def test_no_data_stays_no_data_and_makes_no_edge() -> None:
    visible = np.full((9, 9), 0.1, np.float32)
    cloud = np.full((9, 9), 0.45, np.float32)
    visible[:, :4], cloud[:, :4] = 0, np.nan
    found = sharpened(cloud, visible)
    assert np.isnan(found[:, :4]).all()
    assert np.allclose(found[:, 4:], 0.45, atol=1e-3)


def test_buffers_are_as_wide_as_asked() -> None:
    cloud = np.full((11, 11), 0.1, np.float32)
    cloud[5, 5] = 0.9
    cloud[0] = np.nan
    assert np.array_equal(widened(cloud, 0), cloud, equal_nan=True)
    found = widened(cloud, 3) > 0.5
    rows, cols = np.nonzero(found)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (2, 8, 2, 8)
    assert found.sum() == 49
    assert widened(cloud, 3)[5, 5] == np.float32(0.9)
    assert np.isnan(widened(cloud, 8)[0]).all()
    assert Edges(cloud_buffer=3, shadow_buffer=5).reach == 5
