"""How well images of one place on many dates lie on each other, measured by a phase of its own.

The shift of two images is found by an estimate that shares nothing with the matching under test,
neither its chips nor its peaks.
"""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks.rows.batches import CAMERAS, SIDE_PX, drift_and_wobble
from benchmarks.rows.row import Row, at_most
from benchmarks.rows.trial import Image, register
from catalog.grid import Grid
from processing.geometry.ortho import orthorectify
from processing.geometry.rpc import IDENTITY, ImageCorrection
from tests.scenery import Shot, made_site, photograph, picture, when

PLACE = (1.5, 45.3)
"""Longitude and latitude of the middle of the made places, degrees."""
STABILITY_GRID = Grid(32631, 377_700.0, 5_022_300.0, 16.0, 600, 600)
"""Around that place."""
DATES, SMALL_DATES = 10, 3
BOX = 256
"""Pixels along one side of a box in which the shift of two products is measured."""


def stability_rows(count: int) -> Iterator[Row]:
    """Yield how far products of one place, of ``count`` dates and cameras, lie apart in pairs.

    The made land is photographed on dates from April to October by all cameras, each scene
    brought onto one reference of July, and resampled to one grid. The distance of a pair is the
    median length of the shifts of all boxes. What the measurement makes of the same images with
    exact camera models, which do not lie apart at all, is told beside it.
    """
    with tempfile.TemporaryDirectory() as folder:
        takes = [_take(Path(folder), number, count) for number in range(count)]
    apart = [pair_distance(one.product, other.product) for one, other in combinations(takes, 2)]
    floor = [pair_distance(one.exact, other.exact) for one, other in combinations(takes, 2)]
    name = f"stability_of_{count}_dates"
    yield at_most(f"{name}_worst_of_{len(apart)}_pairs", float(np.max(apart)), "pixel", 0.3)
    yield Row(f"{name}_median_pair", round(float(np.median(apart)), 5), "pixel")
    yield Row(f"{name}_worst_pair_of_exact_cameras", round(float(np.max(floor)), 5), "pixel")


@dataclass(frozen=True, slots=True)
class _Take:
    """A place on one date as its product shows it, and as one of an exact camera would."""

    product: Image
    exact: Image


def _take(folder: Path, number: int, count: int) -> _Take:
    """Photograph the place, bring the image onto the reference, and resample it."""
    camera = CAMERAS[number % len(CAMERAS)]
    site, red = made_site(folder, camera, SIDE_PX[camera[:3]])
    values = red(date_of(number, count))
    rng = np.random.default_rng([30, number])
    row, col = rng.uniform(-14, 14, 2)
    shot = photograph(
        site, values, bend=drift_and_wobble(site, rng), rpc_error=(row, col), seed=number
    )
    found = register(shot, picture(site.grid, red(when(7))))
    straight = photograph(site, values, seed=number)
    return _Take(
        _resampled(shot, found.corrections), _resampled(straight, (IDENTITY,) * len(shot.parts))
    )


def _resampled(shot: Shot, corrections: tuple[ImageCorrection, ...]) -> Image:
    """Return the middle of the place, on the grid that all cameras share; NaN = no data."""
    parts = [
        replace(part, rpc=part.rpc.corrected(correction))
        for part, correction in zip(shot.parts, corrections, strict=True)
    ]
    dn = orthorectify(parts, STABILITY_GRID, shot.site.heights).dn[0].astype(np.float32)
    return np.where(dn == 0, np.float32(np.nan), dn)


def date_of(number: int, count: int) -> datetime:
    """Return a day of the season in which things grow and are cut, April to October."""
    return when(4 + round(6 * number / max(count - 1, 1)))


def pair_distance(one: Image, other: Image) -> float:
    """Return the median length of the shifts between two images, in pixels.

    Box by box the phase of the product of the spectra of gradients (Kuglin and Hines, 1975) is
    fitted by a plane: its slopes are the shift. Only low frequencies take part, weighted by the
    geometric mean of both spectra, so the estimate is independent of the one under test.
    """
    lengths = []
    for row in range(0, one.shape[0] - BOX + 1, BOX // 4):
        for col in range(0, one.shape[1] - BOX + 1, BOX // 4):
            box = np.s_[row : row + BOX, col : col + BOX]
            if np.isfinite(one[box]).all() and np.isfinite(other[box]).all():
                lengths.append(math.hypot(*phase_plane(one[box], other[box])))
    return float(np.median(lengths)) if lengths else math.inf


def phase_plane(one: Image, other: Image) -> tuple[float, float]:
    """Return rows and columns by which ``other`` is displaced, for less than about a pixel."""
    window = np.hanning(BOX)[:, None] * np.hanning(BOX)[None, :]
    spectra = [np.fft.fft2(window * _gradient(box - box.mean())) for box in (one, other)]
    cross = spectra[0] * spectra[1].conj()
    down, right = np.meshgrid(np.fft.fftfreq(BOX), np.fft.fftfreq(BOX), indexing="ij")
    low = (np.hypot(down, right) < 0.2) & (np.hypot(down, right) > 1.5 / BOX)
    weight = np.sqrt(np.abs(cross[low]))
    design = 2 * math.pi * np.stack([down[low], right[low]], 1)
    shift = np.zeros(2)
    for _ in range(6):
        left = np.angle(cross[low] * np.exp(-1j * design @ shift))
        steady = weight * np.maximum(0.0, 1 - (left / 1.5) ** 2)
        tied = design * steady[:, None]
        shift = shift + np.linalg.solve(design.T @ tied, tied.T @ left)
    return float(shift[0]), float(shift[1])


def _gradient(box: Image) -> Image:
    return np.hypot(ndimage.sobel(box, 0), ndimage.sobel(box, 1))
