"""Files of an item as other readers see them: GDAL, rio-cogeo and Pillow are the judges."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rio_cogeo.cogeo import cog_validate

from catalog.errors import ProductError
from catalog.grid import Grid
from catalog.product import MASK_COLOURS, TILE_PIXELS, AssetSpec, MaskClass, asset_specs
from processing import write
from processing.write import write_cog, write_thumbnail

TILE = Grid(32631, 300000.0, 4900020.0, 16.0, TILE_PIXELS, TILE_PIXELS)
FRAME = Grid(32721, 600000.0, 8300000.0, 16.0, 1301, 1127)
WINDOW = (385, 213, 521, 700)
SPECS = {(name, spec.key): spec for name in ("GF1", "GF6") for spec in asset_specs(name)}
SR = SPECS["GF1", "SR"]
MASK = SPECS["GF1", "mask"]
QA = SPECS["GF1", "qa"]

Pixels = NDArray[np.unsignedinteger]


def made(spec: AssetSpec, rows: int, cols: int, fill: float = 0.2) -> Pixels:
    """Random pixels with a share of fill that all bands have in common."""
    generator = np.random.default_rng(rows + cols)
    high = len(MaskClass) if spec.overviews == "mode" else 65536
    pixels = generator.integers(1, high, (len(spec.bands), rows, cols), dtype=spec.dtype)
    pixels[:, generator.random((rows, cols)) < fill] = 0
    return pixels


def framed(pixels: Pixels, frame: Grid, row: int, col: int) -> Pixels:
    whole = np.zeros((len(pixels), *frame.shape), pixels.dtype)
    whole[:, row : row + pixels.shape[1], col : col + pixels.shape[2]] = pixels
    return whole


def overview(path: Path, level: int) -> Pixels:
    with rasterio.open(path, overview_level=level) as source:
        pixels: Pixels = source.read()
    return pixels


@pytest.mark.parametrize(("satellite", "key"), SPECS)
def test_every_asset_is_a_strict_cog_that_reads_back_the_same(
    tmp_path: Path, satellite: str, key: str
) -> None:
    spec = SPECS[satellite, key]
    row, col, rows, cols = WINDOW
    pixels = made(spec, rows, cols)
    path = tmp_path / "a.tiff"
    write_cog(path, pixels, spec, FRAME, row, col)

    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(path) as source:
        np.testing.assert_array_equal(source.read(), framed(pixels, FRAME, row, col))
        assert set(source.dtypes) == {spec.dtype}
        assert source.nodata == 0
        assert source.crs.to_epsg() == FRAME.epsg
        assert source.transform == Affine(*FRAME.transform)
        assert source.shape == FRAME.shape
        assert source.block_shapes == [(512, 512)] * source.count
        assert source.descriptions == tuple(band.name for band in spec.bands)
        assert source.scales == (spec.scale or 1.0,) * source.count
        assert source.offsets == (0.0,) * source.count
        assert source.units == (spec.unit,) * source.count
        structure = source.tags(ns="IMAGE_STRUCTURE")
        assert structure["LAYOUT"] == "COG"
        assert structure["COMPRESSION"] == "DEFLATE"
        assert structure["PREDICTOR"] == "2"
        assert source.tags()["AREA_OR_POINT"] == "Area"
        assert source.overviews(1) == [2, 4]


def test_full_tile_has_four_overviews(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    write_cog(path, made(SR, 40, 50), SR, TILE, 3000, 4001)
    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(path) as source:
        assert source.overviews(1) == [2, 4, 8, 16]
        assert source.shape == (6863, 6863)
    assert overview(path, 3).shape == (4, 429, 429)


def test_mask_carries_the_colour_table(tmp_path: Path) -> None:
    path = tmp_path / "mask.tiff"
    write_cog(path, made(MASK, 30, 30)[0], MASK, FRAME)
    with rasterio.open(path) as source:
        assert source.colorinterp[0] == rasterio.enums.ColorInterp.palette
        table = source.colormap(1)
    assert {value: table[value][:3] for value in MASK_COLOURS} == MASK_COLOURS


def slow_halved(whole: Pixels, how: str) -> Pixels:
    """Reduce 2 x 2 pixels one by one; fill does not count."""
    padded = np.pad(whole, ((0, 0), (0, whole.shape[1] % 2), (0, whole.shape[2] % 2)))
    bands, rows, cols = padded.shape
    out = np.zeros((bands, rows // 2, cols // 2), whole.dtype)
    fours = padded.reshape(bands, rows // 2, 2, cols // 2, 2).swapaxes(2, 3)
    for band, i, j in np.argwhere(fours.any(axis=(3, 4))):
        values = [int(value) for value in fours[band, i, j].ravel() if value]
        out[band, i, j] = {
            "average": int(np.floor(np.mean(values) + 0.5)),
            "mode": max(values, key=values.count),
            "nearest": values[0],
        }[how]
    return out


@pytest.mark.parametrize(
    "spec", [SPECS["GF1", "AOD"], MASK, QA], ids=["average", "mode", "nearest"]
)
@pytest.mark.parametrize("place", [(0, 0), (701, 333), (1301 - 41, 1127 - 53)])
def test_overviews_equal_the_slow_reduction(
    tmp_path: Path, spec: AssetSpec, place: tuple[int, int]
) -> None:
    pixels = made(spec, 41, 53, fill=0.5)
    path = tmp_path / "a.tiff"
    write_cog(path, pixels, spec, FRAME, *place)
    expected = framed(pixels, FRAME, *place)
    for level in range(2):
        expected = slow_halved(expected, spec.overviews)
        np.testing.assert_array_equal(overview(path, level), expected)


def test_mean_overview_equals_gdals(tmp_path: Path) -> None:
    pixels = made(SR, 600, 700)
    frame = Grid(32631, 300000.0, 4900020.0, 16.0, 600, 700)
    write_cog(tmp_path / "ours.tiff", pixels, SR, frame)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", height=600, width=700, count=4, dtype="uint16", nodata=0,
            crs="EPSG:32631", transform=Affine(*frame.transform),
        ) as target:  # fmt: skip
            target.write(pixels)
        with memory.open() as source:
            rasterio.shutil.copy(
                source, tmp_path / "gdal.tiff", driver="COG", overview_resampling="average"
            )
    np.testing.assert_array_equal(
        overview(tmp_path / "ours.tiff", 0), overview(tmp_path / "gdal.tiff", 0)
    )


def test_empty_blocks_take_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    write_cog(path, made(QA, 20, 20), QA, TILE, 600, 600)
    assert path.stat().st_size < 10_000
    with rasterio.open(path) as source:
        assert source.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1) is None
        assert source.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1) is not None


def test_blocks_are_led_by_their_size_and_trailed_by_their_end(tmp_path: Path) -> None:
    """What GDAL's structural metadata promise to readers that skip the tile index."""
    path = tmp_path / "a.tiff"
    write_cog(path, made(SR, 700, 700), SR, FRAME)
    content = path.read_bytes()
    with rasterio.open(path) as source:
        for name in ("0_0", "1_1"):
            offset = int(source.get_tag_item(f"BLOCK_OFFSET_{name}", "TIFF", bidx=1))
            size = int(source.get_tag_item(f"BLOCK_SIZE_{name}", "TIFF", bidx=1))
            assert int.from_bytes(content[offset - 4 : offset], "little") == size
            assert content[offset + size : offset + size + 4] == content[offset + size - 4 :][:4]


@pytest.mark.parametrize("shape", [(1, 1), (512, 512), (513, 600), (100, 2000)])
def test_frames_of_any_size(tmp_path: Path, shape: tuple[int, int]) -> None:
    frame = Grid(32631, 300000.0, 4900020.0, 16.0, *shape)
    pixels = made(SR, *shape)
    write_cog(tmp_path / "a.tiff", pixels, SR, frame)
    assert cog_validate(tmp_path / "a.tiff", strict=True) == (True, [], [])
    with rasterio.open(tmp_path / "a.tiff") as source:
        np.testing.assert_array_equal(source.read(), pixels)


def test_nothing_but_fill(tmp_path: Path) -> None:
    write_cog(tmp_path / "a.tiff", np.zeros((4, 9, 9), np.uint16), SR, FRAME)
    assert cog_validate(tmp_path / "a.tiff", strict=True)[0]
    with rasterio.open(tmp_path / "a.tiff") as source:
        assert not source.read().any()


def test_same_pixels_same_bytes(tmp_path: Path) -> None:
    pixels = made(SR, 800, 900)
    for name in ("a.tiff", "b.tiff"):
        write_cog(tmp_path / name, pixels, SR, FRAME, 300, 100)
    assert (tmp_path / "a.tiff").read_bytes() == (tmp_path / "b.tiff").read_bytes()


def test_strided_pixels_are_written_as_seen(tmp_path: Path) -> None:
    pixels = made(SR, 60, 80)[:, ::2, ::-1]
    write_cog(tmp_path / "a.tiff", pixels, SR, FRAME)
    with rasterio.open(tmp_path / "a.tiff") as source:
        np.testing.assert_array_equal(source.read(), framed(pixels, FRAME, 0, 0))


@pytest.mark.parametrize(
    ("pixels", "place", "message"),
    [
        (np.ones((3, 5, 5), np.uint16), (0, 0), "3 bands of uint16, asset SR wants 4 of uint16"),
        (np.ones((4, 5, 5), np.uint8), (0, 0), "4 bands of uint8"),
        (np.ones((4, 5, 5), np.uint16), (1297, 0), "leaves the frame of 1301 x 1127"),
        (np.ones((4, 5, 5), np.uint16), (-1, 0), "leaves the frame"),
    ],
)
def test_pixels_that_do_not_fit_are_refused(
    tmp_path: Path, pixels: Pixels, place: tuple[int, int], message: str
) -> None:
    with pytest.raises(ProductError, match=message):
        write_cog(tmp_path / "a.tiff", pixels, SR, FRAME, *place)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tiff"
    path.write_text("older")

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "write_block", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_cog(path, made(SR, 50, 50), SR, FRAME)
    assert [file.name for file in tmp_path.iterdir()] == ["a.tiff"]
    assert path.read_text() == "older"


@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_thumbnail_shows_what_holds_data(tmp_path: Path, suffix: str) -> None:
    """A red square at rows 320-639, cols 640-959 of the window, drawn at an eighth."""
    reflectance = np.zeros((4, 1600, 2400), np.uint16)
    reflectance[:, 320:640, 640:960] = np.array([200, 200, 3000, 200])[:, None, None]
    path = tmp_path / f"t.{suffix}"
    write_thumbnail(path, reflectance)
    with Image.open(path) as picture:
        assert picture.format == suffix.upper()
        assert picture.size == (300, 200)
        pixels = np.asarray(picture.convert("RGBA")).astype(int)
    opaque = np.zeros((200, 300), bool)
    opaque[40:80, 80:120] = True
    np.testing.assert_array_equal(pixels[..., 3] == 255, opaque)
    red, green, blue = pixels[60, 100, :3]
    assert red > 240
    assert abs(green - blue) < 12
    assert green < 60


def test_thumbnail_brightness_is_fixed_and_rises_with_reflectance(tmp_path: Path) -> None:
    steps = np.array([100, 500, 1000, 2000, 3000, 9000], np.uint16)
    reflectance = np.broadcast_to(steps, (8, 20, 6)).copy()
    path = tmp_path / "t.png"
    write_thumbnail(path, reflectance)
    with Image.open(path) as picture:
        row = np.asarray(picture)[0, :, 0].astype(int)
    assert (np.diff(row[:5]) > 0).all()
    assert row[4] == row[5] == 255
