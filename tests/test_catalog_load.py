"""Publication into a real pgSTAC: complete, repeatable, with absolute addresses."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from catalog.errors import CatalogError
from catalog.folder import FolderStore
from catalog.load import publish
from catalog.product import ItemId
from catalog.published import published_item
from catalog.store import StoredItem, relative_folder
from catalog.validate import SchemaValidator
from infra.roles import Dsns
from tests.catalog_products import document, facts

URL = "http://ard.example.org"


class Products:
    """A store of documents without files."""

    label = "documents"

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.documents = documents
        self.written: list[str] = []

    def items(self) -> Any:
        for item in self.documents:
            item_id = ItemId.parse(item["id"])
            yield StoredItem(item_id, relative_folder(item_id), item)

    def exists(self, relative: str) -> bool:
        return False

    def put_collection(self, collection: Any) -> None:
        self.written.append(collection["id"])


def _one(dsn: str, statement: str, *values: Any) -> Any:
    with psycopg.connect(dsn, options="-c search_path=pgstac,public") as connection:
        row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row[0]


def _search(dsn: str, **query: Any) -> list[dict[str, Any]]:
    found: dict[str, Any] = _one(dsn, "SELECT search(%s)", Jsonb(query))
    return found["features"]


@pytest.fixture
def products() -> Products:
    return Products(
        document(facts("GF1WFV3", version="LOAD1")),
        document(facts("GF6WFV", datetime(2020, 6, 1, 3, 0, 0, tzinfo=UTC), version="LOAD1")),
    )


@pytest.mark.integration
def test_published_twice_is_published_once(postgres: Dsns, products: Products) -> None:
    seen: list[int] = []
    store: Any = products
    for _ in range(2):
        report = publish(store, postgres.ingest_dsn, URL, seen.append)
        assert report.items == {"gf1-wfv-ard": 1, "gf6-wfv-ard": 1}
        assert report.total == 2
    assert seen == [1, 2, 1, 2]
    assert products.written == ["gf1-wfv-ard", "gf6-wfv-ard"] * 2
    ids = [item["id"] for item in products.documents]
    found = _search(postgres.read_dsn, ids=ids)
    assert sorted(item["id"] for item in found) == sorted(ids)


@pytest.mark.integration
def test_a_changed_item_replaces_the_old_one(postgres: Dsns, products: Products) -> None:
    store: Any = products
    publish(store, postgres.ingest_dsn, URL)
    products.documents[0]["properties"]["eo:cloud_cover"] = 77
    publish(store, postgres.ingest_dsn, URL)
    (item,) = _search(postgres.read_dsn, ids=[products.documents[0]["id"]])
    assert item["properties"]["eo:cloud_cover"] == 77
    assert item["assets"]["SR"]["href"].startswith(f"{URL}/data/gf1-wfv-ard/31/T/CL/2014/")


@pytest.mark.integration
def test_extents_and_queryables_follow(postgres: Dsns, products: Products) -> None:
    store: Any = products
    publish(store, postgres.ingest_dsn, URL)
    collection = _one(postgres.read_dsn, "SELECT get_collection('gf6-wfv-ard')")
    (west, _, _, _), *_ = collection["extent"]["spatial"]["bbox"]
    assert west > -180
    start, end = collection["extent"]["temporal"]["interval"][0]
    assert start <= "2020-06-01T03:00:00" <= end
    schema = _one(postgres.read_dsn, "SELECT get_queryables('gf6-wfv-ard')")
    assert "eo:cloud_cover" in schema["properties"]


def test_published_item_is_valid(stac_schemas: Path) -> None:
    item_id = facts().id
    stored = StoredItem(item_id, relative_folder(item_id), document(facts()))
    item = published_item(stored, f"{URL}/")
    item["links"].append({"rel": "collection", "href": f"{URL}/stac/collections/gf1-wfv-ard"})
    assert SchemaValidator(stac_schemas).errors(item) == []
    links = {link["rel"]: link["href"] for link in item["links"]}
    assert links["preview"].startswith(f"{URL}/tiles/collections/gf1-wfv-ard/items/{item_id}/pre")
    assert links["xyz"].startswith(f"{URL}/tiles/collections/gf1-wfv-ard/items/{item_id}/tiles/")


def test_database_down_is_one_line_without_the_password() -> None:
    store: Any = Products()
    with pytest.raises(CatalogError, match=r"127\.0\.0\.1:1/x is not to be reached") as caught:
        publish(store, "postgresql://someone:hidden@127.0.0.1:1/x", URL)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.integration
def test_database_without_pgstac_is_refused(postgres: Dsns) -> None:
    store: Any = Products()
    dsn = psycopg.conninfo.make_conninfo(postgres.admin_dsn, dbname="postgres")
    with pytest.raises(CatalogError, match="holds no pgSTAC"):
        publish(store, dsn, URL)


@pytest.mark.integration
def test_the_read_login_may_not_publish(postgres: Dsns, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with pytest.raises(CatalogError, match="refuses: permission denied"):
        publish(store, postgres.read_dsn, URL)
