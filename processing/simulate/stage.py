"""What is known of a scene before the image is taken: cameras, sun, rays and the ground's frame."""

import math
from dataclasses import dataclass, replace

import numpy as np
from pyproj import Transformer

from catalog.grid import Grid
from processing.simulate.arrays import Floats
from processing.simulate.camera import Pushbroom, aim
from processing.simulate.clouds import Lean, fit_lean
from processing.simulate.lattice import Lattice, map_lattice
from processing.simulate.orbit import Orbit
from processing.simulate.spec import SceneSpec
from processing.simulate.sun import Sun, sun_at

_MARGIN_PIXELS = 24
_LEAN_HEIGHT_M = 500.0
_PIXEL_M = 16.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Cameras and sun of a scene in the projection ``epsg``.

    ``whole`` sees all parts at once, ``lattice`` is its own. ``north_deg`` is the grid azimuth
    of true north at the centre, ``centre`` the scene's centre on the map.
    """

    epsg: int
    centre: tuple[float, float]
    whole: Pushbroom
    parts: tuple[Pushbroom, ...]
    lattice: Lattice
    sun: Sun
    sun_zenith_deg: float
    sun_azimuth_deg: float
    north_deg: float

    def optical_depth(self, spec: SceneSpec, x: Floats, y: Floats) -> Floats:
        """Return the aerosol optical depth at map places."""
        return spec.air.optical_depth(x - self.centre[0], y - self.centre[1])

    def grid(self, lowest_m: float, highest_m: float) -> Grid:
        """Return the 16 m grid on whole multiples of 16 m that holds all the camera can see."""
        east, north = zip(*(self.lattice.at(h) for h in (lowest_m, highest_m)), strict=True)
        ulx = math.floor(min(e.min() for e in east) / _PIXEL_M) - _MARGIN_PIXELS
        uly = math.ceil(max(n.max() for n in north) / _PIXEL_M) + _MARGIN_PIXELS
        cols = math.ceil(max(e.max() for e in east) / _PIXEL_M) + _MARGIN_PIXELS - ulx
        rows = uly - math.floor(min(n.min() for n in north) / _PIXEL_M) + _MARGIN_PIXELS
        return Grid(self.epsg, ulx * _PIXEL_M, uly * _PIXEL_M, _PIXEL_M, rows, cols)

    def sun_lean(self) -> Lean:
        """Return how the sun's rays lean over the map."""
        x, y = self.lattice.at(_LEAN_HEIGHT_M)
        lon, lat = Transformer.from_crs(self.epsg, 4326, always_xy=True).transform(x, y)
        zenith, azimuth = self.sun.angles(lon, lat)
        slope, turn = np.tan(np.radians(zenith)), np.radians(azimuth + self.north_deg)
        return fit_lean(x, y, slope * np.sin(turn), slope * np.cos(turn))

    def view_lean(self) -> Lean:
        """Return how the camera's rays lean over the map."""
        return fit_lean(*self.lattice.at(_LEAN_HEIGHT_M), *self.lattice.lean(_LEAN_HEIGHT_M))

    def view(self) -> tuple[float, float]:
        """Return view zenith and azimuth at the scene's centre by the exact ray, degrees."""
        row, col = (self.whole.rows - 1) / 2, (self.whole.cols - 1) / 2
        zenith, azimuth = self.whole.view_angles(np.array([row]), np.array([col]), np.zeros(1))
        return float(zenith[0]), float(azimuth[0])


def utm_zone(lon: float, lat: float) -> int:
    """Return the EPSG code of the UTM zone of a place."""
    return (32600 if lat >= 0 else 32700) + int((lon + 180) // 6) % 60 + 1


def set_stage(spec: SceneSpec, centre_height_m: float) -> Stage:
    """Return the stage of a scene whose centre lies at ``centre_height_m`` (ellipsoidal)."""
    lon, lat = spec.centre
    epsg = utm_zone(lon, lat)
    to_map = Transformer.from_crs(4326, epsg, always_xy=True)
    x, y = to_map.transform(lon, lat)
    nx, ny = to_map.transform(lon, lat + 1e-3)
    sun = sun_at(spec.utc)
    zenith, azimuth = sun.angles(np.array([lon]), np.array([lat]))
    whole, parts = _cameras(spec, centre_height_m)
    return Stage(
        epsg=epsg,
        centre=(float(x), float(y)),
        whole=whole,
        parts=parts,
        lattice=map_lattice(whole, epsg),
        sun=sun,
        sun_zenith_deg=float(zenith[0]),
        sun_azimuth_deg=float(azimuth[0]),
        north_deg=math.degrees(math.atan2(nx - x, ny - y)),
    )


def _cameras(spec: SceneSpec, centre_height_m: float) -> tuple[Pushbroom, tuple[Pushbroom, ...]]:
    parts = spec.facts.parts
    step = spec.cols - spec.overlap
    cols = spec.cols + (parts - 1) * step
    loose = Pushbroom(
        orbit=Orbit(0.0, 0.0),
        tilt_rad=math.radians(spec.tilt),
        rows=spec.rows,
        cols=cols,
        origin_row=-(spec.rows - 1) / 2,
        origin_col=-(cols - 1) / 2,
        phase_rad=float(spec.seed),
    )
    whole = aim(loose, *spec.centre, centre_height_m)
    first = whole.origin_col
    return whole, tuple(
        replace(whole, cols=spec.cols, origin_col=first + i * step) for i in range(parts)
    )
