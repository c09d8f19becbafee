"""Ground darker than all ways out of it, against drawn pits and a slow flood."""

import numpy as np
import pytest
from scipy import ndimage

from processing.quality.darkness import DARKENING, light_loss, share_lost


def test_a_pit_is_dark_and_a_slope_is_not() -> None:
    nir = np.tile(np.linspace(0.3, 0.4, 60, dtype=np.float32), (50, 1))
    nir[20:30, 40:48] = 0.15
    dark = light_loss(nir, np.ones(nir.shape, bool)) > DARKENING
    expected = np.zeros(nir.shape, bool)
    expected[20:30, 40:48] = True
    assert np.array_equal(dark, expected)


def test_flood_agrees_with_a_slow_one() -> None:
    nir = np.random.default_rng(3).uniform(0.05, 0.5, (24, 30)).astype(np.float32)
    level = np.quantile(nir, 0.175)
    water = np.full(nir.shape, np.inf)
    water[[0, -1]], water[:, [0, -1]] = nir[[0, -1]], nir[:, [0, -1]]
    water = np.where(np.isfinite(water), np.maximum(water, level), water)
    cross = ndimage.generate_binary_structure(2, 1)
    while True:
        lower = np.maximum(nir, ndimage.minimum_filter(water, footprint=cross))
        if np.array_equal(lower, water):
            break
        water = lower
    loss = light_loss(nir, np.ones(nir.shape, bool))
    np.testing.assert_allclose(loss, water - nir, atol=1.01e-4)  # it works in steps of 1e-4


def test_share_lost_is_against_the_level_of_the_way_out() -> None:
    nir = np.full((9, 9), 0.30, np.float32)
    nir[4, 4], nir[0, 0] = 0.06, np.nan
    loss = light_loss(nir, np.isfinite(nir))
    share = share_lost(nir, loss)
    assert share[4, 4] == pytest.approx(0.8)
    assert share[0, 0] == loss[0, 0] == 0
    assert np.count_nonzero(share) == 1


def test_a_scene_without_clear_land_has_a_level_all_the_same() -> None:
    nir = np.full((5, 7), 0.2, np.float32)
    assert (light_loss(nir, np.zeros(nir.shape, bool)) == 0).all()
