"""Items say what the contract says, in the fields that the schemas demand."""

import copy
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import ProductError, StoreError
from catalog.facts import describe_file
from catalog.item import build_item, geometry_bbox, stac_time
from catalog.validate import SchemaValidator
from tests.catalog_products import document, facts, named_files


@pytest.fixture(scope="module")
def validator(stac_schemas: Path) -> SchemaValidator:
    return SchemaValidator(stac_schemas)


@pytest.mark.parametrize("camera", ["GF1WFV1", "GF1WFV4", "GF6WFV"])
def test_item_is_valid(validator: SchemaValidator, camera: str) -> None:
    assert validator.errors(document(facts(camera))) == []


def test_item_without_reference_is_valid_and_degraded(validator: SchemaValidator) -> None:
    item = document(replace(facts(), geometric=None))
    assert validator.errors(item) == []
    assert item["properties"]["product:quality_status"] == "degraded"
    assert "no reference" in item["properties"]["gfard:quality_reason"]
    assert not any(name.startswith("accuracy:") for name in item["properties"])


def _damage(place: str, value: Any) -> dict[str, Any]:
    item = copy.deepcopy(document(facts()))
    *path, last = place.split("/")
    target: Any = item
    for part in path:
        target = target[int(part) if part.isdigit() else part]
    target[last] = value
    return item


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("properties/eo:cloud_cover", 120),
        ("assets/SR/bands/0/eo:common_name", "Blue"),
        ("assets/SR/file:checksum", "XYZ"),
        ("properties/grid:code", "31TCL"),
        ("properties/sat:orbit_state", "down"),
        ("assets/SR/proj:shape", [64]),
        ("properties/product:quality_status", "good"),
        ("properties/datetime", "yesterday"),
        ("assets/SR/raster:bands", []),
    ],
)
def test_deliberate_errors_are_found(validator: SchemaValidator, place: str, value: Any) -> None:
    assert validator.errors(_damage(place, value))


def test_assets_keep_to_the_contract() -> None:
    item = document(facts("GF6WFV"))
    rasters = {"angle", "TOA", "AOD", "SR", "mask", "qa"}
    assert set(item["assets"]) == rasters | {"thumbnail", "geometry"}
    unmeasured = document(replace(facts("GF6WFV"), geometric=None))
    assert set(unmeasured["assets"]) == rasters | {"thumbnail"}
    surface = item["assets"]["SR"]
    assert surface["href"] == f"./{item['id']}.SR.tiff"
    assert surface["file:checksum"] == "1220" + "ab" * 32
    assert (surface["raster:scale"], surface["raster:offset"], surface["nodata"]) == (1e-4, 0, 0)
    names = [band["name"] for band in surface["bands"]]
    assert names == ["blue", "green", "red", "nir", "rededge071", "rededge075", "coastal", "yellow"]
    assert surface["bands"][6]["eo:center_wavelength"] == 0.432
    assert surface["proj:transform"] == [16.0, 0.0, 300000.0, 0.0, -16.0, 4900020.0]
    assert "eo:center_wavelength" not in item["assets"]["angle"]["bands"][0]


def test_quality_layers_are_described() -> None:
    assets = document(facts())["assets"]
    classes = {entry["name"]: entry for entry in assets["mask"]["classification:classes"]}
    assert classes["cloud"]["percentage"] == 12.5
    assert classes["fill"] == {"value": 0, "name": "fill", "color_hint": "000000", "nodata": True}
    bits = assets["qa"]["classification:bitfields"]
    assert sum(field["length"] for field in bits) == 16
    assert bits[1]["classes"][3] == {"value": 3, "name": "high"}


@pytest.mark.parametrize(
    ("rmse", "reason", "status"),
    [(8.0, None, "nominal"), (8.1, None, "degraded"), (3.0, "much haze", "degraded")],
)
def test_quality_status_follows_half_a_pixel(rmse: float, reason: str | None, status: str) -> None:
    base = facts()
    assert base.geometric is not None
    geometric = replace(base.geometric, rmse_m=rmse)
    properties = document(replace(base, geometric=geometric, quality_reason=reason))["properties"]
    assert properties["product:quality_status"] == status
    assert ("gfard:quality_reason" in properties) == (status == "degraded")


def test_time_is_utc_although_the_name_is_beijing_time() -> None:
    item = document(facts(time=datetime(2014, 12, 31, 17, 0, 1, tzinfo=UTC)))
    assert item["id"] == "GF1WFV1.16m.2015001010001.31TCL.000123"
    assert item["properties"]["datetime"] == "2014-12-31T17:00:01Z"


def test_stac_time_keeps_fractions_and_converts_zones() -> None:
    beijing = timezone(timedelta(hours=8))
    assert stac_time(datetime(2020, 1, 1, 1, 2, 3, 450000, beijing)) == "2019-12-31T17:02:03.450Z"


def test_lineage_is_an_ordered_list_and_sources_are_linked() -> None:
    item = document(facts())
    assert item["properties"]["processing:lineage"].splitlines()[1] == "2. orthorectification"
    related = [link for link in item["links"] if link["rel"] == "related"]
    assert [link["href"] for link in related] == ["https://example.org/dem/"]
    assert item["properties"]["gfard:auxiliary"]["geoid"] == "egm96_15"
    assert item["properties"]["gfard:calibration"]["year"] == 2014


def test_bbox_crosses_the_antimeridian() -> None:
    east = [[[179.5, 10.0], [180.0, 10.0], [180.0, 11.0], [179.5, 10.0]]]
    west = [[[-180.0, 10.0], [-179.2, 10.0], [-180.0, 11.5], [-180.0, 10.0]]]
    geometry = {"type": "MultiPolygon", "coordinates": [east, west]}
    assert geometry_bbox(geometry) == [179.5, 10.0, -179.2, 11.5]


def test_missing_asset_is_refused() -> None:
    base = facts()
    with pytest.raises(ProductError, match="wanted"):
        build_item(base, named_files(base)[:-1])


def test_foreign_bands_are_refused() -> None:
    base = facts()
    with pytest.raises(ProductError, match="bands"):
        build_item(replace(base, bands=base.bands[:2]), named_files(base))


def test_described_file_is_what_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    path.write_bytes(b"pixels")
    file = describe_file("SR", path)
    assert (file.size, file.sha256) == (6, hashlib.sha256(b"pixels").hexdigest())
    with pytest.raises(StoreError, match=r"b\.tiff"):
        describe_file("SR", tmp_path / "b.tiff")
