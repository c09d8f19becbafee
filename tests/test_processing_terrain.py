"""Ground hidden by relief, against a ridge worked out by hand and rays followed one by one."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from scipy import ndimage

from catalog.grid import Grid
from processing.geometry.angles import AngleField
from processing.geometry.dem import HeightModel, open_dem
from processing.geometry.field import GroundField
from processing.geometry.terrain import hidden_ground, out_of_sight

GRID = Grid(32631, 300000.0, 5100000.0, 32.0, 320, 320)
SUN, VIEW = (150.0, 40.0), (280.0, 60.0)
RIDGE_M = 1000.0


def _directions(grid: Grid) -> AngleField:
    vectors = []
    for azimuth, zenith in np.radians([SUN, VIEW]):
        vectors += [np.sin(zenith) * np.sin(azimuth), np.sin(zenith) * np.cos(azimuth)]
        vectors += [np.cos(zenith)]
    layers = np.broadcast_to(np.array(vectors, np.float32)[:, None, None], (6, 2, 2))
    around = Grid(grid.epsg, grid.ulx, grid.uly, 16000.0, 2, 2)
    return AngleField(GroundField(around, layers))


def _model(folder: Path, values: np.ndarray, west: float, north: float) -> HeightModel:
    """Heights above the ellipsoid at 32 m in UTM, as a file."""
    path = folder / "heights.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1,
        dtype="float32", crs="EPSG:32631",
        transform=from_origin(west, north, 32.0, 32.0),
    ) as raster:  # fmt: skip
        raster.write(values, 1)
    return open_dem(path, (0.3, 45.9, 0.7, 46.1))


def _followed(ground: np.ndarray, azimuth: float, zenith: float, row: int, col: int) -> bool:
    """Follow one ray in steps of a tenth of a pixel."""
    azimuth, zenith = np.radians([azimuth, zenith])
    far = np.arange(1.0, 400.0, 0.1)
    y, x = row - far * np.cos(azimuth), col + far * np.sin(azimuth)
    inside = (y >= 0) & (x >= 0) & (y <= ground.shape[0] - 1) & (x <= ground.shape[1] - 1)
    y, x = y[inside], x[inside]
    i, j = np.minimum(y.astype(int), len(ground) - 2), np.minimum(x.astype(int), len(ground) - 2)
    v, u = y - i, x - j
    height = (ground[i, j] * (1 - u) + ground[i, j + 1] * u) * (1 - v)
    height += (ground[i + 1, j] * (1 - u) + ground[i + 1, j + 1] * u) * v
    return bool((height > ground[row, col] + far[inside] * 32.0 / np.tan(zenith)).any())


def test_a_ridge_hides_the_ground_behind_it(tmp_path: Path) -> None:
    values = np.zeros((420, 420), np.float32)
    values[250:254] = RIDGE_M
    west, north = GRID.ulx - 50 * 32.0, GRID.uly + 50 * 32.0
    hidden = hidden_ground(_model(tmp_path, values, west, north), GRID, _directions(GRID))
    # The ridge crosses the grid at rows 200 to 203. Its shadow is 1000 tan(40) = 839 m long
    # and reaches 839 cos(30) = 727 m, 22.7 pixels, northwards.
    rows = np.flatnonzero(hidden.shadow[:, 160])
    assert rows.max() < 204
    assert rows.min() == pytest.approx(200 - 22.7, abs=2.0)
    # The sensor stands in the west: 1000 tan(60) cos(80) = 301 m, 9.4 pixels, southwards.
    rows = np.flatnonzero(hidden.occluded[:, 160])
    assert rows.min() >= 200
    assert rows.max() == pytest.approx(203 + 9.4, abs=2.0)


def test_relief_beyond_the_edge_counts(tmp_path: Path) -> None:
    values = np.zeros((420, 420), np.float32)
    values[380:384] = RIDGE_M  # ten rows south of the grid
    west, north = GRID.ulx - 50 * 32.0, GRID.uly + 50 * 32.0
    hidden = hidden_ground(_model(tmp_path, values, west, north), GRID, _directions(GRID))
    dark = np.flatnonzero(hidden.shadow[:, 160])
    assert dark.max() == GRID.rows - 1
    assert dark.min() == pytest.approx(330 - 22.7, abs=2.0)


@pytest.mark.parametrize("direction", [(150.0, 60.0), (280.0, 35.0), (20.0, 75.0)])
def test_rays_agree_with_those_followed_one_by_one(direction: tuple[float, float]) -> None:
    rng = np.random.default_rng(3)
    ground = ndimage.gaussian_filter(rng.normal(0, 9000, (192, 192)), 5).astype(np.float32)
    azimuth, zenith = (np.full((12, 12), value, np.float32) for value in direction)
    found = out_of_sight(ground, 32.0, azimuth, zenith)
    places = rng.integers(0, 191, (400, 2))
    wanted = np.array([_followed(ground, *direction, row, col) for row, col in places])
    assert 0.02 < wanted.mean() < 0.98
    assert (found[tuple(places.T)] == wanted).mean() > 0.985


def test_flat_ground_hides_nothing() -> None:
    hidden = hidden_ground(open_dem(None, (0.0, 45.0, 1.0, 46.0)), GRID, _directions(GRID))
    assert not hidden.shadow.any()
    assert not hidden.occluded.any()
