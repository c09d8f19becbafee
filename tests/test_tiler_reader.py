"""No href opens anything but a GeoTIFF of the store."""

import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from morecantile import tms
from rasterio.errors import RasterioIOError

from catalog.folder import FolderStore
from tiler.limits import ZOOMS
from tiler.reader import CostlyFileError, ForbiddenHrefError, GeoTiffReader, Hrefs, MissingFileError

BASE = "http://ard.example.org"


def _empty_tiff(
    path: Path, side: int, overviews: tuple[int, ...] = (), **options: int | bool | str
) -> Path:
    """A file without a pixel in it that takes no room on disk."""
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 4, "dtype": "uint16"}
    transform = rasterio.transform.from_origin(300000, 4900020, 16, 16)
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, **options}
    with rasterio.open(
        path,
        "w",
        crs="EPSG:32631",
        transform=transform,
        nodata=0,
        sparse_ok=True,
        **profile,
        **layout,
    ) as raster:
        raster.build_overviews(overviews)
    return path


def _tiff(path: Path) -> Path:
    profile = {"driver": "GTiff", "width": 32, "height": 32, "count": 1, "dtype": "uint8"}
    transform = rasterio.transform.from_origin(300000, 4900000, 16, 16)
    with rasterio.open(path, "w", crs="EPSG:32631", transform=transform, **profile) as raster:
        raster.write(np.ones((1, 32, 32), np.uint8))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "store" / "gf1"
    folder.mkdir(parents=True)
    _tiff(folder / "a.SR.tiff")
    _tiff(tmp_path / "secret.tif")
    (folder / "item.json").write_text("{}")
    (folder / "out.tif").symlink_to(tmp_path / "secret.tif")
    (folder / ".hidden.tif").symlink_to(folder / "a.SR.tiff")
    return tmp_path / "store"


@pytest.fixture
def hrefs(root: Path) -> Hrefs:
    return Hrefs(FolderStore(root), BASE + "/")


def test_a_published_file_is_found(hrefs: Hrefs, root: Path) -> None:
    path = hrefs.path(f"{BASE}/data/gf1/a.SR.tiff")
    assert path == str((root / "gf1" / "a.SR.tiff").resolve())
    with GeoTiffReader(path) as reader:
        assert reader.bounds == (300000, 4899488, 300512, 4900000)


@pytest.mark.parametrize(
    "address",
    ["https://old.example.net:8443", "http://10.0.0.1", "http://ard.example.org/below/here"],
)
def test_a_store_published_under_another_address_is_drawn(
    hrefs: Hrefs, root: Path, address: str
) -> None:
    """The file is the store's own: the machine that the href names is never asked."""
    path = hrefs.path(f"{address}/data/gf1/a.SR.tiff")
    assert path == str((root / "gf1" / "a.SR.tiff").resolve())
    with pytest.raises(MissingFileError):
        hrefs.path(f"{address}/data/gf1/of_theirs.tiff")


@pytest.mark.parametrize(
    "href",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "/vsicurl/http://10.0.0.1/a.tif",
        "http://10.0.0.1/a.SR.tiff",
        "http://10.0.0.1/data/../secret.tif",
        "http://10.0.0.1/data//vsicurl/http://10.0.0.1/data/gf1/a.SR.tiff",
        "ftp://ard.example.org/data/gf1/a.SR.tiff",
        "/vsicurl/http://10.0.0.1/data/gf1/a.SR.tiff",
        "file:///data/gf1/a.SR.tiff",
        f"{BASE}/stac/gf1/a.SR.tiff",
        f"{BASE}/data/../secret.tif",
        f"{BASE}/data/gf1/../../secret.tif",
        f"{BASE}/data//etc/a.tif",
        f"{BASE}/data//vsicurl/http://10.0.0.1/a.tif",
        f"{BASE}/data/gf1/out.tif",
        f"{BASE}/data/gf1/.hidden.tif",
        f"{BASE}/data/gf1/item.json",
        f"{BASE}/data/gf1/a.SR.tiff?x=.vrt",
        f"{BASE}/data/gf1/a\0.tif",
        "./a.SR.tiff",
        "",
    ],
)
def test_other_hrefs_are_refused(hrefs: Hrefs, href: str) -> None:
    with pytest.raises(ForbiddenHrefError):
        hrefs.path(href)


def test_a_missing_file_is_told_apart(hrefs: Hrefs) -> None:
    with pytest.raises(MissingFileError, match="not in the store"):
        hrefs.path(f"{BASE}/data/gf1/b.SR.tiff")


def test_a_vrt_in_disguise_is_not_opened(root: Path, tmp_path: Path) -> None:
    disguised = root / "gf1" / "vrt.tif"
    disguised.write_text(
        '<VRTDataset rasterXSize="32" rasterYSize="32"><SRS>EPSG:32631</SRS>'
        "<GeoTransform>300000, 16, 0, 4900000, 0, -16</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{tmp_path / 'secret.tif'}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with rasterio.open(disguised) as opened:
        assert opened.driver == "VRT"
    with pytest.raises(RasterioIOError):
        GeoTiffReader(str(disguised))


def test_a_whole_product_is_cheap_at_every_zoom_level_drawn(tmp_path: Path) -> None:
    path = _empty_tiff(tmp_path / "whole.tif", 6863, (2, 4, 8, 16))
    quad = tms.get("WebMercatorQuad")
    with GeoTiffReader(str(path)) as reader:
        for zoom in (*range(ZOOMS.start, 15), ZOOMS.stop - 1):
            at = quad.tile(1.2, 43.8, zoom)
            start = time.process_time()
            image = reader.tile(at.x, at.y, zoom, tilesize=256)
            assert time.process_time() - start < 3
            assert image.mask.shape == (256, 256)


@pytest.mark.parametrize(
    ("side", "overviews", "blocks", "reason"),
    [
        (6863, (), {}, r"costly.tif: overviews \[\] of 6863 pixels are too few"),
        (6863, (16,), {}, "too few"),
        (9000, (2,), {}, "too few"),
        (
            5000,
            (2, 4),
            {"tiled": False, "blockysize": 5000, "compress": "deflate"},
            r"blocks of \(5000, 5000\) pixels",
        ),
    ],
)
def test_files_of_which_a_tile_would_read_much_are_refused(
    tmp_path: Path,
    side: int,
    overviews: tuple[int, ...],
    blocks: dict[str, int | bool | str],
    reason: str,
) -> None:
    path = _empty_tiff(tmp_path / "costly.tif", side, overviews, **blocks)
    with pytest.raises(CostlyFileError, match=reason):
        GeoTiffReader(str(path))
