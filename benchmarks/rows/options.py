"""Corrections on request: what they bring against truths of their own, and what they cost."""

import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.rows.chain import meeting_tiles, mountain_chain
from benchmarks.rows.photons import Haze, Sun, disc, edge, seen_from_space
from benchmarks.rows.row import Row, at_least, at_most
from benchmarks.rows.rugged import (
    RuggedLand,
    covers,
    level_land,
    lit_land,
    mountains,
    write_heights,
)
from catalog.grid import Grid
from catalog.product import TILE_PIXELS
from processing.atmosphere.adjacency import Surround, sharpened, surroundings
from processing.atmosphere.aerosol import aerosol_model
from processing.atmosphere.aod import AodField
from processing.atmosphere.correct import surface_reflectance
from processing.atmosphere.depths import OpticalDepths
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.lut import response_lut
from processing.atmosphere.mie import aerosol_optics
from processing.atmosphere.rayleigh import rayleigh_optical_depth
from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs
from processing.atmosphere.sky import Sky
from processing.atmosphere.topography import SlopeSample, correlation, factor, fit_c
from processing.atmosphere.transmission import one_way
from processing.geometry.angles import AngleField, true_north_deg
from processing.geometry.dem import HeightModel, open_dem
from processing.geometry.field import GroundField
from processing.geometry.slope import Illumination, illumination
from processing.relief import Relief
from processing.surround import CoarseScene, Surroundings

Floats = NDArray[np.float64]

SUN_ZENITH, VIEW_ZENITH = 35.0, 20.0
CELL_M = 128.0
NIR = (0.86, 0.02, 0.40)
BLUE = (0.47, 0.03, 0.10)
"""Wavelength, um; water and land."""
PLACES = np.array([-40.0, -20, -10, -5, -3, -2, -1, -0.5, -0.25, -0.1])
"""Kilometres from a shore; the land has the same on its side."""
SAME_RAYLEIGH_HPA = 1013.0 * 0.15967 / 0.15838
"""6SV's profile holds 0.8 % more air than Bodhaine's formula: this pressure makes both equal."""
RUGGED_SUN = (150.0, 45.0)
"""Azimuth and zenith over the mountains."""
DIRECT = (0.62, 0.72, 0.80, 0.88)
"""Share of the sun in all light, blue to near infrared, as over an optical depth of 0.2."""


@dataclass(frozen=True, slots=True)
class Air:
    """What the table says of one wavelength: transmittance, sky albedo, contrast, share of air."""

    transmittance: float
    albedo: float
    contrast: float
    air: float

    @classmethod
    def of(cls, wavelength_um: float, aod: float, view: float, hpa: float) -> "Air":
        """Read the table for the continental aerosol."""
        nodes, one = np.array([1000 * wavelength_um]), np.eye(1)
        lut = response_lut(nodes, one)
        depths = OpticalDepths.of("continental", nodes, one)
        terms = lut.terms(
            "continental", sza=SUN_ZENITH, vza=view, raa=90.0, pressure_hpa=hpa, aod=aod
        )
        up = one_way(lut, depths, "continental", zenith=view, pressure_hpa=hpa, aod=aod)
        return cls(
            float(terms.transmittance[0]),
            float(terms.albedo[0]),
            float(up.total[0] / up.direct[0]),
            float(up.rayleigh_share[0]),
        )

    def uniform(self, signal: Floats) -> Floats:
        """Return reflectance as if the ground were uniform."""
        return np.asarray(signal / (1 + self.albedo * signal))

    def around(self, image: Floats, view: float) -> Floats:
        """Return the mean around each of cells of 128 m."""
        albedo, contrast, air = (
            np.full(image.shape, value, np.float32)
            for value in (self.albedo, self.contrast, self.air)
        )
        surround = Surround.over(np.ones(image.shape, bool), CELL_M, view)
        found = surroundings(image.astype(np.float32), albedo, contrast, air, surround)
        return found.astype(np.float64)

    def corrected(self, signal: Floats, around: Floats) -> Floats:
        """Return reflectance with the light of the surroundings taken out."""
        albedo, contrast = (np.float32([value]) for value in (self.albedo, self.contrast))
        return sharpened(
            signal.astype(np.float32), albedo, contrast, around.astype(np.float32)
        ).astype(np.float64)


def shores(full: bool) -> Iterator[Row]:
    """Water and land meet in a line or around a lake; photons are followed one by one."""
    photons = 1_000_000 if full else 200_000
    for (name, (wavelength, dark, bright)), aod in itertools.product(
        (("blue", BLUE), ("near infrared", NIR)), (0.1, 0.4)
    ):
        air = Air.of(wavelength, aod, VIEW_ZENITH, 1013.25)
        places = np.concatenate([PLACES, -PLACES[::-1]])
        signal = _photons(edge(bright, dark), places, wavelength, aod, VIEW_ZENITH, photons) / (
            air.transmittance
        )
        at = (np.arange(961) - 480) * CELL_M / 1000
        image = np.tile(np.interp(at, places, signal), (700, 1))
        around = np.interp(places, at, air.around(image, VIEW_ZENITH)[350])
        after = air.corrected(signal, around)
        truth = np.where(places < 0, dark, bright)
        yield from _before_after(f"shore, {name}, AOD {aod}", air.uniform(signal), after, truth)
    air = Air.of(NIR[0], 0.2, 0.0, 1013.25)
    radius = np.array([0.0, 0.3, 0.6, 0.85, 1.15, 1.4, 2, 3, 6, 12, 25, 50])
    pattern = disc(NIR[1], NIR[2], 1.0)
    signal = _photons(pattern, radius, NIR[0], 0.2, 0.0, photons) / air.transmittance
    at = (np.arange(801) - 400) * CELL_M / 1000
    image = np.interp(np.hypot(at[:, None], at), radius, signal)
    after = air.corrected(signal, np.interp(radius, at[400:], air.around(image, 0.0)[400, 400:]))
    truth = np.where(radius < 1, NIR[1], NIR[2])
    yield from _before_after(
        "lake of 1 km radius, near infrared, AOD 0.2", air.uniform(signal), after, truth
    )


def _photons(
    pattern: Floats, places: Floats, wavelength: float, aod: float, view: float, photons: int
) -> Floats:
    """Return the reflectance at the top without that of the air itself."""
    model = aerosol_model("continental")
    optics = aerosol_optics(model, wavelength)
    depth = aod * optics.extinction / aerosol_optics(model, 0.55).extinction
    haze = Haze(depth, optics.single_scattering_albedo, optics.moments[0])
    air, sun = float(rayleigh_optical_depth(wavelength)), Sun(SUN_ZENITH, view, 0.0, 90.0)
    seen, _ = seen_from_space(pattern, places, air, haze, sun, photons)
    path, _ = seen_from_space(edge(0, 0), places[:1], air, haze, sun, photons)
    return seen - path


def _before_after(name: str, before: Floats, after: Floats, truth: Floats) -> Iterator[Row]:
    """Yield errors of reflectance; the bar is the specification of reflectance, of dark ground."""
    dark = truth == truth.min()
    bar = 0.005 + 0.05 * float(truth.min())
    yield Row(f"{name}: error of water before, max", _largest((before - truth)[dark]), "1")
    yield at_most(
        f"{name}: error of water corrected, max", _largest((after - truth)[dark]), "1", bar
    )
    share = _rms(after - truth) / _rms(before - truth)
    yield at_most(f"{name}: error left of land and water, rms", 100 * share, "%", 50.0)


def lakes_of_sixs(full: bool) -> Iterator[Row]:
    """6SV's own ground of two parts, the second code that knows the surroundings."""
    before, after = [], []
    depths = (0.1, 0.2, 0.5) if full else (0.2,)
    for (wavelength, dark, bright), aod, radius in itertools.product(
        (BLUE, NIR), depths, (0.5, 2.0)
    ):
        case = SixsCase(SUN_ZENITH, 0.0, 90.0, "continental", aod)
        spectrum = Spectrum.at(wavelength)
        lake, land = (
            run_sixs(case, spectrum, ground=(inside, bright, radius)) for inside in (dark, bright)
        )
        inner, outer = ((each.apparent - land.path) / land.transmittance for each in (lake, land))
        at = (np.arange(481) - 240) * CELL_M / 1000
        image = np.where(np.hypot(at[:, None], at) < radius, inner, outer)
        air = Air.of(wavelength, aod, 0.0, SAME_RAYLEIGH_HPA)
        before.append(float(air.uniform(np.array(inner))) - dark)
        around = air.around(image, 0.0)[240:241, 240]
        after.append(float(air.corrected(np.array([inner]), around)[0]) - dark)
    yield Row("6SV's lakes, middle: error before, max", _largest(np.array(before)), "1")
    yield at_most(
        "6SV's lakes, middle: error corrected, max", _largest(np.array(after)), "1", 0.005
    )


def full_tile() -> Iterator[Row]:
    """One tile with a scene around it: time, and a ground that has no surroundings to speak of."""
    side = TILE_PIXELS
    frame = Grid(32631, 300_000, 5_100_000, 16, side, side)
    look = Grid(32631, 299_520, 5_100_480, 32, side // 2 + 48, side // 2 + 48)
    sky = _sky(look)
    best = sky.coefficients(frame.coarsen(64))
    for name, toa in _toa_images(look).items():
        coarse = CoarseScene(look.coarsen(4), toa)
        start = time.process_time()
        around = Surroundings.of(coarse, sky)
        scene = time.process_time() - start
        part = frame.window(0, 0, 1024, side)
        image = np.full((4, *part.shape), 2300, np.uint16)
        plain, _ = surface_reflectance(image, part, best)
        start = time.process_time()
        coefs = around.taken_out(best, sky, frame)
        tile = time.process_time() - start
        found, _ = surface_reflectance(image, part, coefs)
        start = time.process_time()
        surface_reflectance(image, part, coefs)
        tile += (time.process_time() - start) * side / part.rows
        if name == "uniform":
            change = np.abs(found.astype(np.int32) - plain).max()
            yield at_most("uniform scene with --adjacency: change, max", float(change), "DN", 1.0)
        else:
            yield at_most("--adjacency, a scene as large as a tile", scene, "CPU s", 10.0)
            yield at_most("--adjacency, a full tile", tile, "CPU s", 10.0)


def _toa_images(look: Grid) -> dict[str, NDArray[np.uint16]]:
    shape = (4, *look.coarsen(4).shape)
    rng = np.random.default_rng(3)
    return {
        "uniform": np.full(shape, 2300, np.uint16),
        "mixed": rng.integers(900, 5000, shape).astype(np.uint16),
    }


def _sky(look: Grid) -> Sky:
    cells = look.coarsen(16)
    haze = np.full(cells.shape, 0.25, np.float32)
    fit = AodField(cells, haze, haze / 3, np.zeros(cells.shape, np.uint8), "continental", {})
    heights = HeightModel("none (ellipsoid)", "none")
    sun, view = (150.0, SUN_ZENITH), (280.0, VIEW_ZENITH)
    return Sky("GF1WFV1", fit, GasColumns(300.0, 2.0), _directions(look, sun, view), heights)


def _directions(
    grid: Grid, sun: tuple[float, float], view: tuple[float, float] = (0.0, 0.0)
) -> AngleField:
    """Return directions (azimuth, zenith) that are the same everywhere."""
    vectors: list[float] = []
    for azimuth, zenith in np.radians([sun, view]):
        vectors += [np.sin(zenith) * np.sin(azimuth), np.sin(zenith) * np.cos(azimuth)]
        vectors += [float(np.cos(zenith))]
    span = grid.resolution * max(grid.shape)
    around = Grid(grid.epsg, grid.ulx - span, grid.uly + span, 3 * span, 2, 2)
    layers = np.broadcast_to(np.array(vectors, np.float32)[:, None, None], (6, 2, 2))
    return AngleField(GroundField(around, layers))


def slopes() -> Iterator[Row]:
    """Mountains under a known sun and sky, before and after the correction."""
    grid = Grid(32631, 300_000.0, 5_100_000.0, 16.0, 700, 700)
    land = _mountain_land(grid)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heights.tif"
        write_heights(path, land.heights, grid)
        heights = open_dem(path, (0.2, 45.8, 0.8, 46.2))
        field = _directions(grid, RUGGED_SUN)
        light = illumination(heights, grid, field)
        use = land.lit & (light.incidence > 0) & (light.slope < np.cos(np.radians(5.0)))
        sr = np.rint(land.seen * 1e4).clip(1, 16000).astype(np.uint16)
        before = sr / 1e4
        c = fit_c(_sample(before, light, use), _sky_c(), red=2, nir=3)
        relief, seconds = Relief(c or (None,) * 4, "", 0), []
        for _ in range(5):
            corrected = sr.copy()
            start = time.process_time()
            relief.applied(corrected, land.lit, grid, heights, field)
            seconds.append((time.process_time() - start) * TILE_PIXELS**2 / sr[0].size)
    yield at_most("--terrain-correction, a full tile", min(seconds), "CPU s", 10.0)
    yield from _slope_rows(land, light, use, before, corrected / 1e4)


def _mountain_land(grid: Grid) -> RuggedLand:
    heights = mountains(grid.shape, grid.resolution, 900.0, seed=3)
    cover = covers(grid.shape, heights, seed=4)
    azimuth = RUGGED_SUN[0] + float(true_north_deg(grid.coarsen(16)).mean())
    return lit_land(
        level_land(cover), heights, cover, grid.resolution, (azimuth, RUGGED_SUN[1]), DIRECT
    )


def _sky_c() -> list[float]:
    """Return the C that the light of the sky lets expect."""
    level = np.cos(np.radians(RUGGED_SUN[1]))
    return [float((1 - share) / share * level) for share in DIRECT]


def _sample(image: Floats, light: Illumination, use: NDArray[np.bool_]) -> SlopeSample:
    pick = np.flatnonzero(use)[:: max(1, np.count_nonzero(use) // 60_000)]
    cosines = (part.ravel()[pick] for part in (light.incidence, light.slope, light.sun))
    return SlopeSample(
        image.reshape(len(image), -1)[:, pick].astype(np.float32), Illumination(*cosines)
    )


def _slope_rows(
    land: RuggedLand, light: Illumination, use: NDArray[np.bool_], before: Floats, after: Floats
) -> Iterator[Row]:
    for band, name in enumerate(("blue", "green", "red", "nir")):
        follows = [
            max(
                abs(correlation(image[band][here], light.incidence[here]))
                for here in (use & (land.cover == kind) for kind in range(4))
            )
            for image in (before, after)
        ]
        yield Row(
            f"slopes, {name}: correlation with the light before, worst cover", follows[0], "1"
        )
        yield at_most(
            f"slopes, {name}: correlation with the light corrected, worst cover",
            follows[1],
            "1",
            0.3,
        )
        errors = [_rms((image[band] - land.level[band])[use]) for image in (before, after)]
        yield Row(f"slopes, {name}: error of reflectance before, rms", errors[0], "1")
        yield at_most(
            f"slopes, {name}: error of reflectance left", 100 * errors[1] / errors[0], "%", 65.0
        )


def real_slopes() -> Iterator[Row]:
    """Ridges seen by Landsat 7 under the low sun of November: no truth, but slopes tell."""
    name = "Landsat 7 over ridges in November"
    setting = os.environ.get("GFARD_TEST_DATA")
    folder = None if setting is None else Path(setting) / "topo"
    if folder is None or not folder.is_dir():
        reason = "GFARD_TEST_DATA names no folder with topo/"
        yield Row(f"{name}: variance by relief taken away, nir", None, "%", 70.0, skipped=reason)
        return
    light, image = _landsat(folder)
    use = (light.incidence > 0.05) & (light.slope < np.cos(np.radians(5.0)))
    level = float(light.sun.flat[0])
    c = fit_c(
        _sample(image, light, use), [0.4 * level, 0.3 * level, 0.2 * level, 0.1 * level], 2, 3
    )
    for band, title in enumerate(("blue", "green", "red", "nir")):
        each = None if c is None else c[band]
        fixed = image[band] * factor(light, each)
        before, after = (
            correlation(values[use], light.incidence[use]) for values in (image[band], fixed)
        )
        yield Row(f"{name}: correlation with the light before, {title}", before, "1")
        yield Row(f"{name}: correlation with the light corrected, {title}", after, "1")
    yield at_least(
        f"{name}: variance by relief taken away, nir", 100 * (1 - after**2 / before**2), "%", 70.0
    )


def _landsat(folder: Path) -> tuple[Illumination, Floats]:
    """Return the light on the ridges and reflectance above the darkest of each band."""
    with rasterio.open(folder / "L7_p15r32_nov2002_west_dn.tif") as raster:
        counts, transform = raster.read([1, 2, 3, 4]).astype(np.float64), raster.transform
    path = folder / "p15r32_dem_30m_west.tif"
    grid = Grid(32618, transform.c, transform.f, transform.a, *counts.shape[1:])
    lon, lat = grid.lonlat(np.array([0.0, grid.rows]), np.array([0.0, grid.cols]))
    heights = open_dem(
        path, (float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))
    )
    light = illumination(heights, grid, _directions(grid, (159.5, 63.8)))
    dark = np.percentile(counts, 0.5, axis=(1, 2))
    return light, (counts - dark[:, None, None]).clip(0.5) / 255


def option_rows(full: bool) -> Iterator[Row]:
    """Measure the corrections that are made on request."""
    yield from full_tile()
    yield from slopes()
    yield from real_slopes()
    yield from lakes_of_sixs(full)
    yield from shores(full)
    if full:
        yield from mountain_chain()
        yield from meeting_tiles()


def _largest(errors: Floats) -> float:
    return float(np.abs(errors).max())


def _rms(errors: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
