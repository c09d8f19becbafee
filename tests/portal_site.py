"""A small site for the portal's tests: painted products in a store, published and served."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray
from titiler.pgstac.dependencies import get_stac_item

from catalog.facts import AssetFile, ItemFacts, describe_file
from catalog.folder import FolderStore
from catalog.grid import tile
from catalog.item import build_item
from catalog.load import publish
from catalog.product import GEOMETRY, AssetSpec, ItemId, MaskClass, asset_specs
from infra.parts import Part, Site, build
from infra.roles import Dsns
from infra.server import listen
from infra.settings import InfraSettings
from processing.write import write_cog, write_thumbnail
from tests.catalog_products import changed, facts, write_points

TILE = "50TMK"
"""Tile of these products alone, so that those of other tests are not found."""
COUNT = 26
"""Products, two more than the page asks for at once."""
CLOUDY = 3
"""Every so many products one is cloudy in half of its pixels."""
FIRST_TIME = datetime(2023, 5, 1, 2, 50, 0, tzinfo=UTC)
PIXELS = 320
GRID = tile(TILE).grid.window(3000, 3000, PIXELS, PIXELS)
"""Frame of the products, 5 km wide; its middle is clear land, its east half may be cloudy."""
NIR_LAND, RED_LAND = 3600, 600
"""Stored reflectance of land: an NDVI of 0.71."""


def item_id(number: int) -> ItemId:
    """Identity of a product; the last one is the newest, odd ones come from GF6."""
    camera = "GF6WFV" if number % 2 else "GF1WFV2"
    return ItemId(camera, FIRST_TIME + timedelta(days=4 * number), TILE, "PORTAL")


def is_cloudy(number: int) -> bool:
    """Whether a product is half cloud."""
    return number % CLOUDY == 0


def paint_classes(number: int) -> NDArray[np.uint8]:
    """Mask of a product: land, a river in the north, and cloud in the east of cloudy ones."""
    classes = np.full(GRID.shape, MaskClass.CLEAR, np.uint8)
    row, col = np.indices(GRID.shape)
    classes[np.abs(row - 60 - 20 * np.sin(col / 40)) < 9] = MaskClass.WATER
    if is_cloudy(number):
        classes[:, PIXELS // 2 + 40 :] = MaskClass.CLOUD
    return classes


def paint(spec: AssetSpec, number: int) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """Stored pixels of an asset."""
    classes = paint_classes(number)
    if spec.key == "mask":
        return classes
    if spec.key in ("SR", "TOA"):
        land = {"blue": 400, "green": 800, "red": RED_LAND, "nir": NIR_LAND}
        bands = np.stack([np.full(GRID.shape, land.get(band.name, 1500)) for band in spec.bands])
        bands[:, classes == MaskClass.WATER] = 300
        bands[:, classes == MaskClass.CLOUD] = 6000
        return bands.astype(np.uint16)
    value = {"AOD": 1800, "angle": 3000, "qa": 1}[spec.key]
    return np.full((len(spec.bands), *GRID.shape), value, np.uint16)


def footprint() -> dict[str, Any]:
    """Outline of the frame in degrees."""
    last_row, last_col = GRID.rows - 0.5, GRID.cols - 0.5
    lon, lat = GRID.lonlat([-0.5, -0.5, last_row, last_row], [-0.5, last_col, last_col, -0.5])
    ring = [[float(x), float(y)] for x, y in zip(lon, lat, strict=True)]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def product_facts(number: int) -> ItemFacts:
    """Facts of a product; the geometry of cloudy ones is not measured, so they are degraded."""
    identity = item_id(number)
    classes = paint_classes(number)
    known = facts(identity.camera, identity.time, identity.version)
    return changed(
        known,
        {
            "id": identity,
            "grid": GRID,
            "footprint": footprint(),
            "class_percent": {one: float((classes == one).mean() * 100) for one in MaskClass},
            "geometric": None if is_cloudy(number) else known.geometric,
        },
    )


def write_files(folder: Path, number: int) -> list[AssetFile]:
    """Write the files of a product into a folder."""
    identity = item_id(number)
    files = []
    for spec in asset_specs(identity.satellite):
        path = folder / identity.file_name(spec.key)
        write_cog(path, paint(spec, number), spec, GRID)
        files.append(describe_file(spec.key, path))
    measured = product_facts(number).geometric
    if measured is not None:
        path = folder / identity.file_name(GEOMETRY.key)
        write_points(path, measured)
        files.append(describe_file(GEOMETRY.key, path))
    (reflectance,) = (spec for spec in asset_specs(identity.satellite) if spec.key == "SR")
    picture = folder / f"{identity}.thumbnail.webp"
    write_thumbnail(picture, paint(reflectance, number).astype(np.uint16))
    return [*files, describe_file("thumbnail", picture)]


def fill_store(store: FolderStore, count: int) -> None:
    """Put the first products into the store, as the pipeline does."""
    for number in range(count):
        with store.draft(item_id(number)) as draft:
            files = write_files(draft.folder, number)
            draft.commit(build_item(product_facts(number), files))


@contextmanager
def served_site(folder: Path, dsns: Dsns, count: int = COUNT) -> Iterator[str]:
    """Publish some products and serve the whole platform from a thread; gives its address."""
    get_stac_item.cache_clear()  # another site of this process had items of the same names
    settings = InfraSettings(data=folder)
    store = FolderStore(Path(settings.store))
    fill_store(store, count)
    with listen("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        publish(store, dsns.ingest_dsn, address)
        app = build(Part.ALL, Site(settings, dsns.read_dsn, address, dsns.counters_dsn))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()
