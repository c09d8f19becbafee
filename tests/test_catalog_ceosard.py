"""The self-assessment judges what is there: each fault makes its own row, and no other, miss."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.ceosard.assess import assess, meets_threshold, requirements
from catalog.ceosard.product import Pixels, Product
from catalog.ceosard.report import summarise, to_html
from catalog.collections import collections
from catalog.folder import FolderStore
from catalog.product import QA, MaskClass
from catalog.published import published_collection, published_item
from tests.catalog_products import changed, facts, store_product

URL = "https://ard.example.org"
GOOD = changed(
    facts(),
    {
        "lineage": ("open", "calibrate", "locate", "correct", "classify"),
        "auxiliary": {
            "dem": "glo30", "spectral_response": "a", "aerosol_prior": "b",
            "ozone_water_vapour": "c",
        },
        "provenance": {
            "calibration": {"slope": [1], "intercept": [0], "source": "official table"},
            "aerosol_model": "continental", "aerosol_lut": "ab", "water_vapour_g_cm2": 2.0,
            "ozone_du": 300.0, "settings_sha256": "cd",
        },
    },
)  # fmt: skip


def _pixels() -> Pixels:
    mask = np.full((1, 6, 8), MaskClass.CLEAR, np.uint8)
    mask[:, 0] = MaskClass.FILL
    mask[:, 1], mask[:, 2] = MaskClass.CLOUD, MaskClass.CLOUD_SHADOW
    qa = np.full(mask.shape, QA["valid"].encode(1), np.uint16)
    qa[:, 1] |= QA["cloud_confidence"].encode(3)
    qa[:, 2] |= QA["cloud_shadow"].encode(1)
    qa[:, 0] = 0
    valid = mask != MaskClass.FILL
    return Pixels(mask, qa, np.where(valid, 900, 0), np.repeat(np.where(valid, 4000, 0), 4, 0))


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Product:
    store = FolderStore(tmp_path / "store")
    folder = store_product(store, GOOD)
    stored = store.get(GOOD.id)
    assert stored is not None
    collection = next(each for each in collections() if each["id"] == stored.collection)
    monkeypatch.setattr(Product, "pixels", lambda _: _pixels())
    return Product(published_item(stored, URL), published_collection(collection, URL), folder)


def _missed(product: Product) -> set[str]:
    return {found.requirement.id for found in assess(product) if not found.threshold}


def test_there_are_21_thresholds() -> None:
    assert len(requirements()) == 36
    assert sum(row.threshold is not None for row in requirements()) == 21


def test_the_factor_of_a_terrain_correction_meets_its_goal(product: Product) -> None:
    def met(judged: Product) -> bool:
        found = {each.requirement.id: each for each in assess(judged)}
        return found["pxl-piteric"].goal

    assert not met(product)
    assets = {**product.item["assets"], "terrain_factor": product.item["assets"]["SR"]}
    assert met(replace(product, item={**product.item, "assets": assets}))


def test_a_good_product_meets_every_threshold(product: Product) -> None:
    judged = assess(product)
    assert meets_threshold(judged)
    open_goals = {found.requirement.number for found in judged if not found.goal}
    assert {"1.2", "1.16", "2.4", "4.1"} <= open_goals
    assert all(found.open for found in judged if not found.goal)
    assert not {"1.8", "1.10", "2.11", "3.5"} & open_goals


def _with(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda item: item["properties"].update({name: value})


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda item: item["properties"].pop(name)


def _unlinked(anchor: str) -> Callable[[dict[str, Any]], None]:
    def change(item: dict[str, Any]) -> None:
        item["links"] = [link for link in item["links"] if not link["href"].endswith(anchor)]

    return change


@pytest.mark.parametrize(
    ("change", "row"),
    [
        (_with("datetime", "2014-07-25T19:09:43+08:00"), "meta-time-sr"),
        (_with("proj:code", "EPSG:4326"), "meta-mapproj-sr"),
        (_without("instruments"), "meta-instru-optical"),
        (
            lambda item: item["assets"]["SR"]["bands"][0].pop("eo:center_wavelength"),
            "meta-specband",
        ),
        (_with("processing:lineage", "all"), "meta-malgos-sr"),
        (lambda item: item["properties"]["gfard:auxiliary"].pop("dem"), "meta-auxdat-optical"),
        (lambda item: item["assets"]["qa"].pop("classification:bitfields"), "pxl-pimemare"),
        (lambda item: item["assets"]["qa"]["roles"].remove("saturation"), "pxl-pisatur"),
        (lambda item: item["assets"]["SR"].pop("unit"), "rac-measur-sr"),
        (_unlinked("#water-vapour"), "rac-wavap-sr"),
        (_unlinked("#directional-atmospheric-scattering"), "rac-dirats-sr"),
        (_without("view:azimuth"), "pxl-vigeso"),
        (_with("accuracy:geometric_rmse", 8.5), "gcor-geocorr-sr"),
        (_without("accuracy:geometric_rmse"), "gcor-geocorr-sr"),
    ],
)  # fmt: skip
def test_each_fault_of_the_item_is_its_own_row(
    product: Product, change: Callable[[dict[str, Any]], None], row: str
) -> None:
    change(product.item)  # type: ignore[arg-type]
    assert _missed(product) == {row}


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        (lambda found: found.sr.__setitem__((0, 3, 3), 0), {"pxl-pinodat"}),
        (lambda found: found.angle.__setitem__((2, 0, 0), 7), {"pxl-pinodat"}),
        (lambda found: found.qa.__setitem__((0, 1, 4), 1), {"pxl-picloud"}),
        (lambda found: found.qa.__setitem__((0, 2, 4), 1), {"pxl-picloudsh"}),
        (
            lambda found: found.qa.__setitem__((0, 0, 0), QA["incomplete"].encode(1)),
            {"pxl-pincot", "pxl-pinodat"},
        ),
    ],
)
def test_each_fault_of_the_pixels_is_its_own_row(
    product: Product,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Pixels], None],
    rows: set[str],
) -> None:
    found = _pixels()
    change(found)
    monkeypatch.setattr(Product, "pixels", lambda _: found)
    assert _missed(product) == rows


def test_pixels_are_read_where_the_product_has_some(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    folder = store_product(store, GOOD)
    stored = store.get(GOOD.id)
    assert stored is not None
    found = Product(published_item(stored, URL), {}, folder).pixels()
    assert found.mask.shape == (1, *GOOD.grid.shape)
    assert found.sr.shape == (4, *GOOD.grid.shape)
    assert not found.valid[:5, :5].any()
    assert found.valid[5:].all()


def test_the_report_counts_products_and_names_those_that_miss(product: Product) -> None:
    good = assess(product)
    product.item["properties"]["accuracy:geometric_rmse"] = 9.0
    report = summarise([("one", good), ("two", assess(product))])
    assert (report.products, report.passed) == (2, 1)
    (missed,) = report.open_thresholds
    assert (missed.requirement.number, missed.missed_by) == ("4.1", ("two",))
    told = report.to_dict()
    assert told["assessment"] == "self-assessed; not peer reviewed"
    assert len(told["requirements"]) == 36
    page = to_html(report, "gf1-wfv-ard")
    assert "All of them meet 20 of 21 thresholds" in page
    assert "missed by two" in page


def test_nothing_to_assess_is_refused() -> None:
    with pytest.raises(ValueError, match="no product"):
        summarise([])


def test_a_deprecated_product_is_judged_as_any_other(product: Product) -> None:
    item = {**product.item, "properties": {**product.facts, "deprecated": True}}
    assert meets_threshold(assess(replace(product, item=item)))
