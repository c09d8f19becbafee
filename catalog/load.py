"""Products of a store into pgSTAC: an upsert that may be repeated at any time."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from pypgstac.db import PgstacDB
from pypgstac.load import Loader, Methods
from pypgstac.version import __version__ as wanted_version

from catalog.collections import collections, queryables
from catalog.errors import CatalogError
from catalog.item import extension
from catalog.renders import DEFAULT_RENDER
from catalog.store import Store, StoredItem

_LOG = logging.getLogger(__name__)

_CHUNK = 2000
"""Items held in memory at once; a chunk is one COPY."""
_CONNECT_TIMEOUT_S = 10

Progress = Callable[[int], None]
"""Called with the number of items read so far."""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What a publication did: how many items of each collection are now in the catalogue."""

    items: Mapping[str, int]

    @property
    def total(self) -> int:
        """Number of items over all collections."""
        return sum(self.items.values())


def publish(
    store: Store, dsn: str, public_url: str, progress: Progress | None = None
) -> PublishReport:
    """Bring every complete item of a store into the catalogue, with its collection.

    Parameters
    ----------
    dsn
        Database URL of a login that may ingest.
    public_url
        Address under which visitors reach the platform, e.g. ``https://ard.example.org``;
        files, tiles and API are below it.
    progress
        Called with the number of items read so far.

    Returns
    -------
    PublishReport
        Items by collection.

    Raises
    ------
    CatalogError
        The database is not to be reached, holds another version of pgSTAC, or refuses.
    StoreError
        The store cannot be read.
    """
    counts: Counter[str] = Counter()

    def documents() -> Iterator[dict[str, Any]]:
        for stored in store.items():
            yield published_item(stored, public_url)
            counts[stored.collection] += 1
            if progress is not None:
                progress(counts.total())

    for collection in collections():
        store.put_collection(collection)
    load(dsn, documents())
    _LOG.info("%d items of %s are in the catalogue", counts.total(), store.label)
    return PublishReport(dict(counts))


def load(dsn: str, items: Iterator[dict[str, Any]]) -> None:
    """Upsert the collections, their queryables and published items.

    Then the extents are narrowed to the items, and the counters measure what is held.

    Raises
    ------
    CatalogError
        The database is not to be reached, holds another version of pgSTAC, or refuses.
    """
    with _database(dsn) as (connection, loader):
        loader.load_collections(iter(collections()), Methods.upsert)
        connection.execute(
            "SELECT upsert_queryables(%s::jsonb)", [orjson.dumps(queryables()).decode()]
        )
        loader.load_items(items, Methods.upsert, chunksize=_CHUNK)
        connection.execute("SELECT update_collection_extents()")
        connection.execute("SELECT gfard.measure_holdings()")


def published_item(stored: StoredItem, public_url: str) -> dict[str, Any]:
    """Return an item as the catalogue holds it: absolute hrefs and links to the tiler.

    The document depends on nothing else, so a repeated publication changes nothing.
    """
    base = public_url.rstrip("/")
    folder = f"{base}/data/{stored.relative}"
    tiles = f"{base}/tiles/collections/{stored.collection}/items/{stored.id}"
    query = DEFAULT_RENDER.query()
    item = dict(stored.item)
    item["assets"] = {
        key: {**asset, "href": f"{folder}/{asset['href'].removeprefix('./')}"}
        for key, asset in stored.item["assets"].items()
    }
    item["links"] = [
        *(link for link in stored.item["links"] if link["rel"] != "collection"),
        {
            "rel": "tilejson",
            "href": f"{tiles}/WebMercatorQuad/tilejson.json?{query}",
            "type": "application/json",
            "title": DEFAULT_RENDER.title,
        },
        {
            "rel": "xyz",
            "href": f"{tiles}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}?{query}",
            "type": "image/png",
            "title": DEFAULT_RENDER.title,
        },
        {
            "rel": "preview",
            "href": f"{tiles}/preview.webp?{query}",
            "type": "image/webp",
            "title": DEFAULT_RENDER.title,
        },
    ]
    item["stac_extensions"] = sorted({*stored.item["stac_extensions"], extension("web-map-links")})
    return item


@contextmanager
def _database(dsn: str) -> Iterator[tuple[psycopg.Connection[Any], Loader]]:
    """Connect, check the version, and turn what the database refuses into one clear line."""
    try:
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)
    except psycopg.Error as error:
        raise CatalogError(
            f"database {_place(dsn)} is not to be reached: {_line(error)}"
        ) from error
    with connection:
        database = PgstacDB(connection=connection)
        try:
            connection.execute("SET search_path TO pgstac, public")
            connection.execute("SET TIME ZONE 'UTC'")
            _check_version(connection, dsn)
            yield connection, Loader(database)
        except psycopg.Error as error:
            raise CatalogError(f"database {_place(dsn)} refuses: {_line(error)}") from error
        finally:
            database.close()


def _check_version(connection: psycopg.Connection[Any], dsn: str) -> None:
    try:
        row = connection.execute("SELECT get_version()").fetchone()
    except psycopg.errors.UndefinedFunction:
        row = None
    found = None if row is None else row[0]
    if found != wanted_version:
        held = "no pgSTAC" if found is None else f"pgSTAC {found}"
        raise CatalogError(
            f"database {_place(dsn)} holds {held}, {wanted_version} wanted: "
            "run `pypgstac migrate` as its owner, or let `gfard serve` make a private one"
        )


def _place(dsn: str) -> str:
    """Host, port and name of a database, without the password."""
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    host, port = parts.get("host", "(local)"), parts.get("port", 5432)
    return f"{host}:{port}/{parts.get('dbname', '')}"


def _line(error: psycopg.Error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
