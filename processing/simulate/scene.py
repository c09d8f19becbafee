"""From a specification to an L1A package with its truth: the story of one simulated scene."""

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from processing.sensors import calibration
from processing.simulate.archive import image_writer, pack, write_pictures
from processing.simulate.atmosphere import AirNodes, AirPlan, air_nodes, plan_air, scene_air
from processing.simulate.camera import Pushbroom
from processing.simulate.clouds import displaced, draw_clouds
from processing.simulate.demo import demo_specs
from processing.simulate.ground import Ground
from processing.simulate.image import Detector, Scenery, expose
from processing.simulate.land import centre_height, dem_below, ground_below
from processing.simulate.lattice import map_lattice
from processing.simulate.metadata import SceneFacts, product_xml
from processing.simulate.rpcfit import FittedRpc, fit_rpc, rpb_text
from processing.simulate.sixs import SkyQuery
from processing.simulate.spec import SceneSpec
from processing.simulate.stage import Stage, set_stage
from processing.simulate.surround import surroundings
from processing.simulate.truth import (
    CLOUDY,
    dem_frame,
    write_dem,
    write_rasters,
    write_record,
    write_veil,
)

__all__ = ["SceneSpec", "Simulated", "demo_specs", "simulate", "sky_queries"]

Progress = Callable[[str, float], None]

_RPC_MARGIN_M = 200.0
_AIR_HEIGHT_M = 500.0
"""Height at which the aerosol field is read along the camera's rays."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Where a simulated scene lies: its tar.gz and the folder with its truth."""

    package: Path
    truth: Path


def simulate(
    spec: SceneSpec, out: Path, progress: Progress | None = None, *, memory: Path | None = None
) -> Simulated:
    """Write ``<name>.tar.gz`` and the folder ``<name>.truth`` into ``out``.

    Parameters
    ----------
    spec
        The scene.
    out
        Folder for package and truth; made when absent.
    progress
        Called with a word for the step and the share of it that is done.
    memory
        Table of 6SV runs of one's own, read and added to.

    Returns
    -------
    Simulated
        The truth folder holds ``sr.tif``, ``aod.tif``, ``height.tif``, ``cloud.tif``,
        ``shadow.tif`` (each with its opacity) and ``water.tif`` on a 16 m UTM grid, ``dem.tif``
        (longitude and latitude, ellipsoidal) and ``truth.json``.

    Raises
    ------
    AtmosphereError
        When the scene needs runs of 6SV that no table holds and 6SV is not installed.
    """
    tell = progress or (lambda step, share: None)
    out.mkdir(parents=True, exist_ok=True)
    package, truth = out / f"{spec.name}.tar.gz", out / f"{spec.name}.truth"
    truth.mkdir(exist_ok=True)
    stage = set_stage(spec, centre_height(spec))
    scenery = _scenery(spec, stage, ground_below(spec, stage, lambda done: tell("land", done)))
    plan = _air_plan(spec, stage)
    nodes = air_nodes(plan, memory, lambda done: tell("air", done))
    with tempfile.TemporaryDirectory(dir=out, prefix=".simulate-") as scratch:
        folder = Path(scratch)
        rpcs = [
            _write_part(spec, stage, scenery, nodes, folder, index, tell)
            for index in range(len(stage.parts))
        ]
        cloud = _write_truth(spec, stage, scenery, truth)
        facts = scene_facts(spec, stage, float(scenery.ground.height.mean()), cloud)
        (folder / f"{spec.name}.xml").write_text(product_xml(facts), encoding="utf-8")
        tell("pack", 0.0)
        pack(folder, package, spec.time)
    write_record(truth / "truth.json", _record(spec, stage, rpcs, plan))
    tell("pack", 1.0)
    return Simulated(package, truth)


def sky_queries(spec: SceneSpec) -> tuple[SkyQuery, ...]:
    """Return the runs of 6SV that a scene asks for."""
    return _air_plan(spec, set_stage(spec, centre_height(spec))).queries


def _air_plan(spec: SceneSpec, stage: Stage) -> AirPlan:
    aod = stage.optical_depth(spec, *stage.lattice.at(_AIR_HEIGHT_M))
    limits = math.floor(100 * aod.min()) / 100, math.floor(100 * aod.max() + 1) / 100
    return plan_air(spec.camera, stage.whole, spec.air, stage.sun, aod_range=limits)


def _scenery(spec: SceneSpec, stage: Stage, ground: Ground) -> Scenery:
    if spec.clouds is None:
        return Scenery(ground)
    steepest = math.radians(max(stage.sun_zenith_deg, stage.view()[0]) + 5)
    margin = math.ceil(spec.clouds.height_m * math.tan(steepest) / ground.grid.resolution)
    rows, cols = ground.grid.shape
    above = ground.grid.window(-margin, -margin, rows + 2 * margin, cols + 2 * margin)
    sheet = draw_clouds(spec.clouds, above, stage.sun_azimuth_deg + stage.north_deg)
    shadow = displaced(sheet, ground.grid, ground.height, stage.sun_lean())
    return Scenery(ground, shadow, sheet)


def _write_part(
    spec: SceneSpec,
    stage: Stage,
    scenery: Scenery,
    nodes: AirNodes,
    folder: Path,
    index: int,
    tell: Progress,
) -> FittedRpc:
    """Write image, pictures and RPC of one part; return the RPC as fitted."""
    part, parts, facts = stage.parts[index], len(stage.parts), spec.facts
    stem = spec.name if parts == 1 else f"{spec.name}-{index + 1}"
    lattice = map_lattice(part, stage.epsg)
    aod = stage.optical_depth(spec, *lattice.at(_AIR_HEIGHT_M))
    offset = part.origin_col - stage.whole.origin_col
    around = surroundings(scenery.ground, lattice) if spec.air.adjacency else None
    air = scene_air(nodes, part, lattice, offset, aod, stage.sun, around)
    table = calibration(facts, spec.utc.year)
    detector = Detector(table, stage.sun.distance_au, facts.saturation_dn, spec.noise)
    with image_writer(folder / f"{stem}.tiff", len(facts.bands), part.rows, part.cols) as image:
        for first, counts in expose(part, lattice, scenery, air, detector, spec.seed + index):
            image.write(first, counts)
            tell("image", (index + first / part.rows) / parts)
    write_pictures(folder, stem, image.browse())
    return _write_rpc(spec, part, scenery.ground.height, folder / f"{stem}.rpb")


def _write_rpc(
    spec: SceneSpec, part: Pushbroom, height: NDArray[np.float32], path: Path
) -> FittedRpc:
    rpc = fit_rpc(part, float(height.min()) - _RPC_MARGIN_M, float(height.max()) + _RPC_MARGIN_M)
    path.write_text(rpb_text(rpc.shifted(*spec.rpc_error), spec.facts.satellite))
    return rpc


def _write_truth(spec: SceneSpec, stage: Stage, scenery: Scenery, folder: Path) -> float:
    """Write the rasters and return the share of the ground under cloud, 0-1."""
    ground, grid = scenery.ground, scenery.ground.grid
    x = grid.ulx + (np.arange(grid.cols) + 0.5) * grid.resolution
    aod = np.empty(grid.shape, np.uint16)
    for row in range(grid.rows):
        y = np.full(grid.cols, grid.uly - (row + 0.5) * grid.resolution)
        aod[row] = np.rint(1e4 * stage.optical_depth(spec, x, y))
    write_rasters(folder, ground, tuple(band.name for band in spec.facts.bands), aod)
    cloud = shadow = np.zeros(grid.shape, np.uint8)
    if scenery.clouds is not None and scenery.shadow is not None:
        cloud = displaced(scenery.clouds, grid, ground.height, stage.view_lean())
        shadow = scenery.shadow
    write_veil(folder, "cloud", cloud, grid)
    write_veil(folder, "shadow", shadow, grid)
    to_degrees = Transformer.from_crs(stage.epsg, 4326, always_xy=True)
    west, south, east, north = to_degrees.transform_bounds(*grid.bounds)
    east += 360.0 * (east < west)  # over the antimeridian
    west, north, shape = dem_frame(west, south, east, north)
    write_dem(folder / "dem.tif", dem_below(spec, stage, west, north, shape), west, north)
    return float((cloud >= CLOUDY).mean())


def scene_facts(spec: SceneSpec, stage: Stage, height_m: float, cloud: float) -> SceneFacts:
    """Return what the XML of a scene tells: corners at a height (m), share of cloud 0-1."""
    whole = stage.whole
    row = np.array([-0.5, -0.5, whole.rows - 0.5, whole.rows - 0.5])
    col = np.array([-0.5, whole.cols - 0.5, whole.cols - 0.5, -0.5])
    lon, lat = whole.ground(row, col, np.full(4, height_m))
    start, end = (timedelta(seconds=float(s)) for s in whole.seconds(row[[0, 2]]))
    return SceneFacts(
        camera=spec.facts,
        product_id=spec.product_id,
        centre_time=spec.utc,
        start_time=spec.utc + start,
        end_time=spec.utc + end,
        centre=spec.centre,
        corners=tuple((float(a), float(b)) for a, b in zip(lon, lat, strict=True)),
        rows=whole.rows,
        cols=spec.cols,
        sun=(stage.sun_zenith_deg, stage.sun_azimuth_deg),
        view=stage.view(),
        tilt_deg=spec.tilt,
        cloud_percent=round(100 * cloud),
    )


def _record(spec: SceneSpec, stage: Stage, rpcs: list[FittedRpc], plan: AirPlan) -> dict[str, Any]:
    view_zenith, view_azimuth = stage.view()
    return {
        "name": spec.name,
        "camera": spec.camera,
        "time_utc": spec.utc.isoformat(),
        "centre_lon_lat": list(spec.centre),
        "tilt_deg": spec.tilt,
        "sun_zenith_deg": stage.sun_zenith_deg,
        "sun_azimuth_deg": stage.sun_azimuth_deg,
        "sun_distance_au": stage.sun.distance_au,
        "view_zenith_deg": view_zenith,
        "view_azimuth_deg": view_azimuth,
        "rpc_residual_px": [{"rmse": rpc.rmse_px, "max": rpc.max_px} for rpc in rpcs],
        "rpc_error_px": list(spec.rpc_error),
        "radiative_transfer": "6SV 1.1",
        "aerosol": spec.air.aerosol,
        "aod550_centre": spec.air.aod,
        "adjacency": spec.air.adjacency,
        "aod550_nodes": plan.aods.tolist(),
        "ozone_du": spec.air.ozone_du,
        "water_vapour_g_cm2": spec.air.water_g_cm2,
        "vertical_datum": "WGS84 ellipsoid",
        "cloud_height_m": None if spec.clouds is None else spec.clouds.height_m,
        "cloud_opacity_limit": CLOUDY / 100,
    }
