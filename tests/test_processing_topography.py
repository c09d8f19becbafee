"""Light on slopes: planes by hand, land lit by a closed form, and what slopes must not do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from catalog.grid import Grid
from processing.atmosphere.aod import AodField
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.sky import Sky
from processing.atmosphere.topography import SlopeSample, correlation, factor, fit_c
from processing.geometry.angles import AngleField, true_north_deg
from processing.geometry.dem import HeightModel, open_dem
from processing.geometry.field import GroundField
from processing.geometry.slope import Illumination, illumination
from processing.relief import Relief, SlopePixels, multiplied

GRID = Grid(32631, 300000.0, 5100000.0, 16.0, 120, 100)
SUN_AZIMUTH, SUN_ZENITH = 150.0, 40.0
SKY = (0.35, 0.25, 0.16, 0.08)
"""Scattered by direct light on level ground, blue to near infrared."""


def _directions(grid: Grid, zenith_deg: float = SUN_ZENITH) -> AngleField:
    azimuth, zenith = np.radians([SUN_AZIMUTH, zenith_deg])
    vector = [np.sin(zenith) * np.sin(azimuth), np.sin(zenith) * np.cos(azimuth), np.cos(zenith)]
    layers = np.broadcast_to(np.array([*vector, 0, 0, 1], np.float32)[:, None, None], (6, 2, 2))
    return AngleField(GroundField(Grid(grid.epsg, grid.ulx, grid.uly, 16000.0, 2, 2), layers))


def _heights(
    folder: Path,
    ground: Callable[[np.ndarray, np.ndarray], np.ndarray],
    nodata: float | None = None,
) -> HeightModel:
    """Heights above the ellipsoid as a function of row and column of GRID, as a file in degrees."""
    step, path = 1 / 3600, folder / "heights.tif"
    lon, lat = GRID.lonlat(np.array([-20.0, GRID.rows + 20]), np.array([-20.0, GRID.cols + 20]))
    west, north = float(lon.min()), float(lat.max())
    cols, rows = int(np.ptp(lon) / step), int(np.ptp(lat) / step)
    at = np.meshgrid(west + (np.arange(cols) + 0.5) * step, north - (np.arange(rows) + 0.5) * step)
    values = ground(*GRID.rowcol(*at)).astype(np.float32)
    with rasterio.open(
        path, "w", driver="GTiff", width=cols, height=rows, count=1, dtype="float32",
        crs="EPSG:4979", nodata=nodata, transform=from_origin(west, north, step, step),
    ) as raster:  # fmt: skip
        raster.write(values, 1)
    return open_dem(path, (0.3, 45.9, 0.7, 46.1))


def _plane(slope_deg: float, faces_deg: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Ground that falls towards an azimuth, counted from grid north."""
    fall = np.tan(np.radians(slope_deg)) * GRID.resolution
    east, north = np.sin(np.radians(faces_deg)), np.cos(np.radians(faces_deg))
    return lambda row, col: 1000 - fall * (east * col - north * row)


@pytest.mark.parametrize(("slope", "faces"), [(20.0, 150.0), (35.0, 330.0), (10.0, 60.0)])
def test_the_light_on_a_plane_is_that_of_its_angles(
    tmp_path: Path, slope: float, faces: float
) -> None:
    light = illumination(_heights(tmp_path, _plane(slope, faces)), GRID, _directions(GRID))
    north = float(true_north_deg(GRID).mean())
    a, z, t = np.radians([slope, SUN_ZENITH, SUN_AZIMUTH + north - faces])
    incidence = np.cos(z) * np.cos(a) + np.sin(z) * np.sin(a) * np.cos(t)
    np.testing.assert_allclose(light.incidence, incidence, atol=0.001)
    np.testing.assert_allclose(light.slope, np.cos(a), atol=0.001)
    np.testing.assert_allclose(light.sun, np.cos(z), atol=1e-4)


def test_level_ground_is_left_to_the_digit(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)

    def rough(row: np.ndarray, col: np.ndarray) -> np.ndarray:
        return 400 + rng.normal(0, 0.3, row.shape)

    sr = rng.integers(1, 9000, (4, *GRID.shape)).astype(np.uint16)
    before = sr.copy()
    relief = Relief((0.3, 0.2, None, 0.0), "test", 0)
    lit = np.ones(GRID.shape, bool)
    factors, clamped = relief.applied(sr, lit, GRID, _heights(tmp_path, rough), _directions(GRID))
    np.testing.assert_array_equal(sr, before)
    assert (factors == 10000).all()
    assert not clamped.any()


def _land(count: int, seed: int) -> tuple[Illumination, np.ndarray, np.ndarray]:
    """Light on random slopes, cover that prefers some slopes, and its true reflectance."""
    rng = np.random.default_rng(seed)
    slope = np.radians(rng.uniform(5, 35, count))
    turn = rng.uniform(0, 2 * np.pi, count)
    zenith = np.radians(SUN_ZENITH)
    incidence = np.cos(zenith) * np.cos(slope) + np.sin(zenith) * np.sin(slope) * np.cos(turn)
    forest = rng.random(count) < 0.5 - 0.35 * np.cos(turn)
    cover = np.where(forest, [[0.03], [0.05], [0.04], [0.3]], [[0.08], [0.12], [0.14], [0.26]])
    cover = cover * rng.normal(1, 0.08, (4, count)).clip(0.6, 1.4)
    parts = (incidence, np.cos(slope), np.full(count, np.cos(zenith)))
    return Illumination(*(part.astype(np.float32) for part in parts)), cover, forest


def test_c_is_the_light_of_the_sky_though_forest_likes_the_shade() -> None:
    light, cover, forest = _land(40_000, 5)
    level = np.cos(np.radians(SUN_ZENITH))
    c = np.array(SKY)[:, None] * level
    seen = (cover * (light.incidence + c) / (level * light.slope + c)).astype(np.float32)
    lit = light.incidence > 0.02
    sample = SlopeSample(
        seen[:, lit], Illumination(light.incidence[lit], light.slope[lit], light.sun[lit])
    )
    found = fit_c(sample, c[:, 0].tolist(), red=2, nir=3)
    assert found is not None
    for band, (each, wanted) in enumerate(zip(found, c[:, 0], strict=True)):
        assert each == pytest.approx(wanted, abs=0.12), band
        values = seen[band][lit]
        fixed = values * factor(sample.light, each)
        before, after = (np.sqrt(np.mean((v / cover[band][lit] - 1) ** 2)) for v in (values, fixed))
        assert after < 0.35 * before
        for kind in (forest[lit], ~forest[lit]):
            assert abs(correlation(values[kind], sample.light.incidence[kind])) > 0.5
            assert abs(correlation(fixed[kind], sample.light.incidence[kind])) < 0.2


def test_land_that_does_not_follow_the_light_is_not_corrected() -> None:
    light, cover, _ = _land(20_000, 7)
    found = fit_c(SlopeSample(cover.astype(np.float32), light), SKY, red=2, nir=3)
    assert found is not None
    assert all(each is None or each > 5 for each in found)
    few = Illumination(light.incidence[:40], light.slope[:40], light.sun[:40])
    assert fit_c(SlopeSample(cover[:, :40].astype(np.float32), few), SKY, red=2, nir=3) is None


def test_grazing_light_and_slopes_turned_away_stay_bounded() -> None:
    incidence = np.array([-0.4, 0.0, 1e-6, 0.05, 0.3, 1.0], np.float32)
    for zenith in (20.0, 75.0, 89.9):
        level = np.full(6, np.cos(np.radians(zenith)), np.float32)
        light = Illumination(incidence, np.full(6, 0.8, np.float32), level)
        for c in (None, 0.0, 0.3):
            found = factor(light, c)
            assert ((found > 0.3999) & (found < 2.5001)).all()
            assert (found[:2] == 1).all()
    cliff = Illumination(*(np.array([v], np.float32) for v in (0.6, 0.2, 0.7)))
    assert factor(cliff, 0.2)[0] == 1


def test_shadow_fill_and_voids_keep_their_values(tmp_path: Path) -> None:

    def ground(row: np.ndarray, col: np.ndarray) -> np.ndarray:
        void = (row > 40) & (row < 90) & (col > 50) & (col < 80)
        return np.where(void, -9999, _plane(25.0, 150.0)(row, col))

    heights = _heights(tmp_path, ground, nodata=-9999)
    sr = np.full((4, *GRID.shape), 2000, np.uint16)
    sr[:, :10] = 0
    lit = np.ones(GRID.shape, bool)
    lit[:, :20] = False
    relief = Relief((0.2, 0.2, 0.2, 0.2), "test", 0)
    factors, _ = relief.applied(sr, lit, GRID, heights, _directions(GRID))
    assert ((sr == 0) == (factors == 0)).all()
    assert (sr[:, :10] == 0).all()
    assert (sr[:, 10:, :20] == 2000).all()
    open_land = sr[:, 10:, 25:30]
    assert (open_land < 2000).all()
    assert ((sr[:, 10:] >= 800) & (sr[:, 10:] <= 5000)).all()
    back = np.rint(sr[:, 10:] / (factors[:, 10:] * 1e-4))
    assert np.abs(back - 2000).max() <= 2


def _sky_over(look: Grid) -> Sky:
    """Return the air over flat land in whose north the sun stands lower than the table knows."""
    low, high = np.radians([74.0, 77.0])
    layers = np.zeros((6, 2, 2), np.float32)
    layers[1] = -np.sin([[high, high], [low, low]])
    layers[2] = np.cos([[high, high], [low, low]])
    layers[5] = 1
    field = AngleField(GroundField(Grid(32631, 300000.0, 5100000.0, 5120.0, 2, 2), layers))
    cells = look.coarsen(16)
    haze = np.full(cells.shape, 0.2, np.float32)
    fit = AodField(cells, haze, haze, np.zeros(cells.shape, np.uint8), "continental", {})
    return Sky("GF1WFV1", fit, GasColumns(), field, HeightModel("none", "none"))


def test_under_a_sun_that_leaves_the_table_pixels_within_it_are_corrected() -> None:
    look = Grid(32631, 300000.0, 5100000.0, 32.0, 320, 320)
    sky, cells = _sky_over(look), look.coarsen(32)
    low = sky.directions.on(cells).sun_zenith > 75
    assert 0.2 < low.mean() < 0.8
    gain = sky.coefficients(cells).gain
    assert np.isfinite(gain).all()
    last_inside = np.flatnonzero(~low[:, 0])[0]
    assert (gain[:, low] == gain[:, last_inside : last_inside + 1, 0]).all()


def test_under_a_sun_that_leaves_the_table_c_is_still_told() -> None:
    look = Grid(32631, 300000.0, 5100000.0, 32.0, 320, 320)
    sky = _sky_over(look)
    pixels = SlopePixels(look)
    nothing = np.zeros(0, np.intp)
    pixels.add(nothing, nothing, np.zeros((4, 0), np.float32), np.zeros((3, 0), np.float32))
    relief = Relief.of(pixels, sky, None, ("blue", "green", "red", "nir"))
    assert relief.source == "sky light of the look-up table"
    assert relief.pixels == 0
    told = [each for each in relief.c if each is not None]
    assert told == sorted(told, reverse=True)
    assert 0.02 < told[3] < told[0] < 3


def test_sigma_goes_with_the_reflectance() -> None:
    sigma = np.array([[[0, 1, 100, 60000]]], np.uint16)
    factors = np.array([[[0, 4000, 25000, 25000]]], np.uint16)
    assert multiplied(sigma, factors).tolist() == [[[0, 1, 250, 65535]]]
