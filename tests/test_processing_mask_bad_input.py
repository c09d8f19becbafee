"""Odd scenes end in a defined mask or in an error that says what is wrong."""

from dataclasses import dataclass

import numpy as np
import pytest

from catalog.errors import MaskError
from catalog.grid import Grid
from catalog.product import QA, MaskClass
from processing.geometry.angles import Angles
from processing.quality.mask import SceneQuality, look
from processing.quality.qa import mask_and_qa
from processing.sensors import camera

ROWS, COLS = 70, 90
FOREST = np.array([0.085, 0.075, 0.055, 0.30], np.float32)[:, None, None]
CLOUD = np.array([0.60, 0.58, 0.59, 0.62], np.float32)[:, None, None]


@dataclass(frozen=True)
class SunAt:
    """One sun everywhere; the sensor 20 degrees off."""

    zenith: float

    def on(self, grid: Grid) -> Angles:
        sun, view = (np.full(grid.shape, v, np.float32) for v in (self.zenith, 20.0))
        return Angles(
            sun_azimuth=sun * 0 + 150, sun_zenith=sun, view_azimuth=view, view_zenith=view
        )


def _scene(spectrum: np.ndarray, rows: int = ROWS, cols: int = COLS) -> np.ndarray:
    return np.broadcast_to(spectrum, (4, rows, cols)).copy()


def _look(toa: np.ndarray, zenith: float = 38.0, **options: object) -> SceneQuality:
    grid = Grid(32631, 300000.0, 5100000.0, 32.0, *toa.shape[1:])
    heights = options.pop("heights", np.zeros(grid.shape, np.float32))
    settings = {"network": False, "month": 7, **options}
    return look(toa, grid, SunAt(zenith), heights, camera("GF1WFV1"), **settings)


def _tile(quality: SceneQuality, toa: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mask and qa of the tile that shows the same pixels twice as fine."""
    frame = Grid(32631, 300000.0, 5100000.0, 16.0, *(2 * n for n in quality.grid.shape))
    known = np.isfinite(toa).all(axis=0)
    encoded = np.where(known, np.rint(np.nan_to_num(toa, posinf=0) * 1e4), 0).astype(np.uint16)
    fine = encoded.repeat(2, 1).repeat(2, 2)
    no = np.zeros(frame.shape, bool)
    return mask_and_qa(
        quality, fine, frame, saturated=no, clamped=no, low_sun=no,
        aod=np.full(frame.shape, 0.1, np.float32), aerosol_source=no.astype(np.uint8),
    )  # fmt: skip


@pytest.mark.parametrize("network", [False, True])
def test_all_fill_is_fill_and_hides_nothing(network: bool) -> None:
    toa = _scene(FOREST * np.float32(np.nan))
    found = _look(toa, network=network)
    mask, qa = _tile(found, toa)
    assert (found.classes == MaskClass.FILL).all()
    assert found.cloud_shadow_percent == 0
    assert not found.clear_land.any()
    assert (mask == MaskClass.FILL).all()
    assert (qa == 0).all()


@pytest.mark.parametrize("network", [False, True])
def test_one_clear_corner_of_an_overcast_scene_stays_clear(network: bool) -> None:
    toa = _scene(CLOUD)
    toa[:, :20, :20] = FOREST
    mask, _ = _tile(_look(toa, network=network), toa)
    assert (mask[:36, :36] == MaskClass.CLEAR).all()
    assert (mask[44:, 44:] == MaskClass.CLOUD).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pixel_that_lacks_one_band_is_fill(value: float) -> None:
    toa = _scene(FOREST)
    toa[1, 10:20] = value
    found = _look(toa)
    mask, qa = _tile(found, toa)
    assert (found.classes[10:20] == MaskClass.FILL).all()
    assert (mask[20:40] == MaskClass.FILL).all()
    assert (qa[20:40] == 0).all()
    assert (found.classes[20:] == MaskClass.CLEAR).all()


def test_a_scene_that_lacks_a_band_is_refused() -> None:
    with pytest.raises(MaskError, match=r"\(3, 70, 90\).*\(4, 70, 90\).*GF1WFV1"):
        _look(_scene(FOREST)[:3])


def test_heights_of_another_shape_are_refused() -> None:
    with pytest.raises(MaskError, match=r"heights of \(7, 9\)"):
        _look(_scene(FOREST), heights=np.zeros((7, 9), np.float32))


@pytest.mark.parametrize(
    ("zenith", "seen"), [(90.0, "90.0"), (101.5, "101.5"), (np.nan, "unknown")]
)
def test_a_sun_below_the_horizon_is_refused(zenith: float, seen: str) -> None:
    with pytest.raises(MaskError, match=f"sun zenith {seen}"):
        _look(_scene(FOREST), zenith)


def test_a_sun_just_above_the_horizon_gives_a_mask() -> None:
    toa = _scene(FOREST)
    toa[:, 20:30, 20:30] = CLOUD
    classes = _look(toa, 89.5).classes
    assert (classes[20:30, 20:30] == MaskClass.CLOUD).all()
    assert (classes == MaskClass.CLOUD_SHADOW).sum() == 0


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize("shape", [(1, 90), (90, 1), (1, 1)])
def test_strips_one_pixel_wide_are_classified(shape: tuple[int, int], network: bool) -> None:
    clear, cloudy = (_scene(spectrum, *shape) for spectrum in (FOREST, CLOUD))
    assert (_tile(_look(clear, network=network), clear)[0] == MaskClass.CLEAR).all()
    assert (_tile(_look(cloudy, network=network), cloudy)[0] == MaskClass.CLOUD).all()


def test_reflectance_beyond_all_bounds_is_cloud_or_water_and_no_error() -> None:
    high, low = _scene(FOREST) * 100, _scene(FOREST) - np.float32(0.3)
    assert (_look(high).classes == MaskClass.CLOUD).all()
    assert set(np.unique(_look(low).classes)) <= {MaskClass.CLEAR, MaskClass.WATER}


def test_unknown_heights_leave_a_mask_and_no_water() -> None:
    toa = _scene(np.array([0.09, 0.06, 0.04, 0.02], np.float32)[:, None, None])
    found = _look(toa, heights=np.full((ROWS, COLS), np.nan, np.float32))
    assert (found.classes == MaskClass.CLEAR).all()


def test_by_rules_alone_tests_are_incomplete() -> None:
    toa = _scene(FOREST)
    _, qa = _tile(_look(toa), toa)
    assert (qa == QA["valid"].encode(1) | QA["incomplete"].encode(1)).all()
