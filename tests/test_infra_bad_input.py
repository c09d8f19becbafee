"""Bad input through the real command: one clear line, code 1, nothing left behind.

A damaged package is made from a good one that the same command turns into a product.
"""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from catalog.store import SCENES
from infra.cli import app, main
from processing import sensors
from tests.l1a_packages import (
    GF1_SCENE,
    member,
    pack,
    pixels_of,
    write_image,
    write_scene,
)

SCENE = replace(GF1_SCENE, size=(160, 160), reach=(0.0125, 0.0115))
"""Real pixels of 16 m, so that the scene lies inside one tile."""

Damage = Callable[[Path], Path]
"""Spoils the unpacked scene in a folder and gives the package to be processed."""


@dataclass(frozen=True)
class Place:
    """A machine's folders: packages come from ``inbox``, and nothing may stay in ``scratch``."""

    inbox: Path
    store: Path
    scratch: Path

    def left(self) -> list[str]:
        """Files left by a run: all of the scratch folder, and whatever is in the store."""
        found = [*self.scratch.rglob("*"), *self.store.rglob("*")]
        return [str(path) for path in found if not path.is_dir()]

    def environment(self) -> dict[str, str]:
        return {
            "GFARD_DATA": str(self.store.parent),
            "GFARD_PROCESS_MINIMUM_VALID_PERCENT": "0.01",
            "GFARD_PROCESS_NETWORK": "false",
            "TMPDIR": str(self.scratch),
        }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    found = Place(tmp_path / "inbox", tmp_path / "data" / "store", tmp_path / "scratch")
    found.inbox.mkdir()
    found.scratch.mkdir()
    for name, value in found.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", str(found.scratch))
    return found


def process(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["process", *map(str, arguments)])


def said(result: Result) -> str:
    """Return the only line of a run that failed as it should."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert result.stdout == ""
    line, *more = result.stderr.splitlines()
    assert more == []
    assert line.startswith("error: ")
    return line


def items_in(store: Path) -> set[str]:
    """Return the ids of the products in a store, all of them whole."""
    items = [path for path in store.rglob("*.json") if path.parent.name != SCENES]
    assert {len(list(item.parent.iterdir())) for item in items} <= {8}
    return {item.stem for item in items}


# --- packages ---------------------------------------------------------------------------------


def truncated(folder: Path) -> Path:
    archive = pack(folder, "tar.gz")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    return archive


def leaving(folder: Path) -> Path:
    archive = pack(folder, "tar")
    with tarfile.open(archive, "a") as tar:
        tar.addfile(member("../../escaped.txt"), io.BytesIO(b"x"))
    return archive


def linked(folder: Path) -> Path:
    archive = pack(folder, "tar")
    with tarfile.open(archive, "a") as tar:
        tar.addfile(member(f"{SCENE.name}.rpb.link", kind=tarfile.SYMTYPE))
    return archive


def with_entities(folder: Path) -> Path:
    path = folder / f"{SCENE.name}.xml"
    head = '<!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/passwd">]><ProductMetaData>'
    path.write_text(path.read_text().replace("<ProductMetaData>", head).replace(">7<", ">&e;<"))
    return pack(folder, "tar.gz")


def without_rpb(folder: Path) -> Path:
    (folder / f"{SCENE.name}.rpb").unlink()
    return pack(folder, "tar.gz")


def of_another_size(folder: Path) -> Path:
    write_image(folder / f"{SCENE.name}.tiff", pixels_of(SCENE)[:, :150])
    return pack(folder, "tar.gz")


def all_zero(folder: Path) -> Path:
    write_image(folder / f"{SCENE.name}.tiff", np.zeros((4, 160, 160), np.uint16))
    return pack(folder, "tar.gz")


def of_unknown_sensor(folder: Path) -> Path:
    for path in folder.iterdir():
        path.rename(folder / path.name.replace("GF1_WFV1", "GF2_PMS1"))
    return pack(folder, "tar.gz")


def absent(folder: Path) -> Path:
    return folder.with_name("absent.tar.gz")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncated, ("scene.tar.gz", "truncated", "fetch it again")),
        (leaving, ("scene.tar", "'../../escaped.txt'", "would leave the folder")),
        (linked, ("scene.tar", f"'{SCENE.name}.rpb.link'", "plain files wanted")),
        (with_entities, ("scene.tar.gz", f"{SCENE.name}.xml", "plain XML wanted")),
        (without_rpb, ("scene.tar.gz", f"{SCENE.name}.rpb is missing")),
        (of_another_size, ("scene.tar.gz", "160 x 160", "160 x 150", "fetch the package again")),
        (all_zero, ("scene.tar.gz", f"{SCENE.name}.tiff", "every pixel is 0", "fetch")),
        (of_unknown_sensor, ("scene.tar.gz", "'GF2PMS1'", "known: GF1WFV1, ")),
        (absent, ("absent.tar.gz", "no such file", "wanted")),
    ],
)
def test_a_bad_package_is_one_line_and_leaves_nothing(
    place: Place, damage: Damage, words: tuple[str, ...]
) -> None:
    line = said(process(damage(write_scene(place.inbox / "scene", SCENE))))
    for word in words:
        assert word in line
    assert place.left() == []
    assert not place.store.exists()
    assert not list(place.inbox.parent.rglob("escaped.txt"))


def test_a_bad_package_among_others_does_not_stop_them(place: Place) -> None:
    good = pack(write_scene(place.inbox / "good", SCENE), "tar.gz")
    bad = truncated(write_scene(place.inbox / "bad", SCENE))
    result = process(bad, good, place.inbox / "absent", "--json")
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["failed", "done", "failed"]
    assert "bad.tar.gz" in lines[0]["detail"]
    assert items_in(place.store) == set(lines[1]["items"])
    assert lines[1]["items"]
    assert list(place.scratch.iterdir()) == []


# --- calibration ------------------------------------------------------------------------------


def test_a_year_without_table_takes_the_nearest_and_says_so_in_the_item(place: Place) -> None:
    late = replace(SCENE, name=SCENE.name.replace("2019", "2031"), utc=SCENE.utc.replace(year=2031))
    result = process(pack(write_scene(place.inbox / "late", late), "tar"), "--json")
    assert result.exit_code == 0
    assert "nearest year" in " ".join(json.loads(result.stdout)["warnings"])
    for path in place.store.glob("[!.]*/**/*.json"):
        assert "nearest year" in json.dumps(json.loads(path.read_text())["properties"])


def test_a_camera_without_any_table_is_one_line(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "_calibration_table", dict)
    line = said(process(pack(write_scene(place.inbox / "scene", SCENE), "tar")))
    assert "camera GF1WFV1 has no calibration table" in line
    assert place.left() == []


# --- stores -----------------------------------------------------------------------------------


@contextmanager
def small_volume(folder: Path, options: str) -> Iterator[Path]:
    """Mount a volume in memory on ``folder``; skips where that is not allowed."""
    folder.mkdir(parents=True)
    mounted = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a volume, and not everywhere")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def package(place: Place) -> Path:
    return pack(write_scene(place.inbox / "scene", SCENE), "tar.gz")


def test_a_file_in_the_way_of_the_store(place: Place, package: Path) -> None:
    place.store.parent.write_text("not a folder")
    line = said(process(package))
    assert str(place.store) in line
    assert "must be a folder that this user may write" in line
    assert list(place.scratch.iterdir()) == []


def test_a_read_only_store(place: Place, package: Path) -> None:
    with small_volume(place.store, "size=1m,ro"):
        line = said(process(package))
        assert f"store {place.store}" in line
        assert "Read-only file system" in line
        assert "this user may write" in line
    assert place.left() == []


@pytest.mark.parametrize("size", ["16k", "96k"])
def test_a_full_volume(place: Place, package: Path, size: str) -> None:
    with small_volume(place.store, f"size={size}"):
        line = said(process(package))
        assert f"store {place.store}" in line
        assert "free some space" in line
        assert place.left() == []
    assert list(place.scratch.iterdir()) == []


def test_a_full_scratch_volume(
    place: Place, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_volume(place.scratch / "small", "size=16k") as small:
        monkeypatch.setattr(tempfile, "tempdir", str(small))
        line = said(process(package))
        assert "scene.tar.gz" in line
        assert "free some space" in line
        assert list(small.iterdir()) == []
    assert not place.store.exists()


def test_no_scratch_folder_at_all(
    place: Place, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place.scratch / "gone"))
    line = said(process(package))
    assert str(place.scratch / "gone") in line
    assert "TMPDIR" in line


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let this process write no file beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [4_000, 40_000])
def test_a_limit_on_the_size_of_files(place: Place, package: Path, size: int) -> None:
    unpacked = place.inbox / "scene"
    assert process(unpacked, "--store", place.inbox / "warm").exit_code == 0  # fills caches
    with files_limited_to(size):
        line = said(process(unpacked))
    assert f"store {place.store}" in line
    assert "File too large" in line
    assert "file-size limit" in line
    assert place.left() == []
    with files_limited_to(size):
        line = said(process(package))
    assert "scene.tar.gz" in line
    assert "File too large" in line
    assert place.left() == []


# --- killed -----------------------------------------------------------------------------------


def ended_while_writing(place: Place, package: Path, number: signal.Signals) -> int:
    """Run the command in a process that gets a signal before its first product is whole."""
    code = (
        "import os, infra.cli, processing.tile\n"
        f"processing.tile.write_thumbnail = lambda *_: os.kill(os.getpid(), {int(number)})\n"
        "infra.cli.main()"
    )
    command = [sys.executable, "-c", code, "process", str(package)]
    environment = os.environ | place.environment()
    return subprocess.run(command, env=environment, timeout=300, check=False).returncode


def test_a_run_killed_while_it_writes_is_invisible_and_a_rerun_is_harmless(
    place: Place, package: Path
) -> None:
    assert ended_while_writing(place, package, signal.SIGKILL) == -signal.SIGKILL
    assert [path.name for path in place.store.iterdir()] == [".drafts"]
    assert process(package).exit_code == 0
    assert process(package).exit_code == 0
    assert items_in(place.store)
    assert list((place.store / ".drafts").iterdir()) == []
    checked = CliRunner().invoke(app, ["check", str(place.store)])
    assert checked.exit_code == 0, checked.stderr


def test_a_run_asked_to_end_cleans_up_behind_it(place: Place, package: Path) -> None:
    assert ended_while_writing(place, package, signal.SIGTERM) == 128 + signal.SIGTERM
    assert place.left() == []
    assert list(place.scratch.iterdir()) == []


# --- other commands ---------------------------------------------------------------------------


def run_main(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> str:
    """Run the command as installed and return the only line of an error."""
    monkeypatch.setattr(sys, "argv", ["gfard", *map(str, arguments)])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    return said.err


def test_publishing_a_store_that_is_not_there_makes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = run_main(monkeypatch, capsys, "publish", place.store)
    assert f"store {place.store} is not there" in line
    assert not place.store.parent.exists()


def test_simulating_into_a_place_that_is_no_folder(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.inbox / "file").touch()
    line = run_main(monkeypatch, capsys, "simulate", place.inbox / "file", "--centre", "1.1,45.5")
    assert f"{place.inbox / 'file'}: " in line


def test_an_option_is_named_as_it_was_given(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = run_main(monkeypatch, capsys, "process", "x", "--version", "a b")
    assert line.startswith("error: --version: ")
    assert "'a b'" in line
