"""The outline of valid pixels as the geometry of an item."""

from typing import Any

import antimeridian
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import shapes
from rasterio.transform import Affine
from shapely.geometry import mapping, shape

from catalog.errors import ProductError
from catalog.grid import Grid

CELL_PIXELS = 16
"""Pixels along one side of the cells that the outline is drawn on: 256 m at 16 m."""


def outline(valid: NDArray[np.bool_], grid: Grid) -> dict[str, Any]:
    """Return the outline of valid pixels in longitude and latitude (WGS 84, degrees).

    Drawn around every cell that holds a valid pixel, without holes, to about one cell;
    cut at the antimeridian as RFC 7946 asks.

    Parameters
    ----------
    valid
        Shape (rows, cols) of ``grid``.

    Raises
    ------
    ProductError
        No pixel is valid.
    """
    cells = grid.coarsen(CELL_PIXELS)
    edge = (cells.rows * CELL_PIXELS - grid.rows, cells.cols * CELL_PIXELS - grid.cols)
    padded = np.pad(valid, ((0, edge[0]), (0, edge[1])))
    held = padded.reshape(cells.rows, CELL_PIXELS, cells.cols, CELL_PIXELS).any(axis=(1, 3))
    if not held.any():
        raise ProductError("no valid pixel: an item needs at least one to have an outline")
    rings = [
        shape(polygon)
        for polygon, _ in shapes(held.astype(np.uint8), held, transform=Affine(*cells.transform))
    ]
    west, south, east, north = grid.bounds
    area = shapely.union_all([shapely.Polygon(ring.exterior) for ring in rings])
    area = area.simplify(cells.resolution).intersection(shapely.box(west, south, east, north))
    # Turned the right way in metres: in degrees a ring over the antimeridian looks reversed.
    area = shapely.orient_polygons(shapely.segmentize(area, 20_000))
    to_lonlat = Transformer.from_crs(grid.epsg, 4326, always_xy=True)
    area = shapely.transform(area, lambda xy: np.stack(to_lonlat.transform(*xy.T), axis=1).round(6))
    fixed: dict[str, Any] = antimeridian.fix_geojson(mapping(area))
    return fixed
