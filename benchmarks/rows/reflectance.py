"""How honest the stated uncertainty of surface reflectance is, over made scenes (see ``haze``).

Twice: with the errors that the scenes have anyway, noise and optical depth, stated as such; and
with all that production states, where each scene's calibration is off by its sigma, each band its
own, and the aerosol in the air lies by its sigma between the kind assumed and the kind that this
one is most easily taken for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows.haze import CAMERA, CELLS, GAS, NOISE, HazeScene, sky_of
from benchmarks.rows.row import Row, at_least, at_most
from catalog.product import REFLECTANCE_SCALE
from processing.atmosphere.aod import AodField, fit_cells
from processing.atmosphere.cells import CellSignals
from processing.atmosphere.correct import Coefficients, coefficients, surface_reflectance
from processing.atmosphere.uncertainty import (
    CONFUSED_WITH,
    MODEL_SHARE,
    reflectance_uncertainty,
)
from processing.normalisation import UNKNOWN
from processing.sensors import camera

Floats = NDArray[np.float64]

DRAWS = 6
"""Draws of the errors of a whole scene for each scene: one alone is right or wrong everywhere."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong all over a scene: factor of TOA by band, and share of the other aerosol."""

    calibration: Floats
    other: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Faults":
        """Draw faults as large as production states them."""
        return cls(1 + UNKNOWN * rng.normal(size=4), MODEL_SHARE * rng.normal())


def score(
    scene: HazeScene, field: AodField, memory: Path, faults: Faults | None = None
) -> tuple[Floats, Floats]:
    """Return error of surface reflectance and its stated sigma, (bands, rows, cols).

    Without faults what production states for calibration and aerosol is left out, and the noise
    of the scene stands in the place of the calibration.
    """
    rng = np.random.default_rng(5)
    pixel = scene.ground * (1 + 0.05 * rng.normal(size=scene.ground.shape))
    toa = _seen(scene, pixel, memory, faults) * (1 + NOISE * rng.normal(size=pixel.shape))
    encoded = np.rint(toa / REFLECTANCE_SCALE).astype(np.uint16)
    found, _ = surface_reflectance(encoded, CELLS, _coefficients(scene, field.aod))
    other = CONFUSED_WITH[scene.prior.model] if faults else scene.prior.model
    moved = field.moved()
    sigma = reflectance_uncertainty(
        encoded,
        found,
        CELLS,
        brighter=_coefficients(scene, moved.brighter),
        hazier=_coefficients(scene, moved.hazier),
        other_model=_coefficients(scene, moved.other_model, other),
        calibration_sigma=[UNKNOWN if faults else NOISE] * len(pixel),
    )
    return found * REFLECTANCE_SCALE - pixel, sigma * REFLECTANCE_SCALE


def _seen(scene: HazeScene, ground: Floats, memory: Path, faults: Faults | None) -> Floats:
    """Return TOA reflectance without noise."""
    model = scene.prior.model
    toa = sky_of(model, memory).reflectance(ground, scene.aod)
    if faults is None:
        return toa
    taken_for = sky_of(CONFUSED_WITH[model], memory).reflectance(ground, scene.aod)
    toa = (1 - faults.other) * toa + faults.other * taken_for
    return np.asarray(toa * faults.calibration[:, np.newaxis, np.newaxis])


def _coefficients(
    scene: HazeScene, aod: NDArray[np.float32], model: str | None = None
) -> Coefficients:
    air = scene.air
    return coefficients(
        CAMERA, model or air.model, GAS, angles=air.angles, aod=aod, heights=air.heights,
        cgrid=CELLS,
    )  # fmt: skip


def inside_rows(title: str, inside: Sequence[NDArray[np.bool_]], bars: bool) -> Iterator[Row]:
    """Yield the share of errors inside one sigma of every band, with both bars or none."""
    for band, each in zip(camera(CAMERA).bands, np.concatenate(inside, axis=1), strict=True):
        share = 100 * float(each.mean())
        name = f"{title}: SR {band.name} errors inside one sigma"
        if bars:
            yield at_least(f"{name}, at least", share, "%", 60)
            yield at_most(f"{name}, at most", share, "%", 76)
        else:
            yield Row(name, round(share, 2), "%")


def faulty_rows(title: str, made: Sequence[HazeScene], memory: Path) -> Iterator[Row]:
    """Yield what is inside where calibration and aerosol err as production states."""
    depth, reflectance = [], []
    for number, scene in enumerate(one for one in made for _ in range(DRAWS)):
        faults = Faults.drawn(np.random.default_rng([41, number]))
        seen = _seen(scene, scene.ground, memory, faults)
        seen *= 1 + NOISE * np.random.default_rng([43, number]).normal(size=seen.shape)
        faulty = replace(scene, signals=_signals(scene, seen))
        field = fit_cells(
            faulty.signals, CELLS, faulty.air, faulty.prior, faulty.surfaces, faulty.table,
            calibration_sigma=[UNKNOWN] * len(seen),
        )  # fmt: skip
        error, sigma = score(faulty, field, memory, faults)
        reflectance.append((np.abs(error) < sigma)[:, scene.clear])
        depth.append((np.abs(field.aod - scene.aod) < field.uncertainty)[scene.clear])
    share = 100 * float(np.concatenate(depth).mean())
    by_draw = 100 * np.array([each.mean() for each in depth])
    chance = float(by_draw.std(ddof=1)) / len(by_draw) ** 0.5
    yield from inside_rows(title, reflectance, bars=True)
    yield at_least(f"{title}: AOD errors inside one sigma, at least", share, "%", 60)
    yield at_most(f"{title}: AOD errors inside one sigma, at most", share, "%", 76)
    name = f"{title}: AOD errors inside one sigma, standard error of {len(by_draw)} draws"
    yield Row(name, round(chance, 2), "%")


def _signals(scene: HazeScene, seen: Floats) -> CellSignals:
    """Return what another image shows on the cells of a scene."""
    land = np.where(np.isfinite(scene.signals.land), seen, np.nan)
    dark = np.where(np.isfinite(scene.signals.dark), seen[[0, 2, 3]], np.nan)
    return CellSignals(land.astype(np.float32), scene.signals.doubt, dark.astype(np.float32))
