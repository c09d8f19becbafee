"""What the doctor sees, and what it advises."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra import doctor
from infra.binaries import PostgresBinaries
from infra.cli import app
from infra.settings import InfraSettings


def _named(findings: list[doctor.Finding], name: str) -> doctor.Finding:
    (finding,) = (finding for finding in findings if finding.name.startswith(name))
    return finding


def test_everything_missing_has_a_way_to_get_it(tmp_path: Path) -> None:
    for finding in doctor.examine(InfraSettings(data=tmp_path)):
        assert finding.ok or finding.hint, finding.name
        assert finding.found, finding.name
    assert list(tmp_path.iterdir()) == [], "looking changes nothing"


def test_a_postgresql_without_postgis_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = PostgresBinaries(Path("/usr/lib/postgresql/16/bin"), 16, postgis=False)
    monkeypatch.setattr(doctor, "installed", lambda: [bare])
    finding = _named(doctor.examine(InfraSettings(data=tmp_path)), "PostgreSQL")
    assert not finding.ok
    assert "16 without PostGIS" in finding.found
    assert "postgresql-15-postgis-3" in finding.hint
    assert "GFARD_DATABASE_URL" in finding.hint


def test_a_database_of_ones_own_needs_no_postgresql_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "installed", list)
    monkeypatch.setenv("GFARD_DATABASE_URL", "postgresql://a:b@c/d")
    assert _named(doctor.examine(InfraSettings(data=tmp_path)), "PostgreSQL").ok


def test_a_missing_library_makes_the_command_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GFARD_DATA", str(tmp_path))
    monkeypatch.setattr(doctor, "_LIBRARIES", {"no-such-distribution": "everything"})
    answer = CliRunner().invoke(app, ["doctor", "--json"])
    assert answer.exit_code == 1
    missing = [finding for finding in json.loads(answer.stdout) if not finding["ok"]]
    assert "no-such-distribution" in [finding["name"] for finding in missing]


def test_a_full_disk_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_ROOM_GB", 1e9)
    finding = _named(doctor.examine(InfraSettings(data=tmp_path / "none/yet")), "room")
    assert not finding.ok
    assert "GFARD_DATA" in finding.hint
