"""Aerosol, ozone and water vapour over a scene from the files of an analysis.

CAMS (near real time and EAC4) and MERRA-2 as NetCDF, and GeoTIFF re-exports of these or of
MCD19A2, named files or a folder of them. Only what lies around the scene is read; between two
times values are interpolated.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds
from rasterio.windows import Window, from_bounds

from catalog.errors import AtmosphereError
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.lut import surface_pressure_hpa
from processing.atmosphere.prior import HIGHEST_AOD, AodPrior
from processing.rasters import Bounds, lies_on_earth

if TYPE_CHECKING:
    import xarray

_DU_PER_KG_M2: Final = 1 / 2.1415e-5
_G_CM2_PER_KG_M2: Final = 0.1
_NAMES: Final[Mapping[str, tuple[str, float]]] = {
    "aod550": ("aod550", 1.0),
    "TOTEXTTAU": ("aod550", 1.0),
    "Optical_Depth_055": ("aod550", 1.0),
    "gtco3": ("o3_du", _DU_PER_KG_M2),
    "TO3": ("o3_du", 1.0),
    "tcwv": ("tcwv_gcm2", _G_CM2_PER_KG_M2),
    "TQV": ("tcwv_gcm2", _G_CM2_PER_KG_M2),
    "Column_WV": ("tcwv_gcm2", 1.0),
    "duaod550": ("dust550", 1.0),
    "DUEXTTAU": ("dust550", 1.0),
}
"""Variables of the sources: our name and what their values are multiplied by."""
_LIMITS: Final = {
    "aod550": (0.0, 6.0), "dust550": (0.0, 6.0), "o3_du": (50.0, 700.0), "tcwv_gcm2": (0.0, 9.0),
}  # fmt: skip
_SUFFIXES: Final = frozenset({".nc", ".nc4", ".tif", ".tiff"})
_FARTHEST: Final = timedelta(hours=13)
"""A file of a day's mean holds for that day: its time is noon or an overpass."""
_STAMP: Final = re.compile(r"(?<!\d)(\d{8})(?:T?(\d{6}|\d{4}))?Z?(?!\d)")
_DAY_OF_YEAR: Final = re.compile(r"\.A(\d{7})\.")
_MOSTLY: Final = 0.5
"""Share of dust in the optical depth from which the aerosol counts as dust."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One quantity over the scene at one time: mean and deviation of the cells around it."""

    name: str
    time: datetime
    value: float
    spread: float
    path: Path


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """What an analysis says of a scene; None where its files lack the quantity.

    ``aod550`` and ``dust550`` are optical depths with ``aod_spread`` over the scene, ozone is in
    DU, water vapour in g/cm2. ``files`` holds name and SHA-256 of each file used.
    """

    aod550: float | None
    aod_spread: float
    dust550: float | None
    o3_du: float | None
    tcwv_gcm2: float | None
    files: Mapping[str, str]

    @property
    def label(self) -> str:
        """Names of the files."""
        return "analysis: " + ", ".join(self.files)

    def prior(self, known: AodPrior) -> AodPrior:
        """Return the prior of the aerosol; ``known`` is the climatology's.

        Sigma joins the error of such analyses, 0.05 + 0.2 AOD after the expected error of the
        retrievals that they assimilate (Levy et al. 2013, AMT 6, 2989), and the spread.
        """
        if self.aod550 is None:
            return known
        aod = min(self.aod550, HIGHEST_AOD)
        sigma = float(np.hypot(0.05 + 0.2 * aod, self.aod_spread))
        dust = self.dust550 is not None and self.dust550 > _MOSTLY * self.aod550
        return AodPrior(aod, sigma, "dust" if dust else known.model, self.label)

    def gas(self, known: GasColumns, ground_m: float) -> GasColumns:
        """Return the columns of the gases.

        Parameters
        ----------
        known
            Those of the climatology, kept where the analysis lacks one.
        ground_m
            Mean height of the ground, metres: an analysis tells the water above its ground.
        """
        if self.o3_du is not None:
            known = replace(known, ozone_du=self.o3_du)
        if self.tcwv_gcm2 is not None:
            base_hpa = float(surface_pressure_hpa(ground_m))
            known = replace(known, water_vapour_g_cm2=self.tcwv_gcm2, water_base_hpa=base_hpa)
        told = [self.o3_du is not None, self.tcwv_gcm2 is not None]
        if all(told):
            return replace(known, source=self.label)
        return replace(known, source=f"{self.label}; {known.source}") if any(told) else known


def read_auxiliary(source: Path, time: datetime, bounds: Bounds) -> Auxiliary:
    """Read what an analysis says of a scene.

    Parameters
    ----------
    source
        A file, or a folder of files of any dates.
    time
        Aware time of the scene.
    bounds
        Where the scene lies.

    Raises
    ------
    AtmosphereError
        Nothing is there, no file holds a known quantity, is near in time or meets the scene, or
        all its values there are missing or impossible.
    """
    paths = [source] if source.is_file() else list(_near_in_name(source, time))
    if not paths:
        raise AtmosphereError(
            f"{source}: no auxiliary file of {time:%Y-%m-%d} ({', '.join(sorted(_SUFFIXES))}) "
            "there; name a file or a folder, or --aux none"
        )
    readings = [reading for path in paths for reading in _read(path, time, bounds)]
    found = {name: _at(readings, name, time, source) for name in _LIMITS}
    used = sorted({path for one in found.values() if one is not None for path in one[2]})
    if not used:
        wanted = ", ".join(_NAMES)
        raise AtmosphereError(f"{source}: none of the variables {wanted} in its files")
    values = {name: None if one is None else one[0] for name, one in found.items()}
    spread = 0.0 if found["aod550"] is None else found["aod550"][1]
    return Auxiliary(
        aod550=values["aod550"],
        aod_spread=spread,
        dust550=values["dust550"],
        o3_du=values["o3_du"],
        tcwv_gcm2=values["tcwv_gcm2"],
        files={path.name: _sha256(path) for path in used},
    )


def _sha256(path: Path) -> str:
    """Return the checksum of a file, which may be larger than memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _near_in_name(folder: Path, time: datetime) -> Iterator[Path]:
    """Yield the files of a folder whose names tell no date, or one within a day."""
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith("."):
            told = _time_in_name(path.name)
            if told is None or abs(told - time) < timedelta(days=2):
                yield path


def _time_in_name(name: str) -> datetime | None:
    """Return the time that a file's name tells, noon where it tells a day."""
    julian = _DAY_OF_YEAR.search(name)
    if julian is not None:
        return datetime.strptime(julian[1] + "12", "%Y%j%H").replace(tzinfo=UTC)
    for day, clock in _STAMP.findall(name):
        try:
            text = day + (clock or "1200").ljust(6, "0")
            return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _read(path: Path, time: datetime, bounds: Bounds) -> Iterator[Reading]:
    if path.suffix.lower() in (".tif", ".tiff"):
        yield from _read_raster(path, bounds)
    else:
        yield from _read_netcdf(path, time, bounds)


def _at(
    readings: Iterable[Reading], name: str, time: datetime, source: Path
) -> tuple[float, float, tuple[Path, ...]] | None:
    """Interpolate a quantity to a time; None where no file holds it."""
    some = sorted((one for one in readings if one.name == name), key=lambda one: one.time)
    if not some:
        return None
    before = [one for one in some if one.time <= time]
    after = [one for one in some if one.time > time]
    near = [one for one in (before[-1:] + after[:1]) if abs(one.time - time) <= _FARTHEST]
    if not near:
        nearest = min(some, key=lambda one: abs(one.time - time))
        raise AtmosphereError(
            f"{nearest.path}: {name} of {nearest.time:%Y-%m-%d %H:%M} UTC is of another date than "
            f"the scene, {time:%Y-%m-%d %H:%M} UTC; at most {_FARTHEST} apart wanted"
        )
    _check(near, name)
    if len(near) == 1:
        return near[0].value, near[0].spread, (near[0].path,)
    share = (time - near[0].time) / (near[1].time - near[0].time)
    value, spread = (
        (1 - share) * a + share * b
        for a, b in ((near[0].value, near[1].value), (near[0].spread, near[1].spread))
    )
    return value, spread, tuple(one.path for one in near)


def _check(readings: Iterable[Reading], name: str) -> None:
    low, high = _LIMITS[name]
    for one in readings:
        if not low <= one.value <= high:
            seen = "only missing values" if np.isnan(one.value) else f"{one.value:g}"
            raise AtmosphereError(
                f"{one.path}: {name} is {seen} around the scene, {low:g} to {high:g} wanted; name "
                "another file, or --aux none"
            )


def _read_netcdf(path: Path, time: datetime, bounds: Bounds) -> Iterator[Reading]:
    """Read the times around ``time`` of a NetCDF file on longitudes and latitudes."""
    import xarray

    try:
        with xarray.open_dataset(path, engine="netcdf4", decode_timedelta=True) as dataset:
            around = _around(dataset, bounds, path)
            valid = _valid_time(dataset, path)
            times = _datetimes(valid)
            near = _on_either_side(times, time)
            for name in sorted({str(name) for name in around.data_vars} & set(_NAMES)):
                ours, factor = _NAMES[name]
                layers = around[name].transpose(*valid.dims, ...).values
                layers = layers.reshape(len(times), -1) * factor
                for index in near:
                    yield _reading(ours, times[index], layers[index], path)
    except (OSError, ValueError, KeyError) as error:
        raise AtmosphereError(f"{path}: not readable as NetCDF: {error}") from error


def _around(dataset: "xarray.Dataset", bounds: Bounds, path: Path) -> "xarray.Dataset":
    """Return the cells around a scene; longitudes may run to 180 or 360, latitudes either way."""
    x = next((name for name in ("longitude", "lon") if name in dataset.coords), None)
    y = next((name for name in ("latitude", "lat") if name in dataset.coords), None)
    if x is None or y is None:
        raise AtmosphereError(f"{path}: no coordinates longitude and latitude")
    middle = (bounds[0] + bounds[2]) / 2
    lon = (dataset[x].values - middle + 180.0) % 360.0 - 180.0 + middle
    lat = dataset[y].values
    inside = [
        _cells(axis, low, high, path)
        for axis, low, high in ((lon, bounds[0], bounds[2]), (lat, bounds[1], bounds[3]))
    ]
    return dataset.isel({x: inside[0], y: inside[1]})


def _cells(axis: NDArray[Any], low: float, high: float, path: Path) -> NDArray[np.intp]:
    """Return the cells whose area meets an interval."""
    step = float(np.median(np.abs(np.diff(np.sort(axis))))) if len(axis) > 1 else 1.0
    found = np.flatnonzero((axis > low - step) & (axis < high + step))
    if not len(found) or low < axis.min() - step or high > axis.max() + step:
        raise AtmosphereError(
            f"{path}: reaches from {axis.min():.2f} to {axis.max():.2f} degrees, the scene from "
            f"{low:.2f} to {high:.2f}; a file of its region wanted"
        )
    return found


def _valid_time(dataset: "xarray.Dataset", path: Path) -> "xarray.DataArray":
    """Return the times of the layers: of validity where forecasts tell it, else ``time``."""
    if "valid_time" in dataset.variables:
        return dataset["valid_time"]
    start = next((name for name in ("forecast_reference_time", "time") if name in dataset), None)
    if start is None:
        raise AtmosphereError(
            f"{path}: no time; time, valid_time or forecast_reference_time wanted"
        )
    step = next((name for name in ("forecast_period", "step") if name in dataset), None)
    return dataset[start] if step is None else dataset[start] + dataset[step]


def _datetimes(times: "xarray.DataArray") -> list[datetime]:
    """Return times as aware values in the order in which they lie."""
    seconds = times.values.ravel().astype("datetime64[s]").astype(np.int64)
    return [datetime.fromtimestamp(int(second), UTC) for second in seconds]


def _on_either_side(times: list[datetime], time: datetime) -> list[int]:
    """Return the numbers of the last of some times up to a moment, and of the first after it."""
    order = sorted(range(len(times)), key=times.__getitem__)
    after = sum(one <= time for one in times)
    return order[max(after - 1, 0) : after + 1]


def _read_raster(path: Path, bounds: Bounds) -> Iterator[Reading]:
    """Read a GeoTIFF whose bands carry the names of variables and whose name tells the time."""
    time = _time_in_name(path.name)
    if time is None:
        raise AtmosphereError(f"{path}: no date in its name; one like 20170126T210000Z wanted")
    try:
        with rasterio.open(path) as raster:
            if not lies_on_earth(raster):
                raise AtmosphereError(f"{path}: a raster with a geographic or projected CRS wanted")
            window = _window(raster, bounds, path)
            for index, name in enumerate(raster.descriptions, start=1):
                if name in _NAMES:
                    ours, factor = _NAMES[name]
                    values = raster.read(index, window=window, masked=True).astype(float)
                    scale = float(raster.tags().get("scale", raster.scales[index - 1]))
                    yield _reading(ours, time, values.filled(np.nan) * scale * factor, path)
    except RasterioError as error:
        raise AtmosphereError(f"{path}: not readable as a raster: {error}") from error


def _window(raster: Any, bounds: Bounds, path: Path) -> Window:
    """Return the pixels of a raster that a scene touches."""
    edges = transform_bounds("OGC:CRS84", raster.crs, *bounds, densify_pts=21)
    window = from_bounds(*edges, raster.transform)
    first_row, first_col = int(np.floor(window.row_off)), int(np.floor(window.col_off))
    rows, cols = (int(np.ceil(size)) + 1 for size in (window.height, window.width))
    if (
        first_row < -1 or first_row + rows > raster.height + 1
        or first_col < -1 or first_col + cols > raster.width + 1
    ):  # fmt: skip
        west, south, east, north = transform_bounds(raster.crs, "OGC:CRS84", *raster.bounds)
        raise AtmosphereError(
            f"{path}: covers west, south, east, north {west:.1f}, {south:.1f}, {east:.1f}, "
            f"{north:.1f}; the scene lies at {', '.join(f'{edge:.1f}' for edge in bounds)}"
        )
    first_row, first_col = max(first_row, 0), max(first_col, 0)
    return Window(
        first_col,
        first_row,
        min(cols, raster.width - first_col),
        min(rows, raster.height - first_row),
    )


def _reading(name: str, time: datetime, values: NDArray[Any], path: Path) -> Reading:
    known = values[np.isfinite(values)]
    if not known.size:
        return Reading(name, time, float("nan"), float("nan"), path)
    return Reading(name, time, float(known.mean()), float(known.std()), path)
