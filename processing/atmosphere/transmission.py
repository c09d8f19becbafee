"""The way up from the ground: what of its light comes straight, and what scattered.

The look-up table holds the total. Straight comes exp(-depth / cos(view zenith)), with the Rayleigh
depth of Bodhaine et al. (1999) and the aerosol depth that the extinction of the model carries from
550 nm to the band (``processing/data/lut/extinction.json``, built with the tables).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from processing.atmosphere.depths import OpticalDepths
from processing.atmosphere.lut import CameraLut
from processing.atmosphere.rayleigh import STANDARD_PRESSURE_HPA

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class OneWay:
    """Transmittances along one slant path, float32 (bands, ...), without gases.

    ``total`` is ``direct`` plus what arrives scattered; of that ``rayleigh`` and ``aerosol`` tell
    the shares, as each would scatter alone.
    """

    total: Float32Array
    direct: Float32Array
    rayleigh: Float32Array
    aerosol: Float32Array

    @property
    def rayleigh_share(self) -> Float32Array:
        """Share of air in what is scattered, 0 to 1."""
        both = np.maximum(self.rayleigh + self.aerosol, np.float32(1e-6))
        return np.asarray(np.clip(self.rayleigh / both, 0, 1), np.float32)


def one_way(
    lut: CameraLut,
    depths: OpticalDepths,
    model: str,
    *,
    zenith: ArrayLike,
    pressure_hpa: ArrayLike,
    aod: ArrayLike,
) -> OneWay:
    """Return the transmittances between ground and space.

    Parameters
    ----------
    lut, depths
        Of the same bands.
    model
        Aerosol model.
    zenith
        Of the sun on the way down or the sensor on the way up, degrees, 0 to 75.
    pressure_hpa
        Surface pressure, 440 to 1040 hPa.
    aod
        Optical depth at 550 nm, 0 to 2.

    Raises
    ------
    AtmosphereError
        A value lies outside the look-up table, or the model has none.
    """
    total, clear = (
        lut.way(model, zenith=zenith, pressure_hpa=pressure_hpa, aod=depth)
        for depth in (aod, np.zeros_like(aod, dtype=np.float64))
    )
    airmass = 1 / np.cos(np.radians(np.asarray(zenith, np.float64)))
    layers = np.asarray(pressure_hpa, np.float64) / STANDARD_PRESSURE_HPA * airmass
    particles = np.asarray(aod, np.float64) * airmass
    along = (-1, *[1] * (total.ndim - 1))
    through_air = np.exp(-depths.rayleigh.reshape(along) * layers)
    through_haze = np.exp(-depths.extinction.reshape(along) * particles)
    parts = (
        total,
        np.minimum(through_air * through_haze, total),
        np.maximum(clear - through_air, 0),
        np.maximum(total / clear - through_haze, 0),
    )
    return OneWay(*(np.asarray(part, np.float32) for part in parts))
