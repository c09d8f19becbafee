"""Whether the heights given suit the scene: what they leave out, and whether they can be true."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from catalog.errors import DemError
from processing.geometry.dem import HeightModel, extent
from processing.geometry.footprint import Part
from processing.geometry.rpc import Floats, Rpc

_NODES: Final = 65
"""Points along each side of an image at which the heights are looked at."""
_LOWEST_M: Final = -600.0
_HIGHEST_M: Final = 9000.0
"""The ground of the Earth, ellipsoidal, from the Dead Sea to Everest, with room."""
_RANGE_MARGIN_M: Final = 200.0
_WORTH_SAYING: Final = 0.001
"""Share of the scene from which gaps are mentioned."""


def height_notes(parts: Sequence[Part], heights: HeightModel) -> tuple[str, ...]:
    """Return what a user ought to know of the heights under a scene, one sentence each.

    Parameters
    ----------
    parts
        The images of the scene.
    heights
        Heights of the ground.

    Raises
    ------
    DemError
        Heights no ground on Earth has (another unit, another band, or an unmarked void), or voids
        alone.
    """
    if heights.flat:
        return ("no heights were given: the ellipsoid was used, relief is not corrected",)
    lon, lat, height = _under(parts, heights)
    if height.min() < _LOWEST_M or height.max() > _HIGHEST_M:
        raise DemError(
            f"{heights.source}: heights from {height.min():.0f} to {height.max():.0f} m in the "
            f"scene; {_LOWEST_M:.0f} to {_HIGHEST_M:.0f} m above the ellipsoid wanted: check unit "
            "and nodata value"
        )
    notes = [*_outside_rpc([part.rpc for part in parts], height)]
    uncovered = float(heights.gaps(lon, lat).mean())
    if uncovered > _WORTH_SAYING:
        notes.append(
            f"no file of heights covers {100 * uncovered:.1f} % of the scene: sea level was used"
        )
    void = heights.void_share(extent(lon, lat))
    if void == 1.0:
        raise DemError(
            f"{heights.source}: nothing but voids in the scene; give heights of that place, or none"
        )
    if void > _WORTH_SAYING:
        notes.append(
            f"{100 * void:.1f} % of the heights are voids: they were filled from around them"
        )
    return tuple(notes)


def _under(parts: Sequence[Part], heights: HeightModel) -> tuple[Floats, Floats, Floats]:
    """Return longitude, latitude and height of points all over the images."""
    share = np.linspace(0.0, 1.0, _NODES)
    lon, lat = (
        np.concatenate(axis)
        for axis in zip(
            *(
                part.rpc.ground(
                    share[:, None] * (part.height - 1) + 0 * share,
                    share * (part.width - 1) + 0 * share[:, None],
                    part.rpc.height_offset,
                )
                for part in parts
            ),
            strict=True,
        )
    )
    return lon, lat, heights.heights(lon, lat).astype(np.float64)


def _outside_rpc(rpcs: Sequence[Rpc], height: Floats) -> tuple[str, ...]:
    """Say where the ground leaves the heights for which the RPC was made."""
    low = min(rpc.height_offset - rpc.height_scale for rpc in rpcs)
    high = max(rpc.height_offset + rpc.height_scale for rpc in rpcs)
    if height.min() >= low - _RANGE_MARGIN_M and height.max() <= high + _RANGE_MARGIN_M:
        return ()
    return (
        f"the ground from {height.min():.0f} to {height.max():.0f} m leaves the heights of the "
        f"RPC, {low:.0f} to {high:.0f} m: the location is extrapolated there",
    )
