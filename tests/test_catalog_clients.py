"""Clients of other people against the running API: the examples of docs/clients.md, as they stand.

What they read is held to the files in the store, read with nothing in between.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from catalog.folder import FolderStore
from catalog.validate import SchemaValidator
from infra.roles import Dsns
from tests.catalog_products import GRID, facts
from tests.live_site import LiveSite, live_site

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]  # those of clients

GUIDE = Path(__file__).parents[1] / "docs/clients.md"
START = datetime(2016, 1, 20, 3, tzinfo=UTC)
PRODUCTS = [facts("GF1WFV2", START + timedelta(days=9 * n), "C1", cloud=8.0 * n) for n in range(3)]


@pytest.fixture(scope="module")
def site(postgres: Dsns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    store = FolderStore(tmp_path_factory.mktemp("store"))
    with live_site(postgres, store, [*PRODUCTS, facts("GF6WFV", START, "C1")]) as site:
        yield site


@pytest.fixture(scope="module")
def results(site: LiveSite) -> dict[str, Any]:
    """Names that the blocks of the guide leave behind, run one after the other."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        exec(block.replace("http://127.0.0.1:8000", site.address), names)
    return names


@pytest.fixture(scope="module")
def truth(site: LiveSite) -> NDArray[np.uint16]:
    """Surface reflectance of the first product, all bands, as stored."""
    stored = site.store.get(PRODUCTS[0].id)
    assert stored is not None
    path = site.store.root / stored.relative / PRODUCTS[0].id.file_name("SR")
    with rasterio.open(path) as file:
        pixels: NDArray[np.uint16] = file.read()
    return pixels


def test_pystac_client_searches(results: dict[str, Any]) -> None:
    wanted = [str(product.id) for product in reversed(PRODUCTS)]
    assert [item.id for item in results["items"]] == wanted


def test_odc_stac_reads_bands_by_name(results: dict[str, Any], truth: NDArray[np.uint16]) -> None:
    cube = results["cube"].isel(time=0)
    np.testing.assert_array_equal(cube["red"].to_numpy(), truth[2])
    np.testing.assert_array_equal(cube["nir"].to_numpy(), truth[3])
    assert set(np.unique(cube["mask"])) <= set(range(6))


def test_odc_stac_finds_red_in_the_earlier_view(
    results: dict[str, Any], truth: NDArray[np.uint16]
) -> None:
    named = results["named"].isel(time=0)
    np.testing.assert_array_equal(named["red"].to_numpy(), truth[2])
    np.testing.assert_array_equal(named["nir"].to_numpy(), truth[3])


def test_stackstac_reads_single_bands(results: dict[str, Any], truth: NDArray[np.uint16]) -> None:
    stack = results["stack"]
    assert list(stack["band"].values) == ["SR_red", "SR_nir"]
    # Its lattice is that of multiples of 16 m, which the tile's is not.
    red = stack.sel(band="SR_red").isel(time=0).to_numpy()
    assert red.shape in {(64, 64), (65, 64), (64, 65), (65, 65)}
    seen, stored = red[np.isfinite(red)], truth[2][truth[2] > 0] * 1e-4
    assert abs(seen.mean() - stored.mean()) < 0.01 * stored.mean()


def test_rio_tiler_picks_bands_by_name(results: dict[str, Any], truth: NDArray[np.uint16]) -> None:
    np.testing.assert_array_equal(results["picture"].data, truth[[3, 2, 1]])


def test_gdal_reads_files_and_searches(results: dict[str, Any], truth: NDArray[np.uint16]) -> None:
    np.testing.assert_array_equal(results["pixels"], truth)
    assert results["size"] == GRID.shape


def test_rustac_searches(results: dict[str, Any]) -> None:
    assert {item["id"] for item in results["fast"]} == {str(each.id) for each in PRODUCTS}


def test_a_band_is_the_files_own_band(site: LiveSite, truth: NDArray[np.uint16]) -> None:
    base = f"{site.stac}/collections/gf1-wfv-ard/items/{PRODUCTS[0].id}/bands"
    for number, name in enumerate(("blue", "green", "red", "nir")):
        with rasterio.open(f"{base}/{name}.vrt") as band:
            np.testing.assert_array_equal(band.read(1), truth[number])
            assert (band.scales, band.nodata) == ((0.0001,), 0)
            assert band.transform[:6] == GRID.transform
    assert httpx.head(f"{base}/red.vrt").status_code == 200
    answer = httpx.get(f"{base}/purple.vrt")
    assert answer.status_code == 404
    assert "red" in answer.json()["description"]


@pytest.mark.parametrize("asked", ["/1.0/search", "/search?profile=1.0"])
def test_the_earlier_view_is_valid(site: LiveSite, stac_schemas: Path, asked: str) -> None:
    validator = SchemaValidator(stac_schemas)
    found = httpx.get(f"{site.stac}{asked}").json()["features"]
    assert len(found) == len(PRODUCTS) + 1
    for item in found:
        assert item["stac_version"] == "1.0.0"
        assert validator.errors(item) == []
        assert {"SR_red", "SR_nir", "SR", "mask"} <= set(item["assets"])


def test_links_stay_in_the_earlier_view(site: LiveSite, stac_schemas: Path) -> None:
    earlier = f"{site.stac}/1.0"
    pages = [earlier, f"{earlier}/", f"{earlier}/collections/gf6-wfv-ard", f"{earlier}/children"]
    for page in pages:
        for link in httpx.get(page).json()["links"]:
            inside = link["href"].startswith(f"{site.stac}/")
            assert not inside or link["href"].startswith(f"{earlier}/"), link
    first = httpx.get(f"{earlier}/search?limit=1").json()
    (following,) = [link["href"] for link in first["links"] if link["rel"] == "next"]
    assert following.startswith(f"{earlier}/search?")
    collection = httpx.get(f"{earlier}/collections/gf6-wfv-ard").json()
    *others, item_assets = collection["stac_extensions"]
    assert "/item-assets/v1.0.0/" in item_assets  # whose schema is not at hand here
    assert SchemaValidator(stac_schemas).errors(collection | {"stac_extensions": others}) == []
