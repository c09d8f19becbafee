"""Light scenes with known geometry: an image taken by an exact camera, and a reference below it.

Cameras, their RPC files and the made land are those of the simulator, which shares no code with
the geometry under test; there is no atmosphere and one band, so a scene takes seconds. A
``Bend`` moves where each pixel looks, so that errors of any shape can be put in and are known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject
from scipy import ndimage

from catalog.grid import Grid
from processing.geometry.dem import HeightModel, open_dem
from processing.geometry.rpc import ImageCorrection, parse_rpb
from processing.simulate.camera import Pushbroom
from processing.simulate.clouds import CloudLayer, draw_clouds
from processing.simulate.land import centre_height, dem_below, ground_below
from processing.simulate.lattice import NODE_STEP, map_lattice
from processing.simulate.rpcfit import fit_rpc, rpb_text
from processing.simulate.spec import MadeLand, SceneSpec
from processing.simulate.stage import Stage, set_stage
from processing.simulate.terrain import HIGHEST_M
from processing.simulate.truth import dem_frame, write_dem
from tests.pushbroom import ArrayPart

Floats = NDArray[np.float64]
Bend = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""Rows and columns (of all parts together) to what is added to them before looking."""

SATURATION_DN = 1023
RED = 2


def straight(row: Floats, col: Floats) -> tuple[Floats, Floats]:
    """Look where the camera looks."""
    return np.zeros_like(row), np.zeros_like(col)


@dataclass(frozen=True)
class Picture:
    """A reference in memory, with its own grid and pixel size."""

    grid: Grid
    values: NDArray[np.float32]
    label: str = "made reference"
    band: str = "red"

    def read(self, grid: Grid) -> NDArray[np.float32]:
        out = np.full(grid.shape, np.nan, np.float32)
        coarser = grid.resolution > self.grid.resolution
        reproject(
            self.values, out,
            src_transform=Affine(*self.grid.transform), src_crs=f"EPSG:{self.grid.epsg}",
            dst_transform=Affine(*grid.transform), dst_crs=f"EPSG:{grid.epsg}",
            src_nodata=np.nan, dst_nodata=np.nan,
            resampling=Resampling.average if coarser else Resampling.cubic,
        )  # fmt: skip
        return out


@dataclass(frozen=True)
class Site:
    """A place with its cameras, heights (ellipsoidal, also as a model) and ground grid."""

    spec: SceneSpec
    stage: Stage
    grid: Grid
    height: NDArray[np.float32]
    heights: HeightModel


@dataclass(frozen=True)
class Shot:
    """An image of a site: its parts, and where its pixels truly look."""

    site: Site
    parts: tuple[ArrayPart, ...]
    bend: Bend

    def residual_px(self, corrections: Sequence[ImageCorrection]) -> float:
        """True radial RMSE over the scene, in pixels of 16 m, of the corrected models."""
        apart = [self._apart(k, correction) for k, correction in enumerate(corrections)]
        return float(np.sqrt(np.mean(np.concatenate(apart, 1) ** 2) * 2))

    def seam_px(self, corrections: Sequence[ImageCorrection]) -> float:
        """Largest distance, in pixels of 16 m, between what neighbouring parts make of a place."""
        worst = 0.0
        for k in range(len(corrections) - 1):
            left, right = self.parts[k : k + 2]
            row = np.linspace(0, left.height - 1, 25)
            col = np.full(25, left.width - self.site.spec.overlap / 2)
            lon, lat = left.rpc.corrected(corrections[k]).ground(row, col, 400.0)
            col -= left.width - self.site.spec.overlap
            there = right.rpc.corrected(corrections[k + 1]).ground(row, col, 400.0)
            grid = self.site.grid
            moved = np.subtract(grid.rowcol(lon, lat), grid.rowcol(*there))
            worst = max(worst, float(np.hypot(*moved).max()))
        return worst

    def _apart(self, index: int, correction: ImageCorrection) -> Floats:
        """Rows and columns on the ground grid between product and truth, shape (2, n)."""
        part, camera = self.parts[index], self.site.stage.parts[index]
        row, col = (
            v.ravel()
            for v in np.meshgrid(
                np.linspace(0, part.height - 1, 25), np.linspace(0, part.width - 1, 25)
            )
        )
        first = camera.origin_col - self.site.stage.whole.origin_col
        down, right = self.bend(row, col + first)
        height = np.full(row.shape, float(self.site.height.mean()))
        for _ in range(12):
            lon, lat = camera.ground(row + down, col + right, height)
            height = (height + self.site.heights.heights(lon, lat)) / 2
        truth = self.site.grid.rowcol(lon, lat)
        made = part.rpc.corrected(correction).ground(row, col, height)
        return np.subtract(self.site.grid.rowcol(*made), truth)


def made_site(
    folder: Path, camera: str, pixels: int, seed: int = 1, centre: tuple[float, float] = (1.5, 45.3)
) -> tuple[Site, Callable[[datetime], NDArray[np.float32]]]:
    """Return a place on the made land, and its red reflectance (times 1e4) on any date."""
    spec = SceneSpec(camera, when(6), centre, pixels, pixels, MadeLand(seed), seed=seed)
    stage = set_stage(spec, centre_height(spec))
    grid = stage.grid(0.0, HIGHEST_M)

    def red(date: datetime) -> NDArray[np.float32]:
        then = replace(spec, time=date)
        sky = set_stage(then, centre_height(then))
        ground = ground_below(then, replace(stage, sun_zenith_deg=sky.sun_zenith_deg,
                              sun_azimuth_deg=sky.sun_azimuth_deg), lambda _: None)  # fmt: skip
        return ground.reflectance[RED].astype(np.float32)

    corner = grid.lonlat([0, grid.rows, 0, grid.rows], [0, 0, grid.cols, grid.cols])
    bounds = (corner[0].min(), corner[1].min(), corner[0].max(), corner[1].max())
    west, north, shape = dem_frame(*(float(v) for v in bounds))
    path = folder / f"dem-{camera}-{pixels}-{seed}.tif"
    write_dem(path, dem_below(spec, stage, west, north, shape), west, north)
    heights = open_dem(path, tuple(float(v) for v in bounds))
    return Site(spec, stage, grid, heights.on(grid), heights), red


def when(month: int) -> datetime:
    """Return a morning of a month."""
    return datetime(2020, month, 15, 10, 55, tzinfo=UTC)


def picture(grid: Grid, values: NDArray[np.float32], cloud: float = 0.0, seed: int = 0) -> Picture:
    """Return a reference of 10 m pixels on a lattice of its own, with clouds if wanted."""
    if cloud:
        values = clouded(grid, values, cloud, seed)
    finer = Grid(grid.epsg, grid.ulx + 3.0, grid.uly - 7.0, 10.0,
                 int(grid.rows * 1.6) - 2, int(grid.cols * 1.6) - 2)  # fmt: skip
    return Picture(finer, Picture(grid, values).read(finer))


def clouded(
    grid: Grid, values: NDArray[np.float32], cover: float, seed: int
) -> NDArray[np.float32]:
    """Return reflectance (times 1e4) with clouds and their shadows over it."""
    sheet = draw_clouds(CloudLayer(1500.0, cover, seed=seed + 1), grid, 140.0)
    opacity = sheet.opacity.astype(np.float32) / 100
    shadow = np.roll(opacity, (60, -45), (0, 1))
    dimmed = values * (1 - np.float32(0.6) * shadow)
    return dimmed * (1 - opacity) + opacity * sheet.brightness.astype(np.float32) * 100


def photograph(
    site: Site,
    values: NDArray[np.float32],
    *,
    bend: Bend = straight,
    rpc_error: tuple[float, float] = (0.0, 0.0),
    noise_dn: float = 3.0,
    seed: int = 0,
) -> Shot:
    """Take the image of ``values`` (reflectance times 1e4) on the ground grid of a site."""
    low, high = float(site.height.min()) - 200, float(site.height.max()) + 200
    parts = []
    for camera in site.stage.parts:
        text = rpb_text(fit_rpc(camera, low, high).shifted(*rpc_error), "GF")
        counts = _expose(site, camera, values, bend, noise_dn, seed)
        parts.append(ArrayPart(counts[None], parse_rpb(text, "made")))
    return Shot(site, tuple(parts), bend)


def _expose(
    site: Site,
    camera: Pushbroom,
    values: NDArray[np.float32],
    bend: Bend,
    noise_dn: float,
    seed: int,
) -> NDArray[np.uint16]:
    """Return counts (rows, cols): where each ray meets the heights, the ground is read."""
    grid = site.grid
    row, col = np.indices((camera.rows, camera.cols)).astype(np.float64)
    first = camera.origin_col - site.stage.whole.origin_col
    down, right = bend(row, col + first)
    at = [(row + down) / NODE_STEP, (col + right) / NODE_STEP]
    lattice = map_lattice(camera, grid.epsg)
    x, y = (
        [ndimage.map_coordinates(power, at, order=1, mode="nearest") for power in powers]
        for powers in (lattice.x, lattice.y)
    )
    height = np.full(row.shape, float(site.height.mean()))
    for _ in range(6):
        place = [
            (grid.uly - (y[0] + height * (y[1] + height * y[2]))) / 16.0 - 0.5,
            ((x[0] + height * (x[1] + height * x[2])) - grid.ulx) / 16.0 - 0.5,
        ]
        height = ndimage.map_coordinates(site.height, place, order=1, mode="nearest")
    seen = ndimage.map_coordinates(ndimage.gaussian_filter(values, 0.5), place, order=1)
    rng = np.random.default_rng([seed, int(first) + 1])
    counts = 60.0 + 0.11 * seen + noise_dn * rng.standard_normal(seen.shape)
    return np.clip(np.rint(counts), 1, SATURATION_DN).astype(np.uint16)
