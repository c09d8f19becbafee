"""What is expected of the ground against what is seen, at one resolution."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from catalog.grid import Grid
from processing.atmosphere.air import Air
from processing.atmosphere.aod import fit_cells
from processing.atmosphere.cells import CellSignals
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.prior import AodPrior
from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs
from processing.atmosphere.surface import Expectation, at_one_resolution
from processing.geometry.angles import Angles

CAMERA = "GF1WFV1"
CELLS = Grid(32629, 300_000, 2_800_000, 512, 64, 64)
AOD = 0.25
FOOTPRINT = 1.6
"""Cells of 512 m below a cell of MODIS."""


def signals_of(land: NDArray[np.float64]) -> CellSignals:
    dark = np.full((3, *land.shape[1:]), np.nan, np.float32)
    return CellSignals(land.astype(np.float32), np.zeros(land.shape, np.float32), dark)


def test_means_are_those_of_cells_known_on_both_sides() -> None:
    """Held to plain loops over 5 x 5 windows."""
    rng = np.random.default_rng(1)
    land, expected = rng.random((2, 2, 14, 17))
    land[rng.random(land.shape) < 0.3] = np.nan
    expected[:, :, 12:] = np.nan
    surface = Expectation("library", expected.astype(np.float32), np.ones_like(expected), 2.2)
    seen, known = at_one_resolution(signals_of(land), surface)
    both = np.isfinite(land) & np.isfinite(expected)
    for found, values in ((seen.land, land), (known.reflectance, expected)):
        wanted = np.full(values.shape, np.nan)
        for band, row, col in np.argwhere(both):
            window = np.s_[band, max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3]
            if both[window].sum() >= 9:
                wanted[band, row, col] = values[window][both[window]].mean()
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    np.testing.assert_array_equal(known.sigma, surface.sigma)


def test_what_resolves_the_cells_is_compared_cell_by_cell() -> None:
    land = np.random.default_rng(2).random((4, 6, 6))
    surface = Expectation("history", land.astype(np.float32), np.ones_like(land))
    assert at_one_resolution(signals_of(land), surface)[1] is surface


@pytest.fixture(scope="module")
def desert() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ground about its critical reflectance, as fine as cells are, and what 6SV makes of it."""
    rng = np.random.default_rng(3)
    coarse, fine = (gaussian_filter(rng.normal(size=CELLS.shape), size) for size in (5.0, 0.7))
    shade = 0.1 * coarse / coarse.std() + 0.1 * fine / fine.std()
    ground = np.array([0.16, 0.23, 0.31, 0.37])[:, np.newaxis, np.newaxis] * (1 + shade)
    toa = np.empty_like(ground)
    for band in range(4):
        sky = run_sixs(SixsCase(40, 20, 90, "dust", AOD), Spectrum.of_band(CAMERA, band))
        toa[band] = sky.path + sky.transmittance * ground[band] / (1 - sky.albedo * ground[band])
    return ground, toa


def test_an_expectation_that_is_too_smooth_does_not_clear_the_air(
    desert: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """The same expectation, taken for one of single cells and for what it is."""
    ground, toa = desert
    blurred = gaussian_filter(ground, (0, *2 * (FOOTPRINT / 2.355,))).astype(np.float32)
    zeros = np.zeros(CELLS.shape, np.float32)
    directions = (zeros + angle for angle in (240.0, 40.0, 150.0, 20.0))
    air = Air(CAMERA, "dust", GasColumns(0.0, 0.0, "none"), Angles(*directions), zeros)
    prior = AodPrior(AOD, 0.2, "dust", "made for the test")
    found = {}
    for resolution in (1.0, FOOTPRINT):
        surface = Expectation("library", blurred, np.full_like(blurred, 0.01), resolution)
        found[resolution] = fit_cells(signals_of(toa), CELLS, air, prior, [surface]).mean
    true = Expectation("library", ground.astype(np.float32), np.full_like(blurred, 0.01))
    known = fit_cells(signals_of(toa), CELLS, air, prior, [true]).mean
    assert abs(known - AOD) < 0.07
    assert abs(found[FOOTPRINT] - known) < 0.03
    assert found[1.0] < known - 0.1
