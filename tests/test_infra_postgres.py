"""The private cluster: starting, crashing, coming back, and what each login may do."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from catalog.errors import CatalogError, ServiceError
from infra.account import Account, account_for
from infra.binaries import PostgresBinaries, choose, installed
from infra.postgres import Cluster
from infra.roles import Dsns, check_version, prepare_database

ITEM = {
    "id": "one",
    "type": "Feature",
    "stac_version": "1.1.0",
    "collection": "c",
    "geometry": {"type": "Point", "coordinates": [1.0, 2.0]},
    "bbox": [1.0, 2.0, 1.0, 2.0],
    "properties": {"datetime": "2020-01-01T00:00:00Z"},
    "links": [],
    "assets": {},
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short folder that other accounts may pass."""
    if not installed():
        pytest.skip("PostgreSQL is not installed")
    path = Path(tempfile.mkdtemp(prefix="gfard-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    Cluster(path / "postgres").stop()
    shutil.rmtree(path)


def _answers(dsns: Dsns) -> bool:
    with psycopg.connect(dsns.read_dsn) as connection:
        row = connection.execute("SELECT (search('{}'))->>'type'").fetchone()
    return row == ("FeatureCollection",)


@pytest.mark.integration
def test_it_starts_stops_and_comes_back_on_its_port(folder: Path) -> None:
    cluster = Cluster(folder / "postgres", durable=False)
    assert cluster.status().state == "absent"
    first = cluster.start()
    assert _answers(first)
    assert cluster.status().state == "running"
    assert cluster.stop()
    assert cluster.status().state == "stopped"
    assert not cluster.stop()
    with Cluster(folder / "postgres", durable=False).running() as again:
        assert again == first
        assert _answers(again)
    assert cluster.status().state == "stopped"
    (folder / "postgres").rename(folder / "moved")
    with Cluster(folder / "moved", durable=False).running() as moved:
        assert _answers(moved)


@pytest.mark.integration
def test_the_last_who_needs_it_stops_it_unless_it_was_started_to_stay(folder: Path) -> None:
    first, second = (Cluster(folder / "postgres", durable=False) for _ in range(2))
    with contextlib.ExitStack() as later:
        with first.running():
            later.enter_context(second.running())
        assert first.status().state == "running", "the second still needs it"
    assert first.status().state == "stopped"
    with first.running():
        second.start()
    assert first.status().state == "running"
    assert first.stop()


@pytest.mark.integration
def test_it_survives_a_killed_server_and_a_pid_file_of_another_program(folder: Path) -> None:
    cluster = Cluster(folder / "postgres")
    dsns = cluster.start()
    with psycopg.connect(dsns.ingest_dsn, autocommit=True) as connection:
        collection = '{"id": "c", "type": "Collection", "links": []}'
        connection.execute("SELECT create_collection(%s)", (collection,))
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 120
    while cluster.status().state == "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert cluster.start() == dsns, "a pid file of a dead server is no obstacle"

    pid = cluster.status().pid
    assert pid is not None
    cluster.stop()
    stale = folder / "postgres/data/postmaster.pid"
    other = subprocess.Popen(["sleep", "600"], cwd="/")
    try:
        stale.write_text(f"{other.pid}\n{folder}/postgres/data\n0\n5432\n/tmp\n127.0.0.1\n  1  1\n")
        assert cluster.status().state == "stopped"
        assert cluster.start() == dsns
        assert other.poll() is None, "the program that got the number is left alone"
    finally:
        other.kill()
        other.wait()
    with psycopg.connect(dsns.read_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM collections").fetchone() == (1,)


@pytest.mark.integration
def test_a_taken_port_is_replaced(folder: Path) -> None:
    cluster = Cluster(folder / "postgres", durable=False)
    cluster.start()
    before = cluster.status().port
    assert before is not None
    cluster.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", before))
        taken.listen()
        assert _answers(cluster.start())
    assert cluster.status().port != before


@pytest.mark.integration
def test_a_long_path_gets_a_short_socket(folder: Path) -> None:
    deep = folder.joinpath(*("a-rather-long-name-of-a-folder" for _ in range(4)))
    cluster = Cluster(deep / "postgres", durable=False)
    try:
        assert _answers(cluster.start())
    finally:
        cluster.stop()


@pytest.mark.integration
def test_a_folder_of_another_version_is_refused(folder: Path) -> None:
    data = folder / "postgres/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServiceError, match=r"made by PostgreSQL 9.*postgresql-9-postgis-3"):
        Cluster(folder / "postgres").start()
    assert sorted(path.name for path in data.iterdir()) == ["PG_VERSION"]


@pytest.mark.integration
def test_passwords_are_for_the_owner_alone(folder: Path) -> None:
    Cluster(folder / "postgres", durable=False).start()
    secrets = folder / "postgres/cluster.json"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert not (folder / "postgres/password").exists()
    with pytest.raises(CatalogError, match="password authentication failed"):
        check_version(_with_password(Cluster(folder / "postgres").start().read_dsn, "guess"))


@pytest.mark.integration
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT delete_collection('c')",
        "SELECT create_item('{}')",
        "UPDATE collections SET content = '{}'",
        "CREATE TABLE pgstac.t (a int)",
        "CREATE TABLE public.t (a int)",
    ],
)
def test_the_read_login_cannot_write(postgres: Dsns, statement: str) -> None:
    with (
        psycopg.connect(postgres.read_dsn) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


@pytest.mark.integration
def test_the_counters_login_sees_no_items(postgres: Dsns) -> None:
    with (
        psycopg.connect(postgres.counters_dsn) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM pgstac.items")


@pytest.mark.integration
def test_the_ingest_login_loads_what_the_read_login_finds(postgres: Dsns) -> None:
    from psycopg.types.json import Jsonb

    with psycopg.connect(postgres.ingest_dsn) as connection:
        connection.execute("SELECT create_collection(%s)", (Jsonb({"id": "c", "links": []}),))
        connection.execute("SELECT create_item(%s)", (Jsonb(ITEM),))
        connection.commit()
        with psycopg.connect(postgres.read_dsn) as reader:
            query = "SELECT search('{\"collections\": [\"c\"]}')->'features'->0->>'id'"
            assert reader.execute(query).fetchone() == ("one",)
        connection.execute("SELECT delete_collection('c')")


@pytest.mark.integration
def test_preparing_again_asks_only_whether_all_is_well(
    postgres: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        pytest.fail("nothing was to be changed")

    for step in ("_migrate", "_extend", "_ensure_login"):
        monkeypatch.setattr(f"infra.roles.{step}", fail)
    prepare_database(postgres)


def test_a_database_that_is_away_is_one_clear_error() -> None:
    dsn = "postgresql://someone:secret@127.0.0.1:1/gfard"
    with pytest.raises(CatalogError, match="port=1") as raised:
        prepare_database(Dsns(dsn, dsn, dsn, dsn))
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nothing_installed_names_the_package_and_the_alternative() -> None:
    without = PostgresBinaries(Path("/usr/lib/postgresql/16/bin"), 16, postgis=False)
    old = PostgresBinaries(Path("/usr/lib/postgresql/14/bin"), 14, postgis=True)
    with pytest.raises(ServiceError, match=r"postgresql-15-postgis-3.*GFARD_DATABASE_URL"):
        choose(None, [without, old])


def test_the_version_that_made_a_folder_is_preferred_over_the_newest() -> None:
    available = [PostgresBinaries(Path(f"/opt/{m}"), m, postgis=True) for m in (17, 16, 15)]
    assert choose(None, available).major == 17
    assert choose(16, available).major == 16


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands folders to another account")
def test_root_finds_out_which_folders_its_account_reaches(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    account = Account("nobody", nobody.pw_uid, nobody.pw_gid)
    outer = Path(tempfile.mkdtemp(prefix="gfard-test-", dir="/tmp"))
    try:
        outer.chmod(0o755)
        assert account.reaches(outer / "inner")
        outer.chmod(0o700)
        assert not account.reaches(outer / "inner")
        assert account_for(outer / "inner").uid != 0
    finally:
        outer.rmdir()


def _with_password(dsn: str, password: str) -> str:
    return psycopg.conninfo.make_conninfo(dsn, password=password)
