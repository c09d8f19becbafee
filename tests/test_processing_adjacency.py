"""Light of the surroundings: 6SV over a ground of two parts, photons one by one, no edges."""

import numpy as np
import pytest

from benchmarks.rows.photons import Haze, Sun, edge, seen_from_space
from catalog.grid import Grid
from processing.atmosphere.adjacency import (
    REACH_M,
    Surround,
    environment_function,
    in_surroundings,
    point_spread,
    sharpened,
    surroundings,
)
from processing.atmosphere.aerosol import aerosol_model
from processing.atmosphere.correct import Coefficients, surface_reflectance
from processing.atmosphere.depths import OpticalDepths
from processing.atmosphere.lut import response_lut
from processing.atmosphere.mie import aerosol_optics
from processing.atmosphere.rayleigh import rayleigh_optical_depth
from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs
from processing.atmosphere.transmission import OneWay, one_way

CELL_M = 128.0
SEA_LEVEL_HPA = 1013.25
SIXS_PRESSURE_HPA = 1013.0 * 0.15967 / 0.15838
"""Gives the table 6SV's Rayleigh depth, see test_processing_lut."""
DARK, BRIGHT = 0.02, 0.4


def _up(wavelength_um: float, aod: float, view: float, hpa: float = SEA_LEVEL_HPA) -> OneWay:
    nodes, one = np.array([1000 * wavelength_um]), np.eye(1)
    depths = OpticalDepths.of("continental", nodes, one)
    lut = response_lut(nodes, one)
    return one_way(lut, depths, "continental", zenith=view, pressure_hpa=hpa, aod=aod)


@pytest.mark.parametrize("wavelength_um", [0.47, 0.86])
def test_what_comes_straight_is_that_of_6sv(wavelength_um: float) -> None:
    case = SixsCase(35.0, 35.0, 90.0, "continental", 0.4)
    theirs = run_sixs(case, Spectrum.at(wavelength_um))
    ours = _up(wavelength_um, 0.4, 35.0, SIXS_PRESSURE_HPA)
    depth = theirs.rayleigh_depth + theirs.aerosol_depth
    assert ours.direct[0] == pytest.approx(np.exp(-depth / np.cos(np.radians(35.0))), rel=0.005)
    # Sun and sensor at one zenith: the way down is the way up.
    assert ours.total[0] ** 2 == pytest.approx(theirs.transmittance, rel=0.005)
    scattered = float(ours.total[0] - ours.direct[0])
    assert ours.rayleigh[0] + ours.aerosol[0] == pytest.approx(scattered, rel=0.25)


def test_the_environment_function_begins_at_0_and_ends_at_1() -> None:
    for view in (0.0, 25.0, 48.0):
        for share in environment_function(np.linspace(0, 400, 4001), view):
            assert share[0] == 0
            assert share[-1] == pytest.approx(1, abs=1e-6)
            assert (np.diff(share) >= 0).all()


def test_the_point_spread_holds_the_environment_function() -> None:
    spreads = point_spread(CELL_M, 20.0)
    at = (np.arange(len(spreads[0])) - len(spreads[0]) // 2) * CELL_M
    distance = np.hypot(at[:, None], at)
    for radius_m in (1000.0, 5000.0, 20000.0):
        wanted = environment_function(np.array([radius_m, REACH_M]) / 1000, 20.0)
        for spread, (inside, whole) in zip(spreads, wanted, strict=True):
            assert spread[distance < radius_m].sum() == pytest.approx(inside / whole, abs=0.01)


def test_a_uniform_ground_stays_as_it_is() -> None:
    grid = Grid(32631, 300000.0, 5100000.0, 16.0, 320, 240)
    cells = grid.coarsen(8)
    gain, offset, albedo, contrast = (
        np.full((4, *cells.shape), value, np.float32) for value in (1.3, -0.12, 0.15, 1.4)
    )
    coefs = Coefficients(cells, gain, offset, albedo)
    toa = np.full((4, *grid.shape), 2500, np.uint16)
    toa[:, :5] = 0
    plain, _ = surface_reflectance(toa, grid, coefs)
    ground = np.full((4, *cells.shape), plain.max() * 1e-4, np.float32)
    found, _ = surface_reflectance(toa, grid, in_surroundings(coefs, contrast, ground, cells))
    assert np.abs(found.astype(int) - plain).max() <= 1
    unknown = np.full_like(ground, np.nan)
    same, _ = surface_reflectance(toa, grid, in_surroundings(coefs, contrast, unknown, cells))
    np.testing.assert_array_equal(same, plain)


def test_holes_and_edges_of_a_scene_do_not_count() -> None:
    known = np.zeros((220, 180), bool)
    known[20:, 10:] = True
    known[90:120, 60:100] = False
    values = np.where(known, np.float32(0.3), np.float32(55.0))
    surround = Surround.over(known, CELL_M, 15.0)
    air = np.full(known.shape, 0.4, np.float32)
    np.testing.assert_allclose(surround.means(values, air), 0.3, atol=1e-4)


def test_far_from_all_that_is_known_nothing_is_told() -> None:
    known = np.zeros((600, 20), bool)
    known[:3] = True
    around = Surround.over(known, CELL_M, 0.0).means(
        np.ones(known.shape, np.float32), np.full(known.shape, 0.1, np.float32)
    )
    assert np.isfinite(around[:3]).all()
    assert np.isnan(around[-100:]).all()
    one = np.ones(1, np.float32)
    assert sharpened(0.2 * one, 0.1 * one, 1.4 * one, np.nan * one) == pytest.approx(0.2 / 1.02)


def _disc(signal_inside: float, signal_outside: float, radius_km: float) -> np.ndarray:
    """Draw the signal of a round lake into 61 km of land."""
    at = (np.arange(481) - 240) * CELL_M / 1000
    inside = np.hypot(at[:, None], at) < radius_km
    return np.where(inside, signal_inside, signal_outside).astype(np.float32)


@pytest.mark.parametrize(("radius_km", "aod"), [(0.7, 0.2), (2.0, 0.5)])
def test_a_lake_of_6sv_comes_out_dark(radius_km: float, aod: float) -> None:
    case = SixsCase(35.0, 0.0, 0.0, "continental", aod)
    spectrum = Spectrum.at(0.86)
    lake = run_sixs(case, spectrum, ground=(DARK, BRIGHT, radius_km)).apparent
    land = run_sixs(case, spectrum, ground=(BRIGHT, BRIGHT, radius_km))
    signal = [(each - land.path) / land.transmittance for each in (lake, land.apparent)]
    image = _disc(signal[0], signal[1], radius_km)
    up = _up(0.86, aod, 0.0, SIXS_PRESSURE_HPA)
    one = np.ones_like(image)
    albedo, contrast = land.albedo * one, (up.total / up.direct)[0] * one
    surround = Surround.over(image > 0, CELL_M, 0.0)
    around = surroundings(image, albedo, contrast, up.rayleigh_share[0] * one, surround)
    before = signal[0] / (1 + land.albedo * signal[0]) - DARK
    after = sharpened(image, albedo, contrast, around)[240, 240] - DARK
    assert before > 0.01
    assert abs(after) < 0.15 * before


def test_an_edge_of_traced_photons_gets_its_contrast_back() -> None:
    """Near infrared over haze; the table knows the same haze by another radiative transfer."""
    wavelength, aod, sun, view = 0.86, 0.3, 35.0, 20.0
    optics = aerosol_optics(aerosol_model("continental"), wavelength)
    nodes, one = np.array([1000 * wavelength]), np.eye(1)
    depth = aod * optics.extinction / aerosol_optics(aerosol_model("continental"), 0.55).extinction
    haze = Haze(depth, optics.single_scattering_albedo, optics.moments[0])
    places = np.array([-30.0, -10, -4, -2, -1, -0.5, -0.2, 0.2, 0.5, 1, 2, 4, 10, 30])
    direction = Sun(sun, view, 0.0, 90.0)
    air = float(rayleigh_optical_depth(wavelength))
    seen, _ = seen_from_space(edge(BRIGHT, DARK), places, air, haze, direction, 150_000)
    path, _ = seen_from_space(edge(0, 0), places[:1], air, haze, direction, 150_000)
    terms = response_lut(nodes, one).terms(
        "continental", sza=sun, vza=view, raa=90.0, pressure_hpa=SEA_LEVEL_HPA, aod=aod
    )
    signal = (seen - path) / terms.transmittance[0]
    at = (np.arange(961) - 480) * CELL_M / 1000
    image = np.tile(np.interp(at, places, signal).astype(np.float32), (481, 1))
    up = _up(wavelength, aod, view)
    whole = np.ones_like(image)
    surround = Surround.over(image > 0, CELL_M, view)
    around = surroundings(
        image, terms.albedo[0] * whole, (up.total / up.direct)[0] * whole,
        up.rayleigh_share[0] * whole, surround,
    )[240]  # fmt: skip
    truth = np.where(places < 0, DARK, BRIGHT)
    before = signal / (1 + terms.albedo[0] * signal) - truth
    after = sharpened(
        signal.astype(np.float32), terms.albedo[:1], (up.total / up.direct),
        np.interp(places, at, around).astype(np.float32),
    ) - truth  # fmt: skip
    assert np.abs(before).max() > 0.012
    assert np.abs(after).max() < 0.004
    assert np.sqrt(np.mean(after**2)) < 0.35 * np.sqrt(np.mean(before**2))
