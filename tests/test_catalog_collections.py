"""Collections are valid, their renders can be drawn, and items agree with them."""

from pathlib import Path
from typing import Any

import pytest
from rio_tiler.io import STACReader
from titiler.core.dependencies import _parse_asset

from catalog.collections import collections, queryables
from catalog.folder import FolderStore
from catalog.product import COLLECTIONS
from catalog.renders import RENDER, RENDERS, Render
from catalog.validate import SchemaValidator
from tests.api_site import published
from tests.catalog_products import document, facts, store_product

BY_ID = {collection["id"]: collection for collection in collections()}


@pytest.mark.parametrize("name", COLLECTIONS.values())
def test_collection_is_valid(stac_schemas: Path, name: str) -> None:
    assert SchemaValidator(stac_schemas).errors(BY_ID[name]) == []


@pytest.mark.parametrize("camera", ["GF1WFV2", "GF6WFV"])
def test_items_say_the_same_of_their_assets(camera: str) -> None:
    item = document(facts(camera))
    common_to_items = BY_ID[item["collection"]]["item_assets"]
    assert set(item["assets"]) <= set(common_to_items)
    for key, asset in item["assets"].items():
        common = common_to_items[key]
        for field in ("type", "data_type", "nodata", "raster:scale", "unit", "roles"):
            assert asset.get(field) == common.get(field) or field not in common
        names = [band["name"] for band in common.get("bands", [])]
        assert names == [band["name"] for band in asset.get("bands", [])]


def test_queryables_are_properties_of_items() -> None:
    (item,) = published([facts()])
    known = {*item["properties"], "id", "collection", "geometry"}
    assert set(queryables()["properties"]) <= known


@pytest.fixture(scope="module")
def item_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    store = FolderStore(tmp_path_factory.mktemp("store"))
    folder = store_product(store, facts("GF6WFV"))
    return str(folder / f"{facts('GF6WFV').id}.json")


@pytest.mark.filterwarnings("ignore:Some statistics data:UserWarning")
@pytest.mark.parametrize("render", RENDERS, ids=lambda render: render.name)
def test_render_can_be_drawn(item_path: str, render: Render) -> None:
    assets: Any = _parse_asset(list(render.assets))
    with STACReader(item_path) as reader:
        image = reader.preview(assets=assets, max_size=64)
    assert image.count == (3 if "colour" in render.name else 1)
    valid = image.array.compressed()
    assert valid.size > 0
    if render.name == "ndvi":
        assert -1 <= valid.min() < 0 < valid.max() <= 1


def test_render_in_a_collection_and_in_a_url() -> None:
    entry = BY_ID["gf1-wfv-ard"]["renders"]["true-colour"]
    assert entry["assets"] == ["SR|bidx=3,2,1"]
    assert entry["rescale"] == [[0, 3000]]
    assert RENDER["true-colour"].query() == (
        "assets=SR%7Cbidx%3D3%2C2%2C1&rescale=0%2C3000&resampling=bilinear"
    )
    assert "colormap=%7B%220%22%3A%5B0%2C0%2C0%2C0%5D" in RENDER["mask"].query()
