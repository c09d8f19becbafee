"""Extensions of the STAC API that go beyond, or mend, those of stac-fastapi.pgstac."""

from typing import Annotated, Any

import attr
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field, StringConstraints
from stac_fastapi.extensions.fields import FieldsConformanceClasses, FieldsExtension
from stac_fastapi.extensions.fields.request import PostFieldsExtension
from stac_fastapi.extensions.filter import (
    CollectionSearchFilterExtension,
    ItemCollectionFilterExtension,
    SearchFilterExtension,
)
from stac_fastapi.extensions.filter.client import AsyncBaseFiltersClient
from stac_fastapi.extensions.filter.request import FilterExtensionPostRequest, FilterLang
from stac_fastapi.extensions.free_text import FreeTextConformanceClasses, FreeTextExtension
from stac_fastapi.extensions.query import QueryConformanceClasses, QueryExtension
from stac_fastapi.extensions.sort import SearchSortExtension, SortConformanceClasses
from stac_fastapi.types.errors import NotFoundError
from stac_fastapi.types.extension import ApiExtension
from stac_fastapi.types.search import APIRequest
from starlette.requests import Request

from catalog.collections import queryables
from catalog.web.filters import Operator
from catalog.web.requests import MAX_NAME, MAX_NAMES

ENABLED = (
    "collection_search",
    "context",
    "fields",
    "filter",
    "free_text",
    "item_query",
    "pagination",
    "sort",
)
"""What is advertised. "query", upstream's own, is not: it knows half of its operators."""

_SORT_1_0 = "https://api.stacspec.org/v1.0.0/item-search#sort"
"""The older class, which 1.1.0 only widens; pystac-client looks for no other."""


class QueryablesClient(AsyncBaseFiltersClient):
    """Queryables from the platform's own file, narrowed to a collection's satellite."""

    async def get_queryables(self, collection_id: str | None = None, **rest: Any) -> dict[str, Any]:
        """Return the JSON schema of what the items of one or all collections can be asked for."""
        request: Request = rest["request"]
        if collection_id is not None:
            async with request.app.state.get_connection(request, "r") as connection:
                held = await connection.fetchval("SELECT get_collection($1)", collection_id)
            if held is None:
                raise NotFoundError(f"collection {collection_id} does not exist")
        return {**queryables(collection_id), "$id": str(request.url)}


_Names = Annotated[
    set[Annotated[str, StringConstraints(max_length=MAX_NAME)]], Field(max_length=MAX_NAMES)
]


class Choice(PostFieldsExtension):
    """Fields to carry and to leave out, of either not more than anybody needs."""

    include: _Names | None = Field(default_factory=set)
    exclude: _Names | None = Field(default_factory=set)


class FieldsPost(BaseModel):
    """The fields extension in the body of a search; null is no choice of fields."""

    fields: Choice = Field(
        None,  # type: ignore[assignment]  # absent, as opposed to empty
        description="Fields that the items carry, and those that they do not",
    )


def _names(
    val: Annotated[
        str | None,
        Query(description="Fields that the items carry, and those that they do not: id,-geometry"),
    ] = None,
) -> list[str] | None:
    return None if val is None else val.split(",")


@attr.s
class FieldsGet(APIRequest):
    """The fields extension in a query string."""

    fields: list[str] | None = attr.ib(default=None, converter=_names)


@attr.s
class ItemFieldsExtension(FieldsExtension):
    """The fields extension, telling absent from empty."""

    GET = FieldsGet
    POST = FieldsPost


class FilterPost(FilterExtensionPostRequest):
    """The filter in the body of a search, which may be CQL2 text as well as JSON."""

    filter_expr: dict[str, Any] | str | None = Field(  # type: ignore[assignment]
        None, alias="filter", description="A CQL2 condition, as JSON or as text"
    )
    filter_lang: FilterLang | None = Field(  # type: ignore[assignment]
        None,
        alias="filter-lang",
        description="Not needed: text and JSON are told apart by their type",
    )


@attr.s
class ItemFilterExtension(SearchFilterExtension):
    """The filter extension with CQL2 text in bodies too."""

    POST = FilterPost


class QueryPost(BaseModel):
    """The query extension in the body of a search."""

    query: dict[str, dict[Operator, Any]] | None = Field(
        None, description="Conditions on properties, all of which must hold"
    )


@attr.s
class ItemQueryExtension(QueryExtension):
    """The query extension with all of its operators, translated to CQL2."""

    POST = QueryPost


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


def search_extensions() -> dict[str, ApiExtension]:
    """Return the extensions of ``/search`` that replace or join upstream's, by their name."""
    return {
        "context": ContextExtension(),
        "fields": ItemFieldsExtension(),
        "free_text": FreeTextExtension(conformance_classes=[FreeTextConformanceClasses.SEARCH]),
        "filter": ItemFilterExtension(client=QueryablesClient()),
        "item_query": ItemQueryExtension(conformance_classes=[QueryConformanceClasses.SEARCH]),
        "sort": SearchSortExtension(
            conformance_classes=[SortConformanceClasses.ITEM_SEARCH_SORT, _SORT_1_0]
        ),
    }


def item_extensions() -> dict[str, ApiExtension]:
    """Return the extensions of a collection's items that join upstream's, by their name."""
    return {
        "context": ContextExtension(),
        "fields": ItemFieldsExtension(conformance_classes=[FieldsConformanceClasses.ITEMS]),
        "filter": ItemCollectionFilterExtension(client=QueryablesClient()),
        "free_text": FreeTextExtension(conformance_classes=[FreeTextConformanceClasses.ITEMS]),
        "item_query": ItemQueryExtension(conformance_classes=[QueryConformanceClasses.ITEMS]),
    }


def collection_extensions() -> dict[str, ApiExtension]:
    """Return the extensions of the search for collections that replace upstream's."""
    return {"filter": CollectionSearchFilterExtension(client=QueryablesClient())}
