"""Corrections and outliers against models that are put in."""

import numpy as np
import pytest

from processing.geometry.refine import (
    Demand,
    Frame,
    Model,
    choose_model,
    consistent,
    fit,
    residuals,
)
from processing.geometry.rpc import ImageCorrection

ONE = Frame(((0.0, 0.0),), (4000.0, 3000.0))
THREE = Frame(((0.0, 0.0), (1.5, 960.0), (3.0, 1920.0)), (4003.0, 2920.0))
TRUE = ImageCorrection(6.0, -11.0, 1e-3, -4e-4, -8e-4, 1.2e-3)


def points(count: int, frame: Frame = ONE, seed: int = 0, noise: float = 0.1) -> Demand:
    """Points all over the parts that ask for ``TRUE`` in the common image."""
    rng = np.random.default_rng(seed)
    part = rng.integers(0, len(frame.origins), count)
    width = frame.shape[1] if len(frame.origins) == 1 else 1000.0
    row, col = rng.uniform(0, 4000.0, count), rng.uniform(0, width, count)
    place = frame.place(part, row, col)
    moves = np.subtract(TRUE.apply(*place), place) + rng.normal(0.0, noise, (2, count))
    return Demand(part, row, col, *moves)


def wrong(demand: Demand, share: float, seed: int = 9) -> np.ndarray:
    """Make a share of the points ask for anything within four pixels."""
    rng = np.random.default_rng(seed)
    false = rng.random(len(demand.row)) < share
    demand.down[false] += rng.uniform(-4, 4, false.sum())
    demand.right[false] += rng.uniform(-4, 4, false.sum())
    return false


def apart(demand: Demand, corrections) -> float:
    """Radial RMSE of what is left."""
    return float(np.sqrt((np.square(residuals(demand, corrections))).sum(0).mean()))


@pytest.mark.parametrize("frame", [ONE, THREE])
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_affine_is_recovered_among_false_points(frame, share):
    demand = points(300, frame)
    wrong(demand, share)
    corrections = fit(demand, frame, Model.AFFINE, 0.8)
    assert apart(points(200, frame, seed=5, noise=0.0), corrections) < 0.06


def test_parts_share_one_model_so_that_seams_stay_closed():
    corrections = fit(points(300, THREE), THREE, Model.AFFINE, 0.8)
    assert len({(c.row_per_row, c.col_per_col) for c in corrections}) == 1
    ends = [
        np.add(corrections[k].apply(np.array([1000.0 - 1.5 * k]), np.array([2000.0 - 960.0 * k])),
               np.array(THREE.origins[k])[:, None])
        for k in range(3)
    ]  # fmt: skip
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-9)
    np.testing.assert_allclose(ends[0], ends[2], atol=1e-9)


def test_a_part_that_lies_apart_has_an_offset_of_its_own():
    demand = points(300, THREE)
    demand.down[demand.part == 2] += 2.0
    corrections = fit(demand, THREE, Model.AFFINE, 0.8)
    assert apart(demand, corrections) < 0.17


@pytest.mark.parametrize(
    ("count", "model"),
    [(0, Model.NONE), (9, Model.BIAS), (29, Model.DRIFT), (60, Model.AFFINE)],
)
def test_model_goes_by_the_number_of_points(count, model):
    assert choose_model(points(count), ONE) is model


def test_clustered_points_do_not_carry_an_affine():
    demand = points(500)
    assert choose_model(demand.subset(demand.row < 1300.0), ONE) is Model.DRIFT


@pytest.mark.parametrize("model", [Model.BIAS, Model.DRIFT])
def test_smaller_models_are_exact_where_they_hold(model):
    demand = points(25, noise=0.0)
    slope = 2e-3 if model is Model.DRIFT else 0.0
    held = Demand(demand.part, demand.row, demand.col, 3.0 + slope * demand.row,
                  -2.0 - slope * demand.row)  # fmt: skip
    assert apart(held, fit(held, ONE, model, 0.8)) < 1e-6


def test_lone_points_go_and_waves_stay():
    demand = points(600)
    demand.down[:] += 1.5 * np.sin(demand.row / 400.0)
    false = np.zeros(600, np.bool_)
    false[::20] = True
    demand.down[false] += 4.0
    keep = consistent(demand, ONE, 0.8)
    assert not keep[false].any()
    assert keep[~false].mean() > 0.98


def test_a_region_that_lies_wrong_is_not_dropped():
    """What many neighbours share is an error of the scene, not of its matches."""
    demand = points(600)
    region = (demand.row < 1000.0) & (demand.col < 1000.0)
    demand.right[region] += 3.0
    keep = consistent(demand, ONE, 0.8)
    assert keep[region].mean() > 0.9
    assert apart(demand.subset(keep), fit(demand, ONE, Model.AFFINE, 0.8)) > 0.7


def test_without_points_nothing_is_corrected():
    assert fit(points(0), THREE, Model.NONE, 0.8) == (ImageCorrection(),) * 3
