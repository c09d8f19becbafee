"""Uncertainty of surface reflectance against the formula, and its assets in a product."""

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import asset_specs, optional_specs
from processing.atmosphere.correct import Coefficients, surface_reflectance
from processing.atmosphere.lut import shipped_models
from processing.atmosphere.uncertainty import CONFUSED_WITH, reflectance_uncertainty

GRID = Grid(32631, 300_000, 5_100_000, 16, 20, 30)
CELLS = GRID.coarsen(64)


def coefficients(gain: float, offset: float, albedo: float = 0.0) -> Coefficients:
    planes = (np.full((2, *CELLS.shape), value, np.float32) for value in (gain, offset, albedo))
    return Coefficients(CELLS, *planes)


def scene() -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    toa = np.full((2, *GRID.shape), 2000, np.uint16)
    toa[1] = 4000
    toa[:, :3] = 0
    return toa, surface_reflectance(toa, GRID, coefficients(1.25, -0.1))[0]


def test_squares_of_the_departures_add_up() -> None:
    """Without sky albedo: gain 1.25; haze moves by 0.012, the other aerosol by 0.02.

    The haze found with a brighter band darkens the ground by 0.006 and so makes up for a part.
    """
    toa, sr = scene()
    sigma = reflectance_uncertainty(
        toa, sr, GRID,
        brighter=coefficients(1.25, -0.106),
        hazier=coefficients(1.25, -0.112),
        other_model=coefficients(1.25, -0.08),
        calibration_sigma=(0.04, 0.07),
    )  # fmt: skip
    for band, (signal, error) in enumerate(((0.2, 0.04), (0.4, 0.07))):
        wanted = np.sqrt(0.012**2 + (error * 1.25 * signal - 0.006) ** 2 + 0.01**2 + 0.0008**2)
        np.testing.assert_allclose(sigma[band, 3:] * 1e-4, wanted, atol=1e-4)
    assert sigma.dtype == np.uint16
    assert (sigma[:, :3] == 0).all()


def test_a_perfect_input_leaves_the_transfer_alone() -> None:
    toa, sr = scene()
    best = coefficients(1.25, -0.1)
    sigma = reflectance_uncertainty(
        toa, sr, GRID, brighter=best, hazier=best, other_model=best, calibration_sigma=[0.0, 0.0]
    )
    assert (sigma[:, 3:] == 8).all()


def test_every_model_may_be_taken_for_another() -> None:
    assert set(CONFUSED_WITH) == set(shipped_models())
    for model, other in CONFUSED_WITH.items():
        assert other in shipped_models()
        assert other != model


@pytest.mark.parametrize("satellite", ["GF1", "GF6"])
def test_assets_are_encoded_as_what_they_belong_to(satellite: str) -> None:
    wished = {spec.key: spec for spec in optional_specs(satellite)}
    assert set(wished) == {"AOD_uncertainty", "SR_uncertainty", "NBAR", "terrain_factor"}
    for spec in asset_specs(satellite):
        if f"{spec.key}_uncertainty" in wished:
            other = wished[f"{spec.key}_uncertainty"]
            assert (other.dtype, other.scale, other.bands, other.overviews) == (
                spec.dtype, spec.scale, spec.bands, spec.overviews,
            )  # fmt: skip
