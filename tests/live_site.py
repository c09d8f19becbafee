"""API, files and products behind a real socket, as clients see them."""

import socket
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

import uvicorn

from catalog.facts import ItemFacts
from catalog.folder import FolderStore
from catalog.load import publish
from catalog.settings import CatalogSettings
from catalog.web.api import create_app
from catalog.web.files import files_app
from infra.dispatch import Dispatcher, Mount
from infra.roles import Dsns
from tests.catalog_products import store_product

READY_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class LiveSite:
    """Address of the platform and the store behind it."""

    address: str
    store: FolderStore

    @property
    def stac(self) -> str:
        """Address of the STAC API."""
        return f"{self.address}/stac"


@contextmanager
def live_site(dsns: Dsns, store: FolderStore, products: Iterable[ItemFacts]) -> Iterator[LiveSite]:
    """Store products with their files, publish them and serve them from a free port.

    The server is a process of its own: GDAL keeps Python's lock while it waits for an answer.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        site = LiveSite(f"http://127.0.0.1:{listening.getsockname()[1]}", store)
        for product in products:
            store_product(store, product)
        publish(store, dsns.ingest_dsn, site.address)
        server = get_context("fork").Process(target=_serve, args=(listening, dsns, store))
        server.start()
    try:
        _wait_for(f"{site.stac}/_mgmt/ping", server)
        yield site
    finally:
        server.terminate()
        server.join()


def _serve(listening: socket.socket, dsns: Dsns, store: FolderStore) -> None:
    settings = CatalogSettings(database_url=dsns.read_dsn, store=store.root)
    parts = [Mount("/stac", create_app(settings)), Mount("/data", files_app(store))]
    config = uvicorn.Config(Dispatcher(parts), log_level="error", ws="none")
    uvicorn.Server(config).run(sockets=[listening])


def _wait_for(url: str, server: BaseProcess) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        assert server.is_alive(), f"the server ended with {server.exitcode}"
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    raise AssertionError(f"{url} does not answer within {READY_WITHIN_S} s")
