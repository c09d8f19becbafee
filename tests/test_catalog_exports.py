"""Exports: everything that a search finds, in forms that other programs read, at a bounded cost."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pyarrow.parquet as pq
import pytest
from stac_geoparquet.arrow import parse_stac_ndjson_to_parquet
from starlette.testclient import TestClient

from catalog.load import load
from catalog.product import ItemId
from catalog.published import published_item
from catalog.settings import CatalogSettings
from catalog.store import StoredItem, relative_folder
from catalog.web import exports
from catalog.web.api import create_app
from catalog.web.geoparquet import convert
from infra.roles import Dsns
from tests.catalog_products import document, facts

pytestmark = pytest.mark.integration

URL = "http://ard.example.org"
COUNT = 210
"""Items: more than two pages of an export."""
SHA256 = "ab" * 32


def _published(number: int) -> dict[str, Any]:
    camera = "GF6WFV" if number % 10 == 0 else "GF1WFV2"
    time = datetime(2017, 3, 1, 3, tzinfo=UTC) + timedelta(days=number)
    item = document(facts(camera, time, "EXP", cloud=number * 0.25))
    item_id = ItemId.parse(item["id"])
    return published_item(StoredItem(item_id, relative_folder(item_id), item), URL)


@pytest.fixture(scope="module")
def items(postgres: Dsns) -> dict[str, dict[str, Any]]:
    published = [_published(number) for number in range(COUNT)]
    load(postgres.ingest_dsn, iter(published))
    return {item["id"]: item for item in published}


@pytest.fixture(scope="module")
def client(postgres: Dsns, items: dict[str, Any], tmp_path_factory: Any) -> Iterator[TestClient]:
    settings = CatalogSettings(
        database_url=postgres.read_dsn, store=tmp_path_factory.mktemp("store"), public_url=URL
    )
    with TestClient(create_app(settings), base_url=URL, root_path="/stac") as client:
        yield client


def _export(client: TestClient, format: str, **query: Any) -> Any:
    identity = {"Accept-Encoding": "identity"}
    answer = client.get("/stac/export", params={"format": format, **query}, headers=identity)
    assert answer.status_code == 200, answer.text
    return answer


def test_every_file_of_every_item_is_listed_once(client: TestClient, items: dict[str, Any]) -> None:
    answer = _export(client, "urls")
    expected = {asset["href"] for item in items.values() for asset in item["assets"].values()}
    lines = answer.text.splitlines()
    assert len(lines) == len(expected) > 7 * 209
    assert set(lines) == expected
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="gfard-urls.txt"'


def test_searches_are_those_of_the_api(client: TestClient, items: dict[str, Any]) -> None:
    cloudless = {name for name, item in items.items() if item["properties"]["eo:cloud_cover"] < 30}
    query = {"filter": "eo:cloud_cover < 30", "assets": "SR", "limit": 3}
    by_get = _export(client, "urls", **query).text
    assert {
        line.rpartition("/")[2].removesuffix(".SR.tiff") for line in by_get.split()
    } == cloudless
    body = {
        "format": "urls",
        "assets": ["SR"],
        "filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 30]},
    }
    by_post = client.post("/stac/export", json=body)
    assert by_post.status_code == 200
    assert by_post.text == by_get


def test_a_cart_is_a_list_of_ids(client: TestClient, items: dict[str, Any]) -> None:
    names = sorted(items)[:3]
    lines = _export(client, "urls", ids=",".join(names), assets="SR,mask").text.splitlines()
    found = {line.rpartition("/")[2] for line in lines}
    assert found == {f"{name}.{key}.tiff" for name in names for key in ("SR", "mask")}
    posted = client.post(
        "/stac/export", json={"format": "urls", "assets": ["SR", "mask"], "ids": names}
    )
    assert set(posted.text.splitlines()) == set(lines)


def test_an_asset_that_no_item_has_is_refused_with_those_there_are(client: TestClient) -> None:
    """One that is made on request alone is known all the same."""
    for asked in (
        client.get("/stac/export", params={"format": "urls", "assets": "SR,sr"}),
        client.post("/stac/export", json={"format": "csv", "assets": ["sr"]}),
    ):
        assert asked.status_code == 400
        assert "no item has an asset sr; there are AOD, " in asked.json()["detail"]
        assert ", SR, " in asked.json()["detail"]
    assert _export(client, "urls", assets="AOD_uncertainty").text == ""


def test_aria2_names_and_checks_files(client: TestClient, items: dict[str, Any]) -> None:
    name = min(items)
    text = _export(client, "aria2", ids=name, assets="SR").text
    href = items[name]["assets"]["SR"]["href"]
    assert text == f"{href}\n  out={name}.SR.tiff\n  checksum=sha-256={SHA256}\n"


def test_metalink_names_and_checks_files(client: TestClient, items: dict[str, Any]) -> None:
    answer = _export(client, "metalink", ids=min(items), assets="SR")
    assert answer.headers["content-type"] == "application/metalink4+xml"
    space = "{urn:ietf:params:xml:ns:metalink}"
    (file,) = ElementTree.fromstring(answer.content).iter(f"{space}file")
    assert file.attrib == {"name": f"{min(items)}.SR.tiff"}
    assert file.findtext(f"{space}size") == "1000"
    digest = file.find(f"{space}hash")
    assert digest is not None
    assert (digest.attrib["type"], digest.text) == ("sha-256", SHA256)
    assert file.findtext(f"{space}url") == items[min(items)]["assets"]["SR"]["href"]


def test_sha256sum_and_script_are_well_formed(client: TestClient, items: dict[str, Any]) -> None:
    query = {"ids": min(items), "assets": "SR"}
    assert _export(client, "sha256sum", **query).text == f"{SHA256}  {min(items)}.SR.tiff\n"
    script = _export(client, "curl", **query).text
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    href = items[min(items)]["assets"]["SR"]["href"]
    assert f"get {min(items)}.SR.tiff 1000 {SHA256} {href}\n" in script


def test_csv_holds_properties_and_addresses(client: TestClient, items: dict[str, Any]) -> None:
    answer = _export(client, "csv", assets="SR,mask")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert rows.keys() == items.keys()
    for name, item in items.items():
        assert float(rows[name]["eo:cloud_cover"]) == item["properties"]["eo:cloud_cover"]
        assert rows[name]["SR"] == item["assets"]["SR"]["href"]
        corners = [float(rows[name][side]) for side in ("west", "south", "east", "north")]
        assert corners == item["bbox"]


def test_geojson_sequence_holds_the_items(client: TestClient, items: dict[str, Any]) -> None:
    answer = _export(client, "geojsonseq")
    assert answer.headers["content-type"] == "application/geo+json-seq"
    records = answer.content.split(b"\x1e")
    assert records[0] == b""
    found = {item["id"]: item for item in map(json.loads, records[1:])}
    assert found.keys() == items.keys()
    for name, item in items.items():
        for part in ("assets", "properties", "geometry", "bbox"):
            assert found[name][part] == item[part]
    (links,) = {tuple(link["rel"] for link in item["links"])[-3:] for item in found.values()}
    assert links == ("tilejson", "xyz", "preview")
    few = _export(client, "geojsonseq", fields="id,properties.platform", ids=min(items))
    assert json.loads(few.content[1:])["properties"] == {"platform": "gaofen-1"}


def test_geoparquet_is_read_by_another_library(
    client: TestClient, items: dict[str, Any], tmp_path: Any
) -> None:
    answer = _export(client, "geoparquet")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert int(answer.headers["content-length"]) == len(answer.content)
    table = pq.read_table(io.BytesIO(answer.content))
    geo = json.loads(table.schema.metadata[b"geo"])
    assert geo["primary_column"] == "geometry"
    rows = {row["id"]: row for row in table.to_pylist()}
    assert rows.keys() == items.keys()
    for name, item in items.items():
        assert rows[name]["eo:cloud_cover"] == item["properties"]["eo:cloud_cover"]
        assert rows[name]["datetime"] == datetime.fromisoformat(item["properties"]["datetime"])
        assert rows[name]["assets"]["SR"]["href"] == item["assets"]["SR"]["href"]
        assert len(rows[name]["assets"]["SR"]["bands"]) == len(item["assets"]["SR"]["bands"])


def test_columns_found_from_few_items_are_those_of_all(tmp_path: Path) -> None:
    items = [_published(number) for number in range(0, 60, 3)]
    items[7]["properties"]["gfard:rare"] = {"deep": [1, 2.5]}
    items[11]["properties"]["eo:cloud_cover"] = 3
    (tmp_path / "items").write_bytes(b"".join(orjson.dumps(item) + b"\n" for item in items))
    convert(tmp_path / "items", tmp_path / "few.parquet")
    parse_stac_ndjson_to_parquet(tmp_path / "items", tmp_path / "all.parquet")
    few, every = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("few", "all"))
    assert few.schema.equals(every.schema)
    assert few.equals(every)


@pytest.mark.parametrize("format", ["urls", "metalink", "csv", "geojsonseq", "curl"])
def test_a_search_without_result_is_an_empty_list(client: TestClient, format: str) -> None:
    assert URL not in _export(client, format, ids="none").text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"format": "exe"}, 400),
        ({}, 400),
        ({"format": "urls", "bbox": "1,2"}, 400),
        ({"format": "urls", "filter": "((("}, 400),
        ({"format": "urls", "datetime": "yesterday"}, 400),
        ({"format": "geoparquet", "ids": "none"}, 404),
        ({"format": "urls", "assets": "SR," * 500}, 400),
    ],
)
def test_what_cannot_be_is_refused(client: TestClient, query: dict[str, str], status: int) -> None:
    assert client.get("/stac/export", params=query).status_code == status


def test_more_items_than_an_export_may_have_are_never_cut_silently(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_ITEMS", COUNT - 1)
    answer = client.get("/stac/export", params={"format": "geoparquet"})
    assert answer.status_code == 400
    assert "narrow the search" in answer.text
    with pytest.raises(RuntimeError, match="response already started"):  # the connection breaks
        client.get("/stac/export", params={"format": "urls"})
    monkeypatch.setattr(exports, "MAX_ITEMS", COUNT)
    for _ in range(3):  # no slot is left held
        assert len(_export(client, "urls", assets="SR").text.splitlines()) == COUNT


def test_bodies_that_are_no_search_are_refused(client: TestClient) -> None:
    assert client.post("/stac/export", json=[]).status_code == 400
    assert client.post("/stac/export", json={"format": "urls", "assets": "SR"}).status_code == 400
    assert client.post("/stac/export", json={"ids": ["a"]}).status_code == 400
    many = {"format": "urls", "assets": ["SR"] * 100}
    assert client.post("/stac/export", json=many).status_code == 400
