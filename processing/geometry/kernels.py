"""Compiled loops of the resampling: image windows made ready, and drawn onto the ground.

Both speak of a *source*: a window of the image, pixel-interleaved (rows, cols, bands) uint16,
in which an invalid pixel is 0 in every band.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_HIGHEST = np.float32(65535.0)


@njit(cache=True, nogil=True)
def interleave(  # type: ignore[no-untyped-def]
    chunk: NDArray[np.uint16],
    factor: int,
    saturation: int,
    source: NDArray[np.uint16],
    saturated: NDArray[np.uint8],
):
    """Copy a band-first chunk into a source, averaging ``factor`` x ``factor`` valid pixels.

    A pixel is valid where no band is 0. ``saturated`` (rows, cols) gets bit b where band b of any
    averaged pixel reaches ``saturation`` (0: not wanted, ``saturated`` may then be empty).

    Returns
    -------
    any_invalid, any_saturated : bool
    """
    bands = chunk.shape[0]
    totals = np.zeros(bands, np.uint32)
    any_invalid, any_saturated = False, False
    for r in range(source.shape[0]):
        for c in range(source.shape[1]):
            totals[:] = 0
            count, bits = 0, 0
            for y in range(r * factor, min((r + 1) * factor, chunk.shape[1])):
                for x in range(c * factor, min((c + 1) * factor, chunk.shape[2])):
                    valid = True
                    for b in range(bands):
                        valid = valid and chunk[b, y, x] != 0
                    if valid:
                        count += 1
                        for b in range(bands):
                            value = chunk[b, y, x]
                            totals[b] += value
                            if saturation > 0 and value >= saturation:
                                bits |= 1 << b
            any_invalid = any_invalid or count == 0
            for b in range(bands):
                source[r, c, b] = (totals[b] + count // 2) // count if count > 0 else 0
            if saturation > 0:
                saturated[r, c] = bits
                any_saturated = any_saturated or bits != 0
    return any_invalid, any_saturated


@njit(cache=True, nogil=True, fastmath=True)
def draw(  # type: ignore[no-untyped-def]
    source: NDArray[np.uint16],
    saturated: NDArray[np.uint8],
    flags: tuple[bool, bool, bool],
    nodes: NDArray[np.float64],
    step: int,
    dem: NDArray[np.float32],
    height_range: tuple[float, float],
    window: tuple[int, int, int, int],
    bands: tuple[int, ...],
    out: NDArray[np.uint16],
    out_saturated: NDArray[np.uint8],
):
    """Draw a source onto the pixels of a window that are still 0.

    Parameters
    ----------
    source, saturated
        Window of the image, and its saturation bits (rows, cols).
    flags
        Whether to convolve cubically (else bilinearly), whether the source holds invalid pixels,
        and whether it holds saturated ones.
    nodes
        Shape (rows, cols, 8), lattice over the window: row and column in the source as
        coefficients a, b, c of a + b h + c h**2, then row and column in ``dem``.
    step
        Pixels between nodes.
    dem
        Ellipsoidal heights; h is (height - middle) / half width of ``height_range``.
    height_range
        Lowest and highest height, metres.
    window
        First row, first column, rows and columns of the window in ``out``.
    bands
        One entry for each band: its length is a constant of the compiled loops.
    out, out_saturated
        Shape (bands, rows, cols) and (rows, cols); changed in place.
    """
    convolve, any_invalid, any_saturated = flags
    middle = (height_range[0] + height_range[1]) / 2
    scale = 2.0 / (height_range[1] - height_range[0])
    sums = np.zeros(len(bands), np.float32)
    start, slope = np.zeros(8), np.zeros(8)
    for r in range(window[2]):
        i = min(r // step, nodes.shape[0] - 2)
        for j in range(nodes.shape[1] - 1):
            _enter_cell(nodes, i, j, r / step - i, step, start, slope)
            for t in range(min(step, window[3] - j * step)):
                row, col = window[0] + r, window[1] + j * step + t
                h = (
                    _height(dem, start[6] + slope[6] * t, start[7] + slope[7] * t) - middle
                ) * scale
                y = _quadratic(start, slope, 0, t, h)
                x = _quadratic(start, slope, 3, t, h)
                if out[0, row, col] != 0 or not _inside(source, y, x):
                    continue
                top, left = int(np.floor(y)) - 1, int(np.floor(x)) - 1
                taps = 4 if convolve and _has_square(source, top, left, any_invalid) else 2
                if taps == 4:
                    _cubic(source, y, x, bands, sums)
                elif not _bilinear(source, y, x, bands, sums):
                    continue
                for b in range(len(bands)):
                    value = min(max(sums[b] + np.float32(0.5), np.float32(1.0)), _HIGHEST)
                    out[b, row, col] = np.uint16(value)
                if any_saturated:
                    out_saturated[row, col] = _bits(saturated, top, left, taps)


@njit(cache=True, nogil=True, inline="always")
def _enter_cell(nodes, i, j, v, step, start, slope):  # type: ignore[no-untyped-def]
    """Find the lattice values where a row enters cell (i, j), and their change per pixel."""
    for k in range(8):
        left = nodes[i, j, k] + v * (nodes[i + 1, j, k] - nodes[i, j, k])
        right = nodes[i, j + 1, k] + v * (nodes[i + 1, j + 1, k] - nodes[i, j + 1, k])
        start[k] = left
        slope[k] = (right - left) / step


@njit(cache=True, nogil=True, inline="always")
def _quadratic(start, slope, k, t, h):  # type: ignore[no-untyped-def]
    """Evaluate a + b h + c h**2 at pixel ``t`` of a cell, from entry ``k`` on."""
    a = start[k] + slope[k] * t
    b = start[k + 1] + slope[k + 1] * t
    c = start[k + 2] + slope[k + 2] * t
    return a + h * (b + h * c)


@njit(cache=True, nogil=True, inline="always")
def _height(dem, row, col):  # type: ignore[no-untyped-def]
    """Bilinear height; the outermost values reach on."""
    row = min(max(row, 0.0), dem.shape[0] - 1.0)
    col = min(max(col, 0.0), dem.shape[1] - 1.0)
    i, j = min(int(row), dem.shape[0] - 2), min(int(col), dem.shape[1] - 2)
    u, v = np.float32(row - i), np.float32(col - j)
    upper = dem[i, j] + v * (dem[i, j + 1] - dem[i, j])
    lower = dem[i + 1, j] + v * (dem[i + 1, j + 1] - dem[i + 1, j])
    return upper + u * (lower - upper)


@njit(cache=True, nogil=True, inline="always")
def _inside(source, y, x):  # type: ignore[no-untyped-def]
    """Tell whether a point lies in a valid pixel of the source."""
    if y < -0.5 or x < -0.5 or y >= source.shape[0] - 0.5 or x >= source.shape[1] - 0.5:
        return False
    return source[int(y + 0.5), int(x + 0.5), 0] != 0


@njit(cache=True, nogil=True, inline="always")
def _has_square(source, top, left, any_invalid):  # type: ignore[no-untyped-def]
    """Tell whether 4 x 4 taps lie in the source and are all valid."""
    if top < 0 or left < 0 or top + 4 > source.shape[0] or left + 4 > source.shape[1]:
        return False
    if any_invalid:
        for y in range(top, top + 4):
            for x in range(left, left + 4):
                if source[y, x, 0] == 0:
                    return False
    return True


@njit(cache=True, nogil=True, inline="always")
def _weights(share):  # type: ignore[no-untyped-def]
    """Cubic convolution with a = -0.5 (Keys, 1981), as GDAL has it."""
    s = np.float32(share)
    s2 = s * s
    s3 = s2 * s
    half = np.float32(0.5)
    return (
        s2 - half * (s + s3),
        np.float32(1.0) - np.float32(2.5) * s2 + np.float32(1.5) * s3,
        half * s + np.float32(2.0) * s2 - np.float32(1.5) * s3,
        half * (s3 - s2),
    )


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _cubic(source, y, x, bands, sums):  # type: ignore[no-untyped-def]
    """Convolve 4 x 4 valid taps into ``sums``."""
    top, left = int(np.floor(y)) - 1, int(np.floor(x)) - 1
    wy, wx = _weights(y - top - 1), _weights(x - left - 1)
    for b in range(len(bands)):
        total = np.float32(0.0)
        for m in range(4):
            total += wy[m] * (
                wx[0] * source[top + m, left, b]
                + wx[1] * source[top + m, left + 1, b]
                + wx[2] * source[top + m, left + 2, b]
                + wx[3] * source[top + m, left + 3, b]
            )
        sums[b] = total


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _bilinear(source, y, x, bands, sums):  # type: ignore[no-untyped-def]
    """Average the valid ones of 2 x 2 taps into ``sums``; False where they weigh nothing."""
    top, left = int(np.floor(y)), int(np.floor(x))
    fy, fx = np.float32(y - top), np.float32(x - left)
    total = np.float32(0.0)
    for b in range(len(bands)):
        sums[b] = 0.0
    for row, wy in ((top, np.float32(1.0) - fy), (top + 1, fy)):
        for col, wx in ((left, np.float32(1.0) - fx), (left + 1, fx)):
            inside = 0 <= row < source.shape[0] and 0 <= col < source.shape[1]
            if inside and source[row, col, 0] != 0:
                total += wy * wx
                for b in range(len(bands)):
                    sums[b] += wy * wx * source[row, col, b]
    if total < 1e-5:
        return False
    for b in range(len(bands)):
        sums[b] /= total
    return True


@njit(cache=True, nogil=True, inline="always")
def _bits(saturated, top, left, taps):  # type: ignore[no-untyped-def]
    """Join the saturation bits of the taps of a pixel whose 4 x 4 square begins there."""
    bits = 0
    inset = (4 - taps) // 2
    for y in range(max(top + inset, 0), min(top + inset + taps, saturated.shape[0])):
        for x in range(max(left + inset, 0), min(left + inset + taps, saturated.shape[1])):
            bits |= saturated[y, x]
    return bits
