"""A package made of real surface reflectance through the whole production.

The content is a Sentinel-2 scene of Belgium with fields, a canal, ponds, cumulus and its shadows.
Where clouds, shadows, clear land and the lake lie was read off its picture by eye. The clouds are
real in the content, so the figures of clear pixels leave out what the product's own mask calls
cloud or shadow, and the mask is held to the boxes drawn by eye.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.windows import from_bounds

from benchmarks.real import BELGIUM, Outcome, figures, run
from catalog.product import FILL, MaskClass
from processing.result import Status

pytestmark = [pytest.mark.slow]

CHIP_ULX, CHIP_ULY, CHIP_PIXEL_M = 655360, 5686280, 10
BY_EYE = {
    "cumulus": (MaskClass.CLOUD, (400, 130, 480, 240), 0.9),
    "shadow of the cumulus": (MaskClass.CLOUD_SHADOW, (260, 60, 330, 140), 0.6),
    "fields and forest": (MaskClass.CLEAR, (340, 280, 520, 500), 0.97),
    "lake": (MaskClass.WATER, (750, 160, 790, 215), 0.9),
}
"""Class, box (top, left, bottom, right in pixels of the chip), and the share it must have."""


@pytest.fixture(scope="module")
def belgium(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run(BELGIUM, test_data, tmp_path_factory.mktemp("real") / "belgium")


@pytest.fixture(scope="module")
def reached(belgium: Outcome, test_data: Path) -> dict[str, float]:
    return {row.name.split()[-1]: row.value for row in figures(belgium, test_data)}


def _files(belgium: Outcome) -> dict[str, Path]:
    (files,) = belgium.items.values()
    return files


def test_the_scene_becomes_one_tile_without_warnings(belgium: Outcome) -> None:
    assert belgium.result.status is Status.DONE
    assert belgium.result.warnings == ()
    assert [item.split(".")[3] for item in belgium.items] == ["31UFS"]


def test_heights_above_the_geoid_become_ellipsoidal(
    belgium: Outcome, reached: dict[str, float]
) -> None:
    """The undulation of 45 m, left out, would move the image by 0.5 pixel."""
    files = _files(belgium)
    item = json.loads(next(files["SR"].parent.glob("*.json")).read_text())
    assert "EGM96" in json.dumps(item["properties"]).upper()
    assert reached["geometry_boxes"] >= 4
    assert reached["geometry_rmse"] <= 0.1


def test_reflectance_comes_back(reached: dict[str, float]) -> None:
    assert reached["sr_uniform_within"] >= 90
    assert reached["sr_clear_within"] >= 90
    for band in ("blue", "green", "red", "nir"):
        assert abs(reached[f"sr_{band}_bias"]) <= 0.004


def test_aerosol_is_near_what_the_sky_was_made_with(reached: dict[str, float]) -> None:
    assert abs(reached["aod_bias"]) <= 0.05
    assert reached["aod_within"] >= 90


@pytest.mark.parametrize("place", BY_EYE)
def test_mask_says_what_the_eye_sees(belgium: Outcome, place: str) -> None:
    value, (top, left, bottom, right), least = BY_EYE[place]
    west, north = CHIP_ULX + CHIP_PIXEL_M * left, CHIP_ULY - CHIP_PIXEL_M * top
    east, south = CHIP_ULX + CHIP_PIXEL_M * right, CHIP_ULY - CHIP_PIXEL_M * bottom
    with rasterio.open(_files(belgium)["mask"]) as raster:
        window = from_bounds(west, south, east, north, raster.transform)
        mask = raster.read(1, window=window.round_offsets().round_lengths())
    assert (mask == value).mean() >= least


def test_bright_content_is_cloud(reached: dict[str, float]) -> None:
    assert reached["bright_content_called_cloud"] >= 90


def test_ground_without_content_is_fill_in_every_asset(belgium: Outcome) -> None:
    around = 640
    bounds = CHIP_ULX - around, CHIP_ULY - 10240 - around, CHIP_ULX + 5120 + around, CHIP_ULY

    def valid(key: str) -> NDArray[np.bool_]:
        with rasterio.open(_files(belgium)[key]) as raster:
            window = from_bounds(*bounds, raster.transform).round_offsets().round_lengths()
            return np.asarray(raster.read(window=window) != FILL)

    mask = valid("mask")[0]
    assert mask.sum() == pytest.approx(5120 * 10240 / 16**2, rel=0.02)
    for key in ("TOA", "SR", "AOD", "angle", "qa"):
        assert (valid(key) == mask).all(), f"{key}: fill differs from the mask's"
