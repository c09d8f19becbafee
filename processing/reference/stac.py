"""References from a STAC API: the clearest images of the season, band by common name.

Items may follow STAC 1.0 (``eo:bands``) or 1.1 (``bands``); Sentinel-2 L2A catalogues are what
this is made for. Images processed since August 2021 lie on Sentinel-2's global reference image
(12 m, since then 6 m absolute), so years after that are asked first.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any, Final
from urllib.parse import urljoin

import httpx
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from catalog.errors import ReferenceImageError
from processing.rasters import Bounds
from processing.reference.fetch import Cache
from processing.reference.image import (
    BAND_ORDER,
    Piece,
    ReferenceImage,
    Screen,
    describe,
    season_days,
)

FIRST_YEAR: Final = 2022
"""First full year of Sentinel-2 images on the global reference image."""
_YEARS: Final = 3
_SEASON_DAYS: Final = (30, 75, 182)
"""Days on either side of the day of the year of the scene, asked one after the other."""
_CLOUD_PERCENT: Final = 30.0
_CLOUD_PER_DAY: Final = 0.3
"""Percent of cloud that weigh as much as one day of season."""
_ENOUGH: Final = 0.98
"""Share of the scene that images must cover before the search ends."""
_PART: Final = 0.5
"""Share that does without longer seasons: beyond a coast nothing is found in any."""
_WORTH: Final = 0.005
"""Least share of the scene that one more image must add."""
_MOST_PIECES: Final = 24
_PAGE: Final = 100
_MOST_PAGES: Final = 20
_TIMEOUT_S: Final = 60.0
_SCREENS: Final = ("scl", "SCL")
_HIDDEN_SCL: Final = (0, 1, 3, 8, 9, 10)
"""Sentinel-2 scene classes that are no ground: no data, defective, shadow, cloud, cirrus."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of an API: its address, a collection, place, time of the scene, and band."""

    api: str
    collection: str
    bounds: Bounds
    time: datetime
    band: str


@dataclass(frozen=True, slots=True)
class _Found:
    """An item that could serve: its outline, how far it is from ideal, and its assets."""

    name: str
    date: datetime
    outline: BaseGeometry
    badness: float
    href: str
    band: int
    screen: str | None


def search_stac(
    search: Search, cache: Cache, progress: Callable[[str], None] = lambda step: None
) -> ReferenceImage:
    """Find and fetch the images that cover a scene best; what is in the cache is not fetched.

    Parameters
    ----------
    search
        What is asked.
    cache
        Where answers and images are kept.
    progress
        Called with what is being done.

    Raises
    ------
    ReferenceImageError
        The API cannot be asked, has nothing that serves, or an image cannot be fetched.
    """
    source = f"{search.api}#{search.collection}"
    progress(f"asking {source}")
    for band in (search.band, *(other for other in BAND_ORDER if other != search.band)):
        chosen = _choose(search, band, cache)
        if chosen:
            break
    else:
        raise ReferenceImageError(
            f"{source}: no image with less than {_CLOUD_PERCENT:g} % of cloud around "
            f"{search.bounds}; give another reference"
        )
    pieces = []
    for number, found in enumerate(chosen, 1):
        progress(f"fetching reference {number} of {len(chosen)}")
        piece = _fetch(found, band, search.bounds, cache)
        if piece is not None:
            pieces.append(piece)
    if not pieces:
        raise ReferenceImageError(f"{source}: none of the images found reaches the scene")
    return ReferenceImage(source, band, tuple(pieces))


def _choose(search: Search, band: str, cache: Cache) -> list[_Found]:
    """Return images that together cover the scene, the best first."""
    west, south, east, north = search.bounds
    scene = box(west, south, east, north)
    found: list[_Found] = []
    chosen: list[_Found] = []
    covered = 0.0
    for days, interval in _intervals(search.time):
        if covered > (_ENOUGH if days == _SEASON_DAYS[0] else _PART):
            break
        key = (search.api, search.collection, [round(v, 2) for v in search.bounds], interval)
        items = cache.answer(key, partial(_items, search, interval))
        found += [f for item in items if (f := _candidate(item, band, search)) is not None]
        chosen = _cover(scene, sorted(found, key=lambda each: each.badness))
        ground = unary_union([each.outline for each in chosen])
        covered = ground.intersection(scene).area / scene.area
    return chosen


def _cover(scene: BaseGeometry, candidates: list[_Found]) -> list[_Found]:
    """Take images in their order as long as each adds ground that is not covered yet."""
    left, chosen = scene, []
    for candidate in candidates:
        if left.intersection(candidate.outline).area > _WORTH * scene.area:
            chosen.append(candidate)
            left = left.difference(candidate.outline)
        if len(chosen) == _MOST_PIECES or left.area < (1 - _ENOUGH) * scene.area:
            break
    return chosen


def _intervals(time: datetime) -> Iterator[tuple[int, str]]:
    """Yield the season of a scene, and its days, in the years nearest to it.

    Those on the global reference come first, the scene's own year and its neighbours next; then
    all of them with a longer season.
    """
    time, today = time.astimezone(UTC), datetime.now(UTC)
    near = sorted(range(FIRST_YEAR, today.year + 1), key=lambda year: abs(year - time.year))
    years = dict.fromkeys([*near[:_YEARS], time.year, time.year - 1, time.year + 1])
    for days, year in product(_SEASON_DAYS, years):
        middle = time.replace(year=year, day=min(time.day, 28))
        first, last = (middle + timedelta(days=way * days) for way in (-1, 1))
        if first < today:
            # Up to today: an answer that is kept must not lack what is taken later.
            yield days, f"{first:%Y-%m-%dT00:00:00Z}/{min(last, today):%Y-%m-%dT23:59:59Z}"


def _items(search: Search, interval: str) -> list[dict[str, Any]]:
    """Return what an API answers on all its pages, cut to what is used of it."""
    west, south, east, north = search.bounds
    west = west + 360.0 if west < -180.0 else west
    east = east - 360.0 if east > 180.0 else east
    address = f"{search.api.rstrip('/')}/search"
    query: dict[str, str] | None = {
        "collections": search.collection,
        "bbox": ",".join(f"{value:.5f}" for value in (west, south, east, north)),
        "datetime": interval,
        "limit": str(_PAGE),
    }
    items: list[dict[str, Any]] = []
    with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True) as client:
        for _ in range(_MOST_PAGES):
            page = _get(client, address, query)
            items += [_trimmed(item, address) for item in page.get("features", ())]
            links = [link for link in page.get("links", ()) if link.get("rel") == "next"]
            if not links:
                break
            address, query = urljoin(address, links[0]["href"]), None
    return items


def _get(client: httpx.Client, address: str, query: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        response = client.get(address, params=query)
        response.raise_for_status()
        page = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise ReferenceImageError(
            f"{address}: the STAC API cannot be asked: {error}; check the address (ADDRESS#"
            "COLLECTION) or give another reference"
        ) from error
    if not isinstance(page, dict):
        raise ReferenceImageError(f"{address}: the answer is no feature collection of a STAC API")
    return page


def _trimmed(item: Mapping[str, Any], base: str) -> dict[str, Any]:
    """Return what is used of an item, with absolute addresses."""
    itself = next((link["href"] for link in item.get("links", ()) if link.get("rel") == "self"), "")
    place = urljoin(base, itself)
    properties = item.get("properties", {})
    return {
        "id": item.get("id", ""),
        "geometry": item.get("geometry"),
        "datetime": properties.get("datetime") or properties.get("start_datetime"),
        "cloud": properties.get("eo:cloud_cover"),
        "assets": {
            key: {
                "href": urljoin(place, asset.get("href", "")),
                "type": asset.get("type", ""),
                "bands": _band_names(asset),
            }
            for key, asset in item.get("assets", {}).items()
        },
    }


def _band_names(asset: Mapping[str, Any]) -> list[str]:
    """Return the common names of an asset's bands, "" where one has none (STAC 1.1 and 1.0)."""
    bands = asset.get("bands") or asset.get("eo:bands") or ()
    return [band.get("eo:common_name") or band.get("common_name") or "" for band in bands]


def _candidate(item: Mapping[str, Any], band: str, search: Search) -> _Found | None:
    """Judge an item; None where it cannot serve."""
    asset = _asset_with(item["assets"], band)
    cloud = 0.0 if item["cloud"] is None else float(item["cloud"])
    if asset is None or item["geometry"] is None or cloud > _CLOUD_PERCENT:
        return None
    try:
        outline = _beside(shape(item["geometry"]), (search.bounds[0] + search.bounds[2]) / 2)
        date = datetime.fromisoformat(item["datetime"])
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError):
        return None
    screen = next((item["assets"][key]["href"] for key in _SCREENS if key in item["assets"]), None)
    return _Found(
        item["id"],
        date,
        outline,
        cloud + _CLOUD_PER_DAY * season_days(date, search.time),
        asset["href"],
        asset["bands"].index(band) + 1,
        screen,
    )


def _beside(outline: BaseGeometry, longitude: float) -> BaseGeometry:
    """Return an outline with its parts in the turn around a longitude, as RFC 7946 cuts them."""
    parts = getattr(outline, "geoms", (outline,))
    turns = (360.0 * round((longitude - part.centroid.x) / 360.0) for part in parts)
    moved = (translate(part, turn) for part, turn in zip(parts, turns, strict=True))
    return unary_union(list(moved))


def _asset_with(assets: Mapping[str, Mapping[str, Any]], band: str) -> Mapping[str, Any] | None:
    """Return the image that holds a band; TIFF goes before JPEG 2000, few bands before many."""
    holding = [asset for asset in assets.values() if band in asset["bands"]]
    images = [asset for asset in holding if asset["type"].startswith("image/") or not asset["type"]]
    return min(images, key=lambda a: ("tiff" not in a["type"], len(a["bands"])), default=None)


def _fetch(found: _Found, band: str, bounds: Bounds, cache: Cache) -> Piece | None:
    """Bring the part of an image around the scene, and its classes, onto this disk."""
    path = cache.image(found.href, found.band, bounds)
    if path is None:
        return None
    screen = None
    if found.screen is not None:
        classes = cache.image(found.screen, 1, bounds, classes=True)
        screen = None if classes is None else Screen(classes, _HIDDEN_SCL)
    return describe(path, band, found.name, date=found.date, screen=screen)
