"""The STAC API: what it advertises works, its links hold below a prefix, its answers are fast."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pystac
import pytest
from fastapi import FastAPI
from psycopg.conninfo import conninfo_to_dict
from stac_fastapi.pgstac.app import instantiate_api
from stac_fastapi.pgstac.config import PostgresSettings
from stac_fastapi.pgstac.db import close_db_connection, connect_to_db
from starlette.testclient import TestClient

from catalog.errors import CatalogError
from catalog.load import load
from catalog.product import ItemId
from catalog.published import published_item
from catalog.settings import CatalogSettings
from catalog.store import StoredItem, relative_folder
from catalog.web.api import create_app
from catalog.web.limits import MAX_BODY
from infra.roles import Dsns
from tests.catalog_products import document, facts

pytestmark = pytest.mark.integration

URL = "http://ard.example.org"
WEST = -150.0
"""Where these items lie, so that those of other tests are not found."""
BOX = "-151,44,-148,45"
COUNT = 12


def _published(number: int) -> dict[str, Any]:
    time = datetime(2016, 3, 1, 3, tzinfo=UTC) + timedelta(days=number)
    item = document(facts("GF1WFV2", time, "API", cloud=number * 5.0, west=WEST + 0.1 * number))
    item_id = ItemId.parse(item["id"])
    return published_item(StoredItem(item_id, relative_folder(item_id), item), URL)


@pytest.fixture(scope="module")
def items(postgres: Dsns) -> list[dict[str, Any]]:
    published = [_published(number) for number in range(COUNT)]
    load(postgres.ingest_dsn, iter(published))
    return published


@pytest.fixture(scope="module")
def client(postgres: Dsns, items: list[dict[str, Any]], tmp_path_factory: Any) -> Iterator[Any]:
    settings = CatalogSettings(
        database_url=postgres.read_dsn, store=tmp_path_factory.mktemp("store"), public_url=URL
    )
    with TestClient(create_app(settings), base_url=URL, root_path="/stac") as client:
        yield client


def _search(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/stac/search", json={"bbox": [-151, 44, -148, 45], **body})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    document: dict[str, Any] = answer.json()
    return document


def test_landing_page(client: TestClient) -> None:
    page = client.get("/stac/").json()
    assert page["title"] == "Gaofen 16 m Analysis Ready Data"
    assert page["stac_version"] == "1.1.0"
    hrefs = {link["href"] for link in page["links"] if link["rel"] in ("self", "search", "data")}
    assert hrefs == {f"{URL}/stac/", f"{URL}/stac/search", f"{URL}/stac/collections"}


def test_every_link_of_the_landing_page_answers(client: TestClient) -> None:
    for link in client.get("/stac/").json()["links"]:
        if link.get("method") == "POST":
            answer = client.post(link["href"], json={})
        else:
            answer = client.get(link["href"])
        assert answer.status_code == 200, link


def test_nothing_is_advertised_that_does_not_work(client: TestClient) -> None:
    classes = client.get("/stac/conformance").json()["conformsTo"]
    assert any(name.endswith("item-search#filter") for name in classes)
    assert any(name.endswith("cql2-text") for name in classes)
    assert "https://api.stacspec.org/v1.0.0-rc.1/collection-search#query" not in classes
    assert not any("transaction" in name for name in classes)


def test_item_comes_back_as_it_was_published(client: TestClient, items: list[Any]) -> None:
    wanted = items[3]
    answer = client.get(f"/stac/collections/gf1-wfv-ard/items/{wanted['id']}")
    assert answer.headers["content-type"] == "application/geo+json"
    item = answer.json()
    for key in ("properties", "assets", "geometry", "bbox", "stac_extensions"):
        assert item[key] == wanted[key]
    links = {link["rel"]: link["href"] for link in item["links"]}
    assert links["self"] == f"{URL}/stac/collections/gf1-wfv-ard/items/{wanted['id']}"
    assert links["xyz"].endswith(
        "/{z}/{x}/{y}.webp?assets=SR%7Cbidx%3D3%2C2%2C1&rescale=0%2C3000&resampling=bilinear"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eo:cloud_cover < 12", 3),
        ("eo:cloud_cover BETWEEN 10 AND 20", 3),
        ("platform IN ('gaofen-6')", 0),
        ("\"grid:code\" LIKE 'MGRS-31%' AND datetime >= TIMESTAMP('2016-03-11T00:00:00Z')", 2),
        ("casei(\"grid:code\") = casei('mgrs-31tcl')", COUNT),
        ("\"grid:code\" LIKE 'MGRS-31%' AND datetime >= DATE('2016-03-11')", 2),
        ("datetime BETWEEN DATE('2016-03-11') AND DATE('2100-01-01')", 2),
        ("T_AFTER(datetime, DATE('2016-03-10'))", 2),
    ],
)
def test_cql2_text(client: TestClient, text: str, expected: int) -> None:
    query = {"filter": text, "filter-lang": "cql2-text", "bbox": BOX, "limit": 50}
    answer = client.get("/stac/search", params=query)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["features"]) == expected


def test_cql2_text_in_a_body(client: TestClient) -> None:
    for language in ({}, {"filter-lang": "cql2-text"}):
        found = _search(client, filter="eo:cloud_cover < 12", **language)
        assert len(found["features"]) == 3


def test_cql2_json_sort_and_fields(client: TestClient) -> None:
    found = _search(
        client,
        filter={"op": "<=", "args": [{"property": "eo:cloud_cover"}, 10]},
        sortby=[{"field": "properties.eo:cloud_cover", "direction": "desc"}],
        fields={"include": ["id", "properties.eo:cloud_cover"]},
    )
    clouds = [item["properties"] for item in found["features"]]
    assert clouds == [{"eo:cloud_cover": cloud} for cloud in (10, 5, 0)]


def test_paging_visits_each_item_once(client: TestClient) -> None:
    seen: list[str] = []
    url: str | None = f"/stac/collections/gf1-wfv-ard/items?bbox={BOX}&limit=5"
    while url is not None:
        page = client.get(url).json()
        seen += [item["id"] for item in page["features"]]
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert len(seen) == len(set(seen)) == COUNT


def test_post_paging_repeats_the_body(client: TestClient) -> None:
    body: dict[str, Any] = {"limit": 7}
    first = _search(client, **body)
    (link,) = [link for link in first["links"] if link["rel"] == "next"]
    assert link["body"]["bbox"] == [-151, 44, -148, 45]
    second = client.post(link["href"], json=link["body"]).json()
    assert len(first["features"]) + len(second["features"]) == COUNT


def test_count_only_on_request(client: TestClient) -> None:
    assert "numberMatched" not in _search(client, limit=1)
    assert _search(client, limit=1, context=True)["numberMatched"] == COUNT
    answer = client.get("/stac/search", params={"bbox": BOX, "limit": 1, "context": "true"})
    assert answer.json()["numberMatched"] == COUNT


def test_a_body_cannot_choose_settings_of_the_database(client: TestClient) -> None:
    found = _search(client, limit=1, conf={"context": "on", "nohydrate": True})
    assert "numberMatched" not in found
    assert found["features"][0]["assets"]["SR"]["bands"]


def test_collections_and_queryables(client: TestClient) -> None:
    listed = client.get("/stac/collections").json()["collections"]
    assert {each["id"] for each in listed} >= {"gf1-wfv-ard", "gf6-wfv-ard"}
    found = client.get("/stac/collections", params={"q": "violet"}).json()["collections"]
    assert [each["id"] for each in found] == ["gf6-wfv-ard"]
    collection = client.get("/stac/collections/gf1-wfv-ard").json()
    assert collection["renders"]["ndvi"]["colormap_name"] == "rdylgn"
    schema = client.get("/stac/collections/gf1-wfv-ard/queryables").json()
    assert schema["properties"]["eo:cloud_cover"]["maximum"] == 100


def test_answers_read_as_stac(client: TestClient) -> None:
    found = _search(client, limit=3)
    assert len(pystac.ItemCollection.from_dict(found).items) == 3
    collection = pystac.Collection.from_dict(client.get("/stac/collections/gf6-wfv-ard").json())
    assert "SR" in collection.item_assets


def test_fast_answers_equal_those_of_the_plain_api(client: TestClient, postgres: Dsns) -> None:
    parts = conninfo_to_dict(postgres.read_dsn)
    login = PostgresSettings(
        pguser=parts["user"],
        pgpassword=parts["password"],
        pghost=parts["host"],
        pgport=parts["port"],
        pgdatabase=parts["dbname"],
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await connect_to_db(app, postgres_settings=login)
        yield
        await close_db_connection(app)

    app = instantiate_api(lifespan=lifespan).app
    with TestClient(app, base_url=URL, root_path="/stac") as plain:
        body = {"bbox": [-151, 44, -148, 45], "limit": 5}
        answers = [each.post("/stac/search", json=body).json() for each in (plain, client)]
    assert answers[0]["features"] == answers[1]["features"]
    assert answers[0]["links"] == answers[1]["links"]


def test_database_down_is_one_line_without_the_password(tmp_path: Path) -> None:
    dsn = "postgresql://someone:hidden@127.0.0.1:1/x"
    app = create_app(CatalogSettings(database_url=dsn, store=tmp_path))
    with pytest.raises(CatalogError, match=r"127\.0\.0\.1:1/x is not to be reached") as caught:
        TestClient(app).__enter__()
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionRefusedError("refused"),
        asyncpg.ConnectionDoesNotExistError("closed"),
        asyncpg.QueryCanceledError("statement timeout"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_database_that_goes_away_is_503(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    @asynccontextmanager
    async def gone(*_: Any) -> AsyncIterator[None]:
        raise failure
        yield

    state = client.app.state  # type: ignore[attr-defined]
    monkeypatch.setitem(state._state, "get_connection", gone)
    for path in ("/stac/collections", "/stac/search", "/stac/collections/gf1-wfv-ard/items"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert answer.json() == {"code": type(failure).__name__, "description": str(failure)}


def test_browsers_of_other_sites_may_ask(client: TestClient) -> None:
    answer = client.get("/stac/collections", headers={"Origin": "https://example.org"})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"eo:cloud_cover": {"gte": 10, "lt": 30}}, 4),
        ({"eo:cloud_cover": {"in": [0, 5, 77]}}, 2),
        ({"eo:cloud_cover": {"neq": 0}, "platform": {"eq": "gaofen-1"}}, COUNT - 1),
        ({"grid:code": {"startsWith": "MGRS-31"}}, COUNT),
        ({"grid:code": {"startsWith": "MGRS_31"}}, 0),
        ({"grid:code": {"endsWith": "TCL", "contains": "-31"}}, COUNT),
        ({"grid:code": {"contains": "%"}}, 0),
    ],
)
def test_query_extension_knows_all_of_its_operators(
    client: TestClient, query: dict[str, Any], expected: int
) -> None:
    assert len(_search(client, query=query, limit=50)["features"]) == expected
    text = {"query": orjson.dumps(query).decode(), "bbox": BOX, "limit": 50}
    assert len(client.get("/stac/search", params=text).json()["features"]) == expected


def test_query_and_filter_hold_together(client: TestClient) -> None:
    found = _search(
        client,
        query={"eo:cloud_cover": {"lt": 30}},
        filter={"op": ">", "args": [{"property": "eo:cloud_cover"}, 15]},
        **{"filter-lang": "cql2-json"},
    )
    clouds = sorted(item["properties"]["eo:cloud_cover"] for item in found["features"])
    assert clouds == [20, 25]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/stac/collections/none", 404),
        ("/stac/collections/gf1-wfv-ard/items/none", 404),
        ("/stac/collections/none/items", 404),
        ("/stac/collections/none/queryables", 404),
    ],
)
def test_what_is_not_there_is_404(client: TestClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status


@pytest.mark.parametrize(
    "query",
    [
        {"bbox": "1,2"},
        {"bbox": "200,100,300,400"},
        {"bbox": "nan,0,1,1"},
        {"datetime": "yesterday"},
        {"limit": 0},
        {"intersects": "x"},
        {"intersects": '{"type":"Point","coordinates":["a"]}'},
        {"token": "next:nonsense"},
        {"ids": "\0"},
        {"query": "x"},
        {"query": '{"a": {"startsWith": 3}}'},
        {"query": '{"a": {"in": 3}}'},
        {"query": '{"a": {"resembles": 3}}'},
        {"filter": ";;"},
        {"filter": "id"},
        {"filter": "eo:cloud_cover = 'abc'"},
        {"filter": "s_intersects(geometry, POINT(1))"},
        {"filter": "unheard_of(1) = 2"},
        {"filter": "(" * 5000 + "id = 'a'" + ")" * 5000},
        {"filter": "NOT " * 1000 + "id = 'a'"},
        {"filter": "id = 'a' OR " * 3000 + "id = 'a'"},
        {"filter": "[1", "filter-lang": "cql2-json"},
        {"filter": "[]", "filter-lang": "cql2-json"},
        {"sortby": ",".join(f"f{n}" for n in range(3000))},
        {"fields": ",".join(f"f{n},-g{n}" for n in range(3000))},
        {"fields": "a." * 20_000},
    ],
    ids=lambda query: str(query)[:40],
)
def test_bad_requests_are_refused_and_cost_little(
    client: TestClient, query: dict[str, Any]
) -> None:
    begun = time.process_time()
    answer = client.get("/stac/search", params=query)
    assert answer.status_code == 400, answer.text
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"filter": "id = 'a' AND"}, "at 1:13"),
        ({"limit": "0"}, "limit: "),
        ({"intersects": '{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}'}, "Polygon"),
    ],
)
def test_a_refusal_names_the_place_and_what_was_expected(
    client: TestClient, query: dict[str, str], said: str
) -> None:
    description = client.get("/stac/search", params=query).json()["description"]
    assert description.startswith(f"{next(iter(query))}")
    assert said in description
    assert len(description) > len("filter: --> 1:13")
    assert "Point" not in description


def test_heights_of_a_box_are_of_no_account(client: TestClient) -> None:
    west, south, east, north = map(float, BOX.split(","))
    for box in ([west, south, east, north], [west, south, -100, east, north, 9000]):
        assert len(_search(client, bbox=box, limit=50)["features"]) == COUNT


def test_head_is_get_without_the_body(client: TestClient) -> None:
    for path in ("", "/search?limit=1", "/collections/gf1-wfv-ard", "/1.0/search?limit=1"):
        asked, had = client.head(f"/stac{path}"), client.get(f"/stac{path}")
        assert (asked.status_code, asked.content) == (200, b"")
        assert asked.headers["content-type"] == had.headers["content-type"]
    assert client.head("/stac/collections/none").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"{",
        b"[]",
        b'{"limit": "many"}',
        b'{"collections": "gf1-wfv-ard"}',
        b'{"filter": "id = "}',
        b'{"filter": {"op": "unheard-of", "args": []}}',
        b'{"filter": ' + b'{"op": "not", "args": [' * 300 + b"1" + b"]}" * 300 + b"}",
        b'{"filter": ' + b'{"op": "not", "args": [' * 9000 + b"1" + b"]}" * 9000 + b"}",
        b'{"sortby": "x"}',
        b'{"bbox": [NaN, 0, 1, 1]}',
        b'{"filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, NaN]}}',
        b'{"limit": 1, "unheard-of": 100000000000000000000}',
        b'{"filter": {"op": "=", "args": [{"property": "gsd"}, 100000000000000000000]}}',
        b'{"q": ["' + b"word " * 101 + b'"]}',
        b'{"intersects": {"type": "MultiPoint", "coordinates": [[1, 2]'
        + b", [1, 2]" * 10_000
        + b"]}}",
        b'{"intersects": '
        + b'{"type": "GeometryCollection", "geometries": [' * 400
        + b"]}" * 400
        + b"}",
    ],
    ids=lambda body: body[:40].decode("ascii", "replace"),
)
def test_bad_bodies_are_refused(client: TestClient, body: bytes) -> None:
    for path in ("search", "aggregate"):
        for media_type, status in (("application/json", 400), ("text/plain", 415), ("", 415)):
            headers = {"Content-Type": media_type}
            answer = client.post(f"/stac/{path}", content=body, headers=headers)
            assert answer.status_code == status, answer.text


@pytest.mark.parametrize("name", ["sortby", "fields"])
def test_collections_are_sorted_and_cut_within_bounds(client: TestClient, name: str) -> None:
    names = ",".join(f"f{n}" for n in range(3000))
    assert client.get("/stac/collections", params={name: names}).status_code == 400


@pytest.mark.parametrize("path", ["search", "aggregate", "export"])
@pytest.mark.parametrize("chunked", [False, True])
def test_long_bodies_are_refused_before_they_are_read(
    client: TestClient, path: str, chunked: bool
) -> None:
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b" " * 100_000

    content = pieces() if chunked else b" " * (MAX_BODY + 1)
    headers = {"Content-Type": "application/json"}
    assert client.post(f"/stac/{path}", content=content, headers=headers).status_code == 413
    assert client.post(f"/stac/{path}", content=b" " * MAX_BODY, headers=headers).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "id = '; drop table items; --'"},
        {"sortby": "+id; drop table items"},
        {"sortby": "unheard-of"},
        {"fields": ","},
        {"limit": 1_000_000},
        {"collections": "a" * 5000},
    ],
    ids=lambda query: str(query)[:40],
)
def test_odd_requests_do_no_harm(client: TestClient, query: dict[str, Any]) -> None:
    assert client.get("/stac/search", params={"bbox": BOX, **query}).status_code == 200
    assert len(_search(client, limit=50)["features"]) == COUNT


@pytest.mark.parametrize("text", ["' or 1=1", '"', "(", "&", "!", "a:*"])
def test_odd_free_text_does_no_harm(client: TestClient, text: str) -> None:
    assert client.get("/stac/collections", params={"q": text}).status_code in (200, 400)


def test_writing_is_not_offered(client: TestClient, items: list[Any]) -> None:
    path = f"/stac/collections/gf1-wfv-ard/items/{items[0]['id']}"
    assert client.delete(path).status_code == 405
    assert client.post("/stac/collections/gf1-wfv-ard/items", json=items[0]).status_code == 405
