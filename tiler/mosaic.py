"""Mosaics of stored items, of which one picture takes a bounded time."""
# mypy: allow-untyped-calls

import time

import attr
from fastapi import HTTPException
from rio_tiler.io import Reader
from rio_tiler.types import AssetInfo, AssetType
from titiler.pgstac.backend import PGSTACBackend
from titiler.pgstac.reader import SimpleSTACReader

from tiler.limits import MOSAIC_ZOOMS, NATIVE_ZOOM
from tiler.reader import GeoTiffReader, Hrefs

MAX_SECONDS = 10.0
"""Time after which no further item of a mosaic is read."""


@attr.s
class BoundedMosaic(PGSTACBackend):
    """Mosaic whose zoom levels are those drawn, with a time by which one answer must be read."""

    def __attrs_post_init__(self) -> None:
        """Let the clock run: a mosaic is made for each request."""
        self.reader_options = {**self.reader_options, "deadline": time.monotonic() + MAX_SECONDS}

    @property
    def minzoom(self) -> int:  # type: ignore[override]
        """Lowest zoom level, whatever a registered search says."""
        return MOSAIC_ZOOMS.start

    @property
    def maxzoom(self) -> int:  # type: ignore[override]
        """Zoom level up to which tiles show more."""
        return NATIVE_ZOOM


def mosaic_reader(hrefs: Hrefs) -> type[SimpleSTACReader]:
    """Return the reader of the items of a mosaic whose hrefs are bounded by ``hrefs``."""

    @attr.s
    class StoredMosaicReader(SimpleSTACReader):
        reader: type[Reader] = attr.ib(default=GeoTiffReader)
        deadline: float = attr.ib(default=float("inf"))

        def _get_asset_info(self, asset: AssetType) -> AssetInfo:
            if time.monotonic() > self.deadline:
                raise HTTPException(
                    503,
                    f"the items here take more than {MAX_SECONDS:g} s to draw; come closer, or "
                    "search for fewer",
                    {"Retry-After": "60"},
                )
            info = super()._get_asset_info(asset)
            return AssetInfo({**info, "url": hrefs.path(info["url"])})

    return StoredMosaicReader
