"""What ``--reference`` may name, and which reader it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from catalog.errors import ReferenceImageError
from catalog.grid import Tile
from catalog.store import Store
from processing.rasters import Bounds
from processing.reference.archive import ARCHIVE, open_archive
from processing.reference.fetch import Cache
from processing.reference.files import open_files
from processing.reference.image import ReferenceImage
from processing.reference.stac import Search, search_stac

_ADDRESSES = ("https://", "http://")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reference is wanted for: extent, tiles and time of a scene, and a band."""

    bounds: Bounds
    tiles: list[Tile]
    time: datetime
    band: str


def open_reference(
    source: str | Path,
    wanted: Wanted,
    store: Store,
    *,
    cache: Path | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> ReferenceImage:
    """Open a reference image for a scene.

    Parameters
    ----------
    source
        A raster or a folder of rasters in any projection and resolution; ``ADDRESS#COLLECTION``
        of a STAC API, such as ``https://earth-search.aws.element84.com/v1#sentinel-2-l2a``; or
        ``archive`` for products of the store itself.
    wanted
        What it is wanted for.
    store
        The archive.
    cache
        Folder that keeps what was fetched; ``~/.cache/gfard/reference`` by default.
    progress
        Called with what is being done.

    Raises
    ------
    ReferenceImageError
        Nothing there can be read or serves.
    """
    name = str(source)
    if name == ARCHIVE:
        return open_archive(store, wanted.tiles, wanted.time, wanted.band, wanted.bounds)
    if name.startswith(_ADDRESSES):
        api, _, collection = name.partition("#")
        if not collection:
            raise ReferenceImageError(
                f"{name}: a STAC API without a collection; wanted ADDRESS#COLLECTION, such as "
                "https://earth-search.aws.element84.com/v1#sentinel-2-l2a"
            )
        search = Search(api, collection, wanted.bounds, wanted.time, wanted.band)
        return search_stac(search, Cache(cache), progress)
    return open_files(Path(source), wanted.bounds, wanted.band)
