"""STAC 1.1 documents as STAC 1.0 wrote them, for clients that know nothing newer.

Version 1.1 brought ``bands`` with data type, fill and scale into the core; before, each extension
had a list of its own (``eo:bands``, ``raster:bands``) and the projection was a number. Nothing is
lost on the way. Bands of surface reflectance are also offered one by one, as clients of that time
can take no raster with several.
"""

from collections.abc import Mapping
from typing import Any

STAC_VERSION = "1.0.0"
BAND_ASSET = "SR"
"""Asset whose bands are also offered one by one."""
VRT_MEDIA_TYPE = "application/vnd.gdal.vrt+xml"
Document = dict[str, Any]

_EXTENSIONS = {
    "eo": "v1.1.0",
    "grid": "v1.0.0",
    "projection": "v1.0.0",
    "raster": "v1.1.0",
    "sat": "v1.0.0",
    "view": "v1.0.0",
    "web-map-links": "v1.1.0",
}
"""Versions of that time; the others did not change what they mean."""
_ITEM_ASSETS = "https://stac-extensions.github.io/item-assets/v1.0.0/schema.json"
_BAND_FIELDS = {
    "data_type": "data_type",
    "nodata": "nodata",
    "unit": "unit",
    "raster:scale": "scale",
    "raster:offset": "offset",
    "raster:spatial_resolution": "spatial_resolution",
    "raster:sampling": "sampling",
}
"""Fields of an asset, and their names in an entry of ``raster:bands``."""


def item_1_0(item: Mapping[str, Any], bands_href: str) -> Document:
    """Return an item in the words of STAC 1.0, with a further asset for each band.

    Parameters
    ----------
    bands_href
        Folder of the virtual rasters of its bands, ``{bands_href}/{band}.vrt``.
    """
    assets = {key: _asset(asset) for key, asset in item["assets"].items()}
    singles = _single_bands(item["assets"].get(BAND_ASSET, {}), bands_href)
    return {
        **item,
        "stac_version": STAC_VERSION,
        "stac_extensions": [_extension(url) for url in item["stac_extensions"]],
        "properties": _projected(item["properties"]),
        "assets": assets | singles,
    }


def collection_1_0(collection: Mapping[str, Any]) -> Document:
    """Return a collection in the words of STAC 1.0."""
    extensions = [_extension(url) for url in collection["stac_extensions"]]
    return {
        **collection,
        "stac_version": STAC_VERSION,
        "stac_extensions": [*extensions, _ITEM_ASSETS],
        "license": "proprietary" if collection["license"] == "other" else collection["license"],
        "item_assets": {
            key: _asset(asset) for key, asset in collection.get("item_assets", {}).items()
        },
    }


def catalog_1_0(catalog: Mapping[str, Any]) -> Document:
    """Return a catalogue in the words of STAC 1.0."""
    return {**catalog, "stac_version": STAC_VERSION}


def _extension(url: str) -> str:
    start, name, _, end = url.rsplit("/", 3)
    return "/".join((start, name, _EXTENSIONS[name], end)) if name in _EXTENSIONS else url


def _asset(asset: Mapping[str, Any]) -> Document:
    bands = asset.get("bands", [])
    shared = {
        name: asset[field] for field, name in _BAND_FIELDS.items() if asset.get(field) is not None
    }
    kept = {
        name: value for name, value in asset.items() if name != "bands" and name not in _BAND_FIELDS
    }
    lists = {"eo:bands": [_eo_band(band) for band in bands], "raster:bands": [shared] * len(bands)}
    return _projected(kept) | (lists if bands else {})


def _eo_band(band: Mapping[str, Any]) -> Document:
    """Write a band of STAC 1.1 as an entry of ``eo:bands``, which knew one red edge."""
    entry = {name.removeprefix("eo:"): value for name, value in band.items()}
    if entry.get("common_name", "").startswith("rededge"):
        entry["common_name"] = "rededge"
    return entry


def _projected(fields: Mapping[str, Any]) -> Document:
    """Write the projection as the number of an EPSG code."""
    code = fields.get("proj:code")
    others = {name: value for name, value in fields.items() if name != "proj:code"}
    return others if code is None else others | {"proj:epsg": int(code.removeprefix("EPSG:"))}


def _single_bands(asset: Mapping[str, Any], bands_href: str) -> dict[str, Document]:
    """Return an asset for each band, ``SR_red``.

    Under a bare ``red``, or with ``eo:bands``, it would hide the band of that name from clients
    that look into ``SR``.
    """
    own = {key: value for key, value in asset.items() if not key.startswith("file:")}
    singles = {}
    for band in asset.get("bands", []):
        single = _asset({**own, "bands": [band]})
        del single["eo:bands"]
        singles[f"{BAND_ASSET}_{band['name']}"] = {
            **single,
            "href": f"{bands_href}/{band['name']}.vrt",
            "type": VRT_MEDIA_TYPE,
            "title": f"{asset['title']}, {band['name']}",
        }
    return singles
