"""Accuracy and speed of the pixel classes.

Cloud, shadow, water and snow are scored on the imagery below ``GFARD_TEST_DATA``, see
``mask_accuracy.py``, and shadow on scenes drawn with known cloud bases.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.mask_accuracy import accuracy_rows
from benchmarks.row import Row
from catalog.grid import Grid
from catalog.product import TILE_PIXELS
from processing.geometry.angles import Angles
from processing.quality import rules
from processing.quality.cloudbase import Rays
from processing.quality.mask import look, tile_mask
from processing.quality.shadows import Ground, shadow_probability
from processing.sensors import camera
from tests.cloud_scenes import SWATH_DEG, CloudScene, cloud_scene

SHADOW_SEEDS = (11, 12, 13)
DAYS = {11: (6, 18), 12: (11, 20), 13: (9, 1)}
"""Scenes of the shadow benchmark; none of them was looked at when the matching was made."""


def shadow_rows(full: bool) -> Iterator[Row]:
    """Score shadow geometry below every camera, the true clouds given, and without the view."""
    seeds = SHADOW_SEEDS if full else SHADOW_SEEDS[:1]
    scores = [shadow_score(name, seeds) for name in SWATH_DEG]
    name = "simulated: shadow, worst camera"
    yield Row(f"{name}: producer's accuracy", min(s.producers for s in scores), "1", 0.85)
    yield Row(f"{name}: user's accuracy", min(s.users for s in scores), "1", 0.70)
    edge = min(s.producers_with_edge for s in scores)
    yield Row(f"{name}: producer's accuracy with clouds beyond the edge", edge, "1")
    blind = max(s.producers_blind for s in scores)
    fails = "simulated: shadow without the view, best camera: producer's accuracy"
    yield Row(fails, blind, "1", 0.85, at_most=True)


@dataclass(frozen=True, slots=True)
class ShadowScore:
    """Accuracy of shadow below one camera, 0-1, its scenes counted together.

    ``producers`` is that of shadows whose cloud is in the image, ``producers_with_edge`` of all,
    ``producers_blind`` of the former when the view is taken for straight down.
    """

    producers: float
    users: float
    producers_with_edge: float
    producers_blind: float


def shadow_score(name: str, seeds: tuple[int, ...]) -> ShadowScore:
    """Find the shadows of the true clouds of scenes by geometry alone."""
    counts = np.zeros(6)
    for seed in seeds:
        scene = cloud_scene(name, day=DAYS[seed], seed=seed)
        found, blind = (
            geometric_shadow(scene, rays) for rays in (scene.rays, scene.rays_without_view)
        )
        parts = (
            found & scene.inner, scene.inner, found & scene.shadow, found, scene.shadow,
            blind & scene.inner,
        )  # fmt: skip
        counts += [np.count_nonzero(part) for part in parts]
    inner_hits, inner, hits, found_all, shadow, blind_hits = counts.tolist()
    return ShadowScore(inner_hits / inner, hits / found_all, hits / shadow, blind_hits / inner)


def geometric_shadow(scene: CloudScene, rays: Rays) -> NDArray[np.bool_]:
    """Return the shadow that geometry finds under the true clouds of a scene, without network."""
    flat, nowhere = rules.is_flat(scene.heights, scene.grid.resolution), np.zeros_like(scene.cloud)
    water, deep = rules.is_water(scene.toa, flat), rules.is_deep_water(scene.toa, flat)
    ground = Ground(scene.toa[3], ~nowhere, scene.cloud, nowhere, water, deep, nowhere)
    probability = shadow_probability(np.zeros(flat.shape, np.float32), ground, rays)
    return np.asarray((probability > 0.5) & ~scene.cloud)


def speed_rows(side: int) -> Iterator[Row]:
    """Measure the CPU time of one tile: the look over its ground and its own mask.

    Parameters
    ----------
    side
        Pixels at 16 m along one side of what is measured; less than a tile is scaled up.
    """
    grid = Grid(32631, 300000.0, 5100000.0, 16.0, side, side)
    coarse = grid.coarsen(2)
    toa = rough_scene(coarse.shape)
    encoded = np.rint(toa.repeat(2, 1).repeat(2, 2) * 1e4).astype(np.uint16)
    heights = np.zeros(coarse.shape, np.float32)
    scale = (TILE_PIXELS / side) ** 2
    for network, bar in ((True, 90.0), (False, 15.0)):
        start = time.process_time()
        quality = look(
            toa, coarse, SameAngles(), heights, camera("GF1WFV1"), network=network, month=7
        )
        tile_mask(quality, encoded[:, :side, :side], grid)
        seconds = (time.process_time() - start) * scale
        way = "with the network" if network else "by rules"
        yield Row(f"speed: CPU time of a tile {way}", seconds, "s", bar, at_most=True)


@dataclass(frozen=True, slots=True)
class SameAngles:
    """One direction to sun and sensor everywhere."""

    def on(self, grid: Grid) -> Angles:
        """Return the angles on a grid."""
        sun, view = (np.full(grid.shape, value, np.float32) for value in (38.0, 25.0))
        return Angles(sun_azimuth=4 * sun, sun_zenith=sun, view_azimuth=4 * view, view_zenith=view)


def rough_scene(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return a rough forest with clouds on a fifth of it, TOA reflectance (4, rows, cols)."""
    rng = np.random.default_rng(2)
    rough = ndimage.gaussian_filter(rng.normal(size=shape), 30)
    cover = np.clip((rough / rough.std() - 0.8) * 2, 0, 1)
    forest = np.array([0.085, 0.075, 0.055, 0.30])[:, None, None]
    scene = forest * (1 - cover) + 0.6 * cover + rng.normal(0, 0.004, (4, *shape))
    return np.asarray(scene, np.float32)


def rows(full: bool) -> Iterator[Row]:
    """Yield every figure; ``full`` measures speed on a whole tile."""
    data = os.environ.get("GFARD_TEST_DATA")
    if data:
        yield from accuracy_rows(Path(data))
    else:
        reason = "GFARD_TEST_DATA is not set: it names the folder with the labelled chips"
        yield Row("labelled chips", None, "1", skipped=reason)
    yield from shadow_rows(full)
    yield from speed_rows(TILE_PIXELS if full else 2048)


def main() -> None:
    """Print the figures, one a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="measure speed on a whole tile")
    options = parser.parse_args()
    for row in rows(options.full):
        fields = row.to_dict()
        print(json.dumps(fields) if options.json else "  ".join(map(str, fields.values())))


if __name__ == "__main__":
    main()
