"""The field of optical depth against fields drawn from known covariances."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from catalog.grid import Grid
from processing.atmosphere.evidence import Evidence
from processing.atmosphere.prior import AodPrior
from processing.atmosphere.smooth import Smoothed, smooth

Floats = NDArray[np.float64]

SIDE = 80
CELLS = Grid(32631, 300_000, 5_100_000, 512, SIDE, SIDE)
PRIOR = AodPrior(0.3, 0.15, "continental", "made for the test")
GROUND_SIGMA = 0.05
DRAWS = 24


def grown(rng: np.random.Generator, cells: float) -> Floats:
    """A field of unit variance whose correlation falls to 1/e over twice ``cells``."""
    field = gaussian_filter(rng.normal(size=(2 * SIDE, 2 * SIDE)), cells, mode="wrap")
    return np.asarray((field / field.std())[:SIDE, :SIDE])


def haze_shapes() -> NDArray[np.float64]:
    """Fields of unit variance, (draws, rows, cols), whose correlation fades over 50 km."""
    nodes = 20
    step_km = SIDE * 0.512 / (nodes - 1)
    row, col = (part.ravel() * step_km for part in np.indices((nodes, nodes)))
    distance = np.hypot(row[:, np.newaxis] - row, col[:, np.newaxis] - col)
    factor = np.linalg.cholesky(np.exp(-distance / 50.0) + 1e-9 * np.eye(row.size))
    coarse = factor @ np.random.default_rng(23).normal(size=(row.size, DRAWS))
    return np.stack([zoom(each.reshape(nodes, nodes), SIDE / nodes, order=1) for each in coarse.T])


def drawn(local_sigma: float) -> Iterator[tuple[Floats, Smoothed]]:
    """Haze and what is found of it: one error of the prior, local haze, errors of the ground."""
    rng = np.random.default_rng(17)
    sigma = np.full(CELLS.shape, GROUND_SIGMA)
    for shape in haze_shapes():
        haze = PRIOR.aod + PRIOR.sigma * rng.normal() + local_sigma * shape
        error = np.sqrt(0.9) * grown(rng, 2.5 / 0.512) + np.sqrt(0.1) * rng.normal(size=haze.shape)
        seen = Evidence(haze + GROUND_SIGMA * error, sigma, np.zeros(CELLS.shape), {})
        yield haze, smooth(seen, CELLS, PRIOR)


def test_sigma_is_honest_over_even_and_uneven_haze_together() -> None:
    """One and the same assumption about all haze leaves 80 % of errors inside one sigma."""
    inside = [
        np.mean(np.abs(found.aod - haze) < found.sigma)
        for local_sigma in (0.02, 0.04, 0.08)
        for haze, found in drawn(local_sigma)
    ]
    assert 0.6 < np.mean(inside) < 0.76


def test_even_haze_is_known_better_than_uneven() -> None:
    even, uneven = (
        np.mean([found.sigma.mean() for _, found in drawn(each)]) for each in (0.02, 0.08)
    )
    assert even < 0.8 * uneven


def test_without_evidence_the_prior_stays() -> None:
    nothing = np.full(CELLS.shape, np.nan)
    found = smooth(Evidence(nothing, nothing, nothing, {}), CELLS, PRIOR)
    np.testing.assert_array_equal(found.aod, PRIOR.aod)
    np.testing.assert_array_equal(found.sigma, PRIOR.sigma)


def test_far_from_evidence_the_scene_counts_and_sigma_grows() -> None:
    """Cells in one corner: their haze reaches over the scene, less surely with distance."""
    aod = np.full(CELLS.shape, np.nan)
    aod[:20, :20] = 0.6
    known = np.where(np.isfinite(aod), 0.03, np.nan)
    found = smooth(Evidence(aod, known, 0 * known, {}), CELLS, PRIOR)
    assert found.aod[5, 5] == pytest.approx(0.6, abs=0.02)
    assert PRIOR.aod < found.aod[-1, -1] < found.aod[5, 5]
    assert found.sigma[5, 5] < found.sigma[40, 40] < found.sigma[-1, -1] < PRIOR.sigma
