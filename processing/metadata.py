"""The metadata XML of an L1A product: flat ``<ProductMetaData>`` into typed values.

Times come back naive, because the file does not say which clock they follow; ``package``
decides that by the position of the sun. For the same reason the sun's angles are given as read.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, ElementTree

from catalog.errors import MetadataError

_LEVELS = ("L1A", "LEVEL1A")
_MAX_BYTES = 8 << 20
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_CORNERS = ("TopLeft", "TopRight", "BottomRight", "BottomLeft")
_GAIN_TAGS = ("AGain", "AbsCeof")
_ABSENT = ("", "NULL", "NONE")


@dataclass(frozen=True, slots=True)
class SceneMetadata:
    """What the metadata of one scene say.

    ``corners`` are (longitude, latitude) in degrees: upper left, upper right, lower right, lower
    left. ``solar_angle_deg`` is the tag SolarZenith, whatever it means; ``width`` and ``height``
    count pixels of the scene. ``gains`` are W m-2 sr-1 um-1 per count, one a band, None where
    the product states none.
    """

    satellite: str
    sensor: str
    product_id: str
    scene_id: str | None
    centre_time: datetime
    start_time: datetime
    end_time: datetime
    corners: tuple[tuple[float, float], ...]
    width: int
    height: int
    solar_angle_deg: float
    solar_azimuth_deg: float
    cloud_percent: float | None
    gains: tuple[float, ...] | None


def read_metadata(path: Path) -> SceneMetadata:
    """Read the metadata XML of an L1A product.

    Raises
    ------
    MetadataError
        The file cannot be read, is malformed, declares entities, is of another level, or lacks
        a needed value.
    """
    tags = _Tags(path, _leaves(path))
    level = tags.text("ProductLevel")
    if level.upper() not in _LEVELS:
        raise MetadataError(f"{path}: ProductLevel is {level!r}, one of {_LEVELS} wanted")
    start, centre, end = (tags.time(f"{moment}Time") for moment in ("Start", "Center", "End"))
    if not start <= centre <= end:
        raise MetadataError(
            f"{path}: StartTime {start}, CenterTime {centre}, EndTime {end} are not in this order"
        )
    return SceneMetadata(
        satellite=tags.text("SatelliteID").upper().replace("-", ""),
        sensor=tags.text("SensorID").upper(),
        product_id=tags.text("ProductID"),
        scene_id=tags.optional("SceneID"),
        centre_time=centre,
        start_time=start,
        end_time=end,
        corners=tuple(tags.corner(corner) for corner in _CORNERS),
        width=tags.whole("WidthInPixels"),
        height=tags.whole("HeightInPixels"),
        solar_angle_deg=tags.number("SolarZenith", 0.0, 180.0),
        solar_azimuth_deg=tags.number("SolarAzimuth", -180.0, 360.0),
        cloud_percent=_cloud_percent(tags),
        gains=_gains(tags),
    )


def _leaves(path: Path) -> Mapping[str, str]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise MetadataError(f"{path}: larger than {_MAX_BYTES} bytes, no L1A metadata")
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        raise MetadataError(f"{path}: cannot be read: {error}") from error
    except DefusedXmlException as error:
        raise MetadataError(f"{path}: declares entities, plain XML wanted: {error}") from error
    except (ParseError, ValueError) as error:
        raise MetadataError(f"{path}: is not well-formed XML: {error}") from error
    if root is None or root.tag != "ProductMetaData":
        found = None if root is None else root.tag
        raise MetadataError(f"{path}: root element is {found!r}, 'ProductMetaData' wanted")
    return {child.tag: (child.text or "").strip() for child in root.iter() if len(child) == 0}


@dataclass(frozen=True, slots=True)
class _Tags:
    """The tags of one file, read as the type wanted or refused by name."""

    path: Path
    values: Mapping[str, str]

    def optional(self, tag: str) -> str | None:
        """Return the text of a tag, or None where it says nothing."""
        value = self.values.get(tag, "")
        return None if value.upper() in _ABSENT else value

    def text(self, tag: str) -> str:
        """Return the text of a tag that must be there."""
        value = self.optional(tag)
        if value is None:
            raise MetadataError(f"{self.path}: {tag} is missing or empty")
        return value

    def number(self, tag: str, low: float, high: float) -> float:
        """Return a number between two bounds."""
        text = self.text(tag)
        value = _float(text)
        if not low <= value <= high:
            raise MetadataError(f"{self.path}: {tag} is {text!r}, {low:g} to {high:g} wanted")
        return value

    def whole(self, tag: str) -> int:
        """Return a count above 0."""
        text = self.text(tag)
        if not text.isdecimal() or int(text) == 0:
            raise MetadataError(f"{self.path}: {tag} is {text!r}, a count above 0 wanted")
        return int(text)

    def corner(self, name: str) -> tuple[float, float]:
        """Return longitude and latitude of a corner, degrees."""
        return (
            self.number(f"{name}Longitude", -180.0, 180.0),
            self.number(f"{name}Latitude", -90.0, 90.0),
        )

    def time(self, tag: str) -> datetime:
        """Read a time as naive; one that names its zone is turned to UTC first."""
        text = self.text(tag)
        try:
            value = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
        except ValueError:
            value = None
        if value is None:
            raise MetadataError(f"{self.path}: {tag} is {text!r}, 'YYYY-MM-DD HH:MM:SS' wanted")
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _cloud_percent(tags: _Tags) -> float | None:
    """Return the cloud share the producer estimated; placeholders outside 0-100 are None."""
    text = tags.optional("CloudPercent")
    value = math.nan if text is None else _float(text)
    return value if 0.0 <= value <= 100.0 else None


def _gains(tags: _Tags) -> tuple[float, ...] | None:
    """Return the product's own coefficients; a list with NULL, or of zeros, counts as absent."""
    for tag in _GAIN_TAGS:
        text = tags.optional(tag)
        words = [] if text is None else [word for word in re.split(r"[,;\s]+", text) if word]
        if not words or any(word.upper() in _ABSENT for word in words):
            continue
        gains = tuple(_float(word) for word in words)
        if any(math.isnan(gain) for gain in gains):
            raise MetadataError(f"{tags.path}: {tag} is {text!r}, a list of numbers wanted")
        if any(gains):
            return gains
    return None


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
