"""An item on its way into a bucket: put under a folder of its run, its JSON last."""

import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from catalog.drafts import check_draft
from catalog.product import ItemId
from catalog.store import StoredItem, relative_folder

if TYPE_CHECKING:
    from catalog.bucket import BucketStore

ITEM_MEDIA_TYPE = "application/geo+json"

_LOG = logging.getLogger(__name__)


class BucketDraft:
    """A local folder that is put into the bucket as a whole."""

    def __init__(self, store: "BucketStore", folder: Path, item_id: ItemId) -> None:
        self._store = store
        self._folder = folder
        self._id = item_id

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
            The bucket refuses.
        """
        check_draft(self._folder, str(self._id), item)
        relative = relative_folder(self._id)
        before = self._store.get(self._id)
        run = secrets.token_hex(4)
        for asset in item["assets"].values():
            path = self._folder / asset["href"]
            self._store.put(f"{relative}/{run}/{path.name}", path, asset["type"])
        document = orjson.dumps(_moved(item, run), option=orjson.OPT_INDENT_2)
        self._store.put(f"{relative}/{self._id}.json", document, ITEM_MEDIA_TYPE)
        _LOG.info("published %s/%s", self._store.label, relative)
        self._store.sweep(relative, [run, *_runs(before)])


def _moved(item: Mapping[str, Any], run: str) -> dict[str, Any]:
    """Return an item whose files lie in the folder of their run."""
    assets = {
        key: {**asset, "href": f"./{run}/{asset['href'].removeprefix('./')}"}
        for key, asset in item["assets"].items()
    }
    return {**item, "assets": assets}


def _runs(stored: StoredItem | None) -> set[str]:
    """Names of the runs that an item's files come from."""
    assets = () if stored is None else stored.item["assets"].values()
    return {asset["href"].removeprefix("./").partition("/")[0] for asset in assets}
