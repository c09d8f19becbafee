"""Tiles of real products out of a real catalogue, alone and below ``/tiles``."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest
import rasterio
from fastapi.testclient import TestClient
from morecantile import tms
from PIL import Image
from rasterio.warp import transform_bounds, transform_geom
from shapely.geometry import box, mapping

from catalog.facts import ItemFacts
from catalog.folder import FolderStore
from catalog.load import publish
from catalog.renders import RENDER, RENDERS
from infra.dispatch import Dispatcher, Mount
from infra.roles import Dsns
from tests.catalog_products import GRID, changed, facts, store_product
from tiler.app import create_app
from tiler.settings import TilerSettings

BASE = "http://ard.example.org"
COLLECTION = "gf1-wfv-ard"
pytestmark = pytest.mark.integration


def _placed(version: str, year: int) -> ItemFacts:
    """Facts whose footprint is the grid that the files have."""
    ring = transform_geom(f"EPSG:{GRID.epsg}", "EPSG:4326", mapping(box(*GRID.bounds)))
    time = datetime(year, 7, 25, 3, 9, 43, tzinfo=UTC)
    return changed(facts(time=time, version=version), {"footprint": ring})


def _tile(zoom: int = 15) -> tuple[int, int, int]:
    """The map tile with the upper-left corner of the product, which is fill."""
    west, _, _, north = transform_bounds(f"EPSG:{GRID.epsg}", "EPSG:4326", *GRID.bounds)
    found = tms.get("WebMercatorQuad").tile(west + 1e-5, north - 1e-5, zoom)
    return found.z, found.x, found.y


def _picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    store = FolderStore(tmp_path_factory.mktemp("tiles") / "store")
    store_product(store, _placed("TILE1", 2014))
    store_product(store, _placed("TILE2", 2015))
    return store


@pytest.fixture(scope="module")
def item_id() -> str:
    return str(_placed("TILE1", 2014).id)


@contextmanager
def _client(postgres: Dsns, store: FolderStore, searches_per_minute: int) -> Iterator[TestClient]:
    settings = TilerSettings(
        database_url=postgres.read_dsn,
        store=store.root,
        public_url=BASE,
        searches_per_minute=searches_per_minute,
    )
    app = Dispatcher([Mount("/tiles", create_app(settings))])
    with TestClient(app, base_url=BASE) as client:
        yield client


@pytest.fixture(scope="module")
def client(postgres: Dsns, store: FolderStore) -> Iterator[TestClient]:
    publish(store, postgres.ingest_dsn, BASE)
    with _client(postgres, store, searches_per_minute=30) as client:
        yield client


@pytest.fixture(scope="module")
def item(item_id: str) -> str:
    return f"/tiles/collections/{COLLECTION}/items/{item_id}"


@pytest.mark.parametrize("render", RENDERS, ids=lambda render: render.name)
@pytest.mark.parametrize("suffix", ["", ".webp", ".jpg"])
def test_every_render_draws_a_tile(client: TestClient, item: str, render, suffix: str) -> None:
    z, x, y = _tile()
    address = f"{item}/tiles/WebMercatorQuad/{z}/{x}/{y}{suffix}"
    answer = client.get(address, params={"render": render.name, "tilesize": 256})
    assert answer.status_code == 200, answer.text
    picture = _picture(answer.content)
    assert picture.shape[:2] == (256, 256)
    if suffix != ".jpg":
        opacity = picture[..., 3]
        assert (opacity == 0).any()
        assert (opacity == 255).any()
    assert np.ptp(picture[..., :3]) > 50


def test_colours_are_the_pixels_of_the_file(
    client: TestClient, item: str, item_id: str, store: FolderStore
) -> None:
    path = next(store.root.rglob(f"{item_id}.SR.tiff"))
    with rasterio.open(path) as raster:
        stored = raster.read([3, 2, 1])
    answer = client.get(f"{item}/preview.png", params={"render": "true-colour"})
    picture = _picture(answer.content)
    assert picture.shape == (64, 64, 4)
    expected = np.clip(stored / 3000 * 255, 0, 255)
    inside = stored[0] > 0
    error = picture[..., :3].transpose(2, 0, 1)[:, inside] - expected[:, inside]
    assert np.abs(error).max() <= 1
    assert np.array_equal(picture[..., 3] > 0, inside)


def test_ndvi_is_no_integer_division(
    client: TestClient, item: str, item_id: str, store: FolderStore
) -> None:
    path = next(store.root.rglob(f"{item_id}.SR.tiff"))
    with rasterio.open(path) as raster:
        red, nir = raster.read([3, 4])[:, 40, 30].astype(float)
        x, y = raster.xy(40, 30)
    lon, lat, *_ = transform_bounds(f"EPSG:{GRID.epsg}", "EPSG:4326", x, y, x, y)
    answer = client.get(f"{item}/point/{lon},{lat}", params={"assets": RENDER["ndvi"].assets})
    assert answer.status_code == 200, answer.text
    assert np.ravel(answer.json()["values"])[0] == pytest.approx((nir - red) / (nir + red))


def test_tilejson_leads_to_its_own_tiles_below_the_prefix(client: TestClient, item: str) -> None:
    answer = client.get(f"{item}/WebMercatorQuad/tilejson.json", params={"render": "mask"})
    document = answer.json()
    west, south, east, north = document["bounds"]
    assert west < 0.507 < east + 0.02
    assert south < 44.22 < north + 0.02
    template = document["tiles"][0]
    assert template.startswith(f"{BASE}{item}/tiles/WebMercatorQuad/")
    z, x, y = _tile()
    filled = template.replace("{z}", str(z)).replace("{x}", str(x)).replace("{y}", str(y))
    assert client.get(filled).status_code == 200


def test_a_collection_is_a_mosaic(client: TestClient) -> None:
    z, x, y = _tile()
    mosaic = f"/tiles/collections/{COLLECTION}"
    address = f"{mosaic}/tiles/WebMercatorQuad/{z}/{x}/{y}"
    ids = ",".join(str(_placed(*each).id) for each in (("TILE1", 2014), ("TILE2", 2015)))
    answer = client.get(address, params={"render": "false-colour", "ids": ids})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp"
    document = client.get(
        f"{mosaic}/WebMercatorQuad/tilejson.json", params={"render": "ndvi", "ids": ids}
    ).json()
    assert document["tiles"][0].startswith(f"{BASE}{mosaic}/tiles/")


def test_a_search_is_registered_and_drawn(client: TestClient) -> None:
    search = {
        "collections": [COLLECTION],
        "ids": [str(_placed("TILE2", 2015).id)],
        "metadata": {"minzoom": 0, "maxzoom": 30},
    }
    answer = client.post("/tiles/searches/register", json=search)
    assert answer.status_code == 200, answer.text
    z, x, y = _tile()
    drawn = f"/tiles/searches/{answer.json()['id']}"
    address = f"{drawn}/tiles/WebMercatorQuad/{z}/{x}/{y}.png"
    assert client.get(address, params={"render": "mask"}).status_code == 200
    document = client.get(f"{drawn}/WebMercatorQuad/tilejson.json?render=mask").json()
    assert (document["minzoom"], document["maxzoom"]) == (7, 14)


def test_searches_to_register_are_bounded(
    client: TestClient, postgres: Dsns, store: FolderStore
) -> None:
    search = {"collections": [COLLECTION], "ids": ["a"]}
    long = {**search, "metadata": {"name": "x" * 20_000}}
    z, x, y = _tile()
    mosaic = f"/tiles/collections/{COLLECTION}/tiles/WebMercatorQuad/{z}/{x}/{y}.png?render=mask"
    with _client(postgres, store, searches_per_minute=2) as frugal:
        assert frugal.post("/tiles/searches/register", json=long).status_code == 413
        assert frugal.post("/tiles/searches/register", json=search).status_code == 200
        assert frugal.get(f"{mosaic}&ids={_placed('TILE1', 2014).id}").status_code == 200
        assert frugal.post("/tiles/searches/register", json=search).status_code == 429
        assert frugal.get(f"{mosaic}&ids=never,asked,before").status_code == 429
        assert frugal.get(f"{mosaic}&ids={_placed('TILE1', 2014).id}").status_code == 200
        assert frugal.get(mosaic).status_code == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/tiles/searches/list", 404),
        ("/tiles/external/preview?url=/etc/passwd", 404),
        ("/tiles/cog/preview?url=/etc/passwd", 404),
        ("{item}/preview.png?render=sepia", 400),
        ("{item}/preview.png?render=aod&max_size=4000", 422),
        ("{item}/preview/4000x4000.png?render=aod", 422),
        ("{item}/preview.png?render=aod&width=9999", 422),
        ("{item}/preview.png?render=aod&dst_crs=http://10.0.0.1/crs.json", 422),
        ("{item}/point/0.5,44.2?assets=AOD&coord_crs=/etc/passwd", 422),
        ("{item}/tiles/WebMercatorQuad/15/0/0?render=aod&tilesize=20000", 422),
        ("{item}/tiles/WebMercatorQuad/15/0/0?render=aod&buffer=5000", 422),
        ("{item}/tiles/WebMercatorQuad?maxzoom=1000000", 422),
        ("/tiles/collections/gf1-wfv-ard/tiles/WebMercatorQuad?maxzoom=1000000", 422),
        ("{item}/tiles/WebMercatorQuad/15/0/0?render=aod", 404),
        ("{item}/tiles/WebMercatorQuad/15/x/0?render=aod", 422),
        ("{item}/tiles/WebMercatorQuad/15/32768/0?render=aod", 404),
        ("{item}/tiles/WebMercatorQuad/15/-1/0?render=aod", 404),
        ("{item}/preview.png?assets=thumbnail", 404),
        ("{item}/preview.png?assets=/etc/passwd", 404),
        ("/tiles/collections/gf1-wfv-ard/items/nothing/preview.png?render=aod", 404),
        ("/tiles/collections/nothing/tiles/WebMercatorQuad/7/0/0?render=aod", 404),
        ("/tiles/searches/nothing/tiles/WebMercatorQuad/7/0/0?render=aod", 404),
        ("/tiles/collections/gf1-wfv-ard/tiles/WebMercatorQuad/7/0/0?items_limit=51", 422),
    ],
)
def test_what_is_not_served_is_refused(client: TestClient, item: str, path: str, code: int) -> None:
    answer = client.get(path.format(item=item))
    assert answer.status_code == code, answer.text


@pytest.mark.parametrize("zoom", [-1, 0, 5, 25, 30, 1_000_000_000])
@pytest.mark.parametrize(
    ("what", "lowest"),
    [("{item}", 6), ("/tiles/collections/gf1-wfv-ard", 7), ("/tiles/searches/a", 7)],
)
def test_zoom_levels_far_out_cost_nothing(
    client: TestClient, item: str, what: str, lowest: int, zoom: int
) -> None:
    address = f"{what.format(item=item)}/tiles/WebMercatorQuad/{zoom}/0/0.png"
    start = time.process_time()
    answer = client.get(address, params={"render": "true-colour"})
    assert time.process_time() - start < 1
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"zoom level {zoom} is not drawn; drawn: {lowest} to 24"


def test_the_zoom_levels_drawn_are_announced(client: TestClient, item: str) -> None:
    for what, lowest in ((item, 6), (f"/tiles/collections/{COLLECTION}", 7)):
        document = client.get(
            f"{what}/WebMercatorQuad/tilejson.json", params={"render": "mask"}
        ).json()
        assert document["minzoom"] == lowest
        assert document["maxzoom"] == 14
        z, x, y = _tile(lowest)
        address = f"{what}/tiles/WebMercatorQuad/{z}/{x}/{y}.png"
        assert client.get(address, params={"render": "mask"}).status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("&".join(["assets=SR"] * 5), 422),
        ("assets=SR%7Cbidx=" + ",".join("1" * 17), 422),
        ("assets=SR%7Cexpression=" + ";".join(["b1"] * 17), 422),
        ("assets=SR&assets=TOA&expression=" + ";".join(["b1"] * 17), 422),
        ("assets=SR%7Cexpression=" + "*".join(["b1"] * 100), 422),
        ("assets=SR&expression=" + "*".join(["b1"] * 100), 422),
        ("assets=SR%7Cbidx=3,2,1&color_formula=" + "gamma%20r%201.1," * 40, 422),
        ("assets=mask&colormap=" + "x" * 9000, 414),
    ],
)
def test_pictures_of_many_bands_are_refused(
    client: TestClient, item: str, query: str, code: int
) -> None:
    z, x, y = _tile()
    for what in (item, f"/tiles/collections/{COLLECTION}"):
        answer = client.get(f"{what}/tiles/WebMercatorQuad/{z}/{x}/{y}.png?{query}")
        assert answer.status_code == code, answer.text


def test_a_mosaic_stops_when_its_time_is_over(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiler.mosaic.MAX_SECONDS", 0.0)
    z, x, y = _tile()
    address = f"/tiles/collections/{COLLECTION}/tiles/WebMercatorQuad/{z}/{x}/{y}.png"
    answer = client.get(address, params={"render": "mask"})
    assert answer.status_code == 503
    assert "come closer" in answer.json()["detail"]
    assert "cache-control" not in answer.headers


def test_hrefs_outside_the_store_draw_nothing(client: TestClient, postgres: Dsns) -> None:
    """An item whose hrefs were changed in the database cannot make the tiler open them."""
    from catalog.load import load
    from catalog.published import published_item
    from catalog.store import StoredItem, relative_folder
    from tests.catalog_products import document

    evil = _placed("EVIL", 2016)
    made = published_item(StoredItem(evil.id, relative_folder(evil.id), document(evil)), BASE)
    addresses = ("/etc/passwd", "/vsicurl/http://127.0.0.1/a.tif", f"{BASE}/data/a/../../b.tif")
    for key, href in zip(("SR", "AOD", "mask"), addresses, strict=True):
        made["assets"][key]["href"] = href
    load(postgres.ingest_dsn, iter([made]))
    for render in ("true-colour", "aod", "mask"):
        item = f"/tiles/collections/{COLLECTION}/items/{evil.id}"
        answer = client.get(f"{item}/preview.png", params={"render": render})
        assert answer.status_code == 403, answer.text
        ids = {"ids": str(evil.id), "render": render}
        z, x, y = _tile()
        mosaic = f"/tiles/collections/{COLLECTION}/tiles/WebMercatorQuad/{z}/{x}/{y}"
        assert client.get(mosaic, params=ids).status_code == 403
    with psycopg.connect(postgres.ingest_dsn) as connection:
        connection.execute("SELECT pgstac.delete_item(%s, %s)", (str(evil.id), COLLECTION))


def test_health_and_landing(client: TestClient) -> None:
    assert client.get("/tiles/healthz").json() == {"ok": True}
    landing = client.get("/tiles/").json()
    assert list(landing["renders"]) == [render.name for render in RENDERS]
    assert landing["preview"].startswith(f"{BASE}/tiles/collections/")


def test_others_may_read_from_their_pages(client: TestClient, item: str) -> None:
    answer = client.get(
        f"{item}/preview.webp", params={"render": "mask"}, headers={"Origin": "http://other.org"}
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["content-type"] == "image/webp"
