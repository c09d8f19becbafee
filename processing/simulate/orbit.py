"""A circular sun-synchronous orbit seen from the turning Earth.

Earth-fixed coordinates are metres in WGS84 geocentric axes (EPSG:4978). The platform axes are
x forward, y to the right of the flight, z towards the centre of the Earth.
"""

import math
from dataclasses import dataclass

import numpy as np

from processing.simulate.arrays import Floats

ALTITUDE_M = 645_000.0
INCLINATION_DEG = 98.05
MEAN_EARTH_RADIUS_M = 6_371_000.0
EARTH_RATE = 7.292115e-5
"""Turning of the Earth, rad/s."""
GRAVITY = 3.986004418e14
"""Gravitational parameter of the Earth, m3/s2."""


@dataclass(frozen=True, slots=True)
class Orbit:
    """A circular orbit around the epoch (time 0).

    ``node_rad`` is the Earth-fixed longitude of the ascending node at the epoch and
    ``argument_rad`` the angle flown since that node.
    """

    node_rad: float
    argument_rad: float
    radius_m: float = MEAN_EARTH_RADIUS_M + ALTITUDE_M
    inclination_rad: float = math.radians(INCLINATION_DEG)

    @property
    def rate(self) -> float:
        """Angular speed along the orbit, rad/s."""
        return math.sqrt(GRAVITY / self.radius_m**3)

    def position(self, seconds: Floats) -> Floats:
        """Return Earth-fixed positions, shape (n, 3), at ``seconds`` from the epoch, shape (n,)."""
        return self.radius_m * self._radial(seconds)

    def axes(self, seconds: Floats) -> Floats:
        """Return the platform axes as rows, shape (n, 3, 3), in Earth-fixed coordinates."""
        down = -self._radial(seconds)
        normal = self._normal(seconds)
        forward = np.cross(normal, -down)
        return np.stack([forward, -normal, down], axis=1)

    def _radial(self, seconds: Floats) -> Floats:
        u = self.argument_rad + self.rate * seconds
        node = self.node_rad - EARTH_RATE * seconds
        tilt = math.cos(self.inclination_rad)
        return np.stack(
            [
                np.cos(u) * np.cos(node) - np.sin(u) * tilt * np.sin(node),
                np.cos(u) * np.sin(node) + np.sin(u) * tilt * np.cos(node),
                np.sin(u) * math.sin(self.inclination_rad),
            ],
            axis=1,
        )

    def _normal(self, seconds: Floats) -> Floats:
        node = self.node_rad - EARTH_RATE * seconds
        tilt, rise = math.cos(self.inclination_rad), math.sin(self.inclination_rad)
        return np.stack(
            [rise * np.sin(node), -rise * np.cos(node), np.full_like(node, tilt)], axis=1
        )


def descending_over(lon: float, lat: float) -> Orbit:
    """Return the orbit whose descending pass is over ``lon``, ``lat`` (geocentric) at time 0."""
    rise = math.sin(math.radians(INCLINATION_DEG))
    argument = math.pi - math.asin(math.sin(math.radians(lat)) / rise)
    flown = math.atan2(
        math.sin(argument) * math.cos(math.radians(INCLINATION_DEG)), math.cos(argument)
    )
    return Orbit(math.radians(lon) - flown, argument)
