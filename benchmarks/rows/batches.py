"""Whole batches of scenes: how many of them reach the classes.

The content of the batch is real imagery (red bands below ``GFARD_TEST_DATA``), laid out at 16 m on
the hills of the made land and mirrored where it is too small. Every scene has another place in it,
another camera, cloud from none to just below 60 %, an RPC that is wrong by up to 20 pixels, drift
and wobble. Its reference is of another season: in one case a real one, the other date of a pair of
Sentinel-2 images, else fields are given another contrast; it has pixels and noise of its own, and
clouds of its own where its number is even.
"""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.warp import reproject
from scipy import ndimage

from benchmarks.rows.row import Row, at_least
from benchmarks.rows.trial import Image, register
from catalog.grid import Grid
from processing.geometry.coregister import AccuracyClass, Registration
from processing.sensors import camera_names
from tests.scenery import (
    Bend,
    Site,
    clouded,
    made_site,
    photograph,
    picture,
)

CAMERAS = tuple(camera_names())
SIDE_PX = {"GF1": 1100, "GF6": 640}
BATCH = 60
MOST_CLOUD = 0.58
SMALL_BATCH = 6

PAIR = ("coreg/S2A_T33UUU_20160529_tgt_north.tif", "coreg/S2A_T33UUU_20160608_ref_north.tif")
PAIR_SHIFT_M = (-7.38, -19.22)
"""East and north by which the first image has to be moved onto the second, as published."""
CONTENT = (
    ("ac_reference/s2_20190411_sr_icor.tif", 3),
    ("cloud_labels/oncloudn_1_sr.tif", 3),
    ("cloud_labels/oncloudn_2_sr.tif", 3),
    ("cloud_labels/oncloudn_3_sr.tif", 3),
    ("scenes/S2A_29RKH_20200219_desert_sr_100m.tif", 3),
    ("scenes/L7_everest_20001030_bgrn_dn.tif", 3),
    ("scenes/L8_LC80030172015001LGN00_snow_dn.tif", 3),
    ("l1c_l2a/433D_629L_3_1_S2L2A.tif", 4),
)
DARK, BRIGHT = 300.0, 3500.0
"""What the 2 % and 98 % quantiles of a content become, reflectance times 1e4."""
FIELD_PX = 22.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a scene of the batch: its registration, and the true RMSE in pixels."""

    name: str
    found: Registration
    true_px: float

    def within(self, limit_px: float) -> bool:
        """Whether the scene becomes a product that is said to be, and is, within a limit."""
        passed = self.found.accuracy.klass is AccuracyClass.WITHIN
        return passed and max(self.found.accuracy.rmse_px, self.true_px) <= limit_px


def batch_rows(data: Path | None, count: int) -> Iterator[Row]:
    """Yield the shares of a batch of ``count`` scenes within 0.8 and 0.5 pixel."""
    names = (f"batch_of_{count}_within_0.8_px", f"batch_of_{count}_within_0.5_px")
    if data is None:
        why = "GFARD_TEST_DATA is not set: it names the folder with the real imagery"
        yield from (Row(name, None, "%", skipped=why) for name in names)
        return
    trials = list(run_batch(data, count))
    for name, limit, bar in zip(names, (0.8, 0.5), (95.0, 85.0), strict=True):
        share = 100.0 * float(np.mean([trial.within(limit) for trial in trials]))
        yield at_least(name, share, "%", bar)
    passed = [t for t in trials if t.found.accuracy.klass is AccuracyClass.WITHIN]
    yield Row(f"batch_of_{count}_largest_true_rmse", _largest(passed), "pixel")
    yield Row(f"batch_of_{count}_refused", float(len(trials) - len(passed)), "count")


def run_batch(data: Path, count: int) -> Iterator[Trial]:
    """Yield the scenes of a batch; the same numbers give the same scenes."""
    with tempfile.TemporaryDirectory() as folder:
        sites = {camera: _site(Path(folder), camera) for camera in CAMERAS}
        for number in range(count):
            yield _trial(sites[CAMERAS[number % len(CAMERAS)]], data, number, count)


def _site(folder: Path, camera: str) -> Site:
    return made_site(folder, camera, SIDE_PX[camera[:3]])[0]


def _trial(site: Site, data: Path, number: int, count: int) -> Trial:
    """Photograph one content under its conditions, and bring it onto its reference."""
    rng = np.random.default_rng([20, number])
    scene, reference, name = contents(data, site.grid, number, rng)
    cover = MOST_CLOUD * ((number * 37) % count) / max(count - 1, 1)
    if cover > 0:
        scene = clouded(site.grid, scene, cover, number)
    angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(0, 20)
    shot = photograph(
        site,
        scene,
        bend=drift_and_wobble(site, rng),
        rpc_error=(length * math.sin(angle), length * math.cos(angle)),
        seed=number,
    )
    own_cloud = 0.0 if number % 2 else 0.1
    found = register(shot, picture(site.grid, reference, own_cloud, number + 1000))
    name = f"{number} {site.spec.camera} {name} cloud {100 * cover:.0f} %"
    return Trial(name, found, shot.residual_px(found.corrections))


def drift_and_wobble(site: Site, rng: np.random.Generator) -> Bend:
    """Return up to 3 pixels of drift over the scene, and 0.1 pixel of wobble along it."""
    rows = site.spec.rows
    drift, phase = rng.uniform(-3, 3, 2), rng.uniform(0, 2 * math.pi, 2)
    period = rng.uniform(0.2, 0.6, 2) * rows

    def bend(row: NDArray[np.float64], col: NDArray[np.float64]) -> tuple[
        NDArray[np.float64], NDArray[np.float64]
    ]:  # fmt: skip
        """Return how far rows and columns are off, pixels."""
        moved = [
            drift[axis] * row / rows + 0.1 * np.sin(2 * math.pi * row / period[axis] + phase[axis])
            for axis in (0, 1)
        ]
        return moved[0], moved[1]

    return bend


def contents(
    data: Path, grid: Grid, number: int, rng: np.random.Generator
) -> tuple[Image, Image, str]:
    """Return what lies on a grid at the time of a scene, and at that of its reference."""
    chosen = number % (len(CONTENT) + 1)
    start = rng.integers(0, 4000, 2)
    if chosen == len(CONTENT):
        scene, reference = (_laid_out(image, grid, start) for image in _pair(data))
        return scene, reference, "pair"
    path, band = CONTENT[chosen]
    with rasterio.open(data / path) as raster:
        values = raster.read(band, masked=True).astype(np.float32)
    image = _stretched(values.filled(float(np.ma.median(values))))
    scene = _laid_out(image, grid, start)
    return scene, another_season(scene, rng), Path(path).stem


def _pair(data: Path) -> tuple[Image, Image]:
    """Return two dates of one place on one grid of 16 m, the first moved as published."""
    with rasterio.open(data / PAIR[1]) as raster:
        shape = (int(raster.height / 1.6), int(raster.width / 1.6))
        frame = raster.transform * Affine.scale(1.6)
        crs = raster.crs
    images = []
    for path, shift in zip(PAIR, (PAIR_SHIFT_M, (0.0, 0.0)), strict=True):
        image = np.zeros(shape, np.float32)
        with rasterio.open(data / path) as raster:
            moved = Affine.translation(*shift) * raster.transform
            reproject(
                raster.read(1).astype(np.float32), image, src_transform=moved, src_crs=crs,
                dst_transform=frame, dst_crs=crs, resampling=rasterio.enums.Resampling.average,
            )  # fmt: skip
        images.append(image)
    seen = (images[0] > 0) & (images[1] > 0)
    covered = seen[seen.any(1)]
    cols = np.flatnonzero(covered.mean(0) > 0.95)
    rows = np.flatnonzero(seen[:, cols].all(1))
    inside = np.s_[rows[0] : rows[-1], cols[0] : cols[-1]]
    return _stretched(images[0][inside]), _stretched(images[1][inside])


def _stretched(image: Image) -> Image:
    """Return an image whose values are reflectances of land, times 1e4."""
    low, high = np.quantile(image, (0.02, 0.98))
    part = (image - low) / max(float(high - low), 1e-6)
    return np.clip(DARK + (BRIGHT - DARK) * part, 1, 9000).astype(np.float32)


def _laid_out(image: Image, grid: Grid, start: NDArray[np.int64]) -> Image:
    """Return a piece of the image as large as a grid, mirrored at the edges of the image."""
    indices = []
    for size, wanted, first in zip(image.shape, grid.shape, start, strict=True):
        period = 2 * size
        at = (np.arange(wanted) + int(first)) % period
        indices.append(np.where(at < size, at, period - 1 - at))
    return image[np.ix_(*indices)]


def another_season(image: Image, rng: np.random.Generator) -> Image:
    """Return an image whose fields have other brightness and contrast, some of them the reverse.

    Fields are the cells nearest to random places (Voronoi), about 22 pixels wide.
    """
    rows, cols = image.shape
    count = int(rows * cols / FIELD_PX**2)
    seeds = np.zeros(image.shape, np.bool_)
    seeds[rng.integers(0, rows, count), rng.integers(0, cols, count)] = True
    nearest = ndimage.distance_transform_edt(~seeds, return_distances=False, return_indices=True)
    label = nearest[0] * cols + nearest[1]
    contrast = rng.uniform(-0.4, 1.4, rows * cols).astype(np.float32)[label]
    brightness = rng.normal(0, 250, rows * cols).astype(np.float32)[label]
    smooth = ndimage.gaussian_filter(image, FIELD_PX)
    changed = smooth + contrast * (image - smooth) + brightness
    noise = 20 * rng.standard_normal(image.shape, np.float32)
    mixed = np.where(rng.random(rows * cols)[label] < 0.6, changed, image) + noise
    return np.clip(mixed, 1, 9000).astype(np.float32)


def _largest(trials: list[Trial]) -> float:
    return round(max((trial.true_px for trial in trials), default=math.nan), 5)
