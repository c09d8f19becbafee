"""The main road: simulate, process, publish, then search, load and download as clients do."""

import hashlib
import io
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np
import odc.stac
import pystac
import pystac_client
import pytest
from PIL import Image
from rio_tiler.io import Reader

from catalog.check import check
from catalog.errors import ReferenceImageError
from catalog.grid import Grid
from catalog.validate import SchemaValidator
from infra.roles import Dsns
from processing.compare import Row
from processing.reference.fetch import Cache
from processing.reference.stac import Search, search_stac
from processing.result import Status
from tests.demo_site import Demo, make_demo, served

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LAKE = (1.10, 45.47, 1.19, 45.55)
"""Around the lake that lies in four of the five scenes."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return make_demo(tmp_path_factory.mktemp("main-road"))


@pytest.fixture(scope="module")
def address(demo: Demo, postgres: Dsns) -> Iterator[str]:
    with served(demo, postgres) as url:
        yield url


@pytest.fixture
def client(address: str) -> pystac_client.Client:
    return pystac_client.Client.open(f"{address}/stac")


def _rows(demo: Demo) -> Iterator[tuple[str, dict[str, Row]]]:
    for scene in demo.report.scenes:
        for item, rows in scene.rows.items():
            yield item, {row.name: row for row in rows}


def test_every_scene_is_done_and_one_lies_on_two_tiles(demo: Demo) -> None:
    results = [scene.result for scene in demo.report.scenes]
    assert {result.status for result in results} == {Status.DONE}
    cameras = {result.package.rsplit("_", 4)[0] for result in results}
    assert cameras == {"GF1_WFV1", "GF1_WFV3", "GF6_WFV"}
    assert sorted(len(result.items) for result in results) == [1, 1, 1, 1, 2]


def test_surface_reflectance_meets_its_bar_on_every_item(demo: Demo) -> None:
    shares = {item: rows["sr_uniform_within"].value for item, rows in _rows(demo)}
    assert min(shares.values()) >= 85, shares


def test_products_lie_where_the_truth_lies(demo: Demo) -> None:
    for item, rows in _rows(demo):
        if rows["geometry_boxes"].value:
            assert rows["geometry_rmse"].value < 0.2, item


def test_products_are_nominal_by_a_measurement_that_is_true(demo: Demo) -> None:
    """The RPCs are wrong by 7 to 13 pixels; what is left agrees with the truth."""
    true = {item: rows["geometry_rmse"].value for item, rows in _rows(demo)}
    for stored in demo.store.items():
        properties = stored.item["properties"]
        assert properties["product:quality_status"] == "nominal", stored.id
        assert properties["gfard:check_points"] >= 30
        assert properties["gfard:check_cells"] >= 5
        assert true[str(stored.id)] - 0.1 < properties["accuracy:geometric_rmse"] / 16 < 0.5
        (correction, *_) = properties["gfard:geometric_correction"]
        assert np.hypot(correction["row_offset"], correction["col_offset"]) > 5


def test_aerosol_is_better_than_its_expected_error_nearly_everywhere(demo: Demo) -> None:
    within = {item: rows["aod_within"].value for item, rows in _rows(demo)}
    assert np.mean(list(within.values())) >= 70, within


def test_clouds_are_found_where_they_are_drawn(demo: Demo) -> None:
    cloudy = {item: rows for item, rows in _rows(demo) if rows["cloud_true_share"].value > 1}
    assert cloudy
    for rows in cloudy.values():
        assert rows["cloud_producers_accuracy"].value >= 80
        assert rows["cloud_users_accuracy"].value >= 80
    clear = [rows for _, rows in _rows(demo) if rows["cloud_true_share"].value == 0]
    assert clear
    for rows in clear:
        assert rows["cloud_false_share"].value <= 1


def test_files_agree_with_their_items(demo: Demo) -> None:
    assert check(demo.store.root) == []


def test_items_are_valid_stac(demo: Demo, stac_schemas: Path) -> None:
    validator = SchemaValidator(stac_schemas)
    for stored in demo.store.items():
        assert validator.errors(stored.item) == []


def test_search_by_place_time_cloud_and_cql2(client: pystac_client.Client, demo: Demo) -> None:
    everything = {item for item, _ in _rows(demo)}
    there = {item.id for item in client.search(bbox=LAKE).items()}
    assert there < everything
    assert len(there) == 4
    summer = client.search(bbox=LAKE, datetime="2020-06-01/2020-08-31").item_collection()
    assert {item.properties["instruments"][0] for item in summer} == {"wfv1"}
    assert len(summer) == 2
    cloudy = list(client.search(query={"eo:cloud_cover": {"gt": 5}}).items())
    assert len(cloudy) == 1
    assert cloudy[0].datetime is not None
    assert cloudy[0].datetime.isoformat() == "2020-08-22T10:46:38+00:00"
    matched = client.search(
        filter={
            "op": "and",
            "args": [
                {"op": "=", "args": [{"property": "grid:code"}, "MGRS-31TDL"]},
                {"op": "<", "args": [{"property": "eo:cloud_cover"}, 5]},
            ],
        }
    )
    assert [item.id.split(".")[3] for item in matched.items()] == ["31TDL"]


@pytest.mark.filterwarnings("ignore:.*shapely.ops.transform:DeprecationWarning")  # odc.geo's own
def test_odc_stac_loads_surface_reflectance(client: pystac_client.Client) -> None:
    items = client.search(collections=["gf1-wfv-ard"], bbox=LAKE).item_collection()
    cube = odc.stac.load(items, bands=["SR.1", "SR.4"], bbox=LAKE, groupby="id")
    assert cube.sizes["time"] == 3
    near_infrared = cube["SR.4"].isel(time=0).values
    assert (near_infrared != 0).mean() > 0.99
    assert 0.1 < np.median(near_infrared[near_infrared != 0]) * 1e-4 < 0.6


def test_rio_tiler_reads_a_tile_over_http(client: pystac_client.Client) -> None:
    item = next(client.search(collections=["gf6-wfv-ard"]).items())
    with Reader(item.assets["SR"].href) as reader:
        tile = reader.tile(*reader.tms.tile(1.145, 45.51, 12), indexes=(3, 2, 1))
    assert tile.mask.any()
    assert tile.data.shape == (3, 256, 256)


def test_a_range_request_gets_those_bytes(client: pystac_client.Client, demo: Demo) -> None:
    item = next(client.search(collections=["gf1-wfv-ard"]).items())
    asset = item.assets["SR"]
    request = urllib.request.Request(asset.href, headers={"Range": "bytes=1000-1999"})
    with urllib.request.urlopen(request) as response:
        assert response.status == 206
        part = response.read()
    path = next(demo.store.root.rglob(Path(asset.href).name))
    whole = path.read_bytes()
    assert part == whole[1000:2000]
    assert asset.extra_fields["file:checksum"] == "1220" + hashlib.sha256(whole).hexdigest()
    assert asset.extra_fields["file:size"] == len(whole)


def test_tiles_and_previews_of_every_render(address: str, client: pystac_client.Client) -> None:
    for item in client.search(max_items=2).items():
        base = f"{address}/tiles/collections/{item.collection_id}/items/{quote(item.id)}"
        for render in ("true-colour", "false-colour", "ndvi", "aod", "mask"):
            url = f"{base}/WebMercatorQuad/tilejson.json?render={render}"
            with urllib.request.urlopen(url) as response:
                tilejson = json.load(response)
            assert tilejson["tiles"][0].startswith(address)
            with urllib.request.urlopen(f"{base}/preview.png?render={render}") as response:
                assert response.headers["content-type"] == "image/png"
                picture = np.asarray(Image.open(io.BytesIO(response.read())))
            assert picture[..., :3].std() > 0


def test_the_catalogue_itself_serves_as_a_reference(address: str, tmp_path: Path) -> None:
    summer = datetime(2020, 7, 20, tzinfo=UTC)
    search = Search(f"{address}/stac", "gf1-wfv-ard", LAKE, summer, "red")
    reference = search_stac(search, Cache(tmp_path))
    assert reference.band == "red"
    assert reference.pieces[0].name.startswith("GF1WFV1.16m.2020170")
    seen = reference.read(Grid(32631, 352_000.0, 5_042_000.0, 16.0, 100, 100))
    assert np.isfinite(seen).mean() > 0.5
    with pytest.raises(ReferenceImageError, match="gf1-wfv-none"):
        search_stac(replace(search, collection="gf1-wfv-none"), Cache(tmp_path))


def test_publishing_again_changes_nothing(
    client: pystac_client.Client, demo: Demo, address: str, postgres: Dsns
) -> None:
    from catalog.load import publish

    before = {item.id: item.to_dict() for item in client.search().items()}
    publish(demo.store, postgres.ingest_dsn, address)
    after = {item.id: item.to_dict() for item in client.search().items()}
    assert before == after


def test_items_read_back_as_pystac(client: pystac_client.Client) -> None:
    item = next(client.search().items())
    assert isinstance(item, pystac.Item)
    rasters = {"angle", "TOA", "AOD", "SR", "mask", "qa"}
    assert set(item.assets) == rasters | {"thumbnail", "geometry"}
