"""What a slant path meets in a band: the Rayleigh depth of air and the extinction of the aerosol.

The extinction of each model by that at 550 nm is built with the look-up tables
(``processing/data/lut/extinction.json``).
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from catalog.errors import AtmosphereError
from processing.atmosphere.rayleigh import rayleigh_optical_depth
from processing.sensors import spectral_response

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OpticalDepths:
    """What a slant path meets, per band: Rayleigh depth of air at standard pressure, and the
    extinction of the aerosol by that at 550 nm; float64 (bands,)."""

    rayleigh: FloatArray
    extinction: FloatArray

    @classmethod
    def of(cls, model: str, wavelength_nm: FloatArray, response: FloatArray) -> "OpticalDepths":
        """Return the means over bands of response (bands, wavelengths) under the sun."""
        weight = response * solar_irradiance(wavelength_nm)
        weight = weight / weight.sum(axis=1, keepdims=True)
        nodes, extinction = _extinction(model)
        spectrum = np.exp(np.interp(np.log(wavelength_nm), np.log(nodes), np.log(extinction)))
        return cls(weight @ rayleigh_optical_depth(wavelength_nm / 1000), weight @ spectrum)


@cache
def camera_depths(camera_name: str, model: str) -> OpticalDepths:
    """Return the optical depths in the bands of a camera, e.g. "GF1WFV1"."""
    return OpticalDepths.of(model, *spectral_response(camera_name))


@cache
def _extinction(model: str) -> tuple[FloatArray, FloatArray]:
    """Return wavelengths, nm, and the extinction of a model there by that at 550 nm."""
    resource = files("processing.data").joinpath("lut/extinction.json")
    table = json.loads(resource.read_text())
    if model not in table["extinction"]:
        raise AtmosphereError(
            f"{resource} has no aerosol model {model!r}; it holds {', '.join(table['extinction'])}"
        )
    return np.array(table["wavelengths_nm"]), np.array(table["extinction"][model])


def solar_irradiance(wavelength_nm: FloatArray) -> FloatArray:
    """Return the shape of the solar spectrum, W m-2 nm-1 at 1 au, 380 to 1070 nm."""
    with files("processing.data").joinpath("solar_spectrum.csv").open() as file:
        table = np.loadtxt(file, delimiter=",", skiprows=4)
    return np.asarray(np.interp(wavelength_nm, table[:, 0], table[:, 1]))
