"""A database of one's own, named by its URL."""

import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from catalog.errors import CatalogError
from infra.database import database, ingest_dsn, named_database
from infra.roles import Dsns, prepare_database
from infra.settings import InfraSettings

OWNER = "postgresql://owner:pw@db.example:5433/site"


@pytest.fixture
def empty_database(postgres: Dsns) -> Iterator[str]:
    """URL of an empty database as its owner; logins are put back to their passwords after."""
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE other")
    try:
        yield postgres.admin_dsn.rpartition("/")[0] + "/other"
    finally:
        with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
            connection.execute("DROP DATABASE other WITH (FORCE)")
        prepare_database(postgres)


@pytest.mark.integration
def test_an_empty_database_is_made_ready_once(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFARD_DATABASE_URL", empty_database)
    settings = InfraSettings(data=tmp_path)
    with database(settings) as first, psycopg.connect(first.read_dsn) as connection:
        found = connection.execute("SELECT current_user, (search('{}'))->>'type'").fetchone()
        assert found == ("gfard_read", "FeatureCollection")
    with database(settings) as second:
        assert second == first
    assert stat.S_IMODE((tmp_path / "logins.json").stat().st_mode) == 0o600
    assert not settings.cluster.exists(), "no private cluster is made"

    monkeypatch.delenv("GFARD_DATABASE_URL")
    monkeypatch.setenv("GFARD_DATABASE_READ_URL", first.read_dsn)
    with database(InfraSettings(data=tmp_path / "public")) as public:
        assert public.read_dsn == first.read_dsn
        assert public.admin_dsn == ""
        with pytest.raises(CatalogError, match="GFARD_DATABASE_INGEST_URL"):
            ingest_dsn(public)

    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("COMMENT ON SCHEMA gfard IS 'of an earlier version'")
    with (
        pytest.raises(CatalogError, match=r"own tables.*gfard db prepare"),
        database(InfraSettings(data=tmp_path / "public")),
    ):
        pass


@pytest.mark.integration
def test_a_database_without_pgstac_says_what_to_run(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFARD_DATABASE_READ_URL", empty_database)
    with (
        pytest.raises(CatalogError, match=r"holds pgSTAC none, wanted 0\.10\.0.*gfard db prepare"),
        database(InfraSettings(data=tmp_path)),
    ):
        pass


def test_logins_keep_host_port_and_name_of_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFARD_DATABASE_URL", OWNER)
    dsns = named_database(InfraSettings(data=tmp_path))
    users = []
    for dsn in (dsns.read_dsn, dsns.ingest_dsn, dsns.counters_dsn, dsns.admin_dsn):
        parts = conninfo_to_dict(dsn)
        users.append(parts["user"])
        place = parts["host"], str(parts["port"]), parts["dbname"]
        assert place == ("db.example", "5433", "site")
    assert users == ["gfard_read", "gfard_ingest", "gfard_counters", "owner"]
    assert len({conninfo_to_dict(dsn)["password"] for dsn in (dsns.read_dsn, dsns.ingest_dsn)}) == 2


def test_a_login_with_a_url_of_its_own_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFARD_DATABASE_URL", OWNER)
    monkeypatch.setenv("GFARD_DATABASE_READ_URL", "postgresql://reader:r@db.example:5433/site")
    dsns = named_database(InfraSettings(data=tmp_path))
    assert conninfo_to_dict(dsns.read_dsn)["user"] == "reader"
    assert conninfo_to_dict(dsns.ingest_dsn)["user"] == "gfard_ingest"


def test_a_url_without_a_name_shows_how_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFARD_DATABASE_URL", "postgresql://owner:pw@db.example")
    with pytest.raises(CatalogError, match="postgresql://owner:password@host:5432/name") as raised:
        named_database(InfraSettings(data=tmp_path))
    assert "pw@" not in str(raised.value)
