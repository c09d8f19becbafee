"""The atmosphere over the cells of a scene at every optical depth of the look-up table."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from catalog.errors import AtmosphereError
from processing.atmosphere.correct import gas_coupled
from processing.atmosphere.gas import GasColumns, gas_transmittance
from processing.atmosphere.lut import (
    Float32Array,
    Terms,
    camera_lut,
    relative_azimuth_deg,
    surface_pressure_hpa,
)
from processing.geometry.angles import Angles
from processing.sensors import camera

LOWEST_SUN_ZENITH_DEG = 75.0
"""Sun zenith angle beyond which the look-up table ends and nothing is corrected."""

Where = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class Air:
    """All that the terms of the atmosphere over the cells depend on, but the optical depth.

    ``angles`` (degrees) and ``heights`` (metres above the ellipsoid, NaN counts as 0) have the
    shape of the cells.
    """

    camera_name: str
    model: str
    gas: GasColumns
    angles: Angles
    heights: Float32Array

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """Cells whose angles are known and covered by the look-up table."""
        sun = self.angles.sun_zenith
        known = np.isfinite(sun) & np.isfinite(self.angles.view_zenith)
        return np.asarray(known & (sun <= LOWEST_SUN_ZENITH_DEG))

    def check_sun(self) -> None:
        """Raise AtmosphereError where the sun is lower than the table covers in every cell."""
        sun = self.angles.sun_zenith[np.isfinite(self.angles.sun_zenith)]
        if sun.size and sun.min() > LOWEST_SUN_ZENITH_DEG:
            raise AtmosphereError(
                f"sun zenith angle {sun.min():.1f} degrees: the sun is too low, "
                f"at most {LOWEST_SUN_ZENITH_DEG:g} can be corrected"
            )

    def nodes(self, where: Where, bands: tuple[int, ...]) -> Terms:
        """Terms with gases of some cells, (bands, cells, nodes of optical depth)."""
        angles = self.angles
        sza, vza, sun, view, height = (
            np.asarray(values[where], dtype=np.float64)
            for values in (
                angles.sun_zenith,
                angles.view_zenith,
                angles.sun_azimuth,
                angles.view_azimuth,
                np.nan_to_num(self.heights),
            )
        )
        pressure = surface_pressure_hpa(height)
        terms = camera_lut(self.camera_name).node_terms(
            self.model,
            sza=sza,
            vza=vza,
            raa=relative_azimuth_deg(sun, view),
            pressure_hpa=pressure,
            bands=bands,
        )
        gases = gas_transmittance(
            self.camera_name, self.gas, sza=sza, vza=vza, pressure_hpa=pressure
        )
        above, water, half = (
            plane[list(bands)][..., np.newaxis]
            for plane in (gases.above, gases.water, gases.half_water)
        )
        return gas_coupled(terms, terms.path[..., :1], above, water, half)

    def clear_sky(self, bands: tuple[int, ...]) -> Terms:
        """Terms without haze, (bands, cell rows, cell cols), NaN where not usable."""
        usable = self.usable
        rows, cols = np.nonzero(usable)
        nodes = self.nodes((rows, cols), bands)
        planes = []
        for part in (nodes.path, nodes.transmittance, nodes.albedo):
            plane = np.full((len(bands), *usable.shape), np.nan, dtype=np.float32)
            plane[:, usable] = part[..., 0]
            planes.append(plane)
        return Terms(*planes)

    def along_depth(self, values: Float32Array, depths: NDArray[np.float64]) -> Float32Array:
        """Interpolate values at the nodes (last axis) to other optical depths, shape (n,)."""
        return camera_lut(self.camera_name).along_aod(self.model, values, depths)


def band_numbers(camera_name: str, names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the positions of bands in the file order of a camera, from 0."""
    order = [band.name for band in camera(camera_name).bands]
    return tuple(order.index(name) for name in names)
