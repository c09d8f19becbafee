"""From what single cells say to a field without gaps: outliers go, the rest is interpolated.

Haze varies slowly: over tens of kilometres its optical depth hardly changes (Anderson et al.
2003, J. Atmos. Sci. 60, 119-136), while the errors of what is expected of the ground are alike
over a few. So cells are gathered in blocks of 5 km, whose errors are nearly independent of each
other, and the field is the best linear estimate from the blocks and the prior (optimal
interpolation, Gandin 1963; as Gaussian process: Rasmussen and Williams 2006, chapter 2)::

    aod = prior + B (B + R)^-1 (blocks - prior)

B, the covariance of the haze about its prior, has a part common to the scene and a part that
fades over 50 km; R, that of the blocks' errors, has one that fades over 5 km and one common to
the scene. The common parts are those of the better of two blocks, and the scene's mean: were
they products of both sigmas, differences between blocks would be read as that error, and the
estimate could leave the range of what the blocks say (Peelle's puzzle). Near blocks their own
values count, further off those of the scene, and without any the prior; the variance of the
estimate says how far that goes.
"""

import math
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
_MOST_BLOCKS = 2500
"""Wider scenes get larger blocks: the estimate costs the cube of their number."""
_LOCAL_SHARE = 0.25
"""Part of the prior's variance that differs from place to place inside a scene."""
_HAZE_KM = 50.0
_GROUND_KM = 5.0
_GROUND_SHARE = 0.7
"""Part of a cell's error variance that its surroundings share; the rest is its own."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Optical depth and sigma on the cells, float64 (rows, cols), without gaps."""

    aod: Floats
    sigma: Floats


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Means over blocks: position in km, depth, and the variances of its parts of error."""

    x_km: Floats
    y_km: Floats
    aod: Floats
    near: Floats
    own: Floats
    shared: Floats


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
    """Average the cells of each block that has any, weighted by their information."""
    row, col = np.nonzero(np.isfinite(evidence.aod))
    sigma, shared = evidence.sigma[row, col], evidence.shared[row, col]
    weight = sigma**-2.0
    _, block = np.unique(row // side * evidence.aod.shape[1] + col // side, return_inverse=True)
    total = np.bincount(block, weight)

    def mean(values: NDArray[np.floating]) -> Floats:
        return np.asarray(np.bincount(block, weight * values) / total)

    local = np.maximum(sigma**2 - shared**2, 0.0)
    members = total**2 / np.bincount(block, weight**2)
    return _Blocks(
        mean((col + 0.5) * cell_km),
        mean((row + 0.5) * cell_km),
        mean(evidence.aod[row, col]),
        _GROUND_SHARE * mean(local),
        (1 - _GROUND_SHARE) * mean(local) / members,
        mean(shared),
    )


def _estimate(blocks: _Blocks, corners: Grid, prior: AodPrior) -> tuple[Floats, Floats]:
    """Return the estimate and its variance at the pixel centres of ``corners``."""
    step = corners.resolution / 1000
    rows, cols = np.indices(corners.shape)
    x, y = (cols * step).ravel(), (rows * step).ravel()
    between = np.hypot(
        blocks.x_km[:, np.newaxis] - blocks.x_km, blocks.y_km[:, np.newaxis] - blocks.y_km
    )
    error = np.exp(-((between / _GROUND_KM) ** 2)) * np.minimum.outer(blocks.near, blocks.near)
    error += np.mean(blocks.shared) ** 2 + np.diag(blocks.own)
    factor = cho_factor(_haze(between, prior) + error, lower=True)
    reach = _haze(np.hypot(x - blocks.x_km[:, np.newaxis], y - blocks.y_km[:, np.newaxis]), prior)
    aod = prior.aod + reach.T @ cho_solve(factor, blocks.aod - prior.aod)
    gained = solve_triangular(factor[0], reach, lower=True)
    variance = prior.sigma**2 - np.einsum("bp,bp->p", gained, gained)
    return aod.reshape(corners.shape), np.maximum(variance, 1e-8).reshape(corners.shape)


def _haze(distance_km: Floats, prior: AodPrior) -> Floats:
    """Covariance of the haze about its prior: a part common to the scene and one that fades."""
    local = np.exp(-distance_km / _HAZE_KM)
    return np.asarray(prior.sigma**2 * (1 - _LOCAL_SHARE + _LOCAL_SHARE * local))
