"""Speed of map tiles: by rio-tiler alone on the same file, and beside stock titiler.pgstac."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pystac
from fastapi.testclient import TestClient
from morecantile import tms
from numpy.typing import NDArray
from rasterio.warp import transform_bounds
from rio_tiler.io import Reader
from scipy import ndimage

from benchmarks.rows.row import Row, at_most, show
from benchmarks.rows.tilers import stock_rows
from catalog.grid import Grid, tile
from catalog.product import asset_specs
from infra.postgres import Cluster
from processing.write import write_cog
from tiler.app import create_app
from tiler.settings import TilerSettings

BASE = "http://127.0.0.1:8000"
ITEM = "/collections/gf1-wfv-ard/items/drawn"
REPEATS = 15


def landscape(shape: tuple[int, int]) -> NDArray[np.uint16]:
    """Return rough encoded surface reflectance, (4, rows, cols)."""
    rng = np.random.default_rng(4)
    small = ndimage.gaussian_filter(rng.normal(size=(4, shape[0] // 8 + 1, shape[1] // 8 + 1)), 2)
    rough = small.repeat(8, 1).repeat(8, 2)[:, : shape[0], : shape[1]]
    return (1500 + 3000 * rough + rng.normal(0, 40, (4, *shape))).clip(1, 9000).astype(np.uint16)


def write_item(store: Path, grid: Grid) -> pystac.Item:
    """Write the reflectance of a drawn product and return its item."""
    spec = next(spec for spec in asset_specs("GF1") if spec.key == "SR")
    write_cog(store / "drawn.SR.tiff", landscape(grid.shape), spec, grid)
    west, south, east, north = transform_bounds(f"EPSG:{grid.epsg}", "EPSG:4326", *grid.bounds)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    item = pystac.Item(
        id="drawn",
        geometry={"type": "Polygon", "coordinates": [ring]},
        bbox=[west, south, east, north],
        datetime=datetime(2020, 6, 1, tzinfo=UTC),
        properties={},
    )
    href = f"{BASE}/data/drawn.SR.tiff"
    item.add_asset("SR", pystac.Asset(href, media_type=pystac.MediaType.COG))
    return item


def cpu_milliseconds(*calls: Callable[[], object]) -> list[float]:
    """Return the median CPU time of each call after one to warm up, asked in turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(REPEATS + 1):
        for call, taken in zip(calls, times, strict=True):
            start = time.process_time()
            call()
            taken.append(1000 * (time.process_time() - start))
    return [statistics.median(taken[1:]) for taken in times]


def rows(full: bool) -> Iterator[Row]:
    """Yield every figure; ``full`` draws from a whole tile instead of a quarter of one."""
    whole = tile("31TCL").grid
    grid = whole if full else whole.window(0, 0, whole.rows // 2, whole.cols // 2)
    with tempfile.TemporaryDirectory() as folder:
        item = write_item(Path(folder), grid)
        settings = TilerSettings(
            database_url="postgresql://unused", store=Path(folder), public_url=BASE
        )
        # FastAPI's own overrides would take every route apart again at each request.
        with patch("tiler.app.ItemIdParams", lambda: item):
            client = TestClient(create_app(settings))
        assert item.bbox is not None
        middle = (item.bbox[0] + item.bbox[2]) / 2, (item.bbox[1] + item.bbox[3]) / 2

        def draw(address: str) -> object:
            """Fetch one picture."""
            answer = client.get(f"{ITEM}/{address}", params={"render": "true-colour"})
            return answer.raise_for_status()

        yield from tile_rows(Path(folder) / "drawn.SR.tiff", middle, draw)
        for address in ("preview.jpg", "preview.webp", "WebMercatorQuad/tilejson.json"):
            (taken,) = cpu_milliseconds(partial(draw, address))
            yield Row(address, round(taken, 1), "ms CPU")


def tile_rows(
    path: Path, middle: tuple[float, float], draw: Callable[[str], object]
) -> Iterator[Row]:
    """Time tiles in every format, and as JPEG beside rio-tiler alone."""

    def alone(x: int, y: int, z: int) -> bytes:
        """Draw the tile with rio-tiler and nothing else."""
        with Reader(str(path)) as reader:
            image = reader.tile(x, y, z, indexes=(3, 2, 1), resampling_method="bilinear")
            image.rescale(((0, 3000),))
            return bytes(image.render(img_format="JPEG"))

    for zoom in (9, 11, 13):
        at = tms.get("WebMercatorQuad").tile(*middle, zoom)
        address = f"tiles/WebMercatorQuad/{at.z}/{at.x}/{at.y}"
        jpeg, png, webp, bare = cpu_milliseconds(
            *(partial(draw, f"{address}.{suffix}") for suffix in ("jpg", "png", "webp")),
            partial(alone, at.x, at.y, at.z),
        )
        for suffix, taken in (("JPEG", jpeg), ("PNG", png), ("WebP", webp)):
            yield Row(f"item tile, zoom {zoom}, {suffix}", round(taken, 1), "ms CPU")
        title = f"item tile, zoom {zoom}, JPEG over rio-tiler alone"
        yield at_most(title, jpeg / bare, "1", 2.0)


def beside_stock(store: Path | None) -> Iterator[Row]:
    """Yield the comparison with titiler.pgstac over a database of its own."""
    with tempfile.TemporaryDirectory(prefix="gfard-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Cluster(folder / "postgres", durable=False).running() as dsns:
            yield from stock_rows(dsns, folder, store)


def main() -> None:
    """Print the figures, one a line; exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="draw from a whole tile")
    parser.add_argument("--store", type=Path, help="compare with stock on products of this store")
    options = parser.parse_args()
    measured = chain(rows(options.full), beside_stock(options.store))
    raise SystemExit(show(measured, as_json=options.json))


if __name__ == "__main__":
    main()
