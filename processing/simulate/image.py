"""What the camera records: ground and clouds sampled along the rays, made into counts."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from processing.sensors import Calibration
from processing.simulate.arrays import Floats
from processing.simulate.atmosphere import SceneAir
from processing.simulate.camera import Pushbroom
from processing.simulate.clouds import CloudSheet
from processing.simulate.ground import Ground
from processing.simulate.lattice import NODE_STEP, Lattice

_BLOCK_PIXELS = 400_000
_ROUNDS = 6
"""Steps of height and place along a ray; each shortens the miss by slope times tangent."""
_FULL_WELL_ELECTRONS = 50_000.0
_READ_NOISE = 4e-4
"""Read noise as a share of the largest count."""


@dataclass(frozen=True, slots=True)
class Scenery:
    """All that lies below the camera, in one projection: ground, clouds and their shadows.

    ``shadow`` is uint8 (rows, cols) on the ground's grid: hundredths of direct sun taken away.
    """

    ground: Ground
    shadow: NDArray[np.uint8] | None = None
    clouds: CloudSheet | None = None


@dataclass(frozen=True, slots=True)
class Detector:
    """How radiance becomes counts: calibration, distance of the sun in au, noise and limit."""

    calibration: Calibration
    distance_au: float
    saturation_dn: int
    noise: bool


@njit(cache=True, nogil=True)
def _power(lattice: Floats, row: float, col: float, out: Floats) -> None:
    """Interpolate the three powers of height between the lattice's nodes."""
    u, v = row / NODE_STEP, col / NODE_STEP
    i = min(max(math.floor(u), 0), lattice.shape[1] - 2)
    j = min(max(math.floor(v), 0), lattice.shape[2] - 2)
    u, v = u - i, v - j
    for k in range(3):
        top = lattice[k, i, j] * (1 - v) + lattice[k, i, j + 1] * v
        low = lattice[k, i + 1, j] * (1 - v) + lattice[k, i + 1, j + 1] * v
        out[k] = top * (1 - u) + low * u


@njit(cache=True, nogil=True)
def _bilinear(values: NDArray[Any], frame: tuple[float, float, float], x: float, y: float) -> float:
    """Value at a map point; the edge goes on outside."""
    u = min(max((frame[1] - y) / frame[2] - 0.5, 0.0), values.shape[0] - 1.001)
    v = min(max((x - frame[0]) / frame[2] - 0.5, 0.0), values.shape[1] - 1.001)
    i, j = int(u), int(v)
    u, v = u - i, v - j
    top = values[i, j] * (1 - v) + values[i, j + 1] * v
    low = values[i + 1, j] * (1 - v) + values[i + 1, j + 1] * v
    return float(top * (1 - u) + low * u)


@njit(cache=True, nogil=True)
def _reflectances(
    values: NDArray[np.uint16], frame: tuple[float, float, float], x: float, y: float,
    out: Floats,
) -> bool:  # fmt: skip
    """Fill ``out`` with bilinear values of each band; return whether all were there."""
    u, v = (frame[1] - y) / frame[2] - 0.5, (x - frame[0]) / frame[2] - 0.5
    i, j = math.floor(u), math.floor(v)
    if i < 0 or j < 0 or i > values.shape[1] - 2 or j > values.shape[2] - 2:
        return False
    u, v = u - i, v - j
    for band in range(values.shape[0]):
        a, b = values[band, i, j], values[band, i, j + 1]
        c, d = values[band, i + 1, j], values[band, i + 1, j + 1]
        if min(a, b, c, d) == 0:
            return False
        out[band] = 1e-4 * ((a * (1 - v) + b * v) * (1 - u) + (c * (1 - v) + d * v) * u)
    return True


@njit(cache=True, nogil=True)
def _land(
    px: Floats, py: Floats, height: NDArray[np.float32],
    frame: tuple[float, float, float], start: float,
) -> tuple[float, float, float]:  # fmt: skip
    """Follow one ray down to the terrain; return map place and height of the meeting."""
    h = start
    x = y = 0.0
    for _ in range(_ROUNDS):
        x = px[0] + h * (px[1] + h * px[2])
        y = py[0] + h * (py[1] + h * py[2])
        h = _bilinear(height, frame, x, y)
    return x, y, h


@njit(cache=True, nogil=True)
def _look(
    first_row: int, xs: Floats, ys: Floats,
    values: NDArray[np.uint16], height: NDArray[np.float32], shadow: NDArray[np.uint8],
    frame: tuple[float, float, float], opacity: NDArray[np.uint8], brightness: NDArray[np.uint8],
    cloud_frame: tuple[float, float, float, float], surface: NDArray[np.float32],
    extra: NDArray[np.float32],
) -> None:  # fmt: skip
    """Sample rows of the image at four points in each pixel.

    ``surface`` (bands, rows, cols) gets the reflectance, negative where nothing is known;
    ``extra`` (4, rows, cols) height, shadow, cloud opacity and opacity times brightness.
    """
    px, py, found = np.empty(3), np.empty(3), np.empty(values.shape[0])
    start = float(height[height.shape[0] // 2, height.shape[1] // 2])
    for r in range(surface.shape[1]):
        for c in range(surface.shape[2]):
            surface[:, r, c] = 0
            extra[:, r, c] = 0
            for k in range(4):
                row, col = first_row + r + 0.5 * (k // 2) - 0.25, c + 0.5 * (k % 2) - 0.25
                _power(xs, row, col, px)
                _power(ys, row, col, py)
                x, y, h = _land(px, py, height, frame, start)
                start = h
                if not _reflectances(values, frame, x, y, found):
                    surface[:, r, c] = -1
                    break
                for band in range(found.size):
                    surface[band, r, c] += 0.25 * found[band]
                extra[0, r, c] += 0.25 * h
                extra[1, r, c] += 0.0025 * _bilinear(shadow, frame, x, y)
                top = cloud_frame[3]
                x = px[0] + top * (px[1] + top * px[2])
                y = py[0] + top * (py[1] + top * py[2])
                cloud = 0.01 * _bilinear(opacity, cloud_frame[:3], x, y)
                extra[2, r, c] += 0.25 * cloud
                if cloud > 0:
                    white = 0.01 * _bilinear(brightness, cloud_frame[:3], x, y)
                    extra[3, r, c] += 0.25 * cloud * white


def expose(
    camera: Pushbroom, lattice: Lattice, scenery: Scenery, air: SceneAir, detector: Detector,
    seed: int,
) -> Iterator[tuple[int, NDArray[np.uint16]]]:  # fmt: skip
    """Yield the image from its first line on: line number and counts (bands, rows, cols).

    0 stands where the ground is not known; a seen pixel is at least 1.
    """
    block = max(16, _BLOCK_PIXELS // camera.cols)
    for first in range(0, camera.rows, block):
        rows = min(block, camera.rows - first)
        surface, extra = _scan(camera, lattice, scenery, first, rows)
        toa = air.top_of_atmosphere(first, surface, height=extra[0], shadow=extra[1])
        toa = toa * (1 - extra[2]) + extra[3]
        known = surface[0] >= 0
        cosine = air.cos_sun_zenith(first, rows)
        yield first, _counts(toa * cosine, known, detector, np.random.default_rng([seed, first]))


def _scan(
    camera: Pushbroom, lattice: Lattice, scenery: Scenery, first: int, rows: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    ground, sheet = scenery.ground, scenery.clouds
    none = np.zeros((2, 2), np.uint8)
    surface = np.empty((len(ground.reflectance), rows, camera.cols), np.float32)
    extra = np.empty((4, rows, camera.cols), np.float32)
    frame = (ground.grid.ulx, ground.grid.uly, ground.grid.resolution)
    _look(
        first,
        lattice.x,
        lattice.y,
        ground.reflectance,
        ground.height,
        none if scenery.shadow is None else scenery.shadow,
        frame,
        none if sheet is None else sheet.opacity,
        none if sheet is None else sheet.brightness,
        (*frame, 0.0)
        if sheet is None
        else (sheet.grid.ulx, sheet.grid.uly, sheet.grid.resolution, sheet.height_m),
        surface,
        extra,
    )
    return surface, extra


def _counts(
    normalised: NDArray[np.float32],
    known: NDArray[np.bool_],
    detector: Detector,
    rng: np.random.Generator,
) -> NDArray[np.uint16]:
    """Return counts from reflectance times the cosine of the sun's zenith."""
    table = detector.calibration
    shape = (-1, 1, 1)
    to_radiance = np.reshape(table.esun, shape) / (math.pi * detector.distance_au**2)
    radiance = normalised * to_radiance
    counts = (radiance - np.reshape(table.intercept, shape)) / np.reshape(table.slope, shape)
    if detector.noise:
        most = detector.saturation_dn
        variance = np.maximum(counts, 0) * most / _FULL_WELL_ELECTRONS + (_READ_NOISE * most) ** 2
        counts = counts + np.sqrt(variance) * rng.standard_normal(counts.shape, np.float32)
    counts = np.clip(np.rint(counts), 1, detector.saturation_dn)
    return np.where(known, counts, 0).astype(np.uint16)
