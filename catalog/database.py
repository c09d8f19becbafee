"""A session of a login that may ingest, and what the database refuses said in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from pypgstac.version import __version__ as wanted_version

from catalog.errors import CatalogError

_CONNECT_TIMEOUT_S = 10


@contextmanager
def session(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect, check the version, and turn what the database refuses into one clear line.

    Raises
    ------
    CatalogError
        The database is not to be reached, holds another version of pgSTAC, or refuses.
    """
    try:
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)
    except psycopg.Error as error:
        raise CatalogError(
            f"database {_place(dsn)} is not to be reached: {_line(error)}"
        ) from error
    with connection:
        try:
            connection.execute("SET search_path TO pgstac, public")
            connection.execute("SET TIME ZONE 'UTC'")
            _check_version(connection, dsn)
            yield connection
        except psycopg.Error as error:
            raise CatalogError(f"database {_place(dsn)} refuses: {_line(error)}") from error


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
