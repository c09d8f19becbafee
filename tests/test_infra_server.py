"""Composition, proxying, supervision and the portal's headers."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
import uvicorn
from psycopg.types.json import Jsonb
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.errors import CatalogError, ServiceError
from infra.binaries import installed
from infra.dispatch import Dispatcher, Mount, lifespan
from infra.postgres import Cluster
from infra.proxy import Proxy
from infra.roles import Dsns
from infra.server import _compare_addresses, listen
from infra.settings import InfraSettings
from infra.site import site_app
from infra.supervise import Command, supervise


def _echo(name: str, events: list[str]) -> Starlette:
    """Application that says what it was asked, and notes its start and end."""

    @contextlib.asynccontextmanager
    async def around(app: Starlette) -> AsyncIterator[None]:
        events.append(f"{name} starts")
        yield
        events.append(f"{name} ends")

    async def echo(request: Request) -> JSONResponse:
        body = await request.body()
        return JSONResponse(
            {
                "name": name,
                "path": request.scope["path"],
                "raw_path": request.scope["raw_path"].decode(),
                "root_path": request.scope["root_path"],
                "link": str(request.url_for("echo", path="there")),
                "query": request.url.query,
                "method": request.method,
                "body": body.decode(),
                "headers": dict(request.headers),
            }
        )

    async def count(request: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for n in range(3):
                yield b"%d\n" % n

        return StreamingResponse(parts(), headers={"X-Kept": "yes"})

    routes = [
        Route("/count", count),
        Route("/{path:path}", echo, name="echo", methods=["GET", "POST"]),
    ]
    return Starlette(routes=routes, lifespan=around)


def _ask(app: ASGIApp, ask: Callable[[httpx.AsyncClient], object], host: str = "site") -> object:
    """Run one conversation with an application, its lifespan around it."""

    async def talk() -> object:
        async with lifespan(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await ask(client)  # type: ignore[misc]

    return asyncio.run(talk())


@contextlib.contextmanager
def _served(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a loopback port from a thread."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def test_each_application_answers_below_its_prefix_and_writes_whole_links() -> None:
    events: list[str] = []
    app = Dispatcher(
        [
            Mount("/stac", _echo("stac", events)),
            Mount("/tiles", _echo("tiles", events)),
            Mount("", _echo("site", events)),
        ]
    )

    async def ask(client: httpx.AsyncClient) -> None:
        stac = (await client.get("/stac/search?limit=1")).json()
        assert stac["name"] == "stac"
        assert (stac["path"], stac["root_path"]) == ("/stac/search", "/stac")
        assert stac["link"] == "http://site/stac/there"
        assert stac["query"] == "limit=1"
        assert (await client.get("/stac")).json()["link"] == "http://site/stac/there"
        assert (await client.get("/tiles/1/2/3")).json()["name"] == "tiles"
        assert (await client.get("/stacks")).json()["name"] == "site"
        assert (await client.get("/")).json()["link"] == "http://site/there"

    _ask(app, ask)
    assert events == [
        *("stac starts", "tiles starts", "site starts"),
        *("site ends", "tiles ends", "stac ends"),
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CatalogError("no database here"), "^no database here$"),
        (KeyError("surprise"), r"Traceback(.|\n)*KeyError: 'surprise'"),
    ],
)
def test_an_application_that_cannot_start_stops_the_whole(error: Exception, said: str) -> None:
    events: list[str] = []

    @contextlib.asynccontextmanager
    async def broken(app: Starlette) -> AsyncIterator[None]:
        if events:
            raise error
        yield

    app = Dispatcher([Mount("/a", _echo("a", events)), Mount("", Starlette(lifespan=broken))])
    with pytest.raises(ServiceError, match=said):
        _ask(app, lambda client: client.get("/"))
    assert events == ["a starts", "a ends"]


def test_an_application_without_a_lifespan_is_taken_as_it_is() -> None:
    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await JSONResponse({"ok": True})(scope, receive, send)

    async def ask(client: httpx.AsyncClient) -> None:
        assert (await client.get("/plain")).json() == {"ok": True}
        assert (await client.get("/other")).status_code == 404

    _ask(Dispatcher([Mount("/plain", plain)]), ask)


def test_the_proxy_passes_everything_on_but_the_connection() -> None:
    inner = Dispatcher([Mount("/tiles", _echo("tiles", []))])
    with _served(inner) as address:

        async def ask(client: httpx.AsyncClient) -> None:
            headers = {"Connection": "keep-alive, x-a", "X-Forwarded-Proto": "https", "X-A": "1"}
            answer = await client.post(
                "/tiles/a%20b%2Fc?x=1&y=%7C", content=b"body", headers=headers
            )
            said = answer.json()
            assert said["raw_path"] == "/tiles/a%20b%2Fc"
            assert said["query"] == "x=1&y=%7C"
            assert (said["method"], said["body"]) == ("POST", "body")
            assert said["link"] == "http://public.example/tiles/there"
            assert said["headers"]["x-forwarded-proto"] == "http", "a visitor is not believed"
            counted = await client.get("/tiles/count")
            assert counted.text == "0\n1\n2\n"
            assert counted.headers["x-kept"] == "yes"
            assert len(counted.headers.get_list("date")) <= 1

        _ask(Dispatcher([Mount("/tiles", Proxy(address))]), ask, host="public.example")


def test_the_proxy_answers_502_while_the_other_process_is_away() -> None:
    with listen("127.0.0.1", 0) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"

    async def ask(client: httpx.AsyncClient) -> None:
        answer = await client.get("/tiles/x")
        assert answer.status_code == 502
        assert answer.headers["retry-after"] == "1"

    _ask(Proxy(address), ask)


def test_the_proxy_asks_again_where_a_kept_connection_was_being_closed() -> None:
    def closing(listener: socket.socket) -> None:
        """Answer the first request of each connection, and close it at the second."""
        for _ in range(3):
            with listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                connection.recv(65536)

    async def ask(client: httpx.AsyncClient) -> None:
        assert [(await client.get("/tiles")).status_code for _ in range(3)] == [200, 200, 200]

    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=closing, args=(listener,), daemon=True)
        thread.start()
        _ask(Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}"), ask)
        thread.join()


def test_a_visitor_who_leaves_ends_the_request() -> None:
    with listen("127.0.0.1", 0) as silent:
        silent.settimeout(120)
        proxy = Proxy(f"http://127.0.0.1:{silent.getsockname()[1]}")
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/tiles",
            "query_string": b"",
            "headers": [],
            "scheme": "http",
        }
        messages = iter(({"type": "http.request"}, {"type": "http.disconnect"}))

        async def receive() -> Message:
            await asyncio.sleep(0.05)
            return next(messages)

        async def send(message: Message) -> None:
            pytest.fail(f"nobody is there to get {message}")

        asyncio.run(asyncio.wait_for(proxy(scope, receive, send), 120))


def test_the_proxy_answers_504_when_the_other_process_hangs() -> None:
    with listen("127.0.0.1", 0) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"

        async def ask(client: httpx.AsyncClient) -> None:
            assert (await client.get("/tiles/x")).status_code == 504

        _ask(Proxy(address, timeout_s=0.2), ask)


def test_a_taken_port_is_one_line_that_says_what_to_do() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ServiceError, match=rf"port {port} .*taken.*--port") as raised,
            listen("127.0.0.1", port),
        ):
            pass
    assert "\n" not in str(raised.value)


def test_the_portal_is_kept_by_browsers_as_long_as_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets/index-abc.js").write_text("1" * 5000)
    (tmp_path.parent / "secret.txt").write_text("secret")
    app = site_app(title="Title", address="https://ard.example", portal=tmp_path)

    async def ask(client: httpx.AsyncClient) -> None:
        page = await client.get("/")
        assert page.text == "<!doctype html>"
        assert page.headers["cache-control"] == "no-cache"
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "img-src 'self' https://ard.example data: blob:" in policy
        script = await client.get("/assets/index-abc.js")
        assert "immutable" in script.headers["cache-control"]
        assert script.headers["content-encoding"] == "gzip"
        assert script.text == "1" * 5000
        plain = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        settings = (await client.get("/config.json")).json()
        assert settings["published"] == "https://ard.example"
        assert (await client.get("/config.json")).json()["title"] == "Title"
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        missing = await client.get("/assets/none.js")
        assert missing.status_code == 404
        assert "immutable" not in missing.headers.get("cache-control", "")
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"):
            assert "secret" not in (await client.get(path)).text

    _ask(app, ask)


def test_a_portal_that_is_not_built_says_so(tmp_path: Path) -> None:
    app = site_app(title="Title", address="https://ard.example", portal=tmp_path)

    async def ask(client: httpx.AsyncClient) -> None:
        answer = await client.get("/")
        assert answer.status_code == 503
        assert "make install" in answer.text

    _ask(app, ask)


def _waiting(folder: Path, name: str) -> Command:
    """Process that writes its number into a file and waits for the end of its input."""
    code = "import os, sys; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); sys.stdin.read()"
    arguments = (sys.executable, "-c", code, str(folder / name))
    return Command(name, arguments, os.environ)


def _numbers(path: Path, wanted: int) -> list[int]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        lines = path.read_text().split() if path.exists() else []
        if len(lines) >= wanted:
            return [int(line) for line in lines]
        time.sleep(0.02)
    pytest.fail(f"{path.name} was not started {wanted} times")


def test_a_dead_process_is_started_again_and_all_end_together(tmp_path: Path) -> None:
    stop = threading.Event()
    commands = [_waiting(tmp_path, "one"), _waiting(tmp_path, "two")]
    thread = threading.Thread(target=supervise, args=(commands, stop))
    thread.start()
    try:
        (first,) = _numbers(tmp_path / "one", 1)
        os.kill(first, signal.SIGKILL)
        second = _numbers(tmp_path / "one", 2)[1]
        assert psutil.pid_exists(second)
        (other,) = _numbers(tmp_path / "two", 1)
    finally:
        stop.set()
        thread.join(120)
    assert not thread.is_alive()
    assert not psutil.pid_exists(second)
    assert not psutil.pid_exists(other)


def test_a_process_that_always_dies_is_given_up_and_the_others_end(tmp_path: Path) -> None:
    dying = Command("dying", (sys.executable, "-c", "raise SystemExit(3)"), os.environ)
    with pytest.raises(ServiceError, match=r"dying ended 3 times.*code 3"):
        supervise([_waiting(tmp_path, "well"), dying], threading.Event())
    (well,) = _numbers(tmp_path / "well", 1)
    assert not psutil.pid_exists(well)


def test_settings_keep_owner_and_ingest_login_from_public_workers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GFARD_DATABASE_URL", "postgresql://owner:s3cret@h:1/d")
    monkeypatch.setenv("GFARD_DATABASE_INGEST_URL", "postgresql://ingest:s3cret@h:1/d")
    monkeypatch.setenv("GFARD_DATABASE_READ_URL", "postgresql://read:r@h:1/d")
    settings = InfraSettings(data=tmp_path)
    dsns = Dsns("postgresql://read:r@h:1/d", "i", "postgresql://counters:c@h:1/d", "a")
    environment = settings.for_workers(dsns, "http://here:1")
    assert not any("s3cret" in value for value in environment.values())
    assert environment["GFARD_DATABASE_READ_URL"] == dsns.read_dsn
    assert "s3cret" not in repr(settings)


def test_a_public_address_is_an_address() -> None:
    with pytest.raises(ValueError, match="http://"):
        InfraSettings(public_url="example.org")
    assert InfraSettings(public_url="https://example.org/").address(1) == "https://example.org"
    assert InfraSettings(host="0.0.0.0").address(8080) == "http://127.0.0.1:8080"
    assert InfraSettings(host="::1").address(8080) == "http://[::1]:8080"


@contextlib.contextmanager
def _platform(data: Path, *options: str) -> Iterator[tuple[psutil.Process, str]]:
    """Run `gfard serve` and wait until it prints its address."""
    environment = os.environ | {"GFARD_DATA": str(data), "GFARD_TILER_WORKERS": "1"}
    command = [sys.executable, "-m", "infra.cli", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                break
        else:
            pytest.fail(f"gfard serve ended: {''.join(said)}")
        yield psutil.Process(process.pid), found[0]
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


@pytest.fixture
def data() -> Iterator[Path]:
    """Data folder that the database's account reaches."""
    if not installed():
        pytest.skip("PostgreSQL is not installed")
    path = Path(tempfile.mkdtemp(prefix="gfard-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    Cluster(path / "postgres").stop()
    shutil.rmtree(path)


@pytest.mark.integration
def test_files_published_under_another_address_are_noticed(
    postgres: Dsns, caplog: pytest.LogCaptureFixture
) -> None:
    collection = {"id": "addresses", "links": []}
    item = {
        "id": "one",
        "type": "Feature",
        "stac_version": "1.1.0",
        "collection": "addresses",
        "geometry": {"type": "Point", "coordinates": [1.0, 2.0]},
        # Newest of all, so that a search finds it first.
        "properties": {"datetime": "2999-01-01T00:00:00Z"},
        "links": [],
        "assets": {"SR": {"href": "http://old.example/data/a.tiff"}},
    }
    with psycopg.connect(postgres.ingest_dsn, autocommit=True) as connection:
        connection.execute("SELECT create_collection(%s)", (Jsonb(collection),))
        try:
            connection.execute("SELECT create_item(%s)", (Jsonb(item),))
            _compare_addresses(postgres.read_dsn, "http://old.example")
            assert caplog.messages == []
            _compare_addresses(postgres.read_dsn, "http://new.example")
        finally:
            connection.execute("SELECT delete_collection('addresses')")
    (said,) = caplog.messages
    assert "http://old.example" in said
    assert "gfard publish" in said


def _workers(process: psutil.Process, part: str) -> list[psutil.Process]:
    return [child for child in process.children() if part in child.cmdline()]


def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.integration
@pytest.mark.slow
def test_the_platform_serves_everything_heals_and_stops_as_a_whole(data: Path) -> None:
    with _platform(data) as (process, address):
        with httpx.Client(base_url=address) as client:
            assert client.get("/healthz").json() == {"status": "ok"}
            links = {link["rel"]: link["href"] for link in client.get("/stac").json()["links"]}
            assert links["search"] == f"{address}/stac/search"
            assert client.get("/tiles/").json()["tiles"].startswith(f"{address}/tiles/collections/")
            assert client.get("/data/none").status_code == 404
            (tiler,) = _workers(process, "tiler")
            tiler.kill()
            assert client.get("/tiles/healthz").status_code in (200, 502)
            _until(lambda: client.get("/tiles/healthz").status_code == 200, "the tiler came back")
        children = process.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        _until(lambda: not any(child.is_running() for child in children), "all have ended")
    assert Cluster(data / "postgres").status().state == "stopped"


@pytest.mark.integration
@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_supervisor(data: Path) -> None:
    with _platform(data) as (process, _):
        workers = _workers(process, "catalog") + _workers(process, "tiler")
        assert len(workers) == 2
        process.kill()
        _until(lambda: not any(worker.is_running() for worker in workers), "workers have ended")


@pytest.mark.integration
@pytest.mark.slow
def test_one_process_serves_all_parts_for_tests(data: Path) -> None:
    with _platform(data, "--single") as (process, address):
        assert _workers(process, "tiler") == []
        for path in ("/healthz", "/stac/collections", "/tiles/healthz"):
            assert httpx.get(address + path).status_code == 200, path
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    assert Cluster(data / "postgres").status().state == "stopped"


def test_answers_do_not_wait_for_acknowledgements():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
