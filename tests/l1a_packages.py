"""L1A packages made from the published layout, independent of the project's simulator.

Sun angles come from NREL's SPA (pvlib 0.16), not from the code under test.
"""

import tarfile
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

ROWS, COLS = 20, 24
GF1 = "GF1_WFV1_E113.0_N22.9_20191124_L1A0004418304"
GF1_WEST = "GF1_WFV2_W60.3_S15.2_20160715_L1A0001704321"
GF6 = "GF6_WFV_E132.4_N35.8_20200914_L1A1120035552"


@dataclass(frozen=True)
class Made:
    """A package to be written; ``tags`` are changed or, with None, left out of the XML.

    ``reach`` is half the width and height of one image on the ground, degrees.
    """

    name: str = GF1
    centre: tuple[float, float] = (113.0, 22.9)
    utc: datetime = datetime(2019, 11, 24, 3, 0, 0, tzinfo=UTC)
    sun: tuple[float, float] = (47.011, 155.865)
    bands: int = 4
    suffixes: tuple[str, ...] = ("",)
    size: tuple[int, int] = (ROWS, COLS)
    reach: tuple[float, float] = (1.3, 1.0)
    tags: dict[str, str | None] = field(default_factory=dict)


GF1_SCENE = Made()
WEST_SCENE = Made(
    GF1_WEST, (-60.3, -15.2), datetime(2016, 7, 15, 14, 45, 12, 500000, UTC), (41.753, 29.328)
)
GF6_SCENE = Made(
    GF6,
    (132.4, 35.8),
    datetime(2020, 9, 14, 2, 40, tzinfo=UTC),
    (33.075, 168.083),
    bands=8,
    suffixes=("-1", "-2", "-3"),
    tags={"WidthInPixels": str(3 * COLS)},
)


def xml_text(made: Made) -> str:
    lon, lat = made.centre
    local = (made.utc + timedelta(hours=8)).replace(tzinfo=None)
    satellite, sensor = made.name.split("_")[:2]
    tags: dict[str, str | None] = {
        "SatelliteID": satellite,
        "SensorID": sensor,
        "ReceiveTime": made.utc.strftime("%Y-%m-%d %H:%M:%S"),
        "SceneID": "5421967",
        "ProductID": "4418304",
        "ProductLevel": "LEVEL1A",
        "Bands": ",".join(str(band + 1) for band in range(made.bands)),
        "StartTime": str(local - timedelta(seconds=14)),
        "EndTime": str(local + timedelta(seconds=14)),
        "CenterTime": str(local),
        "ImageGSD": "16",
        "WidthInPixels": str(made.size[1]),
        "HeightInPixels": str(made.size[0]),
        "CloudPercent": "7",
        "SolarZenith": str(made.sun[0]),
        "SolarAzimuth": str(made.sun[1]),
        "ZoneNo": "",
    }
    for vertical, dy in (("Top", made.reach[1]), ("Bottom", -made.reach[1])):
        for side, dx in (("Left", -made.reach[0]), ("Right", made.reach[0])):
            tags[f"{vertical}{side}Longitude"] = f"{lon + dx:.4f}"
            tags[f"{vertical}{side}Latitude"] = f"{lat + dy:.4f}"
    tags |= made.tags
    lines = [f"  <{tag}>{escape(text)}</{tag}>" for tag, text in tags.items() if text is not None]
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return "\n".join([head, "<ProductMetaData>", *lines, "</ProductMetaData>", ""])


def rpb_text(
    lon: float,
    lat: float,
    cols: int = COLS,
    rows: int = ROWS,
    reach: tuple[float, float] = (1.3, 1.0),
) -> str:
    """Text of an RPC that is linear in longitude and latitude."""

    def linear(index: int, value: float) -> list[str]:
        terms = [value if term == index else 0.0 for term in range(20)]
        return [f"\t\t{term:+.15e}{',' if n < 19 else ''}" for n, term in enumerate(terms)]

    scalars = {
        "lineOffset": (rows - 1) / 2, "sampOffset": (cols - 1) / 2,
        "latOffset": lat, "longOffset": lon, "heightOffset": 100.0,
        "lineScale": rows / 2, "sampScale": cols / 2,
        "latScale": reach[1], "longScale": reach[0], "heightScale": 500.0,
    }  # fmt: skip
    lines = ['satId = "XXX";', 'bandId = "XXX";', 'SpecId = "XXX";', "BEGIN_GROUP = IMAGE"]
    lines += ["\terrBias =   1.0;", "\terrRand =    0.0;"]
    lines += [f"\t{name} = \t{value:+.15e};" for name, value in scalars.items()]
    for name, index, value in (
        ("lineNumCoef", 2, -1.0),
        ("lineDenCoef", 0, 1.0),
        ("sampNumCoef", 1, 1.0),
        ("sampDenCoef", 0, 1.0),
    ):
        lines += [f"\t{name} = (", *linear(index, value), "\t);"]
    return "\n".join([*lines, "END_GROUP = IMAGE", "END;", ""])


def pixels_of(made: Made, part: int = 0) -> NDArray[np.uint16]:
    shape = (made.bands, *made.size)
    counts = np.arange(np.prod(shape), dtype=np.uint32) % 900 + part
    return counts.astype(np.uint16).reshape(shape)


def write_image(path: Path, pixels: NDArray[np.generic]) -> None:
    bands, rows, cols = pixels.shape
    path.unlink(missing_ok=True)  # GDAL would remove the XML and RPB along with the old image
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", width=cols, height=rows, count=bands, dtype=pixels.dtype
        ) as target:
            target.write(pixels)


def write_scene(folder: Path, made: Made = GF1_SCENE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{made.name}.xml").write_text(xml_text(made), encoding="utf-8")
    for number, suffix in enumerate(made.suffixes):
        write_image(folder / f"{made.name}{suffix}.tiff", pixels_of(made, number))
        lon = made.centre[0] + (number - (len(made.suffixes) - 1) / 2) * 0.5
        rpb = rpb_text(lon, made.centre[1], made.size[1], made.size[0], made.reach)
        (folder / f"{made.name}{suffix}.rpb").write_text(rpb)
        (folder / f"{made.name}{suffix}_thumb.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    return folder


def pack(folder: Path, kind: str, inside: str = "") -> Path:
    archive = folder.parent / f"{folder.name}.{kind}"
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[kind]
    with tarfile.open(archive, mode) as tar:  # type: ignore[call-overload]
        for path in sorted(folder.iterdir()):
            tar.add(path, f"{inside}{path.name}")
    return archive


def member(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    info.type = kind
    info.linkname = "/etc/passwd"
    return info
