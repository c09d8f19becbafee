"""Camera tables against published numbers and against physics."""

import math
from dataclasses import replace

import numpy as np
import pytest

from catalog.errors import CalibrationError, UnknownSensorError
from catalog.product import REFLECTANCE_BANDS
from processing.sensors import calibration, camera, camera_names, spectral_response

# Integral wavelengths (nm) of an independent tabulation of the responses, file band order.
PUBLISHED_CENTRES = {
    "GF1WFV1": (483, 554, 657, 824),
    "GF1WFV2": (488, 558, 657, 821),
    "GF1WFV3": (486, 564, 665, 822),
    "GF1WFV4": (484, 559, 665, 828),
    "GF6WFV": (488, 558, 659, 826, 701, 749, 432, 609),
}


def test_the_five_cameras_have_tables() -> None:
    assert camera_names() == tuple(PUBLISHED_CENTRES)


@pytest.mark.parametrize("name", PUBLISHED_CENTRES)
def test_bands_follow_the_contract_in_file_order(name: str) -> None:
    known = camera(name)
    assert known.name == name == known.satellite + known.sensor
    assert [band.name for band in known.bands] == [
        band.name for band in REFLECTANCE_BANDS[known.satellite]
    ]
    assert (known.saturation_dn, known.parts) == ((4095, 3) if name == "GF6WFV" else (1023, 1))


@pytest.mark.parametrize("name", PUBLISHED_CENTRES)
def test_responses_peak_at_one_and_centre_where_published(name: str) -> None:
    wavelength, response = spectral_response(name)
    centroids = (response * wavelength).sum(axis=1) / response.sum(axis=1)
    assert np.abs(centroids - PUBLISHED_CENTRES[name]).max() < 1.0
    assert np.abs(centroids - [band.center_nm for band in camera(name).bands]).max() < 0.1
    assert response.min() >= 0.0
    assert response.max(axis=1) == pytest.approx(1.0, abs=1e-3)
    assert not response.flags.writeable


def test_unknown_camera_names_the_known_ones() -> None:
    with pytest.raises(UnknownSensorError, match=r"'GF2PMS1'.*GF1WFV1.*GF6WFV"):
        camera("GF2PMS1")


def test_table_of_the_year_is_used_without_flag() -> None:
    found = calibration(camera("GF1WFV4"), 2020)
    assert found.slope == (0.2522, 0.2029, 0.1528, 0.1031)
    assert found.intercept == (0.0, 0.0, 0.0, 0.0)
    assert (found.table_year, found.flags) == (2020, ())


def test_coefficients_of_2013_are_inverted() -> None:
    """L = (DN - bias) / gain with WFV1 blue 5.851 and 0.0039."""
    found = calibration(camera("GF1WFV1"), 2013)
    assert found.slope[0] * 500 + found.intercept[0] == pytest.approx((500 - 0.0039) / 5.851)
    assert found.slope[0] == pytest.approx(0.1709, abs=1e-4)


@pytest.mark.parametrize("name", PUBLISHED_CENTRES)
@pytest.mark.parametrize("year", range(2013, 2023))
def test_no_table_makes_a_saturated_pixel_brighter_than_the_sun_allows(
    name: str, year: int
) -> None:
    known = camera(name)
    found = calibration(known, year)
    for slope, intercept, esun in zip(found.slope, found.intercept, found.esun, strict=True):
        radiance = slope * known.saturation_dn + intercept
        assert 0.15 < radiance * math.pi / esun < 0.9


@pytest.mark.parametrize(
    ("name", "year", "table_year", "flags"),
    [
        ("GF1WFV1", 2025, 2022, ("nearest-year",)),
        ("GF1WFV1", 2012, 2013, ("nearest-year",)),
        ("GF6WFV", 2018, 2018, ("single-source",)),
        ("GF6WFV", 2040, 2022, ("nearest-year", "single-source")),
    ],
)
def test_gaps_in_the_table_are_flagged(
    name: str, year: int, table_year: int, flags: tuple[str, ...]
) -> None:
    found = calibration(camera(name), year)
    assert (found.table_year, found.flags) == (table_year, flags)


def test_camera_without_any_year_is_an_error() -> None:
    with pytest.raises(CalibrationError, match="GF1WFV9 has no calibration table"):
        calibration(replace(camera("GF1WFV1"), name="GF1WFV9"), 2020)


def test_gains_of_the_metadata_come_first() -> None:
    gains = (0.17, 0.15, 0.12, 0.13)
    found = calibration(camera("GF1WFV1"), 2024, from_xml=gains)
    assert found.slope == gains
    assert (found.table_year, found.flags, found.source) == (None, (), "product metadata")


@pytest.mark.parametrize(
    ("gains", "message"),
    [
        ((0.17, 0.15, 0.12), "3 gains, 4 bands"),
        ((5.851, 7.153, 8.368, 7.474), "gain 5.851"),
        ((0.17, 0.15, 0.0, 0.13), "red: gain 0.0"),
    ],
)
def test_impossible_gains_are_refused(gains: tuple[float, ...], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        calibration(camera("GF1WFV1"), 2024, from_xml=gains)


def test_solar_spectrum_can_be_chosen() -> None:
    """TSIS-1 against the Wehrli set: about +2 % in blue, -1.3 % in near infrared."""
    known = camera("GF1WFV1")
    tsis1 = calibration(known, 2020)
    published = calibration(known, 2020, irradiance="published")
    assert published.esun == (1968.63, 1849.19, 1571.46, 1079.0)
    ratio = np.array(tsis1.esun) / np.array(published.esun)
    assert ratio[0] == pytest.approx(1.0203, abs=1e-4)
    assert ratio[3] == pytest.approx(0.9876, abs=1e-4)
