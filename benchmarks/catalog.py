"""Speed of the catalogue beside what it is built on: search, filters and bulk load.

Both STAC APIs run as they are deployed, one uvicorn worker each in a process of its own over the
same database, and are asked in turns so that the machine's load falls on both; so are the two ways
to load, each into an empty catalogue. The platform's load also brings in queryables and extents,
records every change and weighs the files. ``--full`` goes on to 1,000,000 items, beside a copy of
the catalogue with 40,000.
"""

import argparse
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import astuple
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import psycopg
import uvicorn
from fastapi import FastAPI
from psycopg import sql
from psycopg.types.json import Jsonb
from pypgstac.db import PgstacDB
from pypgstac.load import Loader, Methods
from stac_fastapi.pgstac.app import instantiate_api
from stac_fastapi.pgstac.config import PostgresSettings
from stac_fastapi.pgstac.db import close_db_connection, connect_to_db

from benchmarks.rows.archive import grow, made_items
from benchmarks.rows.row import Row, at_least, at_most, show
from catalog.collections import collections
from catalog.load import load
from catalog.settings import CatalogSettings
from catalog.web.api import create_app
from infra.postgres import Cluster
from infra.roles import Dsns

ITEMS = 40_000
GROWN = 1_000_000
LOADED = 10_000
"""Items of one comparison of loads."""
PAIRS = 5
REPEATS = 40
PAGE = {"collections": ["gf1-wfv-ard"], "limit": 100}
NARROW = {
    "bbox": [0.0, 43.0, 4.0, 46.0],
    "datetime": "2018-01-01T00:00:00Z/2020-01-01T00:00:00Z",
    "filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 30]},
    "limit": 10,
}
_TILE = {"op": "=", "args": [{"property": "grid:code"}, "MGRS-31TCL"]}
_LITTLE_CLOUD = {"op": "<=", "args": [{"property": "eo:cloud_cover"}, 20]}
SEARCHES: dict[str, dict[str, Any]] = {
    "narrow search": NARROW,
    "search by tile and cloud": {"filter": {"op": "and", "args": [_TILE, _LITTLE_CLOUD]}},
    "search by cloud, clearest first": {
        "filter": _LITTLE_CLOUD,
        "sortby": [{"field": "properties.eo:cloud_cover", "direction": "asc"}],
    },
    "free text, a tile": {"q": ["31TCL"]},
    "free text, a word of all": {"q": ["Gaofen-1"]},
}
"""Searches for a page of ten that people make, asked of a small and a large catalogue."""
GROWTH = {"narrow search": 2.0}
"""How much longer one may take in the large one, where that is settled."""


def stock_app(dsn: str) -> FastAPI:
    """Return stac-fastapi.pgstac with its own defaults, over the same login."""
    url = urlsplit(dsn)
    login = PostgresSettings(
        pguser=url.username,
        pgpassword=url.password,
        pghost=url.hostname,
        pgport=url.port,
        pgdatabase=url.path.lstrip("/"),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Hold the connections while the app runs."""
        await connect_to_db(app, postgres_settings=login)
        yield
        await close_db_connection(app)

    return instantiate_api(lifespan=lifespan).app  # type: ignore[no-any-return]


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    """Serve an application with one worker, a process of its own, and yield a client for it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        worker = get_context("fork").Process(target=server.run, args=([listening],))
        worker.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            client.get("/").raise_for_status()
            yield client
    finally:
        worker.terminate()
        worker.join()


def seconds(work: Callable[[], Any]) -> float:
    """Return the wall time of a call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _search(client: httpx.Client, body: dict[str, Any]) -> None:
    client.post("/search", json=body).raise_for_status()


def empty(dsn: str) -> None:
    """Take everything out of the catalogue."""
    with psycopg.connect(dsn, options="-c search_path=pgstac,public") as session:
        session.execute(
            "SELECT delete_collection(c ->> 'id') FROM jsonb_array_elements(all_collections()) c"
        )


def load_rows(dsns: Dsns, items: list[dict[str, Any]]) -> list[Row]:
    """Compare the platform's load with the plain loader on the same items, in turns."""

    def plain() -> None:
        """Load as the stock loader does."""
        with psycopg.connect(
            dsns.ingest_dsn, autocommit=True, options="-c search_path=pgstac,public"
        ) as connection:
            database = PgstacDB(connection=connection)
            loader = Loader(database)
            loader.load_collections(iter(collections()), Methods.upsert)
            loader.load_items(iter(items), Methods.upsert)
            database.close()

    def ours() -> None:
        """Load by the platform's way."""
        load(dsns.ingest_dsn, iter(items))

    def fresh(work: Callable[[], None]) -> float:
        """Return the seconds of a load into an empty catalogue."""
        empty(dsns.ingest_dsn)
        return seconds(work)

    pairs = [(fresh(plain), fresh(ours)) for _ in range(PAIRS)]
    ratio = statistics.median(stock / own for stock, own in pairs)
    rate = len(items) / statistics.median(own for _, own in pairs)
    again = len(items) / seconds(ours)
    return [
        Row("bulk load", round(rate), "items/s"),
        at_least("bulk load beside the stock loader", ratio, "x", 1),
        Row("bulk load of what is there already", round(again), "items/s"),
    ]


def search_rows(dsns: Dsns) -> list[Row]:
    """Compare both APIs on a page of 100 items and time the narrow search against its SQL."""
    with serving(stock_app(dsns.read_dsn)) as stock, serving(_own_app(dsns)) as fast:
        for client in (stock, fast):
            for _ in range(3):
                _search(client, PAGE)
        pairs = [
            (seconds(lambda: _search(stock, PAGE)), seconds(lambda: _search(fast, PAGE)))
            for _ in range(PAIRS)
        ]
        narrow, alone = narrow_times(dsns, fast)
    ratio = statistics.median(slow / quick for slow, quick in pairs)
    above = (np.percentile(narrow, 95) - np.percentile(alone, 95)) * 1e3
    stock_ms, fast_ms = (statistics.median(side) * 1e3 for side in zip(*pairs, strict=True))
    alone_ms = np.percentile(alone, 95) * 1e3
    return [
        Row("100-item search, stock API", round(stock_ms, 1), "ms"),
        Row("100-item search", round(fast_ms, 1), "ms"),
        at_least("100-item search beside the stock API", ratio, "x", 7),
        Row("narrow search, SQL alone, p95", round(alone_ms, 1), "ms"),
        at_most("narrow search above its SQL, p95", float(above), "ms", 50),
    ]


def growth_rows(dsns: Dsns, items: int, grown: int) -> Iterator[Row]:
    """Ask a copy of the catalogue and the catalogue itself, grown meanwhile, in turns."""
    small = _copied(dsns, "small")
    begin = time.perf_counter()
    grow(dsns.admin_dsn, grown // items)
    yield Row(f"growth to {grown:,} items", round(time.perf_counter() - begin), "s")
    yield Row("size of the grown catalogue", round(_gigabytes(dsns.read_dsn), 2), "GB")
    with serving(_own_app(small)) as few, serving(_own_app(dsns)) as many:
        for name, body in SEARCHES.items():
            for client in (few, many):
                _search(client, body)
            pairs = [
                (seconds(lambda: _search(few, body)), seconds(lambda: _search(many, body)))  # noqa: B023
                for _ in range(REPEATS)
            ]
            before, after = (statistics.median(side) * 1e3 for side in zip(*pairs, strict=True))
            yield Row(f"{name} at {items:,} items", round(before, 1), "ms")
            yield Row(f"{name} at {grown:,} items", round(after, 1), "ms")
            ratio = statistics.median(late / early for early, late in pairs)
            yield at_most(
                f"growth of the time of the {name}", round(ratio, 2), "x", GROWTH.get(name)
            )


def _copied(dsns: Dsns, name: str) -> Dsns:
    """Copy the database as it is; nobody may be using it."""
    database = urlsplit(dsns.admin_dsn).path.lstrip("/")
    server = dsns.admin_dsn.rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as session:
        session.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, database)))
        )
    return Dsns(*(f"{dsn.rpartition('/')[0]}/{name}" for dsn in astuple(dsns)))


def _gigabytes(dsn: str) -> float:
    with psycopg.connect(dsn) as session:
        row = session.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) / 1e9 if row else 0.0


def schema_rows(dsns: Dsns) -> list[Row]:
    """Ask the API all that schemathesis makes of its OpenAPI document; count server errors."""
    with serving(_own_app(dsns)) as client:
        address = str(client.base_url)
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{address}/api", "--url", address,
            "--checks=not_a_server_error", "--phases=examples,coverage,fuzzing",
            "--max-examples=10", "--generation-deterministic", "--no-color",
        ]  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:  # where it leaves what it found
            result = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False
            )
    asked = re.search(r"(\d+) generated", result.stdout)
    found = re.search(r"Server error: (\d+)", result.stdout)
    errors = int(found[1]) if found else 0
    if asked is None or (result.returncode and not errors):
        raise RuntimeError(f"schemathesis ended with {result.returncode}: {result.stdout[-2000:]}")
    return [
        Row("requests made by schemathesis", int(asked[1]), ""),
        at_most("server errors among them", errors, "", 0),
    ]


def narrow_times(dsns: Dsns, client: httpx.Client) -> tuple[list[float], list[float]]:
    """Return times of the narrow search through the API and as SQL alone, asked in turns."""
    shown = {"op": "=", "args": [{"property": "deprecated"}, False]}
    condition = {"op": "and", "args": [NARROW["filter"], shown]}
    conf = {"nohydrate": True, "context": "off"}
    query = Jsonb({**NARROW, "filter": condition, "filter-lang": "cql2-json", "conf": conf})
    with psycopg.connect(
        dsns.read_dsn, options="-c search_path=pgstac,public -c pgstac.readonly=true",
        autocommit=True,
    ) as session:  # fmt: skip

        def in_sql() -> None:
            """Search in the database alone."""
            session.execute("SELECT search(%s)", [query]).fetchone()

        def api() -> None:
            """Search through the API."""
            _search(client, NARROW)

        for work in (in_sql, api):
            work()
        pairs = [(seconds(api), seconds(in_sql)) for _ in range(REPEATS)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _own_app(dsns: Dsns) -> FastAPI:
    return create_app(CatalogSettings(database_url=dsns.read_dsn, store=Path("/nowhere")))


def main() -> None:
    """Measure on a fresh private database; exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help=f"go on to {GROWN:,} items")
    parser.add_argument("--items", type=int, default=ITEMS, help="items of the searches")
    parser.add_argument("--grown", type=int, help="items to grow to; implies what --full does")
    options = parser.parse_args()
    grown = options.grown or (GROWN if options.full else None)
    with tempfile.TemporaryDirectory(prefix="gfard-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with Cluster(Path(folder) / "postgres", durable=False).running() as dsns:
            missed = show(measured(dsns, options.items, grown), as_json=options.json)
    raise SystemExit(missed)


def measured(dsns: Dsns, items: int, grown: int | None) -> Iterator[Row]:
    """Yield all rows, each as soon as it is known."""
    yield from load_rows(dsns, list(made_items(min(LOADED, items))))
    load(dsns.ingest_dsn, made_items(items))
    yield from search_rows(dsns)
    yield from schema_rows(dsns)
    if grown is not None:
        yield from growth_rows(dsns, items, grown)


if __name__ == "__main__":
    main()
