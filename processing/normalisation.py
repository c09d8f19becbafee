"""Normalisation of the official calibration: one factor a camera, band and year, as data.

The official gains jump from year to year by more than the instruments change. A table of factors
on the calibrated reflectance takes the jumps back; where nothing is known the factor is 1, with
the uncertainty that the literature gives the official calibration.
"""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from catalog.errors import CalibrationError
from processing.sensors import Calibration, Camera, camera, camera_names

DEFAULT_TABLE: Final = Path(__file__).parent / "data" / "normalisation.csv"
_COLUMNS: Final = ("camera", "band", "year", "factor", "uncertainty", "source")
_PLAUSIBLE: Final = (0.5, 2.0)
UNKNOWN: Final = 0.05
"""Relative uncertainty of the official calibration where nothing better is known: published
cross-calibrations find 4 to 5 % (Han et al. 2021, JSTARS; Feng et al. 2016, Remote Sensing 8, 411).
"""


@dataclass(frozen=True, slots=True)
class Factor:
    """What reflectance is multiplied by, its relative one sigma, and where it comes from."""

    factor: float
    uncertainty: float
    source: str


IDENTITY: Final = Factor(1.0, UNKNOWN, "identity: nothing is published")


@dataclass(frozen=True, slots=True)
class Normalisation:
    """A table of factors by camera, band and year; ``version`` names file and content."""

    version: str
    factors: Mapping[tuple[str, str, int], Factor]

    def of(self, camera: Camera, year: int) -> tuple[Factor, ...]:
        """Return the factors of a camera's bands, the identity where the table has none."""
        return tuple(
            self.factors.get((camera.name, band.name, year), IDENTITY) for band in camera.bands
        )


@lru_cache(maxsize=4)
def read_normalisation(path: Path = DEFAULT_TABLE) -> Normalisation:
    """Read a table.

    Parameters
    ----------
    path
        CSV with the columns camera, band, year, factor, uncertainty and source.

    Raises
    ------
    CalibrationError
        The file cannot be read, lacks a column, names an unknown camera or band, or holds a factor
        that no calibration error can ask for.
    """
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationError(f"{path}: normalisation table cannot be read: {error}") from error
    factors = {}
    rows = csv.DictReader(lines, restval="")
    if tuple(rows.fieldnames or ()) != _COLUMNS:
        raise CalibrationError(
            f"{path}: columns {', '.join(rows.fieldnames or ())}; {', '.join(_COLUMNS)} wanted"
        )
    for line, row in enumerate(rows, start=2):
        factors[_key(row, path, line)] = _factor(row, path, line)
    return Normalisation(f"{path.stem} {hashlib.sha256(content).hexdigest()[:12]}", factors)


def write_normalisation(path: Path, factors: Mapping[tuple[str, str, int], Factor]) -> None:
    """Write a table that `read_normalisation` reads; an existing file is replaced as a whole.

    Raises
    ------
    CalibrationError
        A factor is one that no calibration error can ask for.
    """
    for (camera_name, band, year), known in factors.items():
        _check(known, f"{camera_name} {band} {year}")
    hidden = path.with_name(f".{path.name}.part")
    with hidden.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for (camera_name, band, year), known in sorted(factors.items()):
            writer.writerow(
                (
                    camera_name,
                    band,
                    year,
                    f"{known.factor:.5f}",
                    f"{known.uncertainty:.5f}",
                    known.source,
                )
            )
    hidden.replace(path)


def updated(
    table: Normalisation, found: Iterable[tuple[tuple[str, str, int], Factor]]
) -> dict[tuple[str, str, int], Factor]:
    """Return a table's factors times those found in data that it had normalised."""
    factors = dict(table.factors)
    for key, new in found:
        old = factors.get(key, IDENTITY)
        factors[key] = Factor(old.factor * new.factor, new.uncertainty, new.source)
    return factors


def normalised(known: Calibration, table: Normalisation, camera: Camera, year: int) -> Calibration:
    """Return a calibration with a table's factors multiplied in."""
    factors = table.of(camera, year)
    values = tuple(one.factor for one in factors)
    return replace(
        known,
        slope=tuple(a * b for a, b in zip(known.slope, values, strict=True)),
        intercept=tuple(a * b for a, b in zip(known.intercept, values, strict=True)),
        normalisation=values,
        normalisation_uncertainty=tuple(one.uncertainty for one in factors),
        normalisation_version=table.version,
    )


def check_band(camera_name: str, band: str, place: str) -> None:
    """Refuse a camera or band without tables; ``place`` begins the message.

    Raises
    ------
    CalibrationError
        There is no such camera, or no such band of it.
    """
    if camera_name not in camera_names():
        known = ", ".join(camera_names())
        raise CalibrationError(f"{place}: camera {camera_name!r}; known: {known}")
    bands = [each.name for each in camera(camera_name).bands]
    if band not in bands:
        raise CalibrationError(f"{place}: band {band!r}; known: {', '.join(bands)}")


def _key(row: Mapping[str, str], path: Path, line: int) -> tuple[str, str, int]:
    check_band(row["camera"], row["band"], f"{path}:{line}")
    if not row["year"].isdigit():
        raise CalibrationError(f"{path}:{line}: year {row['year']!r}; a year like 2018 wanted")
    return row["camera"], row["band"], int(row["year"])


def _factor(row: Mapping[str, str], path: Path, line: int) -> Factor:
    try:
        known = Factor(float(row["factor"]), float(row["uncertainty"]), row["source"])
    except ValueError as error:
        raise CalibrationError(f"{path}:{line}: {error}; numbers wanted") from error
    _check(known, f"{path}:{line}")
    return known


def _check(known: Factor, place: str) -> None:
    """Refuse a factor that no calibration error can ask for."""
    low, high = _PLAUSIBLE
    if not low <= known.factor <= high or not 0 <= known.uncertainty < 1:
        raise CalibrationError(
            f"{place}: factor {known.factor:g} with uncertainty {known.uncertainty:g}; a factor "
            f"from {low} to {high} and an uncertainty from 0 to 1 wanted"
        )
