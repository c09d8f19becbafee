"""Rows of optical depth over ground that is known from products of the platform itself.

Dates of the same made ground (see ``haze``) are retrieved one by one without knowing the ground,
as the first scenes of an archive are. What they leave of the ground, with what their depths were
wrong by, is what a further date of any haze is retrieved with.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows.haze import (
    CAMERA,
    CELLS,
    GAS,
    REPORTED,
    HazeScene,
    angles,
    another_date,
    scenes,
)
from benchmarks.rows.row import Row, at_least, at_most
from processing.atmosphere.aod import AodField, fit_cells
from processing.atmosphere.correct import atmosphere_terms
from processing.atmosphere.surface import Expectation
from processing.library.expect import lately, predicted
from processing.library.tile import PAIRS, SurfaceTile

Floats = NDArray[np.float64]

_TITLE = "ground known from own products"
_KINDS = ("vegetated", "desert", "mixed")
_DATES = 5
_DAYS_BETWEEN = 7.0
_CLEAR = (0.05, 0.25)
"""Mean depths of dates that come into history and library."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """Reflectance found on each date, mean error of its depth, and the date to retrieve."""

    seen: NDArray[np.float32]
    depth_errors: Floats
    now: HazeScene


def remembered_rows(per_kind: int, memory: Path, first: int = REPORTED) -> Iterator[Row]:
    """Yield the figures with history and library of 1, 2 and 5 dates; ``memory`` keeps 6SV."""
    if not os.environ.get("GFARD_TEST_DATA"):
        reason = "GFARD_TEST_DATA is not set: it names the folder with the measured spectra"
        yield Row(f"{_TITLE}: optical depth", None, "1", skipped=reason)
        return
    made = [
        _ground(scene, np.random.default_rng([first, number]), memory)
        for number, scene in enumerate(scenes(per_kind, memory, first))
        if scene.kind in _KINDS
    ]
    errors = np.array([each.depth_errors for each in made])
    yield Row(f"{_TITLE}: mean depth of one date, RMSE", round(_rms(errors), 4), "1")
    of_mean = _rms(errors.mean(axis=1))
    yield Row(f"{_TITLE}: mean depth of {_DATES} dates together, RMSE", round(of_mean, 4), "1")
    without = _errors(made, lambda _seen: ())[0]
    yield Row(f"{_TITLE}, none yet: AOD RMSE", round(_rms(without), 4), "1")
    for dates in (1, 2, _DATES):
        for name, source in (("history", _history), ("library", _library)):
            title = f"{_TITLE}, {name} of {dates}"
            error, sigma = _errors(made, lambda seen, s=source, n=dates: (s(seen[:n]),))
            inside = 100 * float(np.mean(np.abs(error) < sigma))
            yield at_most(
                f"{title}: AOD RMSE over that without", _rms(error) / _rms(without), "1", 1
            )
            yield at_least(f"{title}: AOD errors inside one sigma", inside, "%", 60)
    error, sigma = _errors(made, lambda seen: (replace(_history(seen), depth_sigma=0.0),))
    name = f"{_TITLE}, history of {_DATES} taken for true: AOD errors inside one sigma"
    yield Row(name, round(100 * float(np.mean(np.abs(error) < sigma)), 2), "%")


def _ground(scene: HazeScene, rng: np.random.Generator, memory: Path) -> _Ground:
    """Retrieve clear dates of a scene's ground, and make one more."""
    seen, errors = [], []
    for _ in range(_DATES):
        date = another_date(scene, rng, memory, rng.uniform(*_CLEAR))
        field = _fit(date, ())
        air = date.air
        terms = atmosphere_terms(
            CAMERA, air.model, GAS, angles=air.angles, aod=field.aod, heights=air.heights
        )
        seen.append(terms.ground(date.signals.land))
        errors.append(float(np.mean((field.aod - date.aod)[date.clear])))
    return _Ground(np.stack(seen), np.array(errors), another_date(scene, rng, memory))


def _errors(
    made: list[_Ground], known: Callable[[NDArray[np.float32]], tuple[Expectation, ...]]
) -> tuple[Floats, Floats]:
    """Return errors and sigmas of the depth in all clear cells of the dates to retrieve."""
    errors, sigmas = [], []
    for each in made:
        field = _fit(each.now, known(each.seen))
        errors.append((field.aod - each.now.aod)[each.now.clear])
        sigmas.append(field.sigma[each.now.clear])
    return np.concatenate(errors), np.concatenate(sigmas)


def _fit(scene: HazeScene, surfaces: tuple[Expectation, ...]) -> AodField:
    return fit_cells(scene.signals, CELLS, scene.air, scene.prior, surfaces, scene.table)


def _history(seen: NDArray[np.float32]) -> Expectation:
    return lately(seen, _DAYS_BETWEEN * np.arange(1, len(seen) + 1))


def _library(seen: NDArray[np.float32]) -> Expectation:
    """Return what a library expects in which the dates have come one by one."""
    bands = seen.shape[1]
    weights, sigma, count, information = (
        np.full((*layers, *CELLS.shape), np.nan, np.float32)
        for layers in ((bands, 3), (bands,), (), (len(PAIRS),))
    )
    surface = SurfaceTile(CAMERA, "made", weights, sigma, count, information, _TITLE)
    for number, reflectance in enumerate(seen):
        surface = surface.updated(reflectance, angles(), f"date {number}")
    return predicted(surface, angles())


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
