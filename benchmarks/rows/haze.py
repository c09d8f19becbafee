"""Scenes on cells of 512 m with known haze, carried by 6SV over spectra that were measured.

Nothing here goes through the look-up table or the dark-target table under test. Plants are those of
one airborne image, and the dark-target table that the scene is fitted with has not seen that image;
bare ground comes from the same nine images or, for the desert, from a Sentinel-2 scene. The surface
prior is the true cell mean with an error of 0.01 that fades over 5 km, each band its own.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter, map_coordinates

from benchmarks.rows.kernels import STEP_M, as_modis, made_errors, table_without
from catalog.grid import Grid
from processing.atmosphere.air import Air
from processing.atmosphere.cells import CellSignals
from processing.atmosphere.darkfit import (
    LIMITS,
    endmembers,
    fit_camera,
    in_bands,
    measured_vegetation,
    rebuild,
)
from processing.atmosphere.darktarget import DarkTargetTable, dark_target_table, relation
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.prior import AodPrior, climatology
from processing.atmosphere.surface import Expectation
from processing.geometry.angles import Angles
from processing.library.modis import RESOLUTION_M, kernel_sigma
from processing.simulate.sixs import SkyQuery, skies

Floats = NDArray[np.float64]

CAMERA = "GF1WFV1"
SIDE = 156
"""Cells along a side: 80 km."""
CELLS = Grid(32631, 300_000, 5_100_000, 512, SIDE, SIDE)
GAS = GasColumns(300.0, 2.0)
SUN_ZENITH, RELATIVE_AZIMUTH = 35.0, 110.0
VIEW_ZENITHS = (8.0, 20.0, 32.0)
"""At the left edge, in the middle and at the right edge."""
DEPTHS = (0.01, 0.1, 0.22, 0.38, 0.6, 0.85, 1.2)
_SCENE = "scenes/S2A_29RKH_20200219_desert_sr_100m.tif"
_PIXEL_M = 100.0
NOISE = 0.01
SURFACE_SIGMA = 0.01
_CORRELATED_KM = 5.0
PRIOR_SIGMA = 0.15
KINDS = ("vegetated", "desert", "mixed", "coast")
_IMAGES = (0, 1, 2, 3, 5, 6, 7, 8)
"""Images of the spectra with plants dense enough."""
_AEROSOL = {"desert": "dust"}
DEVELOPED, REPORTED = 300, 100
"""Number of the first scene of each half: the retrieval was made looking at the scenes of the one,
and is reported on those of the other."""


@dataclass(frozen=True, slots=True)
class HazeScene:
    """A scene on cells with its truth.

    ``ground`` (bands, rows, cols) and ``aod`` (rows, cols) are true; ``surfaces`` the surface
    prior; ``clear`` cells of land without cloud; ``table`` has not seen the scene's plants.
    """

    kind: str
    ground: Floats
    aod: Floats
    clear: NDArray[np.bool_]
    signals: CellSignals
    surfaces: tuple[Expectation, ...]
    prior: AodPrior
    table: DarkTargetTable

    @property
    def air(self) -> Air:
        """The atmosphere over the cells, as production knows it."""
        return Air(CAMERA, self.prior.model, GAS, angles(), np.zeros(CELLS.shape, np.float32))


@dataclass(frozen=True, slots=True)
class Spectra:
    """Measured spectra in the bands of the camera: plants and their image, bare ground."""

    plants: Floats
    image: NDArray[np.intp]
    bare: Floats
    fine: Floats


def angles() -> Angles:
    """Return the directions on the cells."""
    view = np.broadcast_to(np.linspace(VIEW_ZENITHS[0], VIEW_ZENITHS[-1], SIDE), CELLS.shape)
    sun_azimuth, sun, view_azimuth = (
        np.full(CELLS.shape, value, np.float32) for value in (150.0, SUN_ZENITH, 40.0)
    )
    return Angles(sun_azimuth, sun, view_azimuth, view.astype(np.float32))


@cache
def data_folder() -> Path:
    """Return the folder with imagery and spectra."""
    return Path(os.environ["GFARD_TEST_DATA"])


@cache
def spectra() -> Spectra:
    """Read the measured spectra."""
    folder = data_folder() / "spectra"
    cube = folder / "refcube__Sentinel-2A__MSI__nclust50__nsamp1000.bsq"
    parts = endmembers(folder / "prosail_REFL_CAN.txt", folder / "prosail_soil_reflectance.txt")
    measured, image = measured_vegetation(cube)
    fine = rebuild(measured, parts)
    with rasterio.open(cube) as raster:
        every = raster.read(list(range(1, 10))).reshape(9, -1).T / 1e4
    blue, red, nir = every[:, 1], every[:, 3], every[:, 7]
    bare = (nir - red < 0.3 * (nir + red)) & (nir > red) & (red > 0.1) & (red < 0.4) & (blue < red)
    chosen = every[bare][:: max(1, int(bare.sum()) // 300)]
    names = ("blue", "green", "red", "nir")
    return Spectra(
        in_bands(CAMERA, fine, names).T, image, in_bands(CAMERA, rebuild(chosen, parts), names).T,
        fine,
    )  # fmt: skip


def scenes(per_kind: int, memory: Path, first: int = REPORTED) -> Iterator[HazeScene]:
    """Yield scenes of every kind from a number on; ``memory`` keeps the runs of 6SV."""
    for kind in KINDS:
        sky = sky_of(_AEROSOL.get(kind, "continental"), memory)
        for number in range(first, first + per_kind):
            yield _scene(kind, number, sky)


@cache
def sky_of(aerosol: str, memory: Path) -> "Sky":
    """Return the terms of 6SV for an aerosol, run once."""
    return Sky.of(aerosol, memory)


@cache
def _table_without(image: int) -> DarkTargetTable:
    """Return the dark-target table of all images but one."""
    known = spectra()
    keep = known.image != image
    return relation(fit_camera(CAMERA, known.fine[keep], known.image[keep]), LIMITS)


def _scene(kind: str, number: int, sky: "Sky") -> HazeScene:
    rng = np.random.default_rng([KINDS.index(kind), number])
    image = _IMAGES[number % len(_IMAGES)]
    ground, green = _land(kind, image, rng)
    land = _smooth(rng, 12) > -0.1 if kind == "coast" else np.ones(CELLS.shape, bool)
    clear = land & (_smooth(rng, 5) < 1.0)
    aod = _haze(rng)
    signals = _signals(sky.reflectance(ground, aod), clear, green, rng)
    surface = _expected(ground, rng)
    prior = _prior(kind, aod, rng)
    return HazeScene(kind, ground, aod, clear, signals, (surface,), prior, _table_without(image))


def another_date(
    scene: HazeScene, rng: np.random.Generator, memory: Path, mean: float | None = None
) -> HazeScene:
    """Return the same ground on another date, without a surface prior.

    Haze, noise and the prior's error are drawn anew; ``mean`` is the mean depth wanted, of at most
    0.3, as clear dates have it, None for any.
    """
    aod = _haze(rng)
    if mean is not None:
        aod = np.minimum(aod * mean / aod.mean(), 2 * mean)
    sky = sky_of(scene.prior.model, memory)
    green = np.isfinite(scene.signals.dark[0])
    signals = _signals(sky.reflectance(scene.ground, aod), scene.clear, green, rng)
    prior = _prior(scene.kind, aod, rng)
    return replace(scene, aod=aod, signals=signals, surfaces=(), prior=prior)


def _signals(
    toa: Floats, clear: NDArray[np.bool_], green: NDArray[np.bool_], rng: np.random.Generator
) -> CellSignals:
    """Return what a scene shows, with noise."""
    seen = toa * (1 + NOISE * rng.normal(size=toa.shape))
    land = np.where(clear, seen, np.nan).astype(np.float32)
    dark = np.where(clear & green, seen, np.nan)[[0, 2, 3]].astype(np.float32)
    return CellSignals(land, np.zeros_like(land), dark)


def _prior(kind: str, aod: Floats, rng: np.random.Generator) -> AodPrior:
    depth = float(np.clip(float(aod.mean()) + PRIOR_SIGMA * rng.normal(), 0.01, 1.9))
    return AodPrior(depth, PRIOR_SIGMA, _AEROSOL.get(kind, "continental"), "made for the test")


def kernel_scene(number: int, memory: Path) -> HazeScene:
    """Return a desert whose surface prior are kernels of MODIS, as a library has them.

    As a scene of the kind "desert", but what is expected of the ground is coarser than a cell, was
    seen in other bands and has the sigma that :mod:`processing.library.modis` gives it.
    """
    rng = np.random.default_rng([len(KINDS), number])
    row, col = rng.integers(0, 1098 - 5 * SIDE, 2)
    ground, sky, aod = _pixels(int(row), int(col)), sky_of("dust", memory), _haze(rng)
    seen = sky.reflectance(ground, aod) * (1 + NOISE * rng.normal(size=ground.shape))
    prior = float(np.clip(aod.mean() + PRIOR_SIGMA * rng.normal(), 0.01, 1.9))
    return HazeScene(
        "desert", ground, aod, np.ones(CELLS.shape, bool),
        CellSignals(
            seen.astype(np.float32), np.zeros_like(seen, np.float32),
            np.full((3, *CELLS.shape), np.nan, np.float32),
        ),
        (_from_kernels(int(row), int(col), rng),),
        AodPrior(prior, PRIOR_SIGMA, "dust", "made for the test"), dark_target_table(CAMERA),
    )  # fmt: skip


def _from_kernels(row: int, col: int, rng: np.random.Generator) -> Expectation:
    """Read kernels of the whole Sentinel-2 scene on the cells from a pixel of it on."""
    modis = _whole_as_modis()
    modis = modis + made_errors(modis.shape, STEP_M, rng)
    corner = np.array([row, col])[:, np.newaxis, np.newaxis]
    place = (corner + 5 * (np.indices(CELLS.shape) + 0.5)) * _PIXEL_M / STEP_M - 0.5
    on_cells = np.stack([map_coordinates(band, place, order=1, mode="nearest") for band in modis])
    table = table_without(CAMERA)
    expected = table.convert(on_cells[:, np.newaxis])[:, 0]
    sigma = kernel_sigma(expected, table)
    resolution = RESOLUTION_M / (5 * _PIXEL_M) + 0.5
    return Expectation("library", expected.astype(np.float32), sigma.astype(np.float32), resolution)


@cache
def _whole_as_modis() -> Floats:
    with rasterio.open(data_folder() / _SCENE) as raster:
        return as_modis(raster.read() * 1e-4, _PIXEL_M, CAMERA)


def desert_scene(memory: Path) -> HazeScene:
    """Return the middle of the Sentinel-2 scene under the haze of its own map, 0.19 to 0.20.

    The prior is the climatology of the place, the surface prior as in every scene.
    """
    rng = np.random.default_rng(29)
    path = data_folder() / "scenes" / "S2A_29RKH_20200219_AOT.tif"
    with rasterio.open(path) as raster:
        shape = (raster.count, 219, 219)
        aod = raster.read(out_shape=shape)[0, 40 : 40 + SIDE, 20 : 20 + SIDE] * 1e-3
    ground = _pixels(200, 100)
    seen = sky_of("dust", memory).reflectance(ground, aod)
    seen = (seen * (1 + NOISE * rng.normal(size=seen.shape))).astype(np.float32)
    signals = CellSignals(seen, np.zeros_like(seen), np.full((3, *CELLS.shape), np.nan, np.float32))
    return HazeScene(
        "desert", ground, aod, np.ones(CELLS.shape, bool), signals, (_expected(ground, rng),),
        climatology(25.0, -11.0, 2), dark_target_table(CAMERA),
    )  # fmt: skip


def _expected(ground: Floats, rng: np.random.Generator) -> Expectation:
    """Return the ground with the error of the surface prior."""
    error = np.stack([_smooth(rng, _CORRELATED_KM / 2 / 0.512) for _ in ground])
    return Expectation(
        "library",
        (ground + SURFACE_SIGMA * error).astype(np.float32),
        np.full(ground.shape, SURFACE_SIGMA, np.float32),
    )


def _smooth(rng: np.random.Generator, cells: float) -> Floats:
    """A random field of unit variance whose correlation falls to 1/e over twice ``cells``."""
    field = gaussian_filter(rng.normal(size=CELLS.shape), cells, mode="wrap")
    return np.asarray(field / field.std())


def _haze(rng: np.random.Generator) -> Floats:
    """A mean, a slope over the scene and a wave of some 55 km."""
    mean = rng.uniform(0.08, 0.7)
    row, col = np.indices(CELLS.shape) * 0.512 - 40
    east, north = rng.uniform(-0.5, 0.5, 2) * mean / 40
    wave = 0.1 * mean * np.sin(col / 9 + rng.uniform(0, 6)) * np.cos(row / 11)
    return np.asarray(np.maximum(0.01, mean + 0.5 * (east * col + north * row) + wave))


def _land(kind: str, image: int, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """Return ground (bands, rows, cols) and which cells have dark vegetation."""
    if kind == "desert":
        return _desert(rng), np.zeros(CELLS.shape, bool)
    share = {"vegetated": 0.85, "mixed": 0.4, "coast": 0.6}[kind]
    known = spectra()
    fields = np.kron(np.arange(39 * 39).reshape(39, 39), np.ones((4, 4), int))
    green = (rng.random(39 * 39) < share)[fields]
    plants = known.plants[known.image == image]
    _, _, red, nir = plants.T
    dark = plants[((nir - red) > 0.5 * (nir + red)) & (red <= 0.08) & (nir >= 0.15)]
    leaf = dark[rng.integers(0, len(dark), 39 * 39)][fields]
    soil = known.bare[rng.integers(0, len(known.bare), 39 * 39)][fields]
    return np.moveaxis(np.where(green[..., None], leaf, soil), -1, 0), green


def _desert(rng: np.random.Generator) -> Floats:
    """A piece of the Sentinel-2 scene, five pixels of 100 m to a cell, without its clouds."""
    row, col = rng.integers(150, 1098 - 5 * SIDE), rng.integers(0, 1098 - 5 * SIDE)
    return _pixels(int(row), int(col))


def _pixels(row: int, col: int) -> Floats:
    with rasterio.open(data_folder() / _SCENE) as raster:
        window = rasterio.windows.Window(col, row, 5 * SIDE, 5 * SIDE)
        pixels = raster.read(window=window) * 1e-4
    return np.asarray(pixels.reshape(4, SIDE, 5, SIDE, 5).mean(axis=(2, 4)))


@dataclass(frozen=True, slots=True)
class Sky:
    """Terms of 6SV: (3, bands, depths, views)."""

    terms: Floats

    @classmethod
    def of(cls, aerosol: str, memory: Path) -> "Sky":
        """Run 6SV, or take the runs from ``memory``."""
        queries = [
            SkyQuery(
                CAMERA, band, aerosol, depth, GAS.ozone_du, GAS.water_vapour_g_cm2, 0.0,
                SUN_ZENITH, view, RELATIVE_AZIMUTH,
            )
            for band in range(4) for depth in DEPTHS for view in VIEW_ZENITHS
        ]  # fmt: skip
        found = np.array([[s.path, s.gain, s.albedo] for s in skies(queries, memory)]).T
        return cls(found.reshape(3, 4, len(DEPTHS), len(VIEW_ZENITHS)))

    def reflectance(self, ground: Floats, aod: Floats) -> Floats:
        """Return TOA reflectance: a spline in depth, a parabola across the swath."""
        across = np.linspace(-1, 1, SIDE)
        weights = np.stack([across * (across - 1) / 2, 1 - across**2, across * (across + 1) / 2])
        views = np.moveaxis(CubicSpline(DEPTHS, self.terms, axis=2)(aod), (2, 3), (-2, -1))
        path, gain, albedo = np.einsum("tbvrc,vc->tbrc", views, weights)
        return np.asarray(path + gain * ground / (1 - albedo * ground))
