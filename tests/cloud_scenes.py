"""Simulated scenes for the mask: land, clouds at known heights, their true shadows.

Everything comes from the simulator: the camera's and the sun's rays, the made land, the sheets of
cloud. Nothing of the code that finds clouds and shadows is used.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.quality.cloudbase import Rays
from processing.simulate.camera import TILT_DEG
from processing.simulate.clouds import CloudLayer, Lean, displaced, draw_clouds
from processing.simulate.ground import Ground, made_ground
from processing.simulate.landcover import season
from processing.simulate.spec import SceneSpec
from processing.simulate.stage import Stage, set_stage
from processing.simulate.truth import CLOUDY

LOOK_M = 32.0
CELL = 16
"""Pixels along one side of a cell of angles."""
LAYERS = (
    CloudLayer(1500.0, 0.10, size_m=2600.0),
    CloudLayer(4200.0, 0.05, size_m=5200.0, opacity=0.9),
    CloudLayer(9500.0, 0.03, size_m=8000.0, opacity=0.7),
)
SWATH_DEG = {"GF1WFV1": -32.0, "GF1WFV2": -16.0, "GF1WFV3": 16.0, "GF1WFV4": 32.0, "GF6WFV": -31.0}
"""Direction from the satellite to the outer edge of each camera's swath, across the flight."""
# Path reflectance, transmittance and diffuse share of the light of blue, green, red and NIR at an
# optical depth of 0.15, rounded from 6SV: shadows are lit by the sky.
_PATH = np.array((0.075, 0.045, 0.025, 0.012), np.float32)[:, None, None]
_CLEARNESS = np.array((0.78, 0.84, 0.89, 0.93), np.float32)[:, None, None]
_DIFFUSE = np.array((0.40, 0.27, 0.19, 0.12), np.float32)[:, None, None]


@dataclass(frozen=True, slots=True)
class CloudScene:
    """A simulated scene.

    ``toa`` is reflectance of blue, green, red and NIR (4, rows, cols); ``cloud`` where clouds
    are seen, ``shadow`` where the ground is in their shadow and in sight, ``inner`` where the
    cloud that casts it is in the image too, ``water`` where the ground is water, each bool
    (rows, cols). ``sun`` and ``view`` are (azimuth, zenith) on cells, degrees, azimuths from
    grid north.
    """

    grid: Grid
    toa: NDArray[np.float32]
    cloud: NDArray[np.bool_]
    shadow: NDArray[np.bool_]
    inner: NDArray[np.bool_]
    water: NDArray[np.bool_]
    heights: NDArray[np.float32]
    sun: tuple[NDArray[np.float32], NDArray[np.float32]]
    view: tuple[NDArray[np.float32], NDArray[np.float32]]

    @property
    def rays(self) -> Rays:
        """Displacement of shadows."""
        return Rays.of(self.sun, self.view, CELL, self.grid.resolution)

    @property
    def rays_without_view(self) -> Rays:
        """Displacement of shadows as if every cloud were seen from straight above it."""
        azimuth, zenith = self.view
        straight = (azimuth, np.zeros_like(zenith))
        return Rays.of(self.sun, straight, CELL, self.grid.resolution)


def cloud_scene(
    camera: str,
    *,
    side: int = 640,
    resolution_m: float = LOOK_M,
    day: tuple[int, int] = (6, 18),
    tilt_deg: float | None = None,
    layers: tuple[CloudLayer, ...] = LAYERS,
    seed: int = 1,
) -> CloudScene:
    """Draw a scene of ``side`` pixels of ``resolution_m`` below a camera.

    Parameters
    ----------
    camera
        Name of the camera; a scene lies at the outer edge of its swath unless ``tilt_deg``
        says where.
    day
        Month and day, which set the sun and the state of the fields.
    layers
        Sheets of cloud, lowest first.
    seed
        Other seeds have other clouds and another place.
    """
    lines = round(side * resolution_m / 16)
    spec = SceneSpec(
        camera=camera,
        time=datetime(2020, *day, 10, 44, 12, tzinfo=UTC),
        centre=(1.145 + 0.11 * (seed % 5), 45.51 - 0.13 * (seed % 3)),
        rows=lines + 64,
        cols=(lines + 64) // (3 if camera == "GF6WFV" else 1) + 80,
        tilt_deg=SWATH_DEG[camera] if tilt_deg is None else tilt_deg,
    )
    stage = set_stage(spec, 250.0)
    x, y = stage.centre
    half = side * resolution_m / 2
    ulx, uly = (round(v / 16) * 16 for v in (x - half, y + half))
    grid = Grid(stage.epsg, ulx, uly, resolution_m, side, side)
    azimuth = stage.sun_azimuth_deg + stage.north_deg
    look = season(camera, spec.utc.timetuple().tm_yday, stage.sun_zenith_deg, azimuth)
    ground = made_ground(grid, look, spec.seed, lambda _share: None)
    sheets = [replace(layer, seed=100 * seed + n) for n, layer in enumerate(layers)]
    return _lit(ground, stage, sheets, azimuth)


def _lit(ground: Ground, stage: Stage, layers: list[CloudLayer], azimuth: float) -> CloudScene:
    """Put clouds above the ground, and their shadows on it."""
    grid = ground.grid
    sun, view = stage.sun_lean(), stage.view_lean()
    cloud, shade = np.zeros(grid.shape, np.bool_), np.zeros(grid.shape, np.float32)
    inner, seen = np.zeros(grid.shape, np.bool_), []
    for layer in layers:
        margin = int(layer.height_m * 2.5 / grid.resolution)
        above = grid.window(-margin, -margin, grid.rows + 2 * margin, grid.cols + 2 * margin)
        sheet = draw_clouds(layer, above, azimuth)
        opacity = displaced(sheet, grid, ground.height, view)
        white = displaced(replace(sheet, opacity=sheet.brightness), grid, ground.height, view)
        dark = displaced(sheet, grid, ground.height, sun)
        cloud |= opacity >= CLOUDY
        shade = np.maximum(shade, dark / np.float32(100))
        inner |= (dark >= CLOUDY) & _seen_inside(layer.height_m - ground.height, grid, sun, view)
        seen.append((opacity / np.float32(100), white / np.float32(100)))
    light = 1 - (1 - _DIFFUSE) * shade
    surface = ground.reflectance[:4] * np.float32(1e-4)
    toa = _PATH + _CLEARNESS * surface * light
    for opacity, white in seen:
        toa = toa * (1 - opacity) + opacity * white
    noise = np.random.default_rng(3).normal(0, 0.002, toa.shape)
    cells = grid.coarsen(CELL)
    return CloudScene(
        grid,
        (toa + noise).astype(np.float32),
        cloud,
        (shade >= CLOUDY / 100) & ~cloud,
        inner & ~cloud,
        ground.water == 1,
        ground.height,
        _direction(sun, cells),
        _direction(view, cells),
    )


def _seen_inside(rise: NDArray[np.float32], grid: Grid, sun: Lean, view: Lean) -> NDArray[np.bool_]:
    """Return the ground whose light comes through a place that the image shows at that height."""
    x = grid.ulx + (np.arange(grid.cols) + 0.5) * grid.resolution
    y = grid.uly - (np.arange(grid.rows) + 0.5) * grid.resolution
    x, y = np.meshgrid(x, y)
    (sun_east, sun_north), (view_east, view_north) = sun.at(x, y), view.at(x, y)
    x, y = x + rise * (sun_east - view_east), y + rise * (sun_north - view_north)
    west, south, east, north = grid.bounds
    return np.asarray((x > west) & (x < east) & (y > south) & (y < north))


def _direction(lean: Lean, cells: Grid) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return azimuth from grid north and zenith of rays at cell centres, degrees."""
    x = cells.ulx + (np.arange(cells.cols) + 0.5) * cells.resolution
    y = cells.uly - (np.arange(cells.rows) + 0.5) * cells.resolution
    east, north = lean.at(*np.meshgrid(x, y))
    azimuth = np.degrees(np.arctan2(east, north)) % 360
    zenith = np.degrees(np.arctan(np.hypot(east, north)))
    return azimuth.astype(np.float32), zenith.astype(np.float32)


__all__ = ["CELL", "LOOK_M", "SWATH_DEG", "TILT_DEG", "CloudScene", "cloud_scene"]
