"""One look at the whole scene on a coarse ground grid, so that overlapping tiles agree.

At 32 m the scene is classified, at 512 m its aerosol is fitted; both are sampled by each tile.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.atmosphere.aod import AodField, fit_aod
from processing.atmosphere.cells import CELL_FACTOR
from processing.atmosphere.gas import GasColumns, gas_climatology
from processing.atmosphere.prior import AodPrior, climatology
from processing.calibrate import reflectance_factors, toa_reflectance
from processing.geometry.angles import AngleField, angle_field
from processing.geometry.dem import HeightModel
from processing.geometry.field import GroundField
from processing.geometry.ortho import coarse_scene
from processing.geometry.terrain import hidden_ground
from processing.package import L1APackage
from processing.placement import UNPLACED, Placement
from processing.quality.mask import SceneQuality, look
from processing.sensors import Calibration
from processing.settings import ProcessSettings

LOOK_M = 32

CALIBRATION_NOTES = {
    "nearest-year": "no calibration table of the year: that of the nearest year was used",
    "single-source": "the calibration table of the year rests on a single source",
}


@dataclass(frozen=True, slots=True)
class Observation:
    """What the scene is before its pixels are corrected: image, light, heights and place.

    The camera models of the package hold the correction that ``placement`` tells of.
    ``height_notes`` are what `processing.geometry.plausible.height_notes` says of the heights.
    """

    package: L1APackage
    calibration: Calibration
    heights: HeightModel
    height_notes: tuple[str, ...] = ()
    placement: Placement = UNPLACED

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user of the product ought to know, one sentence each."""
        notes = [CALIBRATION_NOTES[flag] for flag in self.calibration.flags]
        return (*notes, *self.height_notes)

    @property
    def factors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scale and offset per band of DN to reflectance times the cosine of the sun zenith."""
        return reflectance_factors(self.calibration, self.package.centre_time)

    def angles(self, grid: Grid) -> AngleField:
        """Return sun and view angles over ``grid``."""
        package = self.package
        return angle_field(package.parts, package.start_time, package.end_time, grid, self.heights)


@dataclass(frozen=True, slots=True)
class SceneLook:
    """The scene understood as a whole: classes at 32 m, aerosol at 512 m, gases."""

    quality: SceneQuality
    aod: AodField
    prior: AodPrior
    gas: GasColumns
    sun_zenith_deg: float


def look_at(
    seen: Observation, settings: ProcessSettings, progress: Callable[[str], None]
) -> SceneLook:
    """Classify the scene and fit its aerosol on the coarse ground grid.

    Parameters
    ----------
    seen
        The calibrated, located scene.
    settings
        Options of production.
    progress
        Called with the name of each step.
    """
    progress("reading the scene at 32 m")
    package = seen.package
    grid, dn, saturated = coarse_scene(
        package.parts,
        seen.heights,
        resolution_m=LOOK_M,
        saturation_dn=package.camera.saturation_dn,
    )
    cells = grid.coarsen(CELL_FACTOR)
    field = seen.angles(grid)
    angles = field.on(cells)
    cos_sza = GroundField(cells, np.cos(np.radians(angles.sun_zenith))).on(grid)
    toa = toa_reflectance(dn, seen.factors, cos_sza)
    del dn
    heights = seen.heights.on(grid)

    progress("finding clouds, shadows, snow and water")
    month = package.centre_time.month
    quality = look(
        toa,
        grid,
        field,
        heights,
        package.camera,
        network=settings.network,
        month=month,
        saturated=saturated,
        hidden=hidden_ground(seen.heights, grid, field),
    )

    progress("fitting the aerosol")
    longitude, latitude = package.centre
    gas = gas_climatology(latitude, month)
    prior = climatology(latitude, longitude, month)
    aod = fit_aod(
        toa,
        quality.clear_land,
        grid,
        angles=angles,
        heights=seen.heights.on(cells),
        camera_name=package.camera.name,
        gas=gas,
        prior=prior,
    )
    return SceneLook(quality, aod, prior, gas, float(np.nanmean(angles.sun_zenith)))
