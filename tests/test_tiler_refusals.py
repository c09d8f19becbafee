"""Whatever is asked of the tiler, it is not the server that fails."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import strategies
from morecantile import tms
from rasterio.warp import transform_bounds, transform_geom
from shapely.geometry import box, mapping

from catalog.folder import FolderStore
from catalog.load import publish
from infra.roles import Dsns
from tests.catalog_products import GRID, changed, facts, store_product
from tiler.app import create_app
from tiler.settings import TilerSettings

BASE = "http://ard.example.org"
COLLECTION = "gf1-wfv-ard"
EXAMPLES = 4
"""Requests made up for each operation; more of them only make the test slower to run."""
pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # numpy's, of values asked for on purpose
]


@pytest.fixture(scope="module")
def product() -> str:
    return str(_product().id)


def _product() -> Any:
    ring = transform_geom(f"EPSG:{GRID.epsg}", "EPSG:4326", mapping(box(*GRID.bounds)))
    return changed(facts(version="REFUSE"), {"footprint": ring})


@pytest.fixture(scope="module")
def app(postgres: Dsns, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    store = FolderStore(tmp_path_factory.mktemp("refusals") / "store")
    store_product(store, _product())
    publish(store, postgres.ingest_dsn, BASE)
    settings = TilerSettings(
        database_url=postgres.read_dsn,
        store=store.root,
        public_url=BASE,
        searches_per_minute=100_000,
    )
    return create_app(settings)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        yield client


def _known(client: TestClient, product: str) -> dict[str, Any]:
    """Path parameters that name something."""
    west, _, _, north = transform_bounds(f"EPSG:{GRID.epsg}", "EPSG:4326", *GRID.bounds)
    at = tms.get("WebMercatorQuad").tile(west + 1e-3, north - 1e-3, 14)
    search = client.post("/searches/register", json={"collections": [COLLECTION]}).json()
    return {
        "collection_id": COLLECTION, "item_id": product, "search_id": search["id"],
        "z": at.z, "x": at.x, "y": at.y, "lon": west + 1e-3, "lat": north - 1e-3,
    }  # fmt: skip


def test_no_made_up_request_of_any_operation_fails(client: TestClient, product: str) -> None:
    known = _known(client, product)
    document = client.get("/api").json()
    operations = list(schemathesis.openapi.from_dict(document).get_all_operations())
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    for operation in (each.ok() for each in operations):

        @hypothesis.settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(), real=strategies.booleans())
        def ask(case: schemathesis.Case, real: bool) -> None:
            if real:
                named = {key: known[key] for key in case.path_parameters if key in known}
                case.path_parameters.update(named)
            request = case.as_transport_kwargs(base_url=BASE)
            kept = ("method", "url", "headers", "params", "json", "data")
            answer = client.request(**{key: request[key] for key in kept if key in request})
            assert answer.status_code < 500, f"{answer.request.url} {answer.text}"

        ask()


@pytest.mark.parametrize(
    "query",
    [
        "assets=",
        "assets=SR|bidx=99&rescale=0,1",
        "assets=SR|bidx=0&rescale=0,1",
        "assets=SR|bands=nothing",
        "assets=SR|expression=b99",
        "assets=SR|expression=foo(b1)",
        "assets=SR|expression=__import__('os')",
        "assets=SR|x",
        "assets=SR|bidx=1&rescale=5,5",
        "assets=SR|bidx=1&rescale=nan,inf",
        "assets=SR|bidx=1&nodata=inf",
        "assets=SR|bidx=1&nodata=-5",
        "assets=SR|bidx=1&buffer=0.3",
        "assets=SR|bidx=1&algorithm=normalizedIndex",
        "assets=SR|bidx=1&algorithm=hillshade&algorithm_params=nope",
        "assets=SR|bidx=3,2,1&color_formula=gamma r 0",
        "assets=SR|bidx=3,2,1&colormap_name=viridis&rescale=0,3000",
        'assets=SR|bidx=1&colormap={"a":1}',
        "assets=AOD&p=200&histogram_bins=3,2,1",
        "assets=AOD&histogram_bins=100000000",
        "assets=AOD&coord_crs=epsg:9999",
        "assets=AOD&dst_crs=epsg:9999",
        "assets=AOD&datetime=:4",
        "assets=AOD&sortby=-",
        "assets=AOD&filter=a=",
        "assets=AOD&filter={}&filter-lang=cql2-json",
        'assets=AOD&query={"a":1}',
        "assets=AOD&bbox=9,9,1,1",
        "assets=%00",
    ],
)
def test_values_that_fit_nothing_are_refused_with_a_reason(
    client: TestClient, product: str, query: str
) -> None:
    known = _known(client, product)
    tile = "tiles/WebMercatorQuad/{z}/{x}/{y}".format(**known)
    item = f"/collections/{COLLECTION}/items/{product}"
    for place in (
        f"{item}/{tile}", f"{item}/preview", f"{item}/statistics",
        "{0}/point/{lon},{lat}".format(item, **known), f"/collections/{COLLECTION}/{tile}",
        "/collections/{0}/timeseries?lon={lon}&lat={lat}".format(COLLECTION, **known),
    ):  # fmt: skip
        answer = client.get(f"{place}{'&' if '?' in place else '?'}{query}")
        assert answer.status_code < 500, f"{place} {answer.text}"
        if answer.status_code >= 400:
            assert answer.json()["detail"]


@pytest.mark.parametrize(
    "place",
    [
        "bbox/-180,-90,180,90.png",
        "bbox/-180,40,180,45.png",
        "bbox/-40,10,40,70.png",
        "bbox/-2e7,-2e7,2e7,2e7.png?coord_crs=epsg:3857",
        "bbox/1e9,1e9,2e9,2e9.png?coord_crs=epsg:32631",
        "bbox/nan,0,1,1.png",
        "bbox/5,5,1,1.png",
        "bbox/1,45,1,45.png",
        "point/nan,45",
        "point/1,95",
    ],
)
def test_places_that_are_none_or_the_whole_world_are_refused_at_once(
    client: TestClient, product: str, place: str
) -> None:
    answer = client.get(
        f"/collections/{COLLECTION}/items/{product}/{place}", params={"assets": "mask"}
    )
    assert answer.status_code == 400, answer.text


def test_statistics_over_a_continent_are_refused(client: TestClient, product: str) -> None:
    shape = {"type": "Feature", "properties": {}, "geometry": mapping(box(-40, 10, 40, 70))}
    address = f"/collections/{COLLECTION}/items/{product}/statistics"
    answer = client.post(address, params={"assets": "mask"}, json=shape)
    assert (answer.status_code, "12 degrees" in answer.text) == (400, True), answer.text


def test_a_refusal_says_what_is_wanted(client: TestClient, product: str) -> None:
    item = f"/collections/{COLLECTION}/items/{product}"
    for query, said in (
        ("assets=SR|bidx=99", "band index 99 out of range (not in (1, 2, 3, 4))"),
        ("assets=", "wanted e.g. assets=SR|bidx=3,2,1"),
        ("assets=nothing", "'nothing' is no picture of"),
        ("render=sepia", "known: true-colour"),
    ):
        assert said in client.get(f"{item}/preview?{query}").text
    body = {"collections": [COLLECTION], "datetime": "soon"}
    answer = client.post("/searches/register", json=body)
    assert answer.status_code == 400
    assert "no search can be made of this" in answer.json()["detail"]
    assert "PL/pgSQL" not in answer.text


def test_a_tile_grid_is_described(client: TestClient, product: str) -> None:
    for what in (f"/collections/{COLLECTION}/items/{product}", f"/collections/{COLLECTION}"):
        answer = client.get(f"{what}/tiles/WebMercatorQuad?assets=SR")
        assert answer.status_code == 200, answer.text
        assert answer.json()["crs"].endswith("3857")


def test_a_database_that_is_away_is_503_within_seconds(app: FastAPI) -> None:
    # The last test here: it ends the connections of the others.
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        pool = app.state.dbpool
        assert pool.timeout <= 5
        pool.close()
        for path in (
            f"/collections/{COLLECTION}/items/unseen/preview?render=mask",
            f"/collections/{COLLECTION}/tiles/WebMercatorQuad/14/1/1?render=mask",
            f"/collections/{COLLECTION}/timeseries?lon=1&lat=45",
            "/healthz",
        ):
            answer = client.get(path)
            assert (answer.status_code, "pool" in answer.text) == (503, False), answer.text
            assert answer.headers["retry-after"] == "10"
