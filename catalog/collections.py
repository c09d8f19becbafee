"""The STAC collections of the platform; their texts are data, their pixels are the contract."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import orjson

from catalog.item import STAC_VERSION, asset_entry, document_entry, extension
from catalog.product import (
    COLLECTIONS,
    GEOMETRY,
    RESOLUTION_M,
    TILE_PIXELS,
    asset_specs,
    optional_specs,
)
from catalog.renders import RENDERS

GRID_RULE = (
    f"Sentinel-2/MGRS tiles of {TILE_PIXELS} x {TILE_PIXELS} pixels at {RESOLUTION_M} m; the "
    "upper-left corner of a tile is that of the official Sentinel-2 tile. These corners are no "
    "multiples of 16 m: the lattices of neighbouring tiles differ by 4, 8 or 12 m, so a mosaic "
    "must resample."
)
_PROVIDER_HREF = "https://www.cnsageo.com/"
_EXTENSIONS = ("classification", "processing", "product", "raster", "render", "scientific")
_RELATED = (
    "Yang et al. (2020), Remote Sensing 12, 1037",
    "Zhong et al. (2020), Remote Sensing 12, 733",
    "Jiao et al. (2023), Remote Sensing 15, 906",
)
"""Papers of the product line that this one follows."""


def collections() -> list[dict[str, Any]]:
    """Return the collections, each covering the whole globe from the satellite's launch on.

    Their extents are narrowed to the items when these are loaded.
    """
    texts = orjson.loads(_data("collections.json"))
    return [_collection(satellite, name, texts[name]) for satellite, name in COLLECTIONS.items()]


def queryables(collection: str | None = None) -> dict[str, Any]:
    """Return the JSON schema of the properties that searches are made for.

    Parameters
    ----------
    collection
        Collection whose satellite and cameras alone are named; None names those of all.
    """
    document: dict[str, Any] = orjson.loads(_data("queryables.json"))
    texts = orjson.loads(_data("collections.json"))
    own = [text for name, text in texts.items() if collection in (None, name)]
    if own:
        named = document["properties"]
        named["platform"]["enum"] = [text["platform"] for text in own]
        named["instruments"]["items"]["enum"] = sorted(
            {instrument for text in own for instrument in text["instruments"]}
        )
    return document


def _data(name: str) -> bytes:
    return (files("catalog") / "data" / name).read_bytes()


def _collection(satellite: str, name: str, text: Mapping[str, Any]) -> dict[str, Any]:
    specs = (*asset_specs(satellite), *optional_specs(satellite))
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [extension(each) for each in _EXTENSIONS],
        "id": name,
        "title": text["title"],
        "description": text["description"],
        "keywords": [
            "Gaofen", "WFV", "surface reflectance", "analysis ready data", "16 m", "MGRS",
        ],
        "license": "other",
        "providers": _providers(),
        "extent": {
            "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
            "temporal": {"interval": [[text["start"], None]]},
        },
        "summaries": {
            "platform": [text["platform"]],
            "instruments": text["instruments"],
            "constellation": ["gaofen"],
            "gsd": [RESOLUTION_M],
            "processing:level": ["L2"],
            "product:type": ["SR"],
            "product:quality_status": ["nominal", "degraded"],
        },
        "item_assets": {
            **{spec.key: asset_entry(spec, {}, {}) for spec in specs},
            "thumbnail": {"title": "Thumbnail in true colour", "roles": ["thumbnail"]},
            GEOMETRY.key: document_entry(GEOMETRY),
        },
        "renders": {render.name: render.as_stac() for render in RENDERS},
        "sci:citation": text["citation"],
        "sci:publications": [{"citation": citation} for citation in _RELATED],
        "gfard:grid_rule": GRID_RULE,
        "gfard:name_clock": "The time stamp inside item ids is Beijing time (UTC+8); every time "
        "in the metadata is UTC.",
        "links": [
            {
                "rel": "license",
                "href": _PROVIDER_HREF,
                "type": "text/html",
                "title": "Provider of the L1A data, whose terms of use apply",
            }
        ],
    }  # fmt: skip


def _providers() -> list[dict[str, Any]]:
    return [
        {
            "name": "China Centre for Resources Satellite Data and Application (CRESDA)",
            "description": "Receives, calibrates and distributes the L1A data.",
            "roles": ["licensor", "producer"],
            "url": _PROVIDER_HREF,
        },
        {
            "name": "Operator of this catalogue",
            "description": "Makes the analysis ready products with gfard and serves them.",
            "roles": ["processor", "host"],
            "processing:level": "L2",
        },
    ]
