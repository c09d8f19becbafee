"""The outline of valid pixels holds them all and little else, in longitude and latitude."""

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import shape

from catalog.errors import ProductError
from catalog.grid import Grid
from processing.outline import outline

GRID = Grid(32631, 300000, 5100000, 16, 1000, 1000)


def test_outline_holds_the_valid_pixels_and_little_else() -> None:
    rows, cols = np.mgrid[0:1000, 0:1000]
    valid = (rows + cols > 600) & (rows + 2 * cols < 2200)
    area = shape(outline(valid, GRID))
    to_lonlat = Transformer.from_crs(32631, 4326, always_xy=True)
    lon, lat = to_lonlat.transform(300000 + 16 * (cols + 0.5), 5100000 - 16 * (rows + 0.5))
    inside = shapely.contains_xy(area, lon, lat)
    assert (inside & valid).sum() / valid.sum() > 0.99
    assert (inside & ~valid).sum() / valid.sum() < 0.05


def test_holes_are_not_drawn_and_the_ring_turns_anticlockwise() -> None:
    valid = np.ones((1000, 1000), bool)
    valid[400:600, 400:600] = False
    geometry = outline(valid, GRID)
    assert geometry["type"] == "Polygon"
    assert len(geometry["coordinates"]) == 1
    assert shapely.LinearRing(geometry["coordinates"][0]).is_ccw


def test_outline_is_cut_at_the_antimeridian() -> None:
    grid = Grid(32601, 300000, 7000000, 16, 2000, 5000)
    geometry = outline(np.ones(grid.shape, bool), grid)
    assert geometry["type"] == "MultiPolygon"
    longitudes = np.concatenate([np.asarray(part[0])[:, 0] for part in geometry["coordinates"]])
    assert {-180.0, 180.0} <= set(longitudes)


def test_nothing_valid_is_an_error() -> None:
    with pytest.raises(ProductError, match="no valid pixel"):
        outline(np.zeros((1000, 1000), bool), GRID)
