"""Bulk downloads with the programs that people use, killed half way and run again."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from catalog.facts import describe_file
from catalog.folder import FolderStore
from catalog.item import build_item
from catalog.web.limits import PATIENCE_S
from infra.roles import Dsns
from tests.catalog_products import facts, write_product
from tests.demo_site import served_data

pytestmark = pytest.mark.integration

SIZE = 24_000_000
"""Bytes of the one large file: enough for a program to be killed on the way."""
FACTS = facts(time=datetime(2018, 7, 1, 3, tzinfo=UTC), version="DOWN")
LARGE = FACTS.id.file_name("SR")


@dataclass(frozen=True)
class Site:
    """A running platform with one product."""

    address: str
    digests: dict[str, str]

    def export(self, format: str) -> str:
        """Address of an export of the product."""
        return f"{self.address}/stac/export?format={format}&ids={FACTS.id}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, postgres: Dsns) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("download")
    store = FolderStore(data / "store")
    with store.draft(FACTS.id) as draft:
        files = write_product(draft.folder, FACTS)
        (draft.folder / LARGE).write_bytes(random.Random(6).randbytes(SIZE))
        digests = {file.path.name: _digest(file.path) for file in files}
        draft.commit(build_item(FACTS, [describe_file(file.key, file.path) for file in files]))
    with served_data(data, postgres, "/healthz", "--part", "catalog") as address:
        yield Site(address, digests)


def _installed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def _killed_half_way(
    command: Sequence[str], folder: Path, growing: Path, share: float = 0.5
) -> int:
    """Kill a program when a share of the large file is there; returns its bytes."""
    with subprocess.Popen(
        command,
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as program:
        deadline = time.monotonic() + 120
        while not growing.exists() or growing.stat().st_blocks * 512 < SIZE * share:
            assert program.poll() is None, program.communicate()[0].decode()
            assert time.monotonic() < deadline, f"{growing} does not grow"
            time.sleep(0.005)
        os.killpg(program.pid, signal.SIGKILL)
    return growing.stat().st_size


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    return {name: _digest(folder / name) for name in names}


def _save(site: Site, format: str, path: Path) -> Path:
    answer = httpx.get(site.export(format))
    answer.raise_for_status()
    path.write_bytes(answer.content)
    return path


@pytest.mark.parametrize(("format", "option"), [("aria2", "-i"), ("metalink", "-M")])
def test_aria2(site: Site, tmp_path: Path, format: str, option: str) -> None:
    command = [
        *(_installed("aria2c"), "--no-conf", "--continue=true", "--check-integrity=true"),
        *(
            "--file-allocation=none",
            "--split=1",
            f"{option}{_save(site, format, tmp_path / 'list')}",
        ),
    ]
    slow = [*command, "--max-download-limit=8M", "--auto-save-interval=1"]  # it notes how far it is
    _killed_half_way(slow, tmp_path, tmp_path / LARGE)
    told = _run([*command, "--log=-", "--log-level=info"], tmp_path)
    assert re.search(r"Range: bytes=[1-9]", told)
    assert _digests(tmp_path, list(site.digests)) == site.digests


def test_wget_and_sha256sum(site: Site, tmp_path: Path) -> None:
    urls = _save(site, "urls", tmp_path / "urls")
    command = [_installed("wget"), "--continue", "--no-verbose", f"--input-file={urls}"]
    begun = _killed_half_way([*command, "--limit-rate=16m"], tmp_path, tmp_path / LARGE)
    told = _run([*command, "--server-response"], tmp_path)
    assert "206 Partial Content" in told
    assert f"content-range: bytes {begun}-" in told.lower()
    sums = _save(site, "sha256sum", tmp_path / "sums")
    _run([_installed("sha256sum"), "--check", "--strict", str(sums)], tmp_path)
    assert _digests(tmp_path, list(site.digests)) == site.digests


def test_curl(site: Site, tmp_path: Path) -> None:
    url = httpx.get(site.export("urls") + "&assets=SR").text.strip()
    command = [_installed("curl"), "--silent", "--continue-at", "-", "--output", LARGE, url]
    begun = _killed_half_way([*command, "--limit-rate", "16M"], tmp_path, tmp_path / LARGE)
    told = _run([*command, "--write-out", "%{http_code} %{size_download}"], tmp_path)
    assert told == f"206 {SIZE - begun}"
    assert _digest(tmp_path / LARGE) == site.digests[LARGE]


def test_script(site: Site, tmp_path: Path) -> None:
    _installed("curl")
    script = _save(site, "curl", tmp_path / "get.sh")
    slow = ["env", f"CURL_HOME={tmp_path}", "sh", str(script)]
    (tmp_path / ".curlrc").write_text("limit-rate = 16M\n")
    _killed_half_way(slow, tmp_path, tmp_path / f"{LARGE}.part")
    _run(["sh", str(script)], tmp_path)
    assert _digests(tmp_path, list(site.digests)) == site.digests
    assert not list(tmp_path.glob("*.part"))
    (tmp_path / LARGE).unlink()
    (tmp_path / f"{LARGE}.part").write_bytes(bytes(SIZE))
    wrong = subprocess.run(["sh", str(script)], cwd=tmp_path, capture_output=True, check=False)
    assert wrong.returncode == 1
    assert b"wrong checksum" in wrong.stderr
    assert b"1 files are missing" in wrong.stderr


def _gfard(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "infra.cli", "download", *arguments]


def test_gfard(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = _gfard(f"{site.address}/stac/search?ids={FACTS.id}", "--out", str(out), "--json")
    _killed_half_way(command, Path.cwd(), out / f"{LARGE}.part", share=0.1)
    done = json.loads(_run(command, Path.cwd()))
    assert done["ok"] is True
    assert done["fetched"] + done["present"] == len(site.digests)
    assert _digests(out, list(site.digests)) == site.digests
    assert sorted(path.name for path in out.iterdir()) == sorted(site.digests)
    (out / LARGE).unlink()
    again = json.loads(_run(command, Path.cwd()))
    assert (again["fetched"], again["missing"]) == (1, [])


def test_gfard_says_what_is_missing(site: Site, tmp_path: Path) -> None:
    lines = [f"{site.address}/data/none.tiff", httpx.get(site.export("urls")).text.split()[0]]
    (tmp_path / "list").write_text("\n".join(lines))
    done = subprocess.run(
        _gfard(str(tmp_path / "list"), "--out", str(tmp_path / "out")),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "missing: none.tiff: 404 Not Found" in done.stderr
    assert "1 files fetched, 0 already there, 1 missing; run it again" in done.stderr


def test_slow_clients_do_not_hold_others_up(site: Site) -> None:
    host, _, port = site.address.removeprefix("http://").partition(":")
    path = httpx.get(site.export("urls") + "&assets=SR").text.strip().removeprefix(site.address)
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    sockets = [socket.create_connection((host, int(port))) for _ in range(60)]
    try:
        for number, connection in enumerate(sockets):
            connection.sendall(request if number % 2 else request[:-5])  # half never end asking
        # Well before a slow client's time is up.
        url = f"{site.address}/stac/export?format=urls&ids=none"
        assert httpx.get(url, timeout=PATIENCE_S / 2).status_code == 200
    finally:
        for connection in sockets:
            connection.close()


@pytest.mark.parametrize(
    "target",
    [
        "/data/../../../etc/passwd",
        "/data/..%2f..%2f..%2fetc/passwd",
        "/data/%2e%2e/%2e%2e/etc/passwd",
        "/data/..%5c..%5cetc%5cpasswd",
        "/data/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
        "/data//etc/passwd",
        "/data/gf1-wfv-ard/..;/..;/etc/passwd",
        "/data/.drafts/",
        "/data/%00",
        "/data/" + "../" * 500 + "etc/passwd",
        "http://127.0.0.1/data/../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_store(site: Site, target: str) -> None:
    host, _, port = site.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        # As it stands: clients of HTTP tidy paths up before they send them.
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert 400 <= int(answer.split()[1]) < 500
    assert b"root:" not in answer


def test_many_ranges_send_no_byte_twice(site: Site) -> None:
    url = httpx.get(site.export("urls") + "&assets=SR").text.strip()
    overlapping = ",".join(f"{first}-" for first in range(90))
    too_many = ",".join(f"{2 * first}-{2 * first}" for first in range(2000))
    for ranges in (overlapping, too_many):
        answer = httpx.get(url, headers={"Range": f"bytes={ranges}"})
        assert answer.status_code in (200, 206)
        assert len(answer.content) < 1.01 * SIZE
