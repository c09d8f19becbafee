"""The surroundings of every pixel, found once for the whole scene, so that its tiles agree."""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import FILL, REFLECTANCE_SCALE, MaskClass
from processing.atmosphere.adjacency import Surround, in_surroundings, surroundings
from processing.atmosphere.correct import Coefficients
from processing.atmosphere.sky import Sky
from processing.blocks import Block
from processing.geometry.field import GroundField, averaged

Float32Array = NDArray[np.float32]

_LOOK_FACTOR: Final = 4
"""Pixels of the look at the scene along one side of a cell: 128 m."""
CELL_PIXELS: Final = _LOOK_FACTOR * 2
"""Pixels of a tile along one side of a cell."""
_AIR_FACTOR: Final = 8
"""Cells along one side of a cell of the atmosphere: 1024 m, as in a tile."""
_STRIP_ROWS: Final = 512
_HIGHEST: Final = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True)
class CoarseScene:
    """The scene without its clouds, averaged over cells of 128 m.

    ``toa`` is encoded TOA reflectance, uint16 (bands, rows, cols), 0 = no data or cloud.
    """

    grid: Grid
    toa: NDArray[np.uint16]

    @classmethod
    def empty(cls, look_grid: Grid, bands: int) -> Self:
        """Return cells over the grid of the look."""
        grid = look_grid.coarsen(_LOOK_FACTOR)
        return cls(grid, np.zeros((bands, *grid.shape), np.uint16))

    def put(self, block: Block, toa: Float32Array, classes: NDArray[np.uint8]) -> None:
        """Put in a block.

        Parameters
        ----------
        block
            Its place.
        toa
            TOA reflectance of the block with what lies around it, (bands, rows, cols).
        classes
            ``MaskClass``, (rows, cols).
        """
        rows, cols = block.inner
        for first in range(rows.start, rows.stop, _STRIP_ROWS):
            strip = slice(first, min(first + _STRIP_ROWS, rows.stop))
            seen = classes[strip, cols] != MaskClass.CLOUD
            clear = np.where(seen, toa[:, strip, cols], np.float32(np.nan))
            row = (block.rows.start + first - rows.start) // _LOOK_FACTOR
            self._write(row, block.cols.start // _LOOK_FACTOR, averaged(clear, _LOOK_FACTOR))

    def _write(self, row: int, col: int, mean: Float32Array) -> None:
        """Encode means from a row and column of cells on."""
        _, rows, cols = mean.shape
        self.toa[:, row : row + rows, col : col + cols] = _encoded(mean)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Mean reflectance around each cell of the scene, weighted with the point spread of the air.

    ``mean`` is encoded reflectance, uint16 (bands, rows, cols), 0 where too little is known;
    ``contrast`` per band, and mean over the scene, the factor by which ground stands out more from
    what is around it than it seems to.
    """

    grid: Grid
    mean: NDArray[np.uint16]
    contrast: tuple[float, ...]

    @classmethod
    def of(cls, coarse: CoarseScene, sky: Sky) -> Self:
        """Find the surroundings.

        Parameters
        ----------
        coarse
            The scene without clouds; its memory is taken for the result.
        sky
            The air over the scene.
        """
        cells = coarse.grid.coarsen(_AIR_FACTOR)
        known = (coarse.toa != FILL).all(axis=0)
        sky = replace(sky, known=averaged(_where(known), _AIR_FACTOR)[0] > 0)
        coefs, up = sky.coefficients(cells), sky.upward(cells)
        contrast = up.total / up.direct
        view = float(np.nanmean(sky.directions.on(cells).view_zenith[sky.known]))
        surround = Surround.over(known, coarse.grid.resolution, view)
        layers = (coefs.gain, coefs.offset, coefs.albedo, contrast, up.rayleigh_share)
        for band, toa in enumerate(coarse.toa):
            air = GroundField(cells, np.stack([layer[band] for layer in layers])).on(coarse.grid)
            signal = np.where(known, air[0] * (toa * np.float32(REFLECTANCE_SCALE)) + air[1], 0)
            toa[:] = _encoded(surroundings(signal, air[2], air[3], air[4], surround))
        means = contrast[:, sky.known].mean(axis=1)
        return cls(coarse.grid, coarse.toa, tuple(float(mean) for mean in means))

    def taken_out(self, coefs: Coefficients, sky: Sky, frame: Grid) -> Coefficients:
        """Return the coefficients of a tile that take the light of the surroundings out.

        Parameters
        ----------
        coefs
            Those for uniform ground.
        sky
            The air over the tile.
        frame
            Of the tile.
        """
        fine = frame.coarsen(CELL_PIXELS)
        up = sky.upward(coefs.grid)
        gain, offset, albedo, contrast = (
            np.asarray(GroundField(coefs.grid, layer).on(fine), np.float32)
            for layer in (coefs.gain, coefs.offset, coefs.albedo, up.total / up.direct)
        )
        uniform = Coefficients(fine, gain, offset, albedo)
        return in_surroundings(uniform, contrast, self.on(fine), fine)

    def at(self, row: NDArray[np.intp], col: NDArray[np.intp]) -> Float32Array:
        """Return the mean around pixels of the look's grid, (bands, n); NaN where not known."""
        return _decoded(self.mean[:, row // _LOOK_FACTOR, col // _LOOK_FACTOR])

    def on(self, target: Grid) -> Float32Array:
        """Return the mean around the cells of another grid, (bands, rows, cols); NaN unknown."""
        edge_row, edge_col = np.indices((3, 3)) / 2
        lon, lat = target.lonlat(edge_row * (target.rows - 1), edge_col * (target.cols - 1))
        at = self.grid.rowcol(lon, lat)
        (top, bottom), (left, right) = (
            (max(int(axis.min()) - 3, 0), min(int(axis.max()) + 4, size))
            for axis, size in zip(at, self.grid.shape, strict=True)
        )
        bands = len(self.mean)
        if top >= bottom or left >= right:
            return np.full((bands, *target.shape), np.nan, np.float32)
        part = _decoded(self.mean[:, top:bottom, left:right])
        window = self.grid.window(top, left, bottom - top, right - left)
        return np.asarray(GroundField(window, part).on(target), np.float32)


def _where(known: NDArray[np.bool_]) -> Float32Array:
    """Return 1 where known and 0 elsewhere, as an image of one band."""
    return known[np.newaxis].astype(np.float32)


def _encoded(reflectance: Float32Array) -> NDArray[np.uint16]:
    """Return reflectance in steps of 0.0001, from 1; 0 where it is NaN."""
    known = np.isfinite(reflectance)
    steps = np.rint(np.where(known, reflectance, 0) / np.float32(REFLECTANCE_SCALE))
    return np.where(known, np.clip(steps, 1, _HIGHEST), FILL).astype(np.uint16)


def _decoded(steps: NDArray[np.uint16]) -> Float32Array:
    """Return reflectance, NaN where 0."""
    values = steps * np.float32(REFLECTANCE_SCALE)
    return np.where(steps == FILL, np.float32(np.nan), values)
