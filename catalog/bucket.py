"""A store in an S3-compatible bucket.

A bucket has no rename, so the item JSON is the commit: it is put last, in one request that happens
or does not, and names files that were put before it under the name of their run,
``<item folder>/<run>/<file>``. A product that replaces another is never mixed with it, and a killed
run leaves only files that nothing names; they are swept away by a later commit of the same item.
The files of the version before stay until then, for those who still hold its addresses.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import islice
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import obstore
import orjson
from obstore.exceptions import BaseError
from obstore.store import S3Store

from catalog.bucket_draft import BucketDraft
from catalog.drafts import local_draft
from catalog.errors import ProductError, StoreError, UnreadableItemError
from catalog.product import COLLECTIONS, ItemId
from catalog.s3 import connect, scheme, teach_gdal
from catalog.settings import BucketSettings
from catalog.store import (
    HIDDEN,
    LEVELS,
    SCENES,
    Place,
    StoredItem,
    Unreadable,
    hidden_document,
    hidden_name,
    parse_item,
    published_parts,
    relative_folder,
    scene_key,
)

SCHEME = "s3://"
_READERS = 16
"""Items read at a time while the store is gone through."""
_LEFTOVER_AGE = timedelta(days=1)
"""Files of runs that were not committed are taken for leftovers after this time."""
_JSON = "application/json"


class BucketStore:
    """A store in an S3-compatible bucket, below a prefix.

    Parameters
    ----------
    address
        ``s3://bucket/prefix``; the prefix may be empty.
    settings
        How buckets are reached; from the environment when absent.

    Raises
    ------
    StoreError
        The address names no bucket.
    """

    def __init__(self, address: str, settings: BucketSettings | None = None) -> None:
        parts = urlsplit(address)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise StoreError(f"{address}: wanted s3://bucket or s3://bucket/prefix")
        self.bucket = parts.netloc
        self.prefix = parts.path.strip("/")
        self.settings = settings or BucketSettings()
        self._confirm = lru_cache(maxsize=4096)(self._head)  # a file of a run never changes

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as the address and the settings."""
        return BucketStore, (self.label, self.settings)

    @property
    def label(self) -> str:
        """Address of the store."""
        return "/".join(filter(None, (f"{SCHEME}{self.bucket}", self.prefix)))

    @cached_property
    def objects(self) -> S3Store:
        """The bucket's objects below the prefix."""
        return connect(self.bucket, self.prefix, self.settings)

    @contextmanager
    def draft(self, item_id: ItemId) -> Iterator[BucketDraft]:
        """Open a local folder for a new product; nothing is in the bucket before the commit.

        Raises
        ------
        StoreError
            There is no room on the local disk.
        """
        scratch = Path(tempfile.gettempdir()) / f"gfard-{os.getuid()}"
        with local_draft(scratch, str(item_id)) as folder:
            yield BucketDraft(self, folder, item_id)

    def items(self, unreadable: Unreadable | None = None) -> Iterator[StoredItem]:
        """Yield every complete item in the order of its keys.

        Raises
        ------
        StoreError
            The bucket cannot be read; or, where nobody is to be told, what is no item.
        """
        yield from self._complete_items("", unreadable)

    def items_on(self, tile: str) -> Iterator[StoredItem]:
        """Yield every complete item of one tile, the collections one after the other.

        Raises
        ------
        StoreError
            The bucket cannot be read, or the JSON of an item is none.
        """
        for collection in COLLECTIONS.values():
            yield from self._complete_items(f"{collection}/{tile[:2]}/{tile[2]}/{tile[3:]}/")

    def get(self, item_id: ItemId) -> StoredItem | None:
        """Return a complete item, or None.

        Raises
        ------
        StoreError
            The bucket cannot be read, or the item's JSON is none.
        """
        relative = relative_folder(item_id)
        content = self._read(key := f"{relative}/{item_id}.json")
        if content is None:
            return None
        place = Place(f"{self.label}/{relative}", scheme(self.bucket, self.settings))
        item = parse_item(content, item_id, f"{self.label}/{key}")
        return StoredItem(item_id, relative, item, place)

    def raster_path(self, relative: str) -> str:
        """Return GDAL's name of a published file, which GDAL then knows how to reach.

        Raises
        ------
        StoreError
            The name leads elsewhere or into a hidden place.
        """
        key = "/".join(filter(None, (self.prefix, *published_parts(relative))))
        teach_gdal(self.settings)
        return f"/vsis3/{self.bucket}/{key}"

    def exists(self, relative: str) -> bool:
        """Tell whether there is a published file of that name; errors as of `get`."""
        try:
            self._confirm("/".join(published_parts(relative)))
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def local_copy(self, item: StoredItem) -> Iterator[Path]:
        """Bring the item and its files into a local folder, as they lie in a folder's store.

        A file that the item names but the bucket lacks is left out.

        Raises
        ------
        StoreError
            The bucket cannot be read.
        """
        assets = {}
        with tempfile.TemporaryDirectory(prefix="gfard-copy-") as name:
            folder = Path(name)
            for key, asset in item.item["assets"].items():
                source = asset["href"].removeprefix("./")
                target = folder / PurePosixPath(source).name
                assets[key] = {**asset, "href": f"./{target.name}"}
                self._fetch(f"{item.relative}/{source}", target)
            document = orjson.dumps({**item.item, "assets": assets})
            (folder / f"{item.id}.json").write_bytes(document)
            yield folder

    def put_collection(self, collection: Mapping[str, Any]) -> None:
        """Write ``<collection id>/collection.json``, which the items link to.

        Raises
        ------
        StoreError
            The bucket cannot be written.
        """
        content = orjson.dumps(collection, option=orjson.OPT_INDENT_2)
        self.put(f"{collection['id']}/collection.json", content, _JSON)

    def put_report(self, collection: str, name: str, content: bytes) -> None:
        """Keep a report about a collection; errors as of `put_collection`."""
        self.put(f"{collection}/{name}", content, guess_type(name)[0] or _JSON)

    def quarantine(self, item: StoredItem, reason: str) -> None:
        """Hide an item from all readers: its JSON, with the reason; its other objects stay.

        Raises
        ------
        StoreError
            The bucket cannot be written.
        """
        hidden, shown = f"{item.relative}/{hidden_name(item.id)}", f"{item.relative}/{item.id}.json"
        self.put(hidden, hidden_document(item, reason), _JSON)
        with self._refusals(shown):
            obstore.delete(self.objects, shown)

    def why_hidden(self, item_id: ItemId) -> str | None:
        """Return the reason for which an item was hidden; None where none was.

        Raises
        ------
        StoreError
            The bucket or what was hidden cannot be read.
        """
        document = self._read_json(f"{relative_folder(item_id)}/{hidden_name(item_id)}")
        return None if document is None else str(document.get(HIDDEN))

    def put_scene(self, name: str, record: Mapping[str, Any]) -> None:
        """Keep what became of a scene, products or not, replacing an older record.

        Raises
        ------
        StoreError
            The bucket cannot be written, or ``name`` is no file name.
        """
        self.put(scene_key(name), orjson.dumps(record), _JSON)

    def scenes(self) -> Iterator[Mapping[str, Any]]:
        """Yield what became of the scenes that were worked on, in the order of their names.

        Raises
        ------
        StoreError
            The bucket or a record cannot be read.
        """
        for key, _ in self._keys(f"{SCENES}/"):
            record = self._read_json(key)
            if record is not None:
                yield record

    def put(self, key: str, content: Path | bytes, media_type: str) -> None:
        """Put one object, large ones in parts; it is there whole or not at all.

        Raises
        ------
        StoreError
            The bucket refuses.
        """
        with self._refusals(key):
            try:
                obstore.put(self.objects, key, content, attributes={"Content-Type": media_type})
            except FileNotFoundError as error:
                raise StoreError(f"{self.label}: there is no such bucket") from error

    def sweep(self, relative: str, kept: Sequence[str]) -> None:
        """Remove what runs left in an item's folder, but for those ``kept`` and young ones.

        An item that was hidden before goes too: its successor has been put.

        Raises
        ------
        StoreError
            The bucket refuses.
        """
        limit = datetime.now(UTC) - _LEFTOVER_AGE
        folders = tuple(f"{relative}/{run}/" for run in kept)
        old = [
            key
            for key, modified in self._keys(f"{relative}/")
            if key.startswith(f"{relative}/.")
            or (
                key.count("/") > relative.count("/") + 1
                and not key.startswith(folders)
                and modified < limit
            )
        ]
        if old:
            with self._refusals(relative):
                obstore.delete(self.objects, old)

    def _fetch(self, key: str, target: Path) -> None:
        with self._refusals(key), suppress(FileNotFoundError):
            found = obstore.get(self.objects, key)
            with target.open("wb") as file:
                for piece in found:
                    file.write(piece)

    def _head(self, key: str) -> None:
        with self._refusals(key):
            obstore.head(self.objects, key)

    def _complete_items(
        self, below: str, unreadable: Unreadable | None = None
    ) -> Iterator[StoredItem]:
        """Yield the items whose JSON lies below a prefix."""

        def read(item_id: ItemId) -> StoredItem | None:
            """Read an item; one that is none is passed over where somebody is to be told."""
            try:
                return self.get(item_id)
            except UnreadableItemError as error:
                if unreadable is None:
                    raise
                unreadable(StoredItem(item_id, relative_folder(item_id), {}), error)
                return None

        found = (item_id for key, _ in self._keys(below) if (item_id := _item_id(key)))
        with ThreadPoolExecutor(_READERS) as pool:
            while some := list(islice(found, 4 * _READERS)):
                yield from filter(None, pool.map(read, some))

    def _keys(self, below: str) -> Iterator[tuple[str, datetime]]:
        """Yield the keys below a prefix with the time of their last change."""
        with self._refusals(below):
            for some in obstore.list(self.objects, prefix=below or None):
                for found in some:
                    yield found["path"], found["last_modified"]

    def _read(self, key: str) -> bytes | None:
        with self._refusals(key):
            try:
                return bytes(obstore.get(self.objects, key).bytes())
            except FileNotFoundError:
                return None

    def _read_json(self, key: str) -> Mapping[str, Any] | None:
        content = self._read(key)
        if content is None:
            return None
        try:
            document: Mapping[str, Any] = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise StoreError(f"{self.label}/{key}: not readable as JSON: {error}") from error
        return document

    @contextmanager
    def _refusals(self, key: str) -> Iterator[None]:
        """Turn what the service refuses into one line; what is not there passes."""
        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            reason = str(error).partition("\n")[0].partition(": <?xml")[0]
            raise StoreError(
                f"{self.label}/{key}: {reason}; the bucket must be there, and GFARD_S3_ENDPOINT, "
                "_REGION, _ACCESS_KEY_ID and _SECRET_ACCESS_KEY must open it"
            ) from error


def _item_id(key: str) -> ItemId | None:
    """Id of the item whose JSON has this key; None for every other object."""
    *folders, name = key.split("/")
    fits = len(folders) == len(LEVELS) and all(
        level.fullmatch(folder) for level, folder in zip(LEVELS, folders, strict=True)
    )
    if not fits or name != f"{folders[-1]}.json":
        return None
    try:
        return ItemId.parse(folders[-1])
    except ProductError:
        return None
