"""The air of one scene: aerosol field, gases, and the terms of 6SV all over its image."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processing.sensors import spectral_response
from processing.simulate.arrays import Floats
from processing.simulate.camera import Pushbroom
from processing.simulate.lattice import NODE_STEP, Lattice
from processing.simulate.sixs import Sky, SkyQuery, skies
from processing.simulate.sun import Sun

_NODE_DEG = 5.0
"""View zenith between neighbouring columns of nodes, at most."""
_NODE_LINES = 6000
_NODE_AOD = 0.1
"""Optical depth between neighbouring nodes, at most; a straight line there errs by 1e-4."""
NODE_HEIGHTS_M = (0.0, 1000.0)
"""Ground heights for which 6SV is run; terms follow the pressure between and beyond."""
_SCALE_HEIGHT_M = 8434.0
_GRADIENT_M = 100_000.0


@dataclass(frozen=True, slots=True)
class Air:
    """The state of the air: aerosol model, optical depth at 550 nm, ozone and water vapour.

    The optical depth is ``aod`` at the scene's centre and changes by ``east`` and ``north``
    over 100 km, with a gentle wave of a tenth of itself on top. With ``adjacency`` scattered
    light brings the surroundings into each pixel.
    """

    aod: float
    east: float = 0.0
    north: float = 0.0
    aerosol: str = "continental"
    ozone_du: float = 300.0
    water_g_cm2: float = 2.0
    adjacency: bool = False

    def optical_depth(self, east_m: Floats, north_m: Floats) -> Floats:
        """Return the aerosol optical depth at places in metres from the scene's centre."""
        slope = (self.east * east_m + self.north * north_m) / _GRADIENT_M
        wave = 0.1 * self.aod * np.sin(east_m / 9000 + 0.6) * np.cos(north_m / 11000)
        return np.maximum(0.005, self.aod + slope + wave)


@dataclass(frozen=True, slots=True)
class SceneAir:
    """Terms of 6SV on the image lattice, and the sun's zenith there.

    ``terms`` (2 heights, 5, bands, nodes, nodes): path, gain, sky albedo, unscattered shares of
    the way down and up, at ``NODE_HEIGHTS_M``; ``sun_zenith_deg`` (nodes, nodes);
    ``surround`` (bands, nodes, nodes) the reflectance around, or None without adjacency.
    """

    terms: NDArray[np.float32]
    sun_zenith_deg: Floats
    surround: Floats | None
    cols: int

    def top_of_atmosphere(
        self,
        first_row: int,
        surface: NDArray[np.float32],
        *,
        height: NDArray[np.float32],
        shadow: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the reflectance seen above a cloudless sky, shape of ``surface``.

        ``surface`` (bands, rows, cols) is reflectance 0-1; ``height`` metres and ``shadow`` 0-1
        (rows, cols). Path and gain follow the pressure at the pixel's height.
        """
        low, high = self._spread(self.terms, first_row, surface.shape[1])
        pressure = [math.exp(-h / _SCALE_HEIGHT_M) for h in NODE_HEIGHTS_M]
        part = (pressure[0] - np.exp(-height / _SCALE_HEIGHT_M)) / (pressure[0] - pressure[1])
        path, gain, albedo, down, up = low + part.astype(np.float32) * (high - low)
        lit = surface * (1 - down * shadow)
        around = lit
        if self.surround is not None:
            around = self._spread(self.surround, first_row, surface.shape[1])
        seen = up * lit + (1 - up) * around
        return np.asarray(path + gain * seen / (1 - albedo * around), np.float32)

    def cos_sun_zenith(self, first_row: int, rows: int) -> NDArray[np.float32]:
        """Return the cosine of the sun's zenith, shape (rows, cols)."""
        return self._spread(np.cos(np.radians(self.sun_zenith_deg)), first_row, rows)

    def _spread(self, nodes: Floats, first_row: int, rows: int) -> NDArray[np.float32]:
        """Interpolate the last two axes of ``nodes`` to pixels of some rows."""
        down = _linear_weights((first_row + np.arange(rows)) / NODE_STEP, nodes.shape[-2])
        across = _linear_weights(np.arange(self.cols) / NODE_STEP, nodes.shape[-1])
        spread = down.astype(np.float32) @ nodes.astype(np.float32) @ across.T.astype(np.float32)
        return np.asarray(spread, np.float32)


def _linear_weights(at: Floats, nodes: int) -> Floats:
    left = np.clip(np.floor(at).astype(int), 0, nodes - 2)
    weights = np.zeros((len(at), nodes))
    index = np.arange(len(at))
    weights[index, left] = 1 - (at - left)
    weights[index, left + 1] = at - left
    return weights


@dataclass(frozen=True, slots=True)
class AirNodes:
    """6SV at a few places of the whole image, ready to be interpolated.

    ``terms`` (2 heights, 5, bands, aod nodes, node rows, node cols) at the lines ``rows``, the
    columns ``cols`` and the optical depths ``aods``.
    """

    terms: Floats
    rows: Floats
    cols: Floats
    aods: Floats

    def at(self, row: Floats, col: Floats, aod: Floats) -> Floats:
        """Return the terms (2, 5, bands, rows, cols) at lattice nodes; ``aod`` (rows, cols).

        Linear between the nodes in the image and in the optical depth.
        """
        down, across = _between(self.rows, row), _between(self.cols, col)
        fields = np.einsum("ij,habkjl,ml->habkim", down, self.terms, across)
        low = np.clip(np.searchsorted(self.aods, aod) - 1, 0, len(self.aods) - 2)
        part = (aod - self.aods[low]) / (self.aods[low + 1] - self.aods[low])
        steps = np.arange(len(self.aods))[:, None, None]
        weights = (1 - part) * (steps == low) + part * (steps == low + 1)
        return np.asarray(np.einsum("habkim,kim->habim", fields, weights))


def _between(nodes: Floats, at: Floats) -> Floats:
    if len(nodes) == 1:
        return np.ones((len(at), 1))
    return _linear_weights(np.interp(at, nodes, np.arange(len(nodes))), len(nodes))


@dataclass(frozen=True, slots=True)
class AirPlan:
    """Where 6SV is asked: the runs in the order heights, bands, aods, rows, cols."""

    queries: tuple[SkyQuery, ...]
    rows: Floats
    cols: Floats
    aods: Floats
    bands: int


def plan_air(
    camera_name: str, whole: Pushbroom, air: Air, sun: Sun, *, aod_range: tuple[float, float]
) -> AirPlan:
    """Return the runs that a scene needs; ``aod_range`` holds the optical depths inside it."""
    rows, cols = _image_nodes(whole)
    aods = np.linspace(*aod_range, 2 + int(np.ptp(aod_range) / _NODE_AOD)).round(4)
    bands = len(spectral_response(camera_name)[1])
    geometry = _geometry(whole, sun, rows, cols)
    queries = tuple(
        SkyQuery(
            camera_name, band, air.aerosol, float(aod), air.ozone_du, air.water_g_cm2, height, *at
        )
        for height in NODE_HEIGHTS_M
        for band in range(bands)
        for aod in aods
        for at in geometry
    )
    return AirPlan(queries, rows, cols, aods, bands)


def air_nodes(plan: AirPlan, memory: Path | None, progress: Callable[[float], None]) -> AirNodes:
    """Return the answers of 6SV, from tables or by running it."""
    found = _stacked(skies(plan.queries, memory, progress))
    shape = 5, 2, plan.bands, len(plan.aods), len(plan.rows), len(plan.cols)
    terms = found.reshape(shape).swapaxes(0, 1)
    return AirNodes(terms, plan.rows, plan.cols, plan.aods)


def _stacked(found: Sequence[Sky]) -> Floats:
    return np.array([[s.path, s.gain, s.albedo, s.direct_down, s.direct_up] for s in found]).T


def _image_nodes(whole: Pushbroom) -> tuple[Floats, Floats]:
    middle = np.array([(whole.rows - 1) / 2])
    edges = np.array([0.0, whole.cols - 1.0])
    zenith, azimuth = whole.view_angles(np.repeat(middle, 2), edges, np.zeros(2))
    sides = np.cos(np.radians(azimuth[0] - azimuth[1]))
    spread = abs(zenith[0] - zenith[1]) if sides > 0 else zenith.sum()
    cols = np.linspace(0, whole.cols - 1, 2 + int(spread / _NODE_DEG))
    lines = 1 + whole.rows // _NODE_LINES
    rows = middle if lines == 1 else np.linspace(0, whole.rows - 1, lines)
    return rows, cols


def _geometry(
    whole: Pushbroom, sun: Sun, rows: Floats, cols: Floats
) -> list[tuple[float, float, float]]:
    row, col = (v.ravel() for v in np.meshgrid(rows, cols, indexing="ij"))
    height = np.full(row.size, sum(NODE_HEIGHTS_M) / 2)
    zenith, azimuth = whole.view_angles(row, col, height)
    lon, lat = whole.ground(row, col, height)
    sun_zenith, sun_azimuth = sun.angles(lon, lat, whole.seconds(row))
    relative = abs((sun_azimuth - azimuth + 180) % 360 - 180)
    return [
        (round(float(s), 2), round(float(v), 2), round(float(r), 2))
        for s, v, r in zip(sun_zenith, zenith, relative, strict=True)
    ]


def scene_air(
    nodes: AirNodes,
    part: Pushbroom,
    lattice: Lattice,
    first_col: float,
    aod: Floats,
    sun: Sun,
    surround: Floats | None,
) -> SceneAir:
    """Return the air over one part, whose first column is ``first_col`` of the whole image.

    ``aod`` is the optical depth at the nodes of ``lattice``, shape (nodes, nodes); ``surround``
    the reflectance around them, shape (bands, nodes, nodes), or None without adjacency.
    """
    row = np.arange(lattice.x.shape[1]) * float(NODE_STEP)
    col = np.arange(lattice.x.shape[2]) * float(NODE_STEP)
    terms = nodes.at(row, col + first_col, aod).astype(np.float32)
    height = np.array(sum(NODE_HEIGHTS_M) / 2)
    lon, lat = part.ground(row[:, None], col[None, :], height)
    zenith, _ = sun.angles(lon, lat, part.seconds(row)[:, None])
    return SceneAir(terms, zenith, surround, part.cols)
