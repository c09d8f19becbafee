"""What another satellite saw of the made land on another day: an image to match scenes with.

It shares the land with the scene and nothing else: its own pixel size, lattice, season, sun,
spectral response and noise, and it is drawn on the ground without camera, terrain or air.
"""

import math
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from catalog.grid import Grid
from processing.sensors import camera
from processing.simulate.ground import made_ground
from processing.simulate.land import centre_height
from processing.simulate.landcover import season
from processing.simulate.spec import MadeLand, SceneSpec
from processing.simulate.stage import set_stage
from processing.simulate.sun import sun_at
from processing.simulate.terrain import HIGHEST_M

_CAMERA: Final = "GF6WFV"
"""Whose spectral response stands for that of the other satellite."""
_BAND: Final = "red"
_PIXEL_M: Final = 20.0
_OFFSET_M: Final = 7.0
"""What keeps its pixels off the lattice of the simulated ground."""
_GAIN_NOISE: Final = 0.02
_NOISE: Final = 20.0
"""In steps of reflectance (1e-4)."""


def write_reference(spec: SceneSpec, time: datetime, path: Path) -> Path:
    """Write the reference image of the land below a scene as a Cloud-Optimized GeoTIFF.

    Parameters
    ----------
    spec
        A scene over the made land.
    time
        When the other satellite passed; aware.
    path
        File to write; its folder is made when absent.

    Returns
    -------
    Path
        ``path``: red reflectance in steps of 1e-4, uint16, 0 = no data.
    """
    if not isinstance(spec.land, MadeLand):
        raise ValueError(f"{spec.name}: only the made land has other seasons")
    stage = set_stage(spec, centre_height(spec))
    grid = _shifted(stage.grid(0.0, HIGHEST_M))
    lon, lat = spec.centre
    zenith, azimuth = sun_at(time).angles(np.array([lon]), np.array([lat]))
    look = season(
        _CAMERA, time.timetuple().tm_yday, float(zenith[0]), float(azimuth[0]) + stage.north_deg
    )
    ground = made_ground(grid, look, spec.land.seed, lambda share: None)
    band = [each.name for each in camera(_CAMERA).bands].index(_BAND)
    seen = _noisy(ground.reflectance[band], spec.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="COG", count=1, height=grid.rows, width=grid.cols,
        dtype="uint16", crs=f"EPSG:{grid.epsg}", transform=Affine(*grid.transform), nodata=0,
        compress="deflate", level=1, predictor=2,
    ) as raster:  # fmt: skip
        raster.write(seen, 1)
        raster.descriptions = (_BAND,)
    return path


def _shifted(around: Grid) -> Grid:
    """Return the grid of the other satellite that holds ``around``."""
    west, south, east, north = around.bounds
    ulx = math.floor(west / _PIXEL_M) * _PIXEL_M - _OFFSET_M
    uly = math.ceil(north / _PIXEL_M) * _PIXEL_M + _OFFSET_M
    rows, cols = math.ceil((uly - south) / _PIXEL_M), math.ceil((east - ulx) / _PIXEL_M)
    return Grid(around.epsg, ulx, uly, _PIXEL_M, rows, cols)


def _noisy(reflectance: NDArray[np.uint16], seed: int) -> NDArray[np.uint16]:
    """Return reflectance with the noise of another detector."""
    rng = np.random.default_rng([seed, 77])
    gain = 1.0 + _GAIN_NOISE * rng.standard_normal(reflectance.shape, np.float32)
    noise = _NOISE * rng.standard_normal(reflectance.shape, np.float32)
    noisy: NDArray[np.float32] = np.clip(np.rint(reflectance * gain + noise), 1, 65535)
    return noisy.astype(np.uint16)
