# mypy: allow-untyped-calls
"""From a published href to the one file it may mean, and readers that open nothing else.

Whoever can write an item into the catalogue chooses its hrefs. So an href is never opened: it is
taken apart, and only what names a GeoTIFF below the store's root is opened, as a GeoTIFF.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import attr
import rasterio
from rio_tiler.errors import InvalidAssetName
from rio_tiler.io import Reader
from rio_tiler.models import Info
from rio_tiler.types import AssetInfo, AssetType, AssetWithOptions
from titiler.core.errors import TilerError
from titiler.pgstac.reader import PgSTACReader

from catalog.errors import StoreError
from catalog.store import Store
from tiler.limits import NATIVE_ZOOM, ZOOMS

SUFFIXES = frozenset({".tif", ".tiff"})
MAX_SIDE = 4096
"""Most pixels along a side of the coarsest level of a file, and of its blocks."""
MAX_STEP = 4
"""Most times that a level of a file is coarser than the one before."""


class ForbiddenHrefError(TilerError):
    """An item's href that names no picture of this store."""


class MissingFileError(TilerError):
    """A file of an item that is no longer in the store."""


class CostlyFileError(TilerError):
    """A file of which a small picture would read a large part."""


class Hrefs:
    """The hrefs that may be drawn: GeoTIFFs of a store, below the address they are published at.

    Parameters
    ----------
    store
        Store whose files are published.
    public_url
        Address of the platform; its files lie below ``/data/``.
    """

    def __init__(self, store: Store, public_url: str) -> None:
        self._store = store
        self._prefix = f"{public_url.rstrip('/')}/data/"

    def path(self, href: str) -> str:
        """Return what GDAL opens for an href.

        Raises
        ------
        ForbiddenHrefError
            The href leads elsewhere, out of the store (also through a link), or to another kind
            of file.
        MissingFileError
            There is no such file.
        """
        relative = href.removeprefix(self._prefix)
        if relative == href:
            raise ForbiddenHrefError(f"{href}: only files below {self._prefix} are drawn")
        if PurePosixPath(relative).suffix.lower() not in SUFFIXES:
            raise ForbiddenHrefError(f"{href}: only {' and '.join(sorted(SUFFIXES))} are drawn")
        try:
            path = self._store.raster_path(relative)
        except StoreError as error:
            raise ForbiddenHrefError(f"{href}: not a published file") from error
        if not self._store.exists(relative):
            raise MissingFileError(f"{href}: the file is not in the store")
        return path


@attr.s
class GeoTiffReader(Reader):
    """Reader of GeoTIFFs of the store that are cheap to draw from.

    Another format under that name (a VRT, say) is not opened.

    Raises
    ------
    CostlyFileError
        The file lacks overviews, or has blocks beyond all use.
    """

    def __attrs_post_init__(self) -> None:
        """Open the file by the one driver."""
        self.dataset = self._ctx_stack.enter_context(rasterio.open(self.input, driver="GTiff"))
        _refuse_costly(self.dataset)
        super().__attrs_post_init__()


def _refuse_costly(dataset: rasterio.DatasetReader) -> None:
    """Refuse a file without the levels that bound what a picture reads.

    GDAL reads the coarsest level that is not coarser than the picture: at most ``MAX_STEP`` times
    as many pixels along a side, or all of the coarsest level.
    """
    levels = [1, *dataset.overviews(1)]
    step = max((coarse / fine for fine, coarse in pairwise(levels)), default=1)
    side = max(dataset.shape) / levels[-1]
    if step > MAX_STEP or side > MAX_SIDE:
        raise CostlyFileError(
            f"{Path(dataset.name).name}: overviews {levels[1:]} of {max(dataset.shape)} pixels are "
            f"too few to draw from; write it as a Cloud-Optimized GeoTIFF, each level at most "
            f"{MAX_STEP} times coarser and the last within {MAX_SIDE} pixels"
        )
    if any(rows * cols > MAX_SIDE**2 for rows, cols in dataset.block_shapes):
        raise CostlyFileError(
            f"{Path(dataset.name).name}: blocks of {dataset.block_shapes[0]} pixels are too large "
            f"to draw from; write it as a Cloud-Optimized GeoTIFF with blocks of 512 pixels"
        )


def item_reader(hrefs: Hrefs) -> type[PgSTACReader]:
    """Return the reader of single items whose hrefs are bounded by ``hrefs``."""

    @attr.s
    class StoredItemReader(PgSTACReader):
        reader: type[Reader] = attr.ib(default=GeoTiffReader)
        minzoom: int = attr.ib(default=ZOOMS.start)
        maxzoom: int = attr.ib(default=NATIVE_ZOOM)

        def info(
            self, assets: Sequence[AssetType] | AssetType | None = None, **kwargs: Any
        ) -> dict[str, Info]:
            # TileJSON asks for all assets and uses none: that would open every file.
            return super().info(assets, **kwargs) if assets else {}

        def _get_asset_info(self, asset: AssetType) -> AssetInfo:
            # The inherited method warns of every asset whose bands have no statistics.
            options = AssetWithOptions(name=asset) if isinstance(asset, str) else asset
            name = options["name"]
            if name not in self.assets:
                raise InvalidAssetName(f"{name!r} is no picture of {self.item.id}")
            found = self.item.assets[name]
            reader_options, method_options = self._get_options(options, found)
            return AssetInfo(
                url=hrefs.path(found.href),
                name=name,
                media_type=found.media_type,
                reader_options=reader_options,
                method_options=method_options,
            )

    return StoredItemReader
