"""The STAC API: stac-fastapi over pgSTAC with a read-only login and a fast way out.

Two things make answers fast. Items leave the database as they are stored and are completed
here (``use_api_hydrate``; completing them in SQL takes ten times as long), and answers are
written by orjson at once instead of passing through FastAPI's encoder.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import attr
import orjson
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field
from stac_fastapi.pgstac.app import instantiate_api
from stac_fastapi.pgstac.config import PostgresSettings, Settings
from stac_fastapi.pgstac.core import CoreCrudClient
from stac_fastapi.pgstac.db import close_db_connection, connect_to_db
from stac_fastapi.pgstac.models.extensions import Extensions
from stac_fastapi.pgstac.types.search import PgstacSearch
from stac_fastapi.types.extension import ApiExtension
from stac_fastapi.types.search import APIRequest
from starlette.responses import Response

from catalog.errors import CatalogError
from catalog.item import STAC_VERSION
from catalog.settings import CatalogSettings

_GEOJSON = "application/geo+json"
_EXTENSIONS = (
    "collection_search",
    "context",
    "fields",
    "filter",
    "free_text",
    "pagination",
    "sort",
)
"""What is advertised. The query extension is not: pgSTAC knows half of its operators."""


@attr.s
class ContextGet(APIRequest):
    """``?context=true`` on a GET search."""

    context: Annotated[
        bool | None, Query(description="Count the matching items into numberMatched")
    ] = attr.ib(default=None)


class ContextPost(BaseModel):
    """``"context": true`` in the body of a search."""

    context: bool | None = Field(None, description="Count the matching items into numberMatched")


@attr.s
class ContextExtension(ApiExtension):
    """``numberMatched`` on request: counting costs time, so it is off unless asked for."""

    GET = ContextGet
    POST = ContextPost

    conformance_classes: list[str] = attr.ib(factory=list)
    schema_href: str | None = attr.ib(default=None)

    def register(self, app: FastAPI) -> None:
        """Add nothing to the application: the request models carry it all."""


@attr.s
class FastClient(CoreCrudClient):  # type: ignore[misc]  # upstream is untyped
    """The search of pgSTAC, answered by orjson with the media type of GeoJSON."""

    async def landing_page(self, **kwargs: Any) -> Any:
        """Return the landing page, which speaks the STAC version of the items."""
        page = await super().landing_page(**kwargs)
        return {**page, "stac_version": STAC_VERSION}

    async def get_item(self, item_id: str, collection_id: str, request: Request, **_: Any) -> Any:
        """Return one item."""
        return _geojson(await super().get_item(item_id, collection_id, request))

    async def post_search(self, search_request: PgstacSearch, request: Request, **_: Any) -> Any:
        """Return the answer to a search in the body."""
        return _geojson(await super().post_search(search_request, request))

    async def get_search(self, request: Request, **query: Any) -> Any:
        """Return the answer to a search in the query string."""
        return _geojson(await super().get_search(request, **query))

    async def item_collection(self, collection_id: str, request: Request, **query: Any) -> Any:
        """Return the items of a collection."""
        return _geojson(await super().item_collection(collection_id, request, **query))

    async def _search_base(self, search_request: PgstacSearch, request: Request) -> Any:
        """Search with the settings that the server chooses, whatever a body asks of pgSTAC."""
        counted = getattr(search_request, "context", None)
        if counted is None:
            counted = request.query_params.get("context") == "true"
        search_request.conf = {"context": "auto" if counted else "off"}
        return await super()._search_base(search_request, request)


def create_app(settings: CatalogSettings) -> FastAPI:
    """Return the STAC API as an ASGI application with its own lifespan.

    It is served below a prefix by an ASGI server or dispatcher that sets ``root_path`` and
    leaves ``path`` whole.
    """
    api_settings = Settings(
        stac_fastapi_title=settings.title,
        stac_fastapi_description="STAC API of the Gaofen 16 m Analysis Ready Data platform",
        stac_fastapi_version="1.0.0",
        stac_fastapi_landing_id="gfard",
        root_path="",
        prefix_path="",
        use_api_hydrate=True,
        enabled_extensions=_EXTENSIONS,
        enable_transactions_extensions=False,
        enable_catalogs_extension=False,
        validate_extensions=False,
    )
    context = {"context": ContextExtension()}
    api = instantiate_api(
        client=FastClient,
        extensions=Extensions(
            search_map=context, item_collection_map=context, settings=api_settings
        ),
        lifespan=_lifespan(settings),
        settings=api_settings,
    )
    api.client.title = settings.title
    api.client.description = api_settings.stac_fastapi_description
    api.client.landing_page_id = api_settings.stac_fastapi_landing_id
    app: FastAPI = api.app
    return app


def _lifespan(settings: CatalogSettings) -> Any:
    """Return a lifespan that opens a pool of read-only sessions and closes it at the end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            await connect_to_db(app, postgres_settings=_login(settings))
        except OSError as error:
            place = urlsplit(settings.database_url.get_secret_value())
            raise CatalogError(
                f"database {place.hostname}:{place.port}{place.path} is not to be reached: {error}"
            ) from error
        yield
        await close_db_connection(app)

    return lifespan


def _login(settings: CatalogSettings) -> PostgresSettings:
    url = urlsplit(settings.database_url.get_secret_value())
    return PostgresSettings(
        pguser=url.username,
        pgpassword=url.password or "",
        pghost=url.hostname,
        pgport=url.port or 5432,
        pgdatabase=url.path.lstrip("/"),
        db_max_conn_size=settings.max_connections,
    )


def _geojson(answer: Any) -> Response:
    """Write an answer at once; answers to ``fields`` come written, with the wrong media type."""
    if isinstance(answer, Response):
        answer.headers["content-type"] = _GEOJSON
        return answer
    return Response(orjson.dumps(answer), media_type=_GEOJSON)
