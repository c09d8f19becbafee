"""Where rasters from outside lie, as far as they say so."""

from typing import Any

from rasterio.warp import transform_bounds

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees; east may exceed 180."""


def lies_on_earth(raster: Any) -> bool:
    """Tell whether an open raster has a CRS that leads to longitude and latitude.

    GDAL takes one without a CRS for one of the wanted grid, and cannot transform a local one.
    """
    crs = raster.crs
    return crs is not None and bool(crs.is_geographic or crs.is_projected)


def lonlat_bounds(raster: Any) -> Bounds:
    """Return the extent of an open raster in degrees, east beyond 180 where it crosses."""
    west, south, east, north = transform_bounds(raster.crs, "OGC:CRS84", *raster.bounds)
    return west, south, east if east >= west else east + 360.0, north
