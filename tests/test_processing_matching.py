"""Displacements of chips against shifts put in by the Fourier transform."""

import numpy as np
import pytest
from scipy import ndimage

from processing.geometry.matching import match_chips, phase_shift, worth_matching

SIZE, SEARCH = 64, 8


def land(size: int, seed: int) -> np.ndarray:
    """Fields of ten kinds with sharp borders, and fine texture."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(size, size)), 3.0, mode="wrap")
    kind = np.digitize(smooth, np.quantile(smooth, np.linspace(0.1, 0.9, 9)))
    return 400.0 + rng.normal(0.0, 60.0, 10)[kind] + rng.normal(0.0, 8.0, (size, size))


def moved(image: np.ndarray, down: float, right: float) -> np.ndarray:
    """Shift periodically, by the phase of its spectrum."""
    fy = np.fft.fftfreq(image.shape[0])[:, None]
    fx = np.fft.fftfreq(image.shape[1])[None, :]
    phase = np.exp(-2j * np.pi * (fy * down + fx * right))
    return np.fft.ifft2(np.fft.fft2(image) * phase).real


def pairs(down: float, right: float, *, change: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Chips of a scene, and of a reference in which the same lies further down and right."""
    image, other = land(1024, 0), land(1024, 1)
    season = (1.0 - change) * image + change * other
    there = moved(season, down, right)
    places = [(r, c) for r in range(80, 900, 96) for c in range(80, 900, 96)]
    scene = [image[r : r + SIZE, c : c + SIZE] for r, c in places]
    around = [
        there[r - SEARCH : r + SIZE + SEARCH, c - SEARCH : c + SIZE + SEARCH] for r, c in places
    ]
    return np.array(scene, np.float32), np.array(around, np.float32)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, -0.4), (5.5, -3.25), (-7.2, 6.6)])
def test_shift_is_found_to_a_fraction_of_a_pixel(shift):
    shifts = match_chips(*pairs(*shift, change=0.3))
    good = shifts.ratio > 1.4
    assert good.mean() > 0.9
    error = shifts.moved[:, good] - np.array(shift)[:, None]
    assert np.abs(np.median(error, 1)).max() < 0.05
    assert np.sqrt((error**2).mean()) < 0.15


def test_inverted_contrast_and_other_units_do_not_matter():
    scene, reference = pairs(2.0, -1.0)
    shifts = match_chips(scene, 1.0 - reference * np.float32(1e-4))
    good = shifts.ratio > 1.4
    assert good.mean() > 0.9
    np.testing.assert_allclose(shifts.moved[:, good].mean(1), [2.0, -1.0], atol=0.05)


def test_other_places_make_no_clear_peaks():
    scene, reference = pairs(0.0, 0.0)
    shifts = match_chips(scene, reference[::-1].copy())
    assert (shifts.ratio > 1.4).mean() < 0.2


def test_gaps_and_flat_water_are_not_looked_at():
    scene, reference = pairs(0.0, 0.0)
    scene[3, :20, :20] = np.nan
    scene[5] = 100.0 + np.random.default_rng(0).normal(0.0, 0.5, scene[5].shape)
    reference[7] = np.nan
    shifts = match_chips(scene, reference)
    assert np.flatnonzero(shifts.ratio == 0.0).tolist() == [3, 5, 7]
    assert not worth_matching(np.full((4, 8, 8), np.nan, np.float32)).any()
    assert not worth_matching(np.full((4, 8, 8), 7.0, np.float32)).any()


def test_phase_of_equal_chips_is_zero():
    scene, _ = pairs(0.0, 0.0)
    down, right, ratio = phase_shift(scene, scene)
    np.testing.assert_allclose([down, right], 0.0, atol=1e-3)
    assert ratio.min() > 3.0


def test_nothing_in_nothing_out():
    none = np.empty((0, SIZE, SIZE), np.float32)
    assert match_chips(none, np.empty((0, 80, 80), np.float32)).ratio.shape == (0,)
