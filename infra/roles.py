"""The database inside the server: pgSTAC at one version, and a login for each purpose.

Public processes hold only the read login; whatever writes items holds the ingest login.
Preparing is idempotent, and costs one query when everything is already in place.
"""

import hashlib
import logging
from dataclasses import dataclass
from importlib.resources import files
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from catalog.errors import CatalogError

PGSTAC_VERSION = "0.10.0"

READ_LOGIN = "gfard_read"
INGEST_LOGIN = "gfard_ingest"
COUNTERS_LOGIN = "gfard_counters"

_TABLE_FILES = ("changes.sql", "counters.sql", "search.sql")
_TABLES_VERSION = "SELECT obj_description(to_regnamespace('gfard'), 'pg_namespace')"

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dsns:
    """URLs of one database, one for each purpose.

    Attributes
    ----------
    read_dsn
        May search; for everything that faces the public.
    ingest_dsn
        May write collections and items; for the command line alone.
    counters_dsn
        May only insert into the table of the counters.
    admin_dsn
        Owner; migrates and makes the logins.
    """

    read_dsn: str
    ingest_dsn: str
    counters_dsn: str
    admin_dsn: str


@dataclass(frozen=True, slots=True)
class _Login:
    name: str
    password: str
    member_of: str | None


def prepare_database(dsns: Dsns) -> None:
    """Bring a database to pgSTAC 0.10.0 and give it our own tables and the three logins.

    Parameters
    ----------
    dsns
        URLs to make true: the logins get the names and passwords written in them. The admin
        login must own the database, and may create extensions and roles.

    Raises
    ------
    CatalogError
        The database is away, refuses, or holds a pgSTAC that cannot be brought here.
    """
    if _is_ready(dsns):
        return
    logins = (
        _login(dsns.read_dsn, "pgstac_read"),
        _login(dsns.ingest_dsn, "pgstac_ingest"),
        _login(dsns.counters_dsn, None),
    )
    try:
        with psycopg.connect(dsns.admin_dsn, autocommit=True, connect_timeout=10) as connection:
            if pgstac_version(connection) != PGSTAC_VERSION:
                _extend(connection)
                _migrate(dsns.admin_dsn)
            for login in logins:
                _ensure_login(connection, login)
            _ensure_tables(connection, counters_login=logins[-1].name)
    except psycopg.Error as error:
        raise CatalogError(
            f"{without_password(dsns.admin_dsn)}: cannot prepare the database: {_line(error)}"
        ) from error


def check_version(dsn: str) -> None:
    """Make sure that a login works and sees the pgSTAC and the tables this code speaks to.

    Raises
    ------
    CatalogError
        No connection, or other versions.
    """
    try:
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            version = pgstac_version(connection)
            tables = _value(connection, _TABLES_VERSION)
    except psycopg.Error as error:
        raise CatalogError(f"{without_password(dsn)}: no connection: {_line(error)}") from error
    if version != PGSTAC_VERSION:
        raise CatalogError(
            f"{without_password(dsn)}: holds pgSTAC {version or 'none'}, wanted {PGSTAC_VERSION}: "
            "run `gfard db prepare` with GFARD_DATABASE_URL naming its owner"
        )
    if tables != _tables_version():
        raise CatalogError(
            f"{without_password(dsn)}: lacks gfard's own tables as this version wants them: "
            "run `gfard db prepare` with GFARD_DATABASE_URL naming its owner"
        )


def pgstac_version(connection: psycopg.Connection) -> str | None:
    """Version of pgSTAC in the connected database, or None when it has none."""
    if _value(connection, "SELECT to_regprocedure('pgstac.get_version()') IS NOT NULL") is not True:
        return None
    return str(_value(connection, "SELECT pgstac.get_version()"))


def without_password(dsn: str) -> str:
    """Write a DSN for a message: user, host, port and database, no password."""
    parts = conninfo_to_dict(dsn)
    parts.pop("password", None)
    return make_conninfo("", **parts)


def _is_ready(dsns: Dsns) -> bool:
    """Whether every login already works and sees the wanted version."""
    try:
        with psycopg.connect(dsns.counters_dsn, connect_timeout=10) as connection:
            if (
                _value(connection, "SELECT has_table_privilege('gfard.visits', 'INSERT')")
                is not True
            ):
                return False
        check_version(dsns.read_dsn)
        check_version(dsns.ingest_dsn)
    except (psycopg.Error, CatalogError):
        return False
    return True


def _extend(connection: psycopg.Connection) -> None:
    """Create the extensions of pgSTAC where they are missing."""
    for name in ("postgis", "btree_gist", "unaccent"):
        statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
        connection.execute(statement)


def _migrate(dsn: str) -> None:
    """Run pgSTAC's own migration files up to the wanted version."""
    from psycopg_pool import ConnectionPool
    from pypgstac.db import PgstacDB
    from pypgstac.migrate import Migrate

    with ConnectionPool(dsn, min_size=1, max_size=1, open=True) as pool:
        database = PgstacDB(pool=pool)
        try:
            Migrate(database).run_migration(PGSTAC_VERSION)
        except psycopg.Error:
            raise
        except Exception as error:  # pypgstac raises nothing narrower where no path leads on
            raise CatalogError(
                f"{without_password(dsn)}: pgSTAC cannot be migrated to {PGSTAC_VERSION}: {error}"
            ) from error
        finally:
            database.disconnect()
    _LOGGER.info("pgSTAC migrated to %s", PGSTAC_VERSION)


def _login(dsn: str, member_of: str | None) -> _Login:
    """Read name and password of a login from its URL."""
    parts = conninfo_to_dict(dsn)
    if not parts.get("user") or not parts.get("password"):
        raise CatalogError(f"{without_password(dsn)}: a login needs a user and a password")
    return _Login(str(parts["user"]), str(parts["password"]), member_of)


def _ensure_login(connection: psycopg.Connection, login: _Login) -> None:
    """Create one login, or set its password and search path again."""
    name = sql.Identifier(login.name)
    exists = _value(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", login.name)
    if exists is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(login.password))
    )
    connection.execute(sql.SQL("ALTER ROLE {} SET search_path = pgstac, public").format(name))
    if login.member_of is not None:
        member_of = sql.Identifier(login.member_of)
        connection.execute(sql.SQL("GRANT {} TO {}").format(member_of, name))


def _ensure_tables(connection: psycopg.Connection, *, counters_login: str) -> None:
    """Make the tables of changes and counters; the counters' login may only insert into its own."""
    name = sql.Identifier(counters_login)
    with connection.transaction():
        for statements in _table_files():
            connection.execute(statements)
        version = sql.Literal(_tables_version())
        connection.execute(sql.SQL("COMMENT ON SCHEMA gfard IS {}").format(version))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA gfard TO {}").format(name))
        connection.execute(sql.SQL("GRANT INSERT ON gfard.visits TO {}").format(name))


def _table_files() -> list[bytes]:
    """Statements that make our own tables, or bring them up to date."""
    return [(files("catalog") / "data" / name).read_bytes() for name in _TABLE_FILES]


def _tables_version() -> str:
    """Digest of these statements, which the schema carries as its comment."""
    return hashlib.sha256(b"".join(_table_files())).hexdigest()


def _value(connection: psycopg.Connection, query: LiteralString, *values: str) -> object:
    """First column of the first row, or None when there is no row."""
    row = connection.execute(query, values).fetchone()
    return None if row is None else row[0]


def _line(error: Exception) -> str:
    """Put a driver's message of several lines on one."""
    return " ".join(str(error).split())
