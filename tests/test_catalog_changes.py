"""Versions of products, withdrawals, and the feed that tells the world about them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import psycopg
import pytest
from starlette.testclient import TestClient

from catalog.changes import restore, withdraw
from catalog.errors import CatalogError, ProductError
from catalog.facts import ItemFacts
from catalog.load import load
from catalog.versions import versions
from infra.roles import Dsns
from tests.api_site import URL, api, published, stored
from tests.catalog_products import changed, facts

TIME = datetime(2017, 5, 6, 3, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"


def _product(version: str, days: int = 0, **changes: Any) -> ItemFacts:
    made = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)
    return changed(facts(time=TIME, version=version), {"created": made, **changes})


def test_the_product_made_last_is_current() -> None:
    made = [_product("B", 0), _product("A", 2), _product("C", 1)]
    others = facts(time=TIME, camera="GF1WFV2", version="A")
    ordered = sorted((stored(each) for each in [*made, others]), key=lambda each: str(each.id))
    found = {str(each.stored.id): each for each in versions(ordered)}
    oldest, current, middle = (found[str(each.id)] for each in made)
    assert (oldest.predecessor, oldest.successor) == (None, middle.stored.id)
    assert (middle.predecessor, middle.successor) == (oldest.stored.id, current.stored.id)
    assert current.is_current
    assert {str(each.latest) for each in (oldest, middle)} == {str(current.stored.id)}
    assert found[str(others.id)].is_current


@pytest.fixture(scope="module")
def history(postgres: Dsns) -> dict[str, str]:
    """Ids by what happens to them: one is reprocessed, one changes, one stays, one is withdrawn."""
    with psycopg.connect(postgres.admin_dsn) as connection:
        connection.execute("TRUNCATE gfard.changes")
    old, new = _product("1"), _product("2", 5)
    stays, goes = (facts("GF6WFV", TIME + timedelta(days=n), "1") for n in (1, 2))
    changes = facts("GF6WFV", TIME + timedelta(days=3), "1")
    load(postgres.ingest_dsn, published([old, stays, goes, changes]))
    later = changed(changes, {"valid_percent": 40.0})
    for _ in range(2):
        load(postgres.ingest_dsn, published([old, new, stays, goes, later]), "better aerosol")
    withdraw(postgres.ingest_dsn, str(goes.id), "wrong geometry")
    names = {"old": old, "new": new, "stays": stays, "goes": goes, "changes": changes}
    return {name: str(each.id) for name, each in names.items()}


@pytest.fixture(scope="module")
def client(postgres: Dsns, history: Any, tmp_path_factory: Any) -> Iterator[TestClient]:
    with api(postgres, tmp_path_factory.mktemp("store")) as client:
        yield client


def _ids(client: TestClient, **query: Any) -> set[str]:
    found = client.get("/stac/search", params=query).json()["features"]
    return {item["id"] for item in found}


@pytest.mark.integration
def test_search_hides_what_is_replaced_unless_asked(
    client: TestClient, history: dict[str, str]
) -> None:
    current = {history[name] for name in ("new", "stays", "changes")}
    assert _ids(client) == current
    assert _ids(client, filter="deprecated = true") == {history["old"]}
    assert _ids(client, query='{"deprecated": {"in": [true, false]}}') == {
        *current, history["old"],
    }  # fmt: skip
    assert _ids(client, ids=history["old"]) == {history["old"]}
    found = client.get("/stac/aggregate").json()["aggregations"]
    assert found[0]["value"] == len(current)


@pytest.mark.integration
def test_versions_are_linked_both_ways(client: TestClient, history: dict[str, str]) -> None:
    def links(name: str) -> dict[str, str]:
        item = client.get(f"/stac/collections/gf1-wfv-ard/items/{history[name]}").json()
        assert item["properties"]["deprecated"] is (name == "old")
        return {link["rel"]: link["href"] for link in item["links"]}

    successor = links("old")["successor-version"]
    assert successor == links("old")["latest-version"]
    assert client.get(successor).json()["id"] == history["new"]
    assert client.get(links("new")["predecessor-version"]).json()["id"] == history["old"]
    assert "successor-version" not in links("new")


@pytest.mark.integration
def test_the_feed_tells_what_happened_and_why(client: TestClient, history: dict[str, str]) -> None:
    told = client.get("/stac/changes").json()["changes"]
    happened = [(each["kind"], each["item"], each["reason"]) for each in told]
    assert happened[0] == ("withdrawn", history["goes"], "wrong geometry")
    assert set(happened[1:4]) == {
        ("new", history["new"], f"replaces {history['old']}: better aerosol"),
        ("replaced", history["old"], f"replaced by {history['new']}: better aerosol"),
        ("replaced", history["changes"],
         "published again with another content: better aerosol"),
    }  # fmt: skip
    firsts = {(kind, reason) for kind, _, reason in happened[4:]}
    assert firsts == {("new", "first publication")}
    assert len(happened) == 8
    (replaced,) = [each for each in told if each["item"] == history["old"] and "successor" in each]
    assert client.get(replaced["successor_href"]).json()["id"] == history["new"]


@pytest.mark.integration
def test_the_feed_has_pages_and_a_beginning(client: TestClient) -> None:
    everything = client.get("/stac/changes").json()["changes"]
    url, seen = "/stac/changes?limit=3", []
    while url:
        page = client.get(url).json()
        seen += page["changes"]
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert seen == everything
    first = everything[0]["time"]
    recent = client.get("/stac/changes", params={"since": first}).json()["changes"]
    assert [each["time"] >= first for each in everything].count(True) == len(recent)
    own = client.get("/stac/changes", params={"collection": "gf1-wfv-ard"}).json()["changes"]
    assert {each["collection"] for each in own} == {"gf1-wfv-ard"}
    for query in ({"since": "yesterday"}, {"since": "2024-01-01T00:00:00"}, {"limit": 10_000}):
        assert client.get("/stac/changes", params=query).status_code == 400


@pytest.mark.integration
def test_the_feed_as_atom(client: TestClient, history: dict[str, str]) -> None:
    answer = client.get("/stac/changes?limit=2", headers={"Accept": "application/atom+xml"})
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = ElementTree.fromstring(answer.content)
    for name in ("id", "title", "updated"):
        assert feed.findtext(f"{ATOM}{name}")
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    entries = feed.findall(f"{ATOM}entry")
    assert entries[0].findtext(f"{ATOM}summary") == "wrong geometry"
    for entry in entries:
        assert all(entry.findtext(f"{ATOM}{name}") for name in ("id", "title", "updated"))
    links = {link.get("rel"): link.get("href", "") for link in feed.findall(f"{ATOM}link")}
    following = client.get(links["next"], headers={"Accept": "application/atom+xml"})
    assert len(ElementTree.fromstring(following.content).findall(f"{ATOM}entry")) == 2
    assert links["next"].startswith(f"{URL}/stac/changes?")


@pytest.mark.integration
def test_an_unchanged_feed_is_not_sent_again(client: TestClient) -> None:
    for query in ("", "?f=atom"):
        tag = client.get(f"/stac/changes{query}").headers["etag"]
        again = client.get(f"/stac/changes{query}", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        other = client.get(f"/stac/changes{query}", headers={"If-None-Match": '"other"'})
        assert other.status_code == 200


@pytest.mark.integration
def test_withdrawn_items_come_back_when_they_are_restored(
    postgres: Dsns, client: TestClient
) -> None:
    product = facts("GF1WFV4", TIME, "R")
    name, dsn = str(product.id), postgres.ingest_dsn
    load(dsn, published([product]))
    withdraw(dsn, name, "test")
    load(dsn, published([product]))
    assert _ids(client, ids=name) == set()
    with pytest.raises(CatalogError, match="not in the catalogue"):
        withdraw(dsn, name, "again")
    restore(dsn, name, "was right")
    with pytest.raises(CatalogError, match="not withdrawn"):
        restore(dsn, name, "again")
    load(dsn, published([product]))
    assert _ids(client, ids=name) == {name}
    told = client.get("/stac/changes", params={"collection": "gf1-wfv-ard"}).json()["changes"]
    kinds = [each["kind"] for each in told if each["item"] == name]
    assert kinds == ["new", "restored", "withdrawn", "new"]
    withdraw(dsn, name, "end of test")


@pytest.mark.integration
def test_withdrawing_needs_an_item_id_and_the_ingest_login(postgres: Dsns) -> None:
    with pytest.raises(ProductError, match="is not an item id"):
        withdraw(postgres.ingest_dsn, "'; drop table items", "test")
    with pytest.raises(CatalogError, match="refuses: permission denied"):
        withdraw(postgres.read_dsn, str(facts().id), "test")
