"""The correction of a scene's camera model, fitted robustly to matched points.

Rows and columns that matches ask for beyond those of the RPC are modelled in the image (Grodecki
and Dial, PE&RS 69, 2003, 59): a bias; a drift, which adds a change with the line, that is with
time; or an affine. The parts of a scene share attitude and orbit, so one model serves them all
in a frame common to them and the seams stay closed. Only where the parts' points are apart from
it by more than match noise and wobble explain has each part an offset of its own beside it,
which is held towards zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from processing.geometry.gate import LEAST_CELLS, cells_of
from processing.geometry.rpc import Floats, ImageCorrection

_BIAS_BELOW: Final = 10
_DRIFT_BELOW: Final = 30
_TRIALS: Final = 600
_TUKEY: Final = 4.685
_ROUNDS: Final = 5
_MAD: Final = 1.4826
_RAYLEIGH: Final = 1.1774
"""Median distance from the middle of a normal distribution of deviation 1 along either axis."""
_NEIGHBOURS: Final = 8
_ALIKE: Final = 3
_PART_WEIGHT: Final = 0.3
"""Noise of a match over the offset that a part may be expected to have."""
_PART_APART: Final = 0.4
"""How far a part may be from the common model, in tolerances, without an offset of its own."""


class Model(StrEnum):
    """What the correction can express."""

    NONE = "none"
    BIAS = "bias"
    DRIFT = "drift"
    AFFINE = "affine"


_TERMS: Final = {Model.BIAS: 1, Model.DRIFT: 2, Model.AFFINE: 3}


@dataclass(frozen=True, slots=True)
class Frame:
    """The common image of a scene's parts, in which columns go on from part to part.

    ``origins`` holds row and column of each part's first pixel, ``shape`` rows and columns of
    all together.
    """

    origins: tuple[tuple[float, float], ...]
    shape: tuple[float, float]

    def place(self, part: NDArray[np.intp], row: Floats, col: Floats) -> tuple[Floats, Floats]:
        """Return rows and columns in the common image."""
        origin = np.array(self.origins)[part]
        return row + origin[:, 0], col + origin[:, 1]


@dataclass(frozen=True, slots=True)
class Demand:
    """What matches ask for, arrays of length n.

    ``part`` is the index of the image, ``row`` and ``col`` are what the polynomials of its RPC
    say, ``down`` and ``right`` what has to be added, pixels.
    """

    part: NDArray[np.intp]
    row: Floats
    col: Floats
    down: Floats
    right: Floats

    def subset(self, pick: NDArray[np.bool_]) -> "Demand":
        """Return some of the points."""
        return Demand(
            self.part[pick], self.row[pick], self.col[pick], self.down[pick], self.right[pick]
        )

    @property
    def moves(self) -> Floats:
        """Both additions, shape (n, 2)."""
        return np.stack([self.down, self.right], 1)


def choose_model(demand: Demand, frame: Frame) -> Model:
    """Return the model that number and spread of points can carry."""
    count = len(demand.row)
    if count < _BIAS_BELOW:
        return Model.BIAS if count else Model.NONE
    cells = np.unique(cells_of(*frame.place(demand.part, demand.row, demand.col), frame.shape))
    return Model.DRIFT if count < _DRIFT_BELOW or len(cells) < LEAST_CELLS else Model.AFFINE


def fit(
    demand: Demand, frame: Frame, model: Model, tolerance_px: float
) -> tuple[ImageCorrection, ...]:
    """Return the correction of each part.

    Random sampling finds the model that most points agree with, five rounds of Tukey's weights
    refine it with a scale from the median deviation of all points.

    Parameters
    ----------
    demand
        The points.
    frame
        The common image.
    model
        What to fit.
    tolerance_px
        Distance at which a point agrees with a sampled model.
    """
    parts = len(frame.origins)
    if model is Model.NONE or not len(demand.row):
        return (ImageCorrection(),) * parts
    base = _design(demand, frame, model)
    start = _sampled(base, demand.moves, tolerance_px)
    solution = _reweighted(base, demand.moves, start, tolerance_px)
    own = _part_medians(demand, demand.moves - base @ solution, parts)
    if np.abs(own).max() > _PART_APART * tolerance_px:
        design = np.concatenate([base, np.eye(parts)[demand.part]], 1)
        start = np.concatenate([solution, own])
        whole = _reweighted(design, demand.moves, start, tolerance_px, tied=parts)
        solution, own = whole[:-parts], whole[-parts:]
    else:
        own = np.zeros((parts, 2))
    return tuple(_correction(solution, own[k], frame, k) for k in range(parts))


def consistent(demand: Demand, frame: Frame, floor_px: float) -> NDArray[np.bool_]:
    """Tell which points move as some neighbours do; the others are false matches.

    A point is false where fewer than three of its eight nearest neighbours move as it does,
    within three deviations (by the median of the distances to the third) or ``floor_px``.
    Whatever a stretch of the image has in common, such as wobble or a wrong height, stays: only
    what stands alone goes.
    """
    keep = np.ones(len(demand.row), np.bool_)
    places = np.stack(frame.place(demand.part, demand.row, demand.col), 1)
    for _ in range(2):
        if keep.sum() <= _NEIGHBOURS:
            break
        near = np.asarray(cKDTree(places[keep]).query(places, _NEIGHBOURS + 1)[1])[:, 1:]
        apart = np.linalg.norm(demand.moves[:, None] - demand.moves[keep][near], axis=2)
        third = np.sort(apart, 1)[:, _ALIKE - 1]
        keep = third <= max(3.0 * _MAD * float(np.median(third[keep])), floor_px)
    return keep


def residuals(demand: Demand, corrections: Sequence[ImageCorrection]) -> tuple[Floats, Floats]:
    """Return what is still to be added to rows and columns after the corrections."""
    down, right = demand.down.copy(), demand.right.copy()
    for index, correction in enumerate(corrections):
        here = demand.part == index
        row, col = demand.row[here], demand.col[here]
        new_row, new_col = correction.apply(row, col)
        down[here] -= new_row - row
        right[here] -= new_col - col
    return down, right


def _design(demand: Demand, frame: Frame, model: Model) -> Floats:
    """Return the terms of the model at the points: 1, line and column, from -1 to 1."""
    row, col = frame.place(demand.part, demand.row, demand.col)
    u, v = 2.0 * row / frame.shape[0] - 1.0, 2.0 * col / frame.shape[1] - 1.0
    return np.stack([np.ones_like(u), u, v], 1)[:, : _TERMS[model]]


def _sampled(design: Floats, moves: Floats, tolerance: float) -> Floats:
    """Return the solution through as few points as it needs that most points agree with."""
    rng = np.random.default_rng(0)
    terms = design.shape[1]
    best = np.zeros((terms, 2))
    if len(design) < terms:
        return best
    picks = np.stack([rng.choice(len(design), terms, replace=False) for _ in range(_TRIALS)])
    sampled = design[picks]
    solid = np.abs(np.linalg.det(sampled)) > 1e-3 if terms > 1 else np.ones(_TRIALS, np.bool_)
    if not solid.any():
        return best
    solutions = np.linalg.solve(sampled[solid], moves[picks][solid])
    apart = np.linalg.norm(moves - design @ solutions, axis=2)
    cost = np.minimum(apart, tolerance).sum(1)
    best = solutions[int(cost.argmin())]
    return np.asarray(best)


def _part_medians(demand: Demand, left: Floats, parts: int) -> Floats:
    """Return the median of what is left in each part, shape (parts, 2); 0 for a single part."""
    medians = np.zeros((parts, 2))
    for k in np.unique(demand.part) if parts > 1 else ():
        medians[k] = np.median(left[demand.part == k], 0)
    return medians


def _reweighted(
    design: Floats, moves: Floats, solution: Floats, tolerance: float, tied: int = 0
) -> Floats:
    """Return the solution after rounds of reweighting; the last ``tied`` are held towards 0."""
    tie = np.eye(design.shape[1])[design.shape[1] - tied :] * _PART_WEIGHT
    for _ in range(_ROUNDS):
        weight = _tukey(np.hypot(*(moves - design @ solution).T), tolerance)[:, None]
        weighed = np.concatenate([design * weight, tie])
        aims = np.concatenate([moves * weight, np.zeros((tied, 2))])
        solution = np.linalg.lstsq(weighed, aims, rcond=None)[0]
    return solution


def _tukey(apart: Floats, tolerance: float) -> Floats:
    """Return the square roots of Tukey's weights.

    The scale is the median distance, turned into the deviation along one axis of a normal
    distribution, within bounds: no outliers, however many, can widen it beyond ``tolerance``.
    """
    scale = float(np.clip(np.median(apart) / _RAYLEIGH, tolerance / _TUKEY, tolerance))
    return np.clip(1.0 - (apart / (_TUKEY * scale)) ** 2, 0.0, None)


def _correction(solution: Floats, own: Floats, frame: Frame, part: int) -> ImageCorrection:
    """Turn a solution in the common frame into the correction of a part's own pixels."""
    constant, per_row, per_col = np.concatenate([solution, np.zeros((3 - len(solution), 2))])
    per_row, per_col = (
        2.0 * slope / size for slope, size in zip((per_row, per_col), frame.shape, strict=True)
    )
    row, col = (
        origin - size / 2.0 for origin, size in zip(frame.origins[part], frame.shape, strict=True)
    )
    offset = constant + own + per_row * row + per_col * col
    return ImageCorrection(
        *(float(v) for v in (*offset, per_row[0], per_col[0], per_row[1], per_col[1]))
    )
