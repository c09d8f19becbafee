"""Aerosol models: microphysics as data, shared by the look-up table, the simulator and the checks.

Two radiative transfer codes that each take "continental" from their own tables differ by up to
0.026 in surface reflectance; so a model here is nothing but its lognormal modes and refractive
indices, in ``processing/data/aerosol_models.json``.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from catalog.errors import AtmosphereError


@dataclass(frozen=True, slots=True)
class AerosolMode:
    """One lognormal mode of spheres.

    ``radius_um`` is the number-median radius, ``sigma`` the geometric standard deviation,
    ``volume_fraction`` the share of the particle volume between the radii of the model, which
    is how 6S mixes modes too; the refractive index is ``n - ik`` at the wavelengths of the model.
    """

    radius_um: float
    sigma: float
    volume_fraction: float
    n: tuple[float, ...]
    k: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class AerosolModel:
    """An aerosol type: its modes between two radii, refractive indices at ``wavelengths_um``."""

    name: str
    description: str
    wavelengths_um: tuple[float, ...]
    modes: tuple[AerosolMode, ...]
    r_min_um: float
    r_max_um: float

    def refractive_index(self, mode: AerosolMode, wavelength_um: float) -> complex:
        """Return ``n - ik`` of a mode at one wavelength, linear between the tabulated ones."""
        n = np.interp(wavelength_um, self.wavelengths_um, mode.n)
        k = np.interp(wavelength_um, self.wavelengths_um, mode.k)
        return complex(n, -k)

    def numbers(self, radius_um: NDArray[np.float64], mode: AerosolMode) -> NDArray[np.float64]:
        """Return dN/dln(r) of a mode for ``radius_um`` evenly spaced in ln(r) between the limits.

        Scaled so that the modes' volumes between the limits are their volume fractions, um3.
        """
        width = np.log(mode.sigma)
        shape = np.exp(-0.5 * (np.log(radius_um / mode.radius_um) / width) ** 2)
        step = np.log(radius_um[1] / radius_um[0])
        volume = 4 / 3 * np.pi * float(shape @ radius_um**3) * step
        return np.asarray(shape * mode.volume_fraction / volume)


@cache
def aerosol_models() -> dict[str, AerosolModel]:
    """Return the shipped aerosol models by name."""
    table = json.loads(files("processing.data").joinpath("aerosol_models.json").read_text())
    wavelengths = tuple(table["wavelengths_um"])
    return {name: _model(name, wavelengths, entry) for name, entry in table["models"].items()}


def _model(name: str, wavelengths: tuple[float, ...], entry: dict[str, object]) -> AerosolModel:
    modes = tuple(
        AerosolMode(
            mode["radius_um"],
            mode["sigma"],
            mode["volume_fraction"],
            tuple(mode["n"]),
            tuple(mode["k"]),
        )
        for mode in entry["modes"]  # type: ignore[attr-defined]
    )
    for mode in modes:
        if not len(mode.n) == len(mode.k) == len(wavelengths):
            raise AtmosphereError(
                f"aerosol_models.json: model {name} has {len(mode.n)} real and {len(mode.k)} "
                f"imaginary refractive indices for {len(wavelengths)} wavelengths; correct the file"
            )
    return AerosolModel(
        name,
        str(entry["description"]),
        wavelengths,
        modes,
        float(entry["r_min_um"]),  # type: ignore[arg-type]
        float(entry["r_max_um"]),  # type: ignore[arg-type]
    )


def aerosol_model(name: str) -> AerosolModel:
    """Return one aerosol model.

    Raises
    ------
    AtmosphereError
        No model has this name.
    """
    try:
        return aerosol_models()[name]
    except KeyError:
        known = ", ".join(aerosol_models())
        raise AtmosphereError(f"no aerosol model {name!r}; known: {known}") from None
