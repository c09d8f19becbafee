"""Counts over the items of a search: the aggregation extension, version 0.3.0.

The condition is the one that pgSTAC makes of a search for items; the counts are made in one
statement over its table of items, which costs a pass over the items found. Buckets of time are
years, months or days: the finest that keeps their number within bounds, unless one is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import attr
from fastapi import APIRouter, FastAPI, Query
from pydantic import BaseModel, Field
from stac_fastapi.api.models import ItemCollectionUri, create_request_model
from stac_fastapi.api.routes import create_async_endpoint
from stac_fastapi.pgstac.types.search import PgstacSearch
from stac_fastapi.types.errors import InvalidQueryParameter
from stac_fastapi.types.extension import ApiExtension
from stac_fastapi.types.requests import get_base_url
from stac_fastapi.types.search import APIRequest, BaseSearchGetRequest, str2list
from starlette.requests import Request
from starlette.responses import Response

from catalog.item import stac_time
from catalog.web.requests import from_query, prepare
from catalog.web.search import FastClient, json

CONFORMANCE = (
    "https://api.stacspec.org/v0.3.0/aggregation",
    "https://api.stacspec.org/v0.3.0/aggregation#filter",
    "https://api.stacspec.org/v0.3.0/aggregation#query",
)
_MAX_BUCKETS = 1000
_CLOUD_STEP_PERCENT = 10
_DAYS_BY_MONTH_FROM = 120
_MONTHS_BY_YEAR_FROM = 120 * 30
"""Spans in days from which time is counted by month, and by year."""

Interval = Literal["day", "month", "year"]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One aggregation: its type, what it counts by (SQL over the items), and how.

    Attributes
    ----------
    data_type
        Of the value or the keys, in the words of the extension.
    expression
        SQL over the columns of pgSTAC's items.
    buckets
        Whether items are counted by the expression; otherwise it is one value over all.
    """

    data_type: str
    expression: str
    buckets: bool = True


_CLOUD = "(content->'properties'->>'eo:cloud_cover')::float8"
AGGREGATIONS: Mapping[str, Aggregation] = {
    "total_count": Aggregation("integer", "count(*)", buckets=False),
    "datetime_min": Aggregation("datetime", "min(datetime)", buckets=False),
    "datetime_max": Aggregation("datetime", "max(datetime)", buckets=False),
    "collection_frequency": Aggregation("string", "collection"),
    "platform_frequency": Aggregation("string", "content->'properties'->>'platform'"),
    "grid_code_frequency": Aggregation("string", "content->'properties'->>'grid:code'"),
    "cloud_cover_frequency": Aggregation(
        "numeric",
        f"least(floor({_CLOUD} / {_CLOUD_STEP_PERCENT}) * {_CLOUD_STEP_PERCENT}, "
        f"{100 - _CLOUD_STEP_PERCENT})",
    ),
    "datetime_frequency": Aggregation("datetime", "date_trunc('{interval}', datetime, 'UTC')"),
}
"""What can be asked for; ``total_count`` is counted when nothing is named."""


def _names(
    val: Annotated[
        str | None,
        Query(description=f"Aggregations wanted, of {', '.join(AGGREGATIONS)}"),
    ] = None,
) -> list[str] | None:
    return str2list(val)


@attr.s
class AggregationGet(APIRequest):
    """What a query string may ask for beside the conditions of a search."""

    aggregations: list[str] | None = attr.ib(default=None, converter=_names)
    datetime_frequency_interval: Annotated[
        Interval | None, Query(description="Width of a bucket of time; chosen when not given")
    ] = attr.ib(default=None)


class AggregationPost(BaseModel):
    """The same in a body."""

    aggregations: list[str] | None = Field(None, description="Aggregations wanted")
    datetime_frequency_interval: Interval | None = Field(
        None, description="Width of a bucket of time; chosen when not given"
    )


@attr.s
class AggregationParameters(ApiExtension):
    """Brings these parameters into the request models of a search."""

    GET = AggregationGet
    POST = AggregationPost

    def register(self, app: FastAPI) -> None:
        """Add nothing: the routes are those of ``aggregation_router``."""


def aggregation_router(client: FastClient, extensions: list[ApiExtension]) -> APIRouter:
    """Return the routes of the extension.

    Parameters
    ----------
    client
        Whose search model is used.
    extensions
        Those of the search whose conditions are understood here too.
    """
    own = [*extensions, AggregationParameters()]
    get = create_request_model("AggregateGet", BaseSearchGetRequest, own, request_type="GET")
    post = create_request_model("AggregatePost", PgstacSearch, own, request_type="POST")
    within = create_request_model(
        "CollectionAggregateGet", ItemCollectionUri, own, request_type="GET"
    )

    async def get_aggregate(request: Request, **query: Any) -> Response:
        """Aggregate over all collections, or those that the search names."""
        return await _answer(request, from_query(post, query), _Wanted.of(query))

    async def post_aggregate(search: Any, request: Request) -> Response:
        """Aggregate; the conditions stand in the body."""
        return await _answer(request, search, _Wanted.of(vars(search)))

    async def collection_aggregate(request: Request, collection_id: str, **query: Any) -> Response:
        """Aggregate over one collection."""
        await client.get_collection(collection_id, request)
        search = from_query(post, {**query, "collections": [collection_id]})
        return await _answer(request, search, _Wanted.of(query))

    async def available(request: Request) -> Response:
        """List the aggregations."""
        return _available(request)

    async def collection_available(request: Request, collection_id: str) -> Response:
        """List the aggregations of one collection."""
        await client.get_collection(collection_id, request)
        return _available(request)

    router = APIRouter(tags=["Aggregation Extension"])
    router.add_api_route("/aggregate", create_async_endpoint(get_aggregate, get))
    router.add_api_route(
        "/aggregate", create_async_endpoint(post_aggregate, post), methods=["POST"]
    )
    router.add_api_route("/aggregations", available)
    router.add_api_route(
        "/collections/{collection_id}/aggregate",
        create_async_endpoint(collection_aggregate, within),
    )
    router.add_api_route("/collections/{collection_id}/aggregations", collection_available)
    return router


async def counted(
    request: Request, search: PgstacSearch, names: list[str], interval: Interval | None = None
) -> list[dict[str, Any]]:
    """Return aggregations over the items of a search.

    Raises
    ------
    InvalidQueryParameter
        An aggregation is unknown.
    """
    unknown = sorted(set(names) - set(AGGREGATIONS))
    if unknown:
        raise InvalidQueryParameter(
            f"aggregations: {unknown} unknown; wanted some of {list(AGGREGATIONS)}"
        )
    body = prepare(search).body.decode()
    async with request.app.state.get_connection(request, "r") as connection:
        where = await connection.fetchval("SELECT gfard.condition($1::text::jsonb)", body)
        if "datetime_frequency" in names and interval is None:
            interval = await _interval(connection, where)
        return [await _aggregation(connection, name, where, interval or "year") for name in names]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The aggregations of a request, and the width of its buckets of time."""

    names: list[str]
    interval: Interval | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Read what a request names; the count of all when it names nothing."""
        names = list(dict.fromkeys(given["aggregations"] or ["total_count"]))
        return cls(names, given["datetime_frequency_interval"])


async def _answer(request: Request, search: PgstacSearch, wanted: _Wanted) -> Response:
    found = await counted(request, search, wanted.names, wanted.interval)
    return _collection(request, found)


def _available(request: Request) -> Response:
    known = [{"name": name, "data_type": each.data_type} for name, each in AGGREGATIONS.items()]
    return _collection(request, known)


def _collection(request: Request, aggregations: list[dict[str, Any]]) -> Response:
    links = [
        {"rel": "root", "type": "application/json", "href": get_base_url(request)},
        {"rel": "self", "type": "application/json", "href": str(request.url)},
    ]
    answer = {"type": "AggregationCollection", "aggregations": aggregations, "links": links}
    return json(answer)


async def _interval(connection: Any, where: str) -> Interval:
    """Return the finest interval that keeps a histogram readable."""
    span = await connection.fetchval(
        f"SELECT extract(day FROM max(datetime) - min(datetime)) FROM items WHERE {where}"
    )
    days = float(span or 0)
    if days < _DAYS_BY_MONTH_FROM:
        return "day"
    return "month" if days < _MONTHS_BY_YEAR_FROM else "year"


async def _aggregation(
    connection: Any, name: str, where: str, interval: Interval
) -> dict[str, Any]:
    """Count one aggregation; ``where`` is pgSTAC's own condition, its literals quoted."""
    kind = AGGREGATIONS[name]
    expression = kind.expression.format(interval=interval)
    entry: dict[str, Any] = {"name": name, "data_type": kind.data_type}
    if not kind.buckets:
        value = await connection.fetchval(f"SELECT {expression} FROM items WHERE {where}")
        return entry | {"value": _plain(value)}
    rows = await connection.fetch(
        f"SELECT {expression} AS key, count(*) AS frequency, sum(count(*)) OVER () AS total"
        f" FROM items WHERE {where} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_MAX_BUCKETS}"
    )
    buckets = [_bucket(kind, name, row) for row in rows if row["key"] is not None]
    total = int(rows[0]["total"]) if rows else 0
    if name == "datetime_frequency":
        entry["data_type"] = f"interval_{interval}"
    return entry | {
        "buckets": sorted(buckets, key=lambda bucket: bucket.get("from", bucket["key"])),
        "overflow": total - sum(bucket["frequency"] for bucket in buckets),
    }


def _bucket(kind: Aggregation, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    key, frequency = row["key"], row["frequency"]
    bucket = {"key": str(_plain(key)), "data_type": kind.data_type, "frequency": frequency}
    if name == "cloud_cover_frequency":
        end = key + _CLOUD_STEP_PERCENT
        bucket |= {"key": f"{key:g}-{end:g}", "from": key, "to": end}
    return bucket


def _plain(value: Any) -> Any:
    """Write times as STAC does."""
    return stac_time(value.astimezone(UTC)) if isinstance(value, datetime) else value
