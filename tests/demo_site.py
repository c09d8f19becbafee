"""The demonstration's scenes, made once, published and served by the commands themselves."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.folder import FolderStore
from infra.demo import DemoReport, run_demo
from infra.roles import Dsns

READY_WITHIN_S = 120


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demonstration made: its report and its store, below the data folder."""

    report: DemoReport
    store: FolderStore

    @property
    def data(self) -> Path:
        """Data folder of the platform."""
        return self.store.root.parent


def make_demo(folder: Path) -> Demo:
    """Simulate, process and compare the demonstration's scenes under ``folder``."""
    store = FolderStore(folder / "store")
    return Demo(run_demo(folder / "demo", store, lambda scene, step, share: None), store)


@contextmanager
def served(demo: Demo, dsns: Dsns) -> Iterator[str]:
    """Publish the demonstration's products with ``gfard`` and serve them; gives the address."""
    with served_data(demo.data, dsns, "/tiles/healthz") as address:
        yield address


@contextmanager
def served_data(data: Path, dsns: Dsns, ready: str, *arguments: str) -> Iterator[str]:
    """Publish and serve the store of a data folder until ``ready`` answers; gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "GFARD_DATA": str(data),
        "GFARD_PORT": str(port),
        "GFARD_DATABASE_READ_URL": dsns.read_dsn,
        "GFARD_DATABASE_INGEST_URL": dsns.ingest_dsn,
        "GFARD_DATABASE_COUNTERS_URL": dsns.counters_dsn,
    }
    publish(environment)
    with subprocess.Popen([*_COMMAND, "serve", *arguments], env=environment) as server:
        try:
            _wait_for(f"{address}{ready}", server)
            yield address
        finally:
            server.terminate()


def publish(environment: dict[str, str]) -> None:
    """Bring the store into the catalogue."""
    subprocess.run([*_COMMAND, "publish"], env=environment, check=True, capture_output=True)


_COMMAND = (sys.executable, "-m", "infra.cli")


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        assert server.poll() is None, f"gfard serve ended with {server.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer within {READY_WITHIN_S} s")
