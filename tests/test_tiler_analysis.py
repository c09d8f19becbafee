"""Pieces, statistics, time series and clear mosaics, against the pixels of the files."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient
from morecantile import tms
from PIL import Image
from pyproj import Transformer
from rasterio.warp import transform_bounds, transform_geom
from shapely.geometry import box, mapping

from catalog.facts import ItemFacts, describe_file
from catalog.folder import FolderStore
from catalog.load import publish
from catalog.product import ItemId, MaskClass
from infra.dispatch import Dispatcher, Mount
from infra.roles import Dsns
from tests.catalog_products import GRID, changed, facts, store_product
from tiler.app import create_app
from tiler.settings import TilerSettings

BASE = "http://ard.example.org"
COLLECTION = "gf1-wfv-ard"
TO_DEGREES = Transformer.from_crs(GRID.epsg, 4326, always_xy=True)
pytestmark = pytest.mark.integration


def _placed(year: int) -> ItemFacts:
    ring = transform_geom(f"EPSG:{GRID.epsg}", "EPSG:4326", mapping(box(*GRID.bounds)))
    time = datetime(year, 7, 25, 3, 9, 43, tzinfo=UTC)
    return changed(facts(time=time, version="ANALYSE"), {"footprint": ring})


def _fill(folder: Path, item: ItemId, key: str, values: np.ndarray) -> None:
    """Write other pixels into an asset; they have no overviews and need none."""
    path = folder / item.file_name(key)
    with rasterio.open(path) as raster:
        profile = raster.profile
    profile.pop("photometric", None)
    with rasterio.open(path, "w", **profile | {"driver": "GTiff"}) as raster:
        raster.write(values.astype(profile["dtype"]))
    assert describe_file(key, path).size > 0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    """Two looks: the later one is cloud on its right half, and twice as bright."""
    store = FolderStore(tmp_path_factory.mktemp("analysis") / "store")
    for year, level in ((2014, 1000), (2015, 2000)):
        item = _placed(year)
        folder = store_product(store, item)
        sr = np.full((4, *GRID.shape), level)
        sr[3] *= 2
        mask = np.full((1, *GRID.shape), MaskClass.CLEAR)
        if year == 2015:
            mask[:, :, GRID.cols // 2 :] = MaskClass.CLOUD
        _fill(folder, item.id, "SR", sr)
        _fill(folder, item.id, "mask", mask)
    return store


@pytest.fixture(scope="module")
def client(postgres: Dsns, store: FolderStore) -> Iterator[TestClient]:
    publish(store, postgres.ingest_dsn, BASE)
    settings = TilerSettings(
        database_url=postgres.read_dsn, store=store.root, public_url=BASE, searches_per_minute=30
    )
    app = Dispatcher([Mount("/tiles", create_app(settings))])
    with TestClient(app, base_url=BASE) as client:
        yield client


def _item(year: int) -> str:
    return f"/tiles/collections/{COLLECTION}/items/{_placed(year).id}"


def _lonlat(row: int, col: int) -> tuple[float, float]:
    x = GRID.ulx + (col + 0.5) * GRID.resolution
    y = GRID.uly - (row + 0.5) * GRID.resolution
    lon, lat = TO_DEGREES.transform(x, y)
    return lon, lat


def test_a_series_is_what_the_products_show_of_a_point(client: TestClient) -> None:
    for col, later in ((10, "clear"), (50, "cloud")):
        lon, lat = _lonlat(30, col)
        answer = client.get(
            f"/tiles/collections/{COLLECTION}/timeseries", params={"lon": lon, "lat": lat}
        )
        assert answer.status_code == 200, answer.text
        first, second = answer.json()["looks"]
        assert first["datetime"] < second["datetime"]
        assert first["reflectance"] == {"blue": 0.1, "green": 0.1, "red": 0.1, "nir": 0.2}
        assert first["ndvi"] == pytest.approx(1 / 3, abs=1e-4)
        assert (second["class"], second["clear"]) == (later, later == "clear")
        assert second["reflectance"]["red"] == 0.2


def test_a_product_without_its_file_does_not_hide_the_others(
    client: TestClient, store: FolderStore
) -> None:
    lon, lat = _lonlat(30, 10)
    stored = store.get(_placed(2015).id)
    assert stored is not None
    path = store.resolve(f"{stored.relative}/{stored.id.file_name('SR')}")
    aside = path.rename(path.with_suffix(".aside"))
    answer = client.get(f"/tiles/collections/{COLLECTION}/timeseries?lon={lon}&lat={lat}")
    aside.rename(path)
    (look,) = answer.json()["looks"]
    assert look["id"] == str(_placed(2014).id)


def test_a_series_is_bounded_in_time_place_and_number(client: TestClient) -> None:
    lon, lat = _lonlat(30, 10)
    series = f"/tiles/collections/{COLLECTION}/timeseries"
    place = {"lon": lon, "lat": lat}
    only = client.get(series, params={**place, "datetime": "2015-01-01T00:00:00Z/.."}).json()
    assert len(only["looks"]) == 1
    latest = client.get(series, params={**place, "limit": 1}).json()
    assert (latest["looks"][0]["reflectance"]["red"], latest["more"]) == (0.2, True)
    assert client.get(series, params={"lon": lon + 5, "lat": lat}).json()["looks"] == []
    for wrong in ({"limit": 100_000}, {"lat": 91}, {"datetime": "'; DROP TABLE items"}):
        assert client.get(series, params={**place, **wrong}).status_code == 422
    assert client.get("/tiles/collections/nothing/timeseries", params=place).json()["looks"] == []


def test_statistics_of_an_item_and_of_a_shape(client: TestClient) -> None:
    query = {"assets": "SR|bidx=1", "max_size": 64}
    found = client.get(f"{_item(2014)}/statistics", params=query)
    assert found.status_code == 200, found.text
    (band,) = found.json().values()
    assert (band["min"], band["max"], band["mean"]) == (1000, 1000, 1000)
    west, north = _lonlat(20, 20)
    east, south = _lonlat(40, 40)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    shape = {"type": "Feature", "properties": {},
             "geometry": {"type": "Polygon", "coordinates": [ring]}}  # fmt: skip
    answer = client.post(f"{_item(2015)}/statistics", params=query, json=shape)
    assert answer.status_code == 200, answer.text
    (band,) = answer.json()["properties"]["statistics"].values()
    assert band["mean"] == pytest.approx(2000)
    many = {"type": "FeatureCollection", "features": [shape] * 17}
    assert client.post(f"{_item(2015)}/statistics", params=query, json=many).status_code == 422
    long = {"type": "FeatureCollection", "features": [], "name": "x" * 300_000}
    assert client.post(f"{_item(2015)}/statistics", params=query, json=long).status_code == 413


def test_a_piece_is_cut_out(client: TestClient) -> None:
    west, north = _lonlat(10, 10)
    east, south = _lonlat(50, 50)
    address = f"{_item(2014)}/bbox/{west},{south},{east},{north}.png"
    answer = client.get(address, params={"render": "true-colour"})
    assert answer.status_code == 200, answer.text
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert 25 < picture.shape[0] < 50
    middle = picture[picture.shape[0] // 2, picture.shape[1] // 2]
    assert middle[0] == pytest.approx(255 / 3, abs=1)
    assert client.get(f"{address}?render=aod&max_size=9999").status_code == 422


def test_a_clear_mosaic_takes_the_earlier_look_below_clouds(client: TestClient) -> None:
    west, south, east, north = transform_bounds(f"EPSG:{GRID.epsg}", "EPSG:4326", *GRID.bounds)
    at = tms.get("WebMercatorQuad").tile((west + east) / 2, (south + north) / 2, 14)
    address = f"/tiles/collections/{COLLECTION}/tiles/WebMercatorQuad/14/{at.x}/{at.y}.png"
    ids = ",".join(str(_placed(year).id) for year in (2014, 2015))
    query = {"assets": "SR|bidx=1", "rescale": "0,2550", "ids": ids}
    plain, clear = (
        np.asarray(Image.open(io.BytesIO(client.get(address, params=each).content)))
        for each in (query, {**query, "clear": "true"})
    )
    shown = plain[..., -1] > 0
    assert set(np.unique(plain[shown][:, 0])) == {200}
    levels, counts = np.unique(clear[clear[..., -1] > 0][:, 0], return_counts=True)
    assert set(levels) == {100, 200}
    assert counts.min() > 0.3 * counts.sum()


def test_what_a_client_holds_is_not_sent_again(client: TestClient) -> None:
    address = f"{_item(2014)}/preview?render=true-colour"
    first = client.get(address)
    assert first.headers["content-type"] == "image/jpeg"
    tag = first.headers["etag"]
    again = client.get(address, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert "max-age" in again.headers["cache-control"]
    other = client.get(f"{_item(2015)}/preview?render=true-colour", headers={"If-None-Match": tag})
    assert other.status_code == 200
    assert other.headers["etag"] != tag


def test_what_is_there_can_be_asked_without_its_body(client: TestClient) -> None:
    address = f"{_item(2014)}/preview?render=true-colour"
    whole, head = client.get(address), client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-type", "content-length", "cache-control"):
        assert head.headers[name] == whole.headers[name]
    missing = client.head(f"/tiles/collections/{COLLECTION}/items/none/preview?render=mask")
    assert missing.status_code == 404
    assert missing.headers["cache-control"] == "public, max-age=60"
