"""The story of one scene: open, identify, locate, look, then tile by tile correct and write."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.errors import DemError, GfardError, system_refusal
from catalog.facts import describe_file
from catalog.grid import Tile, tiles_touching
from catalog.item import build_item
from catalog.product import ItemId
from catalog.store import Store
from processing.auxiliary import read_auxiliary
from processing.calibrate import counts_of
from processing.describe import item_facts
from processing.geometry.dem import extent, open_dem
from processing.geometry.footprint import reach
from processing.geometry.ortho import footprint
from processing.geometry.plausible import height_notes
from processing.look import Observation, SceneLook, look_at
from processing.normalisation import DEFAULT_TABLE, normalised, read_normalisation
from processing.package import L1APackage, open_package
from processing.placement import UNPLACED, place
from processing.record import scene_record, write_geometry
from processing.result import SceneResult, Status, Stopwatch
from processing.sensors import calibration
from processing.settings import ProcessSettings
from processing.tile import TileImage, make_tile

_LOG = logging.getLogger(__name__)

Progress = Callable[[str], None]

CLOUD_REFLECTANCE = 0.5
"""At the top of the atmosphere; what is brighter is taken for cloud before clouds are known."""
DEM_MARGIN_DEG = 0.1
"""Heights are wanted this far beyond the scene: relief there throws its shadow into it."""


def _silent(_step: str) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One scene under way: how it is made, where it goes, and who hears of it."""

    package: L1APackage
    store: Store
    settings: ProcessSettings
    library: Path | None
    auxiliary: Path | None
    progress: Progress
    clock: Stopwatch


def produce(
    path: Path,
    *,
    store: Store,
    settings: ProcessSettings,
    dem: str | Path | None = None,
    reference: str | Path | None = None,
    library: Path | None = None,
    auxiliary: Path | None = None,
    progress: Progress = _silent,
) -> SceneResult:
    """Turn one L1A package into tile products in ``store``.

    Parameters
    ----------
    path
        Archive or folder of the package.
    store
        Where the products go; each item appears there whole or not at all. What became of the
        scene is kept there too, unless it failed.
    settings
        Options of production.
    dem
        File or folder of heights, or the name of a source; None takes the ellipsoid.
    reference
        Image to measure and correct the position with, as of `open_reference`; None for none.
    library
        Folder of a surface library, from which the aerosol over bright land is found; None for
        none.
    auxiliary
        File of an analysis of aerosol, ozone and water vapour, or folder of such files; None
        takes the climatology.
    progress
        Called with the name of each step.

    Returns
    -------
    SceneResult
        Done, rejected by a gate, or failed on bad input or by what the system refuses: all of
        these are results.
    """
    clock = Stopwatch()
    try:
        with ExitStack() as stack:
            progress("opening the package")
            with clock.step("open"):
                package = stack.enter_context(open_package(path))
            job = _Job(package, store, settings, library, auxiliary, progress, clock)
            return _produce(job, dem, reference)
    except GfardError as error:
        return _failed(path, error, str(error), clock)
    except OSError as error:
        _LOG.info("refused by the system", exc_info=True)
        return _failed(path, error, system_refusal(error), clock)


def _failed(path: Path, error: Exception, detail: str, clock: Stopwatch) -> SceneResult:
    """Return the result of a scene that cannot be made."""
    reason = type(error).__name__
    return SceneResult(path.name, Status.FAILED, reason, detail, timings=clock.timings())


def _produce(job: _Job, dem: str | Path | None, reference: str | Path | None) -> SceneResult:
    """Produce an opened package."""
    package, settings, clock = job.package, job.settings, job.clock
    if package.sun_zenith_deg > settings.sun_limit_deg:
        return _rejected(
            job,
            "low-sun",
            f"sun zenith {package.sun_zenith_deg:.1f} degrees, limit {settings.sun_limit_deg:g}",
        )
    with clock.step("locate"):
        seen = _observe(job, dem)
    with clock.step("register"):
        seen = _register(seen, reference, job)
    refusal = seen.placement.refusal(allow_unverified=settings.allow_unverified)
    if refusal is not None:
        return _rejected(job, *refusal, seen)
    with clock.step("look"):
        looked = look_at(seen, settings, job.progress, store=job.store, library=job.library)
    if looked.quality.cloud_shadow_percent >= settings.cloud_limit_percent:
        return _rejected(
            job,
            "cloud",
            f"cloud and shadow on {looked.quality.cloud_shadow_percent:.1f} % of the valid "
            f"pixels, limit {settings.cloud_limit_percent:g} %",
            seen,
            looked,
        )
    return _make_tiles(job, seen, looked)


def _make_tiles(job: _Job, seen: Observation, looked: SceneLook) -> SceneResult:
    """Make the products of every tile that the scene fills enough of."""
    settings = job.settings
    tiles = tiles_touching(footprint(seen.package.parts, seen.heights))
    items: list[str] = []
    empty: list[Tile] = []
    for tile in tiles:
        item = _make_item(job, seen, looked, tile)
        if item is None:
            empty.append(tile)
        else:
            items.append(item)
    if not items:
        return _rejected(
            job,
            "no-tile",
            f"none of {len(tiles)} touched tiles has {settings.minimum_valid_percent:g} % of "
            "valid pixels",
            seen,
            looked,
        )
    least = f"less than {settings.minimum_valid_percent:g} % of valid pixels when made again"
    return _ended(
        job,
        SceneResult(
            job.package.name,
            Status.DONE,
            items=tuple(items),
            figures={**_figures(seen, looked), "peak_memory_gb": job.clock.peak_memory_gb()},
            timings=job.clock.timings(),
            warnings=(*seen.warnings, *seen.placement.warnings, *_hide(job, empty, least)),
        ),
        seen,
    )


def _make_item(job: _Job, seen: Observation, looked: SceneLook, tile: Tile) -> str | None:
    """Make and keep the product of a tile; its pixels are gone before those of the next."""
    job.progress(f"tile {tile.name}")
    with job.clock.step("tiles"):
        image = make_tile(seen, looked, tile, job.settings)
    if image is None:
        return None
    with job.clock.step("write"):
        return _keep(image, seen, looked, job)


def _observe(job: _Job, dem: str | Path | None) -> Observation:
    """Find calibration and heights of the scene, and what an analysis says of its air."""
    package, settings = job.package, job.settings
    coefficients = calibration(
        package.camera,
        package.centre_time.year,
        from_xml=package.gains,
        irradiance=settings.irradiance,
    )
    table = read_normalisation(settings.normalisation or DEFAULT_TABLE)
    coefficients = normalised(coefficients, table, package.camera, package.centre_time.year)
    west, south, east, north = extent(*reach(package.parts))
    margin = DEM_MARGIN_DEG
    heights = open_dem(dem, (west - margin, south - margin, east + margin, north + margin))
    if settings.terrain_correction != "none" and heights.flat:
        raise DemError(
            f"terrain correction {settings.terrain_correction} needs heights and none are given: "
            "name them with --dem, or leave the correction out"
        )
    notes = height_notes(package.parts, heights)
    air = None
    if job.auxiliary is not None:
        air = read_auxiliary(job.auxiliary, package.centre_time, (west, south, east, north))
    return Observation(package, coefficients, heights, notes, auxiliary=air)


def _register(seen: Observation, reference: str | Path | None, job: _Job) -> Observation:
    """Bring the scene onto its reference."""
    cos_sza = math.cos(math.radians(seen.package.sun_zenith_deg))
    package, placement = place(
        seen.package,
        seen.heights,
        reference,
        job.store,
        job.settings,
        job.progress,
        cloud_dn=tuple(counts_of(CLOUD_REFLECTANCE, seen.factors, cos_sza)),
    )
    return replace(seen, package=package, placement=placement)


def _keep(image: TileImage, seen: Observation, looked: SceneLook, job: _Job) -> str:
    """Write one tile's item into the store and return its id."""
    package, settings = job.package, job.settings
    identity = ItemId(package.camera.name, package.centre_time, image.tile.name, settings.version)
    with job.store.draft(identity) as draft:
        files = image.write(draft.folder, str(identity))
        files |= write_geometry(draft.folder, identity, seen.placement)
        assets = [describe_file(key, path) for key, path in files.items()]
        facts = item_facts(identity, image, seen, looked, settings)
        draft.commit(build_item(facts, assets))
    return str(identity)


def _figures(seen: Observation, looked: SceneLook | None) -> dict[str, float]:
    """Return what was measured of the scene."""
    figures = seen.placement.figures
    if looked is None:
        return figures
    return {
        **figures,
        "cloud_shadow_percent": looked.quality.cloud_shadow_percent,
        "aod_mean": looked.aod.mean,
        "aod_retrieved_percent": looked.aod.retrieved_percent,
        "sun_zenith_deg": looked.sun_zenith_deg,
    }


def _rejected(
    job: _Job,
    reason: str,
    detail: str,
    seen: Observation | None = None,
    looked: SceneLook | None = None,
) -> SceneResult:
    """Return the result of a gate; what an earlier run made of the scene is hidden."""
    heights = open_dem(None, (0.0, 0.0, 0.0, 0.0)) if seen is None else seen.heights
    tiles = tiles_touching(footprint(job.package.parts, heights))
    result = SceneResult(
        job.package.name,
        Status.REJECTED,
        reason,
        detail,
        figures={} if seen is None else _figures(seen, looked),
        timings=job.clock.timings(),
        warnings=tuple(_hide(job, tiles, f"rejected when made again: {detail}")),
    )
    return _ended(job, result, seen)


def _hide(job: _Job, tiles: Iterable[Tile], reason: str) -> Iterator[str]:
    """Hide the products of an earlier run on tiles that this run makes none of; tell of each.

    A store holds of a scene and version what the last run made of it: a product that would not
    be made today is not offered beside the record that says so.
    """
    package = job.package
    for tile in tiles:
        identity = ItemId(package.camera.name, package.centre_time, tile.name, job.settings.version)
        stored = job.store.get(identity)
        if stored is not None:
            job.store.quarantine(stored, reason)
            yield (
                f"{identity} was made by an earlier run and is hidden now, its files stay; "
                "`gfard publish` takes it out of the catalogue"
            )


def _ended(job: _Job, result: SceneResult, seen: Observation | None) -> SceneResult:
    """Keep what became of the scene."""
    placement = UNPLACED if seen is None else seen.placement
    version = job.settings.version
    record = scene_record(job.package, version, placement, result)
    job.store.put_scene(f"{job.package.name}.{version}", record)
    return result
