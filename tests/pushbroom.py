"""A pushbroom camera on a circular orbit: exact geometry that the RPC code is held to.

The geometry shares nothing with ``processing``: rays come from orbit, attitude and detector
angle, and the RPC is fitted to them by least squares. GDAL's own resampling is the second oracle.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.rpc import RPC
from rasterio.transform import Affine
from rasterio.warp import reproject
from scipy.optimize import fsolve

from catalog.grid import Grid
from processing.geometry.dem import HeightModel
from processing.geometry.ortho import orthorectify
from processing.geometry.rpc import Rpc

Floats = NDArray[np.float64]

ORBIT_RADIUS_M = 6_371_000.0 + 645_000.0
MEAN_MOTION_RAD_S = (3.986004418e14 / ORBIT_RADIUS_M**3) ** 0.5
EARTH_RATE_RAD_S = 7.2921159e-5
INCLINATION = np.radians(98.05)
IFOV_RAD = 16.0 / 645_000.0
LINE_TIME_S = 16.0 / (MEAN_MOTION_RAD_S * 6_371_000.0)
SEMI_MAJOR_M, SEMI_MINOR_M = 6_378_137.0, 6_356_752.314245

_TO_GEODETIC = Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
_TO_ECEF = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)


@dataclass(frozen=True)
class Pushbroom:
    """A descending pass whose image centre sees (lon, lat) at height 0, rolled by ``tilt_deg``."""

    lon: float
    lat: float
    rows: int
    cols: int
    tilt_deg: float = 24.0
    wobble_rad: float = 2e-6
    node: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        def miss(unknown: Floats) -> Floats:
            object.__setattr__(self, "node", (unknown[0], unknown[1]))
            lon, lat = self.ground((self.rows - 1) / 2, (self.cols - 1) / 2, 0.0)
            turn = (lon - self.lon + 180.0) % 360.0 - 180.0
            return np.array([float(turn), float(lat) - self.lat])

        start = np.array([np.pi - np.radians(self.lat), np.radians(self.lon - 180.0)])
        solved, _, status, message = fsolve(miss, start, full_output=True, xtol=1e-13)
        if status != 1:
            raise AssertionError(message)
        miss(solved)

    def ray(self, row: ArrayLike, col: ArrayLike) -> tuple[Floats, Floats]:
        """Return camera positions and unit directions, ECEF, last axis x y z."""
        rows, cols = np.broadcast_arrays(np.asarray(row, float), np.asarray(col, float))
        time = (rows - (self.rows - 1) / 2) * LINE_TIME_S
        argument = self.node[0] + MEAN_MOTION_RAD_S * time
        node = self.node[1] - EARTH_RATE_RAD_S * time
        position, along = _orbit(argument, node)
        down = -position
        across = np.cross(down, along)
        wobble = self.wobble_rad
        roll = np.radians(self.tilt_deg) + wobble * np.sin(time / 1.7)
        roll = roll + (cols - (self.cols - 1) / 2) * IFOV_RAD
        pitch = wobble * np.cos(time / 2.3)
        look = (
            down * np.cos(roll)[..., None]
            + across * np.sin(roll)[..., None]
            + along * np.sin(pitch)[..., None]
        )
        return position * ORBIT_RADIUS_M, look / np.linalg.norm(look, axis=-1, keepdims=True)

    def ground(self, row: ArrayLike, col: ArrayLike, height: ArrayLike) -> tuple[Floats, Floats]:
        """Intersect rays with the surface of constant ellipsoidal height; lon, lat in degrees."""
        origin, look = self.ray(row, col)
        height = np.broadcast_to(np.asarray(height, float), origin.shape[:-1])
        radius = height
        for _ in range(3):
            point = _hit_ellipsoid(origin, look, radius)
            lon, lat, seen = _TO_GEODETIC.transform(point[..., 0], point[..., 1], point[..., 2])
            radius = radius + height - seen
        return np.asarray(lon), np.asarray(lat)

    def view_angles(self, row: ArrayLike, col: ArrayLike, height: float) -> tuple[Floats, Floats]:
        """Return zenith and azimuth of the direction ground -> sensor, degrees."""
        lon, lat = self.ground(row, col, height)
        _, look = self.ray(row, col)
        lam, phi = np.radians(lon), np.radians(lat)
        zero = np.zeros_like(lam)
        east = np.stack([-np.sin(lam), np.cos(lam), zero], -1)
        north = np.stack([-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)], -1)
        up = np.cross(east, north)
        e, n, u = (-(look * axis).sum(-1) for axis in (east, north, up))
        return np.degrees(np.arctan2(np.hypot(e, n), u)), np.degrees(np.arctan2(e, n)) % 360.0


def fit_rpc(
    camera: Pushbroom, heights: tuple[float, float] = (-100.0, 2500.0), nodes: int = 15
) -> dict[str, float | tuple[float, ...]]:
    """Fit RPC00B to the camera by reweighted linear least squares; fields of ``Rpc``."""
    rows, cols, height = (
        v.ravel()
        for v in np.meshgrid(
            np.linspace(-2, camera.rows + 1, nodes),
            np.linspace(-2, camera.cols + 1, nodes),
            np.linspace(*heights, 5),
            indexing="ij",
        )
    )
    lon, lat = camera.ground(rows, cols, height)
    lon = (lon - camera.lon + 180.0) % 360.0 - 180.0 + camera.lon
    fields: dict[str, float | tuple[float, ...]] = {}
    normal = {}
    for name, values in (("line", rows), ("sample", cols), ("lat", lat), ("lon", lon),
                         ("height", height)):  # fmt: skip
        offset = round(float(values.min() + values.max()) / 2, 6)
        scale = round(float(np.abs(values - offset).max()), 6)
        fields[f"{name}_offset"], fields[f"{name}_scale"] = offset, scale
        normal[name] = (values - offset) / scale
    x, y, z = normal["lon"], normal["lat"], normal["height"]
    terms = np.stack([
        x**0, x, y, z, x * y, x * z, y * z, x * x, y * y, z * z, x * y * z, x**3, x * y**2,
        x * z**2, x**2 * y, y**3, y * z**2, x**2 * z, y**2 * z, z**3,
    ], 1)  # fmt: skip
    for name in ("line", "sample"):
        num, den = _fit_ratio(terms, normal[name])
        fields[f"{name}_num"], fields[f"{name}_den"] = num, den
    return fields


def _fit_ratio(terms: Floats, values: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    design = np.hstack([terms, -values[:, None] * terms[:, 1:]])
    weight = np.ones_like(values)
    for _ in range(4):
        ridge = 1e-4 * np.eye(39)  # keeps poles out of the scene
        a = np.vstack([design * weight[:, None], ridge])
        solution = np.linalg.lstsq(a, np.append(values * weight, np.zeros(39)), rcond=None)[0]
        weight = 1.0 / (1.0 + terms[:, 1:] @ solution[20:])
    return tuple(map(float, solution[:20])), (1.0, *map(float, solution[20:]))


def _orbit(argument: Floats, node: Floats) -> tuple[Floats, Floats]:
    """Unit vectors of position and direction of flight on the inclined circle."""
    first = np.stack([np.cos(node), np.sin(node), np.zeros_like(node)], -1)
    second = np.stack([
        -np.sin(node) * np.cos(INCLINATION),
        np.cos(node) * np.cos(INCLINATION),
        np.full_like(node, np.sin(INCLINATION)),
    ], -1)  # fmt: skip
    c, s = np.cos(argument)[..., None], np.sin(argument)[..., None]
    return c * first + s * second, c * second - s * first


def _hit_ellipsoid(origin: Floats, look: Floats, height: Floats) -> Floats:
    """First point of the rays on the ellipsoid grown by ``height``."""
    axes = np.stack([SEMI_MAJOR_M + height, SEMI_MAJOR_M + height, SEMI_MINOR_M + height], -1)
    o, d = origin / axes, look / axes
    a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1.0
    distance = (-b - np.sqrt(b * b - a * c)) / a
    return origin + distance[..., None] * look


@dataclass(frozen=True)
class ArrayPart:
    """An image in memory with the interface of a part of a package; counts what is read."""

    pixels: NDArray[np.uint16]
    rpc: Rpc
    reads: list[tuple[int, int, int, int]] = field(default_factory=list)

    @property
    def bands(self) -> int:
        return self.pixels.shape[0]

    @property
    def height(self) -> int:
        return self.pixels.shape[1]

    @property
    def width(self) -> int:
        return self.pixels.shape[2]

    def read(self, row: int, col: int, rows: int, cols: int) -> NDArray[np.uint16]:
        assert 0 <= row < row + rows <= self.height
        assert 0 <= col < col + cols <= self.width
        self.reads.append((row, col, rows, cols))
        return self.pixels[:, row : row + rows, col : col + cols].copy()


def textured(bands: int, rows: int, cols: int, seed: int = 0) -> NDArray[np.uint16]:
    """Counts with detail at every scale, none of them 0."""
    rng = np.random.default_rng(seed)
    image = np.zeros((bands, rows, cols), np.float32)
    for size in (1, 4, 16, 64):
        coarse = rng.normal(size=(bands, rows // size + 2, cols // size + 2))
        fine = coarse.repeat(size, 1).repeat(size, 2)
        image += fine[:, :rows, :cols] * 25.0
    return np.clip(image + 400.0, 1, 1023).astype(np.uint16)


def relief(lon: Floats, lat: Floats) -> Floats:
    """Hills between 0 and 1600 m."""
    u, v = np.radians(lon) * 6_371_000.0 * np.cos(np.radians(lat)), np.radians(lat) * 6_371_000.0
    wave = np.sin(u / 3100.0) * np.cos(v / 2300.0) + 0.4 * np.sin(u / 700.0 + v / 900.0)
    height: Floats = 800.0 + 550.0 * wave
    return height


def write_dem(
    path: Path,
    bounds: tuple[float, float, float, float],
    step_deg: float = 1 / 1200,
    epsg: int = 4979,
) -> Path:
    """Write the hills as a lon/lat raster; EPSG:4979 says that heights are ellipsoidal."""
    west, south, east, north = bounds
    cols, rows = round((east - west) / step_deg), round((north - south) / step_deg)
    lon = west + (np.arange(cols) + 0.5) * step_deg
    lat = north - (np.arange(rows) + 0.5) * step_deg
    profile = {
        "driver": "GTiff",
        "width": cols,
        "height": rows,
        "count": 1,
        "dtype": "float32",
        "crs": f"EPSG:{epsg}",
        "transform": Affine(step_deg, 0.0, west, 0.0, -step_deg, north),
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(relief(*np.meshgrid(lon, lat)).astype(np.float32), 1)
    return path


_RPB_SCALARS = {
    "lineOffset": "line_offset",
    "sampOffset": "sample_offset",
    "latOffset": "lat_offset",
    "longOffset": "lon_offset",
    "heightOffset": "height_offset",
    "lineScale": "line_scale",
    "sampScale": "sample_scale",
    "latScale": "lat_scale",
    "longScale": "lon_scale",
    "heightScale": "height_scale",
}
_RPB_COEFFICIENTS = {
    "lineNumCoef": "line_num",
    "lineDenCoef": "line_den",
    "sampNumCoef": "sample_num",
    "sampDenCoef": "sample_den",
}
_GDAL_TAGS = {
    "LINE_OFF": "line_offset",
    "SAMP_OFF": "sample_offset",
    "LAT_OFF": "lat_offset",
    "LONG_OFF": "lon_offset",
    "HEIGHT_OFF": "height_offset",
    "LINE_SCALE": "line_scale",
    "SAMP_SCALE": "sample_scale",
    "LAT_SCALE": "lat_scale",
    "LONG_SCALE": "lon_scale",
    "HEIGHT_SCALE": "height_scale",
    "LINE_NUM_COEFF": "line_num",
    "LINE_DEN_COEFF": "line_den",
    "SAMP_NUM_COEFF": "sample_num",
    "SAMP_DEN_COEFF": "sample_den",
}


def gdal_tags(rpc: Rpc) -> dict[str, str]:
    """GDAL's ``RPC`` metadata domain in full precision; it has no correction."""
    tags = {}
    for tag, name in _GDAL_TAGS.items():
        value: float | tuple[float, ...] = getattr(rpc, name)
        tags[tag] = " ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)
    return tags


def rpb_of(rpc: Rpc) -> str:
    """The model in the layout of CRESDA's ``.rpb`` files."""
    lines = ['satId = "GF1";', 'bandId = "XXX";', 'SpecId = "XXX";', "BEGIN_GROUP = IMAGE"]
    lines += ["\terrBias =   1.0;", "\terrRand =    0.0;"]
    lines += [f"\t{key} = \t{getattr(rpc, name):+.15e}" for key, name in _RPB_SCALARS.items()]
    for key, name in _RPB_COEFFICIENTS.items():
        coefficients: tuple[float, ...] = getattr(rpc, name)
        lines.append(f"\t{key} = (")
        lines += [f"\t\t{value:+.15e}," for value in coefficients[:-1]]
        lines += [f"\t\t{coefficients[-1]:+.15e}", "\t);"]
    return "\n".join([*lines, "END_GROUP = IMAGE", "END;", ""])


def gdal_ortho(
    pixels: NDArray[np.uint16], rpc: Rpc, target: Grid, dem: Path, kernel: str
) -> NDArray[np.uint16]:
    """The same resampling by GDAL, with a DEM of ellipsoidal heights without vertical CRS."""
    out = np.zeros((len(pixels), *target.shape), np.uint16)
    reproject(
        pixels,
        out,
        rpcs=RPC.from_gdal(gdal_tags(rpc)),
        src_crs="EPSG:4326",
        src_nodata=0,
        dst_nodata=0,
        dst_transform=Affine(*target.transform),
        dst_crs=f"EPSG:{target.epsg}",
        resampling=Resampling[kernel],
        RPC_DEM=str(dem),
        XSCALE=1,
        YSCALE=1,
    )
    return out


def position_error(rpc: Rpc, row: float, col: float, heights: HeightModel, epsg: int) -> float:
    """Largest error, in pixels, of the image positions that the resampling uses around a pixel.

    The image is a piece of 60 x 60 pixels whose counts are its own coordinates in thousandths,
    so that a bilinear resampling shows where each ground pixel was read.
    """
    size, scale = 60, 1000.0
    fields = {name: getattr(rpc, name) for name in rpc.__dataclass_fields__}
    fields["line_offset"] -= row
    fields["sample_offset"] -= col
    piece = Rpc(**fields)
    ramp = (np.indices((size, size)) * scale + 100).astype(np.uint16)
    lon, lat = piece.ground(size / 2, size / 2, heights.heights(*rpc.ground(row, col, 0.0)))
    y, x = (float(v) for v in Grid(epsg, 0.0, 0.0, 16.0, 1, 1).rowcol(lon, lat))
    target = Grid(epsg, round(x - 45) * 16.0, -round(y - 45) * 16.0, 16.0, 90, 90)
    dn = orthorectify([ArrayPart(ramp.repeat(2, 0), piece)], target, heights, kernel="bilinear").dn
    ground = target.lonlat(*np.indices(target.shape))
    exact = np.stack(piece.image(*ground, heights.on(target)))
    inside = ((exact > 1) & (exact < size - 2)).all(0) & (dn[0] != 0)
    assert inside.sum() > 500
    return float(np.abs((dn[::2].astype(float) - 100) / scale - exact)[:, inside].max())
