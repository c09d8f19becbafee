"""The catalogue as a tree to walk: collections, years, months, days, items.

Every item is reached by following ``child`` and ``item`` links from the landing page, however
many there are: a collection links to its years, these to months and days, and a day to its
items, each answered from counts over time.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path
from stac_fastapi.types.errors import NotFoundError
from stac_fastapi.types.requests import get_base_url
from starlette.requests import Request
from starlette.responses import Response

from catalog.item import STAC_VERSION, stac_time
from catalog.legacy import catalog_1_0
from catalog.web.aggregations import Interval, counted
from catalog.web.profile import wants_1_0
from catalog.web.search import GEOJSON, FastClient, json

CONFORMANCE = (
    "https://api.stacspec.org/v1.0.0-rc.1/browseable",
    "https://api.stacspec.org/v1.0.0-rc.1/children",
)
_JSON = "application/json"
_ITEMS_OF_A_DAY = 1000
"""Items of one day that are linked; the next page of the day has the others."""

_PARTS: Mapping[int, tuple[Interval, int]] = {0: ("year", 4), 4: ("month", 7), 7: ("day", 10)}
"""Parts of all time, "2016" and "2016-03", by its length, with the length of theirs."""

Year = Annotated[int, Path(ge=1990, le=2100)]
Month = Annotated[int, Path(ge=1, le=12)]
Day = Annotated[int, Path(ge=1, le=31)]


def browse_router(client: FastClient) -> APIRouter:
    """Return the routes of the tree below the landing page."""
    router = APIRouter(tags=["Browseable"])

    @router.get("/children", summary="The children of the landing page")
    async def children(request: Request) -> Response:
        """Answer with all collections, as children of the catalogue."""
        base = get_base_url(request)
        async with request.app.state.get_connection(request, "r") as connection:
            held = await connection.fetchval("SELECT all_collections()")
        found = [await client.get_collection(each["id"], request) for each in held or []]
        links = [
            {"rel": "root", "type": _JSON, "href": base},
            {"rel": "self", "type": _JSON, "href": f"{base}children"},
        ]
        return json({"children": found, "links": links})

    @router.get("/collections/{collection_id}/dates", summary="Years of a collection")
    async def years(request: Request, collection_id: str) -> Response:
        """Answer with a catalogue of the years in which the collection has products."""
        await client.get_collection(collection_id, request)
        return await _catalog(client, request, collection_id, "")

    @router.get("/collections/{collection_id}/dates/{year}", summary="Months of a year")
    async def months(request: Request, collection_id: str, year: Year) -> Response:
        """Answer with a catalogue of the months of a year that have products."""
        return await _catalog(client, request, collection_id, f"{year}")

    @router.get("/collections/{collection_id}/dates/{year}/{month}", summary="Days of a month")
    async def days(request: Request, collection_id: str, year: Year, month: Month) -> Response:
        """Answer with a catalogue of the days of a month that have products."""
        return await _catalog(client, request, collection_id, f"{year}-{month:02}")

    @router.get("/collections/{collection_id}/dates/{year}/{month}/{day}", summary="Items of a day")
    async def day_items(
        request: Request, collection_id: str, year: Year, month: Month, day: Day
    ) -> Response:
        """Answer with a catalogue of the products of a day."""
        return await _day(client, request, collection_id, f"{year}-{month:02}-{day:02}")

    return router


async def _catalog(client: FastClient, request: Request, collection: str, period: str) -> Response:
    """Return the catalogue of all time, of a year or of a month, with its parts that hold items."""
    parts, length = _PARTS[len(period)]
    search = client.pgstac_search_model(
        collections=[collection], **({"datetime": _span(period)} if period else {})
    )
    (found,) = await counted(request, search, ["datetime_frequency"], parts)
    children = [
        {
            "rel": "child",
            "type": _JSON,
            "href": _href(request, collection, bucket["key"][:length]),
            "title": f"{bucket['key'][:length]}: {bucket['frequency']} items",
        }
        for bucket in found["buckets"]
    ]
    if period and not children:
        raise NotFoundError(f"collection {collection} has no items of {period}")
    return _document(request, collection, period, children)


async def _day(client: FastClient, request: Request, collection: str, day: str) -> Response:
    """Return the catalogue of a day, which links to its items."""
    search = client.pgstac_search_model(
        collections=[collection], datetime=_span(day), limit=_ITEMS_OF_A_DAY,
        token=request.query_params.get("token"),
    )  # fmt: skip
    found = await client.page(search, request)
    own = f"{get_base_url(request)}collections/{collection}/items"
    items = [
        {
            "rel": "item",
            "type": GEOJSON,
            "href": f"{own}/{item['id']}",
            "title": item["properties"].get("title", item["id"]),
        }
        for item in found["features"]
    ]
    if not items:
        raise NotFoundError(f"collection {collection} has no items of {day}")
    further = [{**link, "type": _JSON} for link in found["links"] if link["rel"] == "next"]
    return _document(request, collection, day, items + further)


def _document(
    request: Request, collection: str, period: str, links: list[dict[str, Any]]
) -> Response:
    base = get_base_url(request)
    upper = period.rpartition("-")[0]
    parent = _href(request, collection, upper) if period else f"{base}collections/{collection}"
    catalog = {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": f"{collection}-{period or 'dates'}",
        "title": period or "By date",
        "description": f"Items of {collection} {f'of {period}' if period else 'by date'}.",
        "links": [
            {"rel": "root", "type": _JSON, "href": base},
            {"rel": "self", "type": _JSON, "href": _href(request, collection, period)},
            {"rel": "parent", "type": _JSON, "href": parent},
            *links,
        ],
    }
    return json(catalog_1_0(catalog) if wants_1_0(request) else catalog)


def _href(request: Request, collection: str, period: str) -> str:
    path = "".join(f"/{part}" for part in period.split("-")) if period else ""
    return f"{get_base_url(request)}collections/{collection}/dates{path}"


def _span(period: str) -> str:
    """Return a year, month or day as an interval of RFC 3339 that ends just before the next.

    Raises
    ------
    NotFoundError
        There is no such day.
    """
    parts = [int(part) for part in period.split("-")]
    year, month, day = (*parts, 1, 1)[:3]
    try:
        start = datetime(year, month, day, tzinfo=UTC)
    except ValueError as error:
        raise NotFoundError(f"{period}: {error}") from error
    widest = {1: 366, 2: 31, 3: 1}[len(parts)]
    end = start + timedelta(days=widest)
    end = end.replace(day=1) if len(parts) == 2 else end
    end = end.replace(month=1, day=1) if len(parts) == 1 and end.year > start.year else end
    return f"{stac_time(start)}/{stac_time(end - timedelta(milliseconds=1))}"
