"""The text beside the image: ``ProductMetaData`` XML as CRESDA writes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from catalog.product import BEIJING
from processing.sensors import Camera


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """What the XML says of a scene.

    ``corners`` are (lon, lat) in the order top left, top right, bottom right, bottom left;
    angles are degrees at the scene's centre, times aware.
    """

    camera: Camera
    product_id: str
    centre_time: datetime
    start_time: datetime
    end_time: datetime
    centre: tuple[float, float]
    corners: tuple[tuple[float, float], ...]
    rows: int
    cols: int
    sun: tuple[float, float]
    view: tuple[float, float]
    tilt_deg: float
    cloud_percent: int


def product_xml(facts: SceneFacts) -> str:
    """Return the XML text; times are Beijing time, SolarZenith is the zenith angle."""
    tags = {**_identity(facts), **_times(facts), **_geometry(facts), **_radiometry(facts)}
    lines = [f"  <{tag}>{escape(str(value))}</{tag}>" for tag, value in tags.items()]
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return "\n".join([head, "<ProductMetaData>", *lines, "</ProductMetaData>", ""])


def beijing(time: datetime) -> str:
    """Return a time stamp as the XML holds it: Beijing time, milliseconds, no zone."""
    return time.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _identity(facts: SceneFacts) -> Mapping[str, object]:
    number = int(facts.product_id)
    return {
        "SatelliteID": facts.camera.satellite,
        "SensorID": facts.camera.sensor,
        "ReceiveTime": beijing(facts.centre_time),
        "OrbitID": 10_000 + number % 50_000,
        "ProduceType": "STANDARD",
        "SceneID": number,
        "ProductID": number,
        "ProductLevel": "LEVEL1A",
        "ProductQuality": 0,
        "ProductQualityReport": "",
        "ProductFormat": "GEOTIFF",
        "ProduceTime": beijing(facts.end_time + timedelta(days=1)),
        "Bands": ",".join(str(n + 1) for n in range(len(facts.camera.bands))),
        "ScenePath": 0,
        "SceneRow": 0,
        "SatPath": 0,
        "SatRow": 0,
        "SceneCount": 1,
        "SceneShift": 1,
    }


def _times(facts: SceneFacts) -> Mapping[str, object]:
    return {
        "StartTime": beijing(facts.start_time),
        "EndTime": beijing(facts.end_time),
        "CenterTime": beijing(facts.centre_time),
    }


def _geometry(facts: SceneFacts) -> Mapping[str, object]:
    places = ("TopLeft", "TopRight", "BottomRight", "BottomLeft")
    corners: dict[str, object] = {}
    for place, (lon, lat) in zip(places, facts.corners, strict=True):
        corners[f"{place}Latitude"] = f"{lat:.6f}"
        corners[f"{place}Longitude"] = f"{lon:.6f}"
    return {
        "ImageGSD": 16,
        "WidthInPixels": facts.cols,
        "HeightInPixels": facts.rows,
        "WidthInMeters": facts.cols * 16,
        "HeightInMeters": facts.rows * 16,
        "RollViewingAngle": 0,
        "PitchViewingAngle": 0,
        "RollSatelliteAngle": f"{facts.tilt_deg:.4f}",
        "PitchSatelliteAngle": 0,
        "YawSatelliteAngle": 0,
        "SolarAzimuth": f"{facts.sun[1]:.4f}",
        "SolarZenith": f"{facts.sun[0]:.4f}",
        "SatelliteAzimuth": f"{facts.view[1]:.4f}",
        "SatelliteZenith": f"{facts.view[0]:.4f}",
        "CenterLatitude": f"{facts.centre[1]:.6f}",
        "CenterLongitude": f"{facts.centre[0]:.6f}",
        **corners,
    }


def _radiometry(facts: SceneFacts) -> Mapping[str, object]:
    return {
        "CloudPercent": facts.cloud_percent,
        "QualityInfo": "",
        "PixelBits": 16,
        "ValidPixelBits": facts.camera.saturation_dn.bit_length(),
        "GainMode": "",
        "IntegrationTime": "",
        "IntegrationLevel": "",
        "MapProjection": "",
        "EarthEllipsoid": "",
        "ZoneNo": "",
        "ResamplingKernel": "",
        "HeightMode": "",
        "MtfCorrection": "NULL",
        "RelativeCorrectionData": "",
    }
