"""Shadows by geometry on drawn and simulated scenes whose cloud bases, sun and view are known."""

from dataclasses import replace

import numpy as np
import pytest

from processing.quality.cloudbase import Rays, cloud_bases
from processing.quality.darkness import light_loss, share_lost
from processing.quality.rules import is_deep_water, is_flat, is_water
from processing.quality.shadowcast import Shadows, match_shadows
from processing.quality.shadows import Ground, find_shadow
from processing.simulate.clouds import CloudLayer
from tests.cloud_scenes import LOOK_M, CloudScene, cloud_scene

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


def _lost(nir: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    return share_lost(nir, light_loss(nir, ~cloud & (nir > 0.2)))


def _match(cloud: np.ndarray, lost: np.ndarray, rays: Rays) -> Shadows:
    everywhere = np.ones(cloud.shape, bool)
    return match_shadows(cloud, lost, everywhere, everywhere, rays)


def test_shadows_lie_where_sun_and_view_put_them() -> None:
    cloud, shadow, nir = _scene()
    producer, user = _accuracy(_match(cloud, _lost(nir, cloud), _rays()).matched, shadow)
    assert producer > 0.9
    assert user > 0.85


def test_bases_are_those_that_were_drawn() -> None:
    cloud, _, nir = _scene()
    found = cloud_bases(cloud, _lost(nir, cloud), np.ones(SHAPE, bool), _rays())
    for row, col, radius, base in CLOUDS:
        seen = _away(VIEW, base)
        near = np.hypot(found.row - row - seen[0], found.col - col - seen[1]) < 0.7 * radius
        # A shadow moves by one pixel of 32 m in 53 m of height; two pixels are allowed.
        assert np.median(found.base_m[near]) == pytest.approx(base, abs=107)


def test_without_the_view_term_the_match_fails() -> None:
    cloud, shadow, nir = _scene()
    rays = _rays(view=(VIEW[0], 0.0))
    producer, user = _accuracy(_match(cloud, _lost(nir, cloud), rays).matched, shadow)
    assert producer < 0.85 or user < 0.7


@pytest.fixture(scope="module", params=["GF1WFV1", "GF6WFV"])
def simulated(request: pytest.FixtureRequest) -> CloudScene:
    """Two layers of cloud over fields, woods and a river, at the edge of the swath."""
    layers = (CloudLayer(1200.0, 0.10, size_m=2200.0), CloudLayer(2600.0, 0.06, size_m=3000.0))
    return cloud_scene(request.param, side=288, layers=layers, seed=6)


def _ground(scene: CloudScene, **parts: np.ndarray) -> Ground:
    """What the rules see of a scene whose clouds are known."""
    nowhere, everywhere = np.zeros_like(scene.cloud), np.ones_like(scene.cloud)
    flat = is_flat(scene.heights, LOOK_M)
    seen = {
        "nir": scene.toa[3],
        "valid": everywhere,
        "cloud": scene.cloud,
        "snow": nowhere,
        "water": is_water(scene.toa, flat),
        "sure_water": is_deep_water(scene.toa, flat),
        "dim": nowhere,
    }
    return Ground(**{**seen, **parts})


def _shadow(scene: CloudScene, rays: Rays, **parts: np.ndarray) -> np.ndarray:
    found = find_shadow(None, _ground(scene, **parts), rays)
    return (found.probability > 0.5) & ~scene.cloud


def test_layers_over_a_landscape_are_told_apart(simulated: CloudScene) -> None:
    found = _shadow(simulated, simulated.rays)
    assert _accuracy(found, simulated.inner)[0] > 0.85
    assert _accuracy(found, simulated.shadow)[1] > 0.7
    assert _accuracy(_shadow(simulated, simulated.rays_without_view), simulated.inner)[0] < 0.7


def test_shadow_of_relief_is_left_to_it(simulated: CloudScene) -> None:
    dim = np.zeros_like(simulated.cloud)
    dim[:, :100] = True
    found = _shadow(simulated, simulated.rays, dim=dim)
    assert not found[:, :100].any()
    assert found[:, 100:].any()
    told = np.ones(dim.shape, np.float32)
    seen = find_shadow(told, _ground(simulated, dim=dim), simulated.rays)
    assert (seen.probability[dim] < 0.01).all()


def test_soil_in_shadow_is_no_pond_and_a_lake_is_no_shadow() -> None:
    cloud, shadow, nir = _scene()
    lake, nowhere = _disc(430, 430, 30), np.zeros(SHAPE, bool)
    pond = shadow & _disc(*np.argwhere(shadow).mean(axis=0), 12)
    water = lake | pond
    ground = Ground(nir, ~nowhere, cloud, nowhere, water, water, nowhere)
    found = find_shadow(None, ground, _rays()).probability > 0.5
    assert found[pond].mean() > 0.95
    assert not found[lake].any()


def test_reach_covers_true_shadows_and_spares_the_sunny_side() -> None:
    cloud, shadow, nir = _scene()
    found = _match(cloud, _lost(nir, cloud), _rays())
    assert (found.in_reach & shadow).sum() > 0.99 * shadow.sum()
    # Shadows fall to the north-west of these clouds: the south-east corner is out of their reach,
    # yet a cloud beyond the southern or eastern edge could reach it.
    alone = np.zeros(SHAPE, bool)
    alone[40:60, 40:60] = True
    inner = _match(alone, _lost(nir, cloud), _rays())
    assert inner.in_reach[10, 55]
    assert inner.beyond[-1, -1]
    assert not (inner.in_reach & inner.beyond).any()


def _cut_above_a_cloud() -> tuple[np.ndarray, np.ndarray, Ground]:
    """The drawn scene without its lowest cloud, whose shadow is seen; and woods below the edge."""
    cloud, shadow, nir = _scene()
    row, _, radius, base = CLOUDS[1]
    rows = slice(0, int(row + _away(VIEW, base)[0] - radius))
    woods = _disc(rows.stop - 30, 60, 14)[rows] | _disc(rows.stop - 30, 330, 14)[rows]
    nir[rows][woods] = 0.19
    nowhere = np.zeros_like(woods)
    parts = (nir[rows], ~nowhere, cloud[rows], nowhere, nowhere, nowhere, nowhere)
    lowest = shadow[rows].copy()
    lowest[: rows.stop - 60] = False
    return lowest, woods, Ground(*parts)


def test_the_shadow_of_a_cloud_beyond_the_edge_is_found_by_its_darkness() -> None:
    lowest, woods, ground = _cut_above_a_cloud()
    assert lowest.sum() > 1000
    assert not ground.cloud[-60:, :300].any()
    found = find_shadow(None, ground, _rays())
    assert (found.probability[lowest] > 0.5).mean() > 0.9
    assert found.unseen_cloud[lowest].mean() > 0.9
    assert not (found.probability[woods] > 0.5).any()


def test_woods_of_a_clear_scene_are_no_shadow_whatever_a_network_says() -> None:
    """And dark ground is, with the same words of the network, where clouds are about."""
    _, woods, ground = _cut_above_a_cloud()
    ground.nir[woods] = 0.15
    told = np.where(woods, np.float32(0.999), np.float32(0.01))
    clear = replace(ground, cloud=np.zeros_like(woods))
    assert not (find_shadow(told, clear, _rays()).probability > 0.5).any()
    assert (find_shadow(told, ground, _rays()).probability[woods] > 0.5).mean() > 0.9


def test_ground_much_brighter_than_the_shadows_of_a_scene_is_not_easily_one() -> None:
    """The shadows of the scene have a near infrared of 0.1, the fields around one of 0.28."""
    _, woods, ground = _cut_above_a_cloud()
    told = np.where(woods, np.float32(0.95), np.float32(0.01))
    reached = woods & ~find_shadow(told, ground, _rays()).unseen_cloud
    shares = []
    for nir in (0.24, 0.15):
        ground.nir[woods] = nir
        found = find_shadow(told, ground, _rays()).probability
        shares.append((found[reached] > 0.5).mean())
    assert shares == [0, 1]


def test_a_network_cannot_deny_what_is_as_dark_as_shadow_where_one_must_fall() -> None:
    cloud, shadow, nir = _scene()
    nowhere = np.zeros(SHAPE, bool)
    ground = Ground(nir, ~nowhere, cloud, nowhere, nowhere, nowhere, nowhere)
    denied = np.full(SHAPE, 1e-4, np.float32)
    found = find_shadow(denied, ground, _rays()).probability > 0.5
    producer, user = _accuracy(found & ~cloud, shadow)
    assert producer > 0.85
    assert user > 0.95


def test_without_clouds_nothing_is_matched() -> None:
    nothing = np.zeros(SHAPE, bool)
    found = _match(nothing, np.zeros(SHAPE, np.float32), _rays())
    assert not found.matched.any()


@pytest.mark.parametrize("shape", [(1, 300), (300, 1)])
def test_strips_one_pixel_wide_are_no_error(shape: tuple[int, int]) -> None:
    rays = replace(_rays(), cell=1000)
    cloud = np.zeros(shape, bool)
    cloud.ravel()[100:140] = True
    found = _match(cloud, (~cloud).astype(np.float32), rays)
    assert found.matched.shape == shape
