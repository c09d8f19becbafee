"""Exports of a search: everything it finds, as lists for download programs and as tables.

An export takes the parameters of the item search and goes through its pages inside the database
(by keyset, so that a late page costs what an early one does). Each page is written out before
the next is asked for: memory does not grow with the number of items, no connection is held while
a client reads, and what one client may hold at a time is bounded.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import attr
import orjson
from fastapi import HTTPException, Query, Request
from pydantic import Field, create_model
from stac_fastapi.api.app import StacApi
from stac_fastapi.api.routes import create_async_endpoint
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from catalog.manifest import item_files
from catalog.web.geoparquet import MEDIA_TYPE as PARQUET_MEDIA_TYPE
from catalog.web.geoparquet import pieces, write_geoparquet
from catalog.web.limits import Slots
from catalog.web.lists import STYLES, ListStyle
from catalog.web.tables import CSV_MEDIA_TYPE, SEQUENCE_MEDIA_TYPE, CsvTable, sequence_record

MAX_ITEMS = 200_000
"""Most items of one export. A longer one is refused, or broken off: a part is never the whole."""
_PAGE = 100
"""Items in memory at a time, about 1 MB; other requests are answered between two pages."""
_MAX_ASSETS = 64
"""Keys that a request may name; an item has a dozen."""
_SLOTS = 6
_SLOTS_PER_CLIENT = 2

_Items = list[dict[str, Any]]
_Page = Callable[[str | None], Awaitable[Response]]
"""The API's own answer for a page, from the token that the page before ended with."""


class Format(StrEnum):
    """Formats of exports."""

    URLS = "urls"
    ARIA2 = "aria2"
    METALINK = "metalink"
    SHA256SUM = "sha256sum"
    CURL = "curl"
    CSV = "csv"
    GEOJSONSEQ = "geojsonseq"
    GEOPARQUET = "geoparquet"


_FORMAT = "How the result is to be written"
_ASSETS = "Keys of the wanted assets, such as SR and mask; all when there are none"


def add_exports(api: StacApi) -> None:
    """Add ``/export`` to a STAC API: GET and POST as ``/search``, with format and assets."""
    exporter = _Exporter(api.client)
    query = attr.make_class(
        "ExportGet",
        {
            "format": attr.ib(type=Annotated[Format, Query(description=_FORMAT)], kw_only=True),
            "assets": attr.ib(
                "",
                type=Annotated[
                    str, Query(description=f"{_ASSETS}; separated by commas", max_length=1000)
                ],
            ),
        },
        bases=(api.search_get_request_model,),
    )
    body: Any = create_model(
        "ExportPost",
        __base__=api.search_post_request_model,
        format=(Format, Field(description=_FORMAT, exclude=True)),
        assets=(list[str], Field([], description=_ASSETS, exclude=True, max_length=_MAX_ASSETS)),
    )
    styles = {style.media_type for style in STYLES.values()}
    tables = {CSV_MEDIA_TYPE, SEQUENCE_MEDIA_TYPE, PARQUET_MEDIA_TYPE}
    media_types: dict[str, Any] = {media_type: {} for media_type in sorted(styles | tables)}
    for method, endpoint in (
        ("GET", create_async_endpoint(exporter.get, query)),
        ("POST", create_async_endpoint(exporter.post, body)),
    ):
        api.app.add_api_route(
            "/export",
            endpoint,
            methods=[method],
            name=f"Export {method}",
            summary="Everything that a search finds, as a list of files or as a table",
            response_class=StreamingResponse,
            responses={200: {"description": "An attachment", "content": media_types}},
        )


class _Exporter:
    """The two ways to ask for an export; its pages are the API's own answers to searches."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._slots = Slots(_SLOTS, _SLOTS_PER_CLIENT)

    async def get(self, request: Request, format: Format, assets: str, **search: Any) -> Response:
        """Answer an export in the query string."""
        search |= {"limit": _PAGE}
        if format is not Format.GEOJSONSEQ:
            search["fields"] = None

        async def page(token: str | None) -> Response:
            """Search the next page."""
            answer: Response = await self._client.get_search(
                request=request, **(search | {"token": token})
            )
            return answer

        wanted = [key for key in assets.split(",") if key]
        return await _answer(page, format, wanted, self._slots, request)

    async def post(self, search: Any, request: Request) -> Response:
        """Answer an export in the body."""
        search.limit = _PAGE
        if search.format is not Format.GEOJSONSEQ:
            search.fields = None

        async def page(token: str | None) -> Response:
            """Search the next page."""
            once = search.model_copy(update={"token": token}, deep=True)
            answer: Response = await self._client.post_search(once, request=request)
            return answer

        return await _answer(page, search.format, search.assets, self._slots, request)


async def _answer(
    page: _Page, format: Format, assets: Sequence[str], slots: Slots, request: Request
) -> Response:
    """Begin an export; what is wrong with the search shows on its first page, as a status."""
    with ExitStack() as held:
        held.enter_context(slots.held(request))
        first = _read(await page(None))
        await _check_assets(assets, first, request)
        pages = _pages(first, page)
        if format is Format.GEOPARQUET:
            folder = held.enter_context(TemporaryDirectory(prefix="gfard-export-"))
            content, headers = await _geoparquet(pages, Path(folder))
        elif format is Format.GEOJSONSEQ:
            content, headers = _sequence(pages), _headers(SEQUENCE_MEDIA_TYPE, "gfard.geojsons")
        elif format is Format.CSV:
            content = _table(pages, CsvTable(assets))
            headers = _headers(CSV_MEDIA_TYPE, "gfard.csv")
        else:
            style = STYLES[format.value]
            content = _list(pages, style, assets)
            headers = _headers(style.media_type, style.file_name)
        return _Held(content, headers, held.pop_all())


async def _check_assets(wanted: Sequence[str], first: Mapping[str, Any], request: Request) -> None:
    """Refuse keys that neither an item of the first page nor a collection knows.

    A list without files would look like a search that finds nothing.
    """
    known = {key for item in first["features"] for key in item.get("assets", {})}
    if known.issuperset(wanted):
        return
    async with request.app.state.get_connection(request, "r") as connection:
        collections = await connection.fetchval("SELECT all_collections()")
    known.update(*(each.get("item_assets", {}) for each in collections or []))
    unknown = sorted(set(wanted) - known)
    if known and unknown:
        raise HTTPException(
            400, f"no item has an asset {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        )


class _Held(StreamingResponse):
    """A streamed answer that frees what it holds at its end, however it ends."""

    def __init__(
        self, content: AsyncIterator[bytes], headers: Mapping[str, str], held: ExitStack
    ) -> None:
        super().__init__(content, headers=headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


def _headers(media_type: str, file_name: str) -> dict[str, str]:
    return {
        "Content-Type": media_type,
        "Content-Disposition": f'attachment; filename="{file_name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


async def _pages(first: dict[str, Any], page: _Page) -> AsyncIterator[_Items]:
    """Yield the items of every page of a search."""
    found, count = first, 0
    while True:
        items: _Items = found["features"]
        count += len(items)
        if count > MAX_ITEMS:
            raise HTTPException(400, f"an export has at most {MAX_ITEMS} items; narrow the search")
        yield items
        token = _next_token(found)
        if token is None:
            return
        found = _read(await page(token))


def _read(answer: Response) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(bytes(answer.body))
    return found


def _next_token(found: Mapping[str, Any]) -> str | None:
    """Return where the next page begins, from the link to it."""
    for link in found["links"]:
        if link["rel"] == "next":
            if "body" in link:
                return str(link["body"]["token"])
            return str(parse_qs(urlsplit(link["href"]).query)["token"][0])
    return None


async def _geoparquet(
    pages: AsyncIterator[_Items], folder: Path
) -> tuple[AsyncIterator[bytes], dict[str, str]]:
    path = await write_geoparquet(pages, folder)
    if path is None:
        raise HTTPException(404, "the search finds nothing, which makes no table")
    headers = _headers(PARQUET_MEDIA_TYPE, "gfard.parquet")
    return pieces(path), headers | {"Content-Length": str(path.stat().st_size)}


async def _list(
    pages: AsyncIterator[_Items], style: ListStyle, assets: Sequence[str]
) -> AsyncIterator[bytes]:
    yield style.head.encode()
    async for items in pages:
        lines = (style.one(file) for item in items for file in item_files(item, assets))
        yield "".join(lines).encode()
    yield style.tail.encode()


async def _table(pages: AsyncIterator[_Items], table: CsvTable) -> AsyncIterator[bytes]:
    yield table.head().encode()
    async for items in pages:
        yield "".join(map(table.row, items)).encode()


async def _sequence(pages: AsyncIterator[_Items]) -> AsyncIterator[bytes]:
    async for items in pages:
        yield b"".join(map(sequence_record, items))
