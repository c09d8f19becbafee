"""Random patterns that depend on the place alone, so that scenes agree where they overlap.

Coordinates are in any unit; patterns have a grain of one unit. Nothing is drawn from a generator.
"""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _mixed(ix: int, iy: int, seed: int) -> np.uint64:
    z = np.uint64(ix) * np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(iy) * np.uint64(0xC2B2AE3D27D4EB4F)
    z += np.uint64(seed) * np.uint64(0x165667B19E3779F9)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def hashed(ix: int, iy: int, seed: int) -> float:
    """Return a number in [0, 1) that belongs to the cell (``ix``, ``iy``).

    Integer mixing of splitmix64 (S. Vigna, public domain).
    """
    return np.float64(_mixed(ix, iy, seed) >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True, nogil=True)
def _slope(ix: int, iy: int, dx: float, dy: float, seed: int) -> float:
    bits = _mixed(ix, iy, seed)
    east = np.float64(bits & np.uint64(0xFFFF)) / 32768.0 - 1.0
    north = np.float64((bits >> np.uint64(20)) & np.uint64(0xFFFF)) / 32768.0 - 1.0
    return east * dx + north * dy


@njit(cache=True, nogil=True)
def gradient_noise(x: float, y: float, seed: int) -> float:
    """Return smooth noise, about -1 to 1 (K. Perlin, Improving Noise, SIGGRAPH 2002)."""
    ix, iy = math.floor(x), math.floor(y)
    dx, dy = x - ix, y - iy
    u = dx * dx * dx * (dx * (dx * 6 - 15) + 10)
    v = dy * dy * dy * (dy * (dy * 6 - 15) + 10)
    a = _slope(ix, iy, dx, dy, seed)
    b = _slope(ix + 1, iy, dx - 1, dy, seed)
    c = _slope(ix, iy + 1, dx, dy - 1, seed)
    d = _slope(ix + 1, iy + 1, dx - 1, dy - 1, seed)
    return 1.6 * ((a + u * (b - a)) * (1 - v) + (c + u * (d - c)) * v)


@njit(cache=True, nogil=True)
def fractal(x: float, y: float, seed: int, octaves: int) -> float:
    """Return noise summed over ``octaves`` of half the grain and half the height, -1 to 1.

    Each octave is turned against the last, so that the lattice does not show.
    """
    total, height = 0.0, 0.5
    for octave in range(octaves):
        total += height * gradient_noise(x, y, seed + 101 * octave)
        x, y, height = 1.57 * x - 1.28 * y + 17.7, 1.28 * x + 1.57 * y - 9.1, height / 2
    return total


@njit(cache=True, nogil=True)
def ridges(x: float, y: float, seed: int, octaves: int) -> float:
    """Return 0 to about 1 with sharp crests and round valleys (ridged fractal noise)."""
    total, height, weight = 0.0, 0.5, 1.0
    for octave in range(octaves):
        crest = (1 - abs(gradient_noise(x, y, seed + 101 * octave))) ** 2 * weight
        total += height * crest
        weight = min(1.0, 1.3 * crest)
        x, y, height = 1.62 * x + 1.29 * y - 5.3, 1.62 * y - 1.29 * x + 13.9, height / 2
    return total


@njit(cache=True, nogil=True)
def smooth_step(low: float, high: float, value: float) -> float:
    """Return 0 below ``low``, 1 above ``high`` and a smooth rise between them."""
    t = min(1.0, max(0.0, (value - low) / (high - low)))
    return t * t * (3 - 2 * t)
