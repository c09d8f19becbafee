"""The product contract: assets, bands, scales, classes, quality bits and names.

Every other module takes these facts from here; none of them is written down twice.
Band centres and widths belong to the camera and live in ``processing.sensors``.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from typing import Literal, Self

from catalog.errors import ProductError

RESOLUTION_M = 16
TILE_PIXELS = 6863
"""Pixels along each side of a tile: ceil(109 800 m / 16 m)."""

REFLECTANCE_SCALE = 0.0001
ANGLE_SCALE = 0.01
FILL = 0
"""Fill value of every asset; a valid pixel is never 0."""

BEIJING = timezone(timedelta(hours=8), "UTC+8")
"""Clock of the time stamp inside product names."""

Resampling = Literal["average", "mode", "nearest"]


class MaskClass(IntEnum):
    """Values of the ``mask`` asset; of several that apply the first of ``MASK_ORDER`` is kept."""

    FILL = 0
    CLEAR = 1
    WATER = 2
    CLOUD_SHADOW = 3
    SNOW = 4
    CLOUD = 5


MASK_ORDER = (
    MaskClass.FILL,
    MaskClass.CLOUD,
    MaskClass.CLOUD_SHADOW,
    MaskClass.SNOW,
    MaskClass.WATER,
    MaskClass.CLEAR,
)

MASK_COLOURS: dict[MaskClass, tuple[int, int, int]] = {
    MaskClass.FILL: (0, 0, 0),
    MaskClass.CLEAR: (138, 180, 110),
    MaskClass.WATER: (43, 108, 176),
    MaskClass.CLOUD_SHADOW: (74, 63, 92),
    MaskClass.SNOW: (120, 220, 232),
    MaskClass.CLOUD: (245, 245, 245),
}


@dataclass(frozen=True, slots=True)
class QaField:
    """One field of the ``qa`` bit field: ``length`` bits from bit ``offset`` upwards."""

    name: str
    offset: int
    length: int
    description: str
    values: tuple[str, ...] = ("no", "yes")

    def encode(self, value: int) -> int:
        """Return the bits that stand for ``value`` in this field."""
        return value << self.offset


QA_FIELDS = (
    QaField("valid", 0, 1, "observation present (0 is fill)"),
    QaField("cloud_confidence", 1, 2, "confidence of cloud", ("none", "low", "medium", "high")),
    QaField("cloud_shadow", 3, 1, "cloud shadow"),
    QaField("snow", 4, 1, "snow or ice"),
    QaField("water", 5, 1, "water, also under cloud where known"),
    QaField("saturated", 6, 1, "at least one input band saturated"),
    QaField(
        "aerosol_source",
        7,
        2,
        "where the aerosol optical depth comes from",
        ("retrieved", "interpolated", "prior", "climatology"),
    ),
    QaField("high_aerosol", 9, 1, "aerosol optical depth above 0.5"),
    QaField(
        "clamped", 10, 1, "a reflectance at or below 0 or above 1.6, or a legal zero, was clamped"
    ),
    QaField("low_sun", 11, 1, "sun zenith above the limit"),
    QaField("terrain_shadow", 12, 1, "not directly lit because of terrain"),
    QaField("terrain_occlusion", 13, 1, "hidden from the sensor by terrain"),
    QaField("cloud_adjacent", 14, 1, "next to a cloud"),
    QaField("incomplete", 15, 1, "not every test could be made"),
)
QA = {field.name: field for field in QA_FIELDS}


@dataclass(frozen=True, slots=True)
class Band:
    """One band of an asset: its name in file and item, and its STAC ``eo`` common name."""

    name: str
    description: str
    common_name: str | None = None


_VNIR = (
    Band("blue", "blue, 450-520 nm", "blue"),
    Band("green", "green, 520-590 nm", "green"),
    Band("red", "red, 630-690 nm", "red"),
    Band("nir", "near infrared, 770-890 nm", "nir"),
)
REFLECTANCE_BANDS: dict[str, tuple[Band, ...]] = {
    "GF1": _VNIR,
    "GF6": (
        *_VNIR,
        Band("rededge071", "red edge 1, 690-730 nm", "rededge071"),
        Band("rededge075", "red edge 2, 730-770 nm", "rededge075"),
        Band("coastal", "violet, 400-450 nm", "coastal"),
        Band("yellow", "yellow, 590-630 nm", "yellow"),
    ),
}
"""Bands B1, B2 ... of each satellite in the order of the L1A file, which the product keeps."""

COLLECTIONS = {"GF1": "gf1-wfv-ard", "GF6": "gf6-wfv-ard"}
"""Collection id of each satellite."""


@dataclass(frozen=True, slots=True)
class AssetSpec:
    """What one asset of an item looks like on disk and in the item.

    ``scale`` turns stored integers into the unit (offset is always 0); None for coded values.
    """

    key: str
    title: str
    dtype: Literal["uint8", "uint16"]
    bands: tuple[Band, ...]
    scale: float | None
    unit: str | None
    roles: tuple[str, ...]
    overviews: Resampling

    @property
    def nodata(self) -> int:
        """Fill value, the same for all assets."""
        return FILL


@dataclass(frozen=True, slots=True)
class DocumentSpec:
    """What one asset of an item that is no raster looks like."""

    key: str
    title: str
    media_type: str
    roles: tuple[str, ...]


GEOMETRY = DocumentSpec(
    "geometry",
    "Accuracy of the geometry: figures, correction and matched points",
    "application/json",
    ("metadata",),
)
"""Present where the accuracy was measured; the same document in all tiles of a scene."""

_ANGLE_BANDS = (
    Band("saa", "SolarAzimuth, clockwise from north"),
    Band("sza", "SolarZenith"),
    Band("vaa", "ViewAzimuth, ground to sensor, clockwise from north"),
    Band("vza", "ViewZenith at the ground"),
)


def asset_specs(satellite: str) -> tuple[AssetSpec, ...]:
    """Return the six data assets of an item of ``satellite`` ("GF1" or "GF6")."""
    try:
        bands = REFLECTANCE_BANDS[satellite]
    except KeyError:
        known = ", ".join(REFLECTANCE_BANDS)
        raise ProductError(f"satellite {satellite!r} has no product; known: {known}") from None
    return (
        AssetSpec(
            "angle", "Sun and view angles", "uint16", _ANGLE_BANDS, ANGLE_SCALE, "degree",
            ("metadata", "sun-azimuth", "azimuth", "incidence-angle"), "nearest",
        ),
        AssetSpec(
            "TOA", "Top-of-atmosphere reflectance", "uint16", bands, REFLECTANCE_SCALE, "1",
            ("data", "reflectance", "toa"), "average",
        ),
        AssetSpec(
            "AOD", "Aerosol optical depth at 550 nm", "uint16",
            (Band("aod550", "aerosol optical depth at 550 nm"),), REFLECTANCE_SCALE, "1",
            ("data", "metadata"), "average",
        ),
        AssetSpec(
            "SR", "Surface reflectance", "uint16", bands, REFLECTANCE_SCALE, "1",
            ("data", "reflectance"), "average",
        ),
        AssetSpec(
            "mask", "Pixel classes", "uint8", (Band("mask", "pixel class"),), None, None,
            ("metadata", "cloud", "cloud-shadow", "snow-ice", "land-water"), "mode",
        ),
        AssetSpec(
            "qa", "Quality bits", "uint16", (Band("qa", "quality bit field"),), None, None,
            ("metadata", "saturation", "incomplete-testing", "cloud", "cloud-shadow", "snow-ice",
             "land-water", "terrain-shadow", "terrain-occlusion"), "nearest",
        ),
    )  # fmt: skip


def optional_specs(satellite: str) -> tuple[AssetSpec, ...]:
    """Return the assets of an item of ``satellite`` on request.

    One sigma of AOD and SR, NBAR, and by what a terrain correction multiplied SR.
    """
    of = {spec.key: spec for spec in asset_specs(satellite)}
    sigmas = (
        replace(
            of[key],
            key=f"{key}_uncertainty",
            title=f"{of[key].title}, one standard deviation",
            roles=("metadata", "uncertainty"),
        )
        for key in ("AOD", "SR")
    )
    nbar = replace(
        of["SR"], key="NBAR", title="Surface reflectance as seen from above, sun by latitude"
    )
    terrain = replace(
        of["SR"],
        key=TERRAIN_FACTOR,
        title="Factor of the terrain correction in surface reflectance",
        roles=("metadata",),
    )
    return (*sigmas, nbar, terrain)


TERRAIN_FACTOR = "terrain_factor"
"""Key of the asset that holds by what a terrain correction multiplied SR."""

_ID = re.compile(
    r"(?P<camera>GF1WFV[1-4]|GF6WFV)\.16m\.(?P<stamp>\d{13})"
    r"\.(?P<tile>\d{2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])\.(?P<version>[0-9A-Za-z]+)"
)


@dataclass(frozen=True, slots=True)
class ItemId:
    """Identity of an item: ``GF1WFV1.16m.2014206190943.31TCL.000123``.

    ``time`` is aware; the stamp inside the name is Beijing time (UTC+8) cut to the second.
    """

    camera: str
    time: datetime
    tile: str
    version: str

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ProductError(f"item time {self.time} has no time zone")
        if _ID.fullmatch(str(self)) is None:
            raise ProductError(f"{self} is not an item id: camera.16m.stamp.tile.version wanted")

    def __str__(self) -> str:
        stamp = self.time.astimezone(BEIJING).strftime("%Y%j%H%M%S")
        return f"{self.camera}.16m.{stamp}.{self.tile}.{self.version}"

    @property
    def satellite(self) -> str:
        """Satellite part of the camera name, "GF1" or "GF6"."""
        return self.camera[:3]

    @property
    def collection(self) -> str:
        """Collection that the item belongs to."""
        return COLLECTIONS[self.satellite]

    def file_name(self, asset: str) -> str:
        """Name of the file of ``asset``, e.g. ``….000123.SR.tiff``."""
        return f"{self}.{asset}.{'json' if asset == GEOMETRY.key else 'tiff'}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id; the time comes back in UTC."""
        match = _ID.fullmatch(text)
        if match is None:
            raise ProductError(f"{text!r} is not an item id: camera.16m.stamp.tile.version wanted")
        stamp = match["stamp"]
        try:
            local = datetime.strptime(stamp, "%Y%j%H%M%S").replace(tzinfo=BEIJING)
        except ValueError as error:
            raise ProductError(f"{text!r}: time stamp {stamp} is no date") from error
        if local.strftime("%Y%j%H%M%S") != stamp:  # strptime takes day 366 of any year
            raise ProductError(f"{text!r}: time stamp {stamp} is no date")
        return cls(match["camera"], local.astimezone(UTC), match["tile"], match["version"])
