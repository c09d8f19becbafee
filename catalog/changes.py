"""What happened to the catalogue's items: written with each publication, read by the feed.

A change says which item is new, replaced, withdrawn or restored, why, and by what it is replaced.
Withdrawing takes an item out of the catalogue until it is restored; its files stay in the store.
An item is removed when its files are gone or broken, and comes back with sound ones.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import psycopg

from catalog.database import session
from catalog.errors import CatalogError
from catalog.product import ItemId

Row = Mapping[str, Any]
"""A row of pgSTAC's items, as its loader makes it, and under ``note`` the ``Note`` of the item."""


class Kind(StrEnum):
    """What happened to an item."""

    NEW = "new"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows of one collection that a publication changes, with what is recorded of each.

    Attributes
    ----------
    rows
        In any order.
    digests
        Of their documents, in the same order.
    known
        Ids of those that the catalogue holds already.
    """

    collection: str
    rows: list[Row]
    digests: list[bytes]
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be known of an item when its row is recorded.

    ``predecessor`` and ``successor`` are ids of its neighbours among its versions; ``files`` and
    ``size`` count and weigh (bytes) what its assets name.
    """

    predecessor: str | None
    successor: str | None
    files: int
    size: int

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Self:
        """Read the note off a published item."""
        named = {
            link["rel"]: link["href"].rpartition("/")[2]
            for link in item["links"]
            if link["rel"].endswith("cessor-version")
        }
        sizes = [asset.get("file:size", 0) for asset in item["assets"].values()]
        return cls(
            named.get("predecessor-version"), named.get("successor-version"), len(sizes), sum(sizes)
        )


class Journal:
    """Tells changed items from unchanged ones, and records why they changed.

    Parameters
    ----------
    connection
        Session that may ingest.
    reason
        Why products are new or replaced, where the item does not say it itself.
    """

    def __init__(self, connection: psycopg.Connection[Any], reason: str | None) -> None:
        self._connection = connection
        self._reason = reason
        self._withdrawn = withdrawn(connection)

    def admitted(self, items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Pass on items that are not withdrawn."""
        return (item for item in items if item["id"] not in self._withdrawn)

    def changed(self, collection: str, rows: Iterable[Row]) -> Changed:
        """Return the rows that the catalogue does not hold as they are."""
        digests = {row["id"]: _digest(row) for row in rows}
        held = dict(
            self._connection.execute(
                "SELECT id, (SELECT digest FROM gfard.changes WHERE item = items.id"
                " ORDER BY number DESC LIMIT 1)"
                " FROM items WHERE collection = %s AND id = ANY(%s)",
                [collection, list(digests)],
            ).fetchall()
        )
        fresh = {row["id"]: row for row in rows if held.get(row["id"]) != digests[row["id"]]}
        return Changed(
            collection, list(fresh.values()), [digests[name] for name in fresh],
            frozenset(held) & frozenset(fresh),
        )  # fmt: skip

    def record(self, changed: Changed) -> None:
        """Write down what becomes of these rows."""
        statement = (
            "COPY gfard.changes (kind, collection, item, successor, reason, digest, files, bytes)"
            " FROM STDIN"
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row, digest in zip(changed.rows, changed.digests, strict=True):
                item, note = row["id"], row["note"]
                kind = Kind.REPLACED if item in changed.known else Kind.NEW
                reason = self._why(kind, note)
                copy.write_row(
                    (
                        kind,
                        changed.collection,
                        item,
                        note.successor,
                        reason,
                        digest,
                        note.files,
                        note.size,
                    )
                )

    def _why(self, kind: Kind, note: Note) -> str:
        if note.successor is not None:
            why = f"replaced by {note.successor}"
        elif kind is Kind.REPLACED:
            why = "published again with another content"
        elif note.predecessor is not None:
            why = f"replaces {note.predecessor}"
        else:
            why = "first publication"
        return why if self._reason is None else f"{why}: {self._reason}"


def withdraw(dsn: str, item: str, reason: str, kind: Kind = Kind.WITHDRAWN) -> None:
    """Take an item out of the catalogue; publications leave it out until it is restored.

    With the kind "removed" the next publication brings it back if its files are there.

    Raises
    ------
    CatalogError
        The catalogue has no such item, or the database refuses.
    ProductError
        The name is not that of an item.
    """
    item_id = ItemId.parse(item)
    with session(dsn) as connection, connection.transaction():
        try:
            with connection.transaction():
                connection.execute("SELECT delete_item(%s, %s)", [item, item_id.collection])
        except psycopg.errors.NoDataFound as error:
            raise CatalogError(
                f"{item} is not in the catalogue: name an item that was published"
            ) from error
        _record(connection, kind, item_id, reason)
        connection.execute("SELECT update_collection_extents()")
        connection.execute("SELECT gfard.measure_holdings()")


def restore(dsn: str, item: str, reason: str) -> None:
    """Let the next publication bring a withdrawn item back.

    Raises
    ------
    CatalogError
        The item is not withdrawn, or the database refuses.
    ProductError
        The name is not that of an item.
    """
    item_id = ItemId.parse(item)
    with session(dsn) as connection, connection.transaction():
        if item not in withdrawn(connection):
            raise CatalogError(f"{item} is not withdrawn: there is nothing to restore")
        _record(connection, Kind.RESTORED, item_id, reason)


def withdrawn(connection: psycopg.Connection[Any]) -> frozenset[str]:
    """Return the ids of the items that are withdrawn."""
    rows = connection.execute(
        "SELECT item FROM gfard.changes AS gone WHERE kind = 'withdrawn' AND NOT EXISTS"
        " (SELECT FROM gfard.changes AS later"
        "  WHERE later.item = gone.item AND later.number > gone.number)"
    )
    return frozenset(row[0] for row in rows)


def _record(connection: psycopg.Connection[Any], kind: Kind, item: ItemId, reason: str) -> None:
    connection.execute(
        "INSERT INTO gfard.changes (kind, collection, item, reason) VALUES (%s, %s, %s, %s)",
        [kind, item.collection, str(item), reason],
    )


def _digest(row: Row) -> bytes:
    """Digest of all that the catalogue holds of an item."""
    digest = hashlib.blake2b(digest_size=16)
    for name in ("datetime", "end_datetime", "geometry", "content"):
        digest.update(row[name].encode())
    return digest.digest()
