"""Height of the geoid above the WGS84 ellipsoid, from the grids that PROJ uses.

A digital elevation model counts from the geoid, an RPC from the ellipsoid; they part by -107 to
+86 m. The grids are not part of this package: Debian's ``proj-data`` brings ``egm96_15.gtx``,
``projsync --file us_nga_egm08_25.tif`` fetches the finer EGM2008.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import rasterio
from numpy.typing import ArrayLike, NDArray
from pyproj.datadir import get_data_dir, get_user_data_dir  # type: ignore[attr-defined]
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from catalog.errors import DemError

Datum = Literal["EGM96", "EGM2008"]

_LOGGER = logging.getLogger(__name__)
_FILES: Final[dict[Datum, tuple[str, ...]]] = {
    "EGM96": ("us_nga_egm96_15.tif", "egm96_15.gtx"),
    "EGM2008": ("us_nga_egm08_25.tif", "egm08_25.gtx"),
}
_SYSTEM_FOLDER: Final = Path("/usr/share/proj")
"""Where Debian's ``proj-data`` puts its grids; pyproj's wheel looks elsewhere."""


@dataclass(frozen=True, slots=True)
class Geoid:
    """Rows of a global geoid grid; ``north`` and ``west`` belong to the first value's centre."""

    name: str
    north: float
    west: float
    step_lat: float
    step_lon: float
    values: NDArray[np.float64]

    def undulation(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float32]:
        """Interpolate bilinearly over the raster of some longitudes and latitudes.

        Parameters
        ----------
        lon, lat
            Degrees, shapes (cols,) and (rows,).

        Returns
        -------
        ndarray
            Metres above the ellipsoid, shape (rows, cols), float32.
        """
        row = (self.north - np.asarray(lat, np.float64)) / self.step_lat
        col = (np.asarray(lon, np.float64) - self.west) / self.step_lon
        rows, cols = self.values.shape
        down = _weights(np.clip(row, 0.0, rows - 1.0), rows, wrap=False)
        across = _weights(col, cols, wrap=cols * self.step_lon > 359.0)
        return (down @ self.values @ across.T).astype(np.float32)


def open_geoid(datum: Datum, south: float, north: float, path: Path | None = None) -> Geoid:
    """Read the part of a geoid grid between two latitudes.

    Parameters
    ----------
    datum
        The geoid wanted. Where only the other one is installed that is taken with a warning:
        they differ by less than a metre nearly everywhere.
    south, north
        Degrees.
    path
        A grid to read instead of the installed ones.

    Raises
    ------
    DemError
        No grid is installed, or ``path`` cannot be read.
    """
    file = path if path is not None else _find(datum)
    try:
        with rasterio.open(file) as raster:
            step_lon, step_lat = raster.transform.a, -raster.transform.e
            top = raster.transform.f - step_lat / 2
            first = int(np.clip((top - north) // step_lat, 0, raster.height - 2))
            last = int(np.clip(-((south - top) // step_lat), first + 1, raster.height - 1))
            window = Window(0, first, raster.width, last - first + 1)
            values = raster.read(1, window=window).astype(np.float64)
            west = raster.transform.c + step_lon / 2
    except RasterioIOError as error:
        raise DemError(f"{file}: geoid grid cannot be read: {error}") from error
    return Geoid(_describe(file), top - first * step_lat, west, step_lat, step_lon, values)


def _find(datum: Datum) -> Path:
    """Return the installed grid of ``datum``, else of the other geoid."""
    folders = [
        *map(Path, get_data_dir().split(":")),
        Path(get_user_data_dir()),
        _SYSTEM_FOLDER,
    ]
    for wanted in sorted(_FILES, key=lambda name: name != datum):
        for file in (folder / name for folder in folders for name in _FILES[wanted]):
            if file.is_file():
                if wanted != datum:
                    _LOGGER.warning("no %s grid is installed: %s is used", datum, file)
                return file
    raise DemError(
        f"heights above {datum} need a geoid grid, none of "
        f"{', '.join(name for names in _FILES.values() for name in names)} lies in "
        f"{', '.join(map(str, folders))}; install Debian's proj-data "
        "(apt-get install proj-data) or give the path of a grid"
    )


def _describe(file: Path) -> str:
    """Return "EGM2008 (us_nga_egm08_25.tif)", or the bare name of an unknown grid."""
    for datum, names in _FILES.items():
        if file.name in names:
            return f"{datum} ({file.name})"
    return file.name


def _weights(position: NDArray[np.float64], size: int, *, wrap: bool) -> NDArray[np.float64]:
    """Return the bilinear weights (positions, size) of fractional indices."""
    if not wrap:
        position = np.clip(position, 0.0, size - 1.0)
    below = np.floor(position).astype(int)
    share = position - below
    weights = np.zeros((len(position), size))
    index = np.arange(len(position))
    weights[index, below % size] = 1.0 - share
    weights[index, (below + 1) % size] += share
    return weights
