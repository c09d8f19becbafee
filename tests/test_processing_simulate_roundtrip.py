"""A simulated scene through air, noise and clouds, read back by GDAL and the plain equations."""

import math
import tarfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject
from scipy import ndimage

from processing.sensors import calibration, camera
from processing.simulate.demo import sample_specs
from processing.simulate.scene import simulate, sky_queries
from processing.simulate.sixs import skies
from processing.simulate.spec import SceneSpec
from processing.simulate.sun import sun_at

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def _terms(spec: SceneSpec, band: int, height_m: float) -> NDArray[np.float64]:
    """Mean path, gain and albedo over the scene's runs, linear in pressure to the height."""
    queries = [query for query in sky_queries(spec) if query.band == band]
    by_height: dict[float, list[tuple[float, float, float]]] = {}
    for query, sky in zip(queries, skies(queries), strict=True):
        by_height.setdefault(query.height_m, []).append((sky.path, sky.gain, sky.albedo))
    heights = sorted(by_height)
    low, high = (np.mean(by_height[h], axis=0) for h in heights)
    pressure = np.exp(-np.array([*heights, height_m]) / 8434)
    part = (pressure[0] - pressure[2]) / (pressure[0] - pressure[1])
    return np.asarray(low + part * (high - low))


def test_surface_comes_back_from_the_counts(tmp_path: Path) -> None:
    """GDAL's ortho, the gains, the sun and 6SV's terms at the centre give the truth again.

    On clear pixels with an even neighbourhood 98 % must lie within 0.005 + 0.05 rho.
    """
    spec = sample_specs()[0]
    made = simulate(spec, tmp_path)
    with tarfile.open(made.package) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # since 3.11.4
        tar.extractall(tmp_path / "x")
    image = next((tmp_path / "x").glob("*.tiff"))
    with rasterio.open(image) as source, rasterio.open(made.truth / "sr.tif") as frame:
        rho = 1e-4 * frame.read().astype(np.float32)
        counts = np.zeros(rho.shape, np.float32)
        reproject(
            source.read().astype(np.float32), counts, rpcs=source.rpcs, src_crs="EPSG:4326",
            dst_crs=frame.crs, dst_transform=frame.transform, src_nodata=0,
            resampling=Resampling.bilinear, RPC_DEM=str(made.truth / "dem.tif"),
            XSCALE=1, YSCALE=1,
        )  # fmt: skip
    veil = np.zeros(rho.shape[1:], bool)
    for name in ("cloud_opacity", "shadow_opacity"):
        with rasterio.open(made.truth / f"{name}.tif") as raster:
            veil |= ndimage.maximum_filter(raster.read(1), 5) > 0
    table, sun = calibration(camera(spec.camera), spec.utc.year), sun_at(spec.utc)
    zenith, _ = sun.angles(*(np.array([v]) for v in spec.centre))
    with rasterio.open(made.truth / "height.tif") as raster:
        height = float(raster.read(1).mean())
    for band in range(4):
        path, gain, albedo = _terms(spec, band, height)
        radiance = counts[band] * table.slope[band] + table.intercept[band]
        toa = radiance * math.pi * sun.distance_au**2 / table.esun[band]
        y = (toa / math.cos(math.radians(zenith[0])) - path) / gain
        found = y / (1 + albedo * y)
        even = ndimage.maximum_filter(rho[band], 5) - ndimage.minimum_filter(rho[band], 5) < 0.01
        usable = (counts > 0).all(axis=0) & even & ~veil
        assert usable.sum() > 1000
        error = np.abs(found - rho[band])[usable]
        assert (error <= 0.005 + 0.05 * rho[band][usable]).mean() > 0.98
        assert abs(np.median(found[usable] - rho[band][usable])) < 0.001
