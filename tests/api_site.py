"""The STAC API over published items, for tests that ask it without a network."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from catalog.facts import ItemFacts
from catalog.product import ItemId
from catalog.published import published_version
from catalog.settings import CatalogSettings
from catalog.store import StoredItem, relative_folder
from catalog.versions import versions
from catalog.web.api import create_app
from infra.roles import Dsns
from tests.catalog_products import document

URL = "http://ard.example.org"


def stored(facts: ItemFacts) -> StoredItem:
    """A product as a store yields it, without files."""
    item = document(facts)
    item_id = ItemId.parse(item["id"])
    return StoredItem(item_id, relative_folder(item_id), item)


def published(products: Iterable[ItemFacts]) -> list[dict[str, Any]]:
    """Items of products as they are published, with their versions."""
    ordered = sorted((stored(each) for each in products), key=lambda each: str(each.id))
    return [published_version(version, URL) for version in versions(ordered)]


@contextmanager
def api(dsns: Dsns, store: Path) -> Iterator[TestClient]:
    """A client of the API below its prefix."""
    settings = CatalogSettings(database_url=dsns.read_dsn, store=store, public_url=URL)
    with TestClient(create_app(settings), base_url=URL, root_path="/stac") as client:
        yield client
