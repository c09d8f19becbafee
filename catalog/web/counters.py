"""Counters of views and downloads that are honest, and the endpoint that shows them.

A view is an item asked for through the API, in either version of STAC, or a picture of it drawn by
the tiler (tile, preview or crop, not numbers); a download is a data file sent whole. Each counts
once per client, item (and asset) and UTC day. Not counted: parts of files, as COG readers and
resuming downloads ask for; what was refused; and robots.

A client is known by a digest of its address and program. The digest leaves memory only for the
database, which salts it anew each day and forgets the salt (``catalog/data/counters.sql``), so
that nothing stored leads back to a person. Counting costs a request one look at its path; rows
are written in batches by a task of their own, and a database that is away costs counts, never
answers.
"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger(__name__)

FLUSH_S = 5.0
"""Seconds between batches."""
MAX_WAITING = 20_000
"""Most visits held in memory, about 10 MB; more are dropped until the database takes some."""
FRESH_S = 10.0
"""Seconds for which an answer of the endpoint is kept."""
_CONNECT_S = 5

_ITEM = r"collections/(?P<collection>[^/]{1,64})/items/(?P<item>[^/]{1,64})"
_VIEW = re.compile(
    rf"/(?:stac/(?:1\.0/)?{_ITEM}"
    rf"|tiles/{_ITEM.replace('P<', 'P<t_')}/(?:(?:tiles|bbox|preview)/.+|preview(?:\.\w+)?))"
)
_DOWNLOAD = re.compile(
    r"/data/(?P<collection>[^/]{1,64})/(?:[^/]+/)+(?P<item>[^/]{1,64})/"
    r"(?:[0-9a-f]{8}/)?"  # the run that made the file, in a bucket
    r"(?P=item)\.(?P<asset>[A-Za-z_]{1,32})\.tiff"
)
_WHOLE = re.compile(rb"bytes 0-(\d+)/(\d+)")
_ROBOT = re.compile(
    r"bot\b|crawl|spider|slurp|archiver|headless|monitor|uptime|pingdom|lighthouse|facebookexternal"
    r"|preview|scanner|validator|feedfetcher|favicon",
    re.IGNORECASE,
)


class Kind(StrEnum):
    """What a client did."""

    VIEW = "view"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Visit:
    """One client at one item.

    Attributes
    ----------
    visitor
        SHA-256 of what is known of the client, 32 bytes; not yet salted.
    kind
        What it did.
    collection, item
        What was visited.
    asset
        File that was downloaded; "" for a view.
    """

    visitor: bytes
    kind: Kind
    collection: str
    item: str
    asset: str


class Ledger:
    """Visits on their way into the database.

    Parameters
    ----------
    dsn
        Database URL of the login that may insert visits.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._waiting: set[Visit] = set()

    def add(self, visit: Visit) -> None:
        """Remember a visit until the next batch; never waits, never fails."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.add(visit)

    async def run(self, stop: asyncio.Event) -> None:
        """Write batches until told to stop, and then the last one."""
        done = False
        while not done:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), FLUSH_S)
            done = stop.is_set()
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; what the database does not take waits on."""
        batch, self._waiting = self._waiting, set()
        if not batch:
            return
        rows = [(v.visitor, v.kind.value, v.collection, v.item, v.asset) for v in batch]
        try:
            async with (
                await psycopg.AsyncConnection.connect(
                    self._dsn, connect_timeout=_CONNECT_S
                ) as connection,
                connection.cursor() as cursor,
            ):
                await cursor.executemany(
                    "INSERT INTO gfard.visits (visitor, kind, collection, item, asset)"
                    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    rows,
                )
        except psycopg.OperationalError as error:
            _LOG.warning("%d visits wait: the database does not take them: %s", len(rows), error)
            for visit in batch:
                self.add(visit)
        except psycopg.Error as error:
            _LOG.error("%d visits are lost: %s", len(rows), error)


class Counting:
    """ASGI middleware that notes views and downloads while it hands requests on.

    Parameters
    ----------
    app
        What answers, with `/stac`, `/tiles` and `/data` below it.
    ledger
        Where visits go.
    """

    def __init__(self, app: ASGIApp, ledger: Ledger) -> None:
        self._app = app
        self._ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and count it when its answer begins well."""
        visit = visited(scope) if scope["type"] == "http" else None
        if visit is None:
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            """Note the visit once its answer begins and is whole."""
            if message["type"] == "http.response.start" and _complete(message, scope):
                self._ledger.add(visit)
            await send(message)

        await self._app(scope, receive, counted)


def visited(scope: Scope) -> Visit | None:
    """Return what a request would count as if it is answered well, or None."""
    if scope["method"] != "GET":
        return None
    path: str = scope["path"]
    found = _DOWNLOAD.fullmatch(path)
    kind = Kind.DOWNLOAD
    if found is None:
        found, kind = _VIEW.fullmatch(path), Kind.VIEW
    if found is None:
        return None
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    agent = headers.get(b"user-agent", "")
    fetched_ahead = "prefetch" in headers.get(b"sec-purpose", headers.get(b"purpose", ""))
    if not agent or _ROBOT.search(agent) or fetched_ahead:
        return None
    named = {key.removeprefix("t_"): value for key, value in found.groupdict().items() if value}
    client = scope.get("client") or ("",)
    visitor = hashlib.sha256(f"{client[0]}\n{agent}".encode()).digest()
    return Visit(visitor, kind, named["collection"], named["item"], named.get("asset", ""))


def counters_app(read_dsn: str, ledger: Ledger | None) -> Starlette:
    """Return the application that tells the counters as JSON, and writes the ledger meanwhile.

    The answer has ``volume`` (bytes), ``files``, ``items``, ``views`` and ``downloads``, and the
    same for each collection under ``collections``.

    Parameters
    ----------
    read_dsn
        Database URL of a login that may read the sums.
    ledger
        Visits that this process collects; None where nothing is counted.
    """
    kept: tuple[float, dict[str, Any]] | None = None

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        """Write what is noted, batch by batch, while the app runs."""
        if ledger is None:
            yield
            return
        stop = asyncio.Event()
        writer = asyncio.create_task(ledger.run(stop))
        yield
        stop.set()
        await writer

    async def tell(request: Request) -> JSONResponse:
        """Answer with the counters, read at most once in a while."""
        nonlocal kept
        now = time.monotonic()
        if kept is None or now - kept[0] > FRESH_S:
            try:
                kept = now, await _counters(read_dsn)
            except psycopg.Error as error:
                _LOG.warning("no counters: %s", error)
                return JSONResponse({"detail": "the counters cannot be read"}, 503)
        return JSONResponse(kept[1], headers={"Cache-Control": f"public, max-age={FRESH_S:g}"})

    cors = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"])
    return Starlette(routes=[Route("/", tell)], middleware=[cors], lifespan=lifespan)


async def _counters(dsn: str) -> dict[str, Any]:
    """Read the sums of every collection and add them up."""
    async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=_CONNECT_S) as connection:
        cursor = await connection.execute(
            "SELECT collection, items, files, bytes, views, downloads FROM gfard.counters"
            " ORDER BY collection"
        )
        rows = await cursor.fetchall()
    names = ("items", "files", "volume", "views", "downloads")
    collections = {row[0]: dict(zip(names, map(int, row[1:]), strict=True)) for row in rows}
    sums = {name: sum(one[name] for one in collections.values()) for name in names}
    return {**sums, "collections": collections}


def _complete(start: Message, scope: Scope) -> bool:
    """Whether an answer sends all there is: 200, or a range from the first byte to the last.

    A reader who is sent to the bucket gets there what he asked for.
    """
    if start["status"] == 200:
        return True
    if start["status"] == 307:
        return all(name != b"range" for name, _ in scope["headers"])
    if start["status"] != 206:
        return False
    ranges = [value for name, value in start["headers"] if name.lower() == b"content-range"]
    whole = _WHOLE.fullmatch(ranges[0]) if ranges else None
    return whole is not None and int(whole[1]) + 1 == int(whole[2])
