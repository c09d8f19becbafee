"""Fixtures that several rooms share: real imagery, STAC schemas and the database."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG

from catalog.errors import ServiceError
from infra.binaries import choose, installed
from infra.postgres import Cluster
from infra.roles import Dsns

PATIENCE_S = 120.0
"""Longest wait of any test: shared machines sometimes stand still for a minute."""
for _part in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _part, PATIENCE_S)  # httpx itself gives up after 5 s


def _folder(setting: str, what: str) -> Path:
    value = os.environ.get(setting)
    if not value:
        pytest.skip(f"{setting} is not set: it names the folder with {what}")
    path = Path(value)
    if not path.is_dir():
        pytest.fail(f"{setting}={value} is not a folder; it must hold {what}")
    return path


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder with the real imagery, which is never part of the repository."""
    return _folder("GFARD_TEST_DATA", "the real labelled imagery")


@pytest.fixture(scope="session")
def stac_schemas() -> Path:
    """Folder with the STAC JSON schemas and their index.json."""
    return _folder("GFARD_STAC_SCHEMAS", "the STAC JSON schemas")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Dsns]:
    """PostgreSQL of this test run."""
    try:
        choose(None, installed())
    except ServiceError as reason:
        pytest.skip(str(reason))
    folder = Path(tempfile.mkdtemp(prefix="gfard-test-", dir="/tmp"))
    folder.chmod(0o755)  # a server started by root runs under another account
    server = Cluster(folder / "postgres", durable=False)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def postgres(cluster: Dsns) -> Dsns:
    """Empty catalogue for a module: read_dsn, ingest_dsn, counters_dsn, admin_dsn."""
    with psycopg.connect(cluster.ingest_dsn) as connection:
        connection.execute(
            "SELECT delete_collection(c ->> 'id') FROM jsonb_array_elements(all_collections()) c"
        )
    return cluster
