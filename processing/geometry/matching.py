"""Displacement between pairs of image chips, to a fraction of a pixel and in batches.

Each chip of a scene is looked for in a larger chip of a reference: normalised cross-correlation
of edges, which other seasons, bands and lights leave alike, finds the whole pixel; phase
correlation of the aligned pair (Kuglin and Hines 1975) the fraction. Its cross-power spectrum is
limited by a Gaussian, so that the peak is a Gaussian too and a parabola through its logarithm
finds the top. A peak that hardly rises above the next one is no match.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

Chips = NDArray[np.float32]
Floats = NDArray[np.float64]

_BATCH: Final = 256
_BAND_LIMIT: Final = 0.16
"""Standard deviation of the Gaussian in the spectrum, cycles per pixel."""
_PEAK_PX: Final = 4
"""Half side of the square around the peak that belongs to it."""
_AGREE_PX: Final = 2.0
"""How far the peaks of both correlations may be apart."""
_LEAST_VALID: Final = 0.98
_RAMP: Final = 0.35
"""Share of a chip's side over which the window rises, at either end."""
_TINY: Final = 1e-12
_SAMPLE: Final = 4
_FLAT: Final = 0.1


@dataclass(frozen=True, slots=True)
class Shifts:
    """Where chips were found, arrays of length n.

    ``down`` and ``right`` are pixels from the middle of the reference chip to the place of the
    scene's chip in it; ``ratio`` is the height of the peak over that of the next one (0: not
    tried for want of texture or data, or both correlations disagree).
    """

    down: Floats
    right: Floats
    ratio: Floats

    @property
    def moved(self) -> Floats:
        """Both ways, shape (2, n)."""
        return np.stack([self.down, self.right])


def match_chips(scene: Chips, reference: Chips) -> Shifts:
    """Find each chip of a scene in the reference chip of the same index.

    Parameters
    ----------
    scene
        Shape (n, size, size), float32 in any unit, NaN = no data.
    reference
        Shape (n, size + 2 search, size + 2 search), float32 in any unit, NaN = no data; both
        have the same middle and pixel size.

    Returns
    -------
    Shifts
        At most ``search`` pixels either way.
    """
    count = len(scene)
    shifts = Shifts(*(np.zeros(count) for _ in range(3)))
    usable = worth_matching(scene) & worth_matching(reference)
    for batch in np.array_split(np.flatnonzero(usable), max(1, -(-int(usable.sum()) // _BATCH))):
        if batch.size:
            _match_batch(scene, reference, batch, shifts)
    return shifts


def _match_batch(scene: Chips, reference: Chips, batch: NDArray[np.intp], out: Shifts) -> None:
    """Fill the shifts of some pairs."""
    size = scene.shape[1]
    search = (reference.shape[1] - size) // 2
    small, large = edges(_filled(scene[batch])), edges(_filled(reference[batch]))
    aligned = np.empty_like(small)
    whole = np.empty((2, len(batch)), np.intp)
    for k, (template, image) in enumerate(zip(small, large, strict=True)):
        surface = cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED)
        top, left = np.unravel_index(int(surface.argmax()), surface.shape)
        whole[:, k] = top, left
        aligned[k] = image[top : top + size, left : left + size]
    down, right, ratio = phase_shift(small, aligned)
    agree = np.hypot(down, right) < _AGREE_PX
    out.down[batch] = whole[0] - search + down
    out.right[batch] = whole[1] - search + right
    out.ratio[batch] = np.where(agree, ratio, 0.0)


def phase_shift(first: Chips, second: Chips) -> tuple[Floats, Floats, Floats]:
    """Return how far down and right each chip of ``first`` lies in ``second``, and peak ratios.

    Parameters
    ----------
    first, second
        Shape (n, size, size), float32 without NaN, displaced by less than a few pixels.
    """
    size = first.shape[1]
    window = _window(size)
    spectra = [
        scipy.fft.rfft2((chips - chips.mean((1, 2), keepdims=True)) * window)
        for chips in (first, second)
    ]
    cross = spectra[1] * spectra[0].conj()
    cross /= np.abs(cross) + np.float32(_TINY)
    surface = scipy.fft.irfft2(cross * _band_limit(size), s=(size, size))
    surface = np.roll(surface, (size // 2, size // 2), (1, 2))
    return _peaks(surface)


def edges(chips: Chips) -> Chips:
    """Return the strength of edges, 0 to 1, in chips (n, rows, cols).

    The magnitude of the gradient (Scharr) over itself plus its median in the chip: the edge of a
    cloud then counts little more than that of a field.
    """
    out = np.empty_like(chips)
    for chip, made in zip(chips, out, strict=True):
        across = cv2.Scharr(chip, cv2.CV_32F, 1, 0)
        down = cv2.Scharr(chip, cv2.CV_32F, 0, 1)
        cv2.magnitude(across, down, made)
    for made, middle in zip(out, _medians(out[:, ::2, ::2]), strict=True):
        made /= made + (middle + np.float32(_TINY))
    return out


def _medians(chips: Chips) -> NDArray[np.float32]:
    """Return the median of each chip; in one go, as a call of its own costs more than the work."""
    flat = chips.reshape(len(chips), -1)
    middle = [(flat.shape[1] - 1) // 2, flat.shape[1] // 2]
    return np.asarray(np.partition(flat, middle, axis=1)[:, middle].mean(1), np.float32)


def worth_matching(chips: Chips) -> NDArray[np.bool_]:
    """Tell which chips (n, size, size) show enough: no gaps, and texture.

    Water, fog and all else that varies less than a tenth of what most chips do is flat.
    """
    full: NDArray[np.bool_] = np.isfinite(chips).mean((1, 2)) >= _LEAST_VALID
    if not full.any():
        return full
    sample = _filled(chips[:, ::_SAMPLE, ::_SAMPLE][full])
    spread = sample.std((1, 2))
    full[full] = spread > max(_FLAT * float(np.median(spread)), _TINY)
    return full


def _peaks(surface: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """Return the sub-pixel places of the peaks from the middle, and their ratio to the next."""
    count, size, _ = surface.shape
    index = np.arange(count)
    inner = surface[:, 1:-1, 1:-1].reshape(count, -1).argmax(1)
    row, col = (at + 1 for at in np.divmod(inner, size - 2))
    top = surface[index, row, col]
    offsets = []
    for down, right in ((1, 0), (0, 1)):
        before = surface[index, row - down, col - right]
        after = surface[index, row + down, col + right]
        low, middle, high = (
            np.log(np.maximum(value, 1e-3 * top) + _TINY) for value in (before, top, after)
        )
        offsets.append((low - high) / (2.0 * (low + high - 2.0 * middle) - _TINY))
    far = np.ones(surface.shape, np.bool_)
    steps = np.arange(size)
    near_row = np.abs(steps - row[:, None]) <= _PEAK_PX
    near_col = np.abs(steps - col[:, None]) <= _PEAK_PX
    far &= ~(near_row[:, :, None] & near_col[:, None, :])
    second = np.where(far, surface, 0.0).reshape(count, -1).max(1)
    down_px = row - size // 2 + offsets[0]
    right_px = col - size // 2 + offsets[1]
    return down_px, right_px, top / (second + _TINY)


def _window(size: int) -> NDArray[np.float32]:
    """Return a window that falls to 0 at the edges, shape (size, size)."""
    ramp = max(1, round(_RAMP * size))
    rise = np.sin(0.5 * np.pi * (np.arange(ramp) + 0.5) / ramp) ** 2
    line = np.ones(size)
    line[:ramp], line[-ramp:] = rise, rise[::-1]
    return np.outer(line, line).astype(np.float32)


def _band_limit(size: int) -> NDArray[np.float32]:
    """Return the Gaussian of the half spectrum of a square chip."""
    down, right = scipy.fft.fftfreq(size), scipy.fft.rfftfreq(size)
    square = down[:, None] ** 2 + right[None, :] ** 2
    return np.exp(-square / (2.0 * _BAND_LIMIT**2)).astype(np.float32)


def _filled(chips: Chips) -> Chips:
    """Replace missing values by the mean of their chip."""
    missing = np.isnan(chips)
    filled = chips.copy()
    for k in np.flatnonzero(missing.any((1, 2))):
        filled[k][missing[k]] = chips[k][~missing[k]].mean()
    return filled
