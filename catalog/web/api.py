"""The STAC API: stac-fastapi over pgSTAC with a read-only login and a fast way out.

Two things make answers fast. Items leave the database as they are stored and are completed
here (``use_api_hydrate``; completing them in SQL takes ten times as long), and answers are
written by orjson at once instead of passing through FastAPI's encoder. What a request may cost
is bounded: items per page, size of a filter, time of a statement.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import attr
import orjson
from fastapi import Depends, FastAPI, HTTPException, Request
from psycopg.conninfo import conninfo_to_dict
from stac_fastapi.pgstac.app import instantiate_api
from stac_fastapi.pgstac.config import PostgresSettings, ServerSettings, Settings
from stac_fastapi.pgstac.core import CoreCrudClient
from stac_fastapi.pgstac.db import close_db_connection, connect_to_db
from stac_fastapi.pgstac.models.extensions import Extensions
from stac_fastapi.pgstac.types.search import PgstacSearch
from starlette.responses import JSONResponse, Response

from catalog.errors import CatalogError
from catalog.item import STAC_VERSION
from catalog.settings import CatalogSettings
from catalog.web.exports import add_exports
from catalog.web.extensions import ENABLED, item_extensions, search_extensions
from catalog.web.filters import all_of, bounded, parse_filter, query_filter

_LOG = logging.getLogger(__name__)

_GEOJSON = "application/geo+json"
_MAX_ITEMS = 1000
"""Most items of one page, about 10 MB; a larger limit is cut, as the specification allows."""
_DEFAULT_ITEMS = 10
_STATEMENT_TIMEOUT_MS = 20_000

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
    orjson.JSONDecodeError: 400,
    RecursionError: 400,
}
"""HTTP status of what the database and the parsers raise."""


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

    def _clean_search_args(
        self,
        base_args: dict[str, Any],
        filter_query: str | None = None,
        filter_lang: str | None = None,
        fields: list[str] | None = None,
        **rest: Any,
    ) -> Any:
        """Parse the filter of a query string within bounds."""
        fields = [name for name in fields or () if name.strip("+-")]
        clean = super()._clean_search_args(base_args, fields=fields, **rest)
        if filter_query:
            clean["filter"] = parse_filter(filter_query, filter_lang or "cql2-text")
            clean["filter_lang"] = "cql2-json"
        return clean

    async def _search_base(self, search_request: PgstacSearch, request: Request) -> Any:
        """Search within bounds and with the settings that the server chooses.

        Whatever a body asks of pgSTAC itself (``conf``) is put aside.
        """
        counted = getattr(search_request, "context", None)
        if counted is None:
            counted = request.query_params.get("context") == "true"
        search_request.conf = {"context": "auto" if counted else "off"}
        search_request.limit = min(search_request.limit or _DEFAULT_ITEMS, _MAX_ITEMS)
        _join_conditions(search_request)
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
        enabled_extensions=ENABLED,
        enable_transactions_extensions=False,
        enable_catalogs_extension=False,
        validate_extensions=False,
    )
    api = instantiate_api(
        client=FastClient,
        extensions=Extensions(
            search_map=search_extensions(),
            item_collection_map=item_extensions(),
            settings=api_settings,
        ),
        lifespan=_lifespan(settings),
        settings=api_settings,
    )
    api.client.title = settings.title
    api.client.description = api_settings.stac_fastapi_description
    api.client.landing_page_id = api_settings.stac_fastapi_landing_id
    app: FastAPI = api.app
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, partial(_refuse, status))
    add_exports(api)
    searches = [{"path": path, "method": "POST"} for path in ("/search", "/export")]
    api.add_route_dependencies(searches, [Depends(_object_body)])
    return app


def _refuse(status: int, request: Request, error: Exception) -> Response:
    """Answer with the first line of an error; what is not the client's fault is logged too."""
    reason = (str(error).splitlines() or [""])[0]
    if status >= 500:
        _LOG.error("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, reason)
    return JSONResponse({"code": type(error).__name__, "description": reason}, status)


async def _object_body(request: Request) -> None:
    """Refuse a body that is no object before upstream's validators take it for one."""
    if not isinstance(await request.json(), dict):
        raise HTTPException(400, "the body of a search is a JSON object")


def _lifespan(settings: CatalogSettings) -> Any:
    """Return a lifespan that opens a pool of read-only sessions and closes it at the end."""

    login = _login(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
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
            application_name="gfard-api", statement_timeout=str(_STATEMENT_TIMEOUT_MS)
        ),
    )


def _join_conditions(search_request: PgstacSearch) -> None:
    """Bring filter and query of a search into one bounded filter."""
    conditions = []
    expression = search_request.filter_expr
    if isinstance(expression, str):
        conditions.append(parse_filter(expression, "cql2-text"))
    elif expression is not None:
        conditions.append(bounded(expression))
    if search_request.query is not None:
        query = query_filter(search_request.query)
        conditions += [] if query is None else [bounded(query)]
    search_request.query = None
    search_request.filter_expr = all_of(conditions)
    search_request.filter_lang = "cql2-json"


def _geojson(answer: Any) -> Response:
    """Write an answer at once; answers to ``fields`` come written, with the wrong media type."""
    if isinstance(answer, Response):
        answer.headers["content-type"] = _GEOJSON
        return answer
    return Response(orjson.dumps(answer), media_type=_GEOJSON)
