"""Store and catalogue against each other, both ways, and what brings them together again.

The store is what is true: a product that it holds complete and sound is to be in the catalogue
as it is, and nothing else is. Files themselves are compared with their items by ``check``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg

from catalog.changes import Kind, withdraw, withdrawn
from catalog.check import Finding, check_item
from catalog.database import session
from catalog.errors import StoreError, UnreadableItemError
from catalog.load import publish
from catalog.published import published_version
from catalog.store import Store, StoredItem
from catalog.versions import versions

_ABSENT = "not-published"
_OTHER = "catalogue-differs"
_GONE = "no-files"
_REPUBLISH = "`gfard publish`, or check with --repair"
_COMPARED = ("geometry", "bbox", "properties", "assets", "links")

Progress = Callable[[int], None]
"""Called with the number of products looked at so far."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did, as ids of items."""

    quarantined: tuple[str, ...]
    removed: tuple[str, ...]
    published: int


def compare(
    store: Store, dsn: str, public_url: str, progress: Progress | None = None
) -> list[Finding]:
    """Find what store and catalogue say differently.

    Parameters
    ----------
    store
        The products.
    dsn
        Database URL of a login that may ingest.
    public_url
        Address under which the products were published.
    progress
        Called with the number of products looked at.

    Returns
    -------
    list of Finding
        Products that are not in the catalogue or stand there otherwise, then entries of the
        catalogue whose products are gone. Withdrawn products are meant to be absent; of those
        whose item cannot be read ``check`` tells.

    Raises
    ------
    CatalogError
        The database is not to be reached.
    StoreError
        The store cannot be read.
    """
    findings: list[Finding] = []
    stored = set()

    def unreadable(broken: StoredItem, error: UnreadableItemError) -> None:
        """Pass over an item that is none."""
        stored.add(str(broken.id))

    with session(dsn) as connection:
        away = withdrawn(connection)
        for count, version in enumerate(versions(store.items(unreadable), away), start=1):
            item = published_version(version, public_url)
            stored.add(item["id"])
            findings += _compare_item(connection, version.stored, item)
            if progress is not None:
                progress(count)
        for name, collection in connection.execute("SELECT id, collection FROM items ORDER BY id"):
            if name not in stored:
                reason = f"{collection} has this item, but {store.label} has no such product"
                hint = "check with --repair takes it out of the catalogue"
                findings.append(Finding("error", _GONE, reason, hint, name))
    return findings


def _compare_item(
    connection: psycopg.Connection[Any], stored: StoredItem, item: Mapping[str, Any]
) -> Iterator[Finding]:
    row = connection.execute("SELECT get_item(%s, %s)", [item["id"], item["collection"]]).fetchone()
    held = None if row is None else row[0]
    if held is None:
        reason = "this product is not in the catalogue"
        yield Finding("error", _ABSENT, reason, _REPUBLISH, stored.relative)
        return
    wanted = orjson.loads(orjson.dumps(item))
    other = [name for name in _COMPARED if held.get(name) != wanted.get(name)]
    if other:
        reason = f"the catalogue's item has other {', '.join(other)} than the product"
        yield Finding("error", _OTHER, reason, _REPUBLISH, stored.relative)


def repair(store: Store, dsn: str, public_url: str, progress: Progress | None = None) -> Repaired:
    """Bring store and catalogue together.

    Products whose files are broken are quarantined in the store: their item is hidden, so that
    no reader sees them, and their files stay. All others are published as they are, and what
    remains in the catalogue without a product is removed; the feed of changes says so, and why.

    Raises
    ------
    CatalogError
        The database is not to be reached, or refuses.
    StoreError
        The store cannot be read or written, or holds no product: one that is not mounted, or the
        folder of a single product, would empty the catalogue.
    """
    broken: list[str] = []

    def quarantine(stored: StoredItem, error: UnreadableItemError) -> None:
        """Hide an item that is none."""
        store.quarantine(stored, str(error))
        broken.append(str(stored.id))

    if next(store.items(lambda stored, error: None), None) is None:
        raise StoreError(
            f"{store.label} holds no product, so that all would be removed from the catalogue: "
            "name the root of the store; nothing was changed"
        )
    for stored in store.items(quarantine):
        with store.local_copy(stored) as folder:
            errors = [found for found in check_item(folder / f"{stored.id}.json")
                      if found.level == "error"]  # fmt: skip
        if errors:
            store.quarantine(stored, errors[0].reason)
            broken.append(str(stored.id))
    report = publish(store, dsn, public_url, progress, "store and catalogue were compared")
    held = {str(stored.id) for stored in store.items()}
    with session(dsn) as connection:
        rows = connection.execute("SELECT id FROM items ORDER BY id").fetchall()
    gone = [row[0] for row in rows if row[0] not in held]
    for name in gone:
        withdraw(dsn, name, "its files are not in the store", Kind.REMOVED)
    return Repaired(tuple(broken), (*report.removed, *gone), report.total)
