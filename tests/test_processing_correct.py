"""Inversion of TOA reflectance: exact round trip, the slow version, 6SV with its gases, edges."""

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import AtmosphereError
from catalog.grid import Grid
from processing.atmosphere.correct import (
    Coefficients,
    atmosphere_terms,
    coefficients,
    surface_reflectance,
)
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs
from processing.geometry.angles import Angles

GAS = GasColumns(300, 2.0)
GRID = Grid(32631, 300_000, 5_100_000, 16, 150, 210)


def same_angles(grid: Grid, sza: float = 40, vza: float = 20, raa: float = 90) -> Angles:
    sun_azimuth, sun, view_azimuth, view = (
        np.full(grid.shape, value, np.float32) for value in (150.0 + raa, sza, 150.0, vza)
    )
    return Angles(sun_azimuth, sun, view_azimuth, view)


def made(grid: Grid, camera: str = "GF1WFV1", aod: float = 0.3, sza: float = 40) -> Coefficients:
    return coefficients(
        camera,
        "continental",
        GAS,
        angles=same_angles(grid, sza),
        aod=np.full(grid.shape, aod, np.float32),
        heights=np.zeros(grid.shape, np.float32),
        cgrid=grid,
    )


@pytest.mark.parametrize("camera", ["GF1WFV2", "GF6WFV"])
def test_forward_and_back_within_one_step(camera: str) -> None:
    cells = GRID.coarsen(64)
    terms = atmosphere_terms(
        camera,
        "continental",
        GAS,
        angles=same_angles(cells),
        aod=np.full(cells.shape, 0.3, np.float32),
        heights=np.zeros(cells.shape, np.float32),
    )
    air = [part[:, :1, :1] for part in (terms.path, terms.transmittance, terms.albedo)]
    truth = np.random.default_rng(3).uniform(0.02, 0.8, (len(air[0]), *GRID.shape))
    toa = air[0] + air[1] * truth / (1 - air[2] * truth)
    sr, clamped = surface_reflectance(
        np.rint(toa * 1e4).astype(np.uint16), GRID, made(cells, camera)
    )
    step = 1 + 0.5 / air[1].min()
    assert np.abs(sr - truth * 1e4).max() <= step
    assert not clamped.any()


def slow(toa: NDArray[np.uint16], grid: Grid, coefs: Coefficients) -> NDArray[np.float64]:
    """Bilinear coefficients at every pixel, then the formula, in float64."""
    from scipy.ndimage import map_coordinates

    rows = (np.arange(grid.rows) + 0.5) * grid.resolution + coefs.grid.uly - grid.uly
    cols = (np.arange(grid.cols) + 0.5) * grid.resolution + grid.ulx - coefs.grid.ulx
    where = np.meshgrid(
        rows / coefs.grid.resolution - 0.5, cols / coefs.grid.resolution - 0.5, indexing="ij"
    )
    gain, offset, albedo = (
        np.stack(
            [map_coordinates(band.astype(float), where, order=1, mode="nearest") for band in part]
        )
        for part in (coefs.gain, coefs.offset, coefs.albedo)
    )
    y = gain * toa * 1e-4 + offset
    return 1e4 * y / (1 + albedo * y)


@pytest.mark.parametrize("window", [(0, 0, 150, 210), (13, 70, 100, 97), (140, 205, 5, 4)])
def test_agrees_with_the_slow_version(window: tuple[int, int, int, int]) -> None:
    rng = np.random.default_rng(5)
    cells = GRID.coarsen(64)
    fields = (
        rng.uniform(low, high, (4, *cells.shape)) for low, high in ((1, 2), (-0.2, 0), (0.05, 0.3))
    )
    coefs = Coefficients(cells, *(field.astype(np.float32) for field in fields))
    frame = GRID.window(*window)
    toa = rng.integers(2500, 9000, (4, *frame.shape)).astype(np.uint16)
    sr, clamped = surface_reflectance(toa, frame, coefs)
    expected = slow(toa, frame, coefs)
    within = (expected > 1) & (expected < 15999)
    assert np.abs(sr - expected)[within].max() <= 0.52
    np.testing.assert_array_equal(clamped, ((expected < 0.5) | (expected > 16000.5)).any(axis=0))


def test_one_cell_is_enough() -> None:
    small = GRID.window(0, 0, 10, 10)
    coefs = made(small.coarsen(64))
    assert coefs.gain.shape == (4, 1, 1)
    toa = np.full((4, 10, 10), 1500, np.uint16)
    sr, _ = surface_reflectance(toa, small, coefs)
    np.testing.assert_array_equal(sr, sr[:, :1, :1] + np.zeros_like(sr))


def test_fill_stays_fill_and_extremes_are_clamped() -> None:
    toa = np.full((4, *GRID.shape), 1500, np.uint16)
    toa[:, 0, 0] = 0
    toa[0, 1, 1] = 1
    toa[3, 2, 2] = 65535
    sr, clamped = surface_reflectance(toa, GRID, made(GRID.coarsen(64)))
    assert (sr[:, 0, 0] == 0).all()
    assert sr[0, 1, 1] == 1
    assert sr[3, 2, 2] == 16000
    assert np.argwhere(clamped).tolist() == [[1, 1], [2, 2]]


def test_reflectance_below_6sv_with_gases() -> None:
    """Signals of 6SV, gases and all, come back as the grounds they were made over."""
    grounds, signal = np.array([0.05, 0.2, 0.4]), []
    for band in range(4):
        spectrum = Spectrum.of_band("GF1WFV3", band)
        dry = SixsCase(40, 20, 90, "continental", 0.3)
        wet = SixsCase(40, 20, 90, None, 0.0, GAS.water_vapour_g_cm2, GAS.ozone_du)
        terms, gases = run_sixs(dry, spectrum), run_sixs(wet, spectrum).gases
        surface = np.array([terms.reflectance(ground) for ground in grounds]) - terms.path
        above = gases["ozone"] * gases["oxygen"]
        signal.append(above * (terms.path + gases["water"] * surface))
    toa = np.rint(1e4 * np.array(signal)).astype(np.uint16)[:, np.newaxis]
    frame = GRID.window(0, 0, 1, grounds.size)
    sr, _ = surface_reflectance(toa, frame, made(frame.coarsen(64), "GF1WFV3", 0.3))
    np.testing.assert_allclose(sr[:, 0] * 1e-4, np.tile(grounds, (4, 1)), atol=0.005)


def test_gaps_in_the_angles_are_bridged() -> None:
    cells = GRID.coarsen(16)
    angles = same_angles(cells)
    angles.sun_zenith[:3] = np.nan
    inputs = {
        "angles": angles,
        "aod": np.full(cells.shape, 0.2, np.float32),
        "heights": np.full(cells.shape, np.nan, np.float32),
        "cgrid": cells,
    }
    coefs = coefficients("GF1WFV1", "continental", GAS, **inputs)  # type: ignore[arg-type]
    assert np.isfinite(coefs.gain).all()
    np.testing.assert_array_equal(coefs.gain[:, 0], coefs.gain[:, 3])
    angles.sun_zenith[:] = np.nan
    with pytest.raises(AtmosphereError, match="no cell"):
        coefficients("GF1WFV1", "continental", GAS, **inputs)  # type: ignore[arg-type]


def test_low_sun_and_wrong_shapes_are_errors() -> None:
    with pytest.raises(AtmosphereError, match="sun zenith"):
        made(GRID.coarsen(64), sza=80)
    coefs = made(GRID.coarsen(64))
    with pytest.raises(AtmosphereError, match="bands"):
        surface_reflectance(np.ones((8, *GRID.shape), np.uint16), GRID, coefs)
    other_zone = Grid(32632, GRID.ulx, GRID.uly, 16, *GRID.shape)
    with pytest.raises(AtmosphereError, match="zone"):
        surface_reflectance(np.ones((4, *GRID.shape), np.uint16), other_zone, coefs)


def test_thicker_haze_darkens_the_dark_and_height_thins_the_air() -> None:
    cells = GRID.coarsen(64)
    toa = np.full((4, *GRID.shape), 1200, np.uint16)
    thin, thick = (surface_reflectance(toa, GRID, made(cells, aod=a))[0] for a in (0.1, 0.5))
    assert (thick[0] < thin[0]).all()
    high = coefficients(
        "GF1WFV1",
        "continental",
        GAS,
        angles=same_angles(cells),
        aod=np.full(cells.shape, 0.1, np.float32),
        heights=np.full(cells.shape, 3000, np.float32),
        cgrid=cells,
    )
    assert (surface_reflectance(toa, GRID, high)[0][0] > thin[0]).all()


def test_each_band_may_have_a_depth_of_its_own() -> None:
    cells = GRID.coarsen(64)
    depths = np.linspace(0.1, 0.7, 4, dtype=np.float32)
    inputs = {"angles": same_angles(cells), "heights": np.zeros(cells.shape, np.float32)}
    planes = np.broadcast_to(depths[:, np.newaxis, np.newaxis], (4, *cells.shape))
    own = coefficients("GF1WFV1", "continental", GAS, aod=planes, cgrid=cells, **inputs)
    for band, depth in enumerate(depths):
        alike = made(cells, aod=float(depth))
        np.testing.assert_array_equal(own.gain[band], alike.gain[band])
        np.testing.assert_array_equal(own.offset[band], alike.offset[band])
        np.testing.assert_array_equal(own.albedo[band], alike.albedo[band])
