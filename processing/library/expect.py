"""What the ground below a scene is expected to look like, from the library and from the archive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid, Tile
from catalog.store import Store, StoredItem
from catalog.versions import current
from processing.atmosphere.surface import Expectation
from processing.geometry.angles import AngleField
from processing.geometry.field import GroundField
from processing.library.files import read_tile, tiles_of
from processing.library.observed import observe
from processing.library.tile import CELL_M, cell_grid, check_bands
from processing.sensors import camera

Float32Array = NDArray[np.float32]

_HISTORY_SIGMA = 0.008
_HISTORY_RELATIVE = 0.03
"""Sigma of a reflectance seen lately: both parts, growing with the days since."""
_HISTORY_DAYS = 30.0
_FEWEST_DATES = 2
_MOST_DATES = 5
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Sources:
    """Expectations, and the files and products that they come from."""

    surfaces: tuple[Expectation, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Layer:
    """Reflectance and sigma on the cells of one tile, and the ground that a value stands for."""

    grid: Grid
    reflectance: Float32Array
    sigma: Float32Array
    resolution_m: float = CELL_M


def from_library(
    folder: Path, camera_name: str, tiles: Sequence[Tile], cells: Grid, field: AngleField
) -> Sources:
    """Predict the ground at the scene's geometry from a surface library.

    Parameters
    ----------
    folder
        The library.
    camera_name
        E.g. "GF1WFV1".
    tiles
        Tiles that the scene touches.
    cells
        Cells of the scene, 512 m.
    field
        Directions of sun and sensor.

    Returns
    -------
    Sources
        Empty where the library has none of the tiles.

    Raises
    ------
    AtmosphereError
        The folder holds no library of the camera, or one on another grid.
    """
    wanted = {tile.name for tile in tiles}
    layers, names = [], []
    for path in tiles_of(folder, camera_name):
        if path.name.split(".")[1] in wanted:
            surface = read_tile(path)
            check_bands(surface, len(camera(camera_name).bands))
            expected = surface.expected(field.on(surface.grid))
            layers.append(_Layer(surface.grid, *expected, surface.resolution_m))
            names.append(f"{path.name} ({surface.source}, {len(surface.items)} products)")
    return Sources(_joined("library", layers, cells), tuple(names))


def from_history(
    store: Store, camera_name: str, tiles: Sequence[Tile], cells: Grid, time: datetime, days: int
) -> Sources:
    """Take the ground as the same camera has seen it lately, clear.

    Sigma grows with the days between, and is at least the scatter of the dates where there are
    several. The scene itself never counts.

    Parameters
    ----------
    store
        The archive.
    camera_name, tiles, cells
        As for :func:`from_library`.
    time
        When the scene was taken; aware.
    days
        Products up to so many days before or after count; 0 for none.
    """
    layers, names = [], []
    for tile in tiles:
        near = sorted(
            _near(store, camera_name, tile, time, days), key=lambda each: _gap(each, time)
        )[:_MOST_DATES]
        if near:
            seen = [observe(store, each).reflectance for each in near]
            gaps = [_gap(each, time) for each in near]
            layers.append(_lately(cell_grid(tile.name), np.stack(seen), np.array(gaps)))
            names += [str(each.id) for each in near]
    return Sources(_joined("history", layers, cells), tuple(names))


def _near(
    store: Store, camera_name: str, tile: Tile, time: datetime, days: int
) -> Iterator[StoredItem]:
    """Yield the current products of a camera near a date, without that of the scene itself."""
    for stored in current(store.items_on(tile.name)):
        near = _gap(stored, time) <= days and not stored.taken_at(time)
        if near and stored.id.camera == camera_name:
            yield stored


def _gap(stored: StoredItem, time: datetime) -> float:
    """Days between a product and a date."""
    return abs((stored.id.time - time).total_seconds()) / 86400


def _lately(grid: Grid, seen: Float32Array, gaps: NDArray[np.float64]) -> _Layer:
    """Median over dates (dates, bands, rows, cols) and its sigma."""
    dates = np.isfinite(seen).all(axis=1)
    known = dates.any(axis=0)
    median = _median(seen)
    scatter = _MAD_TO_SIGMA * _median(np.abs(seen - median))
    since = np.min(np.where(dates, gaps[:, np.newaxis, np.newaxis], np.inf), axis=0)
    sigma = np.hypot(_HISTORY_SIGMA, _HISTORY_RELATIVE * median) * (1 + since / _HISTORY_DAYS)
    several = dates.sum(axis=0) >= _FEWEST_DATES
    sigma = np.where(several, np.maximum(sigma, scatter), sigma)
    return _Layer(grid, median, np.where(known, sigma, np.nan).astype(np.float32))


def _median(values: Float32Array) -> Float32Array:
    """Median over the first axis without NaN; NaN where there is nothing else."""
    ordered = np.sort(values, axis=0)
    count = np.isfinite(values).sum(axis=0, keepdims=True)
    lower, upper = (
        np.take_along_axis(ordered, np.clip(place, 0, len(values) - 1), axis=0)[0]
        for place in ((count - 1) // 2, count // 2)
    )
    upper = np.where(count[0] % 2, lower, upper)
    return np.asarray(np.where(count[0] > 0, (lower + upper) / 2, np.nan), np.float32)


def _joined(kind: str, layers: Sequence[_Layer], cells: Grid) -> tuple[Expectation, ...]:
    """Bring the layers of tiles onto the scene's cells; where tiles overlap the first counts.

    The coarsest of the layers says how much ground a value stands for, and where its cells are not
    the scene's a value is read between them: from half a cell more in the mean.
    """
    if not layers:
        return ()
    reflectance, sigma = (
        np.full((len(layers[0].reflectance), *cells.shape), np.nan, np.float32) for _ in range(2)
    )
    for layer in layers:
        inside = _inside(layer.grid, cells)
        empty = inside & np.isnan(reflectance[0])
        for target, values in ((reflectance, layer.reflectance), (sigma, layer.sigma)):
            target[:, empty] = GroundField(layer.grid, values).on(cells)[:, empty]
    coarsest = max(
        layer.resolution_m / cells.resolution + 0.5 * (not _same_cells(layer.grid, cells))
        for layer in layers
    )
    return (Expectation(kind, reflectance, sigma, coarsest),)


def _same_cells(grid: Grid, cells: Grid) -> bool:
    """Tell whether the cells of two grids that overlap are the same."""
    right, down = cells.ulx - grid.ulx, grid.uly - cells.uly
    aligned = right % grid.resolution == 0 and down % grid.resolution == 0
    return grid.epsg == cells.epsg and grid.resolution == cells.resolution and aligned


def _inside(grid: Grid, cells: Grid) -> NDArray[np.bool_]:
    """Tell which cells have their centres on a grid; beyond it a field repeats its border."""
    row, col = grid.rowcol(*cells.lonlat(*np.indices(cells.shape, np.float64)))
    return np.asarray(
        (row >= -0.5) & (row <= grid.rows - 0.5) & (col >= -0.5) & (col <= grid.cols - 0.5)
    )
