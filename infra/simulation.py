"""From the options of `gfard simulate` to the specification of a scene."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import ServiceError

if TYPE_CHECKING:
    from processing.simulate.spec import SceneSpec

_BANDS = ("blue", "green", "red", "nir")
_SIDE_PX = (64, 30_000)
"""Rows and columns that a part may have."""
_FARTHEST_DEG = 80.0
"""Latitude up to which the orbit leads."""
_LOWEST_SUN_DEG = 75.0
"""Sun zenith up to which scenes are corrected."""


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What a person says about a scene to simulate.

    Attributes
    ----------
    camera
        Such as ``GF1WFV1``.
    time
        When it is taken; UTC where no zone is given.
    centre
        ``LON,LAT`` in degrees; None takes the middle of the raster.
    size
        ``ROWSxCOLUMNS`` of one part.
    raster
        Surface reflectance in a UTM projection; None takes the made landscape.
    bands
        Numbers of blue, green, red and near infrared in the raster, such as ``1,2,3,4``.
    scale
        Factor from the raster's values to reflectance.
    dem
        Ellipsoidal heights below the raster.
    aod
        Aerosol optical depth at 550 nm.
    cloud_cover
        Share of the sky, 0 to 1; 0 leaves clouds out.
    cloud_height_m
        Height of the clouds' base above the ellipsoid.
    seed
        Of clouds, noise and wobble; another seed is another scene.
    """

    camera: str
    time: datetime
    centre: str | None
    size: str
    raster: Path | None
    bands: str
    scale: float
    dem: Path | None
    aod: float
    cloud_cover: float
    cloud_height_m: float
    seed: int


def scene_spec(options: SimulationOptions) -> "SceneSpec":
    """Build the specification.

    Raises
    ------
    ServiceError
        An option that cannot be read; the message shows how it is written.
    """
    from processing.simulate.atmosphere import Air
    from processing.simulate.clouds import CloudLayer
    from processing.simulate.spec import MadeLand, RealLand, SceneSpec

    land: MadeLand | RealLand = MadeLand(options.seed)
    if options.raster is not None:
        numbers = _numbers("--bands", options.bands, ",", len(_BANDS))
        _check_bands(options.raster, numbers)
        bands = tuple((name, int(n)) for name, n in zip(_BANDS, numbers, strict=True))
        land = RealLand(options.raster, bands, options.scale, options.dem)
    elif options.dem is not None:
        raise ServiceError("--dem: heights go with a --raster; the made landscape has its own")
    centre = _centre(options)
    rows, cols = _size(options.size)
    time = options.time if options.time.tzinfo else options.time.replace(tzinfo=UTC)
    _check_sun(time, centre)
    clouds = None
    if options.cloud_cover > 0:
        clouds = CloudLayer(options.cloud_height_m, options.cloud_cover, seed=options.seed)
    return SceneSpec(
        camera=options.camera,
        time=time,
        centre=centre,
        rows=rows,
        cols=cols,
        land=land,
        air=Air(options.aod),
        clouds=clouds,
        seed=options.seed,
    )


def _centre(options: SimulationOptions) -> tuple[float, float]:
    if options.centre is not None:
        lon, lat = _numbers("--centre", options.centre, ",", 2)
        if not (abs(lon) <= 180 and abs(lat) <= _FARTHEST_DEG):
            raise ServiceError(
                f"--centre: seen {options.centre}, wanted a longitude within 180 and a latitude "
                f"within {_FARTHEST_DEG:g} degrees, as far as the orbit leads"
            )
        return lon, lat
    if options.raster is None:
        raise ServiceError("--centre is missing: wanted LON,LAT in degrees, such as 1.1,45.5")
    return _middle(options.raster)


def _size(text: str) -> tuple[int, int]:
    """Read rows and columns."""
    low, high = _SIDE_PX
    rows, cols = _numbers("--size", text, "x", 2)
    for side in (rows, cols):
        if not (low <= side <= high and side == int(side)):
            raise ServiceError(f"--size: seen {text}, wanted whole numbers from {low} to {high}")
    return int(rows), int(cols)


def _check_sun(time: datetime, centre: tuple[float, float]) -> None:
    """Refuse a place in the dark."""
    import numpy as np

    from processing.simulate.sun import sun_at

    zenith, _ = sun_at(time).angles(*(np.array([value]) for value in centre))
    if zenith[0] > _LOWEST_SUN_DEG:
        raise ServiceError(
            f"--time: at {time:%Y-%m-%d %H:%M} UTC the sun stands {zenith[0]:.0f} degrees from the "
            f"zenith of {centre[0]:.1f}, {centre[1]:.1f}; at most {_LOWEST_SUN_DEG:g} wanted"
        )


def _check_bands(raster: Path, numbers: list[float]) -> None:
    """Refuse numbers of bands that a raster has not."""
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(raster) as source:
            count = source.count
    except RasterioError as error:
        raise ServiceError(f"{raster}: not readable as a raster: {error}") from error
    if not all(1 <= number <= count and number == int(number) for number in numbers):
        seen = ", ".join(f"{number:g}" for number in numbers)
        raise ServiceError(f"--bands: seen {seen}, {raster} has bands 1 to {count}")


def _middle(raster: Path) -> tuple[float, float]:
    """Longitude and latitude of the middle of a raster, degrees."""
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    try:
        with rasterio.open(raster) as source:
            left, bottom, right, top = source.bounds
            middle = [(left + right) / 2], [(bottom + top) / 2]
            lons, lats = transform(source.crs, "EPSG:4326", *middle)
    except (RasterioError, ValueError) as error:
        raise ServiceError(f"{raster}: no place can be read from this raster: {error}") from error
    return float(lons[0]), float(lats[0])


def _numbers(option: str, text: str, between: str, wanted: int) -> list[float]:
    """Read numbers written with something between them."""
    try:
        numbers = [float(part) for part in text.split(between)]
    except ValueError:
        numbers = []
    if len(numbers) != wanted:
        raise ServiceError(f"{option}: seen {text!r}, wanted {wanted} numbers with {between!r}")
    return numbers
