"""From what single cells say to a field without gaps: outliers go, the rest is interpolated.

Haze varies slowly: over tens of kilometres its optical depth hardly changes (Anderson et al.
2003, J. Atmos. Sci. 60, 119-136), while the errors of what is expected of the ground are alike
over a few. So cells are gathered in blocks of 5 km, whose errors are nearly independent of each
other, and the field is the best linear estimate from the blocks and the prior (optimal
interpolation, Gandin 1963; as Gaussian process: Rasmussen and Williams 2006, chapter 2)::

    aod = prior + B (B + R)^-1 (blocks - prior)

B, the covariance of the haze about its prior, has a part common to the scene and a part that
fades over 100 km; R, that of the blocks' errors, has one that fades over 5 km and one common to
the scene. The common parts are those of the better of two blocks, and the scene's mean: were
they products of both sigmas, differences between blocks would be read as that error, and the
estimate could leave the range of what the blocks say (Peelle's puzzle). Near blocks their own
values count, further off those of the scene, and without any the prior; the variance of the
estimate says how far that goes.

How much of B is local is not known beforehand: thick haze varies more inside a scene than thin
haze, and a share fit for the one makes sigma far too wide over the other. So several shares are
tried, and each counts by the likelihood of the blocks under it (Rasmussen and Williams 2006,
section 5.2); what the estimates of different shares differ by is part of the variance.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from catalog.grid import Grid
from processing.atmosphere.evidence import Evidence
from processing.atmosphere.prior import AodPrior
from processing.geometry.field import GroundField

Floats = NDArray[np.float64]

_NEIGHBOURS = 7
_OUTLIER_MADS = 3.0
_OUTLIER_FLOOR = 0.05
_MAD_TO_SIGMA = 1.4826
_BLOCK_CELLS = 10
_MOST_BLOCKS = 1600
"""Wider scenes get larger blocks: the estimate costs the cube of their number."""
_LOCAL_SHARES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""Parts of the prior's variance that may differ from place to place inside a scene, each double
the one before: none is likelier than another until the scene is seen."""
_LEAST_CHANCE = 0.01
"""Shares less likely than that are left out."""
_HAZE_KM = 100.0
"""Haze was found to vary over 40 to 400 km (Anderson et al. 2003); the scenes of development are
likelier under this length than under half or twice of it."""
_GROUND_KM = 5.0
_GROUND_SHARE = 0.9
"""Part of a cell's error variance that its surroundings share; the rest, noise, is its own."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Optical depth and sigma on the cells, float64 (rows, cols), without gaps."""

    aod: Floats
    sigma: Floats


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Means over blocks: position in km, depth, and the variances of its parts of error.

    ``spread`` is the mean square distance of the places in a block from its middle, km^2: s^2 / 6
    in a square of side s, so that places of two blocks are further apart by twice that.
    """

    x_km: Floats
    y_km: Floats
    aod: Floats
    near: Floats
    own: Floats
    shared: Floats
    spread: float


def outliers(aod: Floats) -> NDArray[np.bool_]:
    """Tell cells that leave the median of their 7 x 7 neighbours by more than 3 MAD."""
    row, col = np.nonzero(np.isfinite(aod))
    flags = np.zeros(aod.shape, dtype=np.bool_)
    if row.size == 0:
        return flags
    reach = _NEIGHBOURS // 2
    padded = np.pad(aod, reach, constant_values=np.nan)
    around = sliding_window_view(padded, (_NEIGHBOURS, _NEIGHBOURS))[row, col].reshape(row.size, -1)
    median = np.nanmedian(around, axis=-1)
    spread = np.nanmedian(np.abs(around - median[:, np.newaxis]), axis=-1) * _MAD_TO_SIGMA
    limit = np.maximum(_OUTLIER_MADS * spread, _OUTLIER_FLOOR)
    flags[row, col] = np.abs(aod[row, col] - median) > limit
    return flags


def smooth(evidence: Evidence, cells: Grid, prior: AodPrior) -> Smoothed:
    """Return the field that evidence and prior make together.

    Parameters
    ----------
    evidence
        What the cells say, NaN where nothing; without outliers.
    cells
        Their grid.
    prior
        First guess with its sigma; the answer where there is no evidence.
    """
    if not np.isfinite(evidence.aod).any():
        shape = evidence.aod.shape
        return Smoothed(np.full(shape, prior.aod), np.full(shape, prior.sigma))
    side = max(_BLOCK_CELLS, math.ceil(math.sqrt(evidence.aod.size / _MOST_BLOCKS)))
    blocks = _blocks(evidence, side, cells.resolution / 1000)
    corners = _corners(cells, side)
    aod, variance = _estimate(blocks, corners, prior)
    spread = [GroundField(corners, part.astype(np.float32)).on(cells) for part in (aod, variance)]
    return Smoothed(spread[0].astype(np.float64), np.sqrt(spread[1].astype(np.float64)))


def _corners(cells: Grid, side: int) -> Grid:
    """Return a grid whose pixel centres are the corners of the blocks."""
    step = cells.resolution * side
    rows, cols = (math.ceil(n / side) + 1 for n in cells.shape)
    return Grid(cells.epsg, cells.ulx - step / 2, cells.uly + step / 2, step, rows, cols)


def _blocks(evidence: Evidence, side: int, cell_km: float) -> _Blocks:
    """Average the cells of each block that has any, weighted by their information.

    The mean of an error that fades as a Gaussian, folded with the places in a block, is smaller
    than the error itself.
    """
    row, col = np.nonzero(np.isfinite(evidence.aod))
    sigma, shared = evidence.sigma[row, col], evidence.shared[row, col]
    weight = sigma**-2.0
    _, block = np.unique(row // side * evidence.aod.shape[1] + col // side, return_inverse=True)
    total = np.bincount(block, weight)

    def mean(values: NDArray[np.floating]) -> Floats:
        """Return the weighted mean of each block."""
        return np.asarray(np.bincount(block, weight * values) / total)

    local = np.maximum(sigma**2 - shared**2, 0.0)
    members = total**2 / np.bincount(block, weight**2)
    spread = (side * cell_km) ** 2 / 6
    left = _GROUND_KM**2 / (_GROUND_KM**2 + 2 * spread)
    return _Blocks(
        mean((col + 0.5) * cell_km),
        mean((row + 0.5) * cell_km),
        mean(evidence.aod[row, col]),
        left * _GROUND_SHARE * mean(local),
        (1 - _GROUND_SHARE) * mean(local) / members,
        mean(shared),
        spread,
    )


def _estimate(blocks: _Blocks, corners: Grid, prior: AodPrior) -> tuple[Floats, Floats]:
    """Return the estimate and its variance at the pixel centres of ``corners``."""
    step = corners.resolution / 1000
    rows, cols = np.indices(corners.shape)
    x, y = (cols * step).ravel(), (rows * step).ravel()
    away_2 = (x - blocks.x_km[:, np.newaxis]) ** 2 + (y - blocks.y_km[:, np.newaxis]) ** 2
    between_2 = (blocks.x_km[:, np.newaxis] - blocks.x_km) ** 2
    between_2 += (blocks.y_km[:, np.newaxis] - blocks.y_km) ** 2
    away_km, between_km = np.sqrt(away_2 + blocks.spread), np.sqrt(between_2 + 2 * blocks.spread)
    error = np.exp(-between_2 / (_GROUND_KM**2 + 2 * blocks.spread))
    error *= np.minimum.outer(blocks.near, blocks.near)
    error += np.mean(blocks.shared) ** 2 + np.diag(blocks.own)
    departure = blocks.aod - prior.aod
    mean, square = np.zeros(x.size), np.zeros(x.size)
    for share, chance in _chances(departure, between_km, error, prior):
        factor, pull = _solved(_haze(between_km, prior, share) + error, departure)
        reach = _haze(away_km, prior, share)
        found = reach.T @ pull
        gained = solve_triangular(factor, reach, lower=True)
        mean += chance * found
        square += chance * (prior.sigma**2 - np.einsum("bp,bp->p", gained, gained) + found**2)
    variance = np.maximum(square - mean**2, 1e-8)
    return prior.aod + mean.reshape(corners.shape), variance.reshape(corners.shape)


def _chances(
    departure: Floats, between_km: Floats, error: Floats, prior: AodPrior
) -> Iterator[tuple[float, float]]:
    """Yield the local shares that the blocks leave possible, each with its probability."""
    logs = []
    for share in _LOCAL_SHARES:
        factor, pull = _solved(_haze(between_km, prior, share) + error, departure)
        logs.append(-0.5 * departure @ pull - np.log(np.diag(factor)).sum())
    chances = np.exp(np.array(logs) - max(logs))
    chances[chances < _LEAST_CHANCE * chances.sum()] = 0
    for share, chance in zip(_LOCAL_SHARES, chances / chances.sum(), strict=True):
        if chance > 0:
            yield share, float(chance)


def _solved(covariance: Floats, departure: Floats) -> tuple[Floats, Floats]:
    """Return the lower Cholesky factor of a covariance, and its inverse times the departures."""
    factor, _ = cho_factor(covariance, lower=True)
    return factor, cho_solve((factor, True), departure)


def _haze(distance_km: Floats, prior: AodPrior, share: float) -> Floats:
    """Covariance of the haze about its prior: a part common to the scene and one that fades."""
    local = np.exp(-distance_km / _HAZE_KM)
    return np.asarray(prior.sigma**2 * (1 - share + share * local))
