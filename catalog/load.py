"""Products of a store into pgSTAC: an upsert that may be repeated at any time.

Rows are made by pgSTAC's own loader, the transfer is ours: a chunk is one transaction with what is
recorded of its changes. Items whose document is unchanged
are left alone, new ones are copied straight into their partition, and statistics are brought up to
date once, at the end. While the database takes a chunk the next one is made.
"""

import logging
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import orjson
import psycopg
from psycopg import sql
from pypgstac.db import PgstacDB
from pypgstac.load import Loader, Methods, chunked_iterable

from catalog.changes import Journal, Kind, Note, Row, withdraw, withdrawn
from catalog.collections import collections, queryables
from catalog.database import session
from catalog.product import COLLECTIONS, ItemId
from catalog.published import ASSESSMENT_FILES, published_collection, published_version
from catalog.store import Store
from catalog.versions import versions

_LOG = logging.getLogger(__name__)

_CHUNK = 5000
"""Items of one transaction; as rows they take about 40 MB."""
_COLUMNS = sql.SQL("(id, collection, datetime, end_datetime, geometry, content)")

_OWN_COLUMNS = frozenset({"id", "collection", "datetime", "geometry"})
"""Properties that pgSTAC keeps in columns and describes itself."""
_INDEXED = (
    "accuracy:geometric_rmse", "eo:cloud_cover", "grid:code", "instruments", "platform",
    "product:quality_status",
)  # fmt: skip
"""Properties that people search by. An index also tells the planner how often a value occurs."""

Progress = Callable[[int], None]
"""Called with the number of items read so far."""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What a publication did: how many items of each collection are now in the catalogue.

    ``removed`` are ids of items that it took out, since the store hides them now.
    """

    items: Mapping[str, int]
    removed: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of items over all collections."""
        return sum(self.items.values())


def publish(
    store: Store,
    dsn: str,
    public_url: str,
    progress: Progress | None = None,
    reason: str | None = None,
) -> PublishReport:
    """Bring every complete item of a store into the catalogue, with its collection.

    Of several versions of a product the one made last is current; the others become deprecated.
    Items that were withdrawn stay away and replace nothing. Those that the store hides leave the
    catalogue for the reason that the store names; what another store holds stays.

    Parameters
    ----------
    dsn
        Database URL of a login that may ingest.
    public_url
        Address under which visitors reach the platform, e.g. ``https://ard.example.org``;
        files, tiles and API are below it.
    progress
        Called with the number of items read so far.
    reason
        Why products are new or replaced, for the feed of changes.

    Returns
    -------
    PublishReport
        Items by collection, and what was removed.

    Raises
    ------
    CatalogError
        The database is not to be reached, holds another version of pgSTAC, or refuses.
    StoreError
        The store cannot be read.
    """
    counts: Counter[str] = Counter()
    shown = set()
    with session(dsn) as connection:
        away = withdrawn(connection)

    def documents() -> Iterator[dict[str, Any]]:
        """Yield every item as the catalogue holds it, and count."""
        for version in versions(store.items(), away):
            shown.add(str(version.stored.id))
            yield published_version(version, public_url)
            counts[version.stored.collection] += 1
            if progress is not None:
                progress(counts.total())

    for collection in collections():
        store.put_collection(collection)
    load(dsn, documents(), reason, _published_collections(store, public_url))
    removed = tuple(_remove_hidden(store, dsn, shown))
    _LOG.info("%d items of %s are in the catalogue", counts.total(), store.label)
    return PublishReport(dict(counts), removed)


def _remove_hidden(store: Store, dsn: str, shown: Container[str]) -> Iterator[str]:
    """Take items out of the catalogue that a store hides; yield their ids."""
    with session(dsn) as connection:
        held = connection.execute(
            "SELECT id FROM items WHERE collection = ANY(%s) ORDER BY id",
            [list(COLLECTIONS.values())],
        ).fetchall()
    for (name,) in held:
        reason = None if name in shown else store.why_hidden(ItemId.parse(name))
        if reason is not None:
            withdraw(dsn, name, reason, Kind.REMOVED)
            yield name


def _published_collections(store: Store, public_url: str) -> Iterator[dict[str, Any]]:
    file, _ = ASSESSMENT_FILES["ceos-ard"]
    for collection in collections():
        assessed = store.exists(f"{collection['id']}/{file}")
        yield published_collection(collection, public_url, assessed=assessed)


def load(
    dsn: str,
    items: Iterable[dict[str, Any]],
    reason: str | None = None,
    held: Iterable[dict[str, Any]] | None = None,
) -> None:
    """Upsert the collections, their queryables and published items.

    Then the extents are narrowed to the items, and the counters measure what is held.

    Parameters
    ----------
    items
        As the catalogue is to hold them.
    reason
        Why items are new or replaced, for the feed of changes.
    held
        The collections; without links of this place where None.

    Raises
    ------
    CatalogError
        The database is not to be reached, holds another version of pgSTAC, or refuses.
    """
    with session(dsn) as connection:
        _compress_quickly(connection)
        documents = list(held or collections())
        loader = Loader(PgstacDB(connection=connection))
        loader.load_collections(iter(documents), Methods.upsert)
        for document in documents:
            loader.collection_json(document["id"])  # kept; the maker of rows must not ask for it
        _declare_queryables(connection)
        journal = Journal(connection, reason)
        partitions = set()
        rows = (
            {**loader.format_item(item), "note": Note.of(item)} for item in journal.admitted(items)
        )
        for chunk in _ahead(_chunks(rows)):
            for collection, group in groupby(chunk, key=_collection):
                partitions.add(_load_chunk(connection, journal, collection, list(group)))
        for partition in partitions:
            connection.execute("SELECT update_partition_stats_q(%s)", [partition])
        connection.execute("SELECT update_collection_extents()")
        connection.execute("SELECT gfard.measure_holdings()")
        connection.execute("SELECT gfard.learn_items()")


def _declare_queryables(connection: psycopg.Connection[Any]) -> None:
    """Tell pgSTAC the types of the properties and which to index, unless it knows them."""
    wanted = queryables()
    row = connection.execute(
        "SELECT get_queryables(NULL::text[]) -> 'properties',"
        " array(SELECT name FROM queryables WHERE property_index_type IS NOT NULL)"
    ).fetchone()
    assert row is not None
    known, indexed = row[0] or {}, row[1]
    missing = wanted["properties"].keys() - _OWN_COLUMNS
    if set(indexed) != set(_INDEXED) or any(
        known.get(name) != wanted["properties"][name] for name in missing
    ):
        document = orjson.dumps(wanted).decode()
        connection.execute(
            "SELECT upsert_queryables(%s::jsonb, NULL, %s)", [document, list(_INDEXED)]
        )


def _compress_quickly(connection: psycopg.Connection[Any]) -> None:
    """Have documents compressed by LZ4 where the server can: quicker to write, and to read."""
    connection.execute(
        "SELECT set_config(name, 'lz4', false) FROM pg_settings"
        " WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)"
    )


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    for chunk in chunked_iterable(rows, _CHUNK):
        yield sorted(chunk, key=_collection)


def _ahead(chunks: Iterator[list[Row]]) -> Iterator[list[Row]]:
    """Yield chunks, making the next one while the present one is used."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = maker.submit(next, chunks, None)
            yield chunk


def _collection(row: Row) -> str:
    return str(row["collection"])


def _load_chunk(
    connection: psycopg.Connection[Any], journal: Journal, collection: str, rows: list[Row]
) -> str:
    """Bring the rows of one collection in, those that are new or changed; give their partition."""
    partition = _partition(connection, collection, rows)
    with connection.transaction():
        changed = journal.changed(collection, rows)
        if changed.known:
            _upsert(connection, partition, changed.rows)
        else:
            _copy(connection, sql.Identifier(partition), changed.rows)
        journal.record(changed)
    return partition


def _partition(connection: psycopg.Connection[Any], collection: str, rows: Iterable[Row]) -> str:
    """Make room for the times of these rows and return the name of the table that takes them."""
    starts = [datetime.fromisoformat(row["datetime"]) for row in rows]
    ends = [datetime.fromisoformat(row["end_datetime"]) for row in rows]
    row = connection.execute(
        "SELECT check_partition(%s, tstzrange(%s, %s, '[]'), tstzrange(%s, %s, '[]'))",
        [collection, min(starts), max(starts), min(ends), max(ends)],
    ).fetchone()
    assert row is not None
    return str(row[0])


def _upsert(connection: psycopg.Connection[Any], partition: str, rows: Iterable[Row]) -> None:
    """Bring rows in of which some are there already."""
    fresh = sql.Identifier("gfard_fresh")
    connection.execute(sql.SQL("CREATE TEMP TABLE {} (LIKE items) ON COMMIT DROP").format(fresh))
    _copy(connection, fresh, rows)
    connection.execute(
        sql.SQL(
            "INSERT INTO {} SELECT * FROM {} ON CONFLICT (id) DO UPDATE SET"
            " datetime = excluded.datetime, end_datetime = excluded.end_datetime,"
            " geometry = excluded.geometry, content = excluded.content"
        ).format(sql.Identifier(partition), fresh)
    )
    connection.execute(sql.SQL("DROP TABLE {}").format(fresh))


def _copy(connection: psycopg.Connection[Any], table: sql.Composable, rows: Iterable[Row]) -> None:
    statement = sql.SQL("COPY {} {} FROM STDIN").format(table, _COLUMNS)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(
                (
                    row["id"],
                    row["collection"],
                    row["datetime"],
                    row["end_datetime"],
                    row["geometry"],
                    row["content"],
                )
            )
