"""A reference image: one band of one or more rasters, drawn on any grid that is asked for."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import CRSError, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform, transform_bounds

from catalog.errors import ReferenceImageError
from catalog.grid import Grid
from processing.rasters import Bounds, lies_on_earth, lonlat_bounds

BAND_ORDER: Final = ("red", "nir", "green", "blue")
"""Bands that both cameras and every reference worth its name have, the best for matching first."""

_SENTINEL2: Final = {"b02": "blue", "b03": "green", "b04": "red", "b08": "nir"}
COARSEST_M: Final = 64.0
"""Largest pixel, in which the scene is first looked for."""
_DEGREE_M: Final = 110_950.0
"""Of latitude, on average."""
_COARSER: Final = 1.25
"""From this ratio of pixel sizes on pixels are averaged, below it they are interpolated."""
_TOLERANCE_PX: Final = 0.02
"""Error allowed to GDAL's interpolated coordinates; its own default is 0.125."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A raster of classes that tells which pixels of an image are not the ground."""

    path: str
    hidden: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """One raster of a reference: what rasterio opens, the number of its band, and its extent.

    ``date`` is when it was taken, None where nobody says; ``name`` is for people.
    """

    path: str
    band: int
    bounds: Bounds
    name: str
    date: datetime | None = None
    screen: Screen | None = None

    def meets(self, bounds: Bounds) -> bool:
        """Tell whether the raster shares ground with ``bounds``."""
        west, south, east, north = self.bounds
        turn = 360.0 * round((bounds[0] + bounds[2] - west - east) / 720.0)
        return (
            west + turn < bounds[2]
            and east + turn > bounds[0]
            and south < bounds[3]
            and north > bounds[1]
        )


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """One band of one or more rasters in any projection; of those that overlap the first wins.

    ``label`` names them for the item, ``band`` is the common name, ``source`` what was asked for
    (an address, or the name of a file without the machine's path).
    """

    source: str
    band: str
    pieces: tuple[Piece, ...]

    @property
    def label(self) -> str:
        """Names of the rasters, shortened where there are many."""
        names = list(dict.fromkeys(piece.name for piece in self.pieces))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"{', '.join(names[:3])}{more} ({self.band})"

    @property
    def dates(self) -> tuple[str, ...]:
        """Days on which the rasters were taken, ISO 8601, each once, sorted."""
        return tuple(sorted({p.date.date().isoformat() for p in self.pieces if p.date is not None}))

    def read(self, grid: Grid) -> NDArray[np.float32]:
        """Draw the image on a grid of any UTM zone and resolution.

        Parameters
        ----------
        grid
            Where it is wanted. Finer rasters are averaged to its pixels, coarser ones
            interpolated by cubic convolution.

        Returns
        -------
        ndarray
            Shape ``grid.shape``, float32, in the units of the raster; NaN = no data.

        Raises
        ------
        ReferenceImageError
            A raster cannot be read.
        """
        out = np.full(grid.shape, np.nan, np.float32)
        extent = transform_bounds(f"EPSG:{grid.epsg}", "OGC:CRS84", *grid.bounds)
        if extent[2] < extent[0]:
            extent = (extent[0], extent[1], extent[2] + 360.0, extent[3])
        for piece in self.pieces:
            if piece.meets(extent):
                np.copyto(out, _draw(piece, grid), where=np.isnan(out))
                if not np.isnan(out).any():
                    break
        return out


def describe(
    path: str, band: str, name: str, *, date: datetime | None = None, screen: Screen | None = None
) -> Piece:
    """Open a raster and find the band called ``band`` in it.

    Raises
    ------
    ReferenceImageError
        It cannot be read, has no CRS, no such band, or pixels too large to tell fractions of 16 m.
    """
    with opened(path, name) as raster:
        unit_m = raster.crs.linear_units_factor[1] if raster.crs.is_projected else _DEGREE_M
        pixel_m = raster.res[0] * unit_m
        if pixel_m > COARSEST_M:
            raise ReferenceImageError(
                f"{name}: the reference image has pixels of {pixel_m:.0f} m; at most "
                f"{COARSEST_M:.0f} m wanted, best 10 to 30 m"
            )
        index = band_number(raster, band)
        if index is None:
            seen = ", ".join(str(text) for text in raster.descriptions)
            raise ReferenceImageError(
                f"{name}: no band called {band!r} (its bands: {seen}); wanted bands described as "
                "red, nir, green or blue, or a single band"
            )
        return Piece(path, index, lonlat_bounds(raster), name, date, screen)


def opened(path: str, name: str) -> Any:
    """Open a raster that has a CRS.

    Raises
    ------
    ReferenceImageError
        It cannot be read or has no CRS.
    """
    try:
        raster = rasterio.open(path)
    except RasterioError as error:
        raise ReferenceImageError(
            f"{name}: the reference image cannot be read: {error}; wanted a raster with a CRS"
        ) from error
    if not lies_on_earth(raster):
        raster.close()
        raise ReferenceImageError(
            f"{name}: the reference image has no geographic or projected CRS; give one that says "
            "where it lies"
        )
    return raster


def known_bands(raster: Any) -> dict[str, int]:
    """Return the numbers (from 1) of an open raster's bands by common name.

    Descriptions are asked first ("red", "B04"), then the meaning of colours.
    """
    names = [_common(text) for text in raster.descriptions]
    if not any(names):
        names = [colour.name for colour in raster.colorinterp]
    return {name: number for number, name in reversed(list(enumerate(names, 1))) if name}


def band_number(raster: Any, band: str) -> int | None:
    """Return the number of the band with a common name, None where there is none.

    A single band without a name is taken for the one wanted.
    """
    if raster.count == 1 and not raster.descriptions[0]:
        return 1
    return known_bands(raster).get(band)


def first_known(bands: Container[str], wanted: str) -> str | None:
    """Return the wanted band, or the next best that is there."""
    order = (wanted, *(band for band in BAND_ORDER if band != wanted))
    return next((band for band in order if band in bands), None)


def season_days(one: datetime, other: datetime) -> int:
    """Return how many days of the year lie between two times, whatever their years."""
    days = one.timetuple().tm_yday - other.timetuple().tm_yday
    return abs((days + 182) % 365 - 182)


def _common(text: str | None) -> str | None:
    """Return the common name in a band's description, None where it says none we know."""
    if not text:
        return None
    word = text.strip().lower().split()[0] if text.strip() else ""
    return _SENTINEL2.get(word, word) or None


def _draw(piece: Piece, grid: Grid) -> NDArray[np.float32]:
    """Warp one raster to the grid; NaN where it has nothing or its screen hides it."""
    values = _warped(piece, grid)
    if piece.screen is not None:
        values[np.isin(_classes(piece, piece.screen, grid), piece.screen.hidden)] = np.nan
    return values


def _warped(piece: Piece, grid: Grid) -> NDArray[np.float32]:
    """Warp the band of one raster to the grid."""
    crs = f"EPSG:{grid.epsg}"
    try:
        with opened(piece.path, piece.name) as raster:
            finest = calculate_default_transform(
                raster.crs, crs, raster.width, raster.height, *raster.bounds
            )[0].a
            average = grid.resolution > _COARSER * finest
            masked = MaskFlags.per_dataset in raster.mask_flag_enums[piece.band - 1]
            with WarpedVRT(
                raster,
                **_frame(grid),
                resampling=Resampling.average if average else Resampling.cubic,
                tolerance=_TOLERANCE_PX,
                src_nodata=None if masked else _no_data(raster),
                nodata=None if masked else np.nan,
                add_alpha=masked and raster.colorinterp[-1].name != "alpha",
                dtype="float32",
                **({} if average else {"XSCALE": 1, "YSCALE": 1}),
            ) as warped:
                values: NDArray[np.float32] = warped.read(piece.band)
                if masked:
                    values[warped.read(warped.count) == 0] = np.nan
    except (RasterioError, CRSError) as error:
        raise ReferenceImageError(
            f"{piece.name}: the reference image cannot be read: {error}; fetch it again"
        ) from error
    return values


def _classes(piece: Piece, screen: Screen, grid: Grid) -> NDArray[Any]:
    """Return the nearest class at every pixel."""
    try:
        with (
            opened(screen.path, piece.name) as raster,
            WarpedVRT(raster, **_frame(grid), resampling=Resampling.nearest) as warped,
        ):
            classes: NDArray[Any] = warped.read(1)
    except (RasterioError, CRSError) as error:
        raise ReferenceImageError(
            f"{piece.name}: its classes cannot be read: {error}; fetch it again"
        ) from error
    return classes


def _frame(grid: Grid) -> dict[str, Any]:
    return {
        "crs": f"EPSG:{grid.epsg}",
        "transform": rasterio.Affine(*grid.transform),
        "width": grid.cols,
        "height": grid.rows,
    }


def _no_data(raster: Any) -> float:
    """Return the value that means no data; where none is declared 0 in integers, NaN in floats."""
    if raster.nodata is not None:
        return float(raster.nodata)
    return np.nan if raster.dtypes[0].startswith("float") else 0.0
