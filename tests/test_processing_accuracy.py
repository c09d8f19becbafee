"""Figures of agreement against tables worked out by hand."""

import numpy as np
import pytest

from processing.quality.accuracy import IGNORED, Confusion, boundary_f

# Rows are the truth: 65 + 4 + 22 pixels of class 0 and so on.
TABLE = Confusion(np.array([[60, 10, 10], [5, 70, 5], [15, 10, 15]]))


def _square(row: int, col: int, side: int = 10) -> np.ndarray:
    image = np.zeros((40, 40), bool)
    image[row : row + side, col : col + side] = True
    return image


def test_counts_follow_rows_of_truth_and_skip_what_is_not_judged() -> None:
    truth = np.array([[0, 0, 1], [2, IGNORED, 1]], np.uint8)
    found = np.array([[0, 1, 1], [0, 2, 1]], np.uint8)
    expected = [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert Confusion.of(truth, found, 3).counts.tolist() == expected


def test_figures_of_a_table_worked_out_by_hand() -> None:
    assert TABLE.overall == pytest.approx(145 / 200)
    # Chance: (80*80 + 80*90 + 40*30) / 200².
    chance = (80 * 80 + 80 * 90 + 40 * 30) / 200**2
    assert TABLE.kappa == pytest.approx((145 / 200 - chance) / (1 - chance))
    assert TABLE.users(0) == pytest.approx(60 / 80)
    assert TABLE.producers(1) == pytest.approx(70 / 80)
    assert TABLE.f1(2) == pytest.approx(2 * 0.5 * 0.375 / (0.5 + 0.375))
    assert TABLE.iou(2) == pytest.approx(15 / (40 + 30 - 15))
    assert TABLE.false_share(0) == pytest.approx(20 / 120)
    assert TABLE.balanced(0) == pytest.approx((60 / 80 + 100 / 120) / 2)


def test_one_class_against_the_rest_keeps_its_figures() -> None:
    alone = TABLE.one_against_rest(1)
    assert alone.counts.tolist() == [[70, 10], [20, 100]]
    assert alone.users(0) == TABLE.users(1)
    assert alone.iou(0) == TABLE.iou(1)


def test_pooling_adds_pixels() -> None:
    both = TABLE + TABLE
    assert both.counts.sum() == 400
    assert both.kappa == pytest.approx(TABLE.kappa)


def test_figures_without_pixels_are_nan() -> None:
    empty = Confusion(np.array([[0, 0], [0, 9]]))
    figures = (empty.users(0), empty.producers(0), empty.f1(0), empty.iou(0), empty.kappa)
    assert np.isnan(figures).all()
    assert empty.overall == 1


def _half(column: int) -> np.ndarray:
    """All to the left of a column; one straight boundary of 40 pixels."""
    return np.broadcast_to(np.arange(40) < column, (40, 40)).copy()


@pytest.mark.parametrize(("shift", "score"), [(0, 1.0), (2, 1.0), (3, 0.0)])
def test_boundaries_within_two_pixels_count_as_the_same(shift: int, score: float) -> None:
    judged = np.ones((40, 40), bool)
    assert boundary_f(_half(20), _half(20 + shift), judged) == score


def test_boundary_is_weighed_by_its_length() -> None:
    judged = np.ones((40, 40), bool)
    found = _half(20)
    found[:30] = _half(29)[:30]
    # The found boundary has 30 pixels far away, a step of 8 of which the nearest 2 lie within
    # two pixels, and 10 in place; the true one has those 10 and the 2 rows above them near it.
    precision, recall = 12 / 48, 12 / 40
    expected = 2 * recall * precision / (recall + precision)
    assert boundary_f(_half(20), found, judged) == pytest.approx(expected)


def test_edge_of_the_image_and_of_what_is_judged_is_no_boundary() -> None:
    judged = np.ones((40, 40), bool)
    half = np.zeros((40, 40), bool)
    half[:, :20] = True
    assert boundary_f(half, half, judged) == 1
    judged[:, 20:] = False
    assert np.isnan(boundary_f(half, half, judged))


def test_a_boundary_on_one_side_only_scores_nothing() -> None:
    judged = np.ones((40, 40), bool)
    assert boundary_f(_square(5, 5), np.zeros((40, 40), bool), judged) == 0
