"""Compiled loops of the resampling: image windows made ready, and drawn onto the ground.

Both speak of a *source*: a window of the image, pixel-interleaved (rows, cols x bands) uint16, in
which an invalid pixel is 0 in every band. Indices are unsigned where they are known to be inside:
that spares the test for negative ones and lets the compiler use vector instructions; ``bands``
and ``taps`` are tuples because their length is then a constant of the compiled code.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Counts = NDArray[np.uint16]
Floats = NDArray[np.float64]

_INDEX = np.uint64
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_LOWEST = np.float32(1.0)
"""Least value of a valid pixel: 0 is no data."""
_HIGHEST = np.float32(65535.0)


@njit(cache=True, nogil=True)
def interleave(
    chunk: NDArray[np.uint16],
    factor: int,
    saturation: int,
    source: NDArray[np.uint16],
    saturated: NDArray[np.uint8],
) -> tuple[bool, bool]:
    """Copy a band-first chunk into a source, averaging ``factor`` x ``factor`` valid pixels.

    A pixel is valid where no band is 0. ``saturated`` (rows, cols) gets bit b where band b of any
    averaged pixel reaches ``saturation`` (0: not wanted, ``saturated`` may then be empty).

    Returns
    -------
    any_invalid, any_saturated : bool
    """
    any_invalid, any_saturated = False, False
    for r in range(source.shape[0]):
        last = min((r + 1) * factor, chunk.shape[1])
        lowest, highest = _range_of_rows(chunk, r * factor, last)
        if factor == 1:
            _copy_row(chunk, r, source)
        else:
            _average_row(chunk, r, factor, bool(lowest > 0), source)
        if lowest == 0:
            any_invalid = _clear_invalid(source[r], chunk.shape[0]) or any_invalid
        if 0 < saturation <= highest:
            any_saturated = True
            _mark_row(chunk, r, factor, saturation, saturated)
    return any_invalid, any_saturated


@njit(cache=True, nogil=True)
def _range_of_rows(chunk: Counts, first: int, last: int) -> tuple[np.uint16, np.uint16]:
    """Return the lowest and the highest count in some rows of all bands."""
    lowest, highest = np.uint16(65535), np.uint16(0)
    for b in range(chunk.shape[0]):
        for y in range(first, last):
            row = chunk[b, y]
            for x in range(len(row)):
                lowest, highest = min(lowest, row[x]), max(highest, row[x])
    return lowest, highest


@njit(cache=True, nogil=True)
def _copy_row(chunk: Counts, r: int, source: Counts) -> None:
    """Interleave one row."""
    bands = chunk.shape[0]
    for b in range(bands):
        row = chunk[b, r]
        for c in range(len(row)):
            source[_INDEX(r), _INDEX(c * bands + b)] = row[c]


@njit(cache=True, nogil=True)
def _clear_invalid(row: Counts, bands: int) -> bool:
    """Set pixels with a band of 0 to 0 in all bands; tell whether there were any."""
    found = False
    for c in range(len(row) // bands):
        invalid = False
        for b in range(bands):
            invalid = invalid or row[c * bands + b] == 0
        if invalid:
            found = True
            for b in range(bands):
                row[c * bands + b] = 0
    return found


@njit(cache=True, nogil=True)
def _average_row(chunk: Counts, r: int, factor: int, all_valid: bool, source: Counts) -> None:
    """Average squares of valid pixels into one row; squares without any become 0."""
    bands = chunk.shape[0]
    whole = all_valid and (r + 1) * factor <= chunk.shape[1]
    quick = chunk.shape[2] // factor if whole else 0
    pixels = np.uint32(factor * factor)
    for b in range(bands):
        for c in range(quick):
            total = pixels // np.uint32(2)
            for y in range(r * factor, (r + 1) * factor):
                for x in range(c * factor, (c + 1) * factor):
                    total += np.uint32(chunk[_INDEX(b), _INDEX(y), _INDEX(x)])
            source[_INDEX(r), _INDEX(c * bands + b)] = total // pixels
    for c in range(quick, source.shape[1] // bands):
        _average_square(chunk, r, c, factor, source)


@njit(cache=True, nogil=True)
def _average_square(chunk: Counts, r: int, c: int, factor: int, source: Counts) -> None:
    """Average the valid pixels of one square, which may hang over the image's edge."""
    bands = chunk.shape[0]
    totals = np.zeros(bands, np.uint32)
    count = np.uint32(0)
    for y in range(r * factor, min((r + 1) * factor, chunk.shape[1])):
        for x in range(c * factor, min((c + 1) * factor, chunk.shape[2])):
            valid = True
            for b in range(bands):
                valid = valid and chunk[b, y, x] != 0
            if valid:
                count += np.uint32(1)
                for b in range(bands):
                    totals[b] += chunk[b, y, x]
    for b in range(bands):
        source[r, c * bands + b] = (totals[b] + count // np.uint32(2)) // max(count, np.uint32(1))


@njit(cache=True, nogil=True)
def _mark_row(
    chunk: Counts, r: int, factor: int, saturation: int, saturated: NDArray[np.uint8]
) -> None:
    """Set the bits of saturated bands in one row."""
    for c in range(saturated.shape[1]):
        for y in range(r * factor, min((r + 1) * factor, chunk.shape[1])):
            for x in range(c * factor, min((c + 1) * factor, chunk.shape[2])):
                for b in range(chunk.shape[0]):
                    if chunk[b, y, x] >= saturation:
                        saturated[r, c] |= 1 << b


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def draw(
    source: NDArray[np.uint16],
    saturated: NDArray[np.uint8],
    flags: tuple[bool, bool, bool],
    nodes: NDArray[np.float64],
    step: int,
    dem: NDArray[np.float32],
    height_range: tuple[float, float],
    window: tuple[int, int, int, int],
    bands: tuple[int, ...],
    taps: tuple[int, ...],
    out: NDArray[np.uint16],
    out_saturated: NDArray[np.uint8],
) -> None:
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
    bands, taps
        Tuples of the length of the bands, and of four times that.
    out, out_saturated
        Shape (bands, rows, cols) and (rows, cols); changed in place.
    """
    cubic, any_invalid, any_saturated = flags
    sums, mixed = np.empty(len(bands), np.float32), np.empty(len(taps), np.float32)
    start, slope = np.empty(8), np.empty(8)
    h, y, x = np.empty(step), np.empty(step), np.empty(step)
    for r in range(window[2]):
        i = min(r // step, nodes.shape[0] - 2)
        for j in range(nodes.shape[1] - 1):
            pixels = min(step, window[3] - j * step)
            _enter_cell(nodes, i, j, r / step - i, step, start, slope)
            _heights_along(dem, start, slope, height_range, pixels, h)
            _positions_along(start, slope, 0, h, pixels, y)
            _positions_along(start, slope, 3, h, pixels, x)
            for t in range(pixels):
                row, col = _INDEX(window[0] + r), _INDEX(window[1] + j * step + t)
                if out[0, row, col] != 0:
                    continue
                reach = _reach(source, len(bands), y[t], x[t], cubic, any_invalid)
                if reach == 0:
                    continue
                if reach == 4:
                    _convolve(source, y[t], x[t], bands, taps, mixed, sums)
                elif reach == 2:
                    _interpolate(source, y[t], x[t], bands, sums)
                elif not _interpolate_valid(source, y[t], x[t], bands, sums):
                    continue
                for b in range(_INDEX(len(bands))):
                    out[b, row, col] = np.uint16(min(max(sums[b] + _HALF, _LOWEST), _HIGHEST))
                if any_saturated:
                    out_saturated[row, col] = _bits(saturated, y[t], x[t], reach)


@njit(cache=True, nogil=True, fastmath=True)
def _enter_cell(
    nodes: Floats, i: int, j: int, v: float, step: int, start: Floats, slope: Floats
) -> None:
    """Find the lattice values where a row enters cell (i, j), and their change per pixel."""
    for k in range(8):
        left = nodes[i, j, k] + v * (nodes[i + 1, j, k] - nodes[i, j, k])
        right = nodes[i, j + 1, k] + v * (nodes[i + 1, j + 1, k] - nodes[i, j + 1, k])
        start[k] = left
        slope[k] = (right - left) / step


@njit(cache=True, nogil=True, fastmath=True)
def _heights_along(
    dem: NDArray[np.float32],
    start: Floats,
    slope: Floats,
    height_range: tuple[float, float],
    pixels: int,
    h: Floats,
) -> None:
    """Interpolate the heights of a row in a cell, as h from -1 to 1; outer values reach on."""
    middle = (height_range[0] + height_range[1]) / 2
    scale = 2.0 / (height_range[1] - height_range[0])
    rows, cols = dem.shape
    for t in range(pixels):
        row = min(max(start[6] + slope[6] * t, 0.0), rows - 1.0)
        col = min(max(start[7] + slope[7] * t, 0.0), cols - 1.0)
        top, left = _INDEX(min(int(row), rows - 2)), _INDEX(min(int(col), cols - 2))
        bottom, right = top + _INDEX(1), left + _INDEX(1)
        down, across = row - top, col - left
        upper = dem[top, left] + across * (dem[top, right] - dem[top, left])
        lower = dem[bottom, left] + across * (dem[bottom, right] - dem[bottom, left])
        h[t] = (upper + down * (lower - upper) - middle) * scale


@njit(cache=True, nogil=True, fastmath=True)
def _positions_along(
    start: Floats, slope: Floats, k: int, h: Floats, pixels: int, out: Floats
) -> None:
    """Evaluate a + b h + c h**2 along a row of a cell; a, b, c are entries ``k`` and on."""
    a, a_step, b, b_step = start[k], slope[k], start[k + 1], slope[k + 1]
    c, c_step = start[k + 2], slope[k + 2]
    for t in range(pixels):
        out[t] = a + a_step * t + h[t] * (b + b_step * t + h[t] * (c + c_step * t))


@njit(cache=True, nogil=True)
def _reach(source: Counts, bands: int, y: float, x: float, cubic: bool, any_invalid: bool) -> int:
    """Tell how a point can be read: 4 x 4 taps, 2 x 2, 1 for the valid ones of these, 0 not."""
    rows, cols = source.shape[0], source.shape[1] // bands
    if not (y >= -0.5 and x >= -0.5 and y < rows - 0.5 and x < cols - 0.5):
        return 0
    if any_invalid and source[int(y + 0.5), int(x + 0.5) * bands] == 0:
        return 0
    top, left = int(np.floor(y)), int(np.floor(x))
    for reach in (4, 2):
        before = reach // 2 - 1
        if reach == 4 and not cubic:
            continue
        if (
            top >= before
            and left >= before
            and top + reach - before <= rows
            and left + reach - before <= cols
            and not (any_invalid and _holds_invalid(source, bands, top, left, before, reach))
        ):
            return reach
    return 1


@njit(cache=True, nogil=True)
def _holds_invalid(
    source: Counts, bands: int, top: int, left: int, before: int, reach: int
) -> bool:
    """Tell whether one of the taps around a point is invalid."""
    for row in range(top - before, top - before + reach):
        for col in range(left - before, left - before + reach):
            if source[_INDEX(row), _INDEX(col * bands)] == 0:
                return True
    return False


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _cubic_weights(share: float) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Weights of cubic convolution with a = -0.5 (Keys, 1981), as GDAL has it."""
    s = np.float32(share)
    s2 = s * s
    s3 = s2 * s
    return (
        s2 - _HALF * (s + s3),
        _ONE - np.float32(2.5) * s2 + np.float32(1.5) * s3,
        _HALF * s + np.float32(2.0) * s2 - np.float32(1.5) * s3,
        _HALF * (s3 - s2),
    )


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _convolve(
    source: Counts,
    y: float,
    x: float,
    bands: tuple[int, ...],
    taps: tuple[int, ...],
    mixed: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    """Cubic convolution of 4 x 4 valid taps: down the columns of all bands, then across."""
    top, left = int(np.floor(y)), int(np.floor(x))
    w0, w1, w2, w3 = _cubic_weights(y - top)
    r0, r1, r2, r3 = _INDEX(top - 1), _INDEX(top), _INDEX(top + 1), _INDEX(top + 2)
    first = _INDEX((left - 1) * len(bands))
    for k in range(_INDEX(len(taps))):
        mixed[k] = (
            w0 * np.float32(source[r0, first + k])
            + w1 * np.float32(source[r1, first + k])
            + w2 * np.float32(source[r2, first + k])
            + w3 * np.float32(source[r3, first + k])
        )
    w0, w1, w2, w3 = _cubic_weights(x - left)
    n = _INDEX(len(bands))
    for b in range(n):
        sums[b] = (
            w0 * mixed[b] + w1 * mixed[n + b] + w2 * mixed[n + n + b] + w3 * mixed[n + n + n + b]
        )


@njit(cache=True, nogil=True, fastmath=True)
def _interpolate(
    source: Counts, y: float, x: float, bands: tuple[int, ...], sums: NDArray[np.float32]
) -> None:
    """Bilinear mean of 2 x 2 valid taps."""
    top, left = int(np.floor(y)), int(np.floor(x))
    down, across = np.float32(y - top), np.float32(x - left)
    r0, r1, n = _INDEX(top), _INDEX(top + 1), _INDEX(len(bands))
    first = _INDEX(left * len(bands))
    for b in range(n):
        c0, c1 = first + b, first + n + b
        near = (_ONE - down) * np.float32(source[r0, c0]) + down * np.float32(source[r1, c0])
        far = (_ONE - down) * np.float32(source[r0, c1]) + down * np.float32(source[r1, c1])
        sums[b] = near + across * (far - near)


@njit(cache=True, nogil=True, fastmath=True)
def _interpolate_valid(
    source: Counts, y: float, x: float, bands: tuple[int, ...], sums: NDArray[np.float32]
) -> bool:
    """Bilinear mean of the valid ones of 2 x 2 taps; False where they weigh nothing."""
    n = len(bands)
    top, left = int(np.floor(y)), int(np.floor(x))
    down, across = np.float32(y - top), np.float32(x - left)
    total = np.float32(0.0)
    sums[:] = 0.0
    for row, wy in ((top, _ONE - down), (top + 1, down)):
        for col, wx in ((left, _ONE - across), (left + 1, across)):
            inside = 0 <= row < source.shape[0] and 0 <= col * n < source.shape[1]
            if inside and source[row, col * n] != 0:
                total += wy * wx
                for b in range(n):
                    sums[b] += wy * wx * np.float32(source[row, col * n + b])
    if total < np.float32(1e-5):
        return False
    for b in range(n):
        sums[b] /= total
    return True


@njit(cache=True, nogil=True)
def _bits(saturated: NDArray[np.uint8], y: float, x: float, reach: int) -> int:
    """Join the saturation bits of the taps around a point."""
    bits = 0
    before = 1 if reach == 4 else 0
    after = 3 if reach == 4 else 2
    top, left = int(np.floor(y)), int(np.floor(x))
    for row in range(max(top - before, 0), min(top + after, saturated.shape[0])):
        for col in range(max(left - before, 0), min(left + after, saturated.shape[1])):
            bits |= saturated[row, col]
    return bits
