"""`gfard serve`: database, catalogue, portal, files and tiler behind one port."""

import errno
import logging
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import psycopg

from catalog.errors import ServiceError
from infra.database import database
from infra.parts import Part, Site, build
from infra.roles import Dsns
from infra.settings import InfraSettings
from infra.supervise import Command, supervise

_BACKLOG = 512
_READY_WITHIN_S = 120

_LOGGER = logging.getLogger(__name__)

# Tiles are read from local files whose folders need not be listed; a bad stored href reaches
# nothing but TIFFs. One thread a picture: a mosaic then stops reading once it is full. Few searches
# are kept, each with all its items.
TILER_ENVIRONMENT = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_CACHEMAX": "256",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif,.tiff",
    "RIO_TILER_MAX_THREADS": "1",
    "TITILER_PGSTAC_CACHE_MAXSIZE": "64",
}


def serve(
    settings: InfraSettings,
    *,
    single: bool = False,
    part: Part = Part.ALL,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve until interrupted (Ctrl-C, SIGTERM or SIGHUP), then stop everything started here.

    Parameters
    ----------
    settings
        Options of the platform.
    single
        Serve from this one process, instead of worker processes watched by it.
    part
        Serve only one part, in this process; for containers behind a front of their own.
    ready
        Called once with the address when the platform answers.

    Raises
    ------
    ServiceError
        Port taken, no database, or a process that does not stay alive.
    CatalogError
        The database cannot be brought to the wanted pgSTAC.
    """
    with listen(settings.host, settings.port) as listener, _stopped_by_signals() as stop:
        address = settings.address(listener.getsockname()[1])
        with database(settings) as dsns:
            _compare_addresses(dsns.read_dsn, address)
            _announce(listener, part, address, ready, stop)
            if stop.is_set():
                return
            if single or part is not Part.ALL:
                from infra.worker import run

                app = build(part, Site(settings, dsns.read_dsn, address, dsns.counters_dsn))
                run(app, listener, behind_front=part is not Part.ALL)
            else:
                _supervised(settings, dsns, address, listener, stop)


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Hold a listening TCP socket.

    Raises
    ------
    ServiceError
        The port is taken, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"cannot be used ({error.strerror})"
        raise ServiceError(
            f"port {port} of {host or 'this machine'} {reason}: choose another with --port or "
            "GFARD_PORT"
        ) from error
    with listener:
        # Accepted connections inherit it. asyncio asks for it only on sockets that name their
        # protocol, which `create_server` does not; without it each answer waits 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def _compare_addresses(read_dsn: str, address: str) -> None:
    """Warn when published files lie under another address than the one now served."""
    query = "SELECT (search('{\"limit\": 1}'))#>'{features,0,assets}'"
    with psycopg.connect(read_dsn) as connection:
        row = connection.execute(query).fetchone()
    assets = row[0] if row else None
    hrefs = [asset["href"] for asset in assets.values()] if assets else []
    if any(not href.startswith(f"{address}/") for href in hrefs):
        _LOGGER.warning(
            "published files lie under %s, but this is %s: set GFARD_PUBLIC_URL (or GFARD_PORT) "
            "and run `gfard publish` again",
            hrefs[0].partition("/data/")[0],
            address,
        )


def _supervised(
    settings: InfraSettings,
    dsns: Dsns,
    address: str,
    listener: socket.socket,
    stop: threading.Event,
) -> None:
    """Run catalogue and tiler as processes of their own.

    The sockets are held here, so that while a process is restarted its callers wait instead of
    being refused.
    """
    environment = settings.for_workers(dsns, address)
    with listen("127.0.0.1", 0) as tiles:
        tiles_address = f"http://127.0.0.1:{tiles.getsockname()[1]}"
        catalog = ("catalog", "--fd", str(listener.fileno()), "--tiles", tiles_address)
        tiler = ("tiler", "--fd", str(tiles.fileno()))
        commands = [
            Command(f"catalog {n}", _worker(*catalog), environment, (listener.fileno(),))
            for n in range(1, settings.catalog_workers + 1)
        ] + [
            Command(
                f"tiler {n}",
                _worker(*tiler),
                {**environment, **TILER_ENVIRONMENT},
                (tiles.fileno(),),
            )
            for n in range(1, settings.tiler_workers + 1)
        ]
        supervise(commands, stop)


def _worker(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "infra.worker", *arguments)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that the usual signals set; they no longer end the process at once."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        """Stop at the next chance."""
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(
    listener: socket.socket,
    part: Part,
    address: str,
    ready: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Call `ready` from a thread once every part answers."""
    host, port = listener.getsockname()[:2]
    local = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    paths = ["/healthz"] if part is Part.CATALOG else ["/healthz", "/tiles/healthz"]

    def watch() -> None:
        """Wait until all parts answer, then tell."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while not stop.is_set() and time.monotonic() < deadline:
            if all(_answers(local + path) for path in paths):
                ready(address)
                return
            time.sleep(0.2)
        if not stop.is_set():
            _LOGGER.error("%s does not answer after %d s", local, _READY_WITHIN_S)

    threading.Thread(target=watch, daemon=True).start()


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_READY_WITHIN_S) as response:
            status: int = response.status
    except (urllib.error.URLError, OSError):
        return False
    return status == 200
