"""The resampling against GDAL's RPC warp, and against what must be true of any resampling."""

import time
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import DemError, GeometryError
from catalog.grid import Grid, tiles_touching
from processing.geometry.dem import HeightModel, open_dem
from processing.geometry.footprint import height_range
from processing.geometry.ortho import (
    coarse_window,
    covered_window,
    footprint,
    orthorectify,
    scene_grid,
)
from processing.geometry.rpc import ImageCorrection, Rpc
from tests.pushbroom import (
    ArrayPart,
    Pushbroom,
    fit_rpc,
    gdal_ortho,
    position_error,
    relief,
    textured,
    write_dem,
)

CAMERA = Pushbroom(2.3, 44.4, rows=500, cols=460)
RPC = Rpc(**fit_rpc(CAMERA))
BOUNDS = (2.1, 44.25, 2.5, 44.55)
FLAT = open_dem(None, BOUNDS)


def grid_at(lon: float, lat: float, rows: int, cols: int, epsg: int = 32631) -> Grid:
    row, col = Grid(epsg, 0.0, 0.0, 16.0, 1, 1).rowcol(lon, lat)
    ulx, uly = (round(float(col)) - cols // 2) * 16.0 + 4.0, (rows // 2 - round(float(row))) * 16.0
    return Grid(epsg, ulx, uly, 16.0, rows, cols)


@pytest.fixture(scope="module")
def dem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dem(tmp_path_factory.mktemp("dem") / "dem.tif", BOUNDS)


@pytest.fixture(scope="module")
def plain_dem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for GDAL, which takes heights as they are."""
    return write_dem(tmp_path_factory.mktemp("dem") / "dem.tif", BOUNDS, epsg=4326)


@pytest.fixture(scope="module")
def heights(dem: Path) -> HeightModel:
    return open_dem(dem, BOUNDS)


@pytest.fixture(scope="module")
def part() -> ArrayPart:
    return ArrayPart(textured(4, CAMERA.rows, CAMERA.cols), RPC)


@pytest.mark.parametrize("kernel", ["cubic", "bilinear"])
@pytest.mark.parametrize("epsg", [32631, 32630])
def test_gdal_differs_by_one_count_at_most(part, heights, plain_dem, kernel, epsg):
    target = grid_at(2.3, 44.4, 620, 640, epsg)
    ours = orthorectify([part], target, heights, kernel=kernel).dn
    theirs = gdal_ortho(part.pixels, RPC, target, plain_dem, kernel)
    valid, seen = ours[0] != 0, theirs[0] != 0
    assert (valid != seen).mean() < 1e-4
    both = valid & seen
    assert both.mean() > 0.4
    apart = np.abs(ours[:, both].astype(int) - theirs[:, both])
    assert (apart <= 1).mean() >= 0.999
    assert (apart == 0).mean() > 0.9


def test_gdal_agrees_beside_missing_pixels(heights, plain_dem):
    pixels = textured(4, CAMERA.rows, CAMERA.cols)
    pixels[:, 200:230, 100:160] = 0
    pixels[:, 333, :] = 0
    pixels[:, :, 77] = 0
    target = grid_at(2.3, 44.4, 400, 400)
    ours = orthorectify([ArrayPart(pixels, RPC)], target, heights).dn
    theirs = gdal_ortho(pixels, RPC, target, plain_dem, "cubic")
    valid, seen = ours[0] != 0, theirs[0] != 0
    assert 0.99 > valid.mean() > 0.5
    assert (valid != seen).mean() < 1e-3
    apart = np.abs(ours[:, valid & seen].astype(int) - theirs[:, valid & seen])
    assert (apart <= 1).mean() >= 0.999


@pytest.mark.parametrize(("kernel", "bar"), [("cubic", 7.0), ("bilinear", 9.0)])
def test_far_less_cpu_than_gdal(heights, plain_dem, kernel, bar):
    camera = Pushbroom(2.3, 44.4, rows=1400, cols=1400)
    part = ArrayPart(textured(4, 1400, 1400), Rpc(**fit_rpc(camera)))
    target = grid_at(2.3, 44.4, 1300, 1300)

    def least_seconds(work) -> float:
        seconds = []
        for _ in range(3):
            start = time.process_time()
            work()
            seconds.append(time.process_time() - start)
        return min(seconds)

    orthorectify([part], target.window(0, 0, 8, 8), heights, kernel=kernel)  # compiles
    ours = least_seconds(lambda: orthorectify([part], target, heights, kernel=kernel))
    theirs = least_seconds(lambda: gdal_ortho(part.pixels, part.rpc, target, plain_dem, kernel))
    assert theirs / ours >= bar


@pytest.mark.parametrize(("row", "col"), [(0, 0), (220, 200), (439, 390)])
def test_lattice_is_within_a_two_hundredth_of_a_pixel(heights, row, col):
    assert position_error(RPC, row, col, heights, 32631) < 0.005


def test_image_comes_back_where_the_camera_saw_it(heights):
    """A single bright pixel lands where the exact ray meets the relief."""
    pixels = np.full((4, CAMERA.rows, CAMERA.cols), 100, np.uint16)
    pixels[:, 250, 230] = 1000
    height = 0.0
    for _ in range(20):
        lon, lat = CAMERA.ground(250, 230, height)
        height = float(relief(lon, lat))
    target = grid_at(float(lon), float(lat), 40, 40)
    dn = orthorectify([ArrayPart(pixels, RPC)], target, heights).dn[0].astype(float) - 100
    row, col = np.indices(dn.shape)
    seen = (row * dn).sum() / dn.sum(), (col * dn).sum() / dn.sum()
    assert seen == pytest.approx([float(v) for v in target.rowcol(lon, lat)], abs=0.15)


def test_constant_images_stay_constant(heights):
    part = ArrayPart(np.full((8, CAMERA.rows, CAMERA.cols), 777, np.uint16), RPC)
    dn = orthorectify([part], grid_at(2.3, 44.4, 620, 640), heights).dn
    assert dn.shape[0] == 8
    assert set(np.unique(dn)) == {0, 777}


def test_valid_pixels_are_never_zero(heights):
    pixels = np.ones((4, CAMERA.rows, CAMERA.cols), np.uint16)
    pixels[:, 240:260:2, 220:240] = 1000
    dn = orthorectify([ArrayPart(pixels, RPC)], grid_at(2.3, 44.4, 100, 100), heights).dn
    assert dn.min() == 1


def test_a_band_without_data_makes_the_pixel_invalid(heights):
    pixels = textured(4, CAMERA.rows, CAMERA.cols)
    pixels[1, 240:260, 220:240] = 0
    dn = orthorectify([ArrayPart(pixels, RPC)], grid_at(2.3, 44.4, 200, 200), heights).dn
    np.testing.assert_array_equal(dn.min(0) == 0, dn.max(0) == 0)
    assert 200 < (dn[0] == 0).sum() < 800


def test_saturation_is_told_for_each_band(heights):
    pixels = np.full((4, CAMERA.rows, CAMERA.cols), 500, np.uint16)
    pixels[2, 250, 230] = 1023
    target = grid_at(2.3, 44.4, 300, 300)
    ortho = orthorectify([ArrayPart(pixels, RPC)], target, heights, saturation_dn=1023)
    assert set(np.unique(ortho.saturated)) == {0, 4}
    np.testing.assert_array_equal((ortho.dn[2] != 500) & (ortho.saturated == 0), False)
    assert 9 <= (ortho.saturated == 4).sum() <= 30
    unasked = orthorectify([ArrayPart(pixels, RPC)], target, heights)
    assert not unasked.saturated.any()
    np.testing.assert_array_equal(unasked.dn, ortho.dn)


def test_correction_moves_the_image(part, heights):
    target = grid_at(2.3, 44.4, 150, 150)
    correction = ImageCorrection(row_offset=2.0, col_offset=-3.0)
    moved = ArrayPart(np.roll(part.pixels, (2, -3), (1, 2)), RPC.corrected(correction))
    np.testing.assert_array_equal(
        orthorectify([moved], target, heights).dn,
        orthorectify([part], target, heights).dn,
    )
    turned = ImageCorrection(
        row_per_col=1e-3, col_per_row=-2e-3, row_per_row=3e-3, col_per_col=1e-3
    )
    row, col = turned.apply(np.array([100.0]), np.array([200.0]))
    assert (row[0], col[0]) == pytest.approx((100.0 + 0.2 + 0.3, 200.0 - 0.2 + 0.2))


def test_parts_are_merged_and_the_first_wins(part, heights):
    left = ArrayPart(part.pixels[:, :, :260], RPC)
    shifted = {"sample_offset": RPC.sample_offset - 200.0}
    right = ArrayPart(
        part.pixels[:, :, 200:] + np.uint16(1),
        Rpc(**{name: shifted.get(name, getattr(RPC, name)) for name in RPC.__dataclass_fields__}),
    )
    target = grid_at(2.3, 44.4, 620, 640)
    whole = orthorectify([part], target, heights).dn.astype(int)
    merged = orthorectify([left, right], target, heights).dn.astype(int)
    np.testing.assert_array_equal(merged[0] != 0, whole[0] != 0)
    _, col = RPC.image(*target.lonlat(*np.indices(target.shape)), heights.on(target))
    assert (merged == whole)[:, (col < 255) & (whole[0] != 0)].mean() > 0.98
    assert (merged == whole + 1)[:, (col > 263) & (whole[0] != 0)].mean() > 0.98


def test_parts_must_have_the_same_bands(part):
    other = ArrayPart(part.pixels[:2], RPC)
    with pytest.raises(GeometryError, match="bands"):
        orthorectify([part, other], grid_at(2.3, 44.4, 10, 10), FLAT)


def test_only_the_needed_window_is_read(part, heights):
    part.reads.clear()
    orthorectify([part], grid_at(2.3, 44.4, 60, 60), heights)
    rows = sum(read[2] for read in part.reads)
    assert rows < 200
    assert max(read[3] for read in part.reads) < 200
    part.reads.clear()
    far = grid_at(3.3, 44.4, 60, 60)
    assert not orthorectify([part], far, heights).dn.any()
    assert part.reads == []


def test_covered_window_holds_all_and_little_more(part, heights):
    tile = next(t for t in tiles_touching(footprint([part], heights)) if t.name == "31TDK")
    window = covered_window([part], tile.grid, heights)
    assert window is not None
    row, col, rows, cols = window
    around = tile.grid.window(row - 100, col - 100, rows + 200, cols + 200)
    valid = orthorectify([part], around, heights).dn[0] != 0
    inside = valid[100:-100, 100:-100]
    assert inside.sum() == valid.sum() > 100_000
    assert inside.any(0).mean() > 0.75
    assert inside.any(1).mean() > 0.75


def test_no_window_where_the_scene_does_not_reach(part):
    assert covered_window([part], grid_at(3.9, 44.4, 200, 200), FLAT) is None
    assert covered_window([part], grid_at(2.3, 45.4, 200, 200), FLAT) is None
    assert covered_window([part], grid_at(-177.0, -44.4, 200, 200, 32701), FLAT) is None


def test_height_range_of_the_ellipsoid_is_empty():
    assert height_range(FLAT, np.array([2.0]), np.array([44.0])) == (0.0, 0.0)


def test_footprint_follows_the_relief(part, heights):
    ring = footprint([part], heights)
    lon, lat = np.array(ring).T
    row, col = RPC.image(lon, lat, heights.heights(lon, lat))
    edge = np.minimum(
        np.minimum(np.abs(row + 0.5), np.abs(row - CAMERA.rows + 0.5)),
        np.minimum(np.abs(col + 0.5), np.abs(col - CAMERA.cols + 0.5)),
    )
    assert edge.max() < 8.0
    assert len(ring) == 64


def test_footprint_joins_parts(part):
    shifted = {"sample_offset": RPC.sample_offset - 400.0}
    right = ArrayPart(
        part.pixels,
        Rpc(**{name: shifted.get(name, getattr(RPC, name)) for name in RPC.__dataclass_fields__}),
    )
    lon, _ = np.array(footprint([part, right], FLAT)).T
    first, _ = np.array(footprint([part], FLAT)).T
    second, _ = np.array(footprint([right], FLAT)).T
    assert lon.min() == pytest.approx(min(first.min(), second.min()))
    assert lon.max() == pytest.approx(max(first.max(), second.max()))


def test_heights_that_end_inside_the_scene_are_refused(part, tmp_path: Path):
    path = write_dem(tmp_path / "half.tif", (2.1, 44.25, 2.3, 44.55))
    with pytest.raises(DemError, match=r"half\.tif: heights end inside the scene"):
        footprint([part], open_dem(path, BOUNDS))


def test_scene_over_the_antimeridian(tmp_path: Path):
    camera = Pushbroom(179.99, -16.5, rows=300, cols=300, tilt_deg=-9.0)
    part = ArrayPart(np.full((4, 300, 300), 50, np.uint16), Rpc(**fit_rpc(camera)))
    path = write_dem(tmp_path / "dem.tif", (179.8, -16.7, 180.2, -16.3))
    heights = open_dem(path, (179.8, -16.7, 180.2, -16.3))
    ring = footprint([part], heights)
    assert min(lon % 360.0 for lon, _ in ring) < 180.0 < max(lon % 360.0 for lon, _ in ring)
    tiles = tiles_touching(ring)
    counts = {}
    for tile in tiles:
        window = covered_window([part], tile.grid, heights)
        if window is not None:
            dn = orthorectify([part], tile.grid.window(*window), heights).dn
            counts[tile.name] = np.count_nonzero(dn[0])
    assert max(counts.values()) > 60_000
    grid = scene_grid([part], heights, 32.0)
    dn, _ = coarse_window([part], heights, grid)
    assert grid.epsg in (32701, 32760)
    assert np.count_nonzero(dn[0]) * 4 == pytest.approx(90_000 * 1.2, rel=0.25)


def test_a_coarse_scene_is_the_mean_of_the_fine_one(part, heights):
    grid = scene_grid([part], heights, 32.0)
    dn, saturated = coarse_window([part], heights, grid, saturation_dn=1023)
    assert grid.ulx % 512 == grid.uly % 512 == 0
    fine = Grid(grid.epsg, grid.ulx, grid.uly, 16.0, grid.rows * 2, grid.cols * 2)
    exact = orthorectify([part], fine, heights, saturation_dn=1023)
    boxes = exact.dn.reshape(4, grid.rows, 2, grid.cols, 2).astype(float)
    whole = (boxes != 0).all((0, 2, 4)) & (dn[0] != 0)
    assert whole.mean() > 0.4
    apart = dn[:, whole] - boxes.mean((2, 4))[:, whole]
    assert abs(apart.mean()) < 0.5
    assert np.corrcoef(dn[0][whole], boxes.mean((2, 4))[0][whole])[0, 1] > 0.95
    assert (dn[0] != 0).sum() >= whole.sum()
    near = exact.saturated.reshape(grid.rows, 2, grid.cols, 2).any((1, 3))
    assert (saturated[whole] != 0).mean() == pytest.approx(near[whole].mean(), abs=0.05)
    assert set(np.unique(saturated)) <= set(range(16))
