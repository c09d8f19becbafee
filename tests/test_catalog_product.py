"""The described product is the product of the code; names of items."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.errors import ProductError
from catalog.product import (
    GEOMETRY,
    QA_FIELDS,
    ItemId,
    MaskClass,
    asset_specs,
    optional_specs,
)

DESCRIPTION = (Path(__file__).parents[1] / "docs/product.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the description."""
    section = DESCRIPTION.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line[1:-1] for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def test_every_quality_bit_is_described():
    described = [(row[0], row[1].strip("`"), row[2], row[3]) for row in rows("`qa`")]
    fields = [
        (
            str(f.offset) if f.length == 1 else f"{f.offset}-{f.offset + f.length - 1}",
            f.name,
            f.description,
            ", ".join(f"{value} {name}" for value, name in enumerate(f.values)),
        )
        for f in QA_FIELDS
    ]
    assert described == fields


def test_bits_of_quality_fields_neither_overlap_nor_exceed_16():
    bits = [bit for f in QA_FIELDS for bit in range(f.offset, f.offset + f.length)]
    assert sorted(bits) == list(range(16))


def test_every_class_of_the_mask_is_described():
    described = {int(value): name for value, name in rows("`mask`")}
    assert described == {value.value: value.name.lower().replace("_", " ") for value in MaskClass}


def test_every_asset_is_described_with_its_type_and_scale():
    described = {
        name: row for row in rows("Assets") for name in row[0].replace("`", "").split(", ")
    }
    specs = (*asset_specs("GF1"), *optional_specs("GF1"))
    assert set(described) == {spec.key for spec in specs} | {GEOMETRY.key, "thumbnail"}
    for spec in specs:
        *_, dtype, scale = described[spec.key]
        assert (dtype, scale) == (spec.dtype, str(spec.scale or ""))


def test_time_in_a_name_is_beijing_time():
    item = ItemId.parse("GF1WFV1.16m.2014206190943.31TCL.000123")
    assert item.time == datetime(2014, 7, 25, 11, 9, 43, tzinfo=UTC)
    assert str(item) == "GF1WFV1.16m.2014206190943.31TCL.000123"
    late = ItemId("GF6WFV", datetime(2019, 12, 31, 16, tzinfo=UTC), "50TMK", "1")
    assert str(late) == "GF6WFV.16m.2020001000000.50TMK.1"
    assert ItemId.parse(str(late)).time - late.time == timedelta(0)


@pytest.mark.parametrize(
    "name",
    [
        "GF1WFV5.16m.2014206190943.31TCL.000123",
        "GF1WFV1.16m.2014366190943.31TCL.000123",
        "GF1WFV1.16m.2014206190943.31TIL.000123",
        "GF1WFV1.16m.2014206190943.31TCL.0-1",
        "GF1WFV1.16m.2014206190943.31TCL",
    ],
)
def test_what_is_no_name_is_refused_by_name(name: str):
    with pytest.raises(ProductError, match=name.split(".")[0]):
        ItemId.parse(name)
