"""What each cell says of the haze: one cost over all that is known of its ground.

Three kinds of ground speak: dark vegetation, whose blue follows from its red (``darktarget``);
stable ground, whose reflectance at this geometry a library predicts; and ground whose recent
reflectance the archive holds (``surface``). Each gives a departure of what is seen from what is
expected, in standard deviations, as a function of optical depth. With the prior they add up to ::

    J(aod) = sum_k (m_k(aod) / s_k)^2 + ((aod - aod_prior) / s_prior)^2

of which the lowest point on a grid is found. One step of Gauss and Newton from there over the
ground's own terms gives what the ground alone says, and how surely: sum (dm_k/daod / s_k)^2 is its
information. So a ground at its critical reflectance, whose brightness the haze does not change,
carries no weight, and the prior is not counted once for every cell.

Ground that is known from retrievals has taken up what their depth was wrong by, and asks for that
depth again, wherever it is and from whatever side it is seen. So its error is c times its slopes,
with one c of variance q (``Expectation.depth_sigma`` squared) all over the scene. With that, its
information I becomes I / (1 + q I), which is at most 1 / q (Sherman and Morrison 1950).

Over bright ground the departures are curved in optical depth, and the lowest points of noisy costs
are off to one side in the mean. So once there is a field the step starts from it in every cell:
what the cells say is then linear in their errors, which cancel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.atmosphere.air import Air, Where, band_numbers
from processing.atmosphere.cells import CellSignals
from processing.atmosphere.darktarget import DARK_BANDS, DarkTargetTable, ndvi_of
from processing.atmosphere.lut import Float32Array, Terms
from processing.atmosphere.prior import HIGHEST_AOD, AodPrior
from processing.atmosphere.surface import Expectation, at_one_resolution
from processing.sensors import camera

Floats = NDArray[np.float64]

STABLE_BELOW_NM = 700.0
"""Longer waves see too little haze to be worth their surface's error."""
_STEP = 0.025
_NEGATIVE_STEPS = 6
"""A field may fall below 0 by the surface's error, or the mean of clear air would be too high."""
_DEPTHS = np.arange(0.0, HIGHEST_AOD + 0.01, _STEP)
_GRID = np.arange(-_NEGATIVE_STEPS, _DEPTHS.size) * _STEP
_SIGNAL_ERROR = 0.01
"""Relative error of TOA reflectance between bands."""
_BESIDE_OTHERS = 3.0
"""Times the error between places that dark vegetation has where other ground speaks too whose
errors average out over the scene."""
_WIDEST_SIGMA = 0.4
_WORST_MISFIT = 3.0
"""Root mean square of the departures, in sigma, beyond which the ground is another."""
_CHUNK_CELLS = 20_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the ground of each cell says of the optical depth at 550 nm, float64 (rows, cols).

    ``aod`` and its ``sigma`` are NaN where the ground says nothing; ``shared`` is the part of
    sigma that is the same error in every cell of the scene. ``cells`` counts the cells in which
    each kind of ground spoke.
    """

    aod: Floats
    sigma: Floats
    shared: Floats
    cells: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Departure:
    """Departures over their sigma along ``_GRID``, (terms, cells, depths); 0 where none speaks.

    ``speaks`` (cells,) tells which cells have this kind of ground; ``common`` (terms, cells) is
    the part of each departure's error that is the same all over the scene; ``heard`` (cells,) the
    part of the information that such errors leave where they are not in sigma already.
    """

    kind: str
    values: Float32Array
    speaks: NDArray[np.bool_]
    common: Float32Array
    heard: Float32Array


def gather(
    signals: CellSignals,
    air: Air,
    surfaces: Sequence[Expectation],
    prior: AodPrior,
    table: DarkTargetTable,
    about: Floats | None = None,
) -> Evidence:
    """Ask the ground of every cell.

    Parameters
    ----------
    signals
        What the scene shows on its cells.
    air
        The atmosphere over them.
    surfaces
        What is expected of the ground at this geometry, from libraries and archives.
    prior
        First guess, which decides between several minima of the cost.
    table
        Surface relation of dark vegetation.
    about
        Optical depth (rows, cols) about which the departures are taken as straight; None for the
        lowest point of each cell's cost.
    """
    aod, sigma, shared = (np.full(signals.shape, np.nan) for _ in range(3))
    cells: dict[str, int] = {}
    known = np.isfinite(signals.dark[0])
    bands = list(haze_bands(air.camera_name))
    pairs = [at_one_resolution(signals, surface) for surface in surfaces]
    for seen, surface in pairs:
        both = surface.reflectance[bands] + seen.land[bands]
        known = known | np.isfinite(both).any(axis=0)
    rows, cols = np.nonzero(known & air.usable)
    for first in range(0, rows.size, _CHUNK_CELLS):
        where = rows[first : first + _CHUNK_CELLS], cols[first : first + _CHUNK_CELLS]
        start = None if about is None else about[where]
        usual = _place(np.full(where[0].shape, prior.aod) if start is None else start)
        others = [_expected(seen, air, surface, where, prior, usual) for seen, surface in pairs]
        beside = np.max([each.heard * each.speaks for each in others], axis=0, initial=0)
        departures = [_dark(signals, air, table, where, beside), *others]
        aod[where], sigma[where], shared[where] = _solve(departures, prior, start, usual)
        for each in departures:
            count = np.count_nonzero(each.speaks & np.isfinite(aod[where]))
            cells[each.kind] = cells.get(each.kind, 0) + int(count)
    return Evidence(aod, sigma, shared, cells)


def _dark(
    signals: CellSignals,
    air: Air,
    table: DarkTargetTable,
    where: Where,
    beside: Float32Array,
) -> _Departure:
    """Blue minus the blue expected of dark vegetation; it falls with optical depth.

    Where other ground speaks too it is heard less: its error between places does not average out
    over the scene as theirs does, or as far as theirs does (``beside``, 0 to 1).
    """
    signal = signals.dark[:, *where]
    nodes = air.nodes(where, band_numbers(air.camera_name, DARK_BANDS))
    ground = air.along_depth(nodes.ground(signal[..., np.newaxis]), _DEPTHS)
    blue, red, nir = ground
    expected, own_sigma = table.blue(red, ndvi_of(red, nir))
    noise = np.hypot(own_sigma, _SIGNAL_ERROR * signal[0][:, np.newaxis])
    site = table.site_sigma * (1 + (_BESIDE_OTHERS - 1) * beside)
    noise = np.hypot(noise, np.broadcast_to(site, signal.shape[1:])[:, np.newaxis])
    departure = (blue - expected) / noise
    best = np.argmin(np.abs(departure), axis=-1)
    speaks = np.isfinite(signal[0]) & _at(table.is_dark(red, nir), best)
    shared = np.float32(table.site_sigma) / noise
    values = np.where(speaks[:, np.newaxis], departure, 0)[np.newaxis]
    common = np.where(speaks, _at(shared, best), 0)[np.newaxis]
    heard = np.ones(speaks.shape, np.float32)
    return _Departure("dark vegetation", _below_zero(values), speaks, common, heard)


def _expected(
    signals: CellSignals,
    air: Air,
    surface: Expectation,
    where: Where,
    prior: AodPrior,
    usual: NDArray[np.intp],
) -> _Departure:
    """Ground reflectance below the haze minus that expected, in all bands that see haze.

    A band in which the cell is saturated says nothing.

    It is the ground seen that is followed along optical depth, not the brightness expected above
    the ground: the slope of that one would err with the expectation, and over bright ground, where
    slopes are small, the product of both errors is a bias of the optical depth of 0.1. What the
    noise amounts to on the ground is taken at the prior's depth, the slopes of the error that the
    expectation has inherited at the usual one.
    """
    bands = haze_bands(air.camera_name)
    picked = (np.array(bands)[:, np.newaxis], *where)
    seen, doubt = signals.land[picked], signals.doubt[picked]
    expected, sigma = surface.reflectance[picked], surface.sigma[picked]
    nodes = air.nodes(where, bands)
    ground = air.along_depth(nodes.ground(seen[..., np.newaxis]), _DEPTHS)
    gain = air.along_depth(_gain(nodes, expected[..., np.newaxis]), np.array([prior.aod]))[..., 0]
    noise = np.hypot(sigma, np.hypot(doubt, _SIGNAL_ERROR * seen) / gain)
    departure = (ground - expected[..., np.newaxis]) / noise[..., np.newaxis]
    heard = np.isfinite(departure).all(axis=2)
    values = _below_zero(np.where(heard[..., np.newaxis], departure, 0))
    inherited = np.nan_to_num(np.broadcast_to(surface.depth_sigma, air.heights.shape)[where])
    slope = _slope(values, usual)
    left = 1 / (1 + inherited**2 * _information(slope))
    return _Departure(
        surface.kind, values, heard.any(axis=0), slope * inherited, left.astype(np.float32)
    )


def haze_bands(camera_name: str) -> tuple[int, ...]:
    """Return the positions of the bands in which stable ground shows the haze."""
    bands = camera(camera_name).bands
    return tuple(i for i, band in enumerate(bands) if band.center_nm < STABLE_BELOW_NM)


def _gain(nodes: Terms, ground: Float32Array) -> Float32Array:
    """Change of TOA reflectance per change of ground reflectance."""
    return np.asarray(nodes.transmittance / (1 - nodes.albedo * ground) ** 2)


def _at(values: NDArray[Any], index: NDArray[np.intp]) -> NDArray[Any]:
    """Take one depth of every cell: values (..., cells, depths), index (cells,)."""
    return np.asarray(values[..., np.arange(index.size), index])


def _below_zero(values: Float32Array) -> Float32Array:
    """Continue values along ``_DEPTHS`` (last axis) as straight lines to ``_GRID``."""
    steps = np.arange(-_NEGATIVE_STEPS, 0, dtype=np.float32)
    first, slope = values[..., :1], values[..., 1:2] - values[..., :1]
    return np.concatenate([first + slope * steps, values], axis=-1).astype(np.float32)


def _solve(
    departures: Sequence[_Departure],
    prior: AodPrior,
    about: Floats | None,
    usual: NDArray[np.intp],
) -> tuple[Floats, Floats, Floats]:
    """Return depth, sigma and shared sigma of every cell, NaN where the ground says nothing.

    Both sigmas are those at a ``usual`` depth, which does not follow the cell's own error, or
    cells that err towards one side would weigh more.
    """
    every = np.concatenate([each.values for each in departures])
    heard = np.concatenate([np.broadcast_to(e.heard, e.common.shape) for e in departures])
    best = usual
    if about is None:
        cost = np.einsum("kc,kcd->cd", heard, every * every)
        cost += ((_GRID - prior.aod) / prior.sigma) ** 2
        best = np.clip(np.argmin(cost, axis=-1), 1, _GRID.size - 2)
    value, slope = _at(every, best), _slope(every, best)
    step = -np.sum(heard * value * slope, axis=0) / _information(slope, heard)
    aod = _GRID[best] + step
    information = _information(_slope(every, usual), heard)
    sigma = information**-0.5
    shared = _shared_sigma(departures, usual) / information
    terms = np.count_nonzero(slope, axis=0)
    rest = np.sum((value + slope * step) ** 2, axis=0)
    good = (sigma < _WIDEST_SIGMA) & (rest <= _WORST_MISFIT**2 * np.maximum(terms - 1, 1))
    middle = prior.aod if about is None else about
    good &= np.abs(aod - middle) < _WORST_MISFIT * np.hypot(sigma, prior.sigma)
    aod, sigma, shared = (np.where(good, part, np.nan) for part in (aod, sigma, shared))
    return aod, sigma, shared


def _place(aod: Floats) -> NDArray[np.intp]:
    """Return the nearest depth of ``_GRID`` that has neighbours."""
    nearest = np.rint(aod / _STEP).astype(np.intp) + _NEGATIVE_STEPS
    return np.asarray(np.clip(nearest, 1, _GRID.size - 2))


def _information(slope: Float32Array, heard: Float32Array | float = 1.0) -> Floats:
    """Sum of squared slopes as far as they are heard, (cells,), not quite 0 where none speaks."""
    return np.maximum(np.sum(heard * slope * slope, axis=0, dtype=np.float64), 1e-6)


def _slope(values: Float32Array, best: NDArray[np.intp]) -> Float32Array:
    return np.asarray((_at(values, best + 1) - _at(values, best - 1)) / np.float32(2 * _STEP))


def _shared_sigma(departures: Sequence[_Departure], depth: NDArray[np.intp]) -> Floats:
    """Error that the common parts bring into each cell's weighted sum of departures.

    They add up and do not cancel: what retrievals were wrong by came from dark vegetation.
    """
    total = np.zeros(depth.size)
    for each in departures:
        led = np.sum(each.common * _slope(each.values, depth), axis=0, dtype=np.float64)
        total += each.heard * np.abs(led)
    return total
