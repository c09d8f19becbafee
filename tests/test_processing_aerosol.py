"""Aerosol models and their Mie optics."""

import numpy as np
import pytest

from catalog.errors import AtmosphereError
from processing.atmosphere.aerosol import AerosolMode, AerosolModel, aerosol_model, aerosol_models
from processing.atmosphere.mie import aerosol_optics
from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs

WAVELENGTHS = (0.35, 3.75)


def test_five_models_with_complete_microphysics() -> None:
    models = aerosol_models()
    assert set(models) == {"continental", "maritime", "urban", "fine", "dust"}
    for model in models.values():
        assert sum(mode.volume_fraction for mode in model.modes) == pytest.approx(1, abs=2e-6)
        assert len(model.wavelengths_um) == 20


def test_mode_numbers_carry_their_volume() -> None:
    model = aerosol_model("dust")
    radius = np.geomspace(model.r_min_um, model.r_max_um, 2000)
    step = np.log(radius[1] / radius[0])
    for mode in model.modes:
        volume = 4 / 3 * np.pi * np.sum(model.numbers(radius, mode) * radius**3) * step
        assert volume == pytest.approx(mode.volume_fraction)


def test_unknown_model_names_those_known() -> None:
    with pytest.raises(AtmosphereError, match="continental"):
        aerosol_model("volcano")


def test_phase_function_is_normalised_and_forward() -> None:
    optics = aerosol_optics(aerosol_model("continental"), 0.55)
    assert optics.moments[0, 0] == pytest.approx(1, abs=1e-6)
    assert optics.asymmetry == pytest.approx(0.66, abs=0.02)
    assert optics.single_scattering_albedo == pytest.approx(0.92, abs=0.005)
    assert abs(optics.moments[0, -1]) < 1e-5


def test_tiny_spheres_scatter_like_rayleigh() -> None:
    mode = AerosolMode(0.004, 1.2, 1.0, (1.5, 1.5), (0.0, 0.0))
    model = AerosolModel("tiny", "for a limit", WAVELENGTHS, (mode,), 0.001, 0.02)
    blue, red = (aerosol_optics(model, wavelength) for wavelength in (0.4, 0.8))
    assert blue.extinction / red.extinction == pytest.approx(16, rel=0.02)
    assert blue.moments[0, 2] == pytest.approx(0.5, abs=0.005)
    assert blue.asymmetry == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("name", ["continental", "dust"])
def test_modes_mix_as_in_6sv(name: str) -> None:
    """With number in place of volume shares continental would have 0.356 in place of 0.42."""
    model = aerosol_model(name)
    near, reference = (aerosol_optics(model, wavelength) for wavelength in (0.86, 0.55))
    theirs = run_sixs(SixsCase(40, 20, 90, name, aod=1.0), Spectrum.at(0.86)).aerosol_depth
    assert near.extinction / reference.extinction == pytest.approx(theirs, rel=0.005)
