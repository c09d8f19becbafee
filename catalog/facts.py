"""What is known about a tile of a scene and its finished files, before it becomes an item."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.errors import StoreError
from catalog.grid import Grid
from catalog.product import ItemId, MaskClass


@dataclass(frozen=True, slots=True)
class AssetFile:
    """A finished file of an item: asset key, staged path, size in bytes and SHA-256 (hex)."""

    key: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BandFacts:
    """Spectral facts of a reflectance band: centre and full width at half maximum, micrometres."""

    name: str
    center_um: float
    fwhm_um: float


@dataclass(frozen=True, slots=True)
class GeometricFacts:
    """Geometric accuracy against a reference, from check points that took no part in the fit.

    Lengths in metres; x eastwards, y northwards, product minus reference. ``rmse_m`` is radial,
    ``ce90_m`` and ``median_m`` are the 90th percentile and the median of the distances.

    ``klass`` is the class of the RMSE in pixels, ``check_cells`` how many of the scene's 3 x 3
    cells hold a check point, ``model`` what the correction of the camera model can express.
    """

    rmse_m: float
    rmse_x_m: float
    rmse_y_m: float
    bias_x_m: float
    bias_y_m: float
    stddev_x_m: float
    stddev_y_m: float
    ce90_m: float
    median_m: float
    klass: str
    check_points: int
    check_cells: int
    model: str
    reference: str


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What is known about one tile of one scene.

    Attributes
    ----------
    start_time, end_time
        Aware; the scene's first and last line. The item's own time is that of ``id``.
    grid
        Frame of all assets.
    footprint
        GeoJSON geometry of the valid pixels, longitude and latitude in degrees (WGS 84).
    bands
        Spectral facts of the reflectance bands in file order.
    platform, instrument, international_designator
        STAC names, e.g. "gaofen-1", "wfv1", "2013-018A".
    sun_azimuth, sun_elevation, view_zenith, view_azimuth, off_nadir
        Means over the valid pixels, degrees; azimuths clockwise from north, the view azimuth
        from the ground to the sensor, the view zenith at the ground.
    class_percent
        Share of each mask class in the valid pixels, percent; fill is not one of them.
    valid_percent
        Share of valid pixels in the tile, percent.
    geometric
        Measured accuracy; None where it was not measured, for which ``quality_reason`` says why.
    quality_reason
        A further reason why the product is degraded, or None.
    warnings
        What a user ought to know, one sentence each.
    lineage
        The processing steps in their order.
    auxiliary
        Auxiliary data by purpose ("dem", "geoid", "response" …): a name or a URL.
    provenance
        Further facts by name, which become ``gfard:<name>``: calibration, aerosol source
        shares, gases, mask model, configuration hash. JSON values.
    derived_from
        Name of the L1A product.
    software_version
        Version of gfard.
    created
        Aware time of making.
    """

    id: ItemId
    start_time: datetime
    end_time: datetime
    grid: Grid
    footprint: Mapping[str, Any]
    bands: tuple[BandFacts, ...]
    platform: str
    instrument: str
    international_designator: str
    sun_azimuth: float
    sun_elevation: float
    view_zenith: float
    view_azimuth: float
    off_nadir: float
    class_percent: Mapping[MaskClass, float]
    valid_percent: float
    geometric: GeometricFacts | None
    quality_reason: str | None
    warnings: tuple[str, ...]
    lineage: tuple[str, ...]
    auxiliary: Mapping[str, str]
    provenance: Mapping[str, Any]
    derived_from: str
    software_version: str
    created: datetime


def describe_file(key: str, path: Path) -> AssetFile:
    """Measure the finished file of an asset.

    Raises
    ------
    StoreError
        The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return AssetFile(key, path, path.stat().st_size, digest)
    except OSError as error:
        raise StoreError(f"{path}: asset {key} is not readable: {error.strerror}") from error
