"""The quality bits: each flag alone, together, and beside the mask."""

import numpy as np
import pytest

from catalog.grid import Grid
from catalog.product import QA, QA_FIELDS, MaskClass
from processing.quality.mask import Context, SceneQuality
from processing.quality.qa import mask_and_qa
from processing.quality.strips import tile_mask

LOOK = Grid(32631, 300000.0, 5100000.0, 32.0, 40, 40)
FRAME = Grid(32631, 300000.0, 5100000.0, 16.0, 80, 80)
FOREST = (850, 750, 550, 3000)
SNOW = (7000, 5800, 6430, 6850)


def _quality(**changes: object) -> SceneQuality:
    values = {
        "grid": LOOK,
        "cloud": np.full(LOOK.shape, 0.05, np.float32),
        "shadow": np.zeros(LOOK.shape, np.float32),
        "classes": np.full(LOOK.shape, MaskClass.CLEAR, np.uint8),
        "context": np.full(LOOK.shape, Context.FLAT | Context.CAN_SNOW, np.uint8),
        "cloud_shadow_percent": 0.0,
        "model": "drawn",
        "model_version": "1",
        "model_sha256": "0" * 64,
    }
    return SceneQuality(**{**values, **changes})


def _toa(spectrum: tuple[int, ...] = FOREST) -> np.ndarray:
    return np.full((4, *FRAME.shape), np.array(spectrum)[:, None, None], np.uint16)


def _qa(quality: SceneQuality, toa: np.ndarray, **changes: np.ndarray) -> np.ndarray:
    no = np.zeros(FRAME.shape, bool)
    values = {
        "saturated": no,
        "clamped": no,
        "low_sun": no,
        "aod": np.full(FRAME.shape, 0.1, np.float32),
        "aerosol_source": np.zeros(FRAME.shape, np.uint8),
    }
    mask, qa = mask_and_qa(quality, toa, FRAME, **{**values, **changes})
    assert np.array_equal(mask, tile_mask(quality, toa, FRAME))
    return qa


def _read(qa: np.ndarray, name: str) -> np.ndarray:
    field = QA[name]
    return (qa >> field.offset) & ((1 << field.length) - 1)


def test_clear_ground_has_the_valid_bit_alone() -> None:
    assert (_qa(_quality(), _toa()) == 1).all()


def test_fill_is_zero_whatever_else_is_known() -> None:
    toa = _toa()
    toa[:, :, :7] = 0
    qa = _qa(_quality(), toa, saturated=np.ones(FRAME.shape, bool))
    assert (qa[:, :7] == 0).all()
    assert (_read(qa[:, 7:], "saturated") == 1).all()


@pytest.mark.parametrize(("probability", "confidence"), [(0.1, 0), (0.3, 1), (0.6, 2), (0.95, 3)])
def test_cloud_confidence_follows_the_probability(probability: float, confidence: int) -> None:
    cloud = np.full(LOOK.shape, probability, np.float32)
    qa = _qa(_quality(cloud=cloud), _toa())
    assert (_read(qa, "cloud_confidence") == confidence).all()


def test_shadow_on_snow_keeps_both_bits() -> None:
    shadow = np.full(LOOK.shape, 0.9, np.float32)
    qa = _qa(_quality(shadow=shadow), _toa(SNOW))
    assert (_read(qa, "snow") == 1).all()
    assert (_read(qa, "cloud_shadow") == 1).all()


def test_every_given_flag_lands_on_its_own_bits() -> None:
    yes = np.ones(FRAME.shape, bool)
    qa = _qa(
        _quality(model_sha256=""),
        _toa(),
        saturated=yes,
        clamped=yes,
        low_sun=yes,
        aod=np.full(FRAME.shape, 0.7, np.float32),
        aerosol_source=np.full(FRAME.shape, 2, np.uint8),
    )
    expected = {
        "valid": 1, "saturated": 1, "clamped": 1, "low_sun": 1, "high_aerosol": 1,
        "aerosol_source": 2, "incomplete": 1,
    }  # fmt: skip
    for field in QA_FIELDS:
        assert (_read(qa, field.name) == expected.get(field.name, 0)).all(), field.name


def test_what_the_scene_knows_reaches_the_tile() -> None:
    context = np.zeros(LOOK.shape, np.uint8)
    context[:20] = Context.CLOUD_ADJACENT
    context[20:] = Context.TERRAIN_SHADOW
    context[:20, 20:] = Context.CLOUD_ADJACENT | Context.TERRAIN_OCCLUSION
    qa = _qa(_quality(context=context), _toa())
    assert (_read(qa[:40], "cloud_adjacent") == 1).all()
    assert (_read(qa[40:], "cloud_adjacent") == 0).all()
    assert (_read(qa[40:], "terrain_shadow") == 1).all()
    occluded = _read(qa, "terrain_occlusion")
    assert (occluded[:40, 40:] == 1).all()
    assert (occluded[40:] == 0).all()


def test_beyond_the_look_the_tests_are_incomplete() -> None:
    cloud = np.full(LOOK.shape, 0.05, np.float32)
    cloud[:, 20:] = np.nan
    qa = _qa(_quality(cloud=cloud), _toa())
    assert (_read(qa[:, :38], "incomplete") == 0).all()
    assert (_read(qa[:, 42:], "incomplete") == 1).all()


def test_shadow_of_a_cloud_that_nobody_saw_is_not_tested_in_full() -> None:
    shadow = np.zeros(LOOK.shape, np.float32)
    shadow[:20] = 0.6
    context = np.full(LOOK.shape, Context.UNSEEN_CLOUD, np.uint8)
    context[:, :20] = 0
    qa = _qa(_quality(shadow=shadow, context=context), _toa())
    assert (_read(qa[:38], "cloud_shadow") == 1).all()
    assert (_read(qa[:38, 42:], "incomplete") == 1).all()
    assert (_read(qa[:, :38], "incomplete") == 0).all()
    assert (_read(qa[42:], "incomplete") == 0).all()
