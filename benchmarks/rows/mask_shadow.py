"""Shadow by geometry alone, on simulated scenes whose clouds, sun and view are known."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows.row import Row, at_least, at_most
from processing.quality import rules
from processing.quality.cloudbase import Rays
from processing.quality.shadows import Ground, find_shadow
from tests.cloud_scenes import SWATH_DEG, CloudScene, cloud_scene

SHADOW_SEEDS = (11, 12, 13)
DAYS = {11: (6, 18), 12: (11, 20), 13: (9, 1)}
"""Scenes of the shadow benchmark; none of them was looked at when the matching was made."""


def shadow_rows(full: bool) -> Iterator[Row]:
    """Score shadows below every camera, the true clouds given, and without the view."""
    seeds = SHADOW_SEEDS if full else SHADOW_SEEDS[:1]
    for name in SWATH_DEG:
        counts = sum((count(scene_of(name, seed)) for seed in seeds), Counts())
        of = f"simulated: shadow below {name}"
        yield at_least(f"{of}: producer's accuracy", counts.inner_hits / counts.inner, "1", 0.85)
        yield at_least(f"{of}: user's accuracy", counts.hits / counts.found, "1", 0.70)
        blind = counts.blind_hits / counts.inner
        yield at_most(f"{of}: producer's accuracy without the view", blind, "1", 0.85)
        beyond = counts.beyond_hits / max(counts.beyond, 1)
        yield Row(f"{of}: producer's accuracy, cloud beyond the edge", beyond, "1")


@dataclass(frozen=True, slots=True)
class Counts:
    """Pixels of scenes below one camera.

    ``inner`` is shadow whose cloud is in the image, ``beyond`` that of other clouds, ``found``
    what is called shadow; ``..._hits`` what is found of them, ``hits`` of both, ``blind_hits``
    of the inner ones when the view is taken for straight down.
    """

    inner: int = 0
    beyond: int = 0
    found: int = 0
    hits: int = 0
    inner_hits: int = 0
    beyond_hits: int = 0
    blind_hits: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sum of both."""
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def scene_of(name: str, seed: int) -> CloudScene:
    """Return a scene of the benchmark."""
    return cloud_scene(name, day=DAYS[seed], seed=seed)


def count(scene: CloudScene) -> Counts:
    """Find the shadows of the true clouds of a scene and count pixels."""
    found = geometric_shadow(scene, scene.rays)
    blind = geometric_shadow(scene, scene.rays_without_view)
    beyond = scene.shadow & ~scene.inner
    parts = (
        scene.inner, beyond, found, found & scene.shadow, found & scene.inner, found & beyond,
        blind & scene.inner,
    )  # fmt: skip
    return Counts(*(int(np.count_nonzero(part)) for part in parts))


def geometric_shadow(scene: CloudScene, rays: Rays) -> NDArray[np.bool_]:
    """Return the shadow that geometry finds under the true clouds of a scene, without network."""
    flat, nowhere = rules.is_flat(scene.heights, scene.grid.resolution), np.zeros_like(scene.cloud)
    water, sure = rules.is_water(scene.toa, flat), rules.is_deep_water(scene.toa, flat)
    ground = Ground(scene.toa[3], ~nowhere, scene.cloud, nowhere, water, sure, nowhere)
    return np.asarray((find_shadow(None, ground, rays).probability > 0.5) & ~scene.cloud)
