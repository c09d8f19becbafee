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

from catalog.grid import Grid
from processing.sensors import calibration
from processing.simulate.archive import image_writer, pack, write_pictures
from processing.simulate.atmosphere import AirNodes, AirPlan, air_nodes, plan_air, scene_air
from processing.simulate.camera import Pushbroom, aim
from processing.simulate.clouds import Lean, displaced, draw_clouds, fit_lean
from processing.simulate.demo import demo_specs
from processing.simulate.ground import Ground, made_dem, made_ground
from processing.simulate.image import Detector, Scenery, expose
from processing.simulate.landcover import season
from processing.simulate.lattice import Lattice, map_lattice
from processing.simulate.metadata import SceneFacts, product_xml
from processing.simulate.orbit import Orbit
from processing.simulate.rpcfit import FittedRpc, fit_rpc, rpb_text
from processing.simulate.sixs import SkyQuery
from processing.simulate.spec import MadeLand, SceneSpec
from processing.simulate.sun import Sun, sun_at
from processing.simulate.terrain import heights
from processing.simulate.truth import lonlat_frame, write_dem, write_raster, write_record

__all__ = ["SceneSpec", "Simulated", "demo_specs", "simulate", "sky_queries"]

Floats = NDArray[np.float64]
Progress = Callable[[str, float], None]

CLOUDY = 20
"""Opacity in hundredths from which a pixel counts as cloud or shadow in the truth."""
_MARGIN_PIXELS = 24
_RPC_MARGIN_M = 200.0
_HIGHEST_M = 1500.0
"""Height up to which the ground grid is made to reach; real land brings its own extent."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Where a simulated scene lies: its tar.gz and the folder with its truth."""

    package: Path
    truth: Path


@dataclass(frozen=True, slots=True)
class _Stage:
    """What is known before the image is taken: cameras, their lattices, sun and projection."""

    epsg: int
    whole: Pushbroom
    parts: tuple[Pushbroom, ...]
    lattice: Lattice
    sun: Sun
    grid_north_deg: float


def simulate(
    spec: SceneSpec,
    out: Path,
    progress: Progress | None = None,
    *,
    memory: Path | None = None,
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

    Raises
    ------
    AtmosphereError
        When the scene needs runs of 6SV that no table holds and 6SV is not installed.
    """
    tell = progress or (lambda step, share: None)
    out.mkdir(parents=True, exist_ok=True)
    truth = out / f"{spec.name}.truth"
    truth.mkdir(exist_ok=True)
    stage = _stage(spec)
    ground = _ground(spec, stage, lambda share: tell("land", share))
    scenery = _scenery(spec, stage, ground)
    nodes = air_nodes(_air_plan(spec, stage), memory, lambda share: tell("air", share))
    with tempfile.TemporaryDirectory(dir=out, prefix=".simulate-") as scratch:
        rpcs = _write_parts(spec, stage, scenery, nodes, Path(scratch), tell)
        cloud = _write_truth(spec, stage, scenery, truth)
        _write_texts(spec, stage, rpcs, cloud, Path(scratch))
        package = out / f"{spec.name}.tar.gz"
        pack(Path(scratch), package, spec.time)
    write_record(truth / "truth.json", _record(spec, stage, rpcs, nodes))
    tell("pack", 1.0)
    return Simulated(package, truth)


def _stage(spec: SceneSpec) -> _Stage:
    lon, lat = spec.centre
    epsg = (32600 if lat >= 0 else 32700) + int((lon + 180) // 6) % 60 + 1
    to_map = Transformer.from_crs(4326, epsg, always_xy=True)
    x, y = to_map.transform(lon, lat)
    height = _centre_height(spec, x, y)
    parts = spec.facts.parts
    cols = parts * spec.cols - (parts - 1) * spec.overlap
    first = -(spec.rows - 1) / 2, -(cols - 1) / 2
    loose = Pushbroom(
        Orbit(0, 0), math.radians(spec.tilt), spec.rows, cols, *first, phase_rad=spec.seed
    )
    whole = aim(loose, lon, lat, height)
    step = spec.cols - spec.overlap
    images = tuple(
        Pushbroom(
            whole.orbit, whole.tilt_rad, spec.rows, spec.cols, first[0], first[1] + i * step,
            whole.phase_rad,
        )
        for i in range(parts)
    )  # fmt: skip
    nx, ny = to_map.transform(lon, lat + 1e-3)
    north = math.degrees(math.atan2(nx - x, ny - y))
    return _Stage(epsg, whole, images, map_lattice(whole, epsg), sun_at(spec.utc), north)


def _centre_height(spec: SceneSpec, x: float, y: float) -> float:
    if isinstance(spec.land, MadeLand):
        return float(heights(np.array([x]), np.array([y]), spec.land.seed)[0])
    return 0.0


def _frame(stage: _Stage) -> Grid:
    """Return the 16 m grid on whole multiples of 16 m that holds all the image can see."""
    east, north = zip(*(stage.lattice.at(h) for h in (0.0, _HIGHEST_M)), strict=True)
    step = 16.0
    ulx = math.floor(min(e.min() for e in east) / step) - _MARGIN_PIXELS
    uly = math.ceil(max(n.max() for n in north) / step) + _MARGIN_PIXELS
    cols = math.ceil(max(e.max() for e in east) / step) + _MARGIN_PIXELS - ulx
    rows = uly - math.floor(min(n.min() for n in north) / step) + _MARGIN_PIXELS
    return Grid(stage.epsg, ulx * step, uly * step, step, rows, cols)


def _sun_at_centre(spec: SceneSpec, stage: _Stage) -> tuple[float, float]:
    zenith, azimuth = stage.sun.angles(*(np.array([v]) for v in spec.centre))
    return float(zenith[0]), float(azimuth[0])


def _ground(spec: SceneSpec, stage: _Stage, progress: Callable[[float], None]) -> Ground:
    zenith, azimuth = _sun_at_centre(spec, stage)
    look = season(spec.camera, spec.utc.timetuple().tm_yday, zenith, azimuth + stage.grid_north_deg)
    assert isinstance(spec.land, MadeLand)
    return made_ground(_frame(stage), look, spec.land.seed, progress)


def _scenery(spec: SceneSpec, stage: _Stage, ground: Ground) -> Scenery:
    if spec.clouds is None:
        return Scenery(ground)
    zenith, azimuth = _sun_at_centre(spec, stage)
    reach = math.tan(math.radians(max(zenith, 40))) * spec.clouds.height_m
    margin = math.ceil(reach / ground.grid.resolution) + 2
    grid = ground.grid.window(
        -margin, -margin, ground.grid.rows + 2 * margin, ground.grid.cols + 2 * margin
    )
    sheet = draw_clouds(spec.clouds, grid, azimuth + stage.grid_north_deg)
    shadow = displaced(sheet, ground.grid, ground.height, _sun_lean(stage))
    return Scenery(ground, shadow, sheet)


def _sun_lean(stage: _Stage) -> Lean:
    x, y = stage.lattice.at(0.0)
    lon, lat = Transformer.from_crs(stage.epsg, 4326, always_xy=True).transform(x, y)
    zenith, azimuth = stage.sun.angles(lon, lat)
    slope, turn = np.tan(np.radians(zenith)), np.radians(azimuth + stage.grid_north_deg)
    return fit_lean(x, y, slope * np.sin(turn), slope * np.cos(turn))


def _view_lean(stage: _Stage) -> Lean:
    return fit_lean(*stage.lattice.at(300.0), *stage.lattice.lean(300.0))


def _optical_depth(spec: SceneSpec, stage: _Stage, x: Floats, y: Floats) -> Floats:
    cx, cy = Transformer.from_crs(4326, stage.epsg, always_xy=True).transform(*spec.centre)
    return spec.air.optical_depth(x - cx, y - cy)


def sky_queries(spec: SceneSpec) -> tuple[SkyQuery, ...]:
    """Return the runs of 6SV that a scene asks for."""
    return _air_plan(spec, _stage(spec)).queries


def _air_plan(spec: SceneSpec, stage: _Stage) -> AirPlan:
    aod = _optical_depth(spec, stage, *stage.lattice.at(300.0))
    limits = float(aod.min()), float(aod.max()) + 1e-3
    return plan_air(spec.camera, stage.whole, spec.air, stage.sun, aod_range=limits)


def _write_parts(
    spec: SceneSpec,
    stage: _Stage,
    scenery: Scenery,
    nodes: AirNodes,
    folder: Path,
    tell: Progress,
) -> list[FittedRpc]:
    facts = spec.facts
    table = calibration(facts, spec.utc.year)
    detector = Detector(table, stage.sun.distance_au, facts.saturation_dn, spec.noise)
    height = scenery.ground.height
    rpcs = []
    for index, part in enumerate(stage.parts):
        stem = spec.name if facts.parts == 1 else f"{spec.name}-{index + 1}"
        lattice = map_lattice(part, stage.epsg)
        aod = _optical_depth(spec, stage, *lattice.at(300.0))
        offset = part.origin_col - stage.whole.origin_col
        air = scene_air(nodes, part, lattice, offset, aod, stage.sun)
        with image_writer(folder / f"{stem}.tiff", len(facts.bands), part.rows, part.cols) as image:
            for first, counts in expose(part, lattice, scenery, air, detector, spec.seed + index):
                image.write(first, counts)
                tell("image", (index + first / part.rows) / facts.parts)
        write_pictures(folder, stem, image.browse())
        rpc = fit_rpc(
            part, float(height.min()) - _RPC_MARGIN_M, float(height.max()) + _RPC_MARGIN_M
        )
        given = rpc.shifted(*spec.rpc_error)
        (folder / f"{stem}.rpb").write_text(rpb_text(given, facts.satellite))
        rpcs.append(rpc)
    return rpcs


def _write_truth(spec: SceneSpec, stage: _Stage, scenery: Scenery, folder: Path) -> float:
    """Write the rasters and return the share of the ground under cloud, 0-1."""
    ground, grid = scenery.ground, scenery.ground.grid
    names = tuple(band.name for band in spec.facts.bands)
    write_raster(folder / "sr.tif", ground.reflectance, grid, names=names, scale=1e-4, nodata=0)
    write_raster(folder / "height.tif", ground.height, grid, names=("height",))
    write_raster(folder / "water.tif", ground.water, grid, names=("water",))
    x = grid.ulx + (np.arange(grid.cols) + 0.5) * grid.resolution
    y = grid.uly - (np.arange(grid.rows) + 0.5) * grid.resolution
    aod = _optical_depth(spec, stage, x[None, :], y[:, None])
    encoded = np.rint(aod * 1e4).astype(np.uint16)
    write_raster(folder / "aod.tif", encoded, grid, names=("aod550",), scale=1e-4, nodata=0)
    nothing = np.zeros(grid.shape, np.uint8)
    sheet, shadow = scenery.clouds, scenery.shadow
    cloud = nothing if sheet is None else displaced(sheet, grid, ground.height, _view_lean(stage))
    for name, opacity in (("cloud", cloud), ("shadow", nothing if shadow is None else shadow)):
        drawn = (opacity >= CLOUDY).astype(np.uint8)
        write_raster(folder / f"{name}.tif", drawn, grid, names=(name,))
        write_raster(folder / f"{name}_opacity.tif", opacity, grid, names=(name,), scale=0.01)
    _write_heights(spec, stage, grid, folder)
    return float((cloud >= CLOUDY).mean())


def _write_heights(spec: SceneSpec, stage: _Stage, grid: Grid, folder: Path) -> None:
    to_degrees = Transformer.from_crs(stage.epsg, 4326, always_xy=True)
    bounds = lonlat_frame(*to_degrees.transform_bounds(*grid.bounds))
    assert isinstance(spec.land, MadeLand)
    dem = made_dem(bounds, 1 / 3600, stage.epsg, spec.land.seed)
    write_dem(folder / "dem.tif", dem, bounds[0], bounds[3])


def _view_at_centre(stage: _Stage) -> tuple[float, float]:
    whole = stage.whole
    zenith, azimuth = whole.view_angles(
        np.array([(whole.rows - 1) / 2]), np.array([(whole.cols - 1) / 2]), np.zeros(1)
    )
    return float(zenith[0]), float(azimuth[0])


def _write_texts(
    spec: SceneSpec, stage: _Stage, rpcs: list[FittedRpc], cloud: float, folder: Path
) -> None:
    whole = stage.whole
    row = np.array([-0.5, -0.5, whole.rows - 0.5, whole.rows - 0.5])
    col = np.array([-0.5, whole.cols - 0.5, whole.cols - 0.5, -0.5])
    lon, lat = whole.ground(row, col, np.full(4, rpcs[0].offset[4]))
    seconds = whole.seconds(np.array([-0.5, whole.rows - 0.5]))
    facts = SceneFacts(
        name=spec.name,
        camera=spec.facts,
        product_id=spec.product_id,
        centre_time=spec.utc,
        start_time=spec.utc + timedelta(seconds=float(seconds[0])),
        end_time=spec.utc + timedelta(seconds=float(seconds[1])),
        centre=spec.centre,
        corners=tuple((float(a), float(b)) for a, b in zip(lon, lat, strict=True)),
        rows=whole.rows,
        cols=spec.cols,
        sun=_sun_at_centre(spec, stage),
        view=_view_at_centre(stage),
        tilt_deg=spec.tilt,
        cloud_percent=round(100 * cloud),
        altitude_m=whole.orbit.radius_m,
    )
    (folder / f"{spec.name}.xml").write_text(product_xml(facts), encoding="utf-8")


def _record(
    spec: SceneSpec, stage: _Stage, rpcs: list[FittedRpc], nodes: AirNodes
) -> dict[str, Any]:
    zenith, azimuth = _sun_at_centre(spec, stage)
    view = _view_at_centre(stage)
    return {
        "name": spec.name,
        "camera": spec.camera,
        "time_utc": spec.utc.isoformat(),
        "centre_lon_lat": list(spec.centre),
        "rpc_residual_px": [{"rmse": r.rmse_px, "max": r.max_px} for r in rpcs],
        "rpc_error_px": list(spec.rpc_error),
        "sun_zenith_deg": zenith,
        "sun_azimuth_deg": azimuth,
        "view_zenith_deg": view[0],
        "view_azimuth_deg": view[1],
        "aerosol": spec.air.aerosol,
        "aod550_centre": spec.air.aod,
        "aod550_nodes": nodes.aods.tolist(),
        "ozone_du": spec.air.ozone_du,
        "water_vapour_g_cm2": spec.air.water_g_cm2,
        "vertical_datum": "WGS84 ellipsoid",
        "radiative_transfer": "6SV 1.1",
        "cloud_height_m": spec.clouds.height_m if spec.clouds else None,
    }
