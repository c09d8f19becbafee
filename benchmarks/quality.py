"""Accuracy and speed of the pixel classes.

Cloud and shadow are scored on the labelled chips below ``GFARD_TEST_DATA`` and on scenes drawn
with known cloud bases. Thresholds were chosen with these chips in view: the figures say how the
parts compare, not what an unseen scene will give.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy import ndimage

from catalog.grid import Grid
from catalog.product import TILE_PIXELS, MaskClass
from processing.geometry.angles import Angles
from processing.quality.cloudbase import Rays
from processing.quality.mask import classify, look, tile_mask
from processing.quality.models import load_model
from processing.quality.shadows import shadow_probability
from processing.sensors import camera
from tests.cloud_scenes import SWATH_DEG, CloudScene, cloud_scene

UKIS = ("ukis_landsat5", "ukis_sentinel2")
BIOME_MIXED = (
    "l8biome_Barren_05_0208", "l8biome_Forest_00_1008", "l8biome_Forest_05_0415",
    "l8biome_GrassCrops_01_0413", "l8biome_GrassCrops_02_0608", "l8biome_Shrubland_00_0614",
    "l8biome_Urban_00_0515", "l8biome_Urban_03_0619", "l8biome_Water_11_0728",
)  # fmt: skip
BIOME_SHADOW = ("l8biome_Forest_00_1008", "l8biome_Forest_05_0415", "l8biome_GrassCrops_01_0413")
BIOME_CLEAR = ("l8biome_Shrubland_01_0508", "l8biome_Water_02_1010")
BARE_ICE, CLOUD_ON_ICE = "l8biome_SnowIce_00_1415", "l8biome_SnowIce_11_1123"
SHADOW_SEEDS = (11, 12, 13)
DAYS = {11: (6, 18), 12: (11, 20), 13: (9, 1)}
"""Scenes of the shadow benchmark; none of them was looked at when the matching was made."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; ``bar`` is the least (or, for "at most", the largest) value that will do."""

    name: str
    value: float | None
    unit: str
    bar: float | None = None
    at_most: bool = False
    skipped: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values with ``ok``, None where there is no bar or no value."""
        value = None if self.value is None else round(self.value, 4)
        ok = None
        if value is not None and self.bar is not None:
            ok = value <= self.bar if self.at_most else value >= self.bar
        fields = {"name": self.name, "value": value, "unit": self.unit, "bar": self.bar, "ok": ok}
        return fields if self.skipped is None else {**fields, "skipped": self.skipped}


@dataclass(frozen=True, slots=True)
class Chip:
    """A labelled chip and what was found: cloud and shadow, bool (rows, cols)."""

    cloud: NDArray[np.bool_]
    shadow: NDArray[np.bool_]
    true_cloud: NDArray[np.bool_]
    true_shadow: NDArray[np.bool_]

    @property
    def balanced(self) -> float:
        """Mean of the shares of cloud and of the rest that were found."""
        found, spared = self.cloud[self.true_cloud], ~self.cloud[~self.true_cloud]
        return float((found.mean() + spared.mean()) / 2)


def f1(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the F1 score, 0-1."""
    return float(2 * (found & truth).sum() / max(found.sum() + truth.sum(), 1))


def classify_chip(folder: Path, name: str, network: bool) -> Chip:
    """Classify one chip on its own pixels; sun, view, season and heights are unknown."""
    with rasterio.open(folder / f"{name}_toa.tif") as raster:
        toa = raster.read([1, 2, 3, 4]) * np.float32(1e-4)
    with rasterio.open(folder / f"{name}_label.tif") as raster:
        label = raster.read(1)
    anywhere = np.ones(label.shape, np.bool_)
    seen = classify(toa, anywhere, anywhere, None, load_model() if network else None)
    biome = name.startswith("l8biome")
    return Chip(
        seen.classes == MaskClass.CLOUD,
        seen.classes == MaskClass.CLOUD_SHADOW,
        label >= 192 if biome else label == 4,
        label == (64 if biome else 0),
    )


def accuracy_rows(folder: Path, network: bool) -> Iterator[Row]:
    """Score the chips, with the network or by rules alone."""
    way = "fused" if network else "rules"
    names = {*UKIS, *BIOME_MIXED, *BIOME_SHADOW, *BIOME_CLEAR, BARE_ICE, CLOUD_ON_ICE}
    chips = {name: classify_chip(folder, name, network) for name in sorted(names)}

    def mean(group: tuple[str, ...], score: Callable[[Chip], float]) -> float:
        return float(np.mean([score(chips[name]) for name in group]))

    def bar(value: float) -> float | None:
        return value if network else None

    def shadow(chip: Chip) -> float:
        return f1(chip.shadow, chip.true_shadow)

    cloud_f1 = mean(UKIS, lambda chip: f1(chip.cloud, chip.true_cloud))
    yield Row(f"{way}: UKIS cloud F1", cloud_f1, "1", bar(0.91))
    balanced = mean(BIOME_MIXED, lambda chip: chip.balanced)
    yield Row(f"{way}: Biome balanced accuracy", balanced, "1", bar(0.83))
    clear = max(float(chips[name].cloud.mean()) for name in BIOME_CLEAR)
    yield Row(f"{way}: false cloud on clear chips", 100 * clear, "%", bar(3), at_most=True)
    ice = float(chips[BARE_ICE].cloud.mean())
    yield Row(f"{way}: false cloud on bare ice", 100 * ice, "%", bar(35), at_most=True)
    over_ice = float(chips[CLOUD_ON_ICE].cloud.mean())
    yield Row(f"{way}: cloud found over ice", 100 * over_ice, "%", bar(80))
    if network:
        yield Row(f"{way}: UKIS shadow F1", mean(UKIS, shadow), "1", 0.82)
        yield Row(f"{way}: Biome shadow F1", mean(BIOME_SHADOW, shadow), "1", 0.71)


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
    """Return the shadow that geometry finds under the true clouds of a scene."""
    valid, nothing = np.ones_like(scene.cloud), np.zeros(scene.cloud.shape, np.float32)
    land = ~scene.water
    probability = shadow_probability(nothing, scene.toa[3], scene.cloud, valid, land, rays)
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
        for network in (True, False):
            yield from accuracy_rows(Path(data) / "cloud_labels", network)
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
