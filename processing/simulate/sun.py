"""Where the sun stands and how far it is.

Formulas of J. Meeus, Astronomical Algorithms (2nd ed., chapters 25 and 28), in the form of the
NOAA solar calculator: good to 0.01 degree between 1950 and 2050. Refraction is left out.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from processing.simulate.arrays import Floats

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sun:
    """Apparent place of the sun at one instant.

    ``declination_deg`` and ``equation_of_time_min`` give its place in the sky anywhere,
    ``distance_au`` is the distance from the Earth.
    """

    time: datetime
    declination_deg: float
    equation_of_time_min: float
    distance_au: float

    def angles(
        self,
        lon: Floats,
        lat: Floats,
        seconds: Floats | float = 0.0,
    ) -> tuple[Floats, Floats]:
        """Return zenith and azimuth (clockwise from north) in degrees at ``lon``, ``lat``.

        ``seconds`` (under a few minutes) are added to the time.
        """
        utc = self.time.astimezone(UTC)
        minutes = utc.hour * 60 + utc.minute + (utc.second + utc.microsecond / 1e6) / 60
        shift = self.equation_of_time_min + np.asarray(seconds, np.float64) / 60
        solar_minutes = minutes + shift + 4 * np.asarray(lon, np.float64)
        hour = np.radians(solar_minutes / 4 - 180)
        phi = np.radians(np.asarray(lat, np.float64))
        delta = np.radians(self.declination_deg)
        up = np.sin(phi) * np.sin(delta) + np.cos(phi) * np.cos(delta) * np.cos(hour)
        east = -np.cos(delta) * np.sin(hour)
        north = np.cos(phi) * np.sin(delta) - np.sin(phi) * np.cos(delta) * np.cos(hour)
        zenith = np.degrees(np.arctan2(np.hypot(east, north), up))
        return zenith, np.degrees(np.arctan2(east, north)) % 360


def sun_at(time: datetime) -> Sun:
    """Return the sun at ``time`` (aware)."""
    century = (time - _J2000).total_seconds() / 86400 / 36525
    longitude = np.radians(280.46646 + century * (36000.76983 + 0.0003032 * century))
    anomaly = np.radians(357.52911 + century * (35999.05029 - 0.0001537 * century))
    eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century)
    centre = np.radians(
        np.sin(anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + np.sin(2 * anomaly) * (0.019993 - 0.000101 * century)
        + np.sin(3 * anomaly) * 0.000289
    )
    node = np.radians(125.04 - 1934.136 * century)
    apparent = longitude + centre - np.radians(0.00569 + 0.00478 * np.sin(node))
    obliquity = np.radians(23.439291 - 0.0130042 * century + 0.00256 * np.cos(node))
    distance = 1.000001018 * (1 - eccentricity**2) / (1 + eccentricity * np.cos(anomaly + centre))
    y = np.tan(obliquity / 2) ** 2
    equation = (
        y * np.sin(2 * longitude)
        - 2 * eccentricity * np.sin(anomaly)
        + 4 * eccentricity * y * np.sin(anomaly) * np.cos(2 * longitude)
        - 0.5 * y**2 * np.sin(4 * longitude)
        - 1.25 * eccentricity**2 * np.sin(2 * anomaly)
    )
    declination = np.arcsin(np.sin(obliquity) * np.sin(apparent))
    return Sun(
        time, float(np.degrees(declination)), float(4 * np.degrees(equation)), float(distance)
    )
