"""The STAC API as an application: stac-fastapi over pgSTAC with a login that may only read.

Its sessions write nothing, not even pgSTAC's own notes about searches. What a request may cost is
bounded: its body, items per page, size of a filter, time of a statement.
"""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from psycopg.conninfo import conninfo_to_dict
from stac_fastapi.pgstac.app import instantiate_api
from stac_fastapi.pgstac.config import PostgresSettings, ServerSettings, Settings
from stac_fastapi.pgstac.db import close_db_connection, connect_to_db
from stac_fastapi.pgstac.models.extensions import Extensions
from stac_fastapi.types.errors import InvalidQueryParameter, NotFoundError
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse, Response

from catalog.errors import CatalogError
from catalog.settings import CatalogSettings
from catalog.web import aggregations, browse, filters
from catalog.web.bands import bands_router
from catalog.web.changes import changes_router
from catalog.web.exports import add_exports
from catalog.web.extensions import (
    ENABLED,
    collection_extensions,
    item_extensions,
    search_extensions,
)
from catalog.web.heads import Heads
from catalog.web.limits import MAX_BODY, PATIENCE_S, Impatient
from catalog.web.profile import EarlierView
from catalog.web.reference import add_reference
from catalog.web.requests import MAX_CORNERS, corners, fault
from catalog.web.search import FastClient

_LOG = logging.getLogger(__name__)

_STATEMENT_TIMEOUT_MS = 20_000
_MAX_DIGITS = 18

_STATUS: dict[type[Exception], int] = {
    asyncpg.DataError: 400,
    asyncpg.SyntaxOrAccessError: 400,
    asyncpg.RaiseError: 400,
    asyncpg.InternalServerError: 400,  # how PostGIS refuses a geometry
    asyncpg.ProgramLimitExceededError: 400,
    asyncpg.QueryCanceledError: 503,
    asyncpg.InsufficientResourcesError: 503,
    asyncpg.OperatorInterventionError: 503,
    asyncpg.PostgresConnectionError: 503,
    asyncpg.InterfaceError: 503,
    OSError: 503,
    json.JSONDecodeError: 400,
    UnicodeDecodeError: 400,
    RecursionError: 400,
    InvalidQueryParameter: 400,
    NotFoundError: 404,
}
"""HTTP status of what the database and the parsers raise."""


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
        enabled_extensions=ENABLED,
        enable_transactions_extensions=False,
        enable_catalogs_extension=False,
        validate_extensions=False,
    )
    extensions = Extensions(
        search_map=search_extensions(),
        collection_search_map=collection_extensions(),
        item_collection_map=item_extensions(),
        settings=api_settings,
    )
    api = instantiate_api(
        client=FastClient,
        extensions=extensions,
        lifespan=_lifespan(settings),
        settings=api_settings,
    )
    api.client.title = settings.title
    api.client.description = api_settings.stac_fastapi_description
    api.client.landing_page_id = api_settings.stac_fastapi_landing_id
    api.client.base_conformance_classes = [
        *api.client.base_conformance_classes,
        *aggregations.CONFORMANCE,
        *browse.CONFORMANCE,
        *filters.CONFORMANCE,
    ]
    app: FastAPI = api.app
    conditions = [each for each in extensions.search if each.GET is not None]
    app.include_router(aggregations.aggregation_router(api.client, conditions))
    app.include_router(browse.browse_router(api.client))
    app.include_router(changes_router(settings.title))
    app.include_router(bands_router(api.client))
    app.add_middleware(EarlierView)
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, partial(_refuse, status))
    app.add_exception_handler(RequestValidationError, _refuse_request)
    add_exports(api)
    add_reference(app)
    app.add_middleware(Impatient, seconds=PATIENCE_S)
    app.add_middleware(Heads)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY)
    searches = [{"path": path, "method": "POST"} for path in ("/search", "/export", "/aggregate")]
    api.add_route_dependencies(searches, [Depends(_object_body)])
    return app


def _refuse(status: int, request: Request, error: Exception) -> Response:
    """Answer with the first line of an error; what is not the client's fault is logged too."""
    reason = (str(error).splitlines() or [""])[0]
    if status >= 500:
        _LOG.error("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, reason)
    return JSONResponse({"code": type(error).__name__, "description": reason}, status)


def _refuse_request(request: Request, error: Exception) -> Response:
    """Answer with what is wrong with the first parameter, without sending the request back."""
    assert isinstance(error, RequestValidationError)
    # Where a place begins with query, body or path, the client knows which one it sent.
    errors = [{**each, "loc": each["loc"][1:]} for each in error.errors()]
    return JSONResponse({"code": "InvalidRequest", "description": fault(errors)}, 400)


async def _object_body(request: Request) -> None:
    """Refuse a body that is no object, or a huge area, before upstream's validators see it."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise HTTPException(415, "the body of a search has the Content-Type application/json")
    body = json.loads(await request.body(), parse_int=_integer, parse_constant=_no_number)
    if not isinstance(body, dict):
        raise HTTPException(400, "the body of a search is a JSON object")
    if corners(body.get("intersects")) > MAX_CORNERS:
        raise HTTPException(400, f"intersects: at most {MAX_CORNERS} corners; simplify the area")


def _integer(digits: str) -> int:
    """Read a number that fits into 64 bits; links repeat the body, and orjson writes no others."""
    if len(digits) > _MAX_DIGITS:
        raise HTTPException(400, f"{digits[:30]}: integers have at most {_MAX_DIGITS} characters")
    return int(digits)


def _no_number(name: str) -> float:
    """Refuse NaN and Infinity, which Python reads though JSON knows neither."""
    raise HTTPException(400, f"{name} is no number of JSON")


def _lifespan(settings: CatalogSettings) -> Any:
    """Return a lifespan that opens a pool of read-only sessions and closes it at the end."""

    login = _login(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Hold the connections to the database while the app runs."""
        try:
            await connect_to_db(app, postgres_settings=login)
        except (OSError, asyncpg.PostgresError) as error:
            place = f"{login.pghost}:{login.pgport}/{login.pgdatabase}"
            raise CatalogError(f"database {place} is not to be reached: {error}") from error
        yield
        await close_db_connection(app)

    return lifespan


def _login(settings: CatalogSettings) -> PostgresSettings:
    parts = conninfo_to_dict(settings.database_url.get_secret_value())
    return PostgresSettings(
        pguser=parts.get("user", ""),
        pgpassword=parts.get("password", ""),
        pghost=parts.get("host", "127.0.0.1"),
        pgport=parts.get("port", 5432),
        pgdatabase=parts.get("dbname", ""),
        db_max_conn_size=settings.max_connections,
        server_settings=ServerSettings(
            application_name="gfard-api",
            statement_timeout=str(_STATEMENT_TIMEOUT_MS),
            default_transaction_read_only="on",
            max_parallel_workers_per_gather="0",  # many clients, each with one process
            **{"pgstac.readonly": "true"},
        ),
    )
