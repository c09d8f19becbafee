# mypy: allow-untyped-calls
"""The history of a point: surface reflectance and class of every product over it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import rasterio
from fastapi import APIRouter, Path, Query, Request
from psycopg.types.json import Jsonb
from pyproj import Transformer
from rasterio.windows import Window
from rio_tiler.errors import TileOutsideBounds

from catalog.product import COLLECTIONS, FILL, REFLECTANCE_BANDS, REFLECTANCE_SCALE, MaskClass
from tiler.reader import Hrefs, MissingFileError

_LOGGER = logging.getLogger(__name__)

MAX_LOOKS = 400
"""Most products of one answer."""
_READERS = 4
_CLEAR = frozenset({MaskClass.CLEAR, MaskClass.WATER, MaskClass.SNOW})
_SATELLITES = {collection: satellite for satellite, collection in COLLECTIONS.items()}

Lon = Annotated[float, Query(ge=-180, le=180, description="Longitude, degrees")]
Lat = Annotated[float, Query(ge=-85, le=85, description="Latitude, degrees")]
Span = Annotated[
    str | None,
    Query(
        max_length=64,
        pattern=r"^[0-9TtZz:+./-]+$",
        description="Interval of RFC 3339: 2020-01-01/..",
    ),
]
Limit = Annotated[int, Query(ge=1, le=MAX_LOOKS, description="Most products, the latest first")]
Collection = Annotated[str, Path(pattern="^[0-9a-z-]+$", max_length=64)]


@dataclass(frozen=True, slots=True)
class _Product:
    """What is needed of an item to read one of its pixels."""

    id: str
    time: str
    cover: float | None
    code: str
    transform: Sequence[float]
    sr: str
    mask: str


def series_router(hrefs: Hrefs) -> APIRouter:
    """Return the route of time series; files are opened through ``hrefs`` only."""
    router = APIRouter()

    @router.get(
        "/collections/{collection_id}/timeseries",
        summary="Surface reflectance, NDVI and class at a point, product by product",
    )
    def series(
        request: Request,
        collection_id: Collection,
        lon: Lon,
        lat: Lat,
        datetime: Span = None,
        limit: Limit = MAX_LOOKS,
    ) -> dict[str, Any]:
        """Answer with the values of all products at a point, oldest first."""
        query: dict[str, Any] = {
            "collections": [collection_id],
            "intersects": {"type": "Point", "coordinates": [lon, lat]},
            "filter": {"op": "=", "args": [{"property": "deprecated"}, False]},
            "filter-lang": "cql2-json",
            "sortby": [{"field": "datetime", "direction": "desc"}],
            "limit": limit,
            "conf": {"nohydrate": False},
        }
        if datetime is not None:
            query["datetime"] = datetime
        with request.app.state.dbpool.connection() as connection:
            row = connection.execute("SELECT search(%s)", [Jsonb(query)]).fetchone()
        features = row[0]["features"]
        products = list(_products(features, hrefs))
        with ThreadPoolExecutor(_READERS) as pool:
            looks = pool.map(lambda product: _look(product, collection_id, lon, lat), products)
        found = [look for look in looks if look is not None]
        return {
            "collection": collection_id,
            "point": [lon, lat],
            "looks": found[::-1],
            "more": len(features) == limit,
        }

    return router


def _products(features: Sequence[Mapping[str, Any]], hrefs: Hrefs) -> Iterator[_Product]:
    for item in features:
        facts, assets = item["properties"], item["assets"]
        if {"SR", "mask"} <= set(assets):
            try:
                sr, mask = (hrefs.path(assets[key]["href"]) for key in ("SR", "mask"))
            except MissingFileError as error:
                _LOGGER.error("%s", error)  # the other products have their looks all the same
                continue
            yield _Product(
                item["id"], facts["datetime"], facts.get("eo:cloud_cover"), facts["proj:code"],
                facts["proj:transform"], sr, mask,
            )  # fmt: skip


def _look(product: _Product, collection: str, lon: float, lat: float) -> dict[str, Any] | None:
    """Return what a product shows of a point, None where it has no pixel there."""
    x, y = Transformer.from_crs("OGC:CRS84", product.code, always_xy=True).transform(lon, lat)
    a, _, west, _, e, north = product.transform[:6]
    col, row = int((x - west) // a), int((y - north) // e)
    try:
        code = int(_pixel(product.mask, row, col)[0])
        if code == FILL:
            return None
        values = _pixel(product.sr, row, col)
    except TileOutsideBounds:
        return None
    names = [band.name for band in REFLECTANCE_BANDS[_SATELLITES[collection]]]
    ground = {
        name: round(float(value) * REFLECTANCE_SCALE, 4)
        for name, value in zip(names, values, strict=True)
    }
    return {
        "id": product.id,
        "datetime": product.time,
        "class": MaskClass(code).name.lower(),
        "clear": code in _CLEAR,
        "reflectance": ground,
        "ndvi": _ndvi(ground["red"], ground["nir"]),
    }


def _pixel(path: str, row: int, col: int) -> np.ndarray[Any, Any]:
    with rasterio.open(path, driver="GTiff") as raster:
        if not (0 <= row < raster.height and 0 <= col < raster.width):
            raise TileOutsideBounds(f"{path}: no pixel {row}, {col}")
        pixel: np.ndarray[Any, Any] = raster.read(window=Window(col, row, 1, 1))[:, 0, 0]
        return pixel


def _ndvi(red: float, nir: float) -> float | None:
    return round((nir - red) / (nir + red), 4) if red + nir > 0 else None
