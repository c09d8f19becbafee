# mypy: allow-untyped-calls
"""From a published href to the one file it may mean, and readers that open nothing else.

Whoever can write an item into the catalogue chooses its hrefs. So an href is never opened: it is
taken apart, and only what names a GeoTIFF below the store's root is opened, as a GeoTIFF.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import attr
import rasterio
from rio_tiler.errors import InvalidAssetName
from rio_tiler.io import Reader
from rio_tiler.models import Info
from rio_tiler.types import AssetInfo, AssetType, AssetWithOptions
from titiler.core.errors import TilerError
from titiler.pgstac.reader import PgSTACReader, SimpleSTACReader

from catalog.errors import StoreError
from catalog.store import FolderStore

SUFFIXES = frozenset({".tif", ".tiff"})


class ForbiddenHrefError(TilerError):
    """An item's href that names no picture of this store."""


class MissingFileError(TilerError):
    """A file of an item that is no longer in the store."""


class Hrefs:
    """The hrefs that may be drawn: GeoTIFFs of a store, below the address they are published at.

    Parameters
    ----------
    store
        Store whose files are published.
    public_url
        Address of the platform; its files lie below ``/data/``.
    """

    def __init__(self, store: FolderStore, public_url: str) -> None:
        self._store = store
        self._prefix = f"{public_url.rstrip('/')}/data/"

    def path(self, href: str) -> str:
        """Return the local path of an href.

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
            path = self._store.resolve(relative)
        except StoreError as error:
            raise ForbiddenHrefError(f"{href}: not a published file") from error
        if not path.is_file():
            raise MissingFileError(f"{href}: the file is not in the store")
        return str(path)


@attr.s
class GeoTiffReader(Reader):
    """Reader of local GeoTIFFs: another format under that name (a VRT, say) is not opened."""

    def __attrs_post_init__(self) -> None:
        """Open the file by the one driver."""
        self.dataset = self._ctx_stack.enter_context(rasterio.open(self.input, driver="GTiff"))
        super().__attrs_post_init__()


def item_reader(hrefs: Hrefs) -> type[PgSTACReader]:
    """Return the reader of single items whose hrefs are bounded by ``hrefs``."""

    @attr.s
    class StoredItemReader(PgSTACReader):
        reader: type[Reader] = attr.ib(default=GeoTiffReader)

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


def mosaic_reader(hrefs: Hrefs) -> type[SimpleSTACReader]:
    """Return the reader of the items of a mosaic whose hrefs are bounded by ``hrefs``."""

    @attr.s
    class StoredMosaicReader(SimpleSTACReader):
        reader: type[Reader] = attr.ib(default=GeoTiffReader)

        def _get_asset_info(self, asset: AssetType) -> AssetInfo:
            info = super()._get_asset_info(asset)
            return AssetInfo({**info, "url": hrefs.path(info["url"])})

    return StoredMosaicReader
