"""Co-registration of a scene to a reference: match, fit, measure on points kept apart.

A coarse pass at 64 m finds the scene within 96 pixels of where its camera model says; a fine
pass at 16 m compares chips all over it. Half of the matches, alternating over the scene, fit the
correction of the camera model, the other half only measures what is left.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import RESOLUTION_M
from processing.geometry.dem import HeightModel
from processing.geometry.footprint import Part
from processing.geometry.gate import Accuracy, AccuracyClass, cells_of, measure
from processing.geometry.matching import match_chips, worth_matching
from processing.geometry.refine import (
    Frame,
    Model,
    choose_model,
    consistent,
    fit,
    residuals,
)
from processing.geometry.rpc import IDENTITY, Floats, ImageCorrection
from processing.geometry.tiepoints import (
    BandPart,
    Reference,
    Terrain,
    TiePoints,
    common_frame,
    reference_chips,
    scene_chips,
    sites_over,
    terrain_below,
    tie,
)

__all__ = ["Accuracy", "AccuracyClass", "MatchTable", "Reference", "Registration", "coregister"]

_SIZE: Final = 64
"""Side of a chip, in both passes."""
_COARSE_M: Final = 4.0 * RESOLUTION_M
_COARSE_SEARCH: Final = 24
"""Coarse pixels to every side: 96 pixels of the scene."""
_COARSE_SITES: Final = 900
_COARSE_STEP_PX: Final = 96.0
_COARSE_RATIO: Final = 1.2
_COARSE_TOLERANCE_PX: Final = 6.0
_COARSE_LEAST: Final = 8
_COARSE_SHARE: Final = 0.25
"""So many, and this share, of the coarse matches must agree; by chance one in three hundred
falls within the tolerance."""

_SEARCH: Final = 6
_REACH_PX: Final = 4.0
"""A fine match farther off contradicts the coarse pass."""
_STEP_PX: Final = 300.0
_LEAST_STEP_PX: Final = 48.0
"""Closer points would share most of their chips' weight."""
_LEAST_SITES: Final = 900
_MOST_SITES: Final = 2400
_RATIO: Final = 1.4
_TOLERANCE_PX: Final = 0.8
_SATURATED: Final = 0.05
_CLOUDY: Final = 0.5
_MOST_CLOUDY: Final = 0.7
"""Share of bright chips from which they are taken for bright land."""
_BLOCKS: Final = 8
"""Blocks along the longer side of the scene, within which points go to either half in turn."""

Progress = Callable[[str], None]


def _silent(_step: str) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class MatchTable:
    """The matched points, arrays of length n.

    ``row`` and ``col`` are what the uncorrected camera model of image ``part`` says, pixels;
    ``lon`` and ``lat`` degrees, ``height`` metres above the ellipsoid; residuals are pixels of
    16 m by which the product lies to the east (x) and north (y) of the reference, before and
    after the correction. ``used`` is "fit", "check" or "outlier".
    """

    part: NDArray[np.intp]
    row: Floats
    col: Floats
    lon: Floats
    lat: Floats
    height: Floats
    before_x_px: Floats
    before_y_px: Floats
    after_x_px: Floats
    after_y_px: Floats
    used: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Registration:
    """How a scene was brought onto a reference, and how well.

    ``corrections`` belong to the camera models of the parts, in their order; ``model`` names
    what they can express; ``reference`` is the label of the reference.
    """

    corrections: tuple[ImageCorrection, ...]
    model: Model
    accuracy: Accuracy
    matches: MatchTable
    reference: str


def coregister(
    parts: Sequence[Part],
    heights: HeightModel,
    reference: Reference,
    *,
    band_index: int,
    saturation_dn: int | None = None,
    cloud_dn: float | None = None,
    progress: Progress = _silent,
) -> Registration:
    """Find the correction that brings a scene onto a reference.

    Parameters
    ----------
    parts
        The images of the scene; corrections that their camera models carry are ignored.
    heights
        Heights of the ground.
    reference
        The image to fit to; of the band that ``band_index`` names or one like it.
    band_index
        Band of the scene to compare, from 0.
    saturation_dn
        Count from which a pixel is saturated; None does not look.
    cloud_dn
        Count from which a pixel of that band is cloud; None does not look. Cloud that stays
        unseen, also that of the reference, makes false matches, which stand alone and go.
    progress
        Called with the name of each step.

    Returns
    -------
    Registration
        Where nothing consistent was found, model "none", no points and the class
        "insufficient".
    """
    images = [BandPart(part, band_index, part.rpc.corrected(IDENTITY)) for part in parts]
    frame = common_frame(images)
    terrain = terrain_below(images, heights, _COARSE_M)
    progress("matching the scene at 64 m")
    corrections = _coarse_pass(images, terrain, reference, frame)
    if corrections is None:
        return _unmatched(len(images), reference)
    images = [
        replace(image, rpc=image.rpc.corrected(correction))
        for image, correction in zip(images, corrections, strict=True)
    ]
    progress("matching points at 16 m")
    points = _fine_pass(images, terrain, reference, frame, (saturation_dn or 0, cloud_dn))
    return _settle(points, frame, reference)


def _coarse_pass(
    images: Sequence[BandPart], terrain: Terrain, reference: Reference, frame: Frame
) -> tuple[ImageCorrection, ...] | None:
    """Return a first correction; None where the matches do not agree on one."""
    step = max(_COARSE_STEP_PX, math.sqrt(frame.shape[0] * frame.shape[1] / _COARSE_SITES))
    sites = sites_over(images, terrain, terrain.grid, step=step, size=_SIZE)
    scene, _ = scene_chips(images, terrain, sites, 0)
    shifts = match_chips(scene, reference_chips(reference, sites, _COARSE_SEARCH))
    good = shifts.ratio > _COARSE_RATIO
    demand = tie(images, terrain, sites.subset(good), shifts.moved[:, good]).demand
    corrections = fit(demand, frame, choose_model(demand, frame), _COARSE_TOLERANCE_PX)
    apart = np.hypot(*residuals(demand, corrections))
    agree = int((apart < _COARSE_TOLERANCE_PX).sum())
    return corrections if agree >= max(_COARSE_LEAST, _COARSE_SHARE * len(apart)) else None


def _fine_pass(
    images: Sequence[BandPart],
    terrain: Terrain,
    reference: Reference,
    frame: Frame,
    limits: tuple[int, float | None],
) -> TiePoints:
    """Match chips all over the scene at its own resolution."""
    area = frame.shape[0] * frame.shape[1]
    step = min(_STEP_PX, max(_LEAST_STEP_PX, math.sqrt(area / _LEAST_SITES)))
    step = max(step, math.sqrt(area / _MOST_SITES))
    sites = sites_over(images, terrain, _finer(terrain.grid), step=step, size=_SIZE)
    saturation_dn, cloud_dn = limits
    scene, saturated = scene_chips(images, terrain, sites, saturation_dn)
    cloudy = (scene >= (np.inf if cloud_dn is None else cloud_dn)).mean((1, 2)) >= _CLOUDY
    if cloudy.mean() > _MOST_CLOUDY:
        cloudy[:] = False
    sound = worth_matching(scene) & (saturated < _SATURATED) & ~cloudy
    sites = sites.subset(sound)
    shifts = match_chips(scene[sound], reference_chips(reference, sites, _SEARCH))
    good = (shifts.ratio > _RATIO) & (np.hypot(*shifts.moved) < _REACH_PX)
    return tie(images, terrain, sites.subset(good), shifts.moved[:, good])


def _finer(grid: Grid) -> Grid:
    """Return the grid of 16 m pixels with the same corner and reach."""
    factor = round(grid.resolution / RESOLUTION_M)
    return Grid(
        grid.epsg, grid.ulx, grid.uly, float(RESOLUTION_M), grid.rows * factor, grid.cols * factor
    )


def _settle(points: TiePoints, frame: Frame, reference: Reference) -> Registration:
    """Fit one half of the points and measure the other."""
    demand = points.demand
    place = frame.place(demand.part, demand.row, demand.col)
    for_fit = _alternating(place, frame)
    true = consistent(demand, frame, _TOLERANCE_PX)
    chosen = demand.subset(for_fit & true)
    model = choose_model(chosen, frame)
    corrections = fit(chosen, frame, model, _TOLERANCE_PX)
    before = points.on_ground(demand.down, demand.right)
    after = points.on_ground(*residuals(demand, corrections))
    check = ~for_fit & true
    accuracy = measure(
        after[0][check],
        after[1][check],
        cells_of(place[0][check], place[1][check], frame.shape),
        int((~for_fit & ~true).sum()),
    )
    used = np.where(true, np.where(for_fit, "fit", "check"), "outlier")
    table = MatchTable(
        demand.part, demand.row, demand.col, points.lon, points.lat, points.height,
        *before, *after, used,
    )  # fmt: skip
    return Registration(corrections, model, accuracy, table, reference.label)


def _alternating(place: tuple[Floats, Floats], frame: Frame) -> NDArray[np.bool_]:
    """Return every second point along a path that winds through blocks of the scene."""
    block = max(frame.shape) / _BLOCKS
    down, across = (np.floor(at / block) for at in place)
    order = np.lexsort((place[1], place[0], across, down))
    chosen = np.zeros(len(order), np.bool_)
    chosen[order[::2]] = True
    return chosen


def _unmatched(parts: int, reference: Reference) -> Registration:
    """Return the registration of a scene that was not found in its reference."""
    none = np.empty(0)
    accuracy = measure(none, none, np.empty(0, np.intp))
    table = MatchTable(np.empty(0, np.intp), *(none,) * 9, np.empty(0, "<U7"))
    return Registration((IDENTITY,) * parts, Model.NONE, accuracy, table, reference.label)
