"""Mosaics of stored items, of which one picture takes a bounded time."""
# mypy: allow-untyped-calls

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated, Any

import attr
import numpy as np
from fastapi import HTTPException, Query
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from rio_tiler.types import AssetInfo, AssetType
from titiler.core.dependencies import DefaultDependency
from titiler.pgstac.backend import PGSTACBackend
from titiler.pgstac.reader import Item, SimpleSTACReader

from catalog.product import MaskClass
from tiler.limits import MOSAIC_ZOOMS, NATIVE_ZOOM
from tiler.rasters import Rasters
from tiler.reader import GeoTiffReader, Hrefs

MAX_SECONDS = 10.0
"""Time after which no further item of a mosaic is read."""
_HIDING = (int(MaskClass.CLOUD), int(MaskClass.CLOUD_SHADOW))


@attr.s
class BoundedMosaic(PGSTACBackend):
    """Mosaic whose zoom levels are those drawn, with a time by which one answer must be read."""

    def __attrs_post_init__(self) -> None:
        """Let the clock run: a mosaic is made for each request."""
        self.reader_options = {**self.reader_options, "deadline": time.monotonic() + MAX_SECONDS}

    def assets_for_tile(self, x: int, y: int, z: int, **kwargs: Any) -> list[Item]:
        """Return the items of a tile; all of them where those below may show through."""
        if self.reader_options.get("clear"):
            kwargs |= {"exitwhenfull": False, "skipcovered": False}
        items: list[Item] = super().assets_for_tile(x, y, z, **kwargs)
        return items

    @property
    def minzoom(self) -> int:  # type: ignore[override]
        """Lowest zoom level, whatever a registered search says."""
        return MOSAIC_ZOOMS.start

    @property
    def maxzoom(self) -> int:  # type: ignore[override]
        """Zoom level up to which tiles show more."""
        return NATIVE_ZOOM


@dataclass
class ClearPixels(DefaultDependency):
    """Whether what cloud or shadow hides is left to the items below."""

    clear: Annotated[
        bool, Query(description="Leave out pixels that the mask calls cloud or cloud shadow")
    ] = False


def mosaic_reader(hrefs: Hrefs, rasters: Rasters) -> type[SimpleSTACReader]:
    """Return the reader of the items of a mosaic whose hrefs are bounded by ``hrefs``."""

    @attr.s
    class StoredMosaicReader(SimpleSTACReader):
        """Read an item of a mosaic, its hidden pixels left out where clear ones are wanted."""

        reader: type[Reader] = attr.ib(default=GeoTiffReader)
        reader_options: dict[str, Any] = attr.ib(factory=lambda: {"rasters": rasters})
        ctx: Any = attr.ib(default=nullcontext)
        deadline: float = attr.ib(default=float("inf"))
        clear: bool = attr.ib(default=False)

        def tile_exists(self, tile_x: int, tile_y: int, tile_z: int) -> bool:
            """Say yes: the file itself tells."""
            return True  # The file knows.

        def tile(
            self, tile_x: int, tile_y: int, tile_z: int, *args: Any, **kwargs: Any
        ) -> ImageData:
            """Draw a tile; with ``clear`` cloud and shadow are no data."""
            image = super().tile(tile_x, tile_y, tile_z, *args, **kwargs)
            if self.clear and "mask" in self.assets:
                size = {key: kwargs[key] for key in ("tilesize", "buffer") if key in kwargs}
                classes = super().tile(
                    tile_x, tile_y, tile_z, assets="mask", resampling_method="nearest", **size
                )
                hidden = np.isin(classes.array.data[0], _HIDING)
                image.array = np.ma.masked_array(image.array, image.array.mask | hidden)
            return image

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
