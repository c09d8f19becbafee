"""One look at the whole scene on a coarse ground grid, so that overlapping tiles agree.

At 32 m the scene is classified, at 512 m its aerosol is fitted; both are sampled by each tile.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.errors import ImageError
from catalog.grid import Grid, tiles_touching
from catalog.store import Store
from processing.atmosphere.air import Air
from processing.atmosphere.aod import AodField, fit_cells, scene_signals
from processing.atmosphere.cells import CELL_FACTOR
from processing.atmosphere.gas import GasColumns, gas_climatology
from processing.atmosphere.prior import AodPrior, climatology
from processing.atmosphere.sky import Sky
from processing.auxiliary import Auxiliary
from processing.blocks import Whole, blocks
from processing.calibrate import reflectance_factors, toa_reflectance, usable_cosine
from processing.gathered import Gathered
from processing.geometry.angles import AngleField, angle_field
from processing.geometry.dem import HeightModel
from processing.geometry.field import GroundField
from processing.geometry.ortho import coarse_window, footprint, scene_grid
from processing.geometry.terrain import hidden_ground
from processing.library.expect import Sources, from_history, from_library
from processing.package import L1APackage
from processing.placement import UNPLACED, Placement
from processing.quality.edges import Edges
from processing.quality.mask import SceneQuality, look
from processing.quality.models import load_model
from processing.relief import Relief
from processing.sensors import Calibration
from processing.settings import ProcessSettings
from processing.surround import Surroundings

LOOK_M = 32

CALIBRATION_NOTES = {
    "nearest-year": "no calibration table of the year: that of the nearest year was used",
    "single-source": "the calibration table of the year rests on a single source",
}


@dataclass(frozen=True, slots=True)
class Observation:
    """What the scene is before its pixels are corrected: image, light, heights and place.

    The camera models of the package hold the correction that ``placement`` tells of.
    ``auxiliary`` is what an analysis says of its air; None leaves that to the climatology.
    ``height_notes`` are what `processing.geometry.plausible.height_notes` says of the heights.
    """

    package: L1APackage
    calibration: Calibration
    heights: HeightModel
    height_notes: tuple[str, ...] = ()
    placement: Placement = UNPLACED
    auxiliary: Auxiliary | None = None

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
    """The scene understood as a whole: classes at 32 m, aerosol at 512 m, gases.

    ``surroundings`` and ``relief`` are what is found for options that were asked for.
    """

    quality: SceneQuality
    aod: AodField
    prior: AodPrior
    gas: GasColumns
    sun_zenith_deg: float
    surfaces: Sources
    surroundings: Surroundings | None = None
    relief: Relief | None = None


def look_at(
    seen: Observation,
    settings: ProcessSettings,
    progress: Callable[[str], None],
    *,
    store: Store,
    library: Path | None = None,
) -> SceneLook:
    """Classify the scene and fit its aerosol on the coarse ground grid.

    Large scenes are looked at block by block, with so much around each that the clouds whose
    shadows fall into it are seen; what comes out is one field over the whole scene.

    Parameters
    ----------
    seen
        The calibrated, located scene.
    settings
        Options of production.
    progress
        Called with the name of each step.
    store
        Archive of earlier products.
    library
        Folder of a surface library, or None.

    Raises
    ------
    ImageError
        No pixel can be used.
    """
    package = seen.package
    grid = scene_grid(package.parts, seen.heights, LOOK_M)
    longitude, latitude = package.centre
    gas = gas_climatology(latitude, package.centre_time.month)
    prior = climatology(latitude, longitude, package.centre_time.month)
    if seen.auxiliary is not None:
        ground_m = float(seen.heights.on(grid.coarsen(CELL_FACTOR)).mean())
        gas, prior = seen.auxiliary.gas(gas, ground_m), seen.auxiliary.prior(prior)
    asked = Gathered.by(settings, grid, package.camera)
    whole = _in_blocks(seen, settings, progress, grid, (gas, prior), asked)
    progress("fitting the aerosol")
    cells = grid.coarsen(CELL_FACTOR)
    air = _air(seen, cells, gas, prior)
    known = _surfaces(seen, settings, store, library, cells)
    errors = seen.calibration.normalisation_uncertainty if settings.uncertainty else ()
    aod = fit_cells(whole.signals, cells, air, prior, known.surfaces, calibration_sigma=errors)
    sun_zenith = float(np.nanmean(air.angles.sun_zenith))
    sky = Sky(package.camera.name, aod, gas, seen.angles(grid), seen.heights)
    around, relief = asked.found(sky, package.camera, progress)
    return SceneLook(whole.scene_quality(), aod, prior, gas, sun_zenith, known, around, relief)


def _in_blocks(
    seen: Observation,
    settings: ProcessSettings,
    progress: Callable[[str], None],
    grid: Grid,
    expected: tuple[GasColumns, AodPrior],
    asked: Gathered,
) -> Whole:
    """Classify a scene block by block; fill what the options ask for.

    The pixels of a block are gone before the next one, and before the aerosol is fitted.
    """
    whole: Whole | None = None
    pieces = list(blocks(grid))
    for number, block in enumerate(pieces, start=1):
        part = f", block {number} of {len(pieces)}" if len(pieces) > 1 else ""
        progress(f"reading the scene at 32 m{part}")
        toa, saturated = _toa(seen, block.frame, settings.sun_limit_deg)
        if not np.isfinite(toa[0]).any():
            continue
        progress(f"finding clouds, shadows, snow and water{part}")
        quality = _classify(seen, block.frame, toa, saturated, settings)
        air = _air(seen, block.frame.coarsen(CELL_FACTOR), *expected)
        signals = scene_signals(toa, quality.clear_land, air, saturated)
        if whole is None:
            whole = Whole.like(quality, signals, grid)
        whole.put(block, quality, signals)
        asked.put(block, toa, quality, seen.heights, seen.angles(block.frame))
        del toa, saturated, quality
    if whole is None:
        raise ImageError(
            f"{seen.package.name}: no pixel has counts in all bands and the sun within "
            f"{settings.sun_limit_deg:g} degrees of the zenith; fetch the package again"
        )
    return whole


def _surfaces(
    seen: Observation,
    settings: ProcessSettings,
    store: Store,
    library: Path | None,
    cells: Grid,
) -> Sources:
    """Gather what library and archive expect of the ground."""
    package = seen.package
    camera_name = package.camera.name
    tiles = tiles_touching(footprint(package.parts, seen.heights))
    known = from_history(
        store, camera_name, tiles, cells, package.centre_time, settings.history_days
    )
    if library is None:
        return known
    predicted = from_library(library, camera_name, tiles, cells, seen.angles(cells))
    return Sources(predicted.surfaces + known.surfaces, predicted.names + known.names)


def _toa(
    seen: Observation, frame: Grid, sun_limit_deg: float
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Read a frame as TOA reflectance, NaN = no data, and its saturated bands as bits."""
    package = seen.package
    dn, saturated = coarse_window(
        package.parts, seen.heights, frame, saturation_dn=package.camera.saturation_dn
    )
    cells = frame.coarsen(CELL_FACTOR)
    sun_zenith = GroundField(cells, seen.angles(frame).on(cells).sun_zenith).on(frame)
    cos_sza = usable_cosine(sun_zenith, sun_limit_deg)
    return toa_reflectance(dn, seen.factors, cos_sza), saturated


def _classify(
    seen: Observation,
    frame: Grid,
    toa: NDArray[np.float32],
    saturated: NDArray[np.uint8],
    settings: ProcessSettings,
) -> SceneQuality:
    """Classify the pixels of a frame."""
    field = seen.angles(frame)
    return look(
        toa,
        frame,
        field,
        seen.heights.on(frame),
        seen.package.camera,
        network=settings.network,
        month=seen.package.centre_time.month,
        saturated=saturated,
        hidden=hidden_ground(seen.heights, frame, field),
        model=load_model(settings.mask_model) if settings.network else None,
        snow_prior=settings.snow_prior,
        edges=Edges(cloud_buffer=settings.cloud_buffer_px, shadow_buffer=settings.shadow_buffer_px),
    )


def _air(seen: Observation, cells: Grid, gas: GasColumns, prior: AodPrior) -> Air:
    """Return the atmosphere over cells."""
    angles = seen.angles(cells).on(cells)
    return Air(seen.package.camera.name, prior.model, gas, angles, seen.heights.on(cells))
