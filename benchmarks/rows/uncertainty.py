"""What it costs to tell how sure the products are: CPU time and memory of a full tile."""

import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows.row import Row, at_most
from catalog.grid import Grid
from catalog.product import TILE_PIXELS
from processing.atmosphere.air import Air, band_numbers
from processing.atmosphere.aod import AodField, fit_cells
from processing.atmosphere.cells import CellSignals
from processing.atmosphere.correct import (
    Coefficients,
    atmosphere_terms,
    coefficients,
    surface_reflectance,
)
from processing.atmosphere.darktarget import DARK_BANDS
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.prior import AodPrior
from processing.atmosphere.surface import Expectation
from processing.atmosphere.uncertainty import CONFUSED_WITH, reflectance_uncertainty
from processing.geometry.angles import Angles
from processing.geometry.field import GroundField
from processing.normalisation import UNKNOWN
from processing.sensors import camera

Float32Array = NDArray[np.float32]

FRAME = Grid(32631, 300_000, 5_100_000, 16, TILE_PIXELS, TILE_PIXELS)
GAS = GasColumns(300.0, 2.0)
PRIOR = AodPrior(0.2, 0.15, "continental", "made for the test")
_NM = (430, 485, 555, 660, 710, 830)
_LEAF, _SOIL = (0.02, 0.025, 0.06, 0.04, 0.15, 0.4), (0.08, 0.1, 0.14, 0.2, 0.22, 0.27)


def uncertainty_rows() -> Iterator[Row]:
    """Yield what both uncertainties of a full tile cost, of GF-1 and of GF-6."""
    for name in ("GF1WFV1", "GF6WFV"):
        title = f"{name}, uncertainty of a full tile"
        air = _air(name, FRAME.coarsen(32))
        field, spent = _fitted(air)
        yield at_most(f"{title}: optical depth, beyond its fit", spent, "CPU s", 15)
        spent, beyond = _inverted(name, field)
        yield at_most(f"{title}: reflectance", spent, "CPU s", 15)
        yield at_most(f"{title}: memory beyond input and result", beyond, "tiles", 1)


def _air(camera_name: str, cells: Grid) -> Air:
    directions = (np.full(cells.shape, angle, np.float32) for angle in (240.0, 40.0, 150.0, 20.0))
    heights = np.zeros(cells.shape, np.float32)
    return Air(camera_name, PRIOR.model, GAS, Angles(*directions), heights)


def _fitted(air: Air) -> tuple[AodField, float]:
    """Fit cells of 512 m, half of them dark vegetation, with a library; return the CPU time."""
    cells = FRAME.coarsen(32)
    rng = np.random.default_rng(2)
    green = rng.random(cells.shape) < 0.5
    bands = camera(air.camera_name).bands
    nm = [band.center_nm for band in bands]
    leaf, soil = (np.interp(nm, _NM, each)[:, np.newaxis, np.newaxis] for each in (_LEAF, _SOIL))
    ground = np.where(green, leaf, soil) * (1 + 0.05 * rng.normal(size=cells.shape))
    haze = np.full(cells.shape, 0.25, np.float32)
    terms = atmosphere_terms(
        air.camera_name, air.model, GAS, angles=air.angles, aod=haze, heights=air.heights
    )
    toa = terms.reflectance(ground).astype(np.float32)
    dark = np.where(green, toa[list(band_numbers(air.camera_name, DARK_BANDS))], np.nan)
    known = Expectation(
        "library", ground.astype(np.float32), np.full(ground.shape, 0.01, np.float32)
    )
    signals = CellSignals(toa, np.zeros_like(toa), dark.astype(np.float32))
    parts = (signals, cells, air, PRIOR, [known])
    moments = [time.process_time()]
    fit_cells(*parts)
    moments.append(time.process_time())
    field = fit_cells(*parts, calibration_sigma=[UNKNOWN] * len(bands))
    moments.append(time.process_time())
    first, second = np.diff(moments)
    return field, float(second - first)


def _inverted(camera_name: str, field: AodField) -> tuple[float, float]:
    """Return CPU time, and memory beyond what goes in and comes out in shares of the image."""
    cells = FRAME.coarsen(64)
    air, moved = _air(camera_name, cells), field.moved()

    def made(aod: Float32Array, model: str = PRIOR.model) -> Coefficients:
        """Return the coefficients of optical depths."""
        return coefficients(
            camera_name, model, GAS, angles=air.angles, heights=air.heights, cgrid=cells,
            aod=np.asarray(GroundField(field.grid, aod).on(cells)),
        )  # fmt: skip

    shape = (len(camera(camera_name).bands), *FRAME.shape)
    toa = np.random.default_rng(3).integers(1200, 3000, shape, dtype=np.uint16)
    sr, _ = surface_reflectance(toa, FRAME, made(field.aod))
    tracemalloc.start()
    start = time.process_time()
    sigma = reflectance_uncertainty(
        toa,
        sr,
        FRAME,
        brighter=made(moved.brighter),
        hazier=made(moved.hazier),
        other_model=made(moved.other_model, CONFUSED_WITH[PRIOR.model]),
        calibration_sigma=[UNKNOWN] * len(toa),
    )
    spent = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return spent, (peak - sigma.nbytes) / toa.nbytes
