"""Corrections on request through simulator and production: mountains, and tiles that meet."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT

from benchmarks.rows.row import Row, at_most
from benchmarks.rows.rugged import covers, level_land, lit_land, mountains, write_heights
from catalog.folder import FolderStore
from catalog.grid import Grid
from processing.pipeline import produce
from processing.settings import ProcessSettings
from processing.simulate.atmosphere import Air
from processing.simulate.demo import demo_specs
from processing.simulate.scene import Simulated, simulate, sky_queries
from processing.simulate.sixs import skies
from processing.simulate.spec import MadeLand, RealLand, SceneSpec
from processing.simulate.stage import set_stage

Floats = NDArray[np.float64]

_SIDE = 800
_RELIEF_M = 900.0
_BANDS = ("blue", "green", "red", "nir")


def mountain_chain() -> Iterator[Row]:
    """A package of mountains lit by sun and sky, with 6SV's air, made into products twice."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene, grid, level, lit = _mountain_package(folder)
        dem = folder / "heights.tif"
        plain = _product(scene, dem, folder / "plain", "SR", {})
        asked = {"terrain_correction": "scs+c"}
        fixed = _product(scene, dem, folder / "fixed", "SR", asked)
        factor = _product(scene, dem, folder / "fixed", "terrain_factor", {})
        before, after, told = (_on(path, grid) for path in (plain, fixed, factor))
    sloping = lit & (before > 0).all(axis=0) & (np.abs(told[3] - 1) > 0.02)
    for band, title in enumerate(_BANDS):
        errors = [_rms((image[band] - level[band])[sloping]) for image in (before, after)]
        yield Row(f"package of mountains, {title}: error of SR before, rms", errors[0], "1")
        yield at_most(
            f"package of mountains, {title}: error of SR left",
            100 * errors[1] / errors[0],
            "%",
            75.0,
        )


def _mountain_package(folder: Path) -> tuple[Simulated, Grid, Floats, NDArray[np.bool_]]:
    """Return the package, the grid of its land, level reflectance, and what the sun lights."""
    land = RealLand(folder / "land.tif", tuple((b, n) for n, b in enumerate(_BANDS, 1)))
    spec = SceneSpec(
        camera="GF1WFV2",
        time=datetime(2020, 10, 11, 10, 52, 30, tzinfo=UTC),
        centre=(1.15, 45.5),
        rows=560,
        cols=560,
        air=Air(0.15),
        land=land,
    )
    flat = set_stage(spec, 0.0)
    x, y = (round(at / 16) * 16.0 for at in flat.centre)
    half = _SIDE * 8.0
    grid = Grid(flat.epsg, x - half, y + half, 16.0, _SIDE, _SIDE)
    heights = mountains(grid.shape, 16.0, _RELIEF_M, seed=3)
    write_heights(folder / "heights.tif", heights, grid)
    cover = covers(grid.shape, heights, seed=4)
    sun = flat.sun_azimuth_deg + flat.north_deg, flat.sun_zenith_deg
    memory = folder / "sixs.json"
    direct = _direct_shares(spec, memory)
    lit = lit_land(level_land(cover), heights, cover, 16.0, sun, direct)
    with rasterio.open(
        land.raster, "w", driver="GTiff", width=_SIDE, height=_SIDE, count=4, dtype="uint16",
        crs=f"EPSG:{grid.epsg}", transform=Affine(*grid.transform), nodata=0,
    ) as raster:  # fmt: skip
        raster.write(np.rint(lit.seen * 1e4).clip(1, 15000).astype(np.uint16))
    placed = replace(spec, land=replace(land, dem=folder / "heights.tif"))
    return simulate(placed, folder / "scene", memory=memory), grid, lit.level, lit.lit


def _direct_shares(spec: SceneSpec, memory: Path) -> list[float]:
    """Return the sun's share in all light of each band, as 6SV has it."""
    queries = sky_queries(replace(spec, land=MadeLand()))
    found = skies(queries, memory)
    return [
        float(
            np.mean([sky.direct_down for q, sky in zip(queries, found, strict=True) if q.band == b])
        )
        for b in range(len(_BANDS))
    ]


def meeting_tiles() -> Iterator[Row]:
    """A scene on two tiles, whose pixels share no lattice: how far reflectance differs there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = simulate(demo_specs()[3], folder / "scene")
        asked = {"adjacency": True, "terrain_correction": "scs+c"}
        differences = []
        for title, options in (("plain", {}), ("asked", asked)):
            _product(scene, scene.truth / "dem.tif", folder / title, "SR", options)
            differences.append(_difference(folder / title))
    middle, wide = zip(*differences, strict=True)
    yield Row("tiles that meet: difference, 95th percentile", wide[0], "DN")
    yield at_most(
        "tiles that meet, --adjacency and --terrain-correction: median difference",
        middle[1], "DN", 1.0,
    )  # fmt: skip
    yield at_most(
        "tiles that meet, both options: 95th percentile by that without",
        wide[1] / wide[0], "ratio", 1.3,
    )  # fmt: skip


def _difference(store: Path) -> tuple[float, float]:
    """Return median and 95th percentile of the difference of two tiles where they overlap."""
    first, second = sorted(store.rglob("*.SR.tiff"))
    with rasterio.open(first) as one, rasterio.open(second) as two:
        here = one.read().astype(np.float64)
        with WarpedVRT(
            two, crs=one.crs, transform=one.transform, width=one.width, height=one.height,
            resampling=Resampling.cubic, nodata=0,
        ) as there:  # fmt: skip
            other = there.read().astype(np.float64)
    both = (here > 0).all(axis=0) & (other > 0).all(axis=0)
    change = (other - here)[:, both]
    return abs(float(np.median(change))), float(np.percentile(np.abs(change), 95))


def _product(
    scene: Simulated, dem: Path, folder: Path, key: str, options: Mapping[str, Any]
) -> Path:
    """Return an asset of the largest product of a scene, making it where it is not there."""
    if not folder.exists():
        settings = ProcessSettings(network=False, minimum_valid_percent=0.1, **options)
        made = produce(scene.package, store=FolderStore(folder), settings=settings, dem=dem)
        if not made.items:
            raise RuntimeError(f"{scene.package.name}: {made.reason}, {made.detail}")
    return max(folder.rglob(f"*.{key}.tiff"), key=lambda path: path.stat().st_size)


def _on(path: Path, grid: Grid) -> Floats:
    """Read an asset on a grid, 0 where it has no data."""
    with (
        rasterio.open(path) as raster,
        WarpedVRT(
            raster, crs=f"EPSG:{grid.epsg}", transform=Affine(*grid.transform), width=grid.cols,
            height=grid.rows, resampling=Resampling.cubic, nodata=0,
        ) as warped,
    ):  # fmt: skip
        return np.asarray(warped.read() * raster.scales[0], np.float64)


def _rms(errors: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
