"""Single scattering of an aerosol model: Mie theory over its size distribution.

The amplitudes come from ``sasktran2``; the integral over sizes runs over ln(r) with so many
radii that neither the moments of the coarse mode ring (fewer than about 1000 leave ripples of
0.003 in path reflectance) nor its absorption (1200 leave 0.6 % of that of dust at 860 nm; 4000
agree with 12000 to 0.03 %).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from processing.atmosphere.aerosol import AerosolMode, AerosolModel

RADII = 4000
MOMENTS = 512
_ANGLES = 1801
_PHASE_STEP = 2
PHASE_DEG = np.linspace(0, 180, _ANGLES)[::_PHASE_STEP]


@dataclass(frozen=True, slots=True)
class AerosolOptics:
    """Bulk optics at one wavelength.

    ``extinction`` is the cross section per particle volume, um2/um3; ``moments``
    has shape (4, MOMENTS): Greek coefficients a1, a2, a3, b1 with a1[0] = 1 and a1[1] = 3 g;
    ``phase`` is the phase function at ``PHASE_DEG``, of mean 1 over the sphere.
    """

    extinction: float
    single_scattering_albedo: float
    moments: NDArray[np.float64]
    phase: NDArray[np.float64]

    @property
    def asymmetry(self) -> float:
        """Mean cosine of the scattering angle."""
        return float(self.moments[0, 1] / 3)


@cache
def aerosol_optics(model: AerosolModel, wavelength_um: float) -> AerosolOptics:
    """Integrate Mie scattering over all modes of ``model`` at one wavelength."""
    from sasktran2.legendre import compute_greek_coefficients

    sums = [_mode_sums(model, mode, wavelength_um) for mode in model.modes]
    extinction = sum(entry[0] for entry in sums)
    scattering = sum(entry[1] for entry in sums)
    wavenumber = 2 * np.pi / wavelength_um
    p11, p12, p33, p34 = (
        np.sum([entry[2] for entry in sums], axis=0) * 2 * np.pi / (wavenumber**2 * scattering)
    )
    angles = np.linspace(0, 180, _ANGLES)
    a1, a2, a3, _, b1, _ = compute_greek_coefficients(
        *(row[np.newaxis] for row in (p11, p12, p11, p33, p34, p33)), angles, MOMENTS
    )
    moments = np.stack([a1[0], a2[0], a3[0], b1[0]])
    return AerosolOptics(
        float(extinction), float(scattering / extinction), moments, p11[::_PHASE_STEP]
    )


def relative_extinction(
    model: AerosolModel, wavelengths_nm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the extinction of ``model`` at wavelengths by that at 550 nm."""
    reference = aerosol_optics(model, 0.55).extinction
    found = [aerosol_optics(model, float(each) / 1000).extinction for each in wavelengths_nm]
    return np.array(found) / reference


def _mode_sums(
    model: AerosolModel, mode: AerosolMode, wavelength_um: float
) -> tuple[float, float, NDArray[np.float64]]:
    """Return extinction, scattering and the unnormalised p11, p12, p33, p34 of a mode."""
    from sasktran2.mie import LinearizedMie

    log_radius = np.linspace(np.log(model.r_min_um), np.log(model.r_max_um), RADII)
    radius = np.exp(log_radius)
    weight = model.numbers(radius, mode) * (log_radius[1] - log_radius[0])
    cosine = np.cos(np.deg2rad(np.linspace(0, 180, _ANGLES)))
    index = model.refractive_index(mode, wavelength_um)
    mie = LinearizedMie().calculate(2 * np.pi * radius / wavelength_um, index, cosine).values
    s1, s2 = np.asarray(mie.S1), np.asarray(mie.S2)
    elements = (
        np.abs(s1) ** 2 + np.abs(s2) ** 2,
        np.abs(s1) ** 2 - np.abs(s2) ** 2,
        2 * np.real(s1 * np.conj(s2)),
        2 * np.imag(s1 * np.conj(s2)),
    )
    area = np.pi * radius**2 * weight
    return (
        float(area @ np.asarray(mie.Qext)),
        float(area @ np.asarray(mie.Qsca)),
        np.stack([weight @ element for element in elements]),
    )
