"""Each conformance class that the API advertises, and a request that shows it at work."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from catalog.load import load
from infra.roles import Dsns
from tests.api_site import api, published
from tests.catalog_products import facts

pytestmark = pytest.mark.integration

STAC = "https://api.stacspec.org"
OGC = "http://www.opengis.net/spec"
ITEMS = "collections/gf1-wfv-ard/items"
CLEAR = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 10]}
POINT = "s_intersects(geometry, POINT(0.55 44.25))"


@dataclass(frozen=True, slots=True)
class Shown:
    """A GET request and what its answer holds: so many entries in a list, or a key."""

    path: str
    query: dict[str, Any]
    key: str
    count: int | None = None


def _search(count: int, path: str = "search", **query: Any) -> Shown:
    return Shown(path, {name.replace("_", "-"): value for name, value in query.items()},
                 "features", count)  # fmt: skip


def _collections(count: int, **query: Any) -> Shown:
    return Shown("collections", query, "collections", count)


SHOWN = {
    f"{STAC}/v1.0.0/core": Shown("", {}, "conformsTo"),
    f"{STAC}/v1.0.0/collections": _collections(2),
    f"{STAC}/v1.0.0/ogcapi-features": _search(4, ITEMS),
    f"{STAC}/v1.0.0/item-search": _search(4, collections="gf1-wfv-ard"),
    f"{STAC}/v1.0.0/item-search#fields": _search(4, fields="id"),
    f"{STAC}/v1.0.0/item-search#sort": _search(4, sortby="-properties.eo:cloud_cover"),
    f"{STAC}/v1.1.0/item-search#sort": _search(4, sortby="eo:cloud_cover"),
    f"{STAC}/v1.0.0/item-search#query": _search(2, query='{"eo:cloud_cover": {"lt": 10}}'),
    f"{STAC}/v1.0.0-rc.2/item-search#filter": _search(2, filter="eo:cloud_cover < 10"),
    f"{STAC}/v1.0.0-rc.1/item-search#free-text": _search(1, q="2016-01-29"),
    f"{STAC}/v1.0.0/ogcapi-features#fields": _search(4, ITEMS, fields="id"),
    f"{STAC}/v1.1.0/ogcapi-features#sort": _search(4, ITEMS, sortby="datetime"),
    f"{STAC}/v1.0.0/ogcapi-features#query": _search(
        2, ITEMS, query='{"eo:cloud_cover": {"gte": 10}}'
    ),
    f"{STAC}/v1.0.0-rc.1/ogcapi-features#free-text": _search(1, ITEMS, q="2016-01-29"),
    f"{STAC}/v1.0.0-rc.1/collection-search": _collections(1, bbox="100,-50,101,-49"),
    f"{STAC}/v1.0.0-rc.1/collection-search#fields": _collections(2, fields="id,title"),
    f"{STAC}/v1.0.0-rc.1/collection-search#filter": _collections(1, filter="id = 'gf1-wfv-ard'"),
    f"{STAC}/v1.0.0-rc.1/collection-search#free-text": _collections(1, q="violet"),
    f"{STAC}/v1.1.0/collection-search#sort": _collections(2, sortby="-id"),
    f"{STAC}/v0.3.0/aggregation": Shown("aggregate", {}, "aggregations", 1),
    f"{STAC}/v0.3.0/aggregation#filter": Shown(
        "aggregate", {"filter": "eo:cloud_cover < 10"}, "aggregations", 1
    ),
    f"{STAC}/v0.3.0/aggregation#query": Shown(
        "aggregate", {"query": '{"eo:cloud_cover": {"lt": 10}}'}, "aggregations", 1
    ),
    f"{STAC}/v1.0.0-rc.1/browseable": Shown("collections/gf1-wfv-ard/dates", {}, "links"),
    f"{STAC}/v1.0.0-rc.1/children": Shown("children", {}, "children", 2),
    f"{OGC}/ogcapi-features-1/1.0/conf/core": _search(
        1, ITEMS, bbox="0,44,1,45", datetime="2016-01-20T00:00:00Z/2016-01-21T00:00:00Z"
    ),
    f"{OGC}/ogcapi-features-1/1.0/conf/geojson": _search(4, ITEMS),
    f"{OGC}/ogcapi-features-1/1.0/conf/oas30": Shown("api", {}, "openapi"),
    f"{OGC}/ogcapi-features-3/1.0/conf/filter": Shown("queryables", {}, "properties"),
    f"{OGC}/ogcapi-features-3/1.0/conf/features-filter": _search(
        2, ITEMS, filter="eo:cloud_cover < 10"
    ),
    f"{OGC}/ogcapi-common-2/1.0/conf/simple-query": _collections(
        1, datetime="2016-01-20T00:00:00Z/2016-02-01T00:00:00Z", limit=1
    ),
    f"{OGC}/cql2/1.0/conf/cql2-text": _search(4, filter="platform = 'gaofen-1'"),
    f"{OGC}/cql2/1.0/conf/cql2-json": _search(
        2, filter=orjson.dumps(CLEAR).decode(), filter_lang="cql2-json"
    ),
    f"{OGC}/cql2/1.0/conf/basic-cql2": _search(
        1, filter="NOT (eo:cloud_cover < 10 OR eo:cloud_cover >= 20) AND gsd IS NOT NULL"
    ),
    f"{OGC}/cql2/1.0/conf/advanced-comparison-operators": _search(
        2,
        filter="\"grid:code\" LIKE 'MGRS-31%' AND eo:cloud_cover BETWEEN 8 AND 16"
        " AND platform IN ('gaofen-1', 'gaofen-6')",
    ),
    f"{OGC}/cql2/1.0/conf/basic-spatial-functions": _search(4, filter=POINT),
    f"{OGC}/cql2/1.0/conf/case-insensitive-comparison": _search(
        4, filter="casei(platform) = casei('GAOFEN-1')"
    ),
}


@pytest.fixture(scope="module")
def client(postgres: Dsns, tmp_path_factory: Any) -> Iterator[TestClient]:
    start = datetime(2016, 1, 20, 3, tzinfo=UTC)
    products = [
        facts("GF1WFV1", start + timedelta(days=9 * n), "N1", cloud=8.0 * n) for n in range(4)
    ]
    load(postgres.ingest_dsn, published(products))
    with api(postgres, tmp_path_factory.mktemp("store")) as client:
        yield client


def test_what_is_advertised_is_what_is_shown(client: TestClient) -> None:
    advertised = client.get("/stac/conformance").json()["conformsTo"]
    assert len(advertised) == len(set(advertised))
    assert set(advertised) == SHOWN.keys()


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_advertised_works(client: TestClient, name: str) -> None:
    shown = SHOWN[name]
    answer = client.get(f"/stac/{shown.path}", params=shown.query)
    assert answer.status_code == 200, answer.text
    found = answer.json()[shown.key]
    assert found if shown.count is None else len(found) == shown.count
