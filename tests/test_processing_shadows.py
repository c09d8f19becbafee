"""Shadows by geometry on a drawn scene whose cloud bases, sun and view are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from processing.quality.shadows import Rays, dark_ground, match_shadows

SHAPE = (500, 520)
RESOLUTION = 32.0
SUN = (150.0, 38.0)
VIEW = (100.0, 28.0)
CLOUDS = ((150, 130, 26, 1800.0), (330, 200, 40, 3000.0), (260, 360, 17, 2200.0))
"""Row, column and radius of the true place of each cloud in pixels, and its base in metres."""


def _rays(sun: tuple[float, float] = SUN, view: tuple[float, float] = VIEW) -> Rays:
    def everywhere(pair: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        cells = (SHAPE[0] // 16 + 1, SHAPE[1] // 16 + 1)
        return np.full(cells, pair[0], np.float32), np.full(cells, pair[1], np.float32)

    return Rays.of(everywhere(sun), everywhere(view), 16, RESOLUTION)


def _disc(row: float, col: float, radius: float) -> np.ndarray:
    rows, cols = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(rows - row, cols - col) < radius


def _away(direction: tuple[float, float], height: float) -> tuple[float, float]:
    """Rows and columns from a point at ``height`` to the ground, away from a direction."""
    run = height * np.tan(np.radians(direction[1])) / RESOLUTION
    return run * np.cos(np.radians(direction[0])), -run * np.sin(np.radians(direction[0]))


def _scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw apparent clouds, true shadows and a near-infrared image with dark distractors."""
    cloud, shadow = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    for row, col, radius, base in CLOUDS:
        seen, cast = _away(VIEW, base), _away(SUN, base)
        cloud |= _disc(row + seen[0], col + seen[1], radius)
        shadow |= _disc(row + cast[0], col + cast[1], radius)
    noise = np.random.default_rng(7).normal(0, 0.004, SHAPE)
    nir = (0.28 + 0.02 * np.sin(np.arange(SHAPE[1]) / 40) + noise).astype(np.float32)
    nir[_disc(430, 430, 30) | _disc(60, 420, 20)] = 0.12
    nir[shadow] = 0.10
    nir[cloud] = 0.55
    return cloud, shadow & ~cloud, nir


def _accuracy(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Producer's and user's accuracy."""
    hits = np.count_nonzero(found & truth)
    return hits / truth.sum(), hits / max(found.sum(), 1)


def _matched(rays: Rays) -> tuple[float, float]:
    cloud, shadow, nir = _scene()
    dark = dark_ground(nir, ~cloud & (nir > 0.2))
    found = match_shadows(cloud, dark, np.ones(SHAPE, bool), rays)
    return _accuracy(found.matched, shadow)


def test_shadows_lie_where_sun_and_view_put_them() -> None:
    producer, user = _matched(_rays())
    assert producer > 0.9
    assert user > 0.85


def test_without_the_view_term_the_match_fails() -> None:
    rays = _rays(view=(VIEW[0], 0.0))
    producer, user = _matched(rays)
    assert producer < 0.85 or user < 0.7


def test_dark_ground_is_a_pit_and_not_a_slope() -> None:
    nir = np.tile(np.linspace(0.3, 0.4, 60, dtype=np.float32), (50, 1))
    nir[20:30, 40:48] = 0.15
    dark = dark_ground(nir, np.ones(nir.shape, bool))
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
    dark = dark_ground(nir, np.ones(nir.shape, bool))
    assert np.array_equal(dark, water - nir > 0.02)


def test_reach_covers_true_shadows_and_spares_the_sunny_side() -> None:
    cloud, shadow, nir = _scene()
    found = match_shadows(cloud, nir < 0.2, np.ones(SHAPE, bool), _rays())
    assert (found.reachable & shadow).sum() > 0.99 * shadow.sum()
    # Shadows fall to the north-west of these clouds: the south-east corner is out of their reach,
    # yet a cloud beyond the southern or eastern edge could reach it.
    alone = np.zeros(SHAPE, bool)
    alone[40:60, 40:60] = True
    inner = match_shadows(alone, nir < 0.2, np.ones(SHAPE, bool), _rays()).reachable
    assert inner[10, 30]
    assert inner[-1, -1]


def test_without_clouds_nothing_is_matched() -> None:
    nothing = np.zeros(SHAPE, bool)
    found = match_shadows(nothing, ~nothing, ~nothing, _rays())
    assert not found.matched.any()


@pytest.mark.parametrize("shape", [(1, 300), (300, 1)])
def test_strips_one_pixel_wide_are_no_error(shape: tuple[int, int]) -> None:
    rays = replace(_rays(), cell=1000)
    cloud = np.zeros(shape, bool)
    cloud.ravel()[100:140] = True
    found = match_shadows(cloud, ~cloud, np.ones(shape, bool), rays)
    assert found.matched.shape == shape
