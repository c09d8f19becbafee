"""The direction of shadows, read off images whose clouds and shadows are drawn."""

import numpy as np
import pytest

from processing.quality.direction import rays_of_image
from processing.quality.network import Probabilities

SHAPE = (220, 260)
PLACES = ((40, 60, 9), (150, 90, 14), (90, 190, 11), (180, 210, 7))
"""Row, column and radius of each cloud."""
RUNS = (14, 26, 19, 33)
"""Pixels from each cloud to its shadow."""


def _disc(row: float, col: float, radius: float) -> np.ndarray:
    rows, cols = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(rows - row, cols - col) < radius


def _seen(azimuth_deg: float) -> Probabilities:
    """What a network would see, with dark woods that it takes for shadow too."""
    cloud, shadow = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    azimuth = np.radians(azimuth_deg)
    for (row, col, radius), run in zip(PLACES, RUNS, strict=True):
        cloud[_disc(row, col, radius)] = 0.95
        shadow[_disc(row - run * np.cos(azimuth), col + run * np.sin(azimuth), radius)] = 0.9
    shadow[_disc(110, 30, 12) | _disc(20, 230, 10)] = 0.8
    shadow[cloud > 0] = 0
    cloud[:5] = shadow[:5] = np.nan
    return Probabilities(cloud, shadow)


@pytest.mark.parametrize("azimuth_deg", [20, 130, 235, 315])
def test_shadows_point_where_they_were_drawn(azimuth_deg: float) -> None:
    rays = rays_of_image(_seen(azimuth_deg), 30.0)
    assert rays is not None
    found = np.degrees(np.arctan2(rays.east, rays.north)) % 360
    assert found == pytest.approx(azimuth_deg, abs=6)
    assert np.hypot(rays.east, rays.north) == pytest.approx(1)


def test_an_image_without_shadows_or_too_small_has_no_direction() -> None:
    seen = _seen(130)
    assert rays_of_image(Probabilities(seen.cloud, seen.shadow * 0), 30.0) is None
    assert rays_of_image(Probabilities(seen.cloud * 0, seen.shadow), 30.0) is None
    strip = Probabilities(np.ones((1, 200), np.float32), np.ones((1, 200), np.float32))
    assert rays_of_image(strip, 30.0) is None


def test_shadow_all_around_clouds_has_no_direction() -> None:
    cloud = np.where(_disc(110, 130, 20), 1, 0).astype(np.float32)
    ring = np.where(_disc(110, 130, 40) & (cloud == 0), 1, 0).astype(np.float32)
    assert rays_of_image(Probabilities(cloud, ring), 30.0) is None
