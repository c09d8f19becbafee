"""Every way in which a file and its item can disagree is found, and nothing else."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import rasterio
from rasterio.shutil import copy as raster_copy
from rasterio.transform import from_origin

from catalog.check import check
from catalog.folder import FolderStore
from tests.catalog_products import facts, store_product

ID = str(facts().id)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return store_product(FolderStore(tmp_path / "store"), facts())


def _codes(path: Path) -> list[str]:
    return [finding.code for finding in check(path)]


def _edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / f"{ID}.json"
    item = orjson.loads(path.read_bytes())
    change(item)
    path.write_bytes(orjson.dumps(item))


def _describe(folder: Path, key: str) -> None:
    """Make size and checksum in the item those of the file, so that only the pixels' facts lie."""
    path = folder / f"{ID}.{key}.tiff"
    content = path.read_bytes()

    def change(item: dict[str, Any]) -> None:
        item["assets"][key]["file:size"] = len(content)
        item["assets"][key]["file:checksum"] = "1220" + hashlib.sha256(content).hexdigest()

    _edit(folder, change)


def test_a_sound_product_has_no_findings(folder: Path, stac_schemas: Path) -> None:
    root = folder.parents[5]
    assert check(root, stac_schemas) == []
    assert check(folder) == check(folder / f"{ID}.json") == []


def test_accuracy_that_is_not_that_of_the_check_points(folder: Path) -> None:
    _edit(folder, lambda item: item["properties"].update({"accuracy:geometric_rmse": 3.0}))
    (finding,) = check(folder)
    assert finding.code == "accuracy"
    assert "120 check points with an RMSE of 6.400 m in the file, 120 with 3.0 m" in finding.reason


def test_check_points_that_cannot_be_read(folder: Path) -> None:
    (folder / f"{ID}.geometry.json").write_text("{}")
    assert _codes(folder) == ["size", "accuracy"]


def test_schema_violations_are_findings(folder: Path, stac_schemas: Path) -> None:
    _edit(folder, lambda item: item["properties"].update({"eo:cloud_cover": 120}))
    (finding,) = check(folder, stac_schemas)
    assert (finding.code, finding.level) == ("schema", "error")
    assert finding.reason.startswith("properties/eo:cloud_cover: 120 is greater")


def test_missing_file(folder: Path) -> None:
    (folder / f"{ID}.SR.tiff").unlink()
    (finding,) = check(folder)
    assert finding.code == "file-missing"
    assert finding.path == folder / f"{ID}.SR.tiff"


def test_file_outside_the_folder_counts_as_missing(folder: Path) -> None:
    _edit(folder, lambda item: item["assets"]["SR"].update(href="/etc/passwd"))
    assert _codes(folder) == ["file-missing", "stray-file"]


def test_absent_asset(folder: Path) -> None:
    _edit(folder, lambda item: item["assets"].pop("qa"))
    assert _codes(folder) == ["asset-absent", "stray-file"]


def test_truncated_file(folder: Path) -> None:
    path = folder / f"{ID}.thumbnail.png"
    path.write_bytes(path.read_bytes()[:-5])
    assert _codes(folder) == ["size"]


def test_one_changed_bit(folder: Path) -> None:
    path = folder / f"{ID}.thumbnail.png"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert _codes(folder) == ["sha256"]


def test_not_a_tiff(folder: Path) -> None:
    (folder / f"{ID}.AOD.tiff").write_bytes(b"II*\0 and no more")
    _describe(folder, "AOD")
    assert _codes(folder) == ["raster-unreadable"]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("proj:code", "EPSG:32632", "crs"),
        ("proj:transform", [16.0, 0.0, 300016.0, 0.0, -16.0, 4900020.0], "transform"),
        ("proj:shape", [64, 65], "shape"),
        ("data_type", "int16", "dtype"),
        ("nodata", 65535, "nodata"),
        ("raster:scale", 0.001, "scale"),
        ("raster:offset", -0.1, "offset"),
        ("bands", [{"name": name} for name in ("red", "green", "blue", "nir")], "bands"),
    ],
)
def test_item_that_lies(folder: Path, field: str, value: Any, code: str) -> None:
    _edit(folder, lambda item: item["assets"]["SR"].update({field: value}))
    assert _codes(folder) == [code]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda raster: setattr(raster, "scales", [0.001] * 4), "scale"),
        (lambda raster: setattr(raster, "nodata", 7), "nodata"),
        (lambda raster: setattr(raster, "transform", from_origin(0, 0, 16, 16)), "transform"),
        (lambda raster: raster.set_band_description(1, "violet"), "bands"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_file_that_lies(folder: Path, change: Callable[[Any], Any], code: str) -> None:
    with rasterio.open(folder / f"{ID}.SR.tiff", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
        change(raster)
    _describe(folder, "SR")
    assert code in _codes(folder)


def test_tiff_that_is_no_cog(folder: Path, tmp_path: Path) -> None:
    path = folder / f"{ID}.SR.tiff"
    plain = tmp_path / "plain.tiff"
    with rasterio.open(path) as raster:
        raster_copy(raster, plain, driver="GTiff", tiled=False, blockysize=64, compress="LZW")
    with rasterio.open(plain, "r+") as raster:
        raster.build_overviews([2, 4])
    path.write_bytes(plain.read_bytes())
    _describe(folder, "SR")
    (finding,) = check(folder)
    assert finding.code == "cog"


def test_stray_file_is_a_warning(folder: Path) -> None:
    (folder / "notes.txt").write_text("hello")
    (finding,) = check(folder)
    assert (finding.level, finding.code) == ("warning", "stray-file")


def test_broken_json(folder: Path) -> None:
    (folder / f"{ID}.json").write_text("{")
    assert _codes(folder) == ["item-unreadable"]


def test_nothing_to_check_is_a_finding(tmp_path: Path) -> None:
    assert _codes(tmp_path) == ["no-item"]
    assert "no such" in check(tmp_path / "none")[0].reason


def test_drafts_are_not_checked(folder: Path) -> None:
    draft = folder.parents[5] / ".drafts" / "x"
    draft.mkdir()
    (draft / "broken.json").write_text("{")
    assert check(folder.parents[5]) == []
