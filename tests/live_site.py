"""API, files and products behind a real socket, as clients see them."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from catalog.item import ItemFacts
from catalog.load import publish
from catalog.settings import CatalogSettings
from catalog.store import FolderStore
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
    """Store products with their files, publish them and serve them from a free port."""
    settings = CatalogSettings(database_url=dsns.read_dsn, store=store.root)
    parts = [Mount("/stac", create_app(settings)), Mount("/data", files_app(store))]
    server = uvicorn.Server(uvicorn.Config(Dispatcher(parts), port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + READY_WITHIN_S
    while not server.started:
        assert thread.is_alive(), "the server ended"
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    site = LiveSite(f"http://127.0.0.1:{port}", store)
    try:
        for product in products:
            store_product(store, product)
        publish(store, dsns.ingest_dsn, site.address)
        yield site
    finally:
        server.should_exit = True
        thread.join()
