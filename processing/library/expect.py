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
from processing.geometry.angles import AngleField, Angles
from processing.geometry.field import GroundField
from processing.library.files import read_tile, tiles_of
from processing.library.observed import observe
from processing.library.tile import CELL_M, SurfaceTile, cell_grid, check_bands
from processing.sensors import camera

Float32Array = NDArray[np.float32]

_HISTORY_SIGMA = 0.008
_HISTORY_RELATIVE = 0.03
"""Sigma of a reflectance seen lately: both parts, growing with the days since."""
_HISTORY_DAYS = 30.0
_DATE_DEPTH_SIGMA = 0.094
_PLACE_DEPTH_SIGMA = 0.054
"""Sigma of the mean optical depth of a product: the part that is another one on another date, by
the prior, and the part that comes again in the same place, by its plants. Measured over scenes of
development (``benchmarks/atmosphere.py``)."""
_FEWEST_DATES = 2
_MOST_DATES = 5
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Sources:
    """Expectations, and the files and products that they come from."""

    surfaces: tuple[Expectation, ...]
    names: tuple[str, ...]


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
    layers: list[tuple[Grid, Expectation]] = []
    names: list[str] = []
    for path in tiles_of(folder, camera_name):
        if path.name.split(".")[1] in wanted:
            surface = read_tile(path)
            check_bands(surface, len(camera(camera_name).bands))
            layers.append((surface.grid, predicted(surface, field.on(surface.grid))))
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
    layers: list[tuple[Grid, Expectation]] = []
    names: list[str] = []
    for tile in tiles:
        near = sorted(
            _near(store, camera_name, tile, time, days), key=lambda each: _gap(each, time)
        )[:_MOST_DATES]
        if near:
            seen = [observe(store, each).reflectance for each in near]
            gaps = [_gap(each, time) for each in near]
            layers.append((cell_grid(tile.name), lately(np.stack(seen), np.array(gaps))))
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


def predicted(surface: SurfaceTile, angles: Angles) -> Expectation:
    """Return what a tile of the library expects on its own cells at a geometry.

    Only the products that have come in bear the error of a retrieval, not what they began with.
    """
    own = np.minimum(surface.count, len(surface.items))
    return Expectation(
        "library",
        *surface.expected(angles),
        surface.resolution_m / CELL_M,
        inherited_sigma(own, surface.count),
    )


def lately(seen: Float32Array, gaps: NDArray[np.float64]) -> Expectation:
    """Return the median of what was seen on some dates, and how sure it is.

    Parameters
    ----------
    seen
        Surface reflectance (dates, bands, rows, cols), NaN where it was not clear.
    gaps
        Days between each date and that of the scene.
    """
    dates = np.isfinite(seen).all(axis=1)
    count = dates.sum(axis=0)
    median = _median(seen)
    scatter = _MAD_TO_SIGMA * _median(np.abs(seen - median))
    since = np.min(np.where(dates, gaps[:, np.newaxis, np.newaxis], np.inf), axis=0)
    sigma = np.hypot(_HISTORY_SIGMA, _HISTORY_RELATIVE * median) * (1 + since / _HISTORY_DAYS)
    sigma = np.where(count >= _FEWEST_DATES, np.maximum(sigma, scatter), sigma)
    sigma = np.where(count > 0, sigma, np.nan).astype(np.float32)
    known = np.where(count > 0, count, np.nan)
    return Expectation("history", median, sigma, depth_sigma=inherited_sigma(known, known))


def inherited_sigma(
    own: NDArray[np.floating] | float, count: NDArray[np.floating] | float
) -> Float32Array:
    """Return one sigma of the error of optical depth in a mean of what was seen on some dates.

    Parameters
    ----------
    own
        Dates on which the platform itself has retrieved the ground, a number or any shape.
    count
        Dates in all; at least 1, NaN for ground never seen. Those of others bear no such error.
    """
    mean = np.hypot(_PLACE_DEPTH_SIGMA, _DATE_DEPTH_SIGMA / np.sqrt(np.maximum(own, 1)))
    return np.asarray(mean * own / count, np.float32)


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


def _joined(
    kind: str, layers: Sequence[tuple[Grid, Expectation]], cells: Grid
) -> tuple[Expectation, ...]:
    """Bring what tiles expect onto the scene's cells; where tiles overlap the first counts.

    The coarsest of them says how much ground a value stands for, and where its cells are not
    the scene's a value is read between them: from half a cell more in the mean.
    """
    if not layers:
        return ()
    bands = len(layers[0][1].reflectance)
    reflectance, sigma, depth_sigma = (
        np.full((*layer, *cells.shape), np.nan, np.float32) for layer in ((bands,), (bands,), ())
    )
    for grid, of_tile in layers:
        empty = _inside(grid, cells) & np.isnan(reflectance[0])
        for target, values in (
            (reflectance, of_tile.reflectance),
            (sigma, of_tile.sigma),
            (depth_sigma, np.broadcast_to(of_tile.depth_sigma, grid.shape)),
        ):
            target[..., empty] = GroundField(grid, values).on(cells)[..., empty]
    coarsest = max(
        of_tile.resolution * grid.resolution / cells.resolution
        + 0.5 * (not _same_cells(grid, cells))
        for grid, of_tile in layers
    )
    return (Expectation(kind, reflectance, sigma, coarsest, depth_sigma),)


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
