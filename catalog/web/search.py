"""Items and collections out of pgSTAC, fast.

Two things make answers fast. Items leave the database as they are stored and are completed here
(completing them in SQL takes ten times as long, ``catalog.web.pages``), and answers are written by
orjson at once instead of passing through FastAPI's encoder.
"""

from typing import Any
from urllib.parse import urljoin

import attr
import orjson
from stac_fastapi.pgstac.core import CoreCrudClient
from stac_fastapi.pgstac.models.links import (
    INFERRED_LINK_RELS,
    ItemCollectionLinks,
    PagingLinks,
    SearchLinks,
)
from stac_fastapi.pgstac.types.search import PgstacSearch
from stac_fastapi.types.errors import NotFoundError
from stac_fastapi.types.requests import get_base_url
from starlette.requests import Request
from starlette.responses import Response

from catalog.item import STAC_VERSION
from catalog.legacy import catalog_1_0, collection_1_0, item_1_0
from catalog.web import pages
from catalog.web.fields import Selection
from catalog.web.filters import parse_filter
from catalog.web.links import collection_links, landing_links
from catalog.web.profile import wants_1_0
from catalog.web.requests import from_query, phrases, prepare, within_bounds

GEOJSON = "application/geo+json"
_JSON = "application/json"


@attr.s
class FastClient(CoreCrudClient):  # type: ignore[misc]  # upstream is untyped
    """The searches of pgSTAC, answered by orjson with the media type of GeoJSON."""

    async def landing_page(self, **kwargs: Any) -> Any:
        """Return the landing page, with the collections as its children."""
        page = await super().landing_page(**kwargs)
        request: Request = kwargs["request"]
        base = get_base_url(request)
        async with request.app.state.get_connection(request, "r") as connection:
            held = await connection.fetchval("SELECT all_collections()")
        page = {
            **page,
            "stac_version": STAC_VERSION,
            "links": page["links"] + landing_links(base, held or []),
        }
        return catalog_1_0(page) if wants_1_0(request) else page

    async def all_collections(self, request: Request, **query: Any) -> Any:
        """Return the collections that a search finds."""
        if query.get("q"):
            query["q"] = phrases(query["q"])
        within_bounds(sorts=query.get("sortby") or (), names=query.get("fields") or ())
        found = await super().all_collections(request, **query)
        if isinstance(found, dict):
            found["collections"] = [
                _collection(collection, request) for collection in found["collections"]
            ]
        return found

    async def get_collection(self, collection_id: str, request: Request, **_: Any) -> Any:
        """Return one collection."""
        return _collection(await super().get_collection(collection_id, request), request)

    async def get_item(self, item_id: str, collection_id: str, request: Request, **_: Any) -> Any:
        """Return one item."""
        search = self.pgstac_search_model(ids=[item_id], collections=[collection_id], limit=1)
        found = await self.page(search, request)
        if not found["features"]:
            raise NotFoundError(f"collection {collection_id} has no item {item_id}")
        return geojson(found["features"][0])

    async def post_search(self, search_request: PgstacSearch, request: Request, **_: Any) -> Any:
        """Return the answer to a search in the body."""
        found = await self.page(search_request, request)
        found["links"] = await SearchLinks(request=request).get_links(extra_links=found["links"])
        return geojson(found)

    async def get_search(self, request: Request, **query: Any) -> Any:
        """Return the answer to a search in the query string."""
        return await self.post_search(from_query(self.pgstac_search_model, query), request)

    async def item_collection(self, collection_id: str, request: Request, **query: Any) -> Any:
        """Return the items of a collection."""
        await super().get_collection(collection_id, request)
        query |= {"collections": [collection_id]}
        found = await self.page(from_query(self.pgstac_search_model, query), request)
        links = ItemCollectionLinks(collection_id=collection_id, request=request)
        found["links"] = await links.get_links(extra_links=found["links"])
        return geojson(found)

    def _clean_search_args(
        self,
        base_args: dict[str, Any],
        filter_query: str | None = None,
        filter_lang: str | None = None,
        fields: list[str] | None = None,
        **rest: Any,
    ) -> Any:
        """Parse the filter of a search for collections within bounds."""
        fields = [name for name in fields or () if name.strip("+-")]
        clean = super()._clean_search_args(base_args, fields=fields, **rest)
        if filter_query:
            clean["filter"] = parse_filter(filter_query, filter_lang or "cql2-text")
            clean["filter_lang"] = "cql2-json"
        return clean

    async def page(
        self, search_request: PgstacSearch, request: Request, *, as_stored: bool = False
    ) -> Any:
        """Search within bounds and return a page, its items complete and linked.

        They are written for the view that the request is for, unless they are wanted as stored.
        """
        search = prepare(search_request)
        async with request.app.state.get_connection(request, "r") as connection:
            found = await pages.fetch(
                connection, search.body, search.limit, search_request.token, counted=search.counted
            )
        base, earlier = get_base_url(request), wants_1_0(request) and not as_stored
        items = (_linked(each, base) for each in found.items)
        features = [
            _chosen(_earlier(item, base) if earlier else item, search.selection) for item in items
        ]
        links = PagingLinks(request=request, next=found.following, prev=found.previous)
        matched = {} if found.matched is None else {"numberMatched": found.matched}
        return {
            "type": "FeatureCollection",
            "features": features,
            "links": await links.get_links(),
            "numberReturned": len(features),
            **matched,
        }


def geojson(answer: Any) -> Response:
    """Write an answer at once."""
    return Response(orjson.dumps(answer), media_type=GEOJSON)


def json(answer: Any) -> Response:
    """Write an answer that is no GeoJSON."""
    return Response(orjson.dumps(answer), media_type=_JSON)


def _collection(collection: dict[str, Any], request: Request) -> dict[str, Any]:
    """Link a collection, and write it as the request wants it."""
    collection["links"] += collection_links(get_base_url(request), collection["id"])
    return collection_1_0(collection) if wants_1_0(request) else collection


def _linked(item: dict[str, Any], base: str) -> dict[str, Any]:
    """Link an item to its place in the API; links of its own stay."""
    collection = {"type": _JSON, "href": f"{base}collections/{item['collection']}"}
    item["links"] = [
        {"rel": "collection", **collection},
        {"rel": "parent", **collection},
        {"rel": "root", "type": _JSON, "href": base},
        {"rel": "self", "type": GEOJSON, "href": f"{collection['href']}/items/{item['id']}"},
        *(
            link if "://" in link["href"] else {**link, "href": urljoin(base, link["href"])}
            for link in item.get("links", ())
            if link["rel"] not in INFERRED_LINK_RELS
        ),
    ]
    return item


def _earlier(item: dict[str, Any], base: str) -> dict[str, Any]:
    return item_1_0(item, f"{base}collections/{item['collection']}/items/{item['id']}/bands")


def _chosen(item: dict[str, Any], selection: Selection) -> dict[str, Any]:
    return item if selection.is_everything else selection.applied(item)
