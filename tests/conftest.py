"""Fixtures that several rooms share: real imagery, STAC schemas and the database."""

import os
from pathlib import Path

import pytest


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
