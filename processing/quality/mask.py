"""The pixel classes of a whole scene, from one look at it at 32 m.

The network works at about 30 m and the geometry of shadows needs the whole scene, so both are
done once; what a tile makes of it is the work of :mod:`processing.quality.strips`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from catalog.errors import MaskError
from catalog.grid import Grid
from catalog.product import MaskClass
from processing.geometry.angles import AngleField, Angles, true_north_deg
from processing.geometry.terrain import HiddenGround
from processing.quality import rules, snow
from processing.quality.cloudbase import Rays
from processing.quality.edges import USUAL, Edges
from processing.quality.fusion import cloud_odds
from processing.quality.models import load_model
from processing.quality.network import Level, MaskModel, Probabilities, Progress, see
from processing.quality.shadows import Ground, find_shadow, grown
from processing.sensors import Camera

ANGLE_CELL = 16
"""Pixels of the look grid along one side of a cell of angles."""
ADJACENT_M = 300.0
"""Distance to a cloud up to which a pixel is flagged as adjacent."""


class Context(IntFlag):
    """What the whole scene knows about a pixel beside its class."""

    FLAT = 1
    CAN_SNOW = 2
    CLOUD_ADJACENT = 4
    TERRAIN_SHADOW = 8
    TERRAIN_OCCLUSION = 16
    UNSEEN_CLOUD = 32


@dataclass(frozen=True, slots=True)
class SceneQuality:
    """The classified scene on its look grid.

    ``cloud`` and ``shadow`` are probabilities (rows, cols), NaN = no data; ``classes``
    holds ``MaskClass`` and ``context`` ``Context`` bits, both uint8 (rows, cols).
    ``cloud_shadow_percent`` is the share of cloud and shadow among valid pixels. ``model``,
    ``model_version`` and ``model_sha256`` name the network, or say "rules". ``edges`` is what a
    tile does to the edges of clouds and shadows.
    """

    grid: Grid
    cloud: NDArray[np.floating]
    shadow: NDArray[np.floating]
    classes: NDArray[np.uint8]
    context: NDArray[np.uint8]
    cloud_shadow_percent: float
    model: str
    model_version: str
    model_sha256: str
    edges: Edges = USUAL

    @property
    def network(self) -> bool:
        """Whether a network took part."""
        return bool(self.model_sha256)

    @property
    def clear_land(self) -> NDArray[np.bool_]:
        """Land that is neither cloud, shadow, snow nor water, and not next to a cloud."""
        near = self.context & Context.CLOUD_ADJACENT != 0
        return np.asarray((self.classes == MaskClass.CLEAR) & ~near)


def look(
    toa: NDArray[np.float32],
    grid: Grid,
    angles: AngleField,
    heights: NDArray[np.float32],
    camera: Camera,
    progress: Progress | None = None,
    *,
    network: bool = True,
    month: int | None = None,
    saturated: NDArray[np.uint8] | None = None,
    hidden: HiddenGround | None = None,
    model: MaskModel | None = None,
    snow_prior: Path | None = None,
    edges: Edges = USUAL,
) -> SceneQuality:
    """Classify a whole scene.

    Parameters
    ----------
    toa
        TOA reflectance (bands, rows, cols) float32, 0-1, NaN = no data, bands of ``camera``.
    grid
        Frame of ``toa``, about 30 m.
    angles
        Sun and view angles of the scene.
    heights
        Heights (rows, cols) float32 in metres.
    camera
        Camera of the scene, for the order of its bands.
    progress
        Called with a label and the share done, 0-1.
    network
        False classifies by rules and geometry alone.
    month
        Month of the observation, 1-12, which limits where snow can lie; None leaves it open.
    saturated
        (rows, cols) uint8, bit b set where band b of ``camera`` is saturated; None nowhere.
    hidden
        Ground that relief hides from sun and sensor, on ``grid``; None nowhere.
    model
        Network to use instead of the default one.
    snow_prior
        Raster of snow cover, see `snow.chance_by_prior`; None goes by season and place alone.
    edges
        What tiles do to the edges of clouds and shadows.

    Raises
    ------
    MaskError
        Bands or shapes that do not fit together, or a sun that is nowhere above the horizon.
    """
    names = [band.name for band in camera.bands]
    _check_shapes(toa, grid, heights, camera)
    image = toa[[names.index(band) for band in ("blue", "green", "red", "nir")]]
    flat = rules.is_flat(heights, grid.resolution)
    snow_chance = _snow_chance(heights, grid, month, snow_prior)
    light = angles.on(grid.coarsen(ANGLE_CELL))
    _check_sun(light.sun_zenith)
    chosen = (model or load_model()) if network else None
    found = see(chosen, toa, names, grid, progress=progress) if chosen else None
    unsure = None if saturated is None else _red_alone(saturated, names)
    dim = None if hidden is None else hidden.shadow
    seen = classify(image, flat, snow_chance, _rays(light, grid), found, unsure, dim=dim)
    near = grown(seen.classes == MaskClass.CLOUD, round(ADJACENT_M / grid.resolution))
    return SceneQuality(
        grid,
        seen.cloud,
        seen.shadow,
        seen.classes,
        _context(flat, snow_chance >= snow.POSSIBLE, near, seen.unseen_cloud, hidden),
        cloud_shadow_percent(seen.classes),
        chosen.card.name if chosen else "rules",
        chosen.card.version if chosen else "1",
        chosen.card.sha256 if chosen else "",
        edges,
    )


def _check_shapes(
    toa: NDArray[np.float32], grid: Grid, heights: NDArray[np.float32], camera: Camera
) -> None:
    wanted = (len(camera.bands), *grid.shape)
    if toa.shape != wanted or heights.shape != grid.shape:
        raise MaskError(
            f"reflectance of shape {toa.shape} and heights of {heights.shape}: {wanted} and "
            f"{grid.shape} wanted for the bands of {camera.name} on this grid"
        )


def _check_sun(zenith_deg: NDArray[np.float32]) -> None:
    known = zenith_deg[np.isfinite(zenith_deg)]
    if not known.size or known.min() >= 90:
        seen = f"{known.min():.1f} degrees at best" if known.size else "unknown"
        raise MaskError(f"sun zenith {seen}: below 90 wanted, nothing is seen in the dark")


def cloud_shadow_percent(classes: NDArray[np.uint8]) -> float:
    """Return the share of cloud and shadow among the valid of classified pixels, 0-100.

    Parameters
    ----------
    classes
        ``MaskClass`` of each pixel; 0 percent where none is valid.
    """
    # Row by row, for it counts in integers of eight bytes.
    counts = sum(
        (np.bincount(row, minlength=len(MaskClass)) for row in classes),
        np.zeros(len(MaskClass), np.int64),
    )
    hidden = counts[MaskClass.CLOUD] + counts[MaskClass.CLOUD_SHADOW]
    return float(100 * hidden / max(counts[MaskClass.CLEAR :].sum(), 1))


@dataclass(frozen=True, slots=True)
class Classified:
    """Probabilities of cloud and shadow, float32, NaN = no data, and the classes, uint8.

    All (rows, cols); ``classes`` holds ``MaskClass``, ``unseen_cloud`` (bool) is ground that only
    a cloud beyond the edge of the image, or one that was missed, can shade.
    """

    cloud: NDArray[np.float32]
    shadow: NDArray[np.float32]
    classes: NDArray[np.uint8]
    unseen_cloud: NDArray[np.bool_]


def classify(
    image: NDArray[np.float32],
    flat: NDArray[np.bool_],
    snow_chance: NDArray[np.float32],
    rays: Rays | None,
    found: Probabilities | None,
    unsure: NDArray[np.bool_] | None = None,
    *,
    dim: NDArray[np.bool_] | None = None,
    level: Level = "TOA",
) -> Classified:
    """Classify blue, green, red and near infrared by network, rules and geometry together.

    Parameters
    ----------
    image
        Reflectance (4, rows, cols) float32, 0-1, NaN = no data, pixels of about 30 m.
    flat
        Where water can lie, (rows, cols).
    snow_chance
        Chance of snow on the ground, 0-1, (rows, cols) float32.
    rays
        Displacement of shadows; None where sun and view are unknown, then the network decides.
    found
        What the network sees; None works by rules and geometry alone.
    unsure
        (rows, cols), pixels in whose colour the network is not trusted to see a cloud.
    dim
        (rows, cols), ground in the shadow of relief; None nowhere.
    level
        What ``image`` holds.
    """
    valid = np.asarray(np.isfinite(image).all(axis=0))
    toa = image if level == "TOA" else rules.as_toa(image)
    cloud = _probability(cloud_odds(toa, snow_chance, found, unsure, level))
    white = snow.white(toa) & (snow_chance >= snow.POSSIBLE)
    water = rules.is_water(toa, flat)
    land = valid & ~(white | water | (cloud > 0.5))
    sure_water = rules.is_deep_water(toa, flat) | (water & rules.is_lit(toa, land))
    ground = Ground(
        toa[3], valid, cloud > 0.5, white, water, sure_water,
        np.zeros_like(valid) if dim is None else dim,
    )  # fmt: skip
    shadow = find_shadow(None if found is None else found.shadow, ground, rays)
    chance = shadow.probability
    classes = compose(valid, cloud > 0.5, chance > 0.5, white, water)
    return Classified(cloud, chance, classes, shadow.unseen_cloud)


def _red_alone(saturated: NDArray[np.uint8], names: Sequence[str]) -> NDArray[np.bool_]:
    """Return where red is saturated and blue is not.

    Bright sand looks like this, and as its red is cut off it has the colour of a cloud to the
    network. HOT can only be too high there, so alone it still tells the brighter clouds.
    """
    red, blue = (saturated & np.uint8(1 << names.index(name)) != 0 for name in ("red", "blue"))
    return np.asarray(red & ~blue)


def _latitude(grid: Grid) -> float:
    """Return the latitude of the middle of a grid in degrees."""
    west, south, east, north = grid.bounds
    to_degrees = Transformer.from_crs(grid.epsg, 4326, always_xy=True)
    return float(to_degrees.transform((west + east) / 2, (south + north) / 2)[1])


def _snow_chance(
    heights: NDArray[np.float32], grid: Grid, month: int | None, prior: Path | None
) -> NDArray[np.float32]:
    """Return the chance of snow on the ground, by the prior where it says something."""
    chance = snow.chance_by_season(heights, _latitude(grid), month)
    if prior is None:
        return chance
    told = snow.chance_by_prior(prior, grid)
    return np.where(np.isnan(told), chance, told)


def _probability(odds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probability (0-1) of log-odds, NaN kept."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), np.float32)


def _rays(light: Angles, grid: Grid) -> Rays:
    """Return the displacement of shadows over the cells of the scene, along the grid's axes."""
    north = true_north_deg(grid.coarsen(ANGLE_CELL))
    return Rays.of(
        (light.sun_azimuth + north, light.sun_zenith),
        (light.view_azimuth + north, light.view_zenith),
        ANGLE_CELL,
        grid.resolution,
    )


def _context(
    flat: NDArray[np.bool_],
    can_snow: NDArray[np.bool_],
    near: NDArray[np.bool_],
    unseen_cloud: NDArray[np.bool_],
    hidden: HiddenGround | None,
) -> NDArray[np.uint8]:
    """Return the ``Context`` bits of each pixel."""
    bits = flat * np.uint8(Context.FLAT)
    bits |= can_snow * np.uint8(Context.CAN_SNOW)
    bits |= near * np.uint8(Context.CLOUD_ADJACENT)
    bits |= unseen_cloud * np.uint8(Context.UNSEEN_CLOUD)
    if hidden is not None:
        bits |= hidden.shadow * np.uint8(Context.TERRAIN_SHADOW)
        bits |= hidden.occluded * np.uint8(Context.TERRAIN_OCCLUSION)
    return bits


def compose(
    valid: NDArray[np.bool_],
    cloud: NDArray[np.bool_],
    shadow: NDArray[np.bool_],
    snow: NDArray[np.bool_],
    water: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Return the class of each pixel, uint8 (rows, cols) of ``MaskClass``.

    Parameters
    ----------
    valid, cloud, shadow, snow, water
        What a pixel is, (rows, cols); where several hold, the first of fill, cloud, shadow, snow
        and water counts.
    """
    classes = np.full(valid.shape, MaskClass.CLEAR, np.uint8)
    classes[water] = MaskClass.WATER
    classes[snow] = MaskClass.SNOW
    classes[shadow] = MaskClass.CLOUD_SHADOW
    classes[cloud] = MaskClass.CLOUD
    classes[~valid] = MaskClass.FILL
    return classes
