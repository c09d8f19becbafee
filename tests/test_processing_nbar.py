"""Normalisation for view and sun against published values and its own definition."""

import numpy as np
import pytest

from catalog.grid import Grid
from catalog.product import asset_specs, optional_specs
from processing.atmosphere.brdf import kernels
from processing.atmosphere.nbar import c_factor, normal_sun_zenith, normalised
from processing.geometry.angles import Angles

CELLS = Grid(32631, 300000.0, 4900020.0, 1024.0, 3, 4)


def _angles(sza: float, vza: float, raa: float = 0.0) -> Angles:
    fields = [np.full(CELLS.shape, value, np.float32) for value in (150.0, sza, 150.0 + raa, vza)]
    return Angles(*fields)


def test_the_normal_sun_follows_the_latitude() -> None:
    # At the equator the polynomial is its first term, 31 degrees; it rises towards the poles.
    assert normal_sun_zenith(0.0) == pytest.approx(31.0076)
    assert 31 < normal_sun_zenith(30.0) < normal_sun_zenith(60.0) < 65


@pytest.mark.parametrize("camera_name", ["GF1WFV1", "GF6WFV"])
def test_normal_directions_change_nothing(camera_name: str) -> None:
    factor = c_factor(camera_name, _angles(normal_sun_zenith(45.0), 0.0), 45.0)
    np.testing.assert_allclose(factor, 1.0, atol=1e-6)


def test_each_place_has_the_sun_of_its_own_latitude() -> None:
    """Two scenes over a tile normalise it to the same sun, wherever their middles lie."""
    latitude = np.linspace(44.0, 46.0, CELLS.rows)[:, None] + np.zeros(CELLS.shape)
    together = c_factor("GF6WFV", _angles(40.0, 10.0), latitude)
    for row in range(CELLS.rows):
        alone = c_factor("GF6WFV", _angles(40.0, 10.0), latitude[row, 0])
        np.testing.assert_allclose(together[:, row], alone[:, row], rtol=1e-6)
    assert np.ptp(together[0, :, 0]) > 0.002


def test_backscatter_is_darkened_and_forward_scatter_brightened() -> None:
    sun = normal_sun_zenith(45.0)
    back, forward = (c_factor("GF1WFV4", _angles(sun, 30.0, raa), 45.0) for raa in (0.0, 180.0))
    assert (back < 1).all()
    assert (forward > 1).all()


def test_the_factor_is_the_ratio_of_modelled_reflectances() -> None:
    """Red of WFV2, whose centre lies between green and red of OLI, by the published weights."""
    from processing.sensors import camera

    centre = camera("GF1WFV2").bands[2].center_nm
    weights = [
        np.interp(centre, (654.5, 865.0), pair)
        for pair in ((0.1690, 0.3093), (0.0574, 0.1535), (0.0227, 0.0330))
    ]
    seen, normal = kernels(40.0, 25.0, 60.0), kernels(normal_sun_zenith(30.0), 0.0, 0.0)
    wanted = float(np.dot(weights, normal) / np.dot(weights, seen))
    found = c_factor("GF1WFV2", _angles(40.0, 25.0, 60.0), 30.0)[2]
    assert 654.5 < centre < 865.0
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_fill_stays_fill_and_values_never_become_it() -> None:
    grid = Grid(32631, 300000.0, 4900020.0, 16.0, 100, 120)
    sr = np.full((4, *grid.shape), 1, np.uint16)
    sr[:, :10] = 0
    sr[1, 50:] = 4000
    factors = np.full((4, *CELLS.shape), 0.4, np.float32)
    found = normalised(sr, grid, CELLS, factors)
    assert ((found == 0) == (sr == 0)).all()
    assert (found[1, 50:] == 1600).all()
    assert (found[0, 10:] == 1).all()


def test_the_contract_has_the_asset_on_request() -> None:
    for satellite in ("GF1", "GF6"):
        sr = next(spec for spec in asset_specs(satellite) if spec.key == "SR")
        nbar = next(spec for spec in optional_specs(satellite) if spec.key == "NBAR")
        assert (nbar.bands, nbar.scale, nbar.dtype) == (sr.bands, sr.scale, sr.dtype)
