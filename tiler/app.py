# mypy: allow-untyped-calls
"""Map tiles, TileJSON and previews of items, collections and searches.

The routes are titiler.pgstac's, less those that a sharing portal does not need: nothing takes an
address from a visitor, searches cannot be listed, and what one request can ask for is bounded.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from attrs import define
from fastapi import Depends, FastAPI, Request
from morecantile import TileMatrixSet, tms
from morecantile.defaults import TileMatrixSets
from rio_tiler.mosaic.methods import FirstMethod
from starlette.middleware.cors import CORSMiddleware
from titiler.core.factory import MultiBaseTilerFactory
from titiler.core.middleware import CacheControlMiddleware
from titiler.pgstac.db import close_db_connection, connect_to_db
from titiler.pgstac.dependencies import CollectionIdParams, ItemIdParams, SearchIdParams
from titiler.pgstac.factory import MosaicTilerFactory, add_search_register_route
from titiler.pgstac.settings import PostgresSettings

from catalog.renders import RENDERS
from catalog.stores import is_bucket, open_store
from catalog.web.reference import add_reference
from tiler.budget import Budget, FilterBudget, SearchBudget
from tiler.encode import encode
from tiler.freshness import Freshness
from tiler.limits import (
    MOSAIC_ZOOMS,
    ZOOMS,
    BoundedPart,
    BoundedPreview,
    BoundedSearch,
    BoundedTile,
    bounded_picture,
    bounded_shapes,
)
from tiler.mosaic import BoundedMosaic, ClearPixels, mosaic_reader
from tiler.queries import Said, describe, remember
from tiler.reader import Hrefs, item_reader, stored_rasters
from tiler.refusals import add_refusals
from tiler.renders import NamedRenders
from tiler.series import series_router
from tiler.settings import TilerSettings

_THREADS = 2
"""Pictures that a process draws at once: one may be read or packed while Python works on another.

More of them only take Python's lock from each other, and each wants blocks of its own.
"""
_REMOTE_THREADS = 16
"""The same for files in a bucket, which are mostly waited for."""
_DATABASE_WITHIN_S = 3.0
"""Longest wait for a connection, which titiler asks for three times; the pool's own is 30 s."""
CACHE_CONTROL = "public, max-age=3600"


class _Grids(TileMatrixSets):
    """Tile grids that are lent, not copied at each request; nobody here changes them."""

    def get(self, identifier: str) -> TileMatrixSet:
        """Return a grid."""
        grid: TileMatrixSet = self.tilematrixsets[identifier]
        return grid


GRIDS = _Grids({"WebMercatorQuad": tms.get("WebMercatorQuad")})
"""Tile grids that are served."""


@define(kw_only=True)
class _ItemTiler(MultiBaseTilerFactory):
    """Routes of one item."""

    def register_routes(self) -> None:
        """Register what the platform serves."""
        remember(self)
        self.tilesets()
        self.tile()
        self.tilejson()
        self.point()
        self.preview()
        self.part()
        self.statistics()
        describe(self.router)


@define(kw_only=True)
class _MosaicTiler(MosaicTilerFactory):
    """Routes of the items that a collection holds or a search finds."""

    def register_routes(self) -> None:
        """Register what the platform serves."""
        remember(self)
        self.tilesets()
        self.tile()
        self.tilejson()
        self.point()
        describe(self.router)


def create_app(settings: TilerSettings) -> FastAPI:
    """Return the tiler, which connects to the database when it starts.

    Parameters
    ----------
    settings
        Database, store and limits.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Hold the connections to the database while the app runs."""
        # Validated, not called: the environment has no say in it.
        database = PostgresSettings.model_validate(
            {
                "database_url": settings.database_url.get_secret_value(),
                "db_max_conn_size": settings.max_connections,
            }
        )
        await connect_to_db(app, settings=database)
        app.state.dbpool.timeout = _DATABASE_WITHIN_S
        limiter = current_default_thread_limiter()
        limiter.total_tokens = _REMOTE_THREADS if is_bucket(settings.store) else _THREADS
        yield
        await close_db_connection(app)

    app = FastAPI(
        title="gfard tiler", openapi_url="/api", docs_url=None, redoc_url=None, lifespan=lifespan
    )
    add_refusals(app)
    app.add_middleware(NamedRenders)
    app.add_middleware(Freshness)
    app.add_middleware(
        CacheControlMiddleware, cachecontrol=CACHE_CONTROL, exclude_path={r"/healthz$"}
    )
    app.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"]
    )
    _add_routes(app, settings)
    add_reference(app)
    return app


def _add_routes(app: FastAPI, settings: TilerSettings) -> None:
    """Add the routes of items, collections and searches, and two about the service."""
    hrefs = Hrefs(open_store(settings.store), settings.public_url)
    rasters = stored_rasters()
    item = _ItemTiler(
        reader=item_reader(hrefs, rasters),
        path_dependency=ItemIdParams,
        router_prefix="/collections/{collection_id}/items/{item_id}",
        img_preview_dependency=BoundedPreview,
        img_part_dependency=BoundedPart,
        supported_tms=GRIDS,
        render_func=encode,
        add_viewer=False,
    )
    collection, search = (
        _MosaicTiler(
            backend=BoundedMosaic,
            dataset_reader=mosaic_reader(hrefs, rasters),
            path_dependency=path,
            router_prefix=prefix,
            assets_accessor_dependency=BoundedSearch,
            reader_dependency=ClearPixels,
            pixel_selection_dependency=_first_pixel,
            supported_tms=GRIDS,
            render_func=encode,
            add_viewer=False,
        )
        for path, prefix in (
            (CollectionIdParams, "/collections/{collection_id}"),
            (SearchIdParams, "/searches/{search_id}"),
        )
    )
    picture = Said(bounded_picture)
    budget = Budget(settings.searches_per_minute)
    for factory, zooms, more in (
        (item, ZOOMS, ()),
        (collection, MOSAIC_ZOOMS, (Depends(FilterBudget(budget)),)),
        (search, MOSAIC_ZOOMS, ()),
    ):
        app.include_router(
            factory.router,
            prefix=factory.router_prefix,
            dependencies=[
                Depends(BoundedTile(zooms)),
                Depends(picture),
                Depends(bounded_shapes),
                *more,
            ],
        )
    app.include_router(series_router(hrefs))
    add_search_register_route(app, prefix="/searches", search_dependency=SearchBudget(budget))
    app.add_api_route("/healthz", _healthy, methods=["GET"])
    app.add_api_route("/", _landing, methods=["GET"])


def _first_pixel() -> FirstMethod:
    """Draw the first item of a mosaic at each pixel; other methods hold all items in memory."""
    return FirstMethod()


def _healthy(request: Request) -> dict[str, bool]:
    """Answer once the database answers."""
    with request.app.state.dbpool.connection(timeout=2) as connection:
        connection.execute("SELECT 1")
    return {"ok": True}


def _landing(request: Request) -> dict[str, Any]:
    """Say what is served and which pictures can be asked for by name."""
    base = str(request.base_url).rstrip("/")
    item = f"{base}/collections/{{collection_id}}/items/{{item_id}}"
    return {
        "title": request.app.title,
        "renders": {render.name: render.title for render in RENDERS},
        "tiles": f"{item}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}?render={{render}}",
        "tilejson": f"{item}/WebMercatorQuad/tilejson.json?render={{render}}",
        "preview": f"{item}/preview.webp?render={{render}}",
        "bbox": f"{item}/bbox/{{west}},{{south}},{{east}},{{north}}.webp?render={{render}}",
        "statistics": f"{item}/statistics?render={{render}}",
        "timeseries": f"{base}/collections/{{collection_id}}/timeseries?lon={{lon}}&lat={{lat}}",
        "api": f"{base}/api",
        "reference": f"{base}/api.html",
    }
