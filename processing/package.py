"""An L1A package as the operator ships it: archive or folder in, one checked value out.

A package holds one image (GF-1) or three part images side by side (GF-6), an ``.rpb`` for each
and one scene-level XML; everything else in it is ignored. Which clock the times follow and
whether SolarZenith is a zenith or an elevation is written nowhere, so both are decided by the
position of the sun, which is known from place and time.
"""

import logging
import math
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from catalog.drafts import work_folder
from catalog.errors import GfardError, ImageError, MetadataError, PackageError
from processing.archive import extract
from processing.geometry.rpc import Rpc, read_rpb
from processing.metadata import SceneMetadata, read_metadata
from processing.sensors import Camera, camera
from processing.suncheck import SunCheck, settle_sun, to_utc

logger = logging.getLogger(__name__)

_NAME = re.compile(
    r"(?P<scene>(?P<satellite>[A-Z]+\d+[A-Z]?)_(?P<sensor>[A-Z0-9]+)_[EW]\d+\.\d+_[NS]\d+\.\d+_\d{8}"
    r"_L(?P<level>[0-9][A-Z])\d{10,})(?:-(?P<part>\d))?\.(?P<kind>tiff?|xml|rpb)",
    re.IGNORECASE,
)
_RPC_MAX_BYTES = 1 << 20
_SCENE_RPC_SLACK = 0.001
"""Share by which the range of a scene-level RPC may differ from the parts put edge to edge."""
_RPC_REACH_DEG = 1.0
_SCAN_ROWS = 256


@dataclass(frozen=True, slots=True)
class ScenePart:
    """One image of a scene with its RPC; ``index`` counts from 1 as in the file names."""

    index: int
    image: Path
    rpc: Rpc
    width: int
    height: int
    bands: int

    def read(self, row: int, col: int, rows: int, cols: int) -> NDArray[np.uint16]:
        """Read a window that lies inside the image.

        Returns
        -------
        ndarray, shape (bands, rows, cols), uint16
            Counts; 0 is no data.

        Raises
        ------
        ImageError
            The window leaves the image, or the file is damaged or truncated.
        """
        inside = 0 <= row < row + rows <= self.height and 0 <= col < col + cols <= self.width
        if not inside:
            raise ImageError(
                f"{self.image}: window of {rows} x {cols} at row {row}, column {col} leaves the "
                f"image of {self.height} x {self.width}"
            )
        with _open_image(self.image) as source:
            pixels: NDArray[np.uint16] = source.read(window=Window(col, row, cols, rows))
        return pixels


@dataclass(frozen=True, slots=True)
class L1APackage:
    """One scene, ready to be processed; times are aware UTC, corners (lon, lat) UL UR LR LL.

    ``centre`` (lon, lat) is taken on the sphere, so that 180 E is no border.

    ``sun_zenith_deg`` and ``sun_azimuth_deg`` are computed for the scene centre.
    ``cloud_percent`` and ``gains`` are None where the package states none, ``sha256`` (of the
    archive) where the package is a folder.
    """

    name: str
    camera: Camera
    product_id: str
    scene_id: str | None
    centre_time: datetime
    start_time: datetime
    end_time: datetime
    sun_check: SunCheck
    sun_zenith_deg: float
    sun_azimuth_deg: float
    corners: tuple[tuple[float, float], ...]
    centre: tuple[float, float]
    cloud_percent: float | None
    gains: tuple[float, ...] | None
    parts: tuple[ScenePart, ...]
    sha256: str | None


@contextmanager
def open_package(
    path: Path,
    scratch: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Iterator[L1APackage]:
    """Open an L1A package and check that it is what it claims to be.

    Parameters
    ----------
    path : Path
        A ``.tar``, ``.tar.gz`` or ``.tar.xz`` archive, or a folder with its files.
    scratch : Path, optional
        Folder for the extracted files, else the system's; they are removed at the end, and those
        of killed runs with them.
    progress : callable, optional
        Told the share of an archive read so far, 0 to 1.

    Raises
    ------
    PackageError
        With its subclasses: the archive is unsafe or damaged, a file is missing, metadata or
        images are not usable, or the sun fits no reading of the metadata.
    UnknownSensorError
        The satellite or camera has no tables.
    GeometryError
        An ``.rpb`` file cannot be used.
    """
    if path.is_dir():
        yield _read_package(path, path, None)
        return
    if not path.is_file():
        raise PackageError(f"{path}: no such file or folder; an L1A archive or folder wanted")
    with ExitStack() as stack:
        try:
            parent = scratch or Path(tempfile.gettempdir())
            folder = stack.enter_context(work_folder(parent, "gfard-l1a"))
        except OSError as error:
            raise PackageError(
                f"{path}: no folder to extract to: {error}; set TMPDIR to a folder that this user "
                "may write"
            ) from error
        sha256 = extract(path, folder, _is_wanted, progress)
        try:
            yield _read_package(path, folder, sha256)
        except GfardError as error:
            # The folder will be gone when the message is read: name the file inside the archive.
            raise type(error)(str(error).replace(str(folder), str(path))) from error


def _is_wanted(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of one scene by part number, 0 where the name has none."""

    package: Path
    scene: str
    satellite: str
    sensor: str
    metadata: Path
    images: dict[int, Path]
    rpcs: dict[int, Path]


def _find_files(package: Path, folder: Path) -> _Files:
    """Sort the files of the folder by their names; ``package`` is named in messages."""
    found = [(path, match) for path in sorted(folder.rglob("*")) if (match := _match(path))]
    scenes = sorted({match["scene"] for _, match in found})
    if len(scenes) != 1:
        seen = ", ".join(scenes) or "none"
        raise PackageError(
            f"{package}: files of exactly one L1A scene wanted "
            f"(such as GF1_WFV1_E113.0_N22.9_20191124_L1A0004418304.tiff), found: {seen}"
        )
    names = found[0][1]
    if names["level"].upper() != "1A":
        raise PackageError(f"{package}: {scenes[0]} is level {names['level']}, 1A wanted")
    by_kind: dict[str, dict[int, Path]] = {"xml": {}, "rpb": {}, "tif": {}}
    for path, match in found:
        files = by_kind[match["kind"].lower()[:3]]
        number = int(match["part"] or 0)
        if number in files:
            raise PackageError(f"{package}: holds both {files[number]} and {path}; remove one")
        files[number] = path
    if 0 not in by_kind["xml"]:
        raise MetadataError(f"{package}: {scenes[0]}.xml is missing")
    return _Files(
        package=package,
        scene=scenes[0],
        satellite=names["satellite"].upper(),
        sensor=names["sensor"].upper(),
        metadata=by_kind["xml"][0],
        images=by_kind["tif"],
        rpcs=by_kind["rpb"],
    )


def _match(path: Path) -> re.Match[str] | None:
    return _NAME.fullmatch(path.name) if path.is_file() else None


def _read_package(package: Path, folder: Path, sha256: str | None) -> L1APackage:
    files = _find_files(package, folder)
    known = camera(files.satellite + files.sensor)
    metadata = read_metadata(files.metadata)
    if (metadata.satellite, metadata.sensor) != (known.satellite, known.sensor):
        raise MetadataError(
            f"{files.metadata}: SatelliteID {metadata.satellite}, SensorID {metadata.sensor}; "
            f"{known.satellite} and {known.sensor} wanted by the file name"
        )
    centre = _centre(metadata.corners)
    sun = settle_sun(files.metadata, metadata, centre)
    return L1APackage(
        name=files.scene,
        camera=known,
        product_id=metadata.product_id,
        scene_id=metadata.scene_id,
        centre_time=to_utc(metadata.centre_time, sun.check.time_zone),
        start_time=to_utc(metadata.start_time, sun.check.time_zone),
        end_time=to_utc(metadata.end_time, sun.check.time_zone),
        sun_check=sun.check,
        sun_zenith_deg=sun.zenith_deg,
        sun_azimuth_deg=sun.azimuth_deg,
        corners=metadata.corners,
        centre=centre,
        cloud_percent=metadata.cloud_percent,
        gains=metadata.gains,
        parts=_open_parts(files, known, metadata, centre),
        sha256=sha256,
    )


def _centre(corners: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the centre (lon, lat) of the corners on the sphere, so that 180 E is no border."""
    lon, lat = np.radians(np.asarray(corners).T)
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    east, north, up = x.mean(), y.mean(), z.mean()
    return math.degrees(math.atan2(north, east)), math.degrees(
        math.atan2(up, math.hypot(east, north))
    )


def _open_parts(
    files: _Files, known: Camera, metadata: SceneMetadata, centre: tuple[float, float]
) -> tuple[ScenePart, ...]:
    numbers = (0,) if known.parts == 1 else tuple(range(1, known.parts + 1))
    for number in numbers:
        if number not in files.images:
            suffix = f"-{number}" if number else ""
            raise ImageError(f"{files.package}: {files.scene}{suffix}.tiff is missing")
    images = [files.images[number] for number in numbers]
    sizes = [_checked_size(image, known) for image in images]
    _check_scene_size(files.metadata, metadata, sizes)
    rpcs = _part_rpcs(files, numbers, [width for width, _ in sizes])
    parts = tuple(
        ScenePart(index, image, rpc, width, height, len(known.bands))
        for index, (image, rpc, (width, height)) in enumerate(
            zip(images, rpcs, sizes, strict=True), start=1
        )
    )
    for part in parts:
        _check_rpc_reach(part, metadata.corners, centre)
        _check_content(part)
    return parts


@contextmanager
def _open_image(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a GeoTIFF, and nothing that merely carries its name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            source = rasterio.open(path, driver="GTiff")
        with source:
            yield source
    except RasterioError as error:
        raise ImageError(f"{path}: image is damaged, truncated or no TIFF: {error}") from error


def _checked_size(image: Path, known: Camera) -> tuple[int, int]:
    """Return width and height of an image with the bands and type wanted."""
    with _open_image(image) as source:
        if source.count != len(known.bands) or set(source.dtypes) != {"uint16"}:
            raise ImageError(
                f"{image}: {source.count} bands of {source.dtypes[0]}, "
                f"{len(known.bands)} of uint16 wanted"
            )
        return source.width, source.height


def _check_scene_size(
    source: Path, metadata: SceneMetadata, sizes: Sequence[tuple[int, int]]
) -> None:
    """Hold the images to the size in the metadata.

    WidthInPixels of a scene in parts is read as the width of one part by some tools and of the
    whole by others, and how far parts overlap is not published: anything between is accepted.
    """
    widths, heights = [width for width, _ in sizes], {height for _, height in sizes}
    if heights != {metadata.height} or not max(widths) <= metadata.width <= sum(widths):
        seen = ", ".join(f"{width} x {height}" for width, height in sizes)
        raise ImageError(
            f"{source}: scene of {metadata.width} x {metadata.height} pixels announced, "
            f"images are {seen}; fetch the package again"
        )


def _part_rpcs(files: _Files, numbers: Sequence[int], widths: Sequence[int]) -> list[Rpc]:
    """Return the RPC of each part; a scene-level ``.rpb`` stands in where one lacks."""
    if all(number in files.rpcs for number in numbers):
        return [_read_rpc(files.rpcs[number]) for number in numbers]
    missing = next(number for number in numbers if number not in files.rpcs)
    if 0 not in files.rpcs:
        suffix = f"-{missing}" if missing else ""
        raise PackageError(f"{files.package}: {files.scene}{suffix}.rpb is missing")
    scene = _read_rpc(files.rpcs[0])
    if abs(2 * scene.sample_scale - sum(widths)) > _SCENE_RPC_SLACK * sum(widths):
        raise PackageError(
            f"{files.rpcs[0]}: spans {2 * scene.sample_scale:.0f} columns, the parts "
            f"{sum(widths)}; {files.scene}-{missing}.rpb wanted"
        )
    logger.warning("%s: no RPC for each part, the scene's is used", files.rpcs[0])
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]])
    return [replace(scene, sample_offset=scene.sample_offset - float(start)) for start in starts]


def _read_rpc(path: Path) -> Rpc:
    if path.stat().st_size > _RPC_MAX_BYTES:
        raise PackageError(f"{path}: larger than {_RPC_MAX_BYTES} bytes, no RPC file")
    return read_rpb(path)


def _check_rpc_reach(
    part: ScenePart, corners: Sequence[tuple[float, float]], centre: tuple[float, float]
) -> None:
    """Refuse an RPC of another scene: its own centre must lie in or near this one."""
    lon, lat = np.asarray(corners).T
    east = (lon - centre[0] + 180.0) % 360.0 - 180.0
    rpc_east = (part.rpc.lon_offset - centre[0] + 180.0) % 360.0 - 180.0
    if (
        abs(rpc_east) > np.abs(east).max() + _RPC_REACH_DEG
        or abs(part.rpc.lat_offset - centre[1]) > np.abs(lat - centre[1]).max() + _RPC_REACH_DEG
    ):
        raise PackageError(
            f"{part.image}: its RPC is centred at {part.rpc.lon_offset:.2f} E "
            f"{part.rpc.lat_offset:.2f} N, the scene at {centre[0]:.2f} E {centre[1]:.2f} N; "
            "the .rpb belongs to another scene"
        )


def _check_content(part: ScenePart) -> None:
    """Refuse an image that ends early or holds nothing but fill."""
    part.read(part.height - 1, 0, 1, part.width)
    for row in range(0, part.height, _SCAN_ROWS):
        if part.read(row, 0, min(_SCAN_ROWS, part.height - row), part.width).any():
            return
    raise ImageError(f"{part.image}: every pixel is 0; fetch the package again")
