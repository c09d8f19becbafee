"""Counters: who is counted, once, by a login that can only insert; nothing leads back to people."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from typing import Any, LiteralString

import httpx
import psycopg
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from catalog.load import load
from catalog.web import counters
from catalog.web.counters import Counting, Kind, Ledger, Visit, counters_app, visited
from infra.roles import Dsns, prepare_database
from tests.catalog_products import document, facts

ITEM = "GF1WFV1.16m.2014206190943.31TCL.000123"
FILE = f"/data/gf1-wfv-ard/31/T/CL/2014/{ITEM}/{ITEM}.SR.tiff"
PAGE = f"/stac/collections/gf1-wfv-ard/items/{ITEM}"
DRAWN = f"/tiles/collections/gf1-wfv-ard/items/{ITEM}"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def _scope(path: str, method: str = "GET", **headers: str) -> Scope:
    named = {
        "user-agent": FIREFOX,
        **{key.replace("_", "-"): text for key, text in headers.items()},
    }
    raw = [(key.encode(), text.encode()) for key, text in named.items()]
    client = ("203.0.113.7", 5)
    return {"type": "http", "method": method, "path": path, "headers": raw, "client": client}


@pytest.mark.parametrize(
    ("path", "kind", "asset"),
    [
        (FILE, Kind.DOWNLOAD, "SR"),
        (FILE.replace(f"/{ITEM}.", f"/0a1b2c3d/{ITEM}."), Kind.DOWNLOAD, "SR"),
        (PAGE, Kind.VIEW, ""),
        (f"{DRAWN}/tiles/WebMercatorQuad/9/3/4", Kind.VIEW, ""),
        (f"{DRAWN}/preview.webp", Kind.VIEW, ""),
        (f"{DRAWN}/preview/300x200.png", Kind.VIEW, ""),
        (f"{DRAWN}/bbox/1,44,2,45.webp", Kind.VIEW, ""),
        (PAGE.replace("/stac/", "/stac/1.0/"), Kind.VIEW, ""),
    ],
)
def test_items_are_viewed_and_their_files_downloaded(path: str, kind: Kind, asset: str) -> None:
    visit = visited(_scope(path))
    assert visit is not None
    assert (visit.kind, visit.item, visit.asset) == (kind, ITEM, asset)
    assert visit.collection == "gf1-wfv-ard"


@pytest.mark.parametrize(
    "scope",
    [
        _scope("/"),
        _scope("/stac/search"),
        _scope(f"{DRAWN}/point/1,45"),
        _scope(f"{DRAWN}/statistics"),
        _scope(f"{DRAWN}/WebMercatorQuad/tilejson.json"),
        _scope(f"{PAGE}/bands/red.vrt"),
        _scope(PAGE.replace("/stac/", "/stac/2.0/")),
        _scope(FILE.replace("SR.tiff", "thumbnail.webp")),
        _scope(FILE.replace(f"{ITEM}.SR", "other.SR")),
        _scope(FILE, "HEAD"),
        _scope(FILE, user_agent=GOOGLEBOT),
        _scope(FILE, user_agent=""),
        _scope(FILE, sec_purpose="prefetch;prerender"),
        _scope("/data/" + "a/" * 200 + "b.SR.tiff"),
    ],
    ids=lambda scope: scope["path"][-24:] + scope["method"] + str(len(scope["headers"])),
)
def test_what_is_no_visit_is_not_counted(scope: Scope) -> None:
    assert visited(scope) is None


def test_one_client_has_one_digest_that_names_nobody() -> None:
    first, again = visited(_scope(PAGE)), visited(_scope(PAGE))
    assert first == again
    assert first is not None
    assert len(first.visitor) == 32
    assert b"203.0.113.7" not in first.visitor
    other = visited(_scope(PAGE, user_agent="curl/8.5.0"))
    assert other is not None
    assert other.visitor != first.visitor


@pytest.mark.parametrize(
    ("status", "content_range", "counts"),
    [
        (200, None, True),
        (206, "bytes 0-9/10", True),
        (206, "bytes 0-4/10", False),
        (206, "bytes 5-9/10", False),
        (206, None, False),  # several ranges
        (304, None, False),
        (307, None, True),  # on to the bucket
        (404, None, False),
        (416, None, False),
    ],
)
def test_only_whole_files_count(status: int, content_range: str | None, counts: bool) -> None:
    headers = [(b"Content-Range", content_range.encode())] if content_range else []
    sent: list[Message] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def nothing() -> Message:
        return {}

    async def keep(message: Message) -> None:
        sent.append(message)

    ledger = Ledger("")
    asyncio.run(Counting(answer, ledger)(_scope(FILE), nothing, keep))
    assert bool(ledger._waiting) is counts
    assert len(sent) == 2


def test_a_database_that_is_away_costs_no_answer_and_no_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(counters, "MAX_WAITING", 3)
    ledger = Ledger("postgresql://nobody:x@127.0.0.1:1/none")
    for number in range(5):
        ledger.add(_visit(number))
    assert len(ledger._waiting) == 3
    asyncio.run(ledger.flush())
    assert len(ledger._waiting) == 3
    assert "3 visits wait" in caplog.text


def _visit(number: int, kind: Kind = Kind.DOWNLOAD) -> Visit:
    return Visit(bytes([number]) * 32, kind, "gf1-wfv-ard", ITEM, "SR")


@pytest.fixture
def counted(postgres: Dsns) -> Iterator[Dsns]:
    """Database without visits."""
    _run(postgres.admin_dsn, "TRUNCATE gfard.visits, gfard.daily_visits, gfard.salts")
    yield postgres
    _run(postgres.admin_dsn, "TRUNCATE gfard.visits, gfard.daily_visits, gfard.salts")


def _run(dsn: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def _count(dsns: Dsns, *visits: Visit) -> None:
    """Write visits by a ledger of its own, as a process that was started anew does."""
    ledger = Ledger(dsns.counters_dsn)
    for visit in visits:
        ledger.add(visit)
    asyncio.run(ledger.flush())
    assert not ledger._waiting


def _sums(dsns: Dsns) -> list[tuple[Any, ...]]:
    return _run(dsns.read_dsn, "SELECT views, downloads FROM gfard.counters WHERE views > 0")


@pytest.mark.integration
def test_a_client_counts_once_a_day_whatever_process_it_meets(counted: Dsns) -> None:
    view = replace(_visit(1, Kind.VIEW), asset="")
    _count(counted, _visit(1), _visit(2), view)
    _count(counted, _visit(1), view)
    assert _sums(counted) == [(1, 2)]


@pytest.mark.integration
def test_the_counting_login_can_only_insert(counted: Dsns) -> None:
    attempts: tuple[LiteralString, ...] = (
        "SELECT count(*) FROM gfard.visits",
        "SELECT * FROM gfard.counters",
        "SELECT salt FROM gfard.salts",
        "UPDATE gfard.visits SET kind = 'view'",
        "DELETE FROM gfard.visits",
        "TRUNCATE gfard.visits",
        "INSERT INTO gfard.daily_visits VALUES (now(), 'view', 'a', 'b', '', 9)",
        "INSERT INTO gfard.visits (visitor, kind, collection, item, asset)"
        " VALUES ('x', 'view', 'a', 'b', '') RETURNING day",
        "SELECT gfard.begin_day('2999-01-01')",
        "SELECT gfard.measure_holdings()",
        "CREATE TABLE gfard.own (a int)",
    )
    for attempt in attempts:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _run(counted.counters_dsn, attempt)
    for hidden in ("gfard.visits", "gfard.salts", "gfard.daily_visits"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _run(counted.read_dsn, f"SELECT * FROM {hidden}")  # type: ignore[arg-type]


@pytest.mark.integration
def test_digests_are_salted_and_a_day_that_is_over_keeps_sums_alone(counted: Dsns) -> None:
    view = replace(_visit(3, Kind.VIEW), asset="")
    _count(counted, _visit(1), _visit(2), view)
    stored = {row[0] for row in _run(counted.admin_dsn, "SELECT visitor FROM gfard.visits")}
    assert len(stored) == 3
    assert stored.isdisjoint({_visit(n).visitor for n in (1, 2, 3)})
    _run(counted.admin_dsn, "UPDATE gfard.visits SET day = day - 1")
    _run(counted.admin_dsn, "UPDATE gfard.salts SET day = day - 1")
    _count(counted, _visit(1))
    today = _run(counted.admin_dsn, "SELECT visitor FROM gfard.visits")
    assert len(today) == 1
    assert today[0][0] not in stored, "the same client has another digest the next day"
    assert len(_run(counted.admin_dsn, "SELECT * FROM gfard.salts")) == 1
    assert _sums(counted) == [(1, 3)]


@pytest.mark.integration
def test_the_endpoint_adds_up_what_is_held_and_what_was_counted(counted: Dsns) -> None:
    item = document(facts())
    load(counted.ingest_dsn, iter([item]))
    assets = item["assets"].values()

    async def page(request: Request) -> Response:
        return Response(b"{}")

    ledger = Ledger(counted.counters_dsn)
    endpoint = counters_app(counted.read_dsn, ledger)

    async def talk() -> Any:
        async with _running(endpoint):
            app = Counting(Starlette(routes=[Route("/{path:path}", page)]), ledger)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
                for path in (FILE, FILE, PAGE, f"{DRAWN}/preview.webp", "/"):
                    assert (await client.get(path, headers={"User-Agent": FIREFOX})).is_success
        transport = httpx.ASGITransport(endpoint)
        async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
            return (await client.get("/")).json()

    told = asyncio.run(talk())
    assert told["files"] == len(assets)
    assert told["volume"] == sum(asset["file:size"] for asset in assets)
    assert (told["items"], told["views"], told["downloads"]) == (1, 1, 1)
    assert told["collections"]["gf1-wfv-ard"]["downloads"] == 1


@asynccontextmanager
async def _running(app: Starlette) -> AsyncIterator[None]:
    async with app.router.lifespan_context(app):
        yield


@pytest.mark.integration
def test_preparing_again_keeps_the_counts(counted: Dsns) -> None:
    _count(counted, _visit(1), replace(_visit(1, Kind.VIEW), asset=""))
    _run(counted.admin_dsn, "DROP VIEW gfard.counters")
    _run(counted.admin_dsn, "REVOKE INSERT ON gfard.visits FROM gfard_counters")
    prepare_database(counted)
    assert _sums(counted) == [(1, 1)]
