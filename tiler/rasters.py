# mypy: allow-untyped-calls
"""GeoTIFFs kept open between pictures, with the blocks that GDAL has unpacked of them.

Opening a file and unpacking its blocks is most of what a map tile costs, and the next tile of a
map lies beside the last one. GDAL keeps unpacked blocks as long as their file is open (at most
``GDAL_CACHEMAX``), so files are not closed after use but lent again.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import rasterio
from pyproj import Transformer
from rasterio.crs import CRS

MAX_IDLE = 64
"""Most files kept open while nobody reads them."""
_REMOTE_AGE_S = 60.0
"""How long a file that cannot be asked for its age is taken to be the same."""

Key = tuple[str, int | None, object]


@dataclass(frozen=True, slots=True)
class Raster:
    """An open level of a GeoTIFF and what pictures ask of it.

    Attributes
    ----------
    dataset
        The level; for one thread at a time.
    path
        What GDAL opened.
    crs, to_pixels
        Coordinate system, and the way into it from Web Mercator.
    levels
        How many times each level is coarser than the file, the file itself (1) first.
    """

    dataset: rasterio.DatasetReader
    path: str
    crs: CRS
    to_pixels: Transformer
    levels: tuple[int, ...]


class Rasters:
    """Files kept open, each lent to one thread at a time; safe between threads.

    A file replaced under its name is opened anew.

    Parameters
    ----------
    inspect
        Called with each file when it is opened; refuses it by raising.
    most
        Most files kept open while nobody reads them.
    """

    def __init__(
        self, inspect: Callable[[rasterio.DatasetReader], None], most: int = MAX_IDLE
    ) -> None:
        self._inspect = inspect
        self._most = most
        self._idle: OrderedDict[Key, list[Raster]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    @contextmanager
    def lend(self, path: str, level: int | None = None) -> Iterator[Raster]:
        """Lend a file, or one of its overviews.

        Parameters
        ----------
        path
            What GDAL opens, as a GeoTIFF only.
        level
            Which overview, 0 for the finest; None for the file itself.

        Raises
        ------
        RasterioIOError
            It is no GeoTIFF.
        """
        key = (path, level, _state(path))
        raster = self._take(key) or self._open(path, level)
        try:
            yield raster
        finally:
            self._give_back(key, raster)

    def _take(self, key: Key) -> Raster | None:
        """Return the file given back last, which has the blocks of the last picture."""
        with self._lock:
            rasters = self._idle.get(key)
            if not rasters:
                return None
            self._count -= 1
            raster = rasters.pop()
            if not rasters:
                del self._idle[key]
            return raster

    def _open(self, path: str, level: int | None) -> Raster:
        options = {} if level is None else {"overview_level": level}
        dataset = rasterio.open(path, driver="GTiff", **options)
        try:
            if level is None:
                self._inspect(dataset)
            levels = (1, *dataset.overviews(1))
            return Raster(dataset, path, dataset.crs, _from_mercator(dataset.crs), levels)
        except BaseException:
            dataset.close()
            raise

    def _give_back(self, key: Key, raster: Raster) -> None:
        """Keep a file, and close what was not read for the longest time."""
        with self._lock:
            self._idle.setdefault(key, []).append(raster)
            self._idle.move_to_end(key)
            self._count += 1
            oldest = None
            if self._count > self._most:
                first = next(iter(self._idle))
                oldest = self._idle[first].pop(0)
                self._count -= 1
                if not self._idle[first]:
                    del self._idle[first]
        if oldest is not None:
            oldest.dataset.close()


def _state(path: str) -> object:
    """Return what changes when a file is replaced."""
    if path.startswith("/vsi"):
        return time.monotonic() // _REMOTE_AGE_S
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=256)
def _from_mercator(crs: CRS) -> Transformer:
    return Transformer.from_crs("EPSG:3857", crs.to_wkt(), always_xy=True)
