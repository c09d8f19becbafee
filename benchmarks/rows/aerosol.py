"""Rows of optical depth and reflectance retrieved over made scenes (see ``haze``)."""

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows import reflectance
from benchmarks.rows.haze import (
    CELLS,
    DEVELOPED,
    GAS,
    KINDS,
    NOISE,
    REPORTED,
    HazeScene,
    desert_scene,
    kernel_scene,
    scenes,
    sky_of,
)
from benchmarks.rows.row import Row, at_least, at_most
from processing.atmosphere.aod import AodField, fit_cells
from processing.atmosphere.correct import atmosphere_terms
from processing.sensors import camera

Floats = NDArray[np.float64]

_TITLE = "made scenes"
_CLEAR_AIR = 0.6
_LEVELS = (0.0, 0.2, 0.4, 0.6, 2.0)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What was found over one scene: cells of clear land, and reflectance of pixels in them."""

    kind: str
    true: Floats
    error: Floats
    prior_error: Floats
    sigma: Floats
    sr_inside: NDArray[np.bool_]
    sr_known_inside: NDArray[np.bool_]
    sr_inside_sigma: NDArray[np.bool_]


def aerosol_rows(full: bool, memory: Path) -> Iterator[Row]:
    """Yield the figures over all kinds of scene, then of each kind; ``memory`` keeps 6SV's runs."""
    if not os.environ.get("GFARD_TEST_DATA"):
        reason = "GFARD_TEST_DATA is not set: it names the folder with the measured spectra"
        yield Row(f"{_TITLE}: optical depth", None, "1", skipped=reason)
        return
    start = time.process_time()
    made = list(scenes(8, memory))
    found = [_outcome(scene, memory) for scene in made]
    dark = [
        _outcome(replace(scene, surfaces=()), memory) for scene in made if scene.kind == "vegetated"
    ]
    desert = [_outcome(desert_scene(memory), memory)]
    spent = (time.process_time() - start) / len(made)
    developed = [_outcome(each, memory) for each in scenes(2 * full, memory, DEVELOPED)]
    faulty = list(reflectance.faulty_rows(f"{_TITLE}, all errors", made[::2], memory))
    yield from _depth_rows(_TITLE, found)
    yield from _reflectance_rows(_TITLE, found)
    yield from reflectance.inside_rows(_TITLE, [each.sr_inside_sigma for each in found], bars=True)
    yield from faulty
    yield from _level_rows(_TITLE, found)
    if developed:
        yield from _plain(_depth_rows("scenes of development", developed))
    for kind in KINDS:
        own = [each for each in found if each.kind == kind]
        yield from _plain(_depth_rows(f"{_TITLE}, {kind}", own))
    yield from _plain(_depth_rows("vegetated scenes, no library", dark))
    yield from _plain(_depth_rows("desert of Sentinel-2, its own haze", desert))
    yield from _reflectance_rows("desert of Sentinel-2, its own haze", desert)
    yield from _kernel_rows(full, memory)
    yield Row(f"{_TITLE}: making and fitting one of 80 km", round(spent, 2), "CPU s")


def _kernel_rows(full: bool, memory: Path) -> Iterator[Row]:
    """Yield the figures of deserts whose library is made of MODIS's kernels.

    Beside them those of a retrieval that takes an expected value for one of its cell alone. Two
    scenes are too few for bars.
    """
    made = [kernel_scene(REPORTED + number, memory) for number in range(8 if full else 2)]
    title = "deserts, library of MODIS kernels"
    rows = _depth_rows(title, [_outcome(each, memory) for each in made])
    yield from rows if full else _plain(rows)
    as_cells = [
        replace(each, surfaces=tuple(replace(one, resolution=1.0) for one in each.surfaces))
        for each in made
    ]
    found = [_outcome(each, memory) for each in as_cells]
    yield from _plain(_depth_rows(f"{title}, compared cell by cell", found))


def _outcome(scene: HazeScene, memory: Path) -> _Outcome:
    """Fit a scene and correct pixels inside its clear cells."""
    field = fit_cells(
        scene.signals,
        CELLS,
        scene.air,
        scene.prior,
        scene.surfaces,
        scene.table,
    )
    clear = scene.clear
    sr_error, sr_sigma = reflectance.score(scene, field, memory)
    return _Outcome(
        scene.kind,
        scene.aod[clear],
        (field.aod - scene.aod)[clear],
        (scene.prior.aod - scene.aod)[clear],
        field.sigma[clear].astype(np.float64),
        _reflectance_inside(scene, field, memory, noise=NOISE)[:, clear],
        _reflectance_inside(
            scene, replace(field, aod=scene.aod.astype(np.float32)), memory, noise=0.0
        )[:, clear],
        (np.abs(sr_error) < sr_sigma)[:, clear],
    )


def _reflectance_inside(
    scene: HazeScene, field: AodField, memory: Path, noise: float
) -> NDArray[np.bool_]:
    """Tell where a pixel of each cell comes back within 0.005 + 0.05 rho, (bands, rows, cols)."""
    rng = np.random.default_rng(5)
    pixel = scene.ground * (1 + 0.05 * rng.normal(size=scene.ground.shape))
    toa = sky_of(scene.prior.model, memory).reflectance(pixel, scene.aod)
    toa = toa * (1 + noise * rng.normal(size=toa.shape))
    air = scene.air
    terms = atmosphere_terms(
        air.camera_name, air.model, GAS, angles=air.angles, aod=field.aod, heights=air.heights
    )
    return np.asarray(np.abs(terms.ground(toa) - pixel) <= 0.005 + 0.05 * pixel)


def _depth_rows(title: str, found: Sequence[_Outcome]) -> Iterator[Row]:
    """Yield the figures of the optical depth over all clear cells."""
    true, error, prior, sigma = (
        np.concatenate([getattr(each, name) for each in found])
        for name in ("true", "error", "prior_error", "sigma")
    )
    thin = true < _CLEAR_AIR
    inside = 100 * float(np.mean(np.abs(error) < sigma))
    within = np.abs(error) <= 0.05 + 0.15 * true
    yield at_least(f"{title}: AOD within 0.05 + 0.15 AOD", 100 * float(within.mean()), "%", 70)
    yield at_most(f"{title}: AOD bias, absolute", abs(float(error.mean())), "1", 0.02)
    yield at_most(f"{title}: AOD RMSE below 0.6", _rms(error[thin]), "1", 0.06)
    yield at_most(f"{title}: AOD RMSE over the prior's", _rms(error) / _rms(prior), "1", 0.6)
    yield at_least(f"{title}: AOD errors inside one sigma, at least", inside, "%", 60)
    yield at_most(f"{title}: AOD errors inside one sigma, at most", inside, "%", 76)


def _level_rows(title: str, found: Sequence[_Outcome]) -> Iterator[Row]:
    """Yield how honest sigma is over thin and over thick haze."""
    true, error, sigma = (
        np.concatenate([getattr(each, name) for each in found])
        for name in ("true", "error", "sigma")
    )
    for low, high in itertools.pairwise(_LEVELS):
        level = (true >= low) & (true < high)
        share = 100 * float(np.mean(np.abs(error[level]) < sigma[level]))
        name = f"{title}, AOD {low:g} to {high:g}: errors inside one sigma"
        yield Row(name, round(share, 2), "%")


def _reflectance_rows(title: str, found: Sequence[_Outcome]) -> Iterator[Row]:
    """Yield the share of pixels within 0.005 + 0.05 rho by band."""
    for number, band in enumerate(camera("GF1WFV1").bands):
        share = 100 * float(np.mean(np.concatenate([each.sr_inside[number] for each in found])))
        bar = 75 if band.name == "blue" else 85
        yield at_least(f"{title}: SR {band.name} within 0.005 + 0.05 rho", share, "%", bar)
    known = np.concatenate([each.sr_known_inside.ravel() for each in found])
    name = f"{title}: SR within 0.005 + 0.05 rho, AOD known, no noise"
    yield at_least(name, 100 * float(known.mean()), "%", 100)


def _plain(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield rows without their bars, which hold for all scenes together."""
    for row in rows:
        if "at most" not in row.name:
            yield replace(row, name=row.name.removesuffix(", at least"), bar=None, ok=None)


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0
