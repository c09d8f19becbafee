"""Reflectance against the textbook formula, hand-worked numbers and pvlib."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from processing.calibrate import (
    counts_of,
    earth_sun_distance_au,
    reflectance_factors,
    toa_encoded,
    toa_reflectance,
)
from processing.sensors import calibration, camera

APHELION = datetime(2019, 7, 4, 22, 11, tzinfo=UTC)
PERIHELION = datetime(2019, 1, 3, 5, 20, tzinfo=UTC)


def test_distance_at_the_apsides() -> None:
    """USNO, Earth's seasons 2019: perihelion 0.9833012 au, aphelion 1.0167543 au."""
    assert earth_sun_distance_au(PERIHELION) == pytest.approx(0.9833012, abs=1e-4)
    assert earth_sun_distance_au(APHELION) == pytest.approx(1.0167543, abs=1e-4)


def test_distance_over_ten_years_against_spa() -> None:
    pandas = pytest.importorskip("pandas")
    solarposition = pytest.importorskip("pvlib.solarposition")
    times = pandas.date_range("2013-04-26", "2026-11-01", freq="17D", tz="UTC")
    expected = solarposition.nrel_earthsun_distance(times).to_numpy()
    ours = np.array([earth_sun_distance_au(time.to_pydatetime()) for time in times])
    assert np.abs(ours - expected).max() < 1e-4


def test_factors_by_hand() -> None:
    """GF1 WFV1 blue 2020: L = 0.19319 * 500 = 96.6; ESUN 2008.61; sun at 60 degrees zenith."""
    scale, offset = reflectance_factors(calibration(camera("GF1WFV1"), 2020), PERIHELION)
    reflectance = (scale[0] * 500 + offset[0]) / math.cos(math.radians(60.0))
    assert reflectance == pytest.approx(math.pi * 96.595 * 0.9833012**2 / (2008.61 * 0.5), rel=2e-4)


def test_inverse_coefficients_of_2013_carry_their_offset() -> None:
    found = calibration(camera("GF1WFV4"), 2013)
    scale, offset = reflectance_factors(found, APHELION)
    radiance = (300 - 0.0369) / 5.35
    expected = math.pi * radiance * 1.0167543**2 / 2009.4
    assert scale[0] * 300 + offset[0] == pytest.approx(expected, rel=2e-4)


@pytest.fixture
def counts() -> np.ndarray:
    generator = np.random.default_rng(7)
    dn = generator.integers(0, 1024, (4, 37, 53), dtype=np.uint16)
    dn[:, :3] = 0
    dn[2, 5, 5:9] = 0
    return dn


@pytest.fixture
def cosines() -> np.ndarray:
    return np.linspace(0.1, 0.99, 37 * 53, dtype=np.float32).reshape(37, 53)


FACTORS = (np.array([3.0e-4, 2.5e-4, 2.7e-4, 4.4e-4]), np.array([0.0, -1e-3, -0.05, 2e-4]))


def test_counts_of_a_reflectance_give_it_back() -> None:
    dn = np.rint(counts_of(0.25, FACTORS, 0.8)).astype(np.uint16)[:, None, None]
    found = toa_reflectance(dn, FACTORS, np.full((1, 1), 0.8, np.float32))
    np.testing.assert_allclose(found[:, 0, 0], 0.25, atol=4e-4)


def test_reflectance_is_the_formula_and_nan_without_data(
    counts: np.ndarray, cosines: np.ndarray
) -> None:
    reflectance = toa_reflectance(counts, FACTORS, cosines)
    assert reflectance.dtype == np.float32
    valid = counts.all(axis=0)
    assert (np.isnan(reflectance) == ~valid).all()
    scale, offset = (factor[:, None, None] for factor in FACTORS)
    expected = (scale * counts.astype(np.float64) + offset) / cosines.astype(np.float64)
    np.testing.assert_allclose(reflectance[:, valid], expected[:, valid], rtol=1e-5, atol=1e-7)


def test_encoded_is_the_rounded_and_clamped_formula(
    counts: np.ndarray, cosines: np.ndarray
) -> None:
    encoded = toa_encoded(counts, FACTORS, cosines)
    scale, offset = (factor[:, None, None] for factor in FACTORS)
    exact = (scale * counts.astype(np.float64) + offset) / cosines.astype(np.float64) / 1e-4
    assert (exact < 0).any()
    expected = np.where(counts.all(axis=0), np.clip(np.rint(exact), 1, 65535), 0)
    assert encoded.dtype == np.uint16
    # Single precision may round the other way within 0.01 of a half step, nowhere else.
    near_half = np.abs(exact - np.floor(exact) - 0.5) < 0.01
    difference = np.abs(encoded.astype(np.int64) - expected.astype(np.int64))
    assert (difference[~near_half] == 0).all()
    assert difference.max() <= 1


def test_bright_counts_stop_at_the_top() -> None:
    dn = np.full((1, 1, 2), 4095, np.uint16)
    factors = (np.array([1e-3]), np.array([0.0]))
    cosines = np.array([[0.9, 0.1]], np.float32)
    assert toa_encoded(dn, factors, cosines).tolist() == [[[45500, 65535]]]


@pytest.mark.parametrize("cosine", [0.0, -0.2, math.nan])
def test_no_sun_no_reflectance(cosine: float) -> None:
    dn = np.full((4, 1, 1), 300, np.uint16)
    cosines = np.full((1, 1), cosine, np.float32)
    assert (toa_encoded(dn, FACTORS, cosines) == 0).all()
    assert np.isnan(toa_reflectance(dn, FACTORS, cosines)).all()
