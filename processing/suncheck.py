"""Clock and angle sense of an L1A product, settled by the position of the sun.

No document says whether the times of the metadata are UTC or Beijing time, nor whether
SolarZenith is a zenith or an elevation. Place and time fix the sun to a hundredth of a degree,
so the reading that agrees with it is found for each product, and a product that fits none is
refused.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from catalog.errors import SunCheckError
from catalog.product import BEIJING
from processing.geometry.angles import sun_position
from processing.metadata import SceneMetadata

TimeZone = Literal["UTC", "UTC+8"]
AngleSense = Literal["zenith", "elevation"]

TOLERANCE_DEG = 1.0
_HYPOTHESES: tuple[tuple[TimeZone, AngleSense], ...] = (
    ("UTC+8", "zenith"),
    ("UTC", "zenith"),
    ("UTC+8", "elevation"),
    ("UTC", "elevation"),
)
"""The likelier first: close to 45 degrees zenith and elevation both fit and mean the same."""


@dataclass(frozen=True, slots=True)
class SunCheck:
    """The reading of time and angle that agrees with the sun, and by how much."""

    time_zone: TimeZone
    angle_sense: AngleSense
    zenith_error_deg: float
    azimuth_error_deg: float


@dataclass(frozen=True, slots=True)
class Sun:
    """Position of the sun over the scene centre under one reading of the metadata."""

    check: SunCheck
    zenith_deg: float
    azimuth_deg: float

    @property
    def fits(self) -> bool:
        """Whether both angles agree; the azimuth counts as an arc on the sky, short near zenith."""
        arc = self.check.azimuth_error_deg * math.sin(math.radians(self.zenith_deg))
        return max(self.check.zenith_error_deg, arc) <= TOLERANCE_DEG


def settle_sun(source: Path, metadata: SceneMetadata, centre: tuple[float, float]) -> Sun:
    """Find the reading of clock and angle that agrees with the sun over the scene centre.

    Parameters
    ----------
    source : Path
        The metadata file, for the message.
    metadata : SceneMetadata
        Time of the centre and the sun's angles as read.
    centre : tuple of float
        Longitude and latitude in degrees.

    Raises
    ------
    SunCheckError
        No reading agrees within a degree; the message shows all four.
    """
    candidates = [_sun_under(metadata, centre, zone, sense) for zone, sense in _HYPOTHESES]
    for candidate in candidates:
        if candidate.fits:
            return candidate
    tried = "; ".join(
        f"{sun.check.time_zone} {sun.check.angle_sense}: sun at {sun.zenith_deg:.1f}, "
        f"{sun.azimuth_deg:.1f}, off by {sun.check.zenith_error_deg:.1f}, "
        f"{sun.check.azimuth_error_deg:.1f}"
        for sun in candidates
    )
    raise SunCheckError(
        f"{source}: CenterTime {metadata.centre_time}, SolarZenith {metadata.solar_angle_deg}, "
        f"SolarAzimuth {metadata.solar_azimuth_deg} fit the sun over {centre[0]:.2f} E "
        f"{centre[1]:.2f} N under no reading (zenith, azimuth in degrees, {TOLERANCE_DEG:g} "
        f"allowed): {tried}; check the metadata"
    )


def _sun_under(
    metadata: SceneMetadata, centre: tuple[float, float], zone: TimeZone, sense: AngleSense
) -> Sun:
    zenith, azimuth = map(float, sun_position(to_utc(metadata.centre_time, zone), *centre))
    stated = metadata.solar_angle_deg
    stated_zenith = stated if sense == "zenith" else 90.0 - stated
    turn = (azimuth - metadata.solar_azimuth_deg + 180.0) % 360.0 - 180.0
    return Sun(SunCheck(zone, sense, abs(zenith - stated_zenith), abs(turn)), zenith, azimuth)


def to_utc(naive: datetime, zone: TimeZone) -> datetime:
    """Turn a naive time of the metadata into aware UTC."""
    return naive.replace(tzinfo=UTC if zone == "UTC" else BEIJING).astimezone(UTC)
