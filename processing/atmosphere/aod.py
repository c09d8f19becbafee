"""Optical depth of the haze over a scene: fit on cells, fill, and read on any grid.

Each cell with dark vegetation yields a depth and its sigma (``darktarget``). Outliers against
their surroundings go; the rest is averaged by inverse variance under a Gaussian (normalised
convolution) and meets the scene's median, which itself meets the prior. Where no cell yields
anything the prior stays.
"""

import json
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from catalog.errors import AtmosphereError
from catalog.grid import Grid
from processing.atmosphere.correct import gas_coupled
from processing.atmosphere.darktarget import (
    DarkCells,
    dark_target_table,
    find_dark_cells,
    ndvi_of,
)
from processing.atmosphere.gas import GasColumns, gas_transmittance
from processing.atmosphere.lut import (
    Terms,
    camera_lut,
    relative_azimuth_deg,
    surface_pressure_hpa,
)
from processing.geometry.angles import Angles
from processing.geometry.field import GroundField
from processing.sensors import camera

Float32Array = NDArray[np.float32]

CELL_FACTOR = 16
"""Pixels of the 32 m look along one side of a cell of 512 m."""
HIGHEST_AOD = 2.0
LOWEST_SUN_ZENITH_DEG = 75.0
"""Sun zenith angle beyond which the look-up table ends and nothing is corrected."""

_BANDS = ("blue", "red", "nir")
_FINE_AOD = np.arange(0.0, HIGHEST_AOD + 0.01, 0.025)
_LOWEST_FIT = -0.15
"""A fit may fall below 0 by the surface's error, or the mean of clear air would be too high."""
_WIDEST_SIGMA = 0.4
_SIGNAL_ERROR = 0.01
"""Relative error of TOA reflectance between bands."""
_CHUNK_CELLS = 20_000
_SMOOTHING_CELLS = 4.0
"""Standard deviation of the Gaussian: 2 km."""
_NEIGHBOURS = 7
_OUTLIER_MADS = 3.0
_OUTLIER_FLOOR = 0.05
_ENOUGH_CELLS = 20
_CORRELATED = 0.5
"""Share of a cell's sigma that neighbouring cells have in common, as they share vegetation."""
_MAD_TO_SIGMA = 1.4826


class AodSource(IntEnum):
    """Where a cell's optical depth comes from, as in the field ``aerosol_source`` of ``qa``."""

    RETRIEVED = 0
    INTERPOLATED = 1
    PRIOR = 2
    CLIMATOLOGY = 3


@dataclass(frozen=True, slots=True)
class AodPrior:
    """What is known of the haze before the scene is seen: depth at 550 nm, sigma, model, origin.

    A ``source`` that begins with "climatology" marks cells left at the prior as such.
    """

    aod: float
    sigma: float
    model: str
    source: str

    @property
    def kind(self) -> AodSource:
        """Code of cells that keep the prior."""
        is_climatology = self.source.startswith("climatology")
        return AodSource.CLIMATOLOGY if is_climatology else AodSource.PRIOR


@dataclass(frozen=True, slots=True)
class AodField:
    """Optical depth at 550 nm and its sigma, float32, and ``AodSource``, uint8, per cell."""

    grid: Grid
    aod: Float32Array
    sigma: Float32Array
    source: NDArray[np.uint8]
    model: str

    @property
    def mean(self) -> float:
        """Mean optical depth of all cells."""
        return float(self.aod.mean())

    @property
    def retrieved_percent(self) -> float:
        """Share of cells with a retrieval of their own, percent."""
        return float(100 * np.mean(self.source == AodSource.RETRIEVED))

    def on(self, target: Grid) -> Float32Array:
        """Return the optical depth on another grid, bilinear."""
        return np.asarray(GroundField(self.grid, self.aod).on(target), dtype=np.float32)

    def sigma_on(self, target: Grid) -> Float32Array:
        """Return sigma on another grid, bilinear."""
        return np.asarray(GroundField(self.grid, self.sigma).on(target), dtype=np.float32)

    def source_on(self, target: Grid) -> NDArray[np.uint8]:
        """Return the source on another grid, nearest cell."""
        return np.asarray(GroundField(self.grid, self.source).on(target, nearest=True), np.uint8)


def climatology(latitude: float, longitude: float, month: int) -> AodPrior:
    """Return the prior of a place (degrees) and month (1-12) when no analysis is at hand."""
    for region in _regions():
        inside = (
            region["west"] <= longitude <= region["east"]
            and region["south"] <= latitude <= region["north"]
        )
        if inside and month in region["months"]:
            name = f"climatology: {region['name']}"
            return AodPrior(region["aod"], region["sigma"], region["model"], name)
    raise AtmosphereError(
        f"no aerosol climatology for {latitude} N {longitude} E in month {month}; latitude "
        "within 90, longitude within 180 and month 1-12 wanted"
    )


@cache
def _regions() -> list[dict[str, Any]]:
    table = json.loads(files("processing.data").joinpath("aod_climatology.json").read_text())
    regions: list[dict[str, Any]] = table["regions"]
    return regions


def fit_aod(
    toa: Float32Array,
    clear_land: NDArray[np.bool_],
    grid: Grid,
    *,
    angles: Angles,
    heights: Float32Array,
    camera_name: str,
    gas: GasColumns,
    prior: AodPrior,
) -> AodField:
    """Fit the optical depth of a scene.

    Parameters
    ----------
    toa
        TOA reflectance, float32 (bands, rows, cols), NaN = no data.
    clear_land
        (rows, cols), land free of cloud, shadow and snow.
    grid
        Frame of ``toa``, 32 m.
    angles, heights
        Directions (degrees) and metres above the ellipsoid on ``grid.coarsen(16)``; NaN where
        unknown.
    camera_name
        E.g. "GF1WFV1".
    gas
        Columns of the absorbing gases.
    prior
        First guess; also the answer where nothing can be retrieved (all cloud, all water).

    Returns
    -------
    AodField
        On ``grid.coarsen(16)``, without gaps, 0 to 2; the aerosol model is the prior's.

    Raises
    ------
    AtmosphereError
        The sun is lower than the look-up table covers, or the prior is no number.
    """
    cells = grid.coarsen(CELL_FACTOR)
    _check_prior(prior)
    usable = _usable_cells(angles)
    numbers = [[band.name for band in camera(camera_name).bands].index(name) for name in _BANDS]
    air = _Air(camera_name, prior.model, gas, angles, heights, tuple(numbers))
    dark = find_dark_cells(toa[numbers], clear_land, air.clear_sky(usable), CELL_FACTOR)
    aod = np.full(cells.shape, np.nan)
    sigma = np.full(cells.shape, np.nan)
    for first in range(0, dark.row.size, _CHUNK_CELLS):
        part = slice(first, first + _CHUNK_CELLS)
        some = DarkCells(dark.row[part], dark.col[part], dark.signal[:, part])
        aod[some.row, some.col], sigma[some.row, some.col] = _retrieve(some, air)
    aod[_outliers(aod)] = np.nan
    return _fill(cells, aod, np.where(np.isfinite(aod), sigma, np.nan), prior)


@dataclass(frozen=True, slots=True)
class _Air:
    """All that the terms of the atmosphere over the cells depend on, but the optical depth."""

    camera_name: str
    model: str
    gas: GasColumns
    angles: Angles
    heights: Float32Array
    bands: tuple[int, ...]

    def nodes(self, where: tuple[NDArray[np.intp], ...]) -> Terms:
        """Terms with gases of some cells, (bands, cells, nodes of optical depth)."""
        angles = self.angles
        sza, vza, sun, view, height = (
            np.asarray(values[where], dtype=np.float64)
            for values in (
                angles.sun_zenith,
                angles.view_zenith,
                angles.sun_azimuth,
                angles.view_azimuth,
                np.nan_to_num(self.heights),
            )
        )
        pressure = surface_pressure_hpa(height)
        terms = camera_lut(self.camera_name).node_terms(
            self.model,
            sza=sza,
            vza=vza,
            raa=relative_azimuth_deg(sun, view),
            pressure_hpa=pressure,
            bands=self.bands,
        )
        gases = gas_transmittance(
            self.camera_name, self.gas, sza=sza, vza=vza, pressure_hpa=pressure
        )
        above, water, half = (
            plane[list(self.bands)][..., np.newaxis]
            for plane in (gases.above, gases.water, gases.half_water)
        )
        return gas_coupled(terms, terms.path[..., :1], above, water, half)

    def clear_sky(self, usable: NDArray[np.bool_]) -> Terms:
        """Terms without haze, (bands, cell rows, cell cols), NaN where not usable."""
        where = np.nonzero(usable)
        nodes = self.nodes(where)
        planes = []
        for part in (nodes.path, nodes.transmittance, nodes.albedo):
            plane = np.full((len(self.bands), *usable.shape), np.nan, dtype=np.float32)
            plane[:, usable] = part[..., 0]
            planes.append(plane)
        return Terms(*planes)


def _check_prior(prior: AodPrior) -> None:
    if not (0 <= prior.aod <= HIGHEST_AOD and 0 < prior.sigma < np.inf):
        raise AtmosphereError(
            f"aerosol prior {prior.aod} with sigma {prior.sigma} from {prior.source}: an optical "
            f"depth of 0 to {HIGHEST_AOD:g} and a positive sigma wanted; use the climatology"
        )


def _usable_cells(angles: Angles) -> NDArray[np.bool_]:
    """Cells whose angles are known and covered by the look-up table."""
    known = np.isfinite(angles.sun_zenith) & np.isfinite(angles.view_zenith)
    usable = known & (angles.sun_zenith <= LOWEST_SUN_ZENITH_DEG)
    if known.any() and not usable.any():
        raise AtmosphereError(
            f"sun zenith angle {np.nanmin(angles.sun_zenith):.1f} degrees: the sun is too low, "
            f"at most {LOWEST_SUN_ZENITH_DEG:g} can be corrected"
        )
    return np.asarray(usable)


def _retrieve(dark: DarkCells, air: _Air) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return depth and sigma of each dark cell, NaN where its surface turns out not to be dark.

    Blue minus expected blue falls with optical depth; its zero is found by one Newton step from
    the nearest of closely spaced depths, which also reaches a little below 0.
    """
    table = dark_target_table(air.camera_name)
    nodes = air.nodes((dark.row, dark.col))
    lut = camera_lut(air.camera_name)
    ground = lut.along_aod(air.model, nodes.ground(dark.signal[..., np.newaxis]), _FINE_AOD)
    blue, red, nir = ground
    expected, surface_sigma = table.blue(red, ndvi_of(red, nir))
    misfit = blue - expected
    slope = np.gradient(misfit, _FINE_AOD, axis=-1)
    best = np.argmin(np.abs(misfit), axis=-1)[:, np.newaxis]

    def at_best(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.take_along_axis(values, best, axis=-1)[:, 0].astype(np.float64)

    steepness = np.minimum(at_best(slope), -1e-6)
    aod = _FINE_AOD[best[:, 0]] - at_best(misfit) / steepness
    noise = np.hypot(at_best(surface_sigma), _SIGNAL_ERROR * dark.signal[0])
    sigma = noise / -steepness
    good = table.is_dark(at_best(red).astype(np.float32), at_best(nir).astype(np.float32))
    good &= (sigma < _WIDEST_SIGMA) & (aod > _LOWEST_FIT) & (aod < HIGHEST_AOD)
    return np.where(good, aod, np.nan), np.where(good, sigma, np.nan)


def _outliers(aod: NDArray[np.float64]) -> NDArray[np.bool_]:
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


def _fill(
    cells: Grid, aod: NDArray[np.float64], sigma: NDArray[np.float64], prior: AodPrior
) -> AodField:
    """Average the retrievals and fill the rest from scene median and prior."""
    valid = np.isfinite(aod)
    base, base_sigma = _background(aod[valid], sigma[valid], prior)
    weight = np.where(valid, np.nan_to_num(sigma, nan=1.0) ** -2.0, 0.0)
    density, mass, moment = (
        gaussian_filter(values, _SMOOTHING_CELLS, mode="constant", truncate=4.0)
        for values in (valid.astype(np.float64), weight, weight * np.nan_to_num(aod))
    )
    near = density > 1e-6
    safe = np.where(near, mass, 1.0)
    local = np.where(near, moment / safe, base)
    variance = np.where(near, density / safe, np.inf)
    members = np.maximum(density * 4 * np.pi * _SMOOTHING_CELLS**2, 1e-6)
    shared = _CORRELATED**2
    trust = 1 / (variance * (shared + (1 - shared) / members))
    spread = base_sigma**-2.0
    mixed = (trust * local + spread * base) / (trust + spread)
    source = np.full(cells.shape, prior.kind, dtype=np.uint8)
    source[near | (np.count_nonzero(valid) >= _ENOUGH_CELLS)] = AodSource.INTERPOLATED
    source[valid] = AodSource.RETRIEVED
    return AodField(
        cells,
        np.clip(mixed, 0.0, HIGHEST_AOD).astype(np.float32),
        np.sqrt(1 / (trust + spread)).astype(np.float32),
        source,
        prior.model,
    )


def _background(
    aod: NDArray[np.float64], sigma: NDArray[np.float64], prior: AodPrior
) -> tuple[float, float]:
    """Return the depth that distant cells take and how far the haze may differ from it.

    The prior; with enough retrievals their median, weighed against it by the error they share.
    """
    if aod.size < _ENOUGH_CELLS:
        return prior.aod, prior.sigma
    trust = (_CORRELATED * float(np.median(sigma))) ** -2.0
    doubt = prior.sigma**-2.0
    return (trust * float(np.median(aod)) + doubt * prior.aod) / (trust + doubt), prior.sigma
