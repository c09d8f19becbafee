"""Cameras and their tables: bands, spectral responses, solar irradiance, calibration.

The tables are data files under ``data/``; ``data/SOURCES.md`` states where each comes from.
Nothing here is silent: a gap in the calibration table comes back as a flag, a camera without
any table as an error.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CalibrationError, UnknownSensorError
from catalog.product import REFLECTANCE_BANDS

Irradiance = Literal["tsis1", "published"]
CalibrationFlag = Literal["nearest-year", "single-source"]

_DATA = Path(__file__).parent / "data"
_ESUN_COLUMNS: Mapping[Irradiance, str] = {
    "tsis1": "esun_Coddington2023_1_0nm",
    "published": "esun_published_A",
}
_PLAUSIBLE_SATURATION = (0.05, 2.0)
"""Radiance of a saturated pixel over that of a white target under the zenith sun (ESUN/pi)."""


@dataclass(frozen=True, slots=True)
class SensorBand:
    """One band of a camera; wavelengths in nm, irradiance at 1 au in W m-2 um-1."""

    name: str
    center_nm: float
    fwhm_nm: float
    esun_tsis1: float
    esun_published: float

    def esun(self, irradiance: Irradiance) -> float:
        """Band-mean solar irradiance at 1 au under the named spectrum, W m-2 um-1."""
        return self.esun_tsis1 if irradiance == "tsis1" else self.esun_published


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera: names as the product and as STAC write them, and its bands in file order."""

    name: str
    satellite: str
    sensor: str
    platform: str
    instrument: str
    international_designator: str
    bands: tuple[SensorBand, ...]
    saturation_dn: int
    parts: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Radiance from counts, L = slope * DN + intercept in W m-2 sr-1 um-1, one value a band.

    ``table_year`` is None when the coefficients come from the product itself. ``normalisation``
    are the factors that slope and intercept already hold, with relative uncertainties; empty
    before any.
    """

    slope: tuple[float, ...]
    intercept: tuple[float, ...]
    esun: tuple[float, ...]
    irradiance: Irradiance
    source: str
    table_year: int | None
    flags: tuple[CalibrationFlag, ...]
    normalisation: tuple[float, ...] = ()
    normalisation_uncertainty: tuple[float, ...] = ()
    normalisation_version: str = "none"


@dataclass(frozen=True, slots=True)
class _Coefficients:
    """One row of the calibration table, already in the form L = slope * DN + intercept."""

    slope: float
    intercept: float
    agreeing_sources: int


@dataclass(frozen=True, slots=True)
class _Satellite:
    platform: str
    international_designator: str
    saturation_dn: int
    parts: int


_SATELLITES = {
    "GF1": _Satellite("gaofen-1", "2013-018A", 1023, 1),
    "GF6": _Satellite("gaofen-6", "2018-048A", 4095, 3),
}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@lru_cache(maxsize=1)
def _cameras() -> Mapping[str, Camera]:
    bands: dict[str, list[SensorBand]] = {}
    for row in _rows(_DATA / "bands_esun.csv"):
        names = REFLECTANCE_BANDS[row["sensor"].partition("_")[0]]
        bands.setdefault(row["sensor"], []).append(
            SensorBand(
                name=names[int(row["band"][1:]) - 1].name,
                center_nm=float(row["centroid_nm"]),
                fwhm_nm=float(row["fwhm_nm"]),
                esun_tsis1=float(row[_ESUN_COLUMNS["tsis1"]]),
                esun_published=float(row[_ESUN_COLUMNS["published"]]),
            )
        )
    return MappingProxyType({key.replace("_", ""): _camera(key, bands[key]) for key in bands})


def _camera(key: str, bands: list[SensorBand]) -> Camera:
    satellite, _, sensor = key.partition("_")
    facts = _SATELLITES[satellite]
    return Camera(
        name=satellite + sensor,
        satellite=satellite,
        sensor=sensor,
        platform=facts.platform,
        instrument=sensor.lower(),
        international_designator=facts.international_designator,
        bands=tuple(bands),
        saturation_dn=facts.saturation_dn,
        parts=facts.parts,
    )


def camera_names() -> tuple[str, ...]:
    """Return the names of the cameras with tables, "GF1WFV1" to "GF6WFV"."""
    return tuple(_cameras())


def camera(name: str) -> Camera:
    """Return the camera called ``name``, e.g. "GF1WFV1".

    Raises
    ------
    UnknownSensorError
        When there are no tables for the name.
    """
    try:
        return _cameras()[name]
    except KeyError:
        known = ", ".join(camera_names())
        raise UnknownSensorError(f"camera {name!r} has no tables; known: {known}") from None


@lru_cache(maxsize=8)
def spectral_response(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the relative spectral response of a camera.

    Parameters
    ----------
    name : str
        Camera name, e.g. "GF6WFV".

    Returns
    -------
    wavelength_nm : ndarray, shape (n,), float64
        Wavelengths in 1 nm steps.
    response : ndarray, shape (bands, n), float64
        Response 0-1 with peak 1, bands in file order; noise below 0 is set to 0. Both arrays
        are read-only, because they are shared.

    Raises
    ------
    UnknownSensorError
        When there are no tables for the name.
    """
    known = camera(name)
    table = np.loadtxt(
        _DATA / "srf" / f"{known.satellite}_{known.sensor}.csv", delimiter=",", skiprows=1
    )
    wavelength = np.ascontiguousarray(table[:, 0])
    response = np.clip(table[:, 1:].T, 0.0, None)
    wavelength.setflags(write=False)
    response.setflags(write=False)
    return wavelength, response


@lru_cache(maxsize=1)
def _calibration_table() -> Mapping[str, Mapping[int, tuple[_Coefficients, ...]]]:
    """Coefficients by camera name and year, bands in file order."""
    table: dict[str, dict[int, list[_Coefficients]]] = {}
    for row in _rows(_DATA / "calibration.csv"):
        years = table.setdefault(row["sensor"] + row["camera"], {})
        years.setdefault(int(row["year"]), []).append(_coefficients(row))
    return {
        name: {year: tuple(bands) for year, bands in years.items()} for name, years in table.items()
    }


def _coefficients(row: Mapping[str, str]) -> _Coefficients:
    gain, offset, agreeing = float(row["gain"]), float(row["offset"]), int(row["n_agree"])
    match row["formula"]:
        case "L=gain*DN+offset":
            return _Coefficients(gain, offset, agreeing)
        case "L=(DN-offset)/gain":
            return _Coefficients(1.0 / gain, -offset / gain, agreeing)
        case other:
            raise CalibrationError(f"calibration.csv: formula {other!r} is not known")


def calibration(
    camera: Camera,
    year: int,
    *,
    from_xml: tuple[float, ...] | None = None,
    irradiance: Irradiance = "tsis1",
) -> Calibration:
    """Return the radiometric coefficients for scenes of one year.

    Order of trust: coefficients of the product itself, the official table of the year, the
    table of the nearest year (flag "nearest-year"; of two equally near the earlier). The flag
    "single-source" marks a table for which fewer than two transcriptions agree.

    Parameters
    ----------
    camera : Camera
        The camera, see :func:`camera`.
    year : int
        Year of acquisition.
    from_xml : tuple of float, optional
        Gains found in the product's metadata, W m-2 sr-1 um-1 per count, one a band.
    irradiance : {"tsis1", "published"}
        Solar spectrum behind ``esun``.

    Raises
    ------
    CalibrationError
        When the camera has no table, or ``from_xml`` has another number of bands or values that
        no radiance gain of this camera can have.
    """
    esun = tuple(band.esun(irradiance) for band in camera.bands)
    if from_xml is not None:
        _check_gains(camera, from_xml)
        zero = (0.0,) * len(from_xml)
        return Calibration(from_xml, zero, esun, irradiance, "product metadata", None, ())
    years = _calibration_table().get(camera.name)
    if years is None:
        raise CalibrationError(f"camera {camera.name} has no calibration table for any year")
    table_year = min(years, key=lambda candidate: (abs(candidate - year), candidate))
    rows = years[table_year]
    flags: list[CalibrationFlag] = ["nearest-year"] if table_year != year else []
    if any(row.agreeing_sources < 2 for row in rows):
        flags.append("single-source")
    return Calibration(
        slope=tuple(row.slope for row in rows),
        intercept=tuple(row.intercept for row in rows),
        esun=esun,
        irradiance=irradiance,
        source=f"official table {table_year}",
        table_year=table_year,
        flags=tuple(flags),
    )


def _check_gains(camera: Camera, gains: tuple[float, ...]) -> None:
    """Refuse gains of another count, or of the inverse or of another unit."""
    if len(gains) != len(camera.bands):
        raise CalibrationError(
            f"{camera.name}: metadata hold {len(gains)} gains, {len(camera.bands)} bands wanted"
        )
    low, high = _PLAUSIBLE_SATURATION
    for band, gain in zip(camera.bands, gains, strict=True):
        ratio = gain * camera.saturation_dn * math.pi / band.esun_tsis1
        if not low < ratio < high:
            raise CalibrationError(
                f"{camera.name} {band.name}: gain {gain} of the metadata puts a saturated pixel at "
                f"{ratio:.3g} times a white target in full sun, {low} to {high} is possible; "
                "remove the gain to use the official table"
            )
