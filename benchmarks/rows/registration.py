"""Figures of co-registration: true against reported residual, classes, false passes, cost.

Scenes are those of ``tests/scenery.py``: exact cameras of the simulator over its made land in two
seasons, or over real image content, with known errors put into what the pixels look at.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks.rows.cost import cost_rows, shifted
from benchmarks.rows.pair import pair_rows
from benchmarks.rows.row import Row, at_least, at_most
from benchmarks.rows.trial import CAMERAS, Image, Outcome, outcome, register, wander
from processing.geometry.coregister import AccuracyClass
from processing.geometry.rpc import IDENTITY
from tests.scenery import Floats, Picture, Shot, Site, clouded, made_site, photograph, picture, when

BIASES = ((5.0, -20.0), (-9.0, 17.0), (20.0, 3.0), (0.0, 0.0))
CLOUDS = (0.0, 0.2, 0.39, 0.6)
WITHIN_40, AT_60 = 0.3, 0.5
SIDE_PX = {"GF1WFV1": 1000, "GF6WFV": 640}
"""Lines, and columns of each part, of the scenes that are taken when not all are."""


def registration_rows(full: bool, data: Path | None) -> Iterator[Row]:
    """Yield the figures of co-registration; ``full`` runs all cameras and every trial.

    ``data`` is the folder of real imagery, or None.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outcomes: list[Outcome] = []
        for camera in CAMERAS if full else CAMERAS[:2]:
            site, red = made_site(folder, camera, 1300 if full else SIDE_PX[camera])
            scene, other = red(when(6)), red(when(10))
            outcomes += matrix(site, scene, picture(site.grid, other), full)
            if camera == CAMERAS[1]:
                yield from class_rows(site, scene, picture(site.grid, other), full)
                yield from part_rows(site, scene, picture(site.grid, other))
        yield from residual_rows(outcomes)
        yield from false_rows(folder, 200 if full else 12)
        yield from pair_rows(data)
        yield from cost_rows(folder, (12000, 13400) if full else (3000, 3350))


def waves(row: Floats, col: Floats, *, height_px: float) -> tuple[Floats, Floats]:
    """Waves that no affine can follow."""
    return height_px * np.sin(row / 60.0), height_px * np.cos(row / 85.0 + col / 400.0)


def matrix(site: Site, scene: Image, reference: Picture, full: bool) -> Iterator[Outcome]:
    """Run errors of the camera model and cloud against each other."""
    for k, cloud in enumerate(CLOUDS):
        seen = clouded(site.grid, scene, cloud, 10 * k) if cloud else scene
        for turn in range(4 if full else 1):
            bend = partial(wander, drift=(0.0, 3e-3, -5e-3, 1e-3)[(k + turn) % 4], wobble_px=0.15)
            error = BIASES[(k + turn) % 4]
            shot = photograph(site, seen, bend=bend, rpc_error=error, seed=turn)
            yield outcome(site.spec.camera, cloud, shot, reference)


def residual_rows(outcomes: list[Outcome]) -> Iterator[Row]:
    """Summarise the matrix; an unmatched scene counts with what its own camera model leaves."""
    clear = [o for o in outcomes if o.cloud < 0.4]
    cloudy = [o for o in outcomes if o.cloud >= 0.4]
    yield Row("registration_trials", len(outcomes), "scenes")
    worst = max(o.true_px for o in clear)
    yield at_most("registration_true_residual_below_40_cloud", worst, "pixel", WITHIN_40)
    worst = max(o.true_px for o in cloudy)
    yield at_most("registration_true_residual_at_60_cloud", worst, "pixel", AT_60)
    known = [o for o in outcomes if np.isfinite(o.reported_px)]
    yield at_least("registration_matched", len(known) / len(outcomes), "1", 1.0)
    short = max(o.true_px - o.reported_px for o in known)
    yield at_most("registration_reported_below_true", short, "pixel", 0.1)
    over = max(o.reported_px - o.true_px for o in known if o.cloud < 0.4)
    yield at_most("registration_reported_above_true_below_40_cloud", over, "pixel", 0.2)
    seam = max(o.seam_px for o in known)
    yield at_most("registration_gf6_seam", seam, "pixel", 0.1)


def class_rows(site: Site, scene: Image, reference: Picture, full: bool) -> Iterator[Row]:
    """Put residuals in that no model can take out; each must fall into its class."""
    plain = photograph(site, scene)
    wrong = 0
    for cloud in (0.0, 0.3) if full else (0.2,):
        seen = clouded(site.grid, scene, cloud, 3) if cloud else scene
        for wanted, klass in (
            (0.5, AccuracyClass.WITHIN),
            (0.9, AccuracyClass.MARGINAL),
            (1.2, AccuracyClass.BEYOND),
        ):
            unit = Shot(site, plain.parts, partial(waves, height_px=1.0))
            height = wanted / unit.residual_px([IDENTITY] * len(plain.parts))
            bend = partial(waves, height_px=height)
            shot = photograph(site, seen, bend=bend, rpc_error=(6.0, -8.0))
            found = outcome(f"{wanted}", cloud, shot, reference)
            wrong += found.klass is not klass
            name = f"registration_reported_of_{wanted}_cloud_{cloud}"
            yield Row(name, round(found.reported_px, 3), "pixel")
    yield at_most("registration_wrong_classes", wrong, "scenes", 0)


def part_rows(site: Site, scene: Image, reference: Picture) -> Iterator[Row]:
    """Move the camera model of one part of a GF-6 scene against the others."""
    shot = photograph(site, scene)
    first, *others = shot.parts
    moved = replace(first, rpc=shifted(first.rpc, 1.5, -1.0))
    found = outcome("apart", 0.0, replace(shot, parts=(moved, *others)), reference)
    yield at_most("registration_gf6_parts_apart_residual", found.true_px, "pixel", 0.3)


def false_rows(folder: Path, trials: int) -> Iterator[Row]:
    """Offer references that do not show the scene; none may pass."""
    site, red = made_site(folder, "GF1WFV2", 900, seed=4)
    scene = red(when(6))
    shot = photograph(site, scene)
    passes = 0
    for k in range(trials):
        found = register(shot, picture(site.grid, false_reference(scene, k)))
        passes += found.accuracy.klass in (AccuracyClass.WITHIN, AccuracyClass.MARGINAL)
    yield Row("registration_false_trials", trials, "trials")
    yield at_most("registration_false_passes", passes, "trials", 0)


def false_reference(scene: Image, trial: int) -> Image:
    """Return noise, another place, the place beyond the search, or cloud, in turn."""
    rng = np.random.default_rng(trial)
    kind = trial % 4
    if kind == 0:
        noise = rng.standard_normal(scene.shape, np.float32)
        smooth = ndimage.gaussian_filter(noise, rng.uniform(0.0, 6.0))
        return 1500.0 + 400.0 * smooth / smooth.std()
    if kind == 1:
        turned = np.rot90(scene, int(rng.integers(1, 4)))
        mirrored = turned[::-1] if rng.random() < 0.5 else turned
        around = np.pad(mirrored, [(0, max(scene.shape))] * 2, mode="symmetric")
        row, col = rng.integers(0, 300, 2)
        return around[row : row + scene.shape[0], col : col + scene.shape[1]]
    if kind == 2:
        away = rng.integers(115, 300) * rng.choice([-1, 1])
        along = int(rng.integers(-300, 300))
        return np.roll(scene, (away, along) if rng.random() < 0.5 else (along, away), (0, 1))
    veil = ndimage.gaussian_filter(rng.standard_normal(scene.shape, np.float32), 12.0)
    veil += 0.3 * ndimage.gaussian_filter(rng.standard_normal(scene.shape, np.float32), 3.0)
    return np.asarray(6000.0 + 900.0 * veil / veil.std(), np.float32)
