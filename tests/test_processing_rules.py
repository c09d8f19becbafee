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
    "bog under snow": (0.60, 0.48, 0.54, 0.585),
}
YES, NO = np.ones((1, 1), bool), np.zeros((1, 1), bool)


def _pixel(name: str) -> np.ndarray:
    return np.array(SPECTRA[name], np.float32)[:, None, None]


@pytest.mark.parametrize("name", ["forest", "field", "bright soil", "clear water", "turbid water"])
def test_clear_ground_speaks_against_cloud(name: str) -> None:
    assert rules.cloud_evidence(_pixel(name)).item() <= 0


def test_thick_cloud_says_more_than_thin() -> None:
    thin, thick = (
        rules.cloud_evidence(_pixel(f"{kind} cloud")).item() for kind in ("thin", "thick")
    )
    assert 0 < thin < 2
    assert thick > 5


def test_haze_over_all_the_ground_is_no_cloud() -> None:
    haze = rules.hot(_pixel("thin cloud")).item()
    assert rules.cloud_evidence(_pixel("thin cloud"), haze).item() < -2


@pytest.mark.parametrize("name", SPECTRA)
def test_water_is_water_alone_and_flat(name: str) -> None:
    assert rules.is_water(_pixel(name), YES).item() == ("water" in name)
    assert not rules.is_water(_pixel(name), NO).item()


def test_no_data_is_neither_water_nor_evidence() -> None:
    nothing = np.full((4, 1, 1), np.nan, np.float32)
    assert not rules.is_water(nothing, YES).item()
    assert np.isnan(rules.cloud_evidence(nothing)).item()
    assert np.isnan(rules.as_toa(nothing)).all()


def test_surface_reflectance_through_a_usual_sky_is_toa(test_data: object) -> None:
    """Two places of which both levels are known, neither the one the sky was measured at."""
    import rasterio

    # Both levels of the first place, and the second level of the other, count from 1000.
    for place, surface_zero, bound in (
        ("433D_629L_3_1", 1000, 0.03),
        ("282D_485L_3_3", 0, 0.03),
    ):
        levels = []
        for level, zero in (("S2L2A", surface_zero), ("S2L1C", 1000)):
            with rasterio.open(f"{test_data}/l1c_l2a/{place}_{level}.tif") as raster:
                counts = raster.read([2, 3, 4, 8]) - np.float32(zero)
                levels.append(counts * np.float32(1e-4))
        surface, toa = levels
        apart = np.abs(rules.as_toa(surface) - toa).mean(axis=(1, 2))
        assert (apart < bound).all(), (place, apart)
        assert (apart < np.abs(surface - toa).mean(axis=(1, 2)))[:1].all(), place


def test_a_slope_of_six_degrees_is_not_flat() -> None:
    east = np.arange(20, dtype=np.float32)[None].repeat(20, 0) * 32
    assert not rules.is_flat(east * np.float32(np.tan(np.radians(6))), 32).any()
    assert rules.is_flat(east * np.float32(np.tan(np.radians(4))), 32).all()
    assert rules.is_flat(np.zeros((1, 20), np.float32), 32).all()
