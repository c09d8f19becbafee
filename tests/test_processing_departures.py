"""What calibration and kind of aerosol bring into the optical depth, against fits made anew."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.atmosphere.air import Air
from processing.atmosphere.aod import AodField, Departures, fit_cells
from processing.atmosphere.cells import CellSignals
from processing.atmosphere.darktarget import dark_target_table
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.lut import STANDARD_PRESSURE_HPA, camera_lut
from processing.atmosphere.prior import AodPrior
from processing.atmosphere.surface import Expectation
from processing.atmosphere.uncertainty import depth_uncertainty
from processing.geometry.angles import Angles

CAMERA = "GF1WFV1"
SIDE = 30
CELLS = Grid(32631, 300_000, 5_100_000, 512, SIDE, SIDE)
PRIOR = AodPrior(0.25, 0.15, "continental", "made for the test")
AOD = 0.3
DARK = (0, 2, 3)


def air(model: str = PRIOR.model) -> Air:
    layers = (np.full(CELLS.shape, angle, np.float32) for angle in (240.0, 40.0, 150.0, 20.0))
    flat = np.zeros(CELLS.shape, np.float32)
    return Air(CAMERA, model, GasColumns(0.0, 0.0, "none"), Angles(*layers), flat)


@pytest.fixture(scope="module")
def ground() -> NDArray[np.float32]:
    """Vegetation whose blue follows from its red, and soil, as a library knows them."""
    rng = np.random.default_rng(6)
    green = rng.random(CELLS.shape) < 0.5
    red = np.where(green, rng.uniform(0.025, 0.06, CELLS.shape), 0.18).astype(np.float32)
    ndvi = np.where(green, 0.8, 0.15).astype(np.float32)
    dark, _ = dark_target_table(CAMERA).blue(red, ndvi)
    nir = red * (1 + ndvi) / (1 - ndvi)
    return np.stack([np.where(green, dark, 0.6 * red), 0.8 * red, red, nir]).astype(np.float32)


def seen(ground: NDArray[np.float32], calibration: NDArray[np.float64]) -> CellSignals:
    """The ground under an even haze, by a camera whose calibration is off."""
    terms = camera_lut(CAMERA).terms(
        PRIOR.model, sza=40, vza=20, raa=90, pressure_hpa=STANDARD_PRESSURE_HPA,
        aod=np.full(CELLS.shape, AOD),
    )  # fmt: skip
    toa = (terms.reflectance(ground) * calibration[:, np.newaxis, np.newaxis]).astype(np.float32)
    dark = np.where(ground[2] < 0.1, toa[list(DARK)], np.nan).astype(np.float32)
    return CellSignals(toa, np.zeros_like(toa), dark)


def fitted(
    ground: NDArray[np.float32],
    faults: tuple[float, ...] = (),
    model: str = PRIOR.model,
    **asked: list[float],
) -> AodField:
    calibration = np.ones(4)
    calibration[: len(faults)] += faults
    known = Expectation("library", ground, np.full_like(ground, 0.01))
    signals = seen(ground, calibration)
    return fit_cells(signals, CELLS, air(model), PRIOR, [known], **asked)


@pytest.fixture(scope="module")
def told(ground: NDArray[np.float32]) -> AodField:
    return fitted(ground, calibration_sigma=[0.02, 0.02, 0.02, 0.05])


def test_the_estimate_is_the_same_whether_asked_or_not(
    ground: NDArray[np.float32], told: AodField
) -> None:
    plain = fitted(ground)
    np.testing.assert_array_equal(told.aod, plain.aod)
    np.testing.assert_array_equal(told.sigma, plain.sigma)
    np.testing.assert_array_equal(plain.uncertainty, plain.sigma)
    assert plain.departures is None
    assert (told.uncertainty > 1.2 * told.sigma).all()


@pytest.mark.parametrize("band", range(4))
def test_calibration_moves_the_depth_as_a_fit_of_the_wrong_image_does(
    ground: NDArray[np.float32], told: AodField, band: int
) -> None:
    assert told.departures is not None
    error = (0.0,) * band + ((0.05 if band == 3 else 0.02),)
    again = fitted(ground, error).aod - told.aod
    np.testing.assert_allclose(told.departures.calibration[band], again, atol=0.001)
    assert (again.mean() > 0.002) == (band < 3)


def test_another_aerosol_moves_the_depth_as_a_fit_with_it_does(
    ground: NDArray[np.float32], told: AodField
) -> None:
    assert told.departures is not None
    again = fitted(ground, model="urban").aod - told.aod
    assert abs(again.mean()) > 0.01
    np.testing.assert_allclose(told.departures.model, again, atol=0.005)


def test_a_calibration_without_error_moves_nothing(ground: NDArray[np.float32]) -> None:
    field = fitted(ground, calibration_sigma=[0.0] * 4)
    assert field.departures is not None
    assert not field.departures.calibration.any()


def test_depths_to_invert_by_are_inside_the_table() -> None:
    """Two bands of 0.03 and 0.04 on a field of 0.12 leave 0.05 and 0.13 of the rest."""
    here = CELLS.window(0, 0, 1, 3)
    aod = np.array([[0.1, 0.01, 1.99]], np.float32)
    sigma = np.full_like(aod, 0.12)
    calibration = np.stack([np.full_like(aod, 0.05), np.full_like(aod, -0.16)])
    field = AodField(
        here, aod, sigma, np.zeros(here.shape, np.uint8), "dust", {},
        Departures(calibration, np.full_like(aod, -0.02), sigma),
    )  # fmt: skip
    moved = field.moved()
    np.testing.assert_allclose(moved.brighter[:, 0], [[0.15, 0.06, 2.0], [0.0, 0.0, 1.83]])
    np.testing.assert_allclose(moved.hazier[:, 0], [[0.3, 0.21, 2.0], [0.23, 0.14, 2.0]])
    np.testing.assert_allclose(moved.other_model, [[0.08, 0.0, 1.97]])
    plain = replace(field, departures=None).moved()
    np.testing.assert_array_equal(plain.brighter, aod)
    np.testing.assert_allclose(plain.hazier, [[0.22, 0.13, 2.0]])


@pytest.mark.parametrize("misled", [0.0, 0.06, 0.4])
def test_sigma_of_a_depth_led_astray_is_that_of_draws(misled: float) -> None:
    """Near the prior and far from it, where an estimate that trusts its evidence is further off."""
    rng = np.random.default_rng(8)
    truth, noise, fault = PRIOR.sigma * rng.normal(size=(3, 400_000)) + [[PRIOR.aod], [0], [0]]
    own = 0.04 / PRIOR.sigma
    gain = 1 / (1 + own**2)
    found = PRIOR.aod + gain * (
        truth + own * noise + misled / gain / PRIOR.sigma * fault - PRIOR.aod
    )
    sigma = np.full(1, PRIOR.sigma * np.sqrt(1 - gain))
    away = np.abs(found - PRIOR.aod)
    for low, high in ((0.0, 0.02), (0.14, 0.16), (0.29, 0.31)):
        here = (away > low) & (away < high)
        told = depth_uncertainty(
            np.array([PRIOR.aod + (low + high) / 2]), sigma, np.full(1, misled**2), PRIOR
        )
        rms = np.sqrt(np.mean((found - truth)[here] ** 2))
        assert told[0] == pytest.approx(rms, rel=0.03)
