# mypy: allow-untyped-calls
"""From a published href to the one file it may mean, and readers that open nothing else.

Whoever can write an item into the catalogue chooses its hrefs. So an href is never opened: it is
taken apart, and only what names a GeoTIFF below the store's root is opened, as a GeoTIFF.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import attr
import numpy as np
import rasterio
from morecantile import Tile
from rasterio.crs import CRS
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from rio_tiler.constants import WGS84_CRS
from rio_tiler.errors import InvalidAssetName, TileOutsideBounds
from rio_tiler.expression import parse_expression
from rio_tiler.io import Reader
from rio_tiler.models import ImageData, Info
from rio_tiler.types import AssetInfo, AssetType, AssetWithOptions, BBox
from titiler.core.errors import BadRequestError, TilerError
from titiler.pgstac.reader import PgSTACReader

from catalog.errors import StoreError
from catalog.store import Store
from tiler.limits import MAX_SPAN_DEG, NATIVE_ZOOM, ZOOMS
from tiler.rasters import Raster, Rasters
from tiler.warp import DRAWN_TYPES, Positions, bilinear, nearest, positions

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
    """The hrefs that may be drawn: GeoTIFFs of a store, by the place in it that an href names.

    The machine an href names is never asked, so any will do: a store published under one address
    is drawn under another. Whatever an href says, what is opened lies in the store.

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

    def _relative(self, href: str) -> str:
        """Return what a web address says after its first ``/data/``, else ""."""
        if href.startswith(self._prefix):
            return href.removeprefix(self._prefix)
        scheme, _, rest = href.partition("://")
        return rest.partition("/data/")[2] if scheme in ("http", "https") else ""

    def path(self, href: str) -> str:
        """Return what GDAL opens for an href.

        Raises
        ------
        ForbiddenHrefError
            The href names no place of the store, leads out of it (also through a link), or to
            another kind of file.
        MissingFileError
            There is no such file.
        """
        relative = self._relative(href)
        if not relative:
            raise ForbiddenHrefError(
                f"{href}: only files of this store are drawn, published as {self._prefix}..."
            )
        if PurePosixPath(relative).suffix.lower() not in SUFFIXES:
            raise ForbiddenHrefError(f"{href}: only {' and '.join(sorted(SUFFIXES))} are drawn")
        try:
            path = self._store.raster_path(relative)
        except StoreError as error:
            raise ForbiddenHrefError(f"{href}: not a published file") from error
        if not self._store.exists(relative):
            raise MissingFileError(f"{href}: the file is not in the store")
        return path


def stored_rasters() -> Rasters:
    """Return files that are cheap to draw from, kept open between pictures.

    What lends them raises `CostlyFileError` for a file that lacks overviews, or has blocks beyond
    all use.
    """
    return Rasters(_refuse_costly)


@attr.s
class GeoTiffReader(Reader):
    """Reader of GeoTIFFs of the store: another format under that name (a VRT, say) is not opened.

    Attributes
    ----------
    rasters
        Open files, and how they are opened.
    """

    rasters: Rasters = attr.ib(factory=stored_rasters)

    def __attrs_post_init__(self) -> None:
        """Borrow the file."""
        self.raster: Raster = self._ctx_stack.enter_context(self.rasters.lend(str(self.input)))
        self.dataset = self.raster.dataset
        self.bounds = tuple(self.dataset.bounds)
        self.crs = self.raster.crs
        self.transform = self.dataset.transform
        self.height, self.width = self.dataset.shape

    def tile(
        self,
        tile_x: int,
        tile_y: int,
        tile_z: int,
        tilesize: int | None = None,
        indexes: Sequence[int] | int | None = None,
        expression: str | None = None,
        buffer: float | None = None,
        resampling_method: str = "nearest",
        **kwargs: Any,
    ) -> ImageData:
        """Read a map tile; the usual ones at once, others as rio-tiler does."""
        size = tilesize or 256
        bounds = self.tms.xy_bounds(Tile(tile_x, tile_y, tile_z))
        at = None
        if resampling_method in _KERNELS and not (buffer or kwargs):
            at = self._positions(bounds, size)
        if at is None:
            return super().tile(
                tile_x, tile_y, tile_z, tilesize=tilesize, indexes=indexes, expression=expression,
                buffer=buffer, resampling_method=resampling_method, **kwargs,
            )  # fmt: skip
        if expression:
            bands = tuple(parse_expression(expression))
        elif indexes is None:
            bands = self.raster.dataset.indexes
        else:
            bands = (indexes,) if isinstance(indexes, int) else tuple(indexes)
        image = ImageData(
            self._draw(at, bands, resampling_method),
            assets=[self.input],
            bounds=bounds,
            crs=self.tms.rasterio_crs,
            band_names=[f"b{band}" for band in bands],
            band_descriptions=[self.raster.dataset.descriptions[n - 1] or f"b{n}" for n in bands],
            nodata=self.raster.dataset.nodata,
        )
        return image.apply_expression(expression) if expression else image

    def part(  # type: ignore[override]  # the options between are given by name
        self, bbox: BBox, dst_crs: CRS | None = None, bounds_crs: CRS = WGS84_CRS, **kwargs: Any
    ) -> ImageData:
        """Read a piece as rio-tiler does; shapes are read through here, too.

        Raises
        ------
        BadRequestError
            The piece reaches too far, or has no place on the ground.
        """
        west, south, east, north = transform_bounds(bounds_crs, WGS84_CRS, *bbox)
        width = east - west + (360 if east < west else 0)
        # Not a number fails every comparison.
        if not (width <= MAX_SPAN_DEG and 0 <= north - south <= MAX_SPAN_DEG):
            raise BadRequestError(
                f"bbox {bbox}: wanted west, south, east and north, "
                f"at most {MAX_SPAN_DEG:g} degrees apart"
            )
        return super().part(bbox, dst_crs, bounds_crs, **kwargs)

    def _positions(self, bounds: tuple[float, float, float, float], size: int) -> Positions | None:
        """Return where the pixels of a tile lie in the file.

        None far away from its zone, and for files unlike those of the platform.
        """
        a, b, west, d, e, north = self.raster.dataset.transform[:6]
        nodata = self.raster.dataset.nodata
        if b or d or nodata is None or np.isnan(nodata):
            return None
        if self.raster.dataset.dtypes[0] not in DRAWN_TYPES:
            return None
        at = positions(bounds, size, self.raster.to_pixels.transform, (west, north), (a, e))
        return at if np.isfinite(at.cols).all() and np.isfinite(at.rows).all() else None

    def _draw(
        self, at: Positions, bands: Sequence[int], resampling: str
    ) -> np.ma.MaskedArray[Any, Any]:
        """Return the pixels of bands at places of the file, from the level just fine enough."""
        step = at.step()
        level = sum(coarser <= step for coarser in self.raster.levels) - 2
        if level < 0:
            return _read(self.raster, at, bands, resampling)
        with self.rasters.lend(self.raster.path, level) as raster:
            rows, cols = raster.dataset.shape
            return _read(
                raster, at.coarser(self.width / cols, self.height / rows), bands, resampling
            )


_KERNELS = {"nearest": nearest, "bilinear": bilinear}


def _read(
    raster: Raster, at: Positions, bands: Sequence[int], resampling: str
) -> np.ma.MaskedArray[Any, Any]:
    span = at.span(raster.dataset.shape)
    if span is None:
        raise TileOutsideBounds(f"{Path(raster.path).name} has no pixel in this tile")
    rows, cols = span
    pixels = raster.dataset.read(list(bands), window=Window.from_slices(rows, cols))
    within = Positions(at.cols - cols.start, at.rows - rows.start)
    values, hidden = _KERNELS[resampling](pixels, within, raster.dataset.nodata)
    return np.ma.MaskedArray(values, hidden)


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


def item_reader(hrefs: Hrefs, rasters: Rasters) -> type[PgSTACReader]:
    """Return the reader of single items whose hrefs are bounded by ``hrefs``."""

    @attr.s
    class StoredItemReader(PgSTACReader):
        """Read an item of the catalogue from the store."""

        reader: type[Reader] = attr.ib(default=GeoTiffReader)
        reader_options: dict[str, Any] = attr.ib(factory=lambda: {"rasters": rasters})
        ctx: Any = attr.ib(default=nullcontext)
        minzoom: int = attr.ib(default=ZOOMS.start)
        maxzoom: int = attr.ib(default=NATIVE_ZOOM)

        def __attrs_post_init__(self) -> None:
            # The inherited method gathers what the files are asked for anyhow.
            self.item = self.input
            self.assets = self.get_asset_list()
            west, south, east, north = self.item.bbox or (-180.0, -90.0, 180.0, 90.0)
            self.bounds, self.crs = (west, south, east, north), WGS84_CRS

        def tile_exists(self, tile_x: int, tile_y: int, tile_z: int) -> bool:
            """Say yes: the file itself tells."""
            return True  # The file knows.

        def info(
            self, assets: Sequence[AssetType] | AssetType | None = None, **kwargs: Any
        ) -> dict[str, Info]:
            """Describe the named assets alone."""
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
