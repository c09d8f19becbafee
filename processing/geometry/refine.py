"""The correction of a scene's camera model, fitted robustly to matched points.

Rows and columns that matches ask for beyond those of the RPC are modelled in the image (Grodecki
and Dial, PE&RS 69, 2003, 59): a bias; a drift, which adds a change with the line, that is with
time; or an affine. The parts of a scene share attitude and orbit, so one model serves them all
in a frame common to them; beside it each part may have an offset of its own, which is held
towards zero, so that points without number or spread cannot tear the seams.
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

_BIAS_BELOW: Final = 30
_DRIFT_BELOW: Final = 80
_TRIALS: Final = 600
_TUKEY: Final = 4.685
_ROUNDS: Final = 5
_MAD: Final = 1.4826
_NEIGHBOURS: Final = 8
_PART_WEIGHT: Final = 0.3
"""Noise of a match over the offset that a part may be expected to have."""


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
    solution = np.zeros((base.shape[1] + parts, 2))
    solution[: base.shape[1]] = _sampled(base, demand.moves, tolerance_px)
    own = np.eye(parts)[demand.part] if parts > 1 else np.zeros((len(base), parts))
    design = np.concatenate([base, own], 1)
    tie = np.eye(design.shape[1])[base.shape[1] :] * _PART_WEIGHT
    for _ in range(_ROUNDS):
        apart = np.hypot(*(demand.moves - design @ solution).T)
        weight = _tukey(apart, tolerance_px)[:, None]
        tied = np.concatenate([design * weight, tie])
        aims = np.concatenate([demand.moves * weight, np.zeros((parts, 2))])
        solution = np.linalg.lstsq(tied, aims, rcond=None)[0]
    return tuple(_correction(solution, frame, model, part) for part in range(parts))


def consistent(demand: Demand, frame: Frame, floor_px: float) -> NDArray[np.bool_]:
    """Tell which points move as their neighbours do; the others are false matches.

    A point is false where it is farther from the median of its eight nearest neighbours than
    three deviations (by their median), and than ``floor_px``. Whatever a stretch of the image
    has in common, such as wobble or a wrong height, stays: only what stands alone goes.
    """
    keep = np.ones(len(demand.row), np.bool_)
    places = np.stack(frame.place(demand.part, demand.row, demand.col), 1)
    for _ in range(2):
        if keep.sum() <= _NEIGHBOURS:
            break
        near = np.asarray(cKDTree(places[keep]).query(places, _NEIGHBOURS + 1)[1])[:, 1:]
        apart = np.hypot(*(demand.moves - np.median(demand.moves[keep][near], 1)).T)
        spread = _MAD * float(np.median(apart[keep]))
        keep = apart <= max(3.0 * spread, floor_px)
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


def _tukey(apart: Floats, least_scale: float) -> Floats:
    """Return the square roots of Tukey's weights; the scale is a median deviation."""
    scale = max(_MAD * float(np.median(apart)) / 1.177, least_scale / _TUKEY)
    return np.clip(1.0 - (apart / (_TUKEY * scale)) ** 2, 0.0, None)


def _correction(solution: Floats, frame: Frame, model: Model, part: int) -> ImageCorrection:
    """Turn a solution in the common frame into the correction of a part's own pixels."""
    terms = _TERMS[model]
    offset, per_row, per_col = np.zeros((3, 2))
    origin_row, origin_col = frame.origins[part]
    offset = solution[0] + solution[terms + part]
    if terms > 1:
        per_row = 2.0 * solution[1] / frame.shape[0]
        offset = offset - solution[1] + per_row * origin_row
    if terms > 2:
        per_col = 2.0 * solution[2] / frame.shape[1]
        offset = offset - solution[2] + per_col * origin_col
    return ImageCorrection(
        *(float(v) for v in (*offset, per_row[0], per_col[0], per_row[1], per_col[1]))
    )
