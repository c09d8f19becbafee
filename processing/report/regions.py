"""Which country or continent a place lies in, as far as the published figures part them.

Outlines: Natural Earth 1:110m, Admin 0 - Countries (public domain), so borders are right to some
ten kilometres.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Final

import shapely
from shapely import MultiPolygon, Point, Polygon

_SHORE_DEG: Final = 2.0
"""A place at sea within this distance of a region counts to it."""
AT_SEA: Final = "at sea"


def region_of(lon: float, lat: float) -> str:
    """Return China, France, Brazil, or else the continent of a place; "at sea" far from land.

    Parameters
    ----------
    lon, lat
        Degrees; longitude in any turn.
    """
    place = Point((lon + 180.0) % 360.0 - 180.0, lat)
    distances = {name: shapely.distance(outline, place) for name, outline in _regions().items()}
    nearest = min(distances, key=distances.__getitem__)
    return nearest if distances[nearest] <= _SHORE_DEG else AT_SEA


@cache
def _regions() -> dict[str, MultiPolygon]:
    text = (files("processing") / "data" / "regions.json").read_text(encoding="utf-8")
    regions = json.loads(text)["regions"]
    return {
        name: MultiPolygon([Polygon(ring) for ring in rings]) for name, rings in regions.items()
    }
