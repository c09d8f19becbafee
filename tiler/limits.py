"""How much one request may ask for."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import HTTPException, Query, Request
from pydantic import Field
from titiler.core.dependencies import PartFeatureParams, PreviewParams
from titiler.pgstac.dependencies import PgSTACParams

MAX_PREVIEW = 2048
"""Most pixels along one side of a preview."""
MAX_TILE = 512
"""Most pixels along one side of a map tile."""
MAX_BUFFER = 64
"""Most pixels around a map tile."""
ZOOMS = range(6, 25)
"""Zoom levels at which an item is drawn.

Below the first a whole product is 22 pixels of a 256-pixel tile at the equator and 45 at 60
degrees, while warping it costs more with every level: the tile reaches ever farther out of the
product's UTM zone.
"""
MOSAIC_ZOOMS = range(7, 25)
"""Zoom levels at which mosaics are drawn: a tile of the first holds about ten whole products."""
NATIVE_ZOOM = 14
"""Zoom level from which a map can enlarge what it has: its pixels are finer than the product's."""
MAX_ASSETS = 4
"""Most files of one item that one picture is made of."""
MAX_BANDS = 16
"""Most bands that one picture is made of."""
MAX_FORMULA = 256
"""Most characters that say how pixels are computed."""
MAX_QUERY = 8192
"""Longest query; colours for 256 values fit."""
MAX_ITEMS = 50
"""Most items that one tile of a mosaic is made of."""

MAX_SPAN_DEG = 12.0
"""Most degrees of longitude or latitude that a piece of an item spans.

The widest products, near 84 degrees, span ten. Warping takes ever longer the farther a piece
reaches out of the product's UTM zone: for the whole world, minutes.
"""
MAX_SHAPES = 16
"""Most shapes that one request asks statistics of."""
MAX_BODY = 262_144
"""Longest body of a request, bytes: about 10,000 vertices."""

_Zoom = Annotated[int | None, Query(ge=0, lt=ZOOMS.stop)]
_Crs = Annotated[str | None, Query(pattern=r"^(?i:epsg):[0-9]{4,5}$")]
_Side = Annotated[int | None, Field(gt=0, le=MAX_PREVIEW, description="Pixels of the picture")]


@dataclass
class BoundedPreview(PreviewParams):
    """Size of a preview."""

    max_size: Annotated[
        int, Field(gt=0, le=MAX_PREVIEW, description="Pixels of the longer side")
    ] = 1024
    height: _Side = None
    width: _Side = None


@dataclass
class BoundedPart(PartFeatureParams):
    """Size of a piece of an item."""

    max_size: Annotated[
        int, Field(gt=0, le=MAX_PREVIEW, description="Pixels of the longer side")
    ] = 1024
    height: _Side = None
    width: _Side = None


@dataclass
class BoundedSearch(PgSTACParams):
    """How far a mosaic searches for items, within what pgSTAC does by default."""

    scan_limit: Annotated[int | None, Query(ge=1, le=10_000)] = None
    items_limit: Annotated[int | None, Query(ge=1, le=MAX_ITEMS)] = MAX_ITEMS
    time_limit: Annotated[int | None, Query(ge=1, le=5)] = None


class BoundedTile:
    """Dependency that refuses map tiles too large, too far out, or not of this world.

    Routes without a zoom level pass.

    Parameters
    ----------
    zooms
        Zoom levels that are drawn.
    """

    def __init__(self, zooms: range) -> None:
        self._zooms = zooms

    async def __call__(self, request: Request) -> None:
        """Refuse a tile with 404, before its numbers are used: a tile grid is slow to deepen."""
        if len(request.scope["query_string"]) > MAX_QUERY:
            raise HTTPException(414, f"a query may have {MAX_QUERY} characters")
        if "z" not in request.path_params:
            return
        try:
            z, x, y = (int(request.path_params[key]) for key in "zxy")
        except ValueError:
            return  # The route itself tells what is wrong.
        if z not in self._zooms:
            first, last = self._zooms[0], self._zooms[-1]
            raise HTTPException(404, f"zoom level {z} is not drawn; drawn: {first} to {last}")
        if not (0 <= x < 2**z and 0 <= y < 2**z):
            raise HTTPException(404, f"no tile {x}, {y} at zoom level {z}: 0 to {2**z - 1} each")


def bounded_picture(
    assets: Annotated[list[str] | None, Query(max_length=MAX_ASSETS)] = None,
    expression: Annotated[str, Query(max_length=MAX_FORMULA)] = "",
    color_formula: Annotated[str, Query(max_length=MAX_FORMULA)] = "",
    crs: _Crs = None,
    coord_crs: _Crs = None,
    dst_crs: _Crs = None,
    minzoom: _Zoom = None,
    maxzoom: _Zoom = None,
    tilesize: Annotated[int | None, Query(gt=0, le=MAX_TILE)] = None,
    buffer: Annotated[float | None, Query(gt=0, le=MAX_BUFFER)] = None,
    padding: Annotated[int | None, Query(ge=0, le=MAX_BUFFER)] = None,
    histogram_bins: Annotated[str, Query(pattern=r"^([1-9]\d{0,2}|[\d.]+(,[\d.]+)+)$")] = "10",
) -> None:
    """Refuse pictures that take many bands or long sums to make; a dependency of the routers.

    Neither is a coordinate system read from elsewhere, nor a tile grid listed beyond all use.
    """
    if not all(asset.partition("|")[0] for asset in assets or ()):
        raise HTTPException(422, "an asset without a name; wanted e.g. assets=SR|bidx=3,2,1")
    sources = [*(assets or ()), expression]
    if any(len(source) > MAX_FORMULA for source in sources):
        raise HTTPException(422, f"an asset with its options may have {MAX_FORMULA} characters")
    # Bands are listed with commas and sums with semicolons, so there are not more than these.
    bands = sum(1 + source.count(",") + source.count(";") for source in sources if source)
    if bands > MAX_BANDS:
        raise HTTPException(422, f"{bands} bands asked for, {MAX_BANDS} are drawn at most")


async def bounded_shapes(request: Request) -> None:
    """Refuse shapes without end in the body of a request; a dependency of the routers."""
    if request.method != "POST":
        return
    body = await request.body()
    if len(body) > MAX_BODY:
        raise HTTPException(413, f"a body may have {MAX_BODY} bytes")
    if body.count(b'"geometry"') > MAX_SHAPES:
        raise HTTPException(422, f"{MAX_SHAPES} shapes are measured at once")
