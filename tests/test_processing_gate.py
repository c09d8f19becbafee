"""The gate's figures against hand calculation, and its classes."""

import numpy as np
import pytest

from processing.geometry.gate import AccuracyClass, cells_of, measure


def spread(count: int) -> np.ndarray:
    return np.arange(count) % 9


def test_figures_are_those_of_the_definition():
    x = np.tile([0.3, -0.1], 30)
    y = np.tile([0.4, 0.0], 30)
    accuracy = measure(x, y, spread(60), outliers=2)
    assert accuracy.rmse_px == pytest.approx(np.sqrt((0.25 + 0.01) / 2))
    assert accuracy.rmse_x_px == pytest.approx(np.sqrt(0.05))
    assert accuracy.rmse_y_px == pytest.approx(np.sqrt(0.08))
    assert (accuracy.bias_x_px, accuracy.bias_y_px) == pytest.approx((0.1, 0.2))
    assert (accuracy.stddev_x_px, accuracy.stddev_y_px) == pytest.approx((0.2, 0.2))
    assert accuracy.median_px == pytest.approx(0.3)
    assert accuracy.ce90_px == pytest.approx(0.5)
    assert (accuracy.check_points, accuracy.outliers, accuracy.cells) == (60, 2, 9)
    assert sum(cell.points for cell in accuracy.grid) == 60


@pytest.mark.parametrize(
    ("rmse", "klass"),
    [
        (0.5, AccuracyClass.WITHIN),
        (0.8, AccuracyClass.WITHIN),
        (0.801, AccuracyClass.MARGINAL),
        (1.0, AccuracyClass.MARGINAL),
        (1.001, AccuracyClass.BEYOND),
    ],
)
def test_classes_follow_the_radial_rmse(rmse, klass):
    assert measure(np.full(40, rmse), np.zeros(40), spread(40)).klass == klass


@pytest.mark.parametrize(("count", "cells"), [(29, 9), (200, 4), (0, 9)])
def test_few_or_clustered_points_are_insufficient_however_good(count, cells):
    zero = np.zeros(count)
    accuracy = measure(zero, zero, np.arange(count) % cells)
    assert accuracy.klass == AccuracyClass.INSUFFICIENT


def test_more_false_than_true_matches_prove_nothing():
    zero = np.zeros(40)
    assert measure(zero, zero, spread(40), outliers=39).klass == AccuracyClass.WITHIN
    assert measure(zero, zero, spread(40), outliers=41).klass == AccuracyClass.INSUFFICIENT


def test_cells_are_numbered_as_the_image_lies():
    row, col = np.array([0.0, 0.0, 899.0, 450.0, -5.0]), np.array([0.0, 599.0, 599.0, 300.0, 999.0])
    np.testing.assert_array_equal(cells_of(row, col, (900.0, 600.0)), [0, 2, 8, 4, 2])
