"""The feed of changes: what is new, replaced, withdrawn or restored, newest first, and why.

JSON for programs that mirror the catalogue, Atom (RFC 4287, paged as in RFC 5005) for readers of
feeds. A page ends where the next begins, at the number of a change, so that changes that come in
while a client turns pages neither repeat nor hide others.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from xml.etree import ElementTree

import orjson
from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from stac_fastapi.types.requests import get_base_url
from starlette.requests import Request
from starlette.responses import Response

from catalog.item import stac_time

ATOM = "application/atom+xml"
_JSON = "application/json"
_XMLNS = "http://www.w3.org/2005/Atom"
_MAX_CHANGES = 1000
_TITLES = {
    "new": "New: {}",
    "replaced": "Replaced: {}",
    "withdrawn": "Withdrawn: {}",
    "restored": "To be published again: {}",
    "removed": "Removed: {}",
}
_PAGE = """
SELECT number, time, kind, collection, item, successor, reason FROM gfard.changes
WHERE ($1::timestamptz IS NULL OR time >= $1) AND ($2::bigint IS NULL OR number < $2)
  AND ($3::text IS NULL OR collection = $3)
ORDER BY number DESC LIMIT $4
"""

_Change = dict[str, Any]

Since = Annotated[
    AwareDatetime | None,
    Query(
        description="Only changes from this time on (RFC 3339)", examples=["2024-01-01T00:00:00Z"]
    ),
]
Before = Annotated[
    int | None, Query(ge=1, le=2**62, description="Only changes before this one: for paging")
]
Collection = Annotated[str | None, Query(max_length=64, description="Only of this collection")]
Limit = Annotated[int, Query(ge=1, le=_MAX_CHANGES, description="Changes of a page")]
Format = Annotated[Literal["json", "atom"] | None, Query(description="Overrides the Accept header")]


def changes_router(title: str) -> APIRouter:
    """Return the route of the feed; ``title`` is that of the catalogue."""
    router = APIRouter(tags=["Changes"])

    @router.get(
        "/changes",
        summary="What is new, replaced or withdrawn, and why",
        responses={200: {"content": {_JSON: {}, ATOM: {}}}},
        response_class=Response,
    )
    async def changes(
        request: Request,
        since: Since = None,
        before: Before = None,
        collection: Collection = None,
        limit: Limit = 100,
        f: Format = None,
    ) -> Response:
        """Answer with the changes of the catalogue, newest first, each with its reason."""
        async with request.app.state.get_connection(request, "r") as connection:
            rows = await connection.fetch(_PAGE, since, before, collection, limit + 1)
        base = get_base_url(request)
        found = [_change(row, base) for row in rows[:limit]]
        links = _links(request, base, found[-1]["number"] if len(rows) > limit else None)
        as_atom = f == "atom" or (f is None and ATOM in request.headers.get("accept", ""))
        if as_atom:
            return _answer(request, _atom(title, found, links), f"{ATOM}; charset=utf-8")
        return _answer(request, orjson.dumps({"changes": found, "links": links}), _JSON)

    return router


def _change(row: Mapping[str, Any], base: str) -> _Change:
    items = f"{base}collections/{row['collection']}/items"
    change = {
        "number": row["number"],
        "time": stac_time(row["time"].astimezone(UTC)),
        "kind": row["kind"],
        "collection": row["collection"],
        "item": row["item"],
        "href": f"{items}/{row['item']}",
        "reason": row["reason"],
    }
    if row["successor"] is not None:
        change |= {"successor": row["successor"], "successor_href": f"{items}/{row['successor']}"}
    return change


def _links(request: Request, base: str, last: int | None) -> list[dict[str, str]]:
    """Link to this page, to the next where there is one, and to the catalogue."""
    given = dict(request.query_params)
    links = [
        {"rel": "root", "type": _JSON, "href": base},
        {"rel": "self", "href": f"{base}changes{_query(given)}"},
        {"rel": "alternate", "type": ATOM, "href": f"{base}changes{_query(given | {'f': 'atom'})}"},
    ]
    if last is not None:
        following = given | {"before": str(last)}
        links.append({"rel": "next", "href": f"{base}changes{_query(following)}"})
    return links


def _query(parameters: Mapping[str, str]) -> str:
    return f"?{urlencode(parameters)}" if parameters else ""


def _atom(title: str, changes: Sequence[_Change], links: Sequence[Mapping[str, str]]) -> bytes:
    """Write a feed document, which must have a time even when it is empty."""
    own = {link["rel"]: link["href"] for link in links}
    newest = changes[0]["time"] if changes else stac_time(datetime.fromtimestamp(0, UTC))
    feed = ElementTree.Element("feed", xmlns=_XMLNS)
    _text(feed, "id", f"{own['root']}changes")
    _text(feed, "title", f"{title}: changes")
    _text(feed, "updated", newest)
    _text(ElementTree.SubElement(feed, "author"), "name", title)
    for rel in ("self", "next"):
        if rel in own:
            ElementTree.SubElement(feed, "link", rel=rel, href=own[rel], type=ATOM)
    for change in changes:
        entry = ElementTree.SubElement(feed, "entry")
        _text(entry, "id", f"{own['root']}changes#{change['number']}")
        _text(entry, "title", _TITLES[change["kind"]].format(change["item"]))
        _text(entry, "updated", change["time"])
        _text(entry, "summary", change["reason"])
        ElementTree.SubElement(entry, "category", term=change["kind"])
        ElementTree.SubElement(entry, "link", rel="alternate", href=change["href"])
        if "successor_href" in change:
            href = change["successor_href"]
            ElementTree.SubElement(entry, "link", rel="successor-version", href=href)
    document: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return document


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = text


def _answer(request: Request, body: bytes, media_type: str) -> Response:
    """Answer with a tag of the content, or that the client has it already."""
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "public, no-cache", "Vary": "Accept"}
    given = request.headers.get("if-none-match", "")
    known = {each.strip().removeprefix("W/") for each in given.split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers | {"Content-Type": media_type})
