# mypy: allow-untyped-calls
"""What a query says of a picture, read once for all tiles of a map.

A map asks for hundreds of tiles whose queries are the same to the letter, and reading the forty
parameters that titiler knows takes as long as drawing. So what was read is kept by query.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from titiler.core.factory import BaseFactory
from titiler.core.utils import dependencies_to_openapi_params, get_dependency_query_params

_KEPT = 128
"""Queries whose meaning each dependency keeps."""
_OF_QUERIES = (
    "reader_dependency", "layer_dependency", "dataset_dependency", "tile_dependency",
    "process_dependency", "colormap_dependency", "render_dependency",
    "assets_accessor_dependency", "environment_dependency",
)  # fmt: skip


class Said:
    """Dependency that stands for another one and remembers what that made of a query.

    What it returns serves many requests and must not be changed by any.

    Parameters
    ----------
    dependency
        Takes parameters of the query only.
    """

    def __init__(self, dependency: Callable[..., Any]) -> None:
        self.dependency = dependency
        self._read = lru_cache(maxsize=_KEPT)(self._parse)

    async def __call__(self, request: Request) -> Any:
        """Return what the dependency makes of the query, or refuse the request with 422."""
        return self._read(request.scope["query_string"])

    def _parse(self, query: bytes) -> Any:
        said, errors = get_dependency_query_params(
            self.dependency, QueryParams(query.decode("latin-1"))
        )
        if errors:
            raise RequestValidationError(errors)
        return self.dependency(**said)


def remember(factory: BaseFactory) -> None:
    """Let the routes that a factory registers from now on remember queries."""
    for name in _OF_QUERIES:
        if hasattr(factory, name):
            setattr(factory, name, Said(getattr(factory, name)))


def describe(router: APIRouter) -> None:
    """Name the parameters of remembered queries in the OpenAPI document."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            calls = [each.call for each in route.dependant.dependencies]
            said = [call.dependency for call in calls if isinstance(call, Said)]
            extra = route.openapi_extra or {}
            route.openapi_extra = {**extra, "parameters": dependencies_to_openapi_params(said)}
