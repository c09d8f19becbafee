"""Rules on spectra measured on real Sentinel-2 and Landsat-8 chips, TOA reflectance."""

import numpy as np
import pytest

from processing.quality import rules

SPECTRA = {
    "forest": (0.085, 0.07, 0.05, 0.30),
    "field": (0.11, 0.11, 0.12, 0.28),
    "bright soil": (0.19, 0.24, 0.31, 0.37),
    "clear water": (0.09, 0.06, 0.04, 0.02),
    "turbid water": (0.13, 0.12, 0.10, 0.06),
    "thick cloud": (0.52, 0.51, 0.52, 0.56),
    "thin cloud": (0.24, 0.23, 0.23, 0.33),
    "bog under snow": (0.70, 0.58, 0.64, 0.685),
}
YES, NO = np.ones((1, 1), bool), np.zeros((1, 1), bool)


def _pixel(name: str) -> np.ndarray:
    return np.array(SPECTRA[name], np.float32)[:, None, None]


@pytest.mark.parametrize("name", ["forest", "field", "bright soil", "clear water", "turbid water"])
def test_clear_ground_speaks_against_cloud(name: str) -> None:
    assert rules.cloud_evidence(_pixel(name), YES).item() <= 0


def test_thick_cloud_outweighs_a_network_that_denies_it() -> None:
    assert rules.cloud_evidence(_pixel("thick cloud"), NO).item() > 2
    assert abs(rules.cloud_evidence(_pixel("thin cloud"), NO).item()) < 2


def test_snow_is_no_evidence_of_cloud_where_snow_can_lie() -> None:
    snow = _pixel("bog under snow")
    assert rules.cloud_evidence(snow, YES).item() <= -rules.SNOW_WEIGHT
    assert rules.cloud_evidence(snow, NO).item() > 2
    assert rules.is_snow(snow, YES).item()
    assert not rules.is_snow(snow, NO).item()


@pytest.mark.parametrize("name", SPECTRA)
def test_water_is_water_alone_and_flat(name: str) -> None:
    assert rules.is_water(_pixel(name), YES).item() == name.endswith("water")
    assert not rules.is_water(_pixel(name), NO).item()


def test_no_data_is_neither_snow_nor_water() -> None:
    nothing = np.full((4, 1, 1), np.nan, np.float32)
    assert not rules.is_snow(nothing, YES).item()
    assert not rules.is_water(nothing, YES).item()
    assert np.isnan(rules.cloud_evidence(nothing, YES)).item()


def test_a_slope_of_six_degrees_is_not_flat() -> None:
    east = np.arange(20, dtype=np.float32)[None].repeat(20, 0) * 32
    assert not rules.is_flat(east * np.float32(np.tan(np.radians(6))), 32).any()
    assert rules.is_flat(east * np.float32(np.tan(np.radians(4))), 32).all()
    assert rules.is_flat(np.zeros((1, 20), np.float32), 32).all()


@pytest.mark.parametrize(
    ("place", "latitude", "month", "height", "expected"),
    [
        ("Toulouse in July", 43.6, 7, 150, False),
        ("Toulouse in January", 43.6, 1, 150, True),
        ("Mont Blanc in July", 45.8, 7, 4000, True),
        ("Sao Paulo in July", -23.5, 7, 700, False),
        ("Patagonia in July", -50.0, 7, 300, True),
        ("Patagonia in January", -50.0, 1, 100, False),
        ("Hudson Bay in April", 55.0, 4, 50, True),
    ],
)
def test_snow_lies_in_its_season(
    place: str, latitude: float, month: int, height: float, expected: bool
) -> None:
    heights = np.full((2, 2), height, np.float32)
    assert (rules.can_snow_lie(heights, latitude, month) == expected).all(), place


def test_without_a_month_snow_may_lie_anywhere() -> None:
    assert rules.can_snow_lie(np.zeros((2, 2), np.float32), 0.0, None).all()
