"""A store in a local folder: a draft becomes the item's folder by one rename."""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from catalog.drafts import check_draft, local_draft, locked, refused
from catalog.errors import ProductError, StoreError, UnreadableItemError
from catalog.product import COLLECTIONS, ItemId
from catalog.store import (
    HIDDEN,
    LEVELS,
    SCENES,
    StoredItem,
    Unreadable,
    hidden_document,
    hidden_name,
    parse_item,
    published_parts,
    relative_folder,
    scene_key,
)

_LOG = logging.getLogger(__name__)


class FolderStore:
    """A store in a local folder; the folder is made by the first product."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @property
    def label(self) -> str:
        """The folder's path."""
        return str(self.root)

    @contextmanager
    def draft(self, item_id: ItemId) -> Iterator["FolderDraft"]:
        """Open a hidden folder for a new product on the store's own volume.

        Leftovers of killed runs of the same id are removed first; drafts of runs still alive are
        left alone, and of two that commit the same id the later one stays.

        Raises
        ------
        StoreError
            The store cannot be written, or has no room for what the block writes.
        """
        name = str(item_id)
        with local_draft(self.root, name) as folder:
            yield FolderDraft(folder, self.root / relative_folder(item_id), name)

    def items(self, unreadable: Unreadable | None = None) -> Iterator[StoredItem]:
        """Yield every complete item in the order of its folders.

        Raises
        ------
        StoreError
            The root is no folder, or the JSON of an item cannot be read; what is no item raises
            only where nobody is to be told.
        """
        if not self.root.is_dir():
            raise StoreError(f"{self.root} is not a folder; wanted: the store's root")
        yield from self._complete_items(_item_folders(self.root, LEVELS), unreadable)

    def items_on(self, tile: str) -> Iterator[StoredItem]:
        """Yield every complete item of one tile, the collections one after the other.

        Raises
        ------
        StoreError
            The JSON of an item cannot be read.
        """
        for collection in COLLECTIONS.values():
            folder = self.root / collection / tile[:2] / tile[2] / tile[3:]
            if folder.is_dir():
                yield from self._complete_items(_item_folders(folder, LEVELS[4:]))

    def get(self, item_id: ItemId) -> StoredItem | None:
        """Return a complete item, or None.

        Raises
        ------
        StoreError
            The item's JSON is there but cannot be read.
        """
        relative = relative_folder(item_id)
        path = self.root / relative / f"{item_id}.json"
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"{path}: not readable: {error}") from error
        return StoredItem(item_id, relative, parse_item(content, item_id, path))

    def raster_path(self, relative: str) -> str:
        """Return the path of a published file, as text; errors as of `resolve`."""
        return str(self.resolve(relative))

    def exists(self, relative: str) -> bool:
        """Tell whether there is a published file of that name; errors as of `resolve`."""
        return self.resolve(relative).is_file()

    @contextmanager
    def local_copy(self, item: StoredItem) -> Iterator[Path]:
        """Give the folder of an item, which is local."""
        yield self.resolve(item.relative)

    def put_collection(self, collection: Mapping[str, Any]) -> None:
        """Write ``<collection id>/collection.json``, which the items link to.

        Raises
        ------
        StoreError
            The store cannot be written.
        """
        path = self.root / collection["id"] / "collection.json"
        self._write(path, orjson.dumps(collection, option=orjson.OPT_INDENT_2))

    def put_report(self, collection: str, name: str, content: bytes) -> None:
        """Keep a report about a collection; errors as of `put_collection`."""
        self._write(self.root / collection / name, content)

    def quarantine(self, item: StoredItem, reason: str) -> None:
        """Hide an item from all readers: its JSON, with the reason; its other files stay.

        Raises
        ------
        StoreError
            The store cannot be written.
        """
        folder = self.resolve(item.relative)
        self._write(folder / hidden_name(item.id), hidden_document(item, reason))
        try:
            (folder / f"{item.id}.json").unlink()
        except OSError as error:
            raise refused(self.root, error) from error

    def why_hidden(self, item_id: ItemId) -> str | None:
        """Return the reason for which an item was hidden; None where none was.

        Raises
        ------
        StoreError
            What was hidden cannot be read.
        """
        path = self.root / relative_folder(item_id) / hidden_name(item_id)
        try:
            return str(orjson.loads(path.read_bytes())[HIDDEN])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, orjson.JSONDecodeError, KeyError) as error:
            raise StoreError(f"{path}: not readable as a hidden item: {error!r}") from error

    def put_scene(self, name: str, record: Mapping[str, Any]) -> None:
        """Keep what became of a scene, products or not, replacing an older record.

        Raises
        ------
        StoreError
            The store cannot be written, or ``name`` is no file name.
        """
        self._write(self.root / scene_key(name), orjson.dumps(record))

    def scenes(self) -> Iterator[Mapping[str, Any]]:
        """Yield what became of the scenes that were worked on, in the order of their names.

        Raises
        ------
        StoreError
            A record cannot be read.
        """
        for path in sorted((self.root / SCENES).glob("[!.]*.json")):
            try:
                yield orjson.loads(path.read_bytes())
            except (OSError, orjson.JSONDecodeError) as error:
                raise StoreError(f"{path}: not readable as a scene's record: {error}") from error

    def resolve(self, relative: str) -> Path:
        """Return the path of a published file, which need not exist.

        Raises
        ------
        StoreError
            The name leaves the root (also through a link) or leads into a hidden place.
        """
        parts = published_parts(relative)
        path = self.root.joinpath(*parts).resolve()
        if not path.is_relative_to(self.root):
            raise StoreError(f"{relative!r} leads out of the store {self.root}")
        return path

    def _write(self, path: Path, content: bytes) -> None:
        """Write a small file whole or not at all."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
            hidden = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                hidden.chmod(0o644)
                hidden.replace(path)
            finally:
                hidden.unlink(missing_ok=True)
        except OSError as error:
            raise refused(self.root, error) from error

    def _complete_items(
        self, folders: Iterable[Path], unreadable: Unreadable | None = None
    ) -> Iterator[StoredItem]:
        """Yield the items that lie complete in folders called after them."""
        for folder in folders:
            try:
                item_id = ItemId.parse(folder.name)
            except ProductError:
                continue
            try:
                found = self.get(item_id)
            except UnreadableItemError as error:
                if unreadable is None:
                    raise
                unreadable(StoredItem(item_id, relative_folder(item_id), {}), error)
                continue
            if found is not None:
                yield found


class FolderDraft:
    """A hidden folder that becomes the item's folder by one rename."""

    def __init__(self, folder: Path, target: Path, name: str) -> None:
        self._folder = folder
        self._target = target
        self._name = name

    @property
    def folder(self) -> Path:
        """Folder for the files of the item."""
        return self._folder

    def commit(self, item: Mapping[str, Any]) -> None:
        """Publish the files together with ``item``, replacing an older product of that id.

        Raises
        ------
        ProductError
            The item is of another id or names files that are not in the folder.
        StoreError
            The volume refuses.
        """
        check_draft(self._folder, self._name, item)
        try:
            self._complete(orjson.dumps(item, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise refused(self._target.parent, error) from error
        _LOG.info("published %s", self._target)

    def _complete(self, document: bytes) -> None:
        """Bring every file to the disk, the item last, then the folder into its place."""
        for path in self._folder.iterdir():
            _flush(path)
        last = self._folder / f"{self._name}.json"
        last.write_bytes(document)
        _flush(last)
        self._target.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._target.parent):
            self._exchange()
        _flush(self._target.parent)

    def _exchange(self) -> None:
        """Put the new folder into place; an older one goes aside first and is then removed."""
        aside = self._folder.with_name(f"{self._folder.name}.old")
        replaces = self._target.exists()
        if replaces:
            self._target.rename(aside)
        try:
            self._folder.rename(self._target)
        except OSError:
            if replaces:
                aside.rename(self._target)
            raise
        shutil.rmtree(aside, ignore_errors=True)


def _item_folders(folder: Path, levels: tuple[re.Pattern[str], ...]) -> Iterator[Path]:
    """Yield the folders ``len(levels)`` deep whose names fit, in sorted order."""
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    for name in names:
        if levels[0].fullmatch(name) is None:
            continue
        if len(levels) == 1:
            yield folder / name
        else:
            yield from _item_folders(folder / name, levels[1:])


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk, so that a power cut keeps the promise."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
