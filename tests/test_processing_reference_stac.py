"""References from a STAC API on loopback: choice of images, and a second run without network."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.shutil import copy as raster_copy
from rasterio.transform import Affine
from shapely.geometry import box, mapping

from catalog.errors import ReferenceImageError
from catalog.folder import FolderStore
from catalog.grid import Grid, tile
from processing.reference.fetch import Cache
from processing.reference.image import ReferenceImage
from processing.reference.source import Wanted, open_reference
from processing.reference.stac import Search, search_stac

SCENE = datetime(2020, 6, 18, 10, 44, 12, tzinfo=UTC)
BOUNDS = (1.70, 45.05, 1.80, 45.12)
GRID = Grid(32631, 398_000.0, 4_996_000.0, 16.0, 300, 300)
WEST, NORTH = 390_000.0, 5_010_000.0


@dataclass
class Api:
    """A small STAC API: its items, the files they name, and what was asked of it."""

    folder: Path
    items: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    page: int = 100
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def search(self, query: dict[str, list[str]]) -> dict[str, Any]:
        first, last = query["datetime"][0].split("/")
        found = [
            item for item in self.items
            if first <= item["properties"]["datetime"] <= last
            and item["collection"] == query["collections"][0]
        ]  # fmt: skip
        start = int(query.get("token", ["0"])[0])
        page: dict[str, Any] = {
            "type": "FeatureCollection",
            "features": found[start : start + self.page],
            "links": [],
        }
        if start + self.page < len(found):
            more = "&".join(f"{k}={v[0]}" for k, v in query.items() if k != "token")
            href = f"{self.address}/search?{more}&token={start + self.page}"
            page["links"] = [{"rel": "next", "href": href}]
        return page


class Handler(BaseHTTPRequestHandler):
    """Answers searches, and files with ranges."""

    api: Api

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, body: bool = True) -> None:
        url = urlsplit(self.path)
        self.api.asked.append(self.path)
        if url.path == "/v1/search":
            self._send(200, json.dumps(self.api.search(parse_qs(url.query))).encode(), body)
            return
        path = self.api.folder / url.path.lstrip("/")
        if not path.is_file():
            self._send(404, b"", body)
            return
        whole = path.read_bytes()
        wanted = self.headers.get("Range")
        if wanted is None:
            self._send(200, whole, body, {"Accept-Ranges": "bytes"})
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        end = min(int(last or len(whole)), len(whole) - 1)
        place = {"Content-Range": f"bytes {first}-{end}/{len(whole)}"}
        self._send(206, whole[int(first) : end + 1], body, place)

    def _send(
        self, code: int, content: bytes, body: bool, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@contextmanager
def running(api: Api) -> Iterator[None]:
    handler = type("OwnHandler", (Handler,), {"api": api})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        api.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def write_cog(path: Path, value: int, dtype: str = "uint16", size: int = 2000) -> None:
    """A COG of 10 m pixels whose values are ``value`` and the column's last digits."""
    values = np.full((size, size), value) + (np.arange(size) % 50 if dtype == "uint16" else 0)
    plain = path.with_suffix(".plain")
    with rasterio.open(
        plain, "w", driver="GTiff", count=1, height=size, width=size, dtype=dtype, nodata=0,
        crs="EPSG:32631", transform=Affine(10, 0, WEST, 0, -10, NORTH), tiled=True,
    ) as raster:  # fmt: skip
        raster.write(values.astype(dtype), 1)
    raster_copy(plain, path, driver="COG")
    plain.unlink()


def item(name: str, when: str, cloud: float, **assets: dict[str, Any]) -> dict[str, Any]:
    ring = [[1.55, 45.0], [1.86, 45.0], [1.86, 45.2], [1.55, 45.2], [1.55, 45.0]]
    return {
        "type": "Feature",
        "id": name,
        "collection": "sentinel-2-l2a",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": when, "eo:cloud_cover": cloud},
        "links": [],
        "assets": assets,
    }


def asset(href: str, *names: str, style: str = "1.1") -> dict[str, Any]:
    if style == "1.1":
        bands = {"bands": [{"name": n, "eo:common_name": n} for n in names]}
    else:
        bands = {"eo:bands": [{"name": n, "common_name": n} for n in names]}
    return {"href": href, "type": "image/tiff; application=geotiff", **(bands if names else {})}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that items name: images of 20 km, and the classes of one with a cloud."""
    folder = tmp_path_factory.mktemp("served")
    for name, value in (("good", 1000), ("winter", 3000), ("old", 4000)):
        write_cog(folder / f"{name}.tif", value)
    write_cog(folder / "scl.tif", 4, "uint8")
    with rasterio.open(folder / "scl.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
        classes = raster.read(1)
        classes[1300:1500, 900:1100] = 9
        raster.write(classes, 1)
    return folder


@pytest.fixture
def api(served: Path) -> Api:
    """The clearest image of the season is one of 2023; others are cloudy, of winter, or old."""
    made = Api(served)
    visual = asset("../good.tif", "red", "green", "blue")
    made.items = [
        item("cloudy", "2023-06-17T10:56:19Z", 55.0, red=asset("../good.tif", "red")),
        item(
            "good", "2023-06-20T10:56:19Z", 3.0, visual=visual,
            red=asset("../good.tif", "red"), scl=asset("../scl.tif"),
        ),
        item("winter", "2023-01-17T10:56:19Z", 0.0, red=asset("../winter.tif", "red")),
        item("old", "2020-06-18T10:56:19Z", 0.0, red=asset("../old.tif", "red")),
    ]  # fmt: skip
    return made


def find(api: Api, folder: Path, band: str = "red") -> ReferenceImage:
    search = Search(api.address, "sentinel-2-l2a", BOUNDS, SCENE, band)
    return search_stac(search, Cache(folder))


def test_the_clearest_image_of_the_season_on_the_global_reference_is_taken(
    api: Api, tmp_path: Path
) -> None:
    with running(api):
        wanted = Wanted(BOUNDS, [tile("31TCK")], SCENE, "red")
        steps: list[str] = []
        reference = open_reference(
            f"{api.address}#sentinel-2-l2a", wanted, FolderStore(tmp_path / "store"),
            cache=tmp_path / "cache", progress=steps.append,
        )  # fmt: skip
    assert [piece.name for piece in reference.pieces] == ["good"]
    assert reference.dates == ("2023-06-20",)
    assert reference.source == f"{api.address}#sentinel-2-l2a"
    assert steps[-1] == "fetching reference 1 of 1"
    seen = reference.read(GRID)
    assert 0.05 < np.isnan(seen).mean() < 0.6
    assert 1000 <= np.nanmin(seen) <= np.nanmax(seen) < 1050


def test_classes_of_cloud_are_hidden_where_they_lie(api: Api, tmp_path: Path) -> None:
    with running(api):
        reference = find(api, tmp_path / "cache")
    middle = Grid(32631, WEST + 8000, NORTH - 12_000, 10.0, 500, 500)
    hidden = np.isnan(reference.read(middle))
    row, col = np.nonzero(hidden)
    assert (row.min(), row.max() + 1, col.min(), col.max() + 1) == (100, 300, 100, 300)


def test_a_second_run_needs_no_network(api: Api, tmp_path: Path) -> None:
    with running(api):
        first = find(api, tmp_path / "cache").read(GRID)
    asked = len(api.asked)
    assert asked > 2
    again = find(api, tmp_path / "cache").read(GRID)
    assert len(api.asked) == asked
    np.testing.assert_array_equal(first, again)


def test_only_the_part_around_the_scene_is_kept(api: Api, tmp_path: Path) -> None:
    with running(api):
        reference = find(api, tmp_path / "cache")
    with rasterio.open(reference.pieces[0].path) as kept:
        assert kept.width < 1400
        assert kept.nodata == 0


def test_pages_are_followed_and_both_spellings_of_bands_are_read(api: Api, tmp_path: Path) -> None:
    api.page = 1
    api.items[1]["assets"] = {"B04": asset("../good.tif", "red", style="1.0")}
    with running(api):
        reference = find(api, tmp_path / "cache")
    assert [piece.name for piece in reference.pieces] == ["good"]
    assert sum("token=" in path for path in api.asked) == 1


def test_without_the_band_the_next_best_is_taken(api: Api, tmp_path: Path) -> None:
    with running(api):
        assert find(api, tmp_path / "cache", "nir").band == "red"


def test_the_scenes_own_year_serves_where_there_is_nothing_newer(api: Api, tmp_path: Path) -> None:
    api.items = api.items[3:]
    with running(api):
        reference = find(api, tmp_path / "cache")
    assert [piece.name for piece in reference.pieces] == ["old"]


def test_another_season_serves_where_the_own_has_nothing(api: Api, tmp_path: Path) -> None:
    api.items = api.items[2:3]
    with running(api):
        reference = find(api, tmp_path / "cache")
    assert [piece.name for piece in reference.pieces] == ["winter"]


def test_a_scene_over_the_antimeridian_gets_images_of_both_sides(tmp_path: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    api = Api(folder)
    for name, epsg, west in (("west", 32660, 179.9), ("east", 32601, -180.0)):
        x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(west, 10.05)
        with rasterio.open(
            folder / f"{name}.tif", "w", driver="GTiff", count=1, height=600, width=600,
            dtype="uint16", crs=f"EPSG:{epsg}", transform=Affine(20, 0, x, 0, -20, y),
        ) as raster:  # fmt: skip
            raster.write(np.full((1, 600, 600), 500, np.uint16))
        made = item(name, "2023-06-20T10:56:19Z", 3.0, red=asset(f"../{name}.tif", "red"))
        ends = (west, 9.95), (west + 0.1, 10.05)
        made["geometry"] = mapping(box(*ends[0], *ends[1]))
        api.items.append(made)
    for number, bounds in enumerate(
        ((-180.05, 9.96, -179.95, 10.04), (179.95, 9.96, 180.05, 10.04))
    ):
        with running(api):
            search = Search(api.address, "sentinel-2-l2a", bounds, SCENE, "red")
            found = search_stac(search, Cache(tmp_path / str(number)))
        assert {piece.name for piece in found.pieces} == {"east", "west"}
        asked = parse_qs(urlsplit(next(a for a in api.asked if "/search" in a)).query)
        assert asked["bbox"] == ["179.95000,9.96000,-179.95000,10.04000"]
        api.asked.clear()


def test_an_answer_that_is_kept_does_not_reach_into_the_future(api: Api, tmp_path: Path) -> None:
    lately = datetime.now(UTC) - timedelta(days=2)
    api.items.clear()
    with running(api):
        search = Search(api.address, "sentinel-2-l2a", BOUNDS, lately, "red")
        with pytest.raises(ReferenceImageError, match="no image"):
            search_stac(search, Cache(tmp_path))
    asked = [parse_qs(urlsplit(each).query)["datetime"][0] for each in api.asked]
    assert max(each.split("/")[1] for each in asked) <= f"{datetime.now(UTC):%Y-%m-%dT23:59:59Z}"


def test_what_another_process_removes_from_the_cache_is_no_error(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ghost, real, there = tmp_path / "ghost.tif", Path.iterdir, Path.is_file
    monkeypatch.setattr(Path, "iterdir", lambda folder: [*real(folder), ghost])
    monkeypatch.setattr(Path, "is_file", lambda path: path == ghost or there(path))
    with running(api):
        assert [piece.name for piece in find(api, tmp_path).pieces] == ["good"]


def test_the_cache_keeps_to_its_size(api: Api, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    stale = folder / ("0" * 32 + ".tif")
    stale.write_bytes(bytes(3_000_000))
    with running(api):
        search = Search(api.address, "sentinel-2-l2a", BOUNDS, SCENE, "red")
        reference = search_stac(search, Cache(folder, limit_gb=0.002))
    assert not stale.exists()
    assert Path(reference.pieces[0].path).exists()
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


def test_a_cache_that_cannot_be_written_is_said(api: Api, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with running(api), pytest.raises(ReferenceImageError, match="cannot be kept there"):
        find(api, tmp_path / "file" / "cache")


def test_what_goes_wrong_is_said(api: Api, tmp_path: Path) -> None:
    with running(api):
        api.items[1]["assets"]["red"]["href"] = "../none.tif"
        with pytest.raises(ReferenceImageError, match=r"none.tif: .* cannot be (read|fetched)"):
            find(api, tmp_path / "a")
        api.items[1]["assets"]["red"]["href"] = "file:///etc/passwd"
        with pytest.raises(ReferenceImageError, match="not an address of an image"):
            find(api, tmp_path / "b")
        api.items = api.items[:1]
        with pytest.raises(ReferenceImageError, match="no image with less than 30 % of cloud"):
            find(api, tmp_path / "c")
    with pytest.raises(ReferenceImageError, match="cannot be asked"):
        find(api, tmp_path / "d")
