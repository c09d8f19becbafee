"""An L1A package on disk: images without georeference, RPC files, XML, browse pictures, tar.gz."""

import gzip
import tarfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

_BROWSE_PIXELS = 1000
_THUMB_PIXELS = 300
_TRUE_COLOUR = (2, 1, 0)


class ImageWriter:
    """Writes one uint16 GeoTIFF without georeference line by line and keeps a small copy."""

    def __init__(self, path: Path, bands: int, rows: int, cols: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            self._raster = rasterio.open(
                path, "w", driver="GTiff", dtype="uint16", count=bands, height=rows, width=cols
            )
        self._step = -(-max(rows, cols) // _BROWSE_PIXELS)
        self._small: list[NDArray[np.uint16]] = []

    def write(self, first: int, counts: NDArray[np.uint16]) -> None:
        """Put ``counts`` (bands, rows, cols) at line ``first``."""
        _, rows, cols = counts.shape
        self._raster.write(counts, window=Window(0, first, cols, rows))
        start = -first % self._step
        self._small.append(counts[list(_TRUE_COLOUR), start :: self._step, :: self._step])

    def close(self) -> None:
        """End the file."""
        self._raster.close()

    def browse(self) -> Image.Image:
        """Return the small true-colour picture, stretched between its 1st and 99th percentile."""
        counts = np.concatenate(self._small, axis=1).astype(np.float32)
        seen = counts[:, (counts > 0).all(axis=0)]
        if seen.size == 0:
            return Image.fromarray(np.zeros((*counts.shape[1:], 3), np.uint8))
        low, high = np.percentile(seen, (1, 99), axis=1)[:, :, None, None]
        scaled = np.clip((counts - low) / np.maximum(high - low, 1), 0, 1)
        return Image.fromarray((255 * scaled).astype(np.uint8).transpose(1, 2, 0))


@contextmanager
def image_writer(path: Path, bands: int, rows: int, cols: int) -> Iterator[ImageWriter]:
    """Open an image for writing; closed at the end whatever happens."""
    writer = ImageWriter(path, bands, rows, cols)
    try:
        yield writer
    finally:
        writer.close()


def write_pictures(folder: Path, stem: str, picture: Image.Image) -> None:
    """Write ``<stem>.jpg`` and ``<stem>_thumb.jpg``."""
    picture.save(folder / f"{stem}.jpg", quality=85)
    small = picture.copy()
    small.thumbnail((_THUMB_PIXELS, _THUMB_PIXELS))
    small.save(folder / f"{stem}_thumb.jpg", quality=80)


def pack(folder: Path, target: Path, time: datetime) -> None:
    """Write the files of ``folder`` into the tar.gz ``target``; every stamp in it is ``time``.

    The same files give the same bytes.
    """
    stamp = int(time.timestamp())
    partial = target.with_name(f".{target.name}.part")
    with (
        partial.open("wb") as raw,
        gzip.GzipFile("", "wb", 1, raw, stamp) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mtime, entry.mode = path.stat().st_size, stamp, 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
    partial.replace(target)
