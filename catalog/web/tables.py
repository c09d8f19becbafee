"""Items of a search as text: a table of CSV, a sequence of GeoJSON."""

import csv
import io
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from catalog.manifest import item_files
from catalog.product import COLLECTIONS, asset_specs, optional_specs

CSV_MEDIA_TYPE = "text/csv; charset=utf-8"
SEQUENCE_MEDIA_TYPE = "application/geo+json-seq"

_PROPERTIES = (
    "datetime", "platform", "instruments", "grid:code", "eo:cloud_cover", "eo:snow_cover",
    "view:sun_azimuth", "view:sun_elevation", "view:incidence_angle", "view:azimuth",
    "accuracy:geometric_rmse", "product:quality_status", "processing:version", "proj:code",
    "created", "deprecated",
)  # fmt: skip
_CORNERS = ("west", "south", "east", "north")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula."""
_RECORD_SEPARATOR = b"\x1e"


class CsvTable:
    """Items as rows: identity, properties, box in degrees and addresses of the files.

    Parameters
    ----------
    assets
        Assets whose addresses are columns; all of the product contract when empty.
    """

    def __init__(self, assets: Collection[str]) -> None:
        self._assets = tuple(assets) or _contract_assets()

    def head(self) -> str:
        """Return the line of column names."""
        return _csv(["id", "collection", *_PROPERTIES, *_CORNERS, *self._assets])

    def row(self, item: Mapping[str, Any]) -> str:
        """Return the line of one item; what it does not know stays empty."""
        properties = item["properties"]
        box = item["bbox"]
        urls = {key: next(item_files(item, [key]), None) for key in self._assets}
        cells = [
            item["id"],
            item["collection"],
            *(_cell(properties.get(name)) for name in _PROPERTIES),
            *(*box[:2], *box[len(box) // 2 :][:2]),
            *(url.url if url else "" for url in urls.values()),
        ]
        return _csv(cells)


def sequence_record(item: Mapping[str, Any]) -> bytes:
    """Return an item as one record of a GeoJSON text sequence (RFC 8142)."""
    return _RECORD_SEPARATOR + orjson.dumps(item) + b"\n"


def _contract_assets() -> tuple[str, ...]:
    """Keys of the data assets, those of all satellites and those on request."""
    keys = {
        spec.key: None
        for specs in (asset_specs, optional_specs)
        for satellite in COLLECTIONS
        for spec in specs(satellite)
    }
    return tuple(keys)


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _csv(cells: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
