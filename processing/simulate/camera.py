"""The pushbroom camera: which ground point each pixel of an image sees.

Lines follow each other in time, columns run from the right of the flight to the left (west to
east on a descending pass). Row and column are pixel-centre indices: 0.0 is the centre of the
first pixel. A positive tilt looks to the left of the flight.
"""

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from pyproj import Transformer

from processing.simulate.arrays import Floats
from processing.simulate.orbit import (
    ALTITUDE_M,
    MEAN_EARTH_RADIUS_M,
    Orbit,
    descending_over,
)

NADIR_PIXEL_M = 16.0
TILT_DEG = {"GF1WFV1": -24.0, "GF1WFV2": -8.0, "GF1WFV3": 8.0, "GF1WFV4": 24.0, "GF6WFV": 0.0}
"""Mounting of the cameras across the flight; WFV1 is taken to look west of the track."""
WGS84_A_M = 6_378_137.0
WGS84_B_M = 6_356_752.314245
_JITTER = ((5e-7, 0.9), (2.5e-7, 3.7))
"""Attitude wobble: amplitude in rad and rate in rad/s of its terms; 1e-6 rad is 0.04 pixel."""


@cache
def _to_geodetic() -> Transformer:
    return Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)


@dataclass(frozen=True, slots=True)
class Pushbroom:
    """One image of a pushbroom camera: ``rows`` lines of ``cols`` detectors.

    ``origin_row`` and ``origin_col`` are the place of the first pixel relative to the scene's
    centre, which is seen at time 0 under ``tilt_rad``. ``phase_rad`` shifts the wobble.
    """

    orbit: Orbit
    tilt_rad: float
    rows: int
    cols: int
    origin_row: float
    origin_col: float
    phase_rad: float = 0.0

    @property
    def line_period_s(self) -> float:
        """Time from one line to the next: 16 m along the ground track."""
        return NADIR_PIXEL_M / (self.orbit.rate * MEAN_EARTH_RADIUS_M)

    def seconds(self, row: Floats) -> Floats:
        """Return the time of lines in seconds from the epoch."""
        return (np.asarray(row, np.float64) + self.origin_row) * self.line_period_s

    def rays(self, row: Floats, col: Floats) -> tuple[Floats, Floats]:
        """Return positions and unit directions of view, each (n, 3), Earth-fixed metres."""
        seconds = self.seconds(row)
        across = (np.asarray(col, np.float64) + self.origin_col) * NADIR_PIXEL_M / ALTITUDE_M
        sine, cosine = math.sin(self.tilt_rad), math.cos(self.tilt_rad)
        body = np.stack(
            [np.zeros_like(across), -(across * cosine + sine), cosine - across * sine], axis=1
        )
        body += np.cross(self._wobble(seconds), body)
        view = np.einsum("ni,nij->nj", body, self.orbit.axes(seconds))
        return self.orbit.position(seconds), view / np.linalg.norm(view, axis=1, keepdims=True)

    def ground(self, row: Floats, col: Floats, height: Floats) -> tuple[Floats, Floats]:
        """Return longitude and latitude, degrees, where rays meet ``height`` (ellipsoidal m)."""
        shape = np.broadcast_shapes(np.shape(row), np.shape(col), np.shape(height))
        flat = [
            np.broadcast_to(np.asarray(v, np.float64), shape).ravel() for v in (row, col, height)
        ]
        position, view = self.rays(flat[0], flat[1])
        lon, lat, _ = meet(position, view, flat[2])
        return lon.reshape(shape), lat.reshape(shape)

    def view_angles(self, row: Floats, col: Floats, height: Floats) -> tuple[Floats, Floats]:
        """Return zenith and azimuth (ground to sensor, clockwise from north), degrees."""
        position, view = self.rays(row, col)
        lon, lat, _ = meet(position, view, height)
        lam, phi = np.radians(lon), np.radians(lat)
        east = np.stack([-np.sin(lam), np.cos(lam), np.zeros_like(lam)], axis=1)
        up = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=1)
        north = np.cross(up, east)
        e, n, u = (-(view * axis).sum(axis=1) for axis in (east, north, up))
        return np.degrees(np.arctan2(np.hypot(e, n), u)), np.degrees(np.arctan2(e, n)) % 360

    def _wobble(self, seconds: Floats) -> Floats:
        terms = [
            [a * np.sin(w * seconds + self.phase_rad + 2.1 * axis) for a, w in _JITTER]
            for axis in range(3)
        ]
        return np.asarray(np.asarray(terms).sum(axis=1).T)


def meet(position: Floats, view: Floats, height: Floats) -> tuple[Floats, Floats, Floats]:
    """Return longitude, latitude (degrees) and height (m) where rays first reach ``height``.

    The surface of constant height is taken as the ellipsoid with both axes longer by that
    height; two corrections bring the geodetic height within a micrometre.
    """
    raised = np.asarray(height, np.float64)
    for _ in range(3):
        lon, lat, reached = _meet_ellipsoid(position, view, raised)
        raised = raised + (height - reached)
    return lon, lat, reached


def _meet_ellipsoid(
    position: Floats, view: Floats, raised: Floats
) -> tuple[Floats, Floats, Floats]:
    scale = np.stack([WGS84_A_M + raised, WGS84_A_M + raised, WGS84_B_M + raised], axis=1)
    p, v = position / scale, view / scale
    vv, pv, pp = (v * v).sum(axis=1), (p * v).sum(axis=1), (p * p).sum(axis=1)
    distance = (-pv - np.sqrt(pv * pv - vv * (pp - 1))) / vv
    point = position + distance[:, None] * view
    lon, lat, reached = _to_geodetic().transform(point[:, 0], point[:, 1], point[:, 2])
    return np.asarray(lon), np.asarray(lat), np.asarray(reached)


def aim(image: Pushbroom, lon: float, lat: float, height_m: float) -> Pushbroom:
    """Return ``image`` on the orbit from which its scene centre is seen at ``lon``, ``lat``.

    Newton steps on node and argument of latitude; the orbit of ``image`` is not used.
    """
    orbit = descending_over(lon, lat)
    centre = np.array([-image.origin_row]), np.array([-image.origin_col]), np.array([height_m])

    def miss(node: float, argument: float) -> Floats:
        """Return how far the centre is missed, degrees of longitude and latitude."""
        flown = replace(image, orbit=Orbit(node, argument))
        there = flown.ground(*centre)
        return np.array([(there[0][0] - lon + 180) % 360 - 180, there[1][0] - lat])

    state = np.array([orbit.node_rad, orbit.argument_rad])
    step = 1e-5
    for _ in range(8):
        error = miss(*state)
        slope = np.stack([(miss(*(state + step * e)) - error) / step for e in np.eye(2)], axis=1)
        state = state - np.linalg.solve(slope, error)
    return replace(image, orbit=Orbit(float(state[0]), float(state[1])))
