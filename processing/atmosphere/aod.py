"""Optical depth of the haze over a scene: asked of every cell, and made a field without gaps.

The story is short: pixels to cells (``cells``), what the ground of each cell says (``evidence``),
outliers out, the rest and the prior to a field (``smooth``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.atmosphere.air import Air, band_numbers
from processing.atmosphere.cells import CELL_FACTOR, CellSignals, cell_signals
from processing.atmosphere.darktarget import DARK_BANDS, DarkTargetTable, dark_target_table
from processing.atmosphere.evidence import Evidence, gather
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.lut import Float32Array
from processing.atmosphere.prior import HIGHEST_AOD, AodPrior, AodSource, check_prior
from processing.atmosphere.smooth import outliers, smooth
from processing.atmosphere.surface import Expectation
from processing.geometry.angles import Angles
from processing.geometry.field import GroundField

_REFINEMENTS = 2
_MOSTLY_SEEN = 0.5
"""Share of the prior's variance that evidence must remove for a cell to count as interpolated."""


@dataclass(frozen=True, slots=True)
class AodField:
    """Optical depth at 550 nm and its sigma, float32, and ``AodSource``, uint8, per cell.

    ``targets`` counts the cells in which each kind of ground gave evidence.
    """

    grid: Grid
    aod: Float32Array
    sigma: Float32Array
    source: NDArray[np.uint8]
    model: str
    targets: Mapping[str, int]

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
) -> AodField:
    """Fit the optical depth of a scene whose cells are averaged; see :func:`fit_aod`.

    ``table`` is the surface relation of dark vegetation, that of the package where None.

    Raises
    ------
    AtmosphereError
        The sun is lower than the look-up table covers.
    """
    air.check_sun()
    relation = table or dark_target_table(air.camera_name)
    kept = _kept(gather(signals, air, surfaces, prior, relation))
    field = smooth(kept, cells, prior)
    for _ in range(_REFINEMENTS):
        kept = _kept(gather(signals, air, surfaces, prior, relation, field.aod))
        field = smooth(kept, cells, prior)
    source = np.full(cells.shape, prior.kind, dtype=np.uint8)
    source[field.sigma**2 < _MOSTLY_SEEN * prior.sigma**2] = AodSource.INTERPOLATED
    source[np.isfinite(kept.aod)] = AodSource.RETRIEVED
    return AodField(
        cells,
        np.clip(field.aod, 0.0, HIGHEST_AOD).astype(np.float32),
        field.sigma.astype(np.float32),
        source,
        prior.model,
        kept.cells,
    )


def _kept(evidence: Evidence) -> Evidence:
    """Return evidence without outliers."""
    return replace(evidence, aod=np.where(outliers(evidence.aod), np.nan, evidence.aod))
