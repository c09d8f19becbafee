"""One trial of a co-registration, held against the truth of its scene."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.geometry.coregister import AccuracyClass, Reference, Registration, coregister
from tests.scenery import SATURATION_DN, Floats, Shot

Image = NDArray[np.float32]

CAMERAS = ("GF1WFV1", "GF6WFV", "GF1WFV2", "GF1WFV3", "GF1WFV4")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One trial: cloud on the scene, residuals in pixels, class."""

    name: str
    cloud: float
    true_px: float
    reported_px: float
    klass: AccuracyClass
    seam_px: float


def register(shot: Shot, reference: Reference) -> Registration:
    """Co-register a shot as the pipeline does."""
    return coregister(
        shot.parts, shot.site.heights, reference, band_index=0, saturation_dn=SATURATION_DN
    )


def outcome(name: str, cloud: float, shot: Shot, reference: Reference) -> Outcome:
    """Co-register a shot and hold the result against the truth."""
    found = register(shot, reference)
    return Outcome(
        name,
        cloud,
        shot.residual_px(found.corrections),
        found.accuracy.rmse_px,
        found.accuracy.klass,
        shot.seam_px(found.corrections),
    )


def wander(row: Floats, col: Floats, *, drift: float, wobble_px: float) -> tuple[Floats, Floats]:
    """Drift of attitude and scale, and wobble along the lines."""
    down = drift * (row - 0.4 * col) + wobble_px * np.sin(row / 90.0)
    right = drift * (0.6 * col - 0.7 * row) + wobble_px * np.cos(row / 130.0)
    return down, right
