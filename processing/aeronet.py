"""Optical depth of products against sun photometers of AERONET.

Files are those of version 3, direct sun, all points, plain or compressed by gzip. Their depths
are brought to 550 nm by the Angstrom law through the two nearest wavelengths.
"""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.windows import Window

from catalog.errors import AtmosphereError
from catalog.product import FILL, REFLECTANCE_SCALE, RESOLUTION_M
from catalog.store import Store, StoredItem
from catalog.versions import current

_MISSING: Final = -999.0
_AT_NM: Final = 550.0
_WITHIN: Final = timedelta(minutes=30)
_AROUND_M: Final = 2500.0
_LEAST_VALID: Final = 0.2
"""Share of the pixels around the site that must hold an optical depth."""
_EXPECTED: Final = (0.05, 0.15)
_DARK_TARGET: Final = (0.05, 0.20)


@dataclass(frozen=True, slots=True)
class SunPhotometer:
    """One site: its place in degrees, and AOD at 550 nm at Unix seconds, shapes (n,)."""

    name: str
    lon: float
    lat: float
    seconds: NDArray[np.float64]
    aod550: NDArray[np.float64]

    def at(self, time: datetime) -> float | None:
        """Return the mean within half an hour of a time, None without a measurement."""
        near = np.abs(self.seconds - time.timestamp()) <= _WITHIN.total_seconds()
        return float(self.aod550[near].mean()) if near.any() else None


@dataclass(frozen=True, slots=True)
class Match:
    """An item over a site: measured and ours, with our sigma where the item has it."""

    item: str
    site: str
    time: datetime
    measured: float
    ours: float
    sigma: float | None


@dataclass(frozen=True, slots=True)
class AodReport:
    """How matches agree: bias, rms and correlation, and shares in percent inside the errors.

    ``expected`` is inside 0.05 + 0.15 AOD, ``dark_target`` inside 0.05 + 0.2 AOD, ``one_sigma``
    inside our own sigma (None where no item has one). Figures are NaN where they need more
    matches.
    """

    matches: int
    bias: float
    rmse: float
    correlation: float
    expected: float
    dark_target: float
    one_sigma: float | None


def read_aeronet(path: Path) -> SunPhotometer:
    """Read a file of a site.

    Raises
    ------
    AtmosphereError
        The file cannot be read, is of another kind, or holds no measurement.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("latin-1")
    except (OSError, EOFError, zlib.error) as error:
        raise AtmosphereError(f"{path}: AERONET file cannot be read: {error}") from error
    lines = text.splitlines()
    first = next((n for n, line in enumerate(lines) if line.startswith("Date(")), None)
    if first is None:
        raise AtmosphereError(f"{path}: no line that begins with Date(; a version 3 file wanted")
    head = lines[first].split(",")
    depths = {
        n: float(name[4:-2])
        for n, name in enumerate(head)
        if name.startswith("AOD_") and name.endswith("nm")
    }
    rows = [row for row in csv.reader(io.StringIO("\n".join(lines[first + 1 :]))) if row]
    try:
        found = [
            (_seconds(row), depth)
            for row in rows
            if (depth := _at_550({depths[n]: float(row[n]) for n in depths})) is not None
        ]
        place = [head.index(f"Site_{name}(Degrees)") for name in ("Longitude", "Latitude")]
        lon, lat = (float(rows[0][n]) for n in place) if rows else (math.nan, math.nan)
    except (ValueError, IndexError) as error:
        raise AtmosphereError(
            f"{path}: a line is cut off or a column missing ({error}); fetch the file again"
        ) from error
    if not found:
        raise AtmosphereError(f"{path}: no optical depth around 550 nm in {len(rows)} lines")
    seconds, aod = np.array(found).T
    return SunPhotometer(lines[1].strip(), lon, lat, seconds, aod)


def match_items(store: Store, sites: Sequence[SunPhotometer]) -> Iterator[Match]:
    """Yield every current item over a site with a measurement within half an hour.

    The optical depth is the mean of the valid pixels within 2.5 km of the site.
    """
    for stored in current(store.items()):
        time = datetime.fromisoformat(stored.item["properties"]["datetime"])
        for site in sites:
            measured = site.at(time)
            if measured is None:
                continue
            ours = _around(store, stored, "AOD", site)
            if ours is not None:
                sigma = None
                if "AOD_uncertainty" in stored.item["assets"]:
                    sigma = _around(store, stored, "AOD_uncertainty", site)
                yield Match(str(stored.id), site.name, time, measured, ours, sigma)


def report(matches: Sequence[Match]) -> AodReport:
    """Return how matches agree, after Levy et al. (2013), AMT 6, 2989."""
    measured, ours = (
        np.array([getattr(one, name) for one in matches]) for name in ("measured", "ours")
    )
    if not matches:
        return AodReport(0, *(float("nan"),) * 5, None)
    error = ours - measured
    inside = [
        float(100 * np.mean(np.abs(error) <= a + b * measured))
        for a, b in (_EXPECTED, _DARK_TARGET)
    ]
    told = [one for one in matches if one.sigma is not None]
    one_sigma = None
    if told:
        hits = [abs(one.ours - one.measured) <= (one.sigma or 0.0) for one in told]
        one_sigma = float(100 * np.mean(hits))
    spread = len(matches) > 2 and float(np.ptp(measured)) > 0 and float(np.ptp(ours)) > 0
    return AodReport(
        matches=len(matches),
        bias=float(error.mean()),
        rmse=float(np.sqrt(np.mean(error**2))),
        correlation=float(np.corrcoef(measured, ours)[0, 1]) if spread else float("nan"),
        expected=inside[0],
        dark_target=inside[1],
        one_sigma=one_sigma,
    )


def _seconds(row: Sequence[str]) -> float:
    """Return the Unix seconds of a line; dates are written day, month, year."""
    return datetime.strptime(f"{row[0]} {row[1]}", "%d:%m:%Y %H:%M:%S").replace(
        tzinfo=UTC
    ).timestamp()  # fmt: skip


def _at_550(depths: dict[float, float]) -> float | None:
    """Return the depth at 550 nm from those by wavelength (nm), None without both sides."""
    known = {nm: depth for nm, depth in depths.items() if depth > 0 and depth != _MISSING}
    below = [nm for nm in known if nm <= _AT_NM]
    above = [nm for nm in known if nm > _AT_NM]
    if not below or not above:
        return None
    low, high = max(below), min(above)
    slope = math.log(known[high] / known[low]) / math.log(high / low)
    return float(known[low] * (_AT_NM / low) ** slope)


def _around(store: Store, stored: StoredItem, key: str, site: SunPhotometer) -> float | None:
    """Return the mean of an asset around a site, None outside the item or without pixels."""
    facts = stored.item["properties"]
    to_map = Transformer.from_crs("OGC:CRS84", facts["proj:code"], always_xy=True)
    x, y = to_map.transform(site.lon, site.lat)
    west, south, east, north = facts["proj:bbox"]
    if not (west < x < east and south < y < north):
        return None
    half = round(_AROUND_M / RESOLUTION_M)
    row, col = int((north - y) / RESOLUTION_M), int((x - west) / RESOLUTION_M)
    with rasterio.open(
        store.raster_path(f"{stored.relative}/{stored.id.file_name(key)}")
    ) as raster:
        top, left = max(row - half, 0), max(col - half, 0)
        bottom, right = min(row + half, raster.height), min(col + half, raster.width)
        values = raster.read(1, window=Window(left, top, right - left, bottom - top))
    valid = values != FILL
    if valid.mean() < _LEAST_VALID:
        return None
    return float(values[valid].mean()) * REFLECTANCE_SCALE
