"""What ground says of the haze when it is known from retrievals that were wrong themselves."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.atmosphere.air import Air
from processing.atmosphere.aod import fit_cells
from processing.atmosphere.cells import CellSignals
from processing.atmosphere.darktarget import dark_target_table
from processing.atmosphere.evidence import Evidence, gather
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.prior import AodPrior
from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs
from processing.atmosphere.surface import Expectation
from processing.geometry.angles import Angles

CAMERA = "GF1WFV1"
CELLS = Grid(32629, 300_000, 2_800_000, 512, 24, 24)
PRIOR = AodPrior(0.3, 0.15, "continental", "made for the test")
THEN, BELIEVED, NOW = 0.15, 0.25, 0.4
"""Depths of the day on which the ground was seen before, that it was corrected by, and of today."""
Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def leaves() -> Floats:
    """Dark vegetation of several shades, (bands, rows, cols)."""
    shade = np.random.default_rng(4).uniform(0.7, 1.3, CELLS.shape)
    return np.array([0.024, 0.055, 0.033, 0.36])[:, np.newaxis, np.newaxis] * shade


@pytest.fixture(scope="module")
def seen(leaves: Floats) -> CellSignals:
    """Today's scene, by 6SV."""
    toa = through(leaves, NOW).astype(np.float32)
    return CellSignals(toa, np.zeros_like(toa), toa[[0, 2, 3]])


@pytest.fixture(scope="module")
def remembered(leaves: Floats) -> Expectation:
    """The same ground as a wrong depth made it of an earlier scene, by 6SV."""
    toa, ground = through(leaves, THEN), np.empty_like(leaves)
    for band in range(4):
        sky = run_sixs(SixsCase(40, 20, 90, PRIOR.model, BELIEVED), Spectrum.of_band(CAMERA, band))
        lit = (toa[band] - sky.path) / sky.transmittance
        ground[band] = lit / (1 + sky.albedo * lit)
    sigma = np.full(ground.shape, 0.01, np.float32)
    return Expectation("history", ground.astype(np.float32), sigma)


def through(ground: Floats, aod: float) -> Floats:
    toa = np.empty_like(ground)
    for band in range(4):
        sky = run_sixs(SixsCase(40, 20, 90, PRIOR.model, aod), Spectrum.of_band(CAMERA, band))
        toa[band] = sky.path + sky.transmittance * ground[band] / (1 - sky.albedo * ground[band])
    return toa


def air() -> Air:
    zeros = np.zeros(CELLS.shape, np.float32)
    directions = (zeros + angle for angle in (240.0, 40.0, 150.0, 20.0))
    return Air(CAMERA, PRIOR.model, GasColumns(0.0, 0.0, "none"), Angles(*directions), zeros)


def asked(signals: CellSignals, *surfaces: Expectation) -> Evidence:
    return gather(signals, air(), surfaces, PRIOR, dark_target_table(CAMERA))


def without_dark(signals: CellSignals) -> CellSignals:
    return replace(signals, dark=np.full_like(signals.dark, np.nan))


def test_remembered_ground_asks_for_its_wrong_depth_again(
    seen: CellSignals, remembered: Expectation
) -> None:
    """Which is why that error is common to the scene, in units of depth."""
    told = asked(without_dark(seen), remembered)
    assert np.mean(told.aod) - NOW == pytest.approx(BELIEVED - THEN, abs=0.03)
    assert np.std(told.aod) < 0.03


@pytest.mark.parametrize("inherited", [0.02, 0.1, 0.2])
def test_an_inherited_error_adds_its_variance_to_every_cell(
    seen: CellSignals, remembered: Expectation, inherited: float
) -> None:
    bare = asked(without_dark(seen), remembered)
    told = asked(without_dark(seen), replace(remembered, depth_sigma=inherited))
    known = np.isfinite(told.aod)
    assert known.any()
    np.testing.assert_allclose(told.aod[known], bare.aod[known], atol=0.01)
    np.testing.assert_allclose(
        told.sigma[known] ** 2, bare.sigma[known] ** 2 + inherited**2, rtol=1e-4
    )
    np.testing.assert_allclose(told.shared[known], inherited, rtol=1e-4)


def test_memories_of_unknown_haze_do_not_silence_vegetation(
    seen: CellSignals, remembered: Expectation
) -> None:
    alone = asked(seen)
    vague = asked(seen, replace(remembered, depth_sigma=np.full(CELLS.shape, 30, np.float32)))
    sure = asked(seen, remembered)
    np.testing.assert_allclose(vague.aod, alone.aod, atol=1e-3)
    np.testing.assert_allclose(vague.sigma, alone.sigma, rtol=1e-3)
    assert np.nanmean(sure.sigma) < 0.6 * np.nanmean(alone.sigma)


def test_a_field_over_remembered_ground_is_not_surer_than_its_memories(
    seen: CellSignals, remembered: Expectation
) -> None:
    table = dark_target_table(CAMERA)
    fields = [
        fit_cells(
            without_dark(seen), CELLS, air(), PRIOR,
            [replace(remembered, depth_sigma=inherited)], table,
        )
        for inherited in (0.0, 0.1)
    ]  # fmt: skip
    alone = (PRIOR.sigma**-2 + 0.1**-2) ** -0.5
    assert fields[0].sigma.mean() < 0.5 * alone
    assert fields[1].sigma.mean() > alone
    assert abs(fields[1].mean - NOW) < fields[1].sigma.mean()
