"""Optical depth of the haze over a scene: asked of every cell, and made a field without gaps.

The story is short: pixels to cells (``cells``), what the ground of each cell says (``evidence``),
outliers out, the rest and the prior to a field (``smooth``).

The sigma of that field takes calibration and kind of aerosol for known. Where they are not, the
depth takes up part of their error: how much is found by asking the ground once more with each of
them moved by one sigma (``Departures``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.atmosphere.air import Air, band_numbers
from processing.atmosphere.cells import CELL_FACTOR, CellSignals, cell_signals
from processing.atmosphere.darktarget import DARK_BANDS, DarkTargetTable, dark_target_table
from processing.atmosphere.evidence import Evidence, gather, haze_bands
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.lut import Float32Array
from processing.atmosphere.prior import HIGHEST_AOD, AodPrior, AodSource, check_prior
from processing.atmosphere.smooth import Smoothed, outliers, smooth
from processing.atmosphere.surface import Expectation
from processing.atmosphere.uncertainty import (
    CONFUSED_WITH,
    MODEL_SHARE,
    depth_uncertainty,
)
from processing.geometry.angles import Angles
from processing.geometry.field import GroundField

Floats = NDArray[np.float64]

_REFINEMENTS = 2
_MOSTLY_SEEN = 0.5
"""Share of the prior's variance that evidence must remove for a cell to count as interpolated."""


@dataclass(frozen=True, slots=True)
class Departures:
    """What errors of the input bring into an optical depth, float32.

    Attributes
    ----------
    calibration
        (bands, rows, cols), by what the depth rises where TOA reflectance of that band is brighter
        by one sigma. Not bounded: a depth that stays at 0 would not tell how far it is led.
    model
        (rows, cols), by what it rises with the aerosol model of ``CONFUSED_WITH``.
    sigma
        (rows, cols), one sigma of the depth with all of these errors.
    """

    calibration: Float32Array
    model: Float32Array
    sigma: Float32Array


@dataclass(frozen=True, slots=True)
class MovedDepths:
    """Optical depths by which surface reflectance is inverted anew to see how sure it is.

    Float32, 0 to 2, (rows, cols) or (bands, rows, cols) with a depth for each band.

    Attributes
    ----------
    brighter
        As found where the band itself is brighter by one sigma.
    hazier
        Higher by one sigma of all that does not change the band itself.
    other_model
        As found with the aerosol model of ``CONFUSED_WITH``.
    """

    brighter: Float32Array
    hazier: Float32Array
    other_model: Float32Array


@dataclass(frozen=True, slots=True)
class AodField:
    """Optical depth at 550 nm and its sigma, float32, and ``AodSource``, uint8, per cell.

    ``sigma`` takes calibration and model for known, ``departures`` tells what comes of their
    errors where it was asked for. ``targets`` counts the cells in which each kind of ground gave
    evidence.
    """

    grid: Grid
    aod: Float32Array
    sigma: Float32Array
    source: NDArray[np.uint8]
    model: str
    targets: Mapping[str, int]
    departures: Departures | None = None

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

    @property
    def uncertainty(self) -> Float32Array:
        """One sigma of the optical depth, with what errors of the input bring, (rows, cols)."""
        return self.sigma if self.departures is None else self.departures.sigma

    def uncertainty_on(self, target: Grid) -> Float32Array:
        """Return one sigma on another grid, bilinear."""
        return np.asarray(GroundField(self.grid, self.uncertainty).on(target), dtype=np.float32)

    def moved(self) -> MovedDepths:
        """Return the optical depths with each error of one sigma."""
        if self.departures is None:
            return MovedDepths(self.aod, _bounded(self.aod + self.sigma), self.aod)
        own = self.departures.calibration
        rest = np.maximum(np.sum(own**2, axis=0) - own**2, 0)
        return MovedDepths(
            _bounded(self.aod + own),
            _bounded(self.aod + np.sqrt(self.sigma**2 + rest)),
            _bounded(self.aod + self.departures.model),
        )

    def source_on(self, target: Grid) -> NDArray[np.uint8]:
        """Return the source on another grid, nearest cell."""
        return np.asarray(GroundField(self.grid, self.source).on(target, nearest=True), np.uint8)


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
    surfaces: Sequence[Expectation] = (),
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
    surfaces
        What is expected of the ground, on ``grid.coarsen(16)``.

    Returns
    -------
    AodField
        On ``grid.coarsen(16)``, without gaps, 0 to 2; the aerosol model is the prior's.

    Raises
    ------
    AtmosphereError
        The sun is lower than the look-up table covers, or the prior is no number.
    """
    check_prior(prior)
    air = Air(camera_name, prior.model, gas, angles, heights)
    signals = scene_signals(toa, clear_land, air)
    return fit_cells(signals, grid.coarsen(CELL_FACTOR), air, prior, surfaces)


def scene_signals(
    toa: Float32Array,
    clear_land: NDArray[np.bool_],
    air: Air,
    saturated: NDArray[np.uint8] | None = None,
) -> CellSignals:
    """Average the pixels of a scene, or of a piece of it, over its cells; see :func:`fit_aod`.

    ``saturated`` (rows, cols) has bit b set where band b is saturated.
    """
    dark_bands = band_numbers(air.camera_name, DARK_BANDS)
    return cell_signals(toa, clear_land, air.clear_sky(dark_bands), dark_bands, saturated)


def fit_cells(
    signals: CellSignals,
    cells: Grid,
    air: Air,
    prior: AodPrior,
    surfaces: Sequence[Expectation] = (),
    table: DarkTargetTable | None = None,
    calibration_sigma: Sequence[float] = (),
) -> AodField:
    """Fit the optical depth of a scene whose cells are averaged; see :func:`fit_aod`.

    ``table`` is the surface relation of dark vegetation, that of the package where None.
    ``calibration_sigma`` is the relative error of TOA reflectance, one sigma a band: where it is
    given the field has its departures.

    Raises
    ------
    AtmosphereError
        The sun is lower than the look-up table covers.
    """
    air.check_sun()
    ground = _Ground(cells, prior, surfaces, table or dark_target_table(air.camera_name))
    about = None
    kept, field = ground.asked(signals, air, about)
    for _ in range(_REFINEMENTS):
        about = field.aod
        kept, field = ground.asked(signals, air, about)
    source = np.full(cells.shape, prior.kind, dtype=np.uint8)
    source[field.sigma**2 < _MOSTLY_SEEN * prior.sigma**2] = AodSource.INTERPOLATED
    source[np.isfinite(kept.aod)] = AodSource.RETRIEVED
    found = AodField(
        cells,
        _bounded(field.aod),
        field.sigma.astype(np.float32),
        source,
        prior.model,
        kept.cells,
    )
    if not calibration_sigma:
        return found
    ask = partial(ground.asked, about=about)
    calibration, model = _risen(signals, air, ask, field.aod, calibration_sigma)
    misled = np.sum(calibration**2, axis=0) + (MODEL_SHARE * model) ** 2
    sigma = depth_uncertainty(found.aod.astype(np.float64), field.sigma, misled, prior)
    layers = (layer.astype(np.float32) for layer in (calibration, model, sigma))
    return replace(found, departures=Departures(*layers))


def _bounded(aod: Floats | Float32Array) -> Float32Array:
    """Return optical depths as the look-up table knows them."""
    return np.clip(aod, 0.0, HIGHEST_AOD).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is known of the ground and of the haze before a scene is looked at."""

    cells: Grid
    prior: AodPrior
    surfaces: Sequence[Expectation]
    table: DarkTargetTable

    def asked(
        self, signals: CellSignals, air: Air, about: Floats | None
    ) -> tuple[Evidence, Smoothed]:
        """Return what the cells say without outliers, and the field it makes with the prior."""
        evidence = gather(signals, air, self.surfaces, self.prior, self.table, about)
        kept = replace(evidence, aod=np.where(outliers(evidence.aod), np.nan, evidence.aod))
        return kept, smooth(kept, self.cells, self.prior)


def _risen(
    signals: CellSignals,
    air: Air,
    ask: Callable[[CellSignals, Air], tuple[Evidence, Smoothed]],
    found: Floats,
    calibration_sigma: Sequence[float],
) -> tuple[Floats, Floats]:
    """Return by what the depth rises with each error that it can take up; see `Departures`."""
    dark_bands = band_numbers(air.camera_name, DARK_BANDS)
    calibration = np.zeros((len(calibration_sigma), *found.shape))
    for band in {*haze_bands(air.camera_name), *dark_bands}:
        if calibration_sigma[band] > 0:
            brighter = signals.brighter(band, calibration_sigma[band], dark_bands)
            calibration[band] = ask(brighter, air)[1].aod - found
    other = replace(air, model=CONFUSED_WITH[air.model])
    return calibration, ask(signals, other)[1].aod - found
