"""Map tiles beside stock titiler.pgstac: the same items of one database, the same files.

Each side runs as it is deployed, one uvicorn worker in a process of its own: the platform's as
`gfard serve` starts it, stock as its documentation and compose file tell. They are asked in turns
by eight clients at once, so that the machine's load falls on both. Nothing between client and file
keeps finished tiles.

The bars are on what a CPU yields: tiles for each CPU second of the worker while eight clients press
it. By the clock a machine with other work gives a process the larger share the more threads it
has, and stock starts ten for each tile; the clock's figure stands beside.
"""

import io
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psutil
import rasterio
from morecantile import Tile, tms
from numpy.typing import NDArray
from PIL import Image
from pyproj import Transformer
from rasterio.warp import transform_geom
from rasterio.windows import Window
from scipy import ndimage
from shapely.geometry import Point, box, mapping, shape

from benchmarks.rows.row import Row, at_least
from catalog.folder import FolderStore
from catalog.grid import tile
from catalog.load import load
from catalog.product import asset_specs
from catalog.published import published_item
from catalog.store import StoredItem, relative_folder
from infra.roles import Dsns
from infra.server import TILER_ENVIRONMENT
from processing.write import write_cog
from tests.catalog_products import changed, document, facts

ADDRESS = "http://127.0.0.1:8000"
"""Below it the items say that their files lie; nobody answers there."""
CLIENTS = 8
PAIRS = 5
ZOOMS = range(8, 14)
TILES_PER_ZOOM = 3
SIDE = 3000
"""Pixels along a side of what a drawn product shows of its tile."""

_TRUE_COLOUR = {"assets": "SR|bidx=3,2,1", "rescale": "0,3000"}
_STOCK = {
    "CPL_TMPDIR": "/tmp",
    "GDAL_CACHEMAX": "75%",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_VERSION": "2",
    "PYTHONWARNINGS": "ignore",
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "536870912",
    "DB_MIN_CONN_SIZE": "1",
    "DB_MAX_CONN_SIZE": "10",
    "RIO_TILER_STAC_ALTERNATE_KEY": "local",
}
"""Environment of titiler.pgstac's compose file, and where its own setting finds local files."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One tile of one item."""

    collection: str
    item: str
    tile: Tile
    file: Path

    def path(self, suffix: str, query: dict[str, str]) -> str:
        """Return the address, the same at both servers."""
        z, x, y = self.tile.z, self.tile.x, self.tile.y
        item = f"/collections/{self.collection}/items/{self.item}"
        return f"{item}/tiles/WebMercatorQuad/{z}/{x}/{y}{suffix}?{urlencode(query)}"


@dataclass(frozen=True, slots=True)
class Server:
    """A running tile server."""

    port: int
    prefix: str
    process: psutil.Process

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of one answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            return _ask(connection, self.prefix + path)
        finally:
            connection.close()

    def seconds(self, paths: Sequence[str]) -> float:
        """Return how long eight clients take for all tiles together."""
        left = iter(paths)
        lock = threading.Lock()
        failures: list[str] = []

        def visit() -> None:
            """Fetch what is left to fetch."""
            connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
            while True:
                with lock:
                    path = next(left, None)
                if path is None:
                    break
                status, body = _ask(connection, self.prefix + path)
                if status != 200:
                    failures.append(f"{path}: {status} {body[:200]!r}")
            connection.close()

        clients = [threading.Thread(target=visit) for _ in range(CLIENTS)]
        begin = time.perf_counter()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        if failures:
            raise RuntimeError(failures[0])
        return time.perf_counter() - begin

    def measured(self, paths: Sequence[str]) -> tuple[float, float]:
        """Return how long the clients take, and the CPU seconds that the worker spends."""
        before = self.process.cpu_times()
        seconds = self.seconds(paths)
        after = self.process.cpu_times()
        return seconds, after.user + after.system - before.user - before.system


def _ask(connection: HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def stock_rows(dsns: Dsns, folder: Path, store: Path | None) -> Iterator[Row]:
    """Yield the comparison with titiler.pgstac.

    Parameters
    ----------
    dsns
        An empty catalogue.
    folder
        Where drawn products go.
    store
        A store whose products are taken instead; None for drawn ones.
    """
    root = store or folder / "store"
    items = list(_stored(FolderStore(root)) if store else _drawn(root))
    load(dsns.ingest_dsn, (item for item, _ in items))
    asked = [one for item, path in items for one in _tiles(item, path)]
    with _own(dsns, root) as own, _stock(dsns) as stock:
        yield Row("tiles of the comparison with titiler.pgstac", len(asked), "")
        yield from _default_rows(own, stock, asked)
        yield from _same_rows(own, stock, asked)
        yield from _likeness_rows(own, stock, asked)


def _default_rows(own: Server, stock: Server, asked: Sequence[Asked]) -> Iterator[Row]:
    """Compare true-colour tiles as each side serves them when nothing more is said."""
    title = "default true-colour item tile"
    ours = [one.path("", {"render": "true-colour"}) for one in asked]
    theirs = [one.path("", _TRUE_COLOUR) for one in asked]
    yield from _paired(title, own, stock, ours, theirs, 2.5)


def _same_rows(own: Server, stock: Server, asked: Sequence[Asked]) -> Iterator[Row]:
    """Compare tiles of the same address: format, size and resampling."""
    query = {**_TRUE_COLOUR, "resampling": "bilinear"}
    for suffix, name in ((".jpg", "JPEG"), (".png", "PNG"), (".webp", "WebP")):
        paths = [one.path(suffix, query) for one in asked]
        yield from _paired(f"same item tile, {name}", own, stock, paths, paths, 1.3)


def _paired(
    title: str, own: Server, stock: Server, ours: list[str], theirs: list[str], bar: float
) -> Iterator[Row]:
    """Yield the throughput of both sides and the median of the ratios of paired runs."""
    sides = ((own, ours), (stock, theirs))
    for server, paths in sides:
        server.seconds(paths)
    pairs = []
    for turn in range(PAIRS):
        order = sides if turn % 2 else sides[::-1]
        taken = {server.port: server.measured(paths) for server, paths in order}
        pairs.append((taken[own.port], taken[stock.port]))
    count = len(ours)
    for who, side in zip(("ours", "titiler.pgstac"), zip(*pairs, strict=True), strict=True):
        cpu = statistics.median(spent for _, spent in side)
        wall = statistics.median(seconds for seconds, _ in side)
        yield Row(f"{title}, {CLIENTS} clients, {who}", round(count / wall, 1), "tiles/s")
        yield Row(f"{title}, {CLIENTS} clients, {who}", round(1e3 * cpu / count, 1), "ms CPU")
    wall, cpu = (
        statistics.median(theirs[measure] / own_[measure] for own_, theirs in pairs)
        for measure in (0, 1)
    )
    title = f"{title}, {CLIENTS} clients, beside titiler.pgstac"
    yield at_least(f"{title}, throughput of a CPU", cpu, "x", bar)
    yield Row(f"{title}, by the clock", round(wall, 2), "x")


def _likeness_rows(own: Server, stock: Server, asked: Sequence[Asked]) -> Iterator[Row]:
    """Show that both sides draw the same: pixel by pixel, and against the ground they show."""
    near = {**_TRUE_COLOUR, "resampling": "nearest"}
    same = [
        np.abs(_pixels(own, one.path(".png", near)) - _pixels(stock, one.path(".png", near)))
        for one in asked
        if one.tile.z == ZOOMS[-1]
    ]
    share = float(np.mean([(apart.max(axis=-1) <= 1).mean() for apart in same]))
    title = "pixels of tiles within 1 level of titiler.pgstac's"
    yield at_least(f"{title}, nearest, zoom {ZOOMS[-1]}", share, "share", 0.97)
    query = {**_TRUE_COLOUR, "resampling": "bilinear"}
    errors = np.array(
        [
            [_error(_pixels(server, one.path(".jpg", query)), truth) for server in (own, stock)]
            for one, truth in ((one, _ground(one)) for one in asked if one.tile.z in (10, 11, 12))
            if np.isfinite(truth).any()
        ]
    )
    ours, theirs = np.sqrt(np.mean(errors**2, axis=0))
    title = "JPEG tile against the mean of the ground below each pixel, RMS"
    yield Row(f"{title}, titiler.pgstac", round(float(theirs), 2), "levels")
    yield Row(f"{title}, ours", round(float(ours), 2), "levels")


def _pixels(server: Server, path: str) -> NDArray[np.float64]:
    status, body = server.get(path)
    if status != 200:
        raise RuntimeError(f"{path}: {status} {body[:200]!r}")
    return np.asarray(Image.open(io.BytesIO(body)), np.float64)


def _ground(one: Asked) -> NDArray[np.float64]:
    """Return the mean brightness of the ground below each pixel of a tile.

    Shape (256, 256, 3), levels 0 to 255, NaN unless all of the ground has data: the mean of the
    file's own pixels at 8 x 8 places.
    """
    fine = 8
    left, bottom, right, top = tms.get("WebMercatorQuad").xy_bounds(one.tile)
    place = (np.arange(256 * fine) + 0.5) / (256 * fine)
    x, y = np.meshgrid(left + (right - left) * place, top + (bottom - top) * place)
    with rasterio.open(one.file) as raster:
        east, north = Transformer.from_crs(3857, raster.crs.to_epsg(), always_xy=True).transform(
            x, y
        )
        col = ((east - raster.transform.c) / raster.transform.a).astype(int)
        row = ((north - raster.transform.f) / raster.transform.e).astype(int)
        inside = (row >= 0) & (row < raster.height) & (col >= 0) & (col < raster.width)
        row, col = row.clip(0, raster.height - 1), col.clip(0, raster.width - 1)
        window = Window.from_slices(
            (int(row.min()), int(row.max()) + 1), (int(col.min()), int(col.max()) + 1)
        )
        stored = raster.read((3, 2, 1), window=window)[:, row - row.min(), col - col.min()]
    levels = np.where(inside & (stored > 0), (stored / 3000 * 255).clip(0, 255), np.nan)
    return levels.reshape(3, 256, fine, 256, fine).mean(axis=(2, 4)).transpose(1, 2, 0)


def _error(picture: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    known = np.isfinite(truth)
    return float(np.sqrt(np.mean((picture[known] - truth[known]) ** 2)))


def _tiles(item: dict[str, Any], file: Path) -> Iterator[Asked]:
    """Yield tiles of every zoom level that show a product, the same at each run."""
    outline = shape(item["geometry"])
    west, south, east, north = outline.bounds
    grid, rng = tms.get("WebMercatorQuad"), np.random.default_rng(7)
    for zoom in ZOOMS:
        found: set[Tile] = set()
        for _ in range(50):
            lon, lat = float(rng.uniform(west, east)), float(rng.uniform(south, north))
            if outline.contains(Point(lon, lat)) and len(found) < TILES_PER_ZOOM:
                found.add(grid.tile(lon, lat, zoom))
        for at in sorted(found):
            yield Asked(item["collection"], item["id"], at, file)


def _drawn(root: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """Write three drawn products of one tile, each a slanted piece of it, and yield their items."""
    frame = tile("31TCL").grid
    spec = next(spec for spec in asset_specs("GF1") if spec.key == "SR")
    for number in range(3):
        row, col = 600 + 900 * number, 2400 - 700 * number
        pixels = _landscape(number)
        piece = frame.window(row, col, SIDE, SIDE)
        ring = transform_geom(f"EPSG:{frame.epsg}", "EPSG:4326", mapping(box(*piece.bounds)))
        time_of = datetime(2020, 6, 1 + number, 11, tzinfo=UTC)
        made = changed(facts(time=time_of, version="DRAWN"), {"grid": frame, "footprint": ring})
        folder = root / relative_folder(made.id)
        folder.mkdir(parents=True)
        write_cog(folder / made.id.file_name("SR"), pixels, spec, frame, row, col)
        yield _item(StoredItem(made.id, relative_folder(made.id), document(made)), root)


def _landscape(seed: int) -> NDArray[np.uint16]:
    """Return rough encoded surface reflectance, (4, rows, cols), with a slanted edge of fill."""
    rng = np.random.default_rng(seed)
    small = ndimage.gaussian_filter(rng.normal(size=(4, SIDE // 8, SIDE // 8)), (0, 2, 2))
    rough = small.repeat(8, 1).repeat(8, 2)
    drawn = (1500 + 3000 * rough + rng.normal(0, 40, (4, SIDE, SIDE))).clip(1, 9000)
    row, col = np.ogrid[:SIDE, :SIDE]
    return np.where(col > 0.15 * row, drawn, 0).astype(np.uint16)


def _stored(store: FolderStore) -> Iterator[tuple[dict[str, Any], Path]]:
    """Yield the items of a store and their files of surface reflectance."""
    for stored in store.items():
        yield _item(stored, store.root)


def _item(stored: StoredItem, root: Path) -> tuple[dict[str, Any], Path]:
    """Return an item as it is published, with the path of its file for the other server."""
    item = published_item(stored, ADDRESS)
    path = root / stored.relative / stored.id.file_name("SR")
    item["assets"]["SR"]["alternate"] = {"local": {"href": str(path)}}
    return item, path


def _listening() -> socket.socket:
    """Return a socket whose connections send at once, which a server handed one may forget."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


@contextmanager
def _own(dsns: Dsns, store: Path) -> Iterator[Server]:
    """Serve the platform's tiler as `gfard serve` does, by one worker."""
    environment = {
        "GFARD_STORE": str(store),
        "GFARD_PUBLIC_URL": ADDRESS,
        "GFARD_DATABASE_READ_URL": dsns.read_dsn,
        **TILER_ENVIRONMENT,
    }
    with _listening() as listening:
        command = ["infra.worker", "tiler", "--fd", str(listening.fileno())]
        with _running(command, environment, listening, "/tiles", "/healthz") as server:
            yield server


@contextmanager
def _stock(dsns: Dsns) -> Iterator[Server]:
    """Serve titiler.pgstac's own application by one worker."""
    with _listening() as listening:
        command = [
            "uvicorn", "titiler.pgstac.main:app", "--workers", "1", "--fd",
            str(listening.fileno()), "--log-level", "error",
        ]  # fmt: skip
        environment = {**_STOCK, "DATABASE_URL": dsns.read_dsn}
        with _running(command, environment, listening, "", "/healthz") as server:
            yield server


@contextmanager
def _running(
    command: list[str], environment: dict[str, str], listening: socket.socket, prefix: str,
    ready: str,
) -> Iterator[Server]:  # fmt: skip
    port = listening.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        pass_fds=(listening.fileno(),),
    ) as process:
        try:
            server = Server(port, prefix, psutil.Process(process.pid))
            status, body = server.get(ready)
            if status != 200:
                raise RuntimeError(f"{command}: {status} {body!r}")
            yield server
        finally:
            process.terminate()
