"""Directions of sun and sensor at the ground.

The direction to the sensor is that from the ground point of an image position to the point seen
2 km above it, so it needs nothing but the RPC; that to the sun follows from place and the time of
the image line. Both are unit vectors (east, north, up) on a coarse grid and are interpolated as
vectors: azimuths do not mix at north, nor at nadir.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from catalog.grid import Grid
from catalog.product import ANGLE_SCALE
from processing.geometry.dem import HeightModel
from processing.geometry.field import GroundField
from processing.geometry.footprint import Part

Floats = NDArray[np.float64]

_RAY_HEIGHT_M: Final = 2000.0
_BORDER_SHARE: Final = 0.25
"""How far beyond an image its RPC is followed."""
_NODE_PX: Final = 16
"""Pixels between the exact angles of the encoded asset."""
_STEEP_DEG: Final = 2.0
_SEMI_MAJOR_M: Final = 6_378_137.0
_ECCENTRICITY_2: Final = 0.006_694_379_990_14
"""WGS84."""

_J2000_UNIX_S: Final = 946_728_000.0
"""2000-01-01 12:00 UTC as seconds of the Unix clock."""
_SOLAR_PARALLAX_DEG: Final = 8.794 / 3600


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


@dataclass(frozen=True, slots=True)
class Angles:
    """Sun and view angles on a grid, each (rows, cols), float32 degrees.

    Azimuths run clockwise from north, 0 to 360; that of the view is from the ground to the
    sensor. Zeniths are at the ground.
    """

    sun_azimuth: NDArray[np.float32]
    sun_zenith: NDArray[np.float32]
    view_azimuth: NDArray[np.float32]
    view_zenith: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AngleField:
    """Directions over a piece of ground: six layers, east north up of the sun, then of the view."""

    directions: GroundField

    def on(self, grid: Grid) -> Angles:
        """Return the angles at the pixel centres of a grid of any zone and resolution."""
        sun_e, sun_n, sun_u, view_e, view_n, view_u = self.directions.on(grid)
        return Angles(
            *_azimuth_zenith(sun_e, sun_n, sun_u), *_azimuth_zenith(view_e, view_n, view_u)
        )

    def encoded(self, grid: Grid) -> NDArray[np.uint16]:
        """Return the pixels of the angle asset.

        Returns
        -------
        ndarray
            Shape (4, rows, cols): sun azimuth, sun zenith, view azimuth, view zenith in steps
            of 0.01 degree, uint16. An azimuth of 0 is written as 36000 and a zenith of 0 as 1,
            since 0 is fill.
        """
        rows, cols = (max(1, math.ceil((n - 1) / _NODE_PX)) + 1 for n in grid.shape)
        spacing = grid.resolution * _NODE_PX
        shift = (spacing - grid.resolution) / 2
        nodes = self.on(Grid(grid.epsg, grid.ulx - shift, grid.uly + shift, spacing, rows, cols))
        out = np.empty((4, *grid.shape), np.uint16)
        _encode(nodes.sun_azimuth, nodes.sun_zenith, _NODE_PX, 1.0 / ANGLE_SCALE, out[:2])
        _encode(nodes.view_azimuth, nodes.view_zenith, _NODE_PX, 1.0 / ANGLE_SCALE, out[2:])
        return out


def angle_field(
    parts: Sequence[Part],
    start_time: datetime,
    end_time: datetime,
    grid: Grid,
    heights: HeightModel,
    step_px: int = 312,
) -> AngleField:
    """Compute the directions of sun and sensor over a grid.

    Parameters
    ----------
    parts
        The images of the scene; each node of the field takes the image that lies nearest.
    start_time, end_time
        Times of the first and the last image line, aware.
    grid
        Where the field is wanted; it reaches one node beyond.
    heights
        Heights of the ground.
    step_px
        Pixels of 16 m between nodes; 312 (5 km) keeps the interpolation within 0.001 degree.
    """
    spacing = 16.0 * step_px
    coarse = _around(grid, spacing)
    lon, lat = coarse.lonlat(*np.indices(coarse.shape, np.float64))
    height = heights.on(coarse).astype(np.float64)
    view, line = _view_and_line([_looks(part, lon, lat, height) for part in parts])
    start, end = start_time.timestamp(), end_time.timestamp()
    zenith, azimuth = sun_position(start + line * (end - start), lon, lat)
    layers = np.concatenate([_unit_vectors(zenith, azimuth), view])
    return AngleField(GroundField(coarse, layers.astype(np.float32)))


def true_north_deg(cells: Grid) -> NDArray[np.float32]:
    """Return the direction of true north clockwise from grid north, degrees (rows, cols)."""
    row, col = np.indices(cells.shape, np.float64)
    lon, lat = cells.lonlat(row, col)
    row_north, col_north = cells.rowcol(lon, lat + 0.01)
    return np.degrees(np.arctan2(col_north - col, row - row_north)).astype(np.float32)


def _around(grid: Grid, spacing: float) -> Grid:
    """Return a coarse grid whose outermost cell centres lie outside ``grid``."""
    rows, cols = (math.ceil(n * grid.resolution / spacing) + 2 for n in grid.shape)
    return Grid(grid.epsg, grid.ulx - spacing, grid.uly + spacing, spacing, rows, cols)


@dataclass(frozen=True, slots=True)
class _Look:
    """How one image sees points: unit vectors (3, ...), share of its lines, pixels outside."""

    view: Floats
    line: Floats
    outside: Floats


def _looks(part: Part, lon: Floats, lat: Floats, height: Floats) -> _Look:
    """Return the directions to the sensor; far outside the image those of its border."""
    row, col = part.rpc.image(lon, lat, height)
    # An RPC may be extrapolated by a share of its image only, however small the image is.
    rows_out, cols_out = _BORDER_SHARE * part.height, _BORDER_SHARE * part.width
    inside_row = np.clip(row, -rows_out, part.height - 1 + rows_out)
    inside_col = np.clip(col, -cols_out, part.width - 1 + cols_out)
    outside = np.maximum(
        np.abs(row - np.clip(row, 0, part.height - 1)),
        np.abs(col - np.clip(col, 0, part.width - 1)),
    )
    low = part.rpc.ground(inside_row, inside_col, height)
    high = part.rpc.ground(inside_row, inside_col, height + _RAY_HEIGHT_M)
    ray = _ecef(*high, height + _RAY_HEIGHT_M) - _ecef(*low, height)
    view = np.einsum("ij...,j...->i...", _local_axes(*low), ray)
    return _Look(view / np.linalg.norm(view, axis=0), inside_row / max(part.height - 1, 1), outside)


def _view_and_line(looks: Sequence[_Look]) -> tuple[Floats, Floats]:
    """Take for each point the image in which it lies, or to which it is nearest."""
    nearest = np.argmin([look.outside for look in looks], axis=0)
    view = np.choose(nearest, [look.view for look in looks])
    return view, np.choose(nearest, [look.line for look in looks])


def _ecef(lon: Floats, lat: Floats, height: Floats) -> Floats:
    """Return geocentric coordinates, metres, first axis x y z."""
    lam, phi = np.radians(lon), np.radians(lat)
    normal = _SEMI_MAJOR_M / np.sqrt(1.0 - _ECCENTRICITY_2 * np.sin(phi) ** 2)
    across = (normal + height) * np.cos(phi)
    up = (normal * (1.0 - _ECCENTRICITY_2) + height) * np.sin(phi)
    return np.stack([across * np.cos(lam), across * np.sin(lam), up])


def _local_axes(lon: Floats, lat: Floats) -> Floats:
    """Return the unit vectors east, north, up (first axis) in geocentric x y z (second axis)."""
    lam, phi = np.radians(lon), np.radians(lat)
    zero = np.zeros_like(lam)
    return np.array([
        [-np.sin(lam), np.cos(lam), zero],
        [-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)],
        [np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)],
    ])  # fmt: skip


def _unit_vectors(zenith: Floats, azimuth: Floats) -> Floats:
    """Return east, north, up (first axis) of directions in degrees."""
    theta, alpha = np.radians(zenith), np.radians(azimuth)
    return np.stack([np.sin(theta) * np.sin(alpha), np.sin(theta) * np.cos(alpha), np.cos(theta)])


def _azimuth_zenith(
    east: NDArray[np.float32], north: NDArray[np.float32], up: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the angles of vectors, float32 degrees; azimuth from 0 to 360."""
    azimuth = np.degrees(np.arctan2(east, north)) % np.float32(360.0)
    zenith = np.degrees(np.arctan2(np.hypot(east, north), up))
    return azimuth.astype(np.float32), zenith.astype(np.float32)


@njit(cache=True, nogil=True)
def _encode(
    azimuth: NDArray[np.float32],
    zenith: NDArray[np.float32],
    step: int,
    per_degree: float,
    out: NDArray[np.uint16],
) -> None:
    """Interpolate node angles (degrees) and write them as integers above 0.

    Azimuths are unrolled around the first corner of a cell; near the vertical, where they turn
    within a cell, the horizontal components are interpolated instead.
    """
    full = per_degree * 360.0
    a, z, e, n = np.empty((2, 2)), np.empty((2, 2)), np.empty((2, 2)), np.empty((2, 2))
    for i in range(azimuth.shape[0] - 1):
        for j in range(azimuth.shape[1] - 1):
            for p in range(2):
                for q in range(2):
                    z[p, q] = zenith[i + p, j + q]
                    turn = azimuth[i + p, j + q] - azimuth[i, j]
                    a[p, q] = azimuth[i, j] + turn - 360.0 * np.round(turn / 360.0)
                    e[p, q] = np.sin(np.radians(z[p, q])) * np.sin(np.radians(a[p, q]))
                    n[p, q] = np.sin(np.radians(z[p, q])) * np.cos(np.radians(a[p, q]))
            steep = z.min() < _STEEP_DEG
            for r in range(i * step, min((i + 1) * step, out.shape[1])):
                v = r / step - i
                for c in range(j * step, min((j + 1) * step, out.shape[2])):
                    u = c / step - j
                    if steep:
                        east, north = _between(e, v, u), _between(n, v, u)
                        bearing = np.degrees(np.arctan2(east, north))
                        height = np.degrees(np.arcsin(np.hypot(east, north)))
                    else:
                        bearing, height = _between(a, v, u), _between(z, v, u)
                    steps = np.floor(bearing * per_degree + 0.5) % full
                    out[0, r, c] = full if steps == 0 else steps
                    out[1, r, c] = max(height * per_degree + 0.5, 1.0)


@njit(cache=True, nogil=True, inline="always")
def _between(corners: Floats, v: float, u: float) -> np.float64:
    """Interpolate bilinearly in a cell."""
    upper: np.float64 = corners[0, 0] + u * (corners[0, 1] - corners[0, 0])
    lower: np.float64 = corners[1, 0] + u * (corners[1, 1] - corners[1, 0])
    return upper + v * (lower - upper)
