"""What exports of many assets cost the server, and what `gfard download` makes of a connection.

The server is the platform's own process; its memory is sampled while a client reads an export. The
first export of each format warms it up, with a tenth of the items. ``--full`` takes 100,000 assets.
"""

import argparse
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.rows.row import Row, at_most, show
from catalog.load import load
from catalog.published import published_item
from catalog.store import StoredItem, relative_folder
from infra.postgres import Cluster
from infra.roles import Dsns
from tests.catalog_products import document, facts

START = datetime(2014, 1, 1, 3, tzinfo=UTC)
FORMATS = ("urls", "metalink", "csv", "geojsonseq", "geoparquet")
GROWTH_MB = 20.0
"""Most memory that an export of all items may take beyond one of a tenth of them."""
LARGE = 512 * 1024 * 1024
"""Bytes of the file that is downloaded."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running platform without its tiler."""

    address: str
    process: psutil.Process
    store: Path


@contextmanager
def serving(dsns: Dsns, data: Path) -> Iterator[Server]:
    """Serve the catalogue and files as one process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "GFARD_DATA": str(data),
        "GFARD_PORT": str(port),
        "GFARD_DATABASE_READ_URL": dsns.read_dsn,
    }
    command = [sys.executable, "-m", "infra.cli", "serve", "--part", "catalog"]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(f"{address}/healthz")
            yield Server(address, psutil.Process(server.pid), data / "store")
        finally:
            server.terminate()


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def made_items(count: int) -> Iterator[dict[str, Any]]:
    """Yield published items, one an hour."""
    for number in range(count):
        made = facts(time=START + timedelta(hours=number))
        stored = StoredItem(made.id, relative_folder(made.id), document(made))
        yield published_item(stored, "http://127.0.0.1:8000")


class Sampler:
    """Largest memory that a process held during a block, bytes."""

    def __init__(self, process: psutil.Process) -> None:
        self.peak = 0
        self._process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def export(server: Server, format: str, **query: str) -> tuple[int, float]:
    """Read an export to its end; returns its bytes and the CPU seconds that it cost the server."""
    before = server.process.cpu_times()
    url = f"{server.address}/stac/export"
    size = 0
    with httpx.stream("GET", url, params={"format": format, **query}, timeout=3600) as answer:
        answer.raise_for_status()
        for piece in answer.iter_raw():
            size += len(piece)
    after = server.process.cpu_times()
    return size, sum(after[:4]) - sum(before[:4])


def export_rows(server: Server, items: int, assets: int) -> Iterator[Row]:
    """Compare the memory of an export of everything with one of a tenth."""
    end = START + timedelta(hours=items // 10)
    tenth = f"{START:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"
    for format in FORMATS:
        export(server, format, datetime=tenth)
        with Sampler(server.process) as few:
            export(server, format, datetime=tenth)
        with Sampler(server.process) as all_of_them:
            size, cpu = export(server, format)
        growth = (all_of_them.peak - few.peak) / 2**20
        name = f"export of {assets} assets, {format}"
        yield at_most(f"{name}: memory beyond a tenth of them", growth, "MB", GROWTH_MB)
        yield Row(f"{name}: largest memory", round(all_of_them.peak / 2**20), "MB")
        yield Row(f"{name}: server's CPU", round(cpu, 2), "s")
        yield Row(f"{name}: size", round(size / 2**20, 1), "MB")


def refusal_row(server: Server) -> Row:
    """Ask for a third export while one client is in the middle of two."""
    url = f"{server.address}/stac/export?format=geojsonseq"
    plain = {"Accept-Encoding": "identity"}
    with (
        httpx.Client(timeout=60, headers=plain) as client,
        client.stream("GET", url),
        client.stream("GET", url),
    ):
        status = client.get(url).status_code
    return Row("status of a client's third export at a time", status, "", 429, status == 429)


def download_rows(server: Server, folder: Path) -> Iterator[Row]:
    """Download a large file by `gfard download` and by curl."""
    path = server.store / "gf1-wfv-ard" / "large.tiff"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        for _ in range(LARGE // 2**20):
            file.write(os.urandom(2**20))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    url = f"{server.address}/data/gf1-wfv-ard/large.tiff"
    manifest = folder / "manifest"
    manifest.write_text(f"{url}\n  out=large.tiff\n  checksum=sha-256={digest}\n")
    command = [sys.executable, "-m", "infra.cli", "download", str(manifest), "--out", str(folder)]
    with Sampler(server.process) as sampled:
        yield Row("gfard download, checked", _rate(command), "MB/s")
    yield Row("the server's largest memory meanwhile", round(sampled.peak / 2**20), "MB")
    if shutil.which("curl"):
        output = str(folder / "curl")
        yield Row("curl, unchecked", _rate(["curl", "-s", "-o", output, url]), "MB/s")


def _rate(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return round(LARGE / 2**20 / (time.perf_counter() - begin), 1)


def rows(full: bool) -> Iterator[Row]:
    """Yield every figure; ``full`` exports 100,000 assets."""
    each = len(document(facts())["assets"])
    assets = 100_000 if full else 20_000
    items = -(-assets // each)
    with tempfile.TemporaryDirectory(prefix="gfard-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Cluster(folder / "postgres", durable=False).running() as dsns:
            load(dsns.ingest_dsn, made_items(items))
            with serving(dsns, folder / "data") as server:
                yield from export_rows(server, items, items * each)
                yield refusal_row(server)
                yield from download_rows(server, folder)


def main() -> None:
    """Print the figures, one a line; exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="export 100,000 assets")
    options = parser.parse_args()
    raise SystemExit(show(rows(options.full), as_json=options.json))


if __name__ == "__main__":
    main()
