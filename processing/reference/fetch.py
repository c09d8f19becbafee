"""What was fetched once from a server stays on disk: answers of searches, and parts of images.

A file appears whole or not at all. The folder is kept below a size by removing what was not used
for longest; nothing in it is needed for good.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import rasterio
from rasterio.enums import Resampling
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from catalog.errors import ReferenceImageError
from catalog.product import RESOLUTION_M
from processing.rasters import Bounds
from processing.reference.image import opened

CACHE: Final = Path("~/.cache/gfard/reference")
LIMIT_GB: Final = 20.0
_MARGIN_M: Final = 2000.0
"""How much of an image is kept around the scene: an RPC alone may be wrong by a kilometre."""
_FINEST_M: Final = RESOLUTION_M / 2
"""Images finer than this are averaged before they are kept."""
_STRIP_ROWS: Final = 1024
_NETWORK: Final = {
    "AWS_NO_SIGN_REQUEST": "YES",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_TIMEOUT": "120",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
}
_PROFILE: Final = {
    "driver": "GTiff",
    "compress": "deflate",
    "zlevel": 1,
    "tiled": True,
    "blockxsize": 512,
    "blockysize": 512,
    "BIGTIFF": "IF_SAFER",
}


class Cache:
    """A folder of fetched files, made when first needed.

    Parameters
    ----------
    folder
        Where; `CACHE` when None.
    limit_gb
        Size (10^9 bytes) above which what was not used for longest is removed.
    """

    def __init__(self, folder: Path | None = None, limit_gb: float = LIMIT_GB) -> None:
        self._folder = folder or CACHE.expanduser()
        self._limit = limit_gb * 1e9
        self._used: set[Path] = set()

    def answer(self, key: object, ask: Callable[[], Any]) -> Any:
        """Return the JSON kept under ``key``; what ``ask`` returns is kept where there is none."""
        path = self._path(key, "json")
        if not self._has(path):
            with self._new(path) as part:
                part.write_text(json.dumps(ask()))
        return json.loads(path.read_text())

    def image(self, href: str, band: int, bounds: Bounds, *, classes: bool = False) -> str | None:
        """Return the path of the part of a remote band around ``bounds``.

        Parameters
        ----------
        href
            Address: ``https://``, ``http://`` or ``s3://`` (a bucket that needs no login).
        band
            Number of the band, from 1.
        bounds
            West, south, east, north in degrees.
        classes
            Whether values are classes, which are never averaged.

        Returns
        -------
        str or None
            A GeoTIFF; None where the image does not reach ``bounds``.

        Raises
        ------
        ReferenceImageError
            The image cannot be fetched.
        """
        path = self._path((href, band, [round(value, 4) for value in bounds]), "tif")
        if not self._has(path):
            try:
                with rasterio.Env(**_NETWORK), opened(gdal_path(href), href) as raster:
                    window = _window(raster, bounds)
                    if window is None:
                        return None
                    with self._new(path) as part:
                        _copy(raster, band, window, part, classes=classes)
            except (RasterioError, CRSError) as error:
                raise ReferenceImageError(
                    f"{href}: the reference image cannot be fetched: {error}; try again later, "
                    "or give another reference"
                ) from error
        return str(path)

    def _path(self, key: object, suffix: str) -> Path:
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        return self._folder / f"{digest[:32]}.{suffix}"

    def _has(self, path: Path) -> bool:
        """Tell whether a file is kept, and mark it as used."""
        self._used.add(path)
        if not path.is_file():
            return False
        os.utime(path)
        return True

    @contextmanager
    def _new(self, path: Path) -> Iterator[Path]:
        """Give a hidden name to write to, which becomes ``path`` when the block ends well."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=path.suffix)
        except OSError as error:
            raise ReferenceImageError(
                f"{self._folder}: fetched references cannot be kept there: {error.strerror}; "
                "wanted a folder that this user may write"
            ) from error
        os.close(handle)
        part = Path(name)
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        self._prune()

    def _prune(self) -> None:
        """Remove what was not used for longest while the folder is too large."""
        files = [pair for file in self._folder.iterdir() if (pair := _with_stat(file))]
        total = sum(stat.st_size for _, stat in files)
        for file, stat in sorted(files, key=lambda pair: pair[1].st_mtime):
            if total <= self._limit:
                return
            if file not in self._used and not file.name.startswith("."):
                file.unlink(missing_ok=True)
                total -= stat.st_size


def _with_stat(file: Path) -> tuple[Path, os.stat_result] | None:
    """Return a file with its size and times; None where another process has just removed it."""
    try:
        return file, file.stat()
    except FileNotFoundError:
        return None


def gdal_path(href: str) -> str:
    """Return what GDAL opens for an address.

    Raises
    ------
    ReferenceImageError
        It is no address of the kinds that are allowed.
    """
    if href.startswith(("https://", "http://")):
        return f"/vsicurl/{href}"
    if href.startswith("s3://"):
        return f"/vsis3/{href.removeprefix('s3://')}"
    raise ReferenceImageError(
        f"{href}: not an address of an image; https://, http:// or s3:// wanted"
    )


def _window(raster: Any, bounds: Bounds) -> Window | None:
    """Return the window of a raster around ``bounds``; None where they do not meet."""
    west, south, east, north = transform_bounds("OGC:CRS84", raster.crs, *bounds)
    margin = _MARGIN_M if raster.crs.is_projected else _MARGIN_M / 100_000.0
    window = raster.window(west - margin, south - margin, east + margin, north + margin)
    row, col = max(0, int(window.row_off)), max(0, int(window.col_off))
    rows = min(raster.height, int(window.row_off + window.height) + 1) - row
    cols = min(raster.width, int(window.col_off + window.width) + 1) - col
    return Window(col, row, cols, rows) if rows > 0 and cols > 0 else None


def _copy(raster: Any, band: int, window: Window, out: Path, *, classes: bool) -> None:
    """Copy a window of one band strip by strip, averaged where it is much finer than needed."""
    step = abs(raster.transform.e) * (1.0 if raster.crs.is_projected else 111_000.0)
    factor = 1 if classes else max(1, int(_FINEST_M / step))
    rows, cols = max(1, window.height // factor), max(1, window.width // factor)
    window = Window(window.col_off, window.row_off, cols * factor, rows * factor)
    corner = window_transform(window, raster.transform)
    profile = {
        **_PROFILE,
        "count": 1,
        "dtype": raster.dtypes[band - 1],
        "height": rows,
        "width": cols,
        "crs": raster.crs,
        "transform": corner * corner.scale(factor, factor),
        "nodata": raster.nodata,
    }
    with rasterio.open(out, "w", **profile) as kept:
        for first in range(0, rows, _STRIP_ROWS):
            count = min(_STRIP_ROWS, rows - first)
            part = Window(window.col_off, window.row_off + first * factor, cols * factor,
                          count * factor)  # fmt: skip
            values = raster.read(
                band, window=part, out_shape=(count, cols), resampling=Resampling.average
            )
            kept.write(values, 1, window=Window(0, first, cols, count))
