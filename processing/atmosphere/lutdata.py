"""The shipped look-up table as data: spectral arrays held to their hash, averaged over bands."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from catalog.errors import AtmosphereError
from processing.atmosphere.depths import OpticalDepths, solar_irradiance
from processing.atmosphere.firstorder import FirstOrder

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]

_ARRAYS = ("path", "polarisation", "transmittance", "albedo", "phase")
_AXES = ("wavelengths_nm", "pressure_hpa", "aod", "sza_deg", "vza_deg", "raa_deg", "angle_deg")


@dataclass(frozen=True, slots=True)
class BandTable:
    """One aerosol model in some bands; optical depth is the last axis of every array.

    ``rest`` (band, pressure, sza, vza, raa, aod) is the path reflectance less ``first``,
    ``transmittance`` (band, pressure, sza, aod) one way, ``albedo`` (band, pressure, aod), float32.
    """

    axes: dict[str, FloatArray]
    first: FirstOrder
    rest: Float32Array
    transmittance: Float32Array
    albedo: Float32Array

    def of_bands(self, bands: Sequence[int] | None) -> "BandTable":
        """Return the table of some bands, all where None."""
        if bands is None:
            return self
        rest, way, albedo = (
            np.ascontiguousarray(part[list(bands)])
            for part in (self.rest, self.transmittance, self.albedo)
        )
        return BandTable(self.axes, self.first.of_bands(list(bands)), rest, way, albedo)


@cache
def shipped_models() -> tuple[str, ...]:
    """Return the names of the aerosol models with a table in the package, sorted."""
    folder = files("processing.data").joinpath("lut")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".npz"))
    if not names:
        raise AtmosphereError(f"{folder} holds no look-up table; install the package again")
    return tuple(name.removesuffix(".npz") for name in names)


@cache
def shipped_hash() -> str:
    """Return the SHA-256 over the content hashes of all shipped tables."""
    hashes = "".join(content_hash(spectral_lut(model)) for model in shipped_models())
    return hashlib.sha256(hashes.encode()).hexdigest()


@cache
def spectral_lut(model: str) -> dict[str, NDArray[np.generic]]:
    """Return the arrays and axes of a shipped monochromatic table, held to its hash.

    ``path`` and ``polarisation`` have shape (wavelength, pressure, aod, sza, vza, raa), ``phase``
    (wavelength, angle); see ``lutbuild.SpectralLut``.
    """
    resource = files("processing.data").joinpath(f"lut/{model}.npz")
    with as_file(resource) as path, np.load(path) as stored:
        parts = {name: stored[name] for name in (*_ARRAYS, *_AXES)}
        wanted = str(stored["content_hash"])
    found = content_hash(parts)
    if found != wanted:
        raise AtmosphereError(
            f"lut/{model}.npz is damaged: content hash {found[:12]}, {wanted[:12]} wanted; "
            "install the package again"
        )
    return parts


def band_table(model: str, wavelength_nm: FloatArray, response: FloatArray) -> BandTable:
    """Average a spectral table over bands given by their response (bands, wavelengths).

    Path and albedo are interpolated between nodes as multiples of wavelength to the power -3,
    between Rayleigh and haze. A band's one-way transmittance is the root of the mean square, so
    that equal ways down and up give the band mean of the product.
    """
    parts = spectral_lut(model)
    axes = {name: np.asarray(parts[name], dtype=np.float64) for name in _AXES}
    weight = response * solar_irradiance(wavelength_nm)
    weight = weight / weight.sum(axis=1, keepdims=True)
    steep = _node_weights(axes["wavelengths_nm"], wavelength_nm, weight, -3.0)
    flat = _node_weights(axes["wavelengths_nm"], wavelength_nm, weight, 0.0)
    path = parts["path"].astype(np.float64) + parts["polarisation"].astype(np.float64)
    path = np.moveaxis(np.tensordot(steep, path, axes=1), 2, -1)
    first = FirstOrder(
        axes["angle_deg"],
        flat @ parts["phase"].astype(np.float64),
        OpticalDepths.of(model, wavelength_nm, response),
    )
    way = np.tensordot(flat, np.square(parts["transmittance"].astype(np.float64)), axes=1)
    return BandTable(
        axes,
        first,
        np.ascontiguousarray(path - _at_nodes(first, axes), np.float32),
        np.ascontiguousarray(np.moveaxis(np.sqrt(way), 2, -1), np.float32),
        np.tensordot(steep, parts["albedo"].astype(np.float64), axes=1).astype(np.float32),
    )


def _at_nodes(first: FirstOrder, axes: dict[str, FloatArray]) -> Float32Array:
    """Return the single scattering at all nodes, (band, pressure, sza, vza, raa, aod)."""
    names = ("pressure_hpa", "sza_deg", "vza_deg", "raa_deg")
    nodes = np.meshgrid(*(axes[name] for name in names), indexing="ij")
    pressure, sza, vza, raa = (each.ravel() for each in nodes)
    path = first.path(sza, vza, raa, pressure, axes["aod"])
    return path.reshape(len(path), *nodes[0].shape, -1)


def _node_weights(
    nodes_nm: FloatArray, wavelength_nm: FloatArray, weight: FloatArray, power: float
) -> FloatArray:
    """Weights (bands, nodes) that turn node values into band means.

    Between nodes a value divided by wavelength**power follows a cubic spline in ln(wavelength).
    """
    basis = CubicSpline(np.log(nodes_nm), np.diag(nodes_nm**-power))(np.log(wavelength_nm))
    return np.asarray((weight * wavelength_nm**power) @ basis)


def content_hash(parts: dict[str, NDArray[np.generic]]) -> str:
    """Return the SHA-256 of named arrays, independent of file format and compression."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(parts[name]).tobytes())
    return digest.hexdigest()
