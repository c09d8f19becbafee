"""Links that the landing page and the collections carry beyond those of stac-fastapi."""

from collections.abc import Iterable, Mapping
from typing import Any

_JSON = "application/json"
_QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
Link = dict[str, Any]


def landing_links(base: str, collections: Iterable[Mapping[str, Any]]) -> list[Link]:
    """Return the landing page's links to its children, the aggregations and the changes.

    Parameters
    ----------
    base
        Address of the API, ending in ``/``.
    collections
        STAC collections, the children of the landing page.
    """
    return [
        _link("children", f"{base}children", "Collections with their metadata"),
        *(
            _link("child", f"{base}collections/{each['id']}", each.get("title", each["id"]))
            for each in collections
        ),
        *aggregation_links(base),
        {
            **_link(_QUERYABLES, f"{base}queryables", "Properties that can be searched for"),
            "type": "application/schema+json",
        },
        _link("changes", f"{base}changes?f=json", "Products that are new, replaced or withdrawn"),
        {
            **_link("changes", f"{base}changes?f=atom", "The same as an Atom feed"),
            "type": "application/atom+xml",
        },
    ]


def collection_links(base: str, collection: str) -> list[Link]:
    """Return a collection's links to its days and its aggregations."""
    own = f"{base}collections/{collection}"
    return [
        _link("child", f"{own}/dates", "Items by date"),
        *aggregation_links(f"{own}/"),
    ]


def aggregation_links(base: str) -> list[Link]:
    """Return the links that the aggregation extension asks for."""
    return [
        _link("aggregate", f"{base}aggregate", "Counts over the items of a search"),
        _link("aggregations", f"{base}aggregations", "Aggregations that can be asked for"),
    ]


def _link(rel: str, href: str, title: str) -> Link:
    return {"rel": rel, "type": _JSON, "href": href, "title": title}
