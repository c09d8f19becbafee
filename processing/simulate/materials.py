"""What the made land consists of: spectra, and the share of each material through the year."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from processing.sensors import spectral_response
from processing.simulate.arrays import Floats

_DATA = Path(__file__).parents[1] / "data" / "simulate"
_SHIFTS = 21
"""Parcels of one kind run up to ten days ahead of or behind the calendar."""


@dataclass(frozen=True, slots=True)
class Library:
    """Spectra of the materials: ``reflectance`` (materials, wavelengths), 0-1."""

    materials: tuple[str, ...]
    wavelength_nm: Floats
    reflectance: Floats

    def in_bands(self, camera_name: str) -> Floats:
        """Return the reflectance each band of a camera sees, shape (materials, bands)."""
        wavelength, response = spectral_response(camera_name)
        fine = np.stack([np.interp(wavelength, self.wavelength_nm, r) for r in self.reflectance])
        return np.asarray(fine @ response.T / response.sum(axis=1))


def _rows(name: str) -> list[list[str]]:
    with (_DATA / name).open(newline="") as file:
        return list(csv.reader(line for line in file if not line.startswith("#")))


@cache
def library() -> Library:
    """Return the materials of the package."""
    header, *body = _rows("spectra.csv")
    table = np.asarray(body, np.float64)
    return Library(tuple(header[1:]), table[:, 0], table[:, 1:].T)


@cache
def kinds() -> tuple[str, ...]:
    """Return the kinds of land of the calendar, in its order."""
    return tuple(dict.fromkeys(row[0] for row in _rows("cover.csv")[1:]))


def cover(day_of_year: int) -> Floats:
    """Return the shares on a day, shape (kinds, 21 shifts of -10 to 10 days, materials + 1).

    The last share is soil, which each parcel mixes of its own.
    """
    header, *body = _rows("cover.csv")
    names = (*library().materials, "soil")
    shares = np.zeros((len(kinds()), _SHIFTS, len(names)))
    days = day_of_year + np.arange(_SHIFTS) - _SHIFTS // 2
    for index, kind in enumerate(kinds()):
        rows = [row for row in body if row[0] == kind]
        knots = [float(row[1]) for row in rows]
        for column, material in enumerate(header[2:], start=2):
            values = [float(row[column]) for row in rows]
            shares[index, :, names.index(material)] = np.interp(days, knots, values)
    return shares
