"""Building and updating the surface library from the platform's own archive."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from catalog.store import Store, StoredItem
from catalog.versions import current
from processing.library.files import read_tile, tile_path, tile_paths, write_tile
from processing.library.observed import observe
from processing.library.tile import SurfaceTile, empty_tile
from processing.sensors import camera

ARCHIVE_SOURCE = "own archive, recursive least squares"


def update_library(
    folder: Path,
    store: Store,
    *,
    camera_name: str | None = None,
    tile_name: str | None = None,
    anew: bool = False,
    progress: Callable[[str], None] = lambda _step: None,
) -> list[Path]:
    """Bring the clear cells of products into a library, oldest first, each scene once.

    A scene that is made again in another version does not come in a second time: what it had told
    cannot be taken out, but ``anew`` takes the versions of today.

    Parameters
    ----------
    folder
        The library; tiles that it lacks are made.
    store
        The archive.
    camera_name, tile_name
        Take only the products of one camera or tile.
    anew
        Forget what the library knows of these tiles.
    progress
        Called with the id of each product.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    AtmosphereError
        A tile of the library is not what it should be.
    StoreError
        The archive is no folder, or an item in it cannot be read.
    """
    by_tile: dict[tuple[str, str], list[StoredItem]] = {}
    for stored in current(store.items()):
        identity = stored.id
        if camera_name in (None, identity.camera) and tile_name in (None, identity.tile):
            by_tile.setdefault((identity.camera, identity.tile), []).append(stored)
    written = []
    for (camera_of, name), products in sorted(by_tile.items()):
        before = _tile(folder, camera_of, name, anew)
        after = before
        for stored in sorted(products, key=lambda each: each.id.time):
            if _scene(str(stored.id)) not in map(_scene, after.items):
                progress(str(stored.id))
                seen = observe(store, stored)
                after = after.updated(seen.reflectance, seen.angles, seen.item)
        if after is not before:
            written.append(write_tile(folder, after))
    return written


def _scene(name: str) -> str:
    """Return the id of a product without its version."""
    return name.rpartition(".")[0]


def _tile(folder: Path, camera_name: str, name: str, anew: bool) -> SurfaceTile:
    path = tile_path(folder, camera_name, name)
    if path.is_file() and not anew:
        return read_tile(path)
    return empty_tile(camera_name, name, len(camera(camera_name).bands), ARCHIVE_SOURCE)


def library_tiles(folder: Path) -> Iterator[SurfaceTile]:
    """Yield the tiles of a library in the order of their files."""
    for path in tile_paths(folder):
        yield read_tile(path)


def summary(surface: SurfaceTile) -> dict[str, str | int | float]:
    """Return what there is to say about a tile: known cells, mean observations and scatter."""
    known = np.isfinite(surface.count)
    return {
        "camera": surface.camera,
        "tile": surface.name,
        "known_percent": round(100 * float(known.mean()), 2),
        "observations": round(float(surface.count[known].mean()), 2) if known.any() else 0.0,
        "sigma": round(float(surface.sigma[:, known].mean()), 4) if known.any() else 0.0,
        "resolution_m": surface.resolution_m,
        "products": len(surface.items),
        "source": surface.source,
    }
