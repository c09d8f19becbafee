"""Which database the platform uses: the private cluster, or one named by its URL."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from catalog.errors import CatalogError
from infra.postgres import Cluster
from infra.roles import (
    COUNTERS_LOGIN,
    INGEST_LOGIN,
    READ_LOGIN,
    Dsns,
    check_version,
    prepare_database,
)
from infra.settings import InfraSettings


@contextmanager
def database(settings: InfraSettings) -> Iterator[Dsns]:
    """Have a prepared database at hand for a while.

    The private cluster is left as it was found, so that a command run beside `gfard serve` does
    not end it. A database named by URL is never started or stopped.

    Raises
    ------
    ServiceError
        The private cluster does not start.
    CatalogError
        The database is away, refuses, or holds another pgSTAC.
    """
    if settings.database_url is None and settings.database_read_url is None:
        with Cluster(settings.cluster).running() as dsns:
            yield dsns
        return
    dsns = named_database(settings)
    if dsns.admin_dsn:
        prepare_database(dsns)
    else:
        check_version(dsns.read_dsn)
    yield dsns


def named_database(settings: InfraSettings) -> Dsns:
    """URLs of a database that is not ours to start.

    Logins without a URL of their own get one from the owner's, with a generated password kept
    in the data folder. Without an owner's URL, purposes that have no URL are left empty.
    """
    owner = _text(settings.database_url)
    given = {
        READ_LOGIN: _text(settings.database_read_url),
        INGEST_LOGIN: _text(settings.database_ingest_url),
        COUNTERS_LOGIN: _text(settings.database_counters_url),
    }
    if owner and not all(given.values()):
        passwords = _passwords(settings.data / "logins.json")
        given = {
            login: url or _as_login(owner, login, passwords[login]) for login, url in given.items()
        }
    return Dsns(given[READ_LOGIN], given[INGEST_LOGIN], given[COUNTERS_LOGIN], owner)


def ingest_dsn(dsns: Dsns) -> str:
    """URL of the ingest login.

    Raises
    ------
    CatalogError
        None is known here.
    """
    if not dsns.ingest_dsn:
        raise CatalogError(
            "no login that may write: set GFARD_DATABASE_INGEST_URL, or GFARD_DATABASE_URL to the "
            "owner of the database"
        )
    return dsns.ingest_dsn


def _text(url: SecretStr | None) -> str:
    return url.get_secret_value() if url else ""


def _as_login(owner: str, login: str, password: str) -> str:
    """Write the owner's URL anew for another login of the same database."""
    parts = conninfo_to_dict(owner)
    host, port, name = parts.get("host"), parts.get("port") or 5432, parts.get("dbname")
    if not host or not name:
        raise CatalogError(
            "GFARD_DATABASE_URL lacks a host or a database name: wanted "
            "postgresql://owner:password@host:5432/name"
        )
    return f"postgresql://{login}:{password}@{host}:{port}/{name}"


def _passwords(path: Path) -> dict[str, str]:
    """Read the passwords of the logins; they are made once."""
    if not path.exists():
        made = {
            login: secrets.token_urlsafe(24) for login in (READ_LOGIN, INGEST_LOGIN, COUNTERS_LOGIN)
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(made))
    content: dict[str, str] = json.loads(path.read_text())
    return content
