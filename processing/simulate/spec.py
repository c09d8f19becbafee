"""What to simulate: camera, time and place, land, air, clouds, and deliberate errors."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from catalog.product import BEIJING
from processing.sensors import Camera, camera
from processing.simulate.atmosphere import Air
from processing.simulate.camera import TILT_DEG
from processing.simulate.clouds import CloudLayer


@dataclass(frozen=True, slots=True)
class MadeLand:
    """The made landscape; another seed is another land."""

    seed: int = 1


@dataclass(frozen=True, slots=True)
class RealLand:
    """Surface reflectance from a raster in a UTM projection, and heights from a DEM.

    ``bands`` maps "blue", "green", "red", "nir" to band numbers of ``raster`` (from 1);
    ``scale`` makes reflectance of its values. ``dem`` holds ellipsoidal heights in any
    projection; None is height 0.
    """

    raster: Path
    bands: tuple[tuple[str, int], ...] = (("blue", 1), ("green", 2), ("red", 3), ("nir", 4))
    scale: float = 1e-4
    dem: Path | None = None


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """One scene to simulate.

    Parameters
    ----------
    camera
        Name of the camera, e.g. "GF1WFV1".
    time
        When the scene's centre is taken; aware.
    centre
        Longitude and latitude of the scene's centre, degrees.
    rows, cols
        Lines, and detectors of one part (GF6 has three parts side by side).
    land, air, clouds
        What lies below, the air's state, and a cloud layer or None.
    product_id
        Number in the package's name.
    tilt_deg
        Roll of the camera, positive to the left of the flight; None takes its mounting.
    overlap
        Columns that neighbouring parts share.
    rpc_error
        Rows and columns by which the RPC is put wrong.
    noise
        Whether photon and read noise are added.
    seed
        Of the noise and the attitude wobble.
    """

    camera: str
    time: datetime
    centre: tuple[float, float]
    rows: int
    cols: int
    land: MadeLand | RealLand = MadeLand()
    air: Air = field(default_factory=lambda: Air(0.15))
    clouds: CloudLayer | None = None
    product_id: str = "0004418304"
    tilt_deg: float | None = None
    overlap: int = 40
    rpc_error: tuple[float, float] = (0.0, 0.0)
    noise: bool = True
    seed: int = 0

    @property
    def facts(self) -> Camera:
        """The camera's tables."""
        return camera(self.camera)

    @property
    def tilt(self) -> float:
        """Roll in degrees, positive to the left of the flight (east on a descending pass)."""
        return TILT_DEG[self.camera] if self.tilt_deg is None else self.tilt_deg

    @property
    def utc(self) -> datetime:
        """Time of the scene's centre in UTC."""
        return self.time.astimezone(UTC)

    @property
    def name(self) -> str:
        """Name of the package without ``.tar.gz``, e.g. GF1_WFV1_E113.0_N22.9_20191124_L1A…"""
        lon, lat = self.centre
        place = f"{'EW'[lon < 0]}{abs(lon):.1f}_{'NS'[lat < 0]}{abs(lat):.1f}"
        day = self.time.astimezone(BEIJING).strftime("%Y%m%d")
        facts = self.facts
        return f"{facts.satellite}_{facts.sensor}_{place}_{day}_L1A{self.product_id}"
