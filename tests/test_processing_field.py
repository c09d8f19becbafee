"""Ground fields read on other grids, against functions of the ground coordinates."""

import numpy as np
import pytest
from pyproj import Transformer

from catalog.errors import GeometryError
from catalog.grid import Grid
from processing.geometry.field import GroundField

COARSE = Grid(32631, 400_000.0, 4_900_000.0, 512.0, 60, 50)


def easting_northing(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    x = grid.ulx + (np.arange(grid.cols) + 0.5) * grid.resolution
    y = grid.uly - (np.arange(grid.rows) + 0.5) * grid.resolution
    return np.meshgrid(x, y)


def plane(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x - 400_000.0) * 1e-4 + (4_900_000.0 - y) * 3e-4


FIELD = GroundField(COARSE, plane(*easting_northing(COARSE)))


def test_a_plane_stays_a_plane_on_a_finer_grid_of_any_phase():
    fine = Grid(32631, 402_004.0, 4_895_012.0, 16.0, 301, 407)
    seen = FIELD.on(fine)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, plane(*easting_northing(fine)), atol=2e-5)


def test_its_own_grid_gives_the_values_back():
    np.testing.assert_array_equal(FIELD.on(COARSE), FIELD.values.astype(np.float32))
    one = COARSE.window(3, 4, 1, 1)
    assert FIELD.on(one)[0, 0] == np.float32(FIELD.values[3, 4])


def test_another_zone_reads_the_same_ground():
    to_30 = Transformer.from_crs("EPSG:32631", "EPSG:32630", always_xy=True)
    x, y = to_30.transform(412_000.0, 4_884_000.0)
    fine = Grid(32630, x - 3200.0, y + 3200.0, 16.0, 400, 400)
    back = Transformer.from_crs("EPSG:32630", "EPSG:32631", always_xy=True)
    truth = plane(*back.transform(*easting_northing(fine)))
    np.testing.assert_allclose(FIELD.on(fine), truth, atol=1e-4)


def test_layers_are_kept_apart():
    both = GroundField(COARSE, np.stack([FIELD.values, -FIELD.values]))
    fine = COARSE.window(5, 5, 9, 11)
    seen = both.on(fine)
    assert seen.shape == (2, 9, 11)
    np.testing.assert_array_equal(seen[0], -seen[1])


def test_missing_neighbours_are_left_out():
    values = np.ones((4, 4), np.float32)
    values[1, 1] = np.nan
    values[2:, 2:] = np.nan
    grid = Grid(32631, 0.0, 0.0, 32.0, 4, 4)
    seen = GroundField(grid, values).on(Grid(32631, 0.0, 0.0, 16.0, 8, 8))
    assert np.nanmin(seen) == np.nanmax(seen) == 1.0
    assert np.isnan(seen[6:, 6:]).all()
    assert np.isfinite(seen[:5, :4]).all()


def test_edges_reach_outwards():
    outside = Grid(32631, 300_000.0, 5_000_000.0, 512.0, 3, 3)
    np.testing.assert_array_equal(FIELD.on(outside), np.float32(FIELD.values[0, 0]))


def test_codes_are_never_mixed():
    codes = (np.arange(12).reshape(3, 4) % 5).astype(np.uint8)
    grid = Grid(32631, 0.0, 0.0, 48.0, 3, 4)
    seen = GroundField(grid, codes).on(Grid(32631, 0.0, 0.0, 16.0, 9, 12), nearest=True)
    assert seen.dtype == np.uint8
    np.testing.assert_array_equal(seen, codes.repeat(3, 0).repeat(3, 1))


def test_shapes_must_agree():
    with pytest.raises(GeometryError, match="rows and columns"):
        GroundField(COARSE, np.zeros((3, 3)))


@pytest.mark.parametrize("size", range(1, 40))
def test_every_pixel_of_a_grid_of_any_size_is_written(size: int) -> None:
    coarse = Grid(32631, 300000, 5100000, 5120, 9, 9)
    field = GroundField(coarse, np.full(coarse.shape, 7.0, np.float32))
    target = Grid(32631, 305000, 5095000, 16, size, size)
    assert (field.on(target) == 7.0).all()
    assert (field.on(target, nearest=True) == 7.0).all()


@pytest.mark.parametrize(
    ("target", "share"),
    [
        (COARSE.window(7, 5, 6, 4), 0.5),
        (Grid(COARSE.epsg, COARSE.ulx - 3e3, COARSE.uly - 1e3, 16.0, 90, 500), 0.9),
        (Grid(32630, 885_000.0, 4_895_000.0, 16.0, 200, 150), 0.2),
        (Grid(COARSE.epsg, COARSE.ulx + 9e6, COARSE.uly, 16.0, 30, 40), 0.2),
    ],
)
def test_the_part_near_a_grid_tells_the_same_about_it(target: Grid, share: float) -> None:
    part = FIELD.near(target)
    assert part.values.size <= share * FIELD.values.size
    assert np.shares_memory(part.values, FIELD.values)
    assert part.on(target) == pytest.approx(FIELD.on(target), abs=1e-3)
    codes = GroundField(COARSE, np.arange(FIELD.values.size).reshape(COARSE.shape))
    assert np.array_equal(
        codes.near(target).on(target, nearest=True), codes.on(target, nearest=True)
    )
