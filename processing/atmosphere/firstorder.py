"""Light that the haze scatters once, as a formula, for angles between the nodes of the table.

Back towards the sun the scattering of coarse particles changes within a few degrees (rainbow and
glory of spheres), and nodes 15 degrees apart miss it by 0.005 of path reflectance over dust. So
what is interpolated is the table less this formula, which changes slowly, and the formula is
added at the angles asked for::

    F = w P(angle) / (4 mu_s mu_v) * (1 - exp(-m d')) / m' * exp(-m r'),   m = 1/mu_s + 1/mu_v

with the single scattering albedo w times the phase function P, d' = 0.8 of the haze's depth,
m' = 0.8 m, r' = 0.8 of the air's depth (Chandrasekhar 1960, Radiative Transfer, chapter 7, for a
layer of haze below four fifths of the air). It need not be exact: what it lacks is in the table.
Light scattered within a few degrees is hardly lost to the beam, and the table's own runs count it
as not scattered (delta-M); so d' is less than the depth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.atmosphere.depths import OpticalDepths
from processing.atmosphere.rayleigh import STANDARD_PRESSURE_HPA

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]

_AIR_ABOVE = 0.8
"""Share of the air above the middle of the haze: scale heights of 8 and 2 km."""
_LOST = 0.8
"""Part of the haze's depth that the beam loses: 1 - w f, f the truncated peak of dust. With it dust
is read to 0.0003 near backscatter; with 0.5 and 1 to 0.003 and 0.002."""


@dataclass(frozen=True, slots=True)
class FirstOrder:
    """Single scattering of one aerosol model in some bands.

    Attributes
    ----------
    angles
        Scattering angles, degrees, even steps from 0 to 180.
    phase
        (bands, angles), single scattering albedo times phase function, mean of the latter 1.
    depths
        Optical depths of air and, at 550 nm depth 1, of haze.
    """

    angles: FloatArray
    phase: FloatArray
    depths: OpticalDepths

    def of_bands(self, bands: list[int]) -> "FirstOrder":
        """Return that of some bands."""
        depths = OpticalDepths(self.depths.rayleigh[bands], self.depths.extinction[bands])
        return FirstOrder(self.angles, self.phase[bands], depths)

    def path(
        self,
        sza: FloatArray,
        vza: FloatArray,
        raa: FloatArray,
        pressure_hpa: FloatArray,
        aod: FloatArray,
    ) -> Float32Array:
        """Return path reflectance of points at optical depths, (bands, points, depths).

        Parameters
        ----------
        sza, vza, raa
            Degrees, shape (points,); relative azimuth 0 is backscatter.
        pressure_hpa
            Shape (points,).
        aod
            Optical depths at 550 nm, shape (depths,).
        """
        sun, view = np.cos(np.radians(sza)), np.cos(np.radians(vza))
        across = np.sin(np.radians(sza)) * np.sin(np.radians(vza)) * np.cos(np.radians(raa))
        phase = self._phase_at(180 - np.degrees(np.arccos(np.clip(sun * view + across, -1, 1))))
        mass = 1 / sun + 1 / view
        air = np.exp(
            -_AIR_ABOVE * mass * pressure_hpa / STANDARD_PRESSURE_HPA
            * self.depths.rayleigh[:, np.newaxis]
        )  # fmt: skip
        factor = (phase * air / (4 * sun * view * mass * _LOST)).astype(np.float32)
        haze = (self.depths.extinction[:, np.newaxis] * _LOST * aod).astype(np.float32)
        slant = -haze[:, np.newaxis] * mass.astype(np.float32)[:, np.newaxis]
        return np.asarray(factor[..., np.newaxis] * -np.expm1(slant))

    def _phase_at(self, angle: FloatArray) -> FloatArray:
        """Interpolate ``phase`` to scattering angles (points,), NaN where they are NaN."""
        place = angle / self.angles[-1] * (self.angles.size - 1)
        left = np.clip(np.nan_to_num(place).astype(np.intp), 0, self.angles.size - 2)
        share = place - left
        return np.asarray((1 - share) * self.phase[:, left] + share * self.phase[:, left + 1])
