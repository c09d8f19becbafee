"""Directions of sun and sensor."""

from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_J2000_UNIX_S = 946_728_000.0
"""2000-01-01 12:00 UTC as seconds of the Unix clock."""
_SOLAR_PARALLAX_DEG = 8.794 / 3600


def sun_position(
    time: datetime | ArrayLike, lon: ArrayLike, lat: ArrayLike
) -> tuple[Floats, Floats]:
    """Return zenith and azimuth of the sun's centre, without refraction.

    Low-precision formula of the Astronomical Almanac (section C, "Low precision formulas for
    the Sun"), 0.01 degree from 1950 to 2050, with the parallax of the observer's place.

    Parameters
    ----------
    time
        An aware datetime, or Unix seconds (UTC) that broadcast with the place.
    lon, lat
        Degrees, east and north positive.

    Returns
    -------
    zenith_deg, azimuth_deg
        float64 degrees; azimuth clockwise from north, 0 to 360.
    """
    seconds = time.timestamp() if isinstance(time, datetime) else np.asarray(time, np.float64)
    days = (seconds - _J2000_UNIX_S) / 86400.0
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(
        280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly)
    )
    obliquity = np.radians(23.439 - 4e-7 * days)
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude))
    sidereal_deg = 280.46061837 + 360.98564736629 * days
    hour_angle = np.radians(sidereal_deg + np.asarray(lon, np.float64)) - right_ascension
    phi = np.radians(np.asarray(lat, np.float64))
    east = -np.cos(declination) * np.sin(hour_angle)
    north = np.cos(phi) * np.sin(declination) - np.sin(phi) * np.cos(declination) * np.cos(
        hour_angle
    )
    up = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    horizontal = np.hypot(east, north)
    zenith = np.degrees(np.arctan2(horizontal, up)) + _SOLAR_PARALLAX_DEG * horizontal
    azimuth = np.degrees(np.arctan2(east, north)) % 360.0
    return zenith, azimuth
