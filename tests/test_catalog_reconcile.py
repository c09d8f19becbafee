"""Store and catalogue are compared both ways, and brought together again."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from catalog.changes import restore, withdraw
from catalog.check import check_store
from catalog.errors import StoreError, UnreadableItemError
from catalog.folder import FolderStore
from catalog.load import publish
from catalog.reconcile import compare, repair
from infra.roles import Dsns
from tests.catalog_products import changed, facts, store_product

URL = "http://ard.example.org"
ONE = facts(version="RECON1")
TWO = facts("GF6WFV", datetime(2020, 6, 1, 3, 0, 0, tzinfo=UTC), version="RECON1")

pytestmark = pytest.mark.integration


@pytest.fixture
def store(tmp_path: Path, postgres: Dsns) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    for each in (ONE, TWO):
        store_product(store, each)
    publish(store, postgres.ingest_dsn, URL)
    return store


def _codes(store: FolderStore, postgres: Dsns) -> list[str]:
    return [finding.code for finding in compare(store, postgres.ingest_dsn, URL)]


def _execute(dsn: str, statement: str, *values: str) -> None:
    with psycopg.connect(dsn, options="-c search_path=pgstac,public") as connection:
        connection.execute(statement, values)


def test_a_published_store_agrees(store: FolderStore, postgres: Dsns) -> None:
    assert compare(store, postgres.ingest_dsn, URL) == []


def test_every_disagreement_is_found_and_mended(store: FolderStore, postgres: Dsns) -> None:
    name = str(ONE.id)
    _execute(postgres.ingest_dsn, "SELECT delete_item(%s, %s)", name, ONE.id.collection)
    assert _codes(store, postgres) == ["not-published"]
    done = repair(store, postgres.ingest_dsn, URL)
    assert (done.quarantined, done.removed, done.published) == ((), (), 2)
    assert _codes(store, postgres) == []

    assert {f.code for f in compare(store, postgres.ingest_dsn, "http://elsewhere")} == {
        "catalogue-differs"
    }

    stored = store.get(ONE.id)
    assert stored is not None
    sr = store.resolve(f"{stored.relative}/{name}.SR.tiff")
    sr.write_bytes(sr.read_bytes()[:-7])
    done = repair(store, postgres.ingest_dsn, URL)
    assert (done.quarantined, done.removed, done.published) == ((name,), (name,), 1)
    assert _codes(store, postgres) == []
    assert store.get(ONE.id) is None
    assert sr.exists()

    store_product(store, ONE)  # processed again
    assert _codes(store, postgres) == ["not-published"]
    assert repair(store, postgres.ingest_dsn, URL).published == 2
    assert _codes(store, postgres) == []


@pytest.mark.parametrize("content", [b'{"id": "GF1', b"[]", b"{}"], ids=["cut", "list", "empty"])
def test_what_is_no_item_is_hidden_and_stops_nothing_else(
    store: FolderStore, postgres: Dsns, content: bytes
) -> None:
    stored = store.get(ONE.id)
    assert stored is not None
    document = store.resolve(f"{stored.relative}/{ONE.id}.json")
    document.write_bytes(content)
    _execute(postgres.ingest_dsn, "SELECT delete_item(%s, %s)", str(TWO.id), TWO.id.collection)
    with pytest.raises(UnreadableItemError, match="--repair"):
        publish(store, postgres.ingest_dsn, URL)
    assert _codes(store, postgres) == ["not-published"]
    assert [found.code for found in check_store(store)] == ["item-unreadable"]
    done = repair(store, postgres.ingest_dsn, URL)
    assert (done.quarantined, done.removed, done.published) == ((str(ONE.id),), (str(ONE.id),), 1)
    assert "not readable as a STAC item" in str(store.why_hidden(ONE.id))
    assert _codes(store, postgres) == []


def test_a_store_without_products_does_not_empty_the_catalogue(
    store: FolderStore, postgres: Dsns, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    product = store.get(ONE.id)
    assert product is not None
    for root in (tmp_path / "empty", store.resolve(product.relative)):
        with pytest.raises(StoreError, match="nothing was changed"):
            repair(FolderStore(root), postgres.ingest_dsn, URL)
    assert _codes(store, postgres) == []


def test_an_item_whose_product_is_gone_leaves_the_catalogue(
    store: FolderStore, postgres: Dsns
) -> None:
    stored = store.get(TWO.id)
    assert stored is not None
    shutil.rmtree(store.resolve(stored.relative))
    (finding,) = compare(store, postgres.ingest_dsn, URL)
    assert (finding.code, finding.path) == ("no-files", str(TWO.id))
    assert publish(store, postgres.ingest_dsn, URL).removed == ()  # it may be of another store
    assert repair(store, postgres.ingest_dsn, URL).removed == (str(TWO.id),)
    assert _codes(store, postgres) == []


def test_an_item_that_the_store_hides_leaves_the_catalogue_for_the_same_reason(
    store: FolderStore, postgres: Dsns
) -> None:
    stored = store.get(TWO.id)
    assert stored is not None
    store.quarantine(stored, "rejected: geometric RMSE 1.20 pixel")
    assert publish(store, postgres.ingest_dsn, URL).removed == (str(TWO.id),)
    assert _codes(store, postgres) == []
    with psycopg.connect(postgres.ingest_dsn) as connection:
        found = connection.execute(
            "SELECT kind, reason FROM gfard.changes WHERE item = %s ORDER BY number DESC LIMIT 1",
            [str(TWO.id)],
        ).fetchone()
    assert found == ("removed", "rejected: geometric RMSE 1.20 pixel")
    assert publish(store, postgres.ingest_dsn, URL).removed == ()
    store_product(store, TWO)  # processed again, with better luck
    publish(store, postgres.ingest_dsn, URL)
    assert store.why_hidden(TWO.id) is None
    assert _codes(store, postgres) == []


def test_a_withdrawn_product_replaces_nothing(store: FolderStore, postgres: Dsns) -> None:
    again = changed(facts(version="RECON2"), {"created": ONE.created + timedelta(days=1)})
    store_product(store, again)
    publish(store, postgres.ingest_dsn, URL)
    assert _deprecated(postgres, str(ONE.id))
    withdraw(postgres.ingest_dsn, str(again.id), "wrong aerosol")
    (finding,) = compare(store, postgres.ingest_dsn, URL)  # the one before it is still hidden
    assert finding.code == "catalogue-differs"
    assert str(ONE.id) in finding.path
    assert publish(store, postgres.ingest_dsn, URL).total == 2
    assert not _deprecated(postgres, str(ONE.id))
    assert _codes(store, postgres) == []
    restore(postgres.ingest_dsn, str(again.id), "it was right")
    publish(store, postgres.ingest_dsn, URL)
    assert _deprecated(postgres, str(ONE.id))
    assert _codes(store, postgres) == []


def _deprecated(postgres: Dsns, item: str) -> bool:
    with psycopg.connect(postgres.read_dsn, options="-c search_path=pgstac,public") as connection:
        row = connection.execute("SELECT get_item(%s, 'gf1-wfv-ard')", [item]).fetchone()
    assert row is not None
    return bool(row[0]["properties"]["deprecated"])
