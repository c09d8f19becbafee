"""Gas terms: behaviour, ozone against another model's coefficients, and the climatology."""

import numpy as np
import pytest

from processing.atmosphere.gas import GasColumns, gas_climatology, gas_transmittance
from processing.sensors import camera, camera_names, spectral_response

NADIR = {"sza": 0.0, "vza": 0.0, "pressure_hpa": 1013.25}


@pytest.mark.parametrize("name", ["GF1WFV1", "GF1WFV4", "GF6WFV"])
def test_ozone_agrees_with_spectrl2(name: str) -> None:
    """SPECTRL2's absorption coefficients (pvlib), averaged over the same responses."""
    from pvlib.spectrum.spectrl2 import _SPECTRL2_COEFFS

    columns = GasColumns(ozone_du=300, water_vapour_g_cm2=0)
    airmass = 1 / np.cos(np.deg2rad(40)) + 1 / np.cos(np.deg2rad(20))
    no_oxygen = gas_transmittance(
        name, GasColumns(ozone_du=0, water_vapour_g_cm2=0), sza=40, vza=20, pressure_hpa=1013.25
    )
    ours = gas_transmittance(name, columns, sza=40, vza=20, pressure_hpa=1013.25)
    wavelength, response = spectral_response(name)
    absorption = np.interp(
        wavelength, _SPECTRL2_COEFFS["wavelength"], _SPECTRL2_COEFFS["ozone_absorption"]
    )
    weight = response * np.interp(
        wavelength, _SPECTRL2_COEFFS["wavelength"], _SPECTRL2_COEFFS["spectral_irradiance_et"]
    )
    theirs = weight @ np.exp(-absorption * 0.3 * airmass) / weight.sum(axis=1)
    np.testing.assert_allclose(ours.above / no_oxygen.above, theirs, atol=0.004)


@pytest.mark.parametrize("name", camera_names())
def test_more_gas_and_longer_paths_absorb_more(name: str) -> None:
    amounts = [
        gas_transmittance(name, GasColumns(300 * f, 2 * f), sza=40, vza=20, pressure_hpa=1013.25)
        for f in (0.0, 0.01, 0.3, 1.0, 2.0)
    ]
    for term in ("above", "water", "half_water"):
        values = np.stack([getattr(amount, term) for amount in amounts])
        assert (np.diff(values, axis=0) <= 1e-6).all()
        assert ((values > 0.6) & (values <= 1)).all()
    np.testing.assert_array_equal(amounts[0].water, 1)
    paths = gas_transmittance(
        name, GasColumns(), sza=np.array([0, 40, 60, 75]), vza=10, pressure_hpa=1013.25
    )
    assert paths.water.shape == (len(camera(name).bands), 4)
    assert (np.diff(paths.water, axis=-1) <= 0).all()
    assert (np.diff(paths.above, axis=-1) <= 0).all()


def test_amount_times_airmass_is_what_counts() -> None:
    """Twice the water on the way straight down is the water on a way twice as long."""
    single = gas_transmittance("GF6WFV", GasColumns(300, 1.0), sza=60, vza=60, pressure_hpa=1013.25)
    double = gas_transmittance("GF6WFV", GasColumns(300, 2.0), **NADIR)
    np.testing.assert_allclose(single.water, double.water, rtol=1e-6)
    np.testing.assert_allclose(single.half_water, gas_half(1.0), rtol=1e-6)


def gas_half(amount: float) -> np.ndarray:
    return gas_transmittance("GF6WFV", GasColumns(300, amount), **NADIR).water


def test_high_ground_has_less_oxygen_and_water_above_it() -> None:
    low, high = (
        gas_transmittance("GF6WFV", GasColumns(), sza=30, vza=5, pressure_hpa=pressure)
        for pressure in (1013.25, 600)
    )
    oxygen_a = [band.name for band in camera("GF6WFV").bands].index("rededge075")
    assert high.above[oxygen_a] > low.above[oxygen_a] + 0.005
    assert (high.water >= low.water).all()
    assert high.water[oxygen_a] > low.water[oxygen_a]


def test_red_edge_absorbs_as_much_as_6sv_says() -> None:
    """Guards the fitted table: 6SV with the whole response, 2 g/cm2, angles 40 and 20 degrees."""
    ours = gas_transmittance("GF6WFV", GasColumns(300, 2.0), sza=40, vza=20, pressure_hpa=1013.25)
    names = [band.name for band in camera("GF6WFV").bands]
    assert ours.water[names.index("rededge075")] == pytest.approx(0.9764, abs=0.002)
    assert ours.above[names.index("rededge075")] == pytest.approx(0.9940 * 0.9077, abs=0.003)


def test_nan_stays_nan() -> None:
    terms = gas_transmittance(
        "GF1WFV2", GasColumns(), sza=np.array([30, np.nan]), vza=0, pressure_hpa=1000
    )
    assert np.isnan(terms.above[:, 1]).all()
    assert np.isnan(terms.water[:, 1]).all()
    assert np.isfinite(terms.water[:, 0]).all()


def test_climatology_follows_season_and_hemisphere() -> None:
    summer, winter = gas_climatology(48, 7), gas_climatology(48, 1)
    assert summer.water_vapour_g_cm2 > 2 * winter.water_vapour_g_cm2
    assert gas_climatology(-48, 1).water_vapour_g_cm2 == pytest.approx(summer.water_vapour_g_cm2)
    assert gas_climatology(0, 4).water_vapour_g_cm2 == pytest.approx(4.12)
    assert gas_climatology(50, 4).ozone_du > gas_climatology(50, 10).ozone_du
    assert 220 < gas_climatology(0, 6).ozone_du < 270
    assert "climatology" in summer.source
