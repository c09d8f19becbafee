"""The air over the cells of a grid once the optical depth of the scene is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.atmosphere.air import LOWEST_SUN_ZENITH_DEG
from processing.atmosphere.aod import AodField
from processing.atmosphere.correct import Coefficients, coefficients, fill_nearest
from processing.atmosphere.depths import camera_depths
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.lut import Float32Array, camera_lut, surface_pressure_hpa
from processing.atmosphere.transmission import OneWay, one_way
from processing.geometry.angles import AngleField, Angles
from processing.geometry.dem import HeightModel
from processing.geometry.field import GroundField


@dataclass(frozen=True, slots=True)
class Sky:
    """All that the correction of a scene rests on.

    ``known``, bool on the cells that are asked for, tells where the scene has data: elsewhere, as
    far as it lies, the nearest of them stands. None takes all. Where the sun stands lower than the
    look-up table knows, so does the nearest cell inside it.
    """

    camera_name: str
    fit: AodField
    gas: GasColumns
    directions: AngleField
    heights: HeightModel
    known: NDArray[np.bool_] | None = None

    def coefficients(
        self, cells: Grid, model: str | None = None, *, aod: Float32Array | None = None
    ) -> Coefficients:
        """Return inversion coefficients, also of another aerosol or optical depth.

        ``aod``, on the grid of ``fit``, is (rows, cols), or (bands, rows, cols) for a depth of its
        own in each band.
        """
        return coefficients(
            self.camera_name,
            model or self.fit.model,
            self.gas,
            angles=self._angles(cells),
            aod=self._aod(cells, aod),
            heights=self.heights.on(cells),
            cgrid=cells,
        )

    def upward(self, cells: Grid) -> OneWay:
        """Return the transmittances from the ground to the sensor."""
        return self._way(cells, self._angles(cells).view_zenith)

    def downward(self, cells: Grid) -> OneWay:
        """Return the transmittances from the sun to the ground."""
        return self._way(cells, self._angles(cells).sun_zenith)

    def _way(self, cells: Grid, zenith: Float32Array) -> OneWay:
        """Return the transmittances along a slant path."""
        way = one_way(
            camera_lut(self.camera_name),
            camera_depths(self.camera_name, self.fit.model),
            self.fit.model,
            zenith=zenith,
            pressure_hpa=surface_pressure_hpa(np.nan_to_num(self.heights.on(cells))),
            aod=self._aod(cells),
        )
        parts = (way.total, way.direct, way.rayleigh, way.aerosol)
        return OneWay(*(fill_nearest(part) for part in parts))

    def _aod(self, cells: Grid, aod: Float32Array | None = None) -> Float32Array:
        field = GroundField(self.fit.grid, self.fit.aod if aod is None else aod)
        return np.asarray(field.on(cells), dtype=np.float32)

    def _angles(self, cells: Grid) -> Angles:
        angles = self.directions.on(cells)
        usable = angles.sun_zenith <= LOWEST_SUN_ZENITH_DEG
        if self.known is not None:
            usable &= self.known
        if usable.all():
            return angles
        layers = (
            angles.sun_azimuth, angles.sun_zenith, angles.view_azimuth, angles.view_zenith,
        )  # fmt: skip
        return Angles(*(np.where(usable, layer, np.float32(np.nan)) for layer in layers))
