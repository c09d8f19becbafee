"""What rasters from outside must say of themselves before they are warped."""

from typing import Any


def lies_on_earth(raster: Any) -> bool:
    """Tell whether an open raster has a CRS that leads to longitude and latitude.

    GDAL takes one without a CRS for one of the wanted grid, and cannot transform a local one.
    """
    crs = raster.crs
    return crs is not None and bool(crs.is_geographic or crs.is_projected)
