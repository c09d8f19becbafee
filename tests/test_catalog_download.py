"""Downloads end with right files or a reason, whatever the connection and the server do."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from catalog import fetch
from catalog.download import Outcome, Status, download, new_client
from catalog.errors import DownloadError
from catalog.folder import FolderStore
from catalog.manifest import RemoteFile
from catalog.web.files import files_app

SIZE = 1_000_000


@dataclass
class Site:
    """The file service, with the misfortunes that a test wants, and what was asked of it."""

    root: Path
    url: str = ""
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off."""
    statuses: list[int] = field(default_factory=list)
    """Statuses of the next answers."""
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._app = files_app(FolderStore(self.root))

    def add(self, name: str, seed: int = 1) -> RemoteFile:
        """Put a file there."""
        content = seed.to_bytes(4, "big") * (SIZE // 4)
        (self.root / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return RemoteFile(f"{self.url}/{name}", name, SIZE, digest)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append({key.decode(): value.decode() for key, value in scope["headers"]})
        if self.statuses:
            status = self.statuses.pop(0)
            headers = {"Retry-After": "0"}
            await PlainTextResponse("no", status, headers)(scope, receive, send)
            return
        left = self.cut_after.pop(0) if self.cut_after else None

        async def cut(message: Message) -> None:
            nonlocal left
            if left is not None and message["type"] == "http.response.body":
                body = message["body"][:left]
                left -= len(body)
                await send({**message, "body": body, "more_body": True})
                if left == 0:
                    raise ConnectionAbortedError
                return
            await send(message)

        await self._app(scope, receive, cut)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    (tmp_path / "store").mkdir()
    site = Site(tmp_path / "store")
    config = uvicorn.Config(site, port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    site.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    monkeypatch.setattr(fetch, "_FIRST_PAUSE_S", 0.001)
    yield site
    server.should_exit = True
    thread.join()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with new_client(4) as client:
        yield client


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _one(file: RemoteFile, out: Path, client: httpx.Client) -> Outcome:
    (outcome,) = download([file], out, client, jobs=1)
    return outcome


def test_files_come_in_parallel_and_stay(site: Site, client: httpx.Client, tmp_path: Path) -> None:
    files = [site.add(f"{number}.tiff", number) for number in range(9)]
    out = tmp_path / "out"
    received: list[int] = []
    outcomes = download(files, out, client, jobs=4, received=received.append)
    assert [outcome.file for outcome in outcomes] == files
    assert {outcome.status for outcome in outcomes} == {Status.FETCHED}
    assert sum(received) == 9 * SIZE
    assert _names(out) == sorted(file.name for file in files)
    assert all(_sha256(out / file.name) == file.sha256 for file in files)
    site.asked.clear()
    again = download(files, out, client, jobs=4)
    assert {outcome.status for outcome in again} == {Status.PRESENT}
    assert site.asked == []


def test_a_broken_connection_goes_on_where_it_broke(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    file = site.add("a.tiff")
    site.cut_after = [300_000, 200_000]
    assert _one(file, tmp_path / "out", client).status is Status.FETCHED
    assert _sha256(tmp_path / "out" / "a.tiff") == file.sha256
    assert [asked.get("range") for asked in site.asked] == [
        None, "bytes=300000-", "bytes=500000-",
    ]  # fmt: skip
    assert site.asked[1]["if-range"]


def test_a_later_run_goes_on_too(site: Site, client: httpx.Client, tmp_path: Path) -> None:
    file = site.add("a.tiff")
    out = tmp_path / "out"
    out.mkdir()
    stop = threading.Event()

    def stop_soon(count: int) -> None:
        if count:
            stop.set()

    with pytest.raises(fetch.StoppedError):
        fetch.fetch(file, out / "a.tiff", client, stop, stop_soon)
    begun = (out / "a.tiff.part").stat().st_size
    assert 0 < begun < SIZE
    assert _one(file, out, client).status is Status.FETCHED
    assert site.asked[-1]["range"] == f"bytes={begun}-"
    assert _names(out) == ["a.tiff"]


def test_a_file_that_changed_meanwhile_is_begun_anew(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    site.add("a.tiff", 1)
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.tiff.part").write_bytes(b"old version")
    (out / "a.tiff.part.tag").write_text('"its tag"')
    file = site.add("a.tiff", 2)
    unchecked = replace(file, sha256=None)
    assert _one(unchecked, out, client).status is Status.FETCHED
    assert _sha256(out / "a.tiff") == file.sha256
    assert site.asked[0]["if-range"] == '"its tag"'


def test_a_wrong_part_is_found_by_its_checksum(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    file = site.add("a.tiff")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.tiff.part").write_bytes(b"wrong")
    assert _one(file, out, client).status is Status.FETCHED
    assert _sha256(out / "a.tiff") == file.sha256
    assert [asked.get("range") for asked in site.asked] == ["bytes=5-", None]


def test_a_file_that_is_not_what_was_announced_is_missing(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    file = site.add("a.tiff")
    out = tmp_path / "out"
    wrong = _one(replace(file, sha256="0" * 64), out, client)
    assert (wrong.status, _names(out)) == (Status.MISSING, [])
    assert "SHA-256" in wrong.reason
    assert len(site.asked) == 2, "what stays wrong is not fetched for ever"
    for size in (1000, SIZE + 1):
        other = _one(replace(file, size=size), out, client)
        assert other.reason == f"the server sends 1000000 bytes, {size} are announced"
    (out / "a.tiff.part").write_bytes(bytes(SIZE))
    other = _one(replace(file, size=SIZE + 1), out, client)
    assert other.reason == f"the server sends 1000000 bytes, {SIZE + 1} are announced"


def test_a_complete_part_of_unknown_size_is_taken(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    file = site.add("a.tiff")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.tiff.part").write_bytes((site.root / "a.tiff").read_bytes())
    assert _one(replace(file, size=None), out, client).status is Status.FETCHED
    (out / "b.tiff.part").write_bytes(bytes(SIZE + 1))
    longer = replace(site.add("b.tiff"), size=None)
    assert _one(longer, out, client).status is Status.FETCHED
    assert _sha256(out / "b.tiff") == longer.sha256


def test_a_damaged_file_is_fetched_again(site: Site, client: httpx.Client, tmp_path: Path) -> None:
    file = site.add("a.tiff")
    out = tmp_path / "out"
    _one(file, out, client)
    with (out / "a.tiff").open("r+b") as damaged:
        damaged.write(b"x")
    assert _one(file, out, client).status is Status.FETCHED
    assert _sha256(out / "a.tiff") == file.sha256


def test_passing_refusals_are_waited_out_and_others_reported(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    site.statuses = [503, 429, 500]
    assert _one(site.add("a.tiff"), tmp_path, client).status is Status.FETCHED
    assert len(site.asked) == 4
    site.statuses = [403]
    assert _one(site.add("b.tiff"), tmp_path, client).reason == "403 Forbidden"
    site.statuses = [503] * 100
    assert _one(site.add("c.tiff"), tmp_path, client).reason == "503 Service Unavailable"
    assert len(site.statuses) == 94


def test_one_missing_file_does_not_stop_the_others(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    there = [site.add("a.tiff"), site.add("b.tiff")]
    gone = RemoteFile(f"{site.url}/gone.tiff", "gone.tiff", None, None)
    away = RemoteFile("http://127.0.0.1:1/x.tiff", "x.tiff", None, None)
    outcomes = download([gone, there[0], away, there[1]], tmp_path, client, jobs=2)
    statuses = [outcome.status for outcome in outcomes]
    assert statuses == [Status.MISSING, Status.FETCHED, Status.MISSING, Status.FETCHED]
    assert outcomes[0].reason == "404 Not Found"
    assert "refused" in outcomes[2].reason


def test_a_folder_that_cannot_be_is_one_line(client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="wanted a folder"):
        download([], tmp_path / "file", client)


def test_nothing_is_fetched_when_one_name_escapes(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    files = [site.add("a.tiff"), RemoteFile(f"{site.url}/a.tiff", "../a.tiff", None, None)]
    with pytest.raises(DownloadError, match="nothing was fetched"):
        download(files, tmp_path / "out", client)
    assert site.asked == []
