"""The light on slopes: what the whole scene tells of it, and its correction in a tile."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import FILL, REFLECTANCE_SCALE
from processing.atmosphere.adjacency import sharpened
from processing.atmosphere.correct import HIGHEST_REFLECTANCE
from processing.atmosphere.sky import Sky
from processing.atmosphere.topography import (
    FIT_SLOPE_DEG,
    SlopeSample,
    correlation,
    factor,
    fit_c,
)
from processing.blocks import Block
from processing.geometry.angles import AngleField
from processing.geometry.dem import HeightModel
from processing.geometry.slope import Illumination, illumination
from processing.quality.mask import Context, SceneQuality
from processing.surround import Surroundings

Float32Array = NDArray[np.float32]

_MOST_PER_STRIP: Final = 15_000
_LEAST_SAMPLE: Final = 2_000
"""Pixels below which a scene tells nothing of its slopes."""
_STRIP_ROWS: Final = 512
_MOST: Final = np.iinfo(np.uint16).max
_AIR_FACTOR: Final = 32
"""Pixels of the look at the scene along one side of a cell of the atmosphere: 1024 m."""


@dataclass(slots=True)
class SlopePixels:
    """Clear, sunlit, sloping land, drawn from the blocks of the look at the scene."""

    grid: Grid
    _parts: list[tuple[NDArray[np.intp], NDArray[np.intp], Float32Array, Float32Array]] = field(
        default_factory=list
    )

    def draw(
        self,
        block: Block,
        toa: Float32Array,
        quality: SceneQuality,
        heights: HeightModel,
        directions: AngleField,
    ) -> None:
        """Draw pixels from a block, in each strip of it evenly.

        Parameters
        ----------
        block
            Its place.
        toa
            TOA reflectance of the block with what lies around it, (bands, rows, cols).
        quality
            Its classes.
        heights, directions
            Of the ground, and of sun and sensor over the block.
        """
        inner = block.inner[0]
        for first in range(inner.start, inner.stop, _STRIP_ROWS):
            rows = slice(first, min(first + _STRIP_ROWS, inner.stop))
            strip = block.frame.window(first, 0, rows.stop - first, block.frame.cols)
            light = illumination(heights, strip, directions)
            shadow = quality.context[rows] & Context.TERRAIN_SHADOW != 0
            use = quality.clear_land[rows] & ~shadow & (light.incidence > 0)
            use &= light.slope <= np.cos(np.radians(FIT_SLOPE_DEG))
            row, col = np.nonzero(use[:, block.inner[1]])
            step = 1 + row.size // _MOST_PER_STRIP
            row, col = row[::step], col[::step]
            here = row, col + block.inner[1].start
            cosines = np.stack([light.incidence[here], light.slope[here], light.sun[here]])
            place = row + first - inner.start + block.rows.start, col + block.cols.start
            self.add(*place, toa[:, rows][:, *here], cosines)

    def add(
        self,
        row: NDArray[np.intp],
        col: NDArray[np.intp],
        toa: Float32Array,
        cosines: Float32Array,
    ) -> None:
        """Add pixels: places on the grid, (n,), TOA (bands, n), light as three cosines (3, n)."""
        self._parts.append((row, col, toa, cosines))

    def together(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Float32Array, Float32Array]:
        """Return rows and columns, TOA (bands, n), and the light as three cosines (3, n)."""
        rows, cols, toa, cosines = zip(*self._parts, strict=True)
        return (
            np.concatenate(rows),
            np.concatenate(cols),
            np.concatenate(toa, axis=1),
            np.concatenate(cosines, axis=1),
        )


@dataclass(frozen=True, slots=True)
class Relief:
    """How the light on slopes is corrected in a scene.

    ``c`` is the C of each band, None where reflectance does not follow the light; ``source`` tells
    where it comes from, ``pixels`` how many told; ``before`` and ``after`` are the correlations of
    their reflectance with the cosine of incidence.
    """

    c: tuple[float | None, ...]
    source: str
    pixels: int
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, pixels: SlopePixels, sky: Sky, around: Surroundings | None, bands: Sequence[str]
    ) -> Self:
        """Find C of a scene.

        Where the slopes of the scene tell nothing it is what the look-up table says of the light of
        the sky: on level ground the scattered by the direct light of the sun, times the cosine of
        its zenith.

        Parameters
        ----------
        pixels
            Sloping land.
        sky, around
            The air, and the surroundings where their light is taken out.
        bands
            Names, in the order of the image.
        """
        row, col, toa, cosines = pixels.together()
        expected = _by_table(pixels.grid, sky)
        if row.size >= _LEAST_SAMPLE:
            reflectance = _reflectance(pixels.grid, (row, col), toa, sky, around)
            sample = SlopeSample(reflectance, Illumination(*cosines))
            c = fit_c(sample, expected, bands.index("red"), bands.index("nir"))
            if c is not None:
                return cls(c, "regression over the scene", row.size, *_correlations(sample, c))
        return cls(expected, "sky light of the look-up table", row.size)

    def applied(
        self,
        sr: NDArray[np.uint16],
        lit: NDArray[np.bool_],
        frame: Grid,
        heights: HeightModel,
        directions: AngleField,
    ) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
        """Correct a tile in place.

        Parameters
        ----------
        sr
            Encoded surface reflectance (bands, rows, cols), 0 = no data; multiplied by the factor.
        lit
            Ground that the sun lights and that is seen, (rows, cols); the rest keeps its values.
        frame
            Of ``sr``.
        heights, directions
            Of the ground, and of sun and sensor over it.

        Returns
        -------
        factors : uint16, (bands, rows, cols)
            In steps of 0.0001, 0 = no data.
        clamped : bool, (rows, cols)
            A corrected value was above 1.6 or below 0.0001.
        """
        factors = np.zeros_like(sr)
        clamped = np.zeros(frame.shape, np.bool_)
        for first in range(0, frame.rows, _STRIP_ROWS):
            rows = slice(first, min(first + _STRIP_ROWS, frame.rows))
            part = frame.window(first, 0, rows.stop - first, frame.cols)
            light = illumination(heights, part, directions)
            for band, c in enumerate(self.c):
                _multiply(sr[band, rows], factors[band, rows], clamped[rows], lit[rows], light, c)
        return factors, clamped


def multiplied(values: NDArray[np.uint16], factors: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return encoded values (bands, rows, cols) times encoded factors, at least 1 but for fill."""
    out = np.empty_like(values)
    for band, (steps, by) in enumerate(zip(values, factors, strict=True)):
        found = np.rint(steps * (by * np.float32(REFLECTANCE_SCALE)))
        out[band] = np.where(steps != FILL, np.clip(found, 1, _MOST), FILL)
    return out


def _multiply(
    sr: NDArray[np.uint16],
    steps: NDArray[np.uint16],
    clamped: NDArray[np.bool_],
    lit: NDArray[np.bool_],
    light: Illumination,
    c: float | None,
) -> None:
    """Correct some rows of one band, and note the factor."""
    wanted = np.where(lit, factor(light, c), np.float32(1))
    seen = sr != FILL
    steps[:] = np.where(seen, np.rint(wanted / REFLECTANCE_SCALE), FILL)
    found = np.rint(sr * (steps * np.float32(REFLECTANCE_SCALE)))
    most = HIGHEST_REFLECTANCE / REFLECTANCE_SCALE
    clamped |= seen & ((found < 1) | (found > most))
    sr[:] = np.where(seen, np.clip(found, 1, most), FILL)


def _reflectance(
    grid: Grid,
    place: tuple[NDArray[np.intp], NDArray[np.intp]],
    toa: Float32Array,
    sky: Sky,
    around: Surroundings | None,
) -> Float32Array:
    """Return surface reflectance of pixels of the scene, (bands, n), with the air of their cell."""
    cells = grid.coarsen(_AIR_FACTOR)
    at = (slice(None), place[0] // _AIR_FACTOR, place[1] // _AIR_FACTOR)
    known = np.zeros(cells.shape, np.bool_)
    known[at[1:]] = True
    sky = replace(sky, known=known)
    coefs = sky.coefficients(cells)
    signal, albedo = coefs.gain[at] * toa + coefs.offset[at], coefs.albedo[at]
    if around is None:
        return np.asarray(signal / (1 + albedo * signal), np.float32)
    up = sky.upward(cells)
    return sharpened(signal, albedo, (up.total / up.direct)[at], around.at(*place))


def _correlations(
    sample: SlopeSample, c: Sequence[float | None]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the correlations of each band with the incidence, as seen and as corrected."""
    before, after = [], []
    for values, each in zip(sample.reflectance, c, strict=True):
        incidence = sample.light.incidence
        before.append(correlation(values, incidence))
        after.append(correlation(values * factor(sample.light, each), incidence))
    return tuple(before), tuple(after)


def _by_table(grid: Grid, sky: Sky) -> tuple[float, ...]:
    """Return C by the light of the sky, mean over the scene."""
    cells = grid.coarsen(_AIR_FACTOR)
    down = sky.downward(cells)
    sun = np.cos(np.radians(sky.directions.on(cells).sun_zenith))
    scattered = np.maximum(down.total - down.direct, 0) / down.direct
    return tuple(float(np.nanmean(each * sun)) for each in scattered)
