"""Tiles are what GDAL's warper makes of the same file; files are lent without a mix-up."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from morecantile import Tile, tms
from PIL import Image
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rasterio.warp import reproject
from rio_tiler.colormap import cmap
from rio_tiler.models import ImageData
from scipy import ndimage
from titiler.core.resources.enums import ImageType
from titiler.core.utils import render_image

from tiler.encode import encode
from tiler.reader import GeoTiffReader, stored_rasters
from tiler.warp import positions

QUAD = tms.get("WebMercatorQuad")
SIDE = 1100
PLACE = (0.61, 44.17)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth land with fill on two sides, overviews by mean."""
    rng = np.random.default_rng(5)
    land = 2000 + 1e4 * ndimage.gaussian_filter(rng.normal(size=(4, SIDE, SIDE)), (0, 3, 3))
    land[:, :, :200] = 0
    land[:, 900:] = 0
    return _write(tmp_path_factory.mktemp("warp") / "a.tif", land.clip(0, 9000).astype(np.uint16))


def _write(path: Path, pixels: np.ndarray) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", width=pixels.shape[2], height=pixels.shape[1],
        count=len(pixels), dtype=pixels.dtype, nodata=0, crs="EPSG:32631", tiled=True,
        transform=rasterio.transform.from_origin(300000, 4900020, 16, 16),
    ) as raster:  # fmt: skip
        raster.write(pixels)
        raster.build_overviews([2, 4], Resampling.average)
    return path


def _warped(path: Path, at: Tile, method: Resampling) -> np.ndarray:
    """The tile by GDAL's warper with exact transformations."""
    out = np.zeros((3, 256, 256), np.uint16)
    with rasterio.open(path) as raster:
        reproject(
            rasterio.band(raster, (3, 2, 1)), out, dst_crs="EPSG:3857", src_nodata=0,
            dst_nodata=0, dst_transform=from_bounds(*QUAD.xy_bounds(at), 256, 256),
            resampling=method, tolerance=0,
        )  # fmt: skip
    return out


@pytest.mark.parametrize("zoom", [13, 14, 16])
@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_a_tile_is_what_gdal_warps(path: Path, zoom: int, method: str) -> None:
    at = QUAD.tile(*PLACE, zoom)
    expected = _warped(path, at, Resampling[method]).astype(float)
    with GeoTiffReader(str(path)) as reader:
        image = reader.tile(*at, indexes=(3, 2, 1), resampling_method=method)
    apart = np.abs(image.array.data - expected)[:, ~image.array.mask[0] & (expected[0] > 0)]
    if method == "nearest":  # GDAL places pixels to an eighth of a pixel only
        assert (apart == 0).mean() > 0.985
        assert (image.array.mask[0] != (expected[0] == 0)).mean() < 0.005
    else:  # cv2 weighs in 32nds of a pixel
        with rasterio.open(path) as raster:
            steepest = np.abs(np.diff(raster.read((3, 2, 1))[:, :900, 200:].astype(float))).max()
        assert apart.max() <= steepest / 8
        assert apart.mean() < steepest / 200


def test_where_pixels_lie_is_exact_between_the_nodes() -> None:
    way = Transformer.from_crs(3857, 32631, always_xy=True).transform
    for zoom in (6, 9, 13):
        at = QUAD.tile(*PLACE, zoom)
        left, bottom, right, top = QUAD.xy_bounds(at)
        found = positions((left, bottom, right, top), 256, way, (3e5, 4.9e6), (16.0, -16.0))
        x = left + (np.arange(256) + 0.5) / 256 * (right - left)
        for row in (0, 77, 255):
            y = np.full(256, top + (row + 0.5) / 256 * (bottom - top))
            east, north = way(x, y)
            pixel = found.step()
            assert np.abs(found.cols[row] - (east - 3e5) / 16).max() < 0.03 * pixel
            assert np.abs(found.rows[row] - (north - 4.9e6) / -16).max() < 0.03 * pixel


def test_a_tile_far_out_is_the_mean_of_the_ground(path: Path) -> None:
    at = QUAD.tile(*PLACE, 11)
    with GeoTiffReader(str(path)) as reader:
        image = reader.tile(*at, indexes=1, resampling_method="bilinear")
        fine = reader._positions(QUAD.xy_bounds(at), 2048)
        assert fine is not None
        ground = reader.raster.dataset.read(1).astype(float)
    rows, cols = (
        np.clip(np.floor(places).astype(int), -1, SIDE) for places in (fine.rows, fine.cols)
    )
    framed = np.pad(ground, 1)
    levels = np.where(framed[rows + 1, cols + 1] > 0, framed[rows + 1, cols + 1], np.nan)
    mean = levels.reshape(256, 8, 256, 8).mean(axis=(1, 3))
    known = np.isfinite(mean) & ~image.array.mask[0]
    assert known.sum() > 1000
    error = (image.array.data[0] - mean)[known]
    assert np.sqrt(np.mean(error**2)) < 0.15 * np.std(mean[known])


def test_fill_is_not_mixed_into_the_land(path: Path) -> None:
    at = QUAD.tile(*PLACE, 12)
    with GeoTiffReader(str(path)) as reader:
        image = reader.tile(*at, indexes=1, resampling_method="bilinear")
        land = reader.raster.dataset.read(1)
    shown = image.array.data[0][~image.array.mask[0]]
    assert 0 < np.mean(image.array.mask[0]) < 1
    assert shown.min() >= land[land > 0].min()


def test_an_expression_is_made_of_the_bands_it_names(path: Path) -> None:
    at = QUAD.tile(*PLACE, 14)
    with GeoTiffReader(str(path)) as reader:
        ratio = reader.tile(*at, expression="(b4-b3)/(b4+b3)", resampling_method="nearest")
        bands = reader.tile(*at, indexes=(4, 3), resampling_method="nearest")
    nir, red = bands.array.astype(float)
    assert np.ma.allclose(ratio.array[0], (nir - red) / (nir + red))


def test_a_file_replaced_under_its_name_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    rasters = stored_rasters()
    for level in (1000, 2000):
        _write(tmp_path / "new.tif", np.full((1, SIDE, SIDE), level, np.uint16))
        os.replace(tmp_path / "new.tif", path)
        with GeoTiffReader(str(path), rasters=rasters) as reader:
            image = reader.tile(*QUAD.tile(*PLACE, 14))
        assert set(np.unique(image.array.compressed())) == {level}


def test_a_file_serves_many_threads(path: Path) -> None:
    rasters = stored_rasters()
    tiles = [QUAD.tile(PLACE[0] + 0.002 * n, PLACE[1], 14) for n in range(12)]

    def draw(at: Tile) -> np.ndarray:
        with GeoTiffReader(str(path), rasters=rasters) as reader:
            return reader.tile(*at, resampling_method="bilinear").array.data

    alone = [draw(at) for at in tiles]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(draw, tiles * 4))
    for number, picture in enumerate(together):
        assert np.array_equal(picture, alone[number % len(tiles)])


def _image(bands: int, dtype: str = "uint16") -> ImageData:
    rng = np.random.default_rng(bands)
    pixels = rng.integers(1, 4000 if dtype == "uint16" else 7, (bands, 40, 50)).astype(dtype)
    mask = np.zeros_like(pixels, bool)
    mask[:, :9, :7] = True
    return ImageData(np.ma.MaskedArray(np.where(mask, 0, pixels), mask))


@pytest.mark.parametrize(
    ("bands", "dtype", "options"),
    [
        (3, "uint16", {"rescale": [(0, 3000)]}),
        (3, "uint16", {"rescale": [(0, 3000), (100, 2000), (0, 4000)]}),
        (1, "uint16", {"rescale": [(100, 2000)]}),
        (1, "uint16", {"rescale": [(0, 3000)], "colormap": cmap.get("rdylgn")}),
        (1, "uint8", {"colormap": {n: (n * 30, 9, 9, 255) for n in range(1, 6)}}),
        (3, "uint16", {"rescale": [(0, 3000)], "add_mask": False}),
        (3, "uint16", {"rescale": [(0, 3000)], "color_formula": "gamma rgb 1.4"}),
    ],
)
def test_a_png_has_the_pixels_that_titiler_gives_it(
    bands: int, dtype: str, options: dict[str, Any]
) -> None:
    ours, kind = encode(_image(bands, dtype), output_format=ImageType.png, **options)
    theirs, _ = render_image(_image(bands, dtype), output_format=ImageType.png, **options)
    found, expected = (np.asarray(Image.open(io.BytesIO(file)), int) for file in (ours, theirs))
    assert kind == "image/png"
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize(("hidden", "kind"), [(True, "image/webp"), (False, "image/jpeg")])
def test_without_a_format_only_a_picture_with_holes_is_webp(hidden: bool, kind: str) -> None:
    image = _image(3)
    if not hidden:
        image.array = np.ma.MaskedArray(image.array.data, False)
    assert encode(image, rescale=[(0, 3000)])[1] == kind
