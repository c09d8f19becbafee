"""Where products lie: complete items appear in the store at once, or not at all.

An item lives in ``<collection>/<zone>/<band>/<square>/<year>/<item id>/`` below the root; all of
it follows from the id, the year being that of the time stamp inside the name (Beijing time).
Its presence as ``<item id>.json`` means complete: a draft is built in a hidden folder, the item
JSON is written last, and the product is published by the step that cannot be half done (one
rename in a folder; in a bucket, putting that JSON after everything it names).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import orjson

from catalog.errors import StoreError, UnreadableItemError
from catalog.product import ItemId

SCENES = ".scenes"
"""Hidden folder of the records of scenes."""
HIDDEN = "gfard:hidden"
"""Field of a hidden item's JSON: why it was hidden."""
LEVELS = tuple(
    re.compile(pattern)
    for pattern in (r"[a-z0-9][a-z0-9-]*", r"\d\d", r"[C-X]", r"[A-Z]{2}", r"\d{4}", r"\w[\w.]*")
)
"""Collection, zone, band, square, year, item id: what the folders of an item look like."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in a bucket: its ``s3://`` address, and the bucket as STAC's storage extension."""

    address: str
    scheme: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """A complete item: its id, its folder relative to the root, and its STAC JSON.

    ``place`` says where that folder lies for those who read the store itself.
    """

    id: ItemId
    relative: str
    item: Mapping[str, Any]
    place: Place | None = None

    @property
    def collection(self) -> str:
        """Collection that the item belongs to."""
        return self.id.collection

    def taken_at(self, time: datetime) -> bool:
        """Tell whether the item is of the scene of an aware time; ids hold whole seconds."""
        return abs((self.id.time - time).total_seconds()) < 1.0


Unreadable = Callable[[StoredItem, UnreadableItemError], None]
"""Told of items whose JSON is none, which are then passed over; they are given without content."""


class Draft(Protocol):
    """An item in the making; what is not committed when its block ends is removed."""

    @property
    def folder(self) -> Path:
        """Local folder for the files of the item, not visible to readers."""

    def commit(self, item: Mapping[str, Any]) -> None:
        """Publish the files together with ``item``, replacing an older product of that id."""


class Store(Protocol):
    """What production and publishing need of a place for products."""

    @property
    def label(self) -> str:
        """Name of the store for messages."""

    def draft(self, item_id: ItemId) -> AbstractContextManager[Draft]:
        """Open a hidden place for a new product."""

    def items(self, unreadable: Unreadable | None = None) -> Iterator[StoredItem]:
        """Yield every complete item in the order of its folders."""

    def items_on(self, tile: str) -> Iterator[StoredItem]:
        """Yield every complete item of one tile, such as ``31TCL``."""

    def get(self, item_id: ItemId) -> StoredItem | None:
        """Return a complete item, or None."""

    def raster_path(self, relative: str) -> str:
        """Return what rasterio opens for a published file."""

    def exists(self, relative: str) -> bool:
        """Tell whether there is a published file of that name."""

    def local_copy(self, item: StoredItem) -> AbstractContextManager[Path]:
        """Have the item and its files in a local folder for a while."""

    def put_collection(self, collection: Mapping[str, Any]) -> None:
        """Write ``<collection id>/collection.json``, which the items link to."""

    def put_report(self, collection: str, name: str, content: bytes) -> None:
        """Keep a report about a collection beside its ``collection.json``."""

    def quarantine(self, item: StoredItem, reason: str) -> None:
        """Hide an item from all readers; its other files stay, for a look at what is wrong."""

    def why_hidden(self, item_id: ItemId) -> str | None:
        """Return the reason for which an item was hidden; None where none was."""

    def put_scene(self, name: str, record: Mapping[str, Any]) -> None:
        """Keep what became of a scene, products or not, replacing an older record."""

    def scenes(self) -> Iterator[Mapping[str, Any]]:
        """Yield what became of the scenes that were worked on, in the order of their names."""


def parse_item(content: bytes, item_id: ItemId, place: object) -> Mapping[str, Any]:
    """Return an item out of its JSON.

    Raises
    ------
    UnreadableItemError
        It is no JSON, or lacks what every item has.
    """
    try:
        item = orjson.loads(content)
        if item["id"] != str(item_id) or not (item["assets"] and item["properties"]):
            raise ValueError(f"it is of {item['id']}, or empty")
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableItemError(
            f"{place}: not readable as a STAC item: {error!r}; `gfard check --repair` hides it"
        ) from error
    found: Mapping[str, Any] = item
    return found


def relative_folder(item_id: ItemId) -> str:
    """Return the folder of an item below the root of any store, with ``/`` between its parts."""
    name = str(item_id)
    year = name.split(".")[2][:4]
    tile = item_id.tile
    return f"{item_id.collection}/{tile[:2]}/{tile[2]}/{tile[3:]}/{year}/{name}"


def published_parts(relative: str) -> tuple[str, ...]:
    """Return the parts of a published file's name below the root of any store.

    Raises
    ------
    StoreError
        The name leads elsewhere or into a hidden place.
    """
    parts = PurePosixPath(relative).parts
    if not relative.isprintable() or any(part.startswith((".", "/")) for part in parts):
        raise StoreError(f"{relative!r} is not the name of a published file")
    return parts


def scene_key(name: str) -> str:
    """Return where the record of a scene lies below the root of any store.

    Records lie in a hidden folder: they are for whoever runs the production, no products.

    Raises
    ------
    StoreError
        ``name`` is no file name.
    """
    if PurePosixPath(name).name != name or name.startswith("."):
        raise StoreError(f"{name!r} cannot name a scene's record; a file name wanted")
    return f"{SCENES}/{name}.json"


def hidden_name(item_id: ItemId) -> str:
    """Return the name under which the JSON of a hidden item lies in its folder."""
    return f".{item_id}.json"


def hidden_document(item: StoredItem, reason: str) -> bytes:
    """Return the JSON of an item with the reason for which it is hidden."""
    return orjson.dumps({**item.item, HIDDEN: reason}, option=orjson.OPT_INDENT_2)
