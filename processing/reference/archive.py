"""References from the platform's own archive: clear products whose accuracy was measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from catalog.errors import ReferenceImageError
from catalog.grid import Tile
from catalog.product import MaskClass
from catalog.store import Store, StoredItem
from catalog.versions import current
from processing.rasters import Bounds
from processing.reference.image import (
    Piece,
    ReferenceImage,
    Screen,
    first_known,
    season_days,
)

ARCHIVE: Final = "archive"
_CLOUD_PERCENT: Final = 30.0
_PERCENT_PER_DAY: Final = 0.3
"""Percent of cloud or missing ground that weigh as much as one day of season."""
_PER_TILE: Final = 3
_HIDDEN: Final = (int(MaskClass.FILL), int(MaskClass.CLOUD), int(MaskClass.CLOUD_SHADOW))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A product that could serve, and how far it is from ideal."""

    piece: Piece
    badness: float


def open_archive(
    store: Store, tiles: list[Tile], time: datetime, band: str, bounds: Bounds
) -> ReferenceImage:
    """Choose products of the tiles that a scene touches.

    Only products of nominal quality serve, so their geometry was measured against a reference
    that came from outside; products of the scene itself never do. Of each tile the three best by
    cloud, coverage and season are taken.

    Parameters
    ----------
    store
        The archive.
    tiles
        Tiles that the scene touches.
    time
        When the scene was taken; aware.
    band
        Common name of the band wanted.
    bounds
        West, south, east, north of the scene, degrees.

    Raises
    ------
    ReferenceImageError
        The archive has no product that serves.
    """
    pieces: list[Piece] = []
    for tile in tiles:
        found = [each for each in _candidates(store, tile, time, band) if each.piece.meets(bounds)]
        pieces += [each.piece for each in sorted(found, key=lambda each: each.badness)[:_PER_TILE]]
    if not pieces:
        names = ", ".join(tile.name for tile in tiles)
        raise ReferenceImageError(
            f"store {store.label}: no clear product of nominal quality on {names} meets the scene; "
            "give a reference from outside first"
        )
    return ReferenceImage(ARCHIVE, band, tuple(pieces))


def _candidates(store: Store, tile: Tile, time: datetime, band: str) -> Iterator[_Candidate]:
    """Yield the products of a tile that could serve."""
    for stored in current(store.items_on(tile.name)):
        properties = stored.item["properties"]
        cloud = properties["eo:cloud_cover"] + properties["gfard:cloud_shadow_cover"]
        nominal = properties["product:quality_status"] == "nominal"
        if nominal and cloud <= _CLOUD_PERCENT and not stored.taken_at(time):
            missing = 100.0 - properties["gfard:valid_percent"]
            season = _PERCENT_PER_DAY * season_days(stored.id.time, time)
            yield _Candidate(_piece(store, stored, band), cloud + missing + season)


def _piece(store: Store, stored: StoredItem, band: str) -> Piece:
    """Return the band of a product, with its mask as screen."""
    assets: Mapping[str, Any] = stored.item["assets"]
    names = [each.get("eo:common_name", "") for each in assets["SR"]["bands"]]
    chosen = first_known(names, band)
    if chosen is None:
        raise ReferenceImageError(f"{stored.id}: none of its bands {names} can be matched")
    west, south, east, north = stored.item["bbox"]

    def file(key: str) -> str:
        """Return the path of an asset as GDAL reads it."""
        return store.raster_path(f"{stored.relative}/{assets[key]['href'].removeprefix('./')}")

    return Piece(
        file("SR"),
        names.index(chosen) + 1,
        (west, south, east if east >= west else east + 360.0, north),
        str(stored.id),
        stored.id.time,
        Screen(file("mask"), _HIDDEN),
    )
