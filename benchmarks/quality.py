"""Accuracy and speed of the pixel classes.

Cloud, shadow, water and snow are scored on the imagery below ``GFARD_TEST_DATA``, see
``mask_accuracy.py``; shadow and water on simulated scenes whose clouds, sun and view are known.
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.mask_accuracy import accuracy_rows
from benchmarks.rows.mask_shadow import shadow_rows
from benchmarks.rows.row import Row, at_least, at_most, show
from catalog.grid import Grid
from catalog.product import TILE_PIXELS, MaskClass
from processing.geometry.angles import Angles
from processing.geometry.field import averaged
from processing.quality.accuracy import Confusion
from processing.quality.mask import look
from processing.quality.qa import mask_and_qa
from processing.quality.strips import tile_mask
from processing.sensors import camera
from tests.cloud_scenes import SWATH_DEG, cloud_scene

WATER_SEED = 15
"""A scene with a lake and a river."""


def clear_rows() -> Iterator[Row]:
    """Score the water of a lake and a river at 16 m below every camera, by the road of a tile.

    The scenes have no clouds: what is called shadow in them is none.
    """
    for network, bar in ((True, 0.95), (False, None)):
        way = "fused" if network else "rules"
        pooled, shadow = Confusion(np.zeros((2, 2), int)), 0.0
        for name in SWATH_DEG:
            water, mask = clear_scene(name, network)
            found = (mask == MaskClass.WATER).astype(np.uint8)
            pooled = pooled + Confusion.of(water.astype(np.uint8), found, 2)
            shadow = max(shadow, 100 * float((mask == MaskClass.CLOUD_SHADOW).mean()))
        yield at_least(f"simulated: water F1, {way}", pooled.f1(1), "1", bar)
        yield Row(f"simulated: water producer's accuracy, {way}", pooled.producers(1), "1")
        yield Row(f"simulated: water user's accuracy, {way}", pooled.users(1), "1")
        yield Row(f"simulated: false shadow without clouds, worst camera, {way}", shadow, "%")


def clear_scene(name: str, network: bool) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Return the true water of a cloudless scene, and its mask."""
    scene = cloud_scene(name, side=800, resolution_m=16.0, layers=(), seed=WATER_SEED)
    coarse = scene.grid.coarsen(2)
    angles = SameAngles(*(float(field.mean()) for field in (*scene.sun, *scene.view)))
    # Bands beyond the four are used by no rule here; GF6 is seen with the first four of GF1.
    looked = look(
        averaged(scene.toa, 2), coarse, angles, averaged(scene.heights[None], 2)[0],
        camera("GF1WFV1"), network=network, month=6,
    )  # fmt: skip
    encoded = np.rint(scene.toa.clip(1e-4) * 1e4).astype(np.uint16)
    return scene.water, tile_mask(looked, encoded, scene.grid)


def speed_rows(full: bool) -> Iterator[Row]:
    """Measure CPU time and memory of one tile, each way in a process of its own.

    Without ``full`` a smaller piece is measured and its time scaled up; memory is not.
    """
    side = TILE_PIXELS if full else 2048
    scale = (TILE_PIXELS / side) ** 2
    for network, bar in ((True, 90.0), (False, 15.0)):
        way = "with the network" if network else "by rules"
        with get_context("spawn").Pool(1) as pool:
            seconds, peak_gb = pool.apply(tile_cost, (side, network))
        name = f"speed: CPU time of a tile {way}"
        yield at_most(name, seconds * scale, "s", bar)
        name, skipped = f"speed: memory of a tile {way}", None if full else "--full measures it"
        yield at_most(name, peak_gb if full else None, "GB", 3.0, skipped=skipped)


def tile_cost(side: int, network: bool) -> tuple[float, float]:
    """Return CPU seconds and the peak of memory (GB) of a look and the mask and bits from it.

    The image is ready before the clock starts; code is compiled and the network loaded by a
    small scene first.
    """
    classify_tile(300, network)
    start = time.process_time()
    spent = classify_tile(side, network)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return time.process_time() - start - spent, peak


def classify_tile(side: int, network: bool) -> float:
    """Classify a tile of ``side`` pixels; return the CPU seconds that went into drawing it."""
    start = time.process_time()
    grid = Grid(32631, 300000.0, 5100000.0, 16.0, side, side)
    coarse = grid.coarsen(2)
    toa = rough_scene(coarse.shape)
    counts = np.rint(toa * 1e4).astype(np.uint16)
    encoded = counts.repeat(2, 1).repeat(2, 2)[:, :side, :side]
    heights = np.zeros(coarse.shape, np.float32)
    drawn = time.process_time() - start
    angles = SameAngles(150.0, 38.0, 100.0, 25.0)
    looked = look(toa, coarse, angles, heights, camera("GF1WFV1"), network=network, month=7)
    no, aod = np.zeros(grid.shape, np.bool_), np.full(grid.shape, 0.1, np.float32)
    mask_and_qa(
        looked, encoded, grid, saturated=no, clamped=no, low_sun=no, aod=aod,
        aerosol_source=no.view(np.uint8),
    )  # fmt: skip
    return drawn


@dataclass(frozen=True, slots=True)
class SameAngles:
    """One direction to sun and sensor everywhere, degrees."""

    sun_azimuth: float
    sun_zenith: float
    view_azimuth: float
    view_zenith: float

    def on(self, grid: Grid) -> Angles:
        """Return the angles on a grid."""
        return Angles(
            **{name: np.full(grid.shape, value, np.float32) for name, value in asdict(self).items()}
        )


def rough_scene(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return a rough forest with clouds on a fifth of it, TOA reflectance (4, rows, cols)."""
    rng = np.random.default_rng(2)
    rough = ndimage.gaussian_filter(rng.normal(size=shape), 30)
    cover = np.clip((rough / rough.std() - 0.8) * 2, 0, 1)
    forest = np.array([0.085, 0.075, 0.055, 0.30])[:, None, None]
    scene = (forest * (1 - cover) + 0.6 * cover).astype(np.float32)
    return scene + rng.standard_normal(scene.shape, np.float32) * np.float32(0.004)


def rows(full: bool) -> Iterator[Row]:
    """Yield every figure; ``full`` takes more scenes and measures speed on a whole tile."""
    data = os.environ.get("GFARD_TEST_DATA")
    if data:
        yield from accuracy_rows(Path(data))
    else:
        reason = "GFARD_TEST_DATA is not set: it names the folder with the labelled chips"
        yield Row("labelled chips", None, "1", skipped=reason)
    yield from shadow_rows(full)
    yield from clear_rows()
    yield from speed_rows(full)


def main() -> None:
    """Print the figures, one a line; exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="more scenes, speed of a whole tile")
    options = parser.parse_args()
    raise SystemExit(show(rows(options.full), as_json=options.json))


if __name__ == "__main__":
    main()
