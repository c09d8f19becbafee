"""The shipped look-up table, as one camera sees it.

Monochromatic terms (see ``lutbuild``) are averaged over each band's response times the solar
spectrum, and read at any sun and view angle, pressure and optical depth: cubic in the angles
and in optical depth (linear is not enough), quadratic in pressure. What haze scatters once is
added by formula (``firstorder``): it changes faster with the angles than the nodes can follow.
Reading costs microseconds a point: it belongs on coarse grids, never on pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.errors import AtmosphereError
from processing.atmosphere.lutdata import BandTable, band_table, shipped_hash, shipped_models
from processing.atmosphere.rayleigh import STANDARD_PRESSURE_HPA
from processing.sensors import spectral_response

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]

_PRESSURE_SCALE_M = 8434.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of a Lambertian ground under an atmosphere without gases, shape (bands, ...), float32.

    TOA reflectance is ``path + transmittance * rho / (1 - albedo * rho)``; ``transmittance`` is
    that of the way down times that of the way up. NaN where an input was NaN.
    """

    path: Float32Array
    transmittance: Float32Array
    albedo: Float32Array

    def reflectance(self, ground: ArrayLike) -> Float32Array:
        """Return the reflectance above a ground of reflectance ``ground`` (bands, ...)."""
        rho = np.asarray(ground, dtype=np.float32)
        return self.path + self.transmittance * rho / (1 - self.albedo * rho)

    def ground(self, reflectance: ArrayLike) -> Float32Array:
        """Return the ground reflectance below a gas-free TOA reflectance (bands, ...)."""
        signal = (np.asarray(reflectance, dtype=np.float32) - self.path) / self.transmittance
        return np.asarray(signal / (1 + self.albedo * signal))


@dataclass(frozen=True, slots=True)
class CameraLut:
    """The look-up table in the bands of one camera.

    ``tables`` are the band tables by aerosol model, ``content_hash`` the SHA-256 over the
    spectral tables, which goes into the provenance of a product.
    """

    tables: Mapping[str, BandTable]
    content_hash: str

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the aerosol models."""
        return tuple(self.tables)

    def aod_nodes(self, model: str) -> FloatArray:
        """Optical depths at 550 nm between which the table interpolates, ascending from 0."""
        return self._table(model).axes["aod"]

    def terms(
        self,
        model: str,
        *,
        sza: ArrayLike,
        vza: ArrayLike,
        raa: ArrayLike,
        pressure_hpa: ArrayLike,
        aod: ArrayLike,
    ) -> Terms:
        """Return the terms at points whose inputs broadcast to one shape.

        Parameters
        ----------
        model
            Name of an aerosol model of this table.
        sza, vza
            Sun and view zenith angle, degrees, 0 to 75 and 0 to 48.
        raa
            Relative azimuth, degrees, 0 (sun behind the sensor) to 180.
        pressure_hpa
            Surface pressure, 440 to 1040 hPa.
        aod
            Optical depth at 550 nm, 0 to 2.

        Returns
        -------
        Terms of shape (bands, *points); NaN where an input is NaN.

        Raises
        ------
        AtmosphereError
            A value lies outside the table, or the model is not in it.
        """
        *geometry, optical_depth = np.broadcast_arrays(sza, vza, raa, pressure_hpa, aod)
        nodes = self.node_terms(
            model, sza=geometry[0], vza=geometry[1], raa=geometry[2], pressure_hpa=geometry[3]
        )
        return self.at_depth(model, nodes, optical_depth)

    def at_depth(self, model: str, nodes: Terms, aod: ArrayLike) -> Terms:
        """Return terms at optical depths between those of :meth:`node_terms`.

        ``aod`` has the shape of the points, or (bands, *points): a depth of its own for each band.
        """
        axis = self.aod_nodes(model)
        index, weight = _cubic(axis, _inside("optical depth", np.asarray(aod), axis))
        if index.ndim < nodes.path.ndim:
            index, weight = index[np.newaxis], weight[np.newaxis]

        def at(values: Float32Array) -> Float32Array:
            """Interpolate to the optical depths."""
            picked = np.take_along_axis(values, index, axis=-1)
            return np.asarray(np.sum(picked * weight, axis=-1, dtype=np.float32))

        return Terms(at(nodes.path), at(nodes.transmittance), at(nodes.albedo))

    def way(
        self, model: str, *, zenith: ArrayLike, pressure_hpa: ArrayLike, aod: ArrayLike
    ) -> Float32Array:
        """Return the total transmittance, direct and scattered, along one slant path.

        Parameters and errors are those of :meth:`terms`; ``zenith`` is that of sun or sensor,
        degrees, 0 to 75. Shape (bands, *points).
        """
        table = self._table(model)
        slant, pressure, depth = np.broadcast_arrays(zenith, pressure_hpa, aod)
        points = [np.asarray(value, np.float64).ravel() for value in (slant, pressure, depth)]
        inside = [
            _inside(name, value, table.axes[axis])
            for name, value, axis in zip(
                ("zenith angle", "pressure", "optical depth"),
                points,
                ("sza_deg", "pressure_hpa", "aod"),
                strict=True,
            )
        ]
        along = _interpolate_way(
            table.transmittance,
            _quadratic(table.axes["pressure_hpa"], inside[1]),
            *_cubic(table.axes["sza_deg"], inside[0]),
        )
        index, weight = _cubic(table.axes["aod"], inside[2])
        picked = np.take_along_axis(along, index[np.newaxis], axis=-1)
        total = np.sum(picked * weight, axis=-1, dtype=np.float32)
        return np.asarray(total.reshape(-1, *slant.shape))

    def node_terms(
        self,
        model: str,
        *,
        sza: ArrayLike,
        vza: ArrayLike,
        raa: ArrayLike,
        pressure_hpa: ArrayLike,
        bands: Sequence[int] | None = None,
    ) -> Terms:
        """Return the terms at all optical depths of ``aod_nodes``, shape (bands, *points, nodes).

        Parameters and errors are those of :meth:`terms`; ``bands`` picks some bands by number
        from 0 in file order.
        """
        table = self._table(model).of_bands(bands)
        inputs = np.broadcast_arrays(sza, vza, raa, pressure_hpa)
        flat = [np.asarray(value, dtype=np.float64).ravel() for value in inputs]
        sun, view, azimuth, pressure = (
            _inside(name, value, table.axes[axis])
            for name, value, axis in zip(
                ("sun zenith angle", "view zenith angle", "relative azimuth", "pressure"),
                flat,
                ("sza_deg", "vza_deg", "raa_deg", "pressure_hpa"),
                strict=True,
            )
        )
        pressure_weight = _quadratic(table.axes["pressure_hpa"], pressure)
        sun_index, sun_weight = _cubic(table.axes["sza_deg"], sun)
        up_index, up_weight = _cubic(table.axes["sza_deg"], view)
        path = _interpolate_path(
            table.rest,
            pressure_weight,
            (sun_index, sun_weight),
            _cubic(table.axes["vza_deg"], view),
            _cubic(table.axes["raa_deg"], azimuth),
        )
        path += table.first.path(sun, view, azimuth, pressure, table.axes["aod"])
        down = _interpolate_way(table.transmittance, pressure_weight, sun_index, sun_weight)
        up = _interpolate_way(table.transmittance, pressure_weight, up_index, up_weight)
        albedo = np.einsum("np,bpa->bna", pressure_weight, table.albedo)
        shape = (table.rest.shape[0], *inputs[0].shape, table.axes["aod"].size)
        return Terms(
            path.reshape(shape),
            (down * up).reshape(shape),
            albedo.astype(np.float32).reshape(shape),
        )

    def along_aod(self, model: str, values: Float32Array, aod: FloatArray) -> Float32Array:
        """Interpolate values at ``aod_nodes`` (last axis) to other optical depths, shape (n,)."""
        axis = self.aod_nodes(model)
        index, weight = _cubic(axis, _inside("optical depth", aod, axis))
        matrix = np.zeros((axis.size, aod.size), dtype=np.float32)
        np.put_along_axis(matrix, index.T, weight.T, axis=0)
        return np.asarray(values @ matrix)

    def _table(self, model: str) -> BandTable:
        if model not in self.tables:
            raise AtmosphereError(
                f"the look-up table has no aerosol model {model!r}; it holds "
                f"{', '.join(self.tables)}"
            )
        return self.tables[model]


@cache
def camera_lut(camera_name: str) -> CameraLut:
    """Return the shipped table of a camera, e.g. "GF1WFV1".

    Raises
    ------
    UnknownSensorError
        There are no tables for the camera.
    AtmosphereError
        The package holds no look-up table, or a damaged one.
    """
    return response_lut(*spectral_response(camera_name))


def response_lut(wavelength_nm: FloatArray, response: FloatArray) -> CameraLut:
    """Return the shipped table for bands of any response.

    Parameters
    ----------
    wavelength_nm
        Ascending, 400 to 1040 nm, shape (n,).
    response
        (bands, n); a band with one non-zero value is a single wavelength.
    """
    tables = {model: band_table(model, wavelength_nm, response) for model in shipped_models()}
    return CameraLut(tables, shipped_hash())


def surface_pressure_hpa(height_m: ArrayLike) -> FloatArray:
    """Return the mean pressure at a height, 1013.25 exp(-z / 8434 m), within 440 to 1040 hPa.

    Heights above the ellipsoid do: 50 m between it and the sea are 0.6 % of pressure. Ground
    above 7 km keeps the pressure of 7 km. NaN stays NaN.
    """
    height = np.asarray(height_m, dtype=np.float64)
    return np.clip(STANDARD_PRESSURE_HPA * np.exp(-height / _PRESSURE_SCALE_M), 440.0, 1040.0)


def relative_azimuth_deg(sun_azimuth: ArrayLike, view_azimuth: ArrayLike) -> FloatArray:
    """Return the angle between two azimuths, 0 to 180 degrees; 0 is backscatter."""
    difference = np.asarray(sun_azimuth, np.float64) - np.asarray(view_azimuth, np.float64)
    return np.abs((difference + 180.0) % 360.0 - 180.0)


def _inside(name: str, values: NDArray[np.generic], axis: FloatArray) -> FloatArray:
    """Return values as float64, or raise where one is beyond the axis by more than rounding."""
    numbers = np.asarray(values, dtype=np.float64)
    low, high = axis[0] - 1e-6, axis[-1] + 1e-6
    outside = (numbers < low) | (numbers > high)
    if outside.any():
        seen = numbers[outside].flat[0]
        raise AtmosphereError(
            f"{name} {seen:.3f} is outside the look-up table, which covers "
            f"{axis[0]:g} to {axis[-1]:g}"
        )
    return numbers


def _cubic(axis: FloatArray, values: FloatArray) -> tuple[NDArray[np.intp], Float32Array]:
    """Indices and weights (..., 4) of Lagrange interpolation through the four nearest nodes."""
    first = np.clip(np.searchsorted(axis, values) - 2, 0, axis.size - 4)
    index = first[..., np.newaxis] + np.arange(4)
    return index, _lagrange(axis[index], values)


def _quadratic(axis: FloatArray, values: FloatArray) -> Float32Array:
    """Weights (..., 3) of Lagrange interpolation through an axis of three nodes."""
    return _lagrange(np.broadcast_to(axis, (*values.shape, axis.size)), values)


def _lagrange(nodes: FloatArray, values: FloatArray) -> Float32Array:
    weights = np.ones(nodes.shape)
    for i in range(nodes.shape[-1]):
        for j in range(nodes.shape[-1]):
            if i != j:
                weights[..., i] *= (values - nodes[..., j]) / (nodes[..., i] - nodes[..., j])
    return weights.astype(np.float32)


@numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _interpolate_path(
    table: Float32Array,
    pressure: Float32Array,
    sun: tuple[NDArray[np.intp], Float32Array],
    view: tuple[NDArray[np.intp], Float32Array],
    azimuth: tuple[NDArray[np.intp], Float32Array],
) -> Float32Array:
    """Sum the table (band, pressure, sza, vza, raa, aod) at points; returns (band, point, aod)."""
    bands, pressures, _, _, _, depths = table.shape
    points = pressure.shape[0]
    out = np.zeros((bands, points, depths), dtype=np.float32)
    for band in range(bands):
        for n in range(points):
            total = out[band, n]
            for p in range(pressures):
                for i in range(4):
                    w_sun = pressure[n, p] * sun[1][n, i]
                    for j in range(4):
                        w_view = w_sun * view[1][n, j]
                        for k in range(4):
                            weight = w_view * azimuth[1][n, k]
                            row = table[band, p, sun[0][n, i], view[0][n, j], azimuth[0][n, k]]
                            for a in range(depths):
                                total[a] += weight * row[a]
    return out


def _interpolate_way(
    table: Float32Array, pressure: Float32Array, index: NDArray[np.intp], weight: Float32Array
) -> Float32Array:
    """One-way transmittance (band, pressure, sza, aod) at points; returns (band, point, aod)."""
    out = np.zeros((table.shape[0], index.shape[0], table.shape[-1]), dtype=np.float32)
    for p in range(pressure.shape[1]):
        for i in range(4):
            out += (pressure[:, p] * weight[:, i])[:, np.newaxis] * table[:, p, index[:, i]]
    return out
