"""The land a scene looks at, made or real: its heights, its ground on the grid, its DEM."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import Affine

from processing.simulate.ground import Ground, made_dem, made_ground
from processing.simulate.landcover import season
from processing.simulate.realland import height_limits, real_ground, real_heights
from processing.simulate.spec import MadeLand, SceneSpec
from processing.simulate.stage import Stage, utm_zone
from processing.simulate.terrain import HIGHEST_M, heights
from processing.simulate.truth import DEM_STEP_DEG


def centre_height(spec: SceneSpec) -> float:
    """Return the height of the land at the scene's centre, metres above the ellipsoid."""
    lon, lat = spec.centre
    if isinstance(spec.land, MadeLand):
        x, y = Transformer.from_crs(4326, utm_zone(lon, lat), always_xy=True).transform(lon, lat)
        return float(heights(np.array([x]), np.array([y]), spec.land.seed)[0])
    half = DEM_STEP_DEG / 2
    pixel = Affine(DEM_STEP_DEG, 0, lon - half, 0, -DEM_STEP_DEG, lat + half)
    return float(real_heights(spec.land, "EPSG:4326", pixel, (1, 1))[0, 0])


def ground_below(spec: SceneSpec, stage: Stage, progress: Callable[[float], None]) -> Ground:
    """Return the ground that the scene's camera can see."""
    if isinstance(spec.land, MadeLand):
        look = season(
            spec.camera,
            spec.utc.timetuple().tm_yday,
            stage.sun_zenith_deg,
            stage.sun_azimuth_deg + stage.north_deg,
        )
        return made_ground(stage.grid(0.0, HIGHEST_M), look, spec.land.seed, progress)
    ground = real_ground(spec.land, stage.grid(*height_limits(spec.land)), spec.camera)
    progress(1.0)
    return ground


def dem_below(
    spec: SceneSpec, stage: Stage, west: float, north: float, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return ellipsoidal heights on a lon/lat frame in steps of one second."""
    if isinstance(spec.land, MadeLand):
        return made_dem(west, north, DEM_STEP_DEG, shape, stage.epsg, spec.land.seed)
    frame = Affine(DEM_STEP_DEG, 0, west, 0, -DEM_STEP_DEG, north)
    return real_heights(spec.land, "EPSG:4326", frame, shape)
