"""Searches beyond the core: fields, free text, aggregations, queryables and a tree to walk."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from catalog.load import load
from catalog.web import fields
from infra.roles import Dsns
from tests.api_site import URL, api, published
from tests.catalog_products import facts

pytestmark = pytest.mark.integration

START = datetime(2016, 1, 20, 3, tzinfo=UTC)
COUNT = 10


@pytest.fixture(scope="module")
def items(postgres: Dsns) -> list[dict[str, Any]]:
    cameras = ("GF1WFV2", "GF6WFV")
    made = published(
        facts(cameras[n % 2], START + timedelta(days=9 * n), "S1", cloud=n * 9.0)
        for n in range(COUNT)
    )
    load(postgres.ingest_dsn, iter(made))
    return made


@pytest.fixture(scope="module")
def client(postgres: Dsns, items: Any, tmp_path_factory: Any) -> Iterator[TestClient]:
    with api(postgres, tmp_path_factory.mktemp("store")) as client:
        yield client


def _get(client: TestClient, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/stac/{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _post(client: TestClient, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/stac/{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


ALWAYS = {"id", "type", "collection", "links"}


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ({"include": ["geometry"]}, ALWAYS | {"geometry"}),
        ({"exclude": ["properties"], "include": ["properties.gsd"]}, ALWAYS | {"properties"}),
        ({"include": ["bbox"], "exclude": ["links", "id"]}, {"type", "collection", "bbox"}),
        ({"include": ["geometry"], "exclude": ["geometry"]}, ALWAYS | {"geometry"}),
    ],
    ids=["one", "part of an object", "left out", "both"],
)
def test_fields_of_a_body_and_of_a_query(
    client: TestClient, asked: dict[str, list[str]], keys: set[str]
) -> None:
    names = [*asked.get("include", []), *(f"-{name}" for name in asked.get("exclude", []))]
    for found in (
        _post(client, "search", fields=asked, limit=1),
        _get(client, "search", fields=",".join(names), limit=1),
    ):
        assert set(found["features"][0]) == keys


def test_absent_and_empty_choices_of_fields_differ(client: TestClient) -> None:
    (whole,) = _post(client, "search", limit=1)["features"]
    (exclude,) = _post(client, "search", limit=1, fields={"exclude": ["bbox"]})["features"]
    assert set(whole) - set(exclude) == {"bbox"}
    (empty,) = _post(client, "search", limit=1, fields={})["features"]
    assert set(empty["properties"]) == {"datetime"}
    (neither,) = _post(client, "search", limit=1, fields={"include": [], "exclude": ["assets"]})[
        "features"
    ]
    assert set(empty) - set(neither) == {"assets"}
    assert client.post("/stac/search", json={"fields": None}).status_code == 400
    (query,) = _get(client, "search", limit=1, fields="")["features"]
    assert query == empty


def test_a_selection_leaves_the_item_whole() -> None:
    item = {"id": "a", "properties": {"x": {"y": 1, "z": 2}, "w": 3}}
    before = orjson.dumps(item)
    assert fields.without(["properties.x.y", "id"]).applied(item) == {
        "properties": {"x": {"z": 2}, "w": 3}
    }
    assert orjson.dumps(item) == before


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ("gaofen-6", COUNT // 2),
        ("GF1WFV2", COUNT // 2),
        ("violet,WFV2", COUNT // 2),
        ("surface reflectance", COUNT),
        ("reflectance surface", 0),
        ("31TCL", COUNT),
        ("32TCL", 0),
        ("2016-01-29", 1),
    ],
)
def test_free_text_finds_items(client: TestClient, terms: str, expected: int) -> None:
    assert len(_get(client, "search", q=terms, limit=50)["features"]) == expected
    found = _post(client, "search", q=terms.split(","), limit=50)
    assert len(found["features"]) == expected
    within = [
        len(_get(client, f"collections/{name}/items", q=terms, limit=50)["features"])
        for name in ("gf1-wfv-ard", "gf6-wfv-ard")
    ]
    assert sum(within) == expected


@pytest.mark.parametrize("text", ["' or 1=1", 'a"b', "gaofen & ! (", "a:*", "@QUOTE@1", "x' <-> y"])
def test_free_text_is_words_whatever_it_holds(client: TestClient, text: str) -> None:
    for path in ("search", "collections"):
        _get(client, path, q=text)


@pytest.mark.parametrize("text", ["&", "''", ",".join("abc" * 100), "%"])
def test_free_text_without_words_is_refused(client: TestClient, text: str) -> None:
    for path in ("search", "collections"):
        assert client.get(f"/stac/{path}", params={"q": text}).status_code == 400


def _aggregate(client: TestClient, *names: str, **query: Any) -> dict[str, Any]:
    found = _get(client, "aggregate", aggregations=",".join(names), **query)
    assert found["type"] == "AggregationCollection"
    return {each["name"]: each for each in found["aggregations"]}


def _frequencies(aggregation: dict[str, Any]) -> dict[str, int]:
    return {bucket["key"]: bucket["frequency"] for bucket in aggregation["buckets"]}


def test_aggregations_count_what_is_there(client: TestClient, items: list[Any]) -> None:
    found = _aggregate(
        client, "total_count", "datetime_min", "collection_frequency", "cloud_cover_frequency",
        "grid_code_frequency", "datetime_frequency",
    )  # fmt: skip
    properties = [item["properties"] for item in items]
    assert found["total_count"]["value"] == COUNT
    assert found["datetime_min"]["value"] == min(each["start_datetime"] for each in properties)
    assert _frequencies(found["collection_frequency"]) == Counter(
        item["collection"] for item in items
    )
    assert _frequencies(found["grid_code_frequency"]) == {"MGRS-31TCL": COUNT}
    clouds = Counter(int(each["eo:cloud_cover"]) // 10 * 10 for each in properties)
    assert _frequencies(found["cloud_cover_frequency"]) == {
        f"{start}-{start + 10}": number for start, number in clouds.items()
    }
    assert found["datetime_frequency"]["data_type"] == "interval_day"
    assert sum(_frequencies(found["datetime_frequency"]).values()) == COUNT


def test_aggregations_take_the_conditions_of_a_search(client: TestClient, items: Any) -> None:
    months = Counter(
        item["properties"]["datetime"][:7]
        for item in items
        if item["properties"]["eo:cloud_cover"] < 50
    )
    body = {
        "aggregations": ["datetime_frequency"],
        "datetime_frequency_interval": "month",
        "query": {"eo:cloud_cover": {"lt": 50}},
    }
    for found in (
        _post(client, "aggregate", **body)["aggregations"][0],
        _aggregate(
            client, "datetime_frequency", datetime_frequency_interval="month",
            filter="eo:cloud_cover < 50",
        )["datetime_frequency"],
    ):  # fmt: skip
        assert _frequencies(found) == {f"{month}-01T00:00:00Z": n for month, n in months.items()}
    (own,) = _get(client, "collections/gf6-wfv-ard/aggregate")["aggregations"]
    assert own == {"name": "total_count", "data_type": "integer", "value": COUNT // 2}
    assert (
        _aggregate(client, "total_count", datetime="1999-01-01T00:00:00Z")["total_count"]["value"]
        == 0
    )


def test_unknown_aggregations_are_refused(client: TestClient) -> None:
    answer = client.get("/stac/aggregate", params={"aggregations": "total_count,'; drop"})
    assert answer.status_code == 400
    assert "total_count" in answer.json()["description"]
    assert client.get("/stac/collections/none/aggregate").status_code == 404
    known = _get(client, "collections/gf1-wfv-ard/aggregations")["aggregations"]
    assert {"datetime_frequency", "grid_code_frequency"} <= {each["name"] for each in known}


def test_every_item_is_reached_by_walking(client: TestClient, items: list[Any]) -> None:
    waiting, seen = [f"{URL}/stac/"], set()
    while waiting:
        document = client.get(waiting.pop()).json()
        assert {"self", "root"} <= {link["rel"] for link in document["links"]}
        waiting += [link["href"] for link in document["links"] if link["rel"] == "child"]
        seen |= {link["href"] for link in document["links"] if link["rel"] == "item"}
    assert {href.rpartition("/")[2] for href in seen} == {item["id"] for item in items}
    assert all(client.get(href).status_code == 200 for href in list(seen)[:2])


def test_the_tree_has_no_other_days(client: TestClient) -> None:
    dates = "/stac/collections/gf1-wfv-ard/dates"
    for path in ("1999", "2016/13", "2016/2/31", "2016/1/1", "none"):
        assert client.get(f"{dates}/{path}").status_code in (400, 404), path


def test_children_are_the_collections(client: TestClient) -> None:
    found = _get(client, "children")
    assert [each["id"] for each in found["children"]] == ["gf1-wfv-ard", "gf6-wfv-ard"]
    assert found["children"][0] == _get(client, "collections/gf1-wfv-ard")


def test_queryables_are_those_of_the_collection(client: TestClient) -> None:
    for name, platform in (("gf1-wfv-ard", "gaofen-1"), ("gf6-wfv-ard", "gaofen-6")):
        answer = client.get(f"/stac/collections/{name}/queryables")
        assert answer.headers["content-type"].startswith("application/schema+json")
        schema = answer.json()
        assert schema["properties"]["platform"]["enum"] == [platform]
        assert schema["$id"] == f"{URL}/stac/collections/{name}/queryables"
    assert _get(client, "queryables")["properties"]["platform"]["enum"] == [
        "gaofen-1", "gaofen-6",
    ]  # fmt: skip
