"""The pattern of fields: blocks of their own orientation, cut into rows of oblong parcels."""

import math

from numba import njit

from processing.simulate.noise import hashed

_BLOCK_M = 2400.0


@njit(cache=True, nogil=True)
def block_at(x: float, y: float, seed: int) -> tuple[int, int, float]:
    """Return the block's two indices and the metres to its edge (half the gap of the distances).

    Blocks are the cells of jittered points (S. Worley, SIGGRAPH 1996).
    """
    u, v = x / _BLOCK_M, y / _BLOCK_M
    first, second = 1e9, 1e9
    best_i, best_j = 0, 0
    for i in range(math.floor(u) - 1, math.floor(u) + 2):
        for j in range(math.floor(v) - 1, math.floor(v) + 2):
            du = i + 0.15 + 0.7 * hashed(i, j, seed) - u
            dv = j + 0.15 + 0.7 * hashed(i, j, seed + 1) - v
            distance = math.sqrt(du * du + dv * dv)
            if distance < first:
                first, second, best_i, best_j = distance, first, i, j
            elif distance < second:
                second = distance
    return best_i, best_j, 0.5 * (second - first) * _BLOCK_M


@njit(cache=True, nogil=True)
def parcel_at(x: float, y: float, i: int, j: int, seed: int) -> tuple[int, int, float]:
    """Return the parcel's two indices inside block (``i``, ``j``) and the metres to its edge."""
    angle = math.pi * hashed(i, j, seed + 2)
    along = x * math.cos(angle) + y * math.sin(angle)
    across = y * math.cos(angle) - x * math.sin(angle)
    row_m = 130 + 260 * hashed(i, j, seed + 3) ** 2
    row = math.floor(across / row_m)
    length = row_m * (1.1 + 2.2 * hashed(i + 7 * row, j, seed + 4))
    start = along / length + hashed(i, j + 13 * row, seed + 5)
    step = math.floor(start)
    off_row = across - row * row_m
    off_step = (start - step) * length
    edge = min(off_row, row_m - off_row, off_step, length - off_step)
    return row, step, edge
