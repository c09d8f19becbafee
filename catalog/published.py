"""An item as the catalogue holds it: what the store's own document cannot know.

Addresses are absolute, links lead to the tiler and to other versions, and texts make it found.
The document depends on nothing but the store's and the public address, so publishing it again
changes nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from catalog.ceosard.assess import specification_version
from catalog.item import extension
from catalog.method import method_links
from catalog.product import ItemId
from catalog.renders import DEFAULT_RENDER
from catalog.store import Place, StoredItem
from catalog.versions import Version

_GEOJSON = "application/geo+json"
ASSESSMENT_FILES = {
    "ceos-ard": ("ceos-ard.json", "application/json"),
    "ceos-ard-page": ("ceos-ard.html", "text/html"),
}
"""Name and media type of the reports that lie beside a collection's items, by asset."""
_BUCKET = "bucket"
"""Name of the bucket among an item's ``storage:schemes``."""
Link = dict[str, Any]


def published_item(stored: StoredItem, public_url: str) -> dict[str, Any]:
    """Return a current item that has no other versions; see ``published_version``."""
    return published_version(Version(stored, None, None, stored.id), public_url)


def published_version(version: Version, public_url: str) -> dict[str, Any]:
    """Return an item as the catalogue holds it.

    Parameters
    ----------
    version
        The stored item among its versions; one with a successor becomes deprecated.
    public_url
        Address under which visitors reach the platform; files, tiles and API are below it.
    """
    stored = version.stored
    base = public_url.rstrip("/")
    folder = f"{base}/data/{stored.relative}"
    item = dict(stored.item)
    item["properties"] = {
        **stored.item["properties"],
        **_texts(stored),
        "deprecated": not version.is_current,
    }
    item["assets"] = {
        key: {**asset, "href": f"{folder}/{asset['href'].removeprefix('./')}"}
        for key, asset in stored.item["assets"].items()
    }
    item["links"] = [
        *(link for link in stored.item["links"] if link["rel"] != "collection"),
        *method_links(base),
        *_picture_links(f"{base}/tiles/collections/{stored.collection}/items/{stored.id}"),
        *_version_links(version, f"{base}/stac/collections/{stored.collection}/items"),
    ]
    item["stac_extensions"] = sorted({*stored.item["stac_extensions"], extension("web-map-links")})
    return item if stored.place is None else _with_place(item, stored.item["assets"], stored.place)


def _with_place(item: Mapping[str, Any], assets: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Add where each file lies in a bucket, for those who have keys to it."""
    named = {"storage", "alternate-assets"}
    return {
        **item,
        "stac_extensions": sorted({*item["stac_extensions"], *map(extension, named)}),
        "properties": {**item["properties"], "storage:schemes": {_BUCKET: dict(place.scheme)}},
        "assets": {
            key: {
                **asset,
                "alternate": {
                    "s3": {
                        "href": f"{place.address}/{assets[key]['href'].removeprefix('./')}",
                        "alternate:name": "S3",
                        "storage:refs": [_BUCKET],
                    }
                },
            }
            for key, asset in item["assets"].items()
        },
    }


def published_collection(
    collection: Mapping[str, Any], public_url: str, *, assessed: bool = False
) -> dict[str, Any]:
    """Return a collection as the catalogue holds it.

    Parameters
    ----------
    collection
        One of ``catalog.collections.collections()``.
    public_url
        Address under which visitors reach the platform.
    assessed
        Whether the store holds its self-assessment against CEOS-ARD.
    """
    base = public_url.rstrip("/")
    page = f"{base}/#/datasets/{collection['id']}"
    citation = {"rel": "cite-as", "href": page, "type": "text/html", "title": "Landing page"}
    document = {**collection, "links": [*collection["links"], citation, *method_links(base)]}
    if assessed:
        document["assets"] = {
            name: {
                "href": f"{base}/data/{collection['id']}/{file}",
                "type": media_type,
                "title": f"Self-assessment against CEOS-ARD SR {specification_version()}",
                "roles": ["metadata"],
            }
            for name, (file, media_type) in ASSESSMENT_FILES.items()
        }
    return document


def _texts(stored: StoredItem) -> dict[str, Any]:
    """Title, description and keywords, which free-text searches look at."""
    properties = stored.item["properties"]
    camera, tile = stored.id.camera, stored.id.tile
    satellite = {"GF1": "Gaofen-1", "GF6": "Gaofen-6"}[stored.id.satellite]
    day = properties["datetime"][:10]
    return {
        "title": f"{satellite} {camera[3:]} {tile} {day}",
        "description": f"Surface reflectance of MGRS tile {tile} on {day}, 16 m, from "
        f"{satellite} {camera[3:]}; product quality {properties['product:quality_status']}, "
        f"processing version {stored.id.version}.",
        "keywords": [satellite, camera, camera[3:], tile, day[:4], "surface reflectance", "ARD"],
    }


def _picture_links(tiles: str) -> Iterator[Link]:
    query, title = DEFAULT_RENDER.query(), DEFAULT_RENDER.title
    map_tiles = f"{tiles}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.webp?{query}"
    tilejson = f"{tiles}/WebMercatorQuad/tilejson.json?{query}"
    yield {"rel": "tilejson", "href": tilejson, "type": "application/json", "title": title}
    yield {"rel": "xyz", "href": map_tiles, "type": "image/webp", "title": title}
    preview = f"{tiles}/preview.webp?{query}"
    yield {"rel": "preview", "href": preview, "type": "image/webp", "title": title}


def _version_links(version: Version, items: str) -> Iterator[Link]:
    """Links of the version extension: to the neighbours and, if deprecated, to the latest."""
    named: list[tuple[str, ItemId | None]] = [
        ("predecessor-version", version.predecessor),
        ("successor-version", version.successor),
        ("latest-version", None if version.is_current else version.latest),
    ]
    for rel, other in named:
        if other is not None:
            title = f"Processing version {other.version}"
            yield {"rel": rel, "href": f"{items}/{other}", "type": _GEOJSON, "title": title}
