"""Speed of the catalogue beside what it is built on: search, filters and bulk load.

Both STAC APIs run as they are deployed, one uvicorn worker each in a process of its own over the
same database, and are asked in turns so that the machine's load falls on both; so are the two ways
to load, each into an empty catalogue. The platform's load also brings in queryables and extents,
records every change and weighs the files. ``--full`` goes on to 1,000,000 items.
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
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import psycopg
import uvicorn
from fastapi import FastAPI
from psycopg.types.json import Jsonb
from pypgstac.db import PgstacDB
from pypgstac.load import Loader, Methods
from stac_fastapi.pgstac.app import instantiate_api
from stac_fastapi.pgstac.config import PostgresSettings
from stac_fastapi.pgstac.db import close_db_connection, connect_to_db

from benchmarks.rows.row import Row, at_least, at_most, show
from catalog.collections import collections
from catalog.facts import AssetFile, BandFacts, ItemFacts
from catalog.grid import Grid
from catalog.item import build_item
from catalog.load import load
from catalog.product import REFLECTANCE_BANDS, ItemId, MaskClass, asset_specs
from catalog.published import published_item
from catalog.settings import CatalogSettings
from catalog.store import StoredItem, relative_folder
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


def made_items(count: int) -> Iterator[dict[str, Any]]:
    """Yield published items as the platform makes them, spread over France and ten years."""
    rng = np.random.default_rng(6)
    start = datetime(2014, 1, 1, 11, tzinfo=UTC)
    for number in range(count):
        time_of = start + timedelta(seconds=float(rng.integers(0, 10 * 365 * 86400)) + number / 1e3)
        west, south = float(rng.uniform(-4, 7)), float(rng.uniform(42, 50))
        item_id = ItemId("GF1WFV1", time_of.replace(microsecond=0), "31TCL", f"B{number}")
        item = build_item(_facts(item_id, west, south, float(rng.uniform(0, 79))), _files(item_id))
        stored = StoredItem(item_id, relative_folder(item_id), item)
        yield published_item(stored, "http://127.0.0.1:8000")


def _facts(item_id: ItemId, west: float, south: float, cloud: float) -> ItemFacts:
    east, north = west + 1.3, south + 1.0
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return ItemFacts(
        id=item_id,
        start_time=item_id.time - timedelta(seconds=14),
        end_time=item_id.time + timedelta(seconds=14),
        grid=Grid(32631, 300000.0, 4900020.0, 16.0, 6863, 6863),
        footprint={"type": "Polygon", "coordinates": [ring]},
        bands=tuple(BandFacts(band.name, 0.5, 0.06) for band in REFLECTANCE_BANDS["GF1"]),
        platform="gaofen-1",
        instrument="wfv1",
        international_designator="2013-018A",
        sun_azimuth=140.0,
        sun_elevation=60.0,
        view_zenith=20.0,
        view_azimuth=100.0,
        off_nadir=18.0,
        class_percent={MaskClass.CLOUD: cloud, MaskClass.CLEAR: 100 - cloud},
        valid_percent=90.0,
        geometric=None,
        quality_reason=None,
        warnings=(),
        lineage=("calibration", "orthorectification", "aerosol", "surface reflectance"),
        auxiliary={"dem": "glo30", "geoid": "egm96_15"},
        provenance={"calibration": {"year": 2014, "irradiance": "tsis1"}},
        derived_from="GF1_WFV1_E1.0_N44.3_20140725_L1A0000123456",
        software_version="0.1.0",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _files(item_id: ItemId) -> list[AssetFile]:
    keys = [spec.key for spec in asset_specs(item_id.satellite)]
    files = [AssetFile(key, Path(item_id.file_name(key)), 10**8, "ab" * 32) for key in keys]
    return [*files, AssetFile("thumbnail", Path(f"{item_id}.thumbnail.webp"), 10**4, "cd" * 32)]


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
        await connect_to_db(app, postgres_settings=login)
        yield
        await close_db_connection(app)

    return instantiate_api(lifespan=lifespan).app  # type: ignore[no-any-return]


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    """Serve an application with one worker, a process of its own, and yield a client for it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
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
        with psycopg.connect(
            dsns.ingest_dsn, autocommit=True, options="-c search_path=pgstac,public"
        ) as connection:
            database = PgstacDB(connection=connection)
            loader = Loader(database)
            loader.load_collections(iter(collections()), Methods.upsert)
            loader.load_items(iter(items), Methods.upsert)
            database.close()

    def ours() -> None:
        load(dsns.ingest_dsn, iter(items))

    def fresh(work: Callable[[], None]) -> float:
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
        narrow, sql = narrow_times(dsns, fast)
    ratio = statistics.median(slow / quick for slow, quick in pairs)
    above = (np.percentile(narrow, 95) - np.percentile(sql, 95)) * 1e3
    stock_ms, fast_ms = (statistics.median(side) * 1e3 for side in zip(*pairs, strict=True))
    sql_ms = np.percentile(sql, 95) * 1e3
    return [
        Row("100-item search, stock API", round(stock_ms, 1), "ms"),
        Row("100-item search", round(fast_ms, 1), "ms"),
        at_least("100-item search beside the stock API", ratio, "x", 7),
        Row("narrow search, SQL alone, p95", round(sql_ms, 1), "ms"),
        at_most("narrow search above its SQL, p95", float(above), "ms", 50),
    ]


def growth_rows(dsns: Dsns, items: int, grown: int) -> list[Row]:
    """Time the narrow search, let the catalogue grow, and time it again."""
    with serving(_own_app(dsns)) as client:
        before = statistics.median(narrow_times(dsns, client)[0])
    load(dsns.ingest_dsn, islice(made_items(grown), items, None))
    with psycopg.connect(dsns.admin_dsn, autocommit=True) as session:
        session.execute("ANALYZE")
    with serving(_own_app(dsns)) as client:
        after = statistics.median(narrow_times(dsns, client)[0])
    ratio = after / before
    return [
        Row(f"narrow search at {items:,} items", round(before * 1e3, 1), "ms"),
        Row(f"narrow search at {grown:,} items", round(after * 1e3, 1), "ms"),
        at_most("growth of its time", ratio, "x", 2),
    ]


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

        def sql() -> None:
            session.execute("SELECT search(%s)", [query]).fetchone()

        def api() -> None:
            _search(client, NARROW)

        for work in (sql, api):
            work()
        pairs = [(seconds(api), seconds(sql)) for _ in range(REPEATS)]
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
