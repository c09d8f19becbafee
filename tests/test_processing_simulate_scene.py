"""Simulated packages: layout, metadata, radiometry, geometry, shadows, and that they repeat."""

import ast
import hashlib
import math
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Geod, Transformer
from rasterio.enums import Resampling
from rasterio.warp import reproject

from processing.sensors import calibration, camera
from processing.simulate import scene
from processing.simulate.atmosphere import Air
from processing.simulate.clouds import CloudLayer
from processing.simulate.scene import Simulated, simulate
from processing.simulate.sixs import Sky, SkyQuery
from processing.simulate.spec import RealLand, SceneSpec
from processing.simulate.sun import sun_at

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

_TIME = datetime(2020, 6, 18, 10, 55, 3, tzinfo=UTC)
_CLEAR = Sky(path=0.0, gain=1.0, albedo=0.0, direct_down=1.0, direct_up=1.0)
_SMALL = SceneSpec(
    camera="GF1WFV1", time=_TIME, centre=(1.145, 45.51), rows=150, cols=130, noise=False
)


@pytest.fixture(autouse=True)
def _no_air(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace 6SV by a vacuum: what is tested here is all but the atmosphere."""

    def vacuum(queries: Sequence[SkyQuery], memory: object, progress: object) -> list[Sky]:
        return [_CLEAR for _ in queries]

    monkeypatch.setattr("processing.simulate.atmosphere.skies", vacuum)


def _unpack(made: Simulated, folder: Path) -> Path:
    with tarfile.open(made.package) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # since 3.11.4
        tar.extractall(folder)
    return folder


def _truth(made: Simulated, name: str) -> np.ndarray:
    with rasterio.open(made.truth / f"{name}.tif") as raster:
        return raster.read() * np.asarray(raster.scales)[:, None, None]


def _on_truth_grid(image: Path, made: Simulated) -> np.ndarray:
    """Orthorectify counts onto the truth's grid with GDAL's RPC warp."""
    with rasterio.open(image) as source, rasterio.open(made.truth / "sr.tif") as frame:
        out = np.zeros((source.count, frame.height, frame.width), np.float32)
        reproject(
            source.read().astype(np.float32), out, rpcs=source.rpcs, src_crs="EPSG:4326",
            dst_crs=frame.crs, dst_transform=frame.transform, src_nodata=0,
            resampling=Resampling.bilinear, RPC_DEM=str(made.truth / "dem.tif"),
            XSCALE=1, YSCALE=1,
        )  # fmt: skip
    return out


def test_gf1_package_has_the_files_of_cresda(tmp_path: Path) -> None:
    made = simulate(_SMALL, tmp_path)
    name = "GF1_WFV1_E1.1_N45.5_20200618_L1A0004418304"
    assert made.package == tmp_path / f"{name}.tar.gz"
    files = {path.name for path in _unpack(made, tmp_path / "x").iterdir()}
    ends = (".tiff", ".rpb", ".xml", ".jpg", "_thumb.jpg")
    assert files == {f"{name}{end}" for end in ends}
    with rasterio.open(tmp_path / "x" / f"{name}.tiff") as image:
        assert (image.count, image.height, image.width) == (4, 150, 130)
        assert image.dtypes[0] == "uint16"
        assert image.crs is None
        assert image.rpcs is not None
    with Image.open(tmp_path / "x" / f"{name}.jpg") as browse:
        assert browse.mode == "RGB"


def test_gf6_has_three_parts_and_one_xml(tmp_path: Path) -> None:
    spec = replace(_SMALL, camera="GF6WFV", rows=60, cols=50, overlap=10, product_id="1120033217")
    folder = _unpack(simulate(spec, tmp_path), tmp_path / "x")
    name = "GF6_WFV_E1.1_N45.5_20200618_L1A1120033217"
    assert {p.name for p in folder.glob("*.tiff")} == {f"{name}-{n}.tiff" for n in (1, 2, 3)}
    assert {p.name for p in folder.glob("*.rpb")} == {f"{name}-{n}.rpb" for n in (1, 2, 3)}
    assert [p.name for p in folder.glob("*.xml")] == [f"{name}.xml"]
    counts = []
    for part in (1, 2, 3):
        with rasterio.open(folder / f"{name}-{part}.tiff") as image:
            assert image.count == 8
            counts.append(image.read().astype(float))
    for left, right in pairwise(counts):
        np.testing.assert_allclose(left[:, :, -10:], right[:, :, :10], atol=2)


def test_xml_tells_beijing_time_true_zenith_and_corners(tmp_path: Path) -> None:
    folder = _unpack(simulate(_SMALL, tmp_path), tmp_path / "x")
    root = ElementTree.parse(next(folder.glob("*.xml"))).getroot()
    assert root.tag == "ProductMetaData"
    tags = {element.tag: element.text or "" for element in root}
    assert tags["CenterTime"] == "2020-06-18 18:55:03.000"
    assert tags["StartTime"] < tags["CenterTime"] < tags["EndTime"]
    assert (tags["SatelliteID"], tags["SensorID"], tags["Bands"]) == ("GF1", "WFV1", "1,2,3,4")
    assert (tags["WidthInPixels"], tags["HeightInPixels"]) == ("130", "150")
    assert 20 < float(tags["SolarZenith"]) < 30
    _, _, across = Geod(ellps="WGS84").inv(
        float(tags["TopLeftLongitude"]), float(tags["TopLeftLatitude"]),
        float(tags["TopRightLongitude"]), float(tags["TopRightLatitude"]),
    )  # fmt: skip
    assert across == pytest.approx(130 * 19.7, rel=0.03)


def test_counts_are_the_reflectance_through_the_years_gains(tmp_path: Path) -> None:
    """Without air and noise each count is rho cos(sza) E / (pi d2 slope), rounded."""
    made = simulate(_SMALL, tmp_path)
    counts = _on_truth_grid(next(_unpack(made, tmp_path / "x").glob("*.tiff")), made)
    rho = _truth(made, "sr")
    table = calibration(camera("GF1WFV1"), 2020)
    sun_zenith, distance = 25.30, 1.0162
    smooth = np.ptp(
        np.stack([np.roll(rho, s, a) for s in (-2, -1, 0, 1, 2) for a in (1, 2)]), axis=0
    )
    for band in range(4):
        known = (counts > 0).all(axis=0) & (smooth[band] < 0.02 * rho[band])
        assert known.sum() > 200
        scale = (
            math.pi * distance**2 * table.slope[band]
            / (table.esun[band] * math.cos(math.radians(sun_zenith)))
        )  # fmt: skip
        ratio = counts[band][known] * scale / rho[band][known]
        assert np.median(ratio) == pytest.approx(1, abs=0.004)


def test_image_lies_where_gdal_puts_it(tmp_path: Path) -> None:
    """Against a flat copy, GDAL's ortho with the DEM agrees with the truth far better."""
    spec = replace(_SMALL, centre=(1.42, 45.62), rows=200, cols=200)
    made = simulate(spec, tmp_path)
    counts = _on_truth_grid(next(_unpack(made, tmp_path / "x").glob("*.tiff")), made)[2]
    rho = _truth(made, "sr")[2]
    seen = counts > 0
    inner = np.s_[3:-3, 3:-3]

    def likeness(rows: int, cols: int) -> float:
        moved = np.roll(rho, (rows, cols), (0, 1))
        return float(np.corrcoef(counts[inner][seen[inner]], moved[inner][seen[inner]])[0, 1])

    here = likeness(0, 0)
    assert here > 0.97
    shifts = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
    assert all(likeness(*shift) < here for shift in shifts)


def test_shadow_and_cloud_are_apart_as_sun_and_view_say(tmp_path: Path) -> None:
    """The best match of cloud and shadow rasters is the sum of both displacements."""
    height_m = 2600.0
    layer = CloudLayer(height_m, 0.2, size_m=900.0, seed=3)
    made = simulate(replace(_SMALL, rows=240, cols=240, clouds=layer), tmp_path)
    cloud, shadow = _truth(made, "cloud")[0], _truth(made, "shadow")[0]
    ground = float(_truth(made, "height").mean())
    sun_zenith, sun_azimuth = sun_at(_TIME).angles(np.array([1.145]), np.array([45.51]))
    view_zenith, view_azimuth = 26.66, 99.2
    rise = height_m - ground
    east = north = 0.0
    for zenith, azimuth, sign in (
        (sun_zenith[0], sun_azimuth[0], -1),
        (view_zenith, view_azimuth, 1),
    ):
        reach = sign * rise * math.tan(math.radians(zenith))
        east += reach * math.sin(math.radians(azimuth))
        north += reach * math.cos(math.radians(azimuth))
    spectrum = np.fft.rfft2(shadow - shadow.mean()) * np.conj(np.fft.rfft2(cloud - cloud.mean()))
    rows, cols = np.unravel_index(np.argmax(np.fft.irfft2(spectrum, cloud.shape)), cloud.shape)
    rows = rows - cloud.shape[0] * (rows > cloud.shape[0] / 2)
    cols = cols - cloud.shape[1] * (cols > cloud.shape[1] / 2)
    assert cols * 16 == pytest.approx(east, abs=40)
    assert -rows * 16 == pytest.approx(north, abs=40)


def test_clouds_are_bright_where_the_truth_says(tmp_path: Path) -> None:
    layer = CloudLayer(1800.0, 0.25, size_m=1200.0, seed=2)
    made = simulate(replace(_SMALL, rows=200, cols=200, clouds=layer), tmp_path)
    counts = _on_truth_grid(next(_unpack(made, tmp_path / "x").glob("*.tiff")), made)[2]
    opacity, shadow = _truth(made, "cloud_opacity")[0], _truth(made, "shadow")[0]
    seen = counts > 0
    bright = counts[seen & (opacity > 0.9)].mean()
    clear = counts[seen & (opacity == 0) & (shadow == 0)].mean()
    dark = counts[seen & (opacity == 0) & (_truth(made, "shadow_opacity")[0] > 0.9)].mean()
    assert bright > 2 * clear
    assert dark < 0.3 * clear


def test_the_same_specification_gives_the_same_bytes(tmp_path: Path) -> None:
    spec = replace(_SMALL, rows=40, cols=40, noise=True, seed=9)
    digests = [
        hashlib.sha256(simulate(spec, tmp_path / n).package.read_bytes()).hexdigest() for n in "ab"
    ]
    assert digests[0] == digests[1]
    other = simulate(replace(spec, seed=10), tmp_path / "c").package.read_bytes()
    assert hashlib.sha256(other).hexdigest() != digests[0]


def test_noise_and_saturation_stay_in_the_camera_range(tmp_path: Path) -> None:
    layer = CloudLayer(1500.0, 0.9, size_m=3000.0)
    spec = replace(_SMALL, rows=60, cols=60, noise=True, clouds=layer)
    with rasterio.open(next(_unpack(simulate(spec, tmp_path), tmp_path / "x").glob("*.tiff"))) as s:
        counts = s.read()
    assert counts.min() >= 1
    assert counts.max() <= 1023


def test_real_reflectance_keeps_its_values_and_its_place(tmp_path: Path) -> None:
    """A raster of four flat quarters comes back in the truth; beyond its edge there is nothing."""
    x, y = Transformer.from_crs(4326, 32631, always_xy=True).transform(1.145, 45.51)
    values = np.full((4, 300, 300), 800, np.uint16)
    values[:, :150] = 2400
    values[3] = 3000
    raster = tmp_path / "real.tif"
    with rasterio.open(
        raster, "w", driver="GTiff", dtype="uint16", count=4, height=300, width=300, nodata=0,
        crs="EPSG:32631", transform=rasterio.Affine(10, 0, x - 1500, 0, -10, y + 1500),
    ) as file:  # fmt: skip
        file.write(values)
    made = simulate(replace(_SMALL, rows=240, cols=200, land=RealLand(raster)), tmp_path)
    rho = _truth(made, "sr")
    known = rho[0] > 0
    assert known.sum() == pytest.approx((3000 / 16) ** 2, rel=0.03)
    assert set(np.unique(rho[0, known].round(2))) >= {0.08, 0.24}
    with rasterio.open(next(_unpack(made, tmp_path / "x").glob("*.tiff"))) as image:
        counts = image.read()
    assert 0.3 < (counts[0] > 0).mean() < 0.95
    assert ((counts == 0).all(axis=0) == (counts == 0).any(axis=0)).all()


def test_missing_bands_are_interpolated_by_wavelength(tmp_path: Path) -> None:
    x, y = Transformer.from_crs(4326, 32631, always_xy=True).transform(1.145, 45.51)
    values = np.empty((4, 200, 200), np.uint16)
    values[:] = np.array([400, 600, 800, 4000], np.uint16)[:, None, None]
    raster = tmp_path / "real.tif"
    with rasterio.open(
        raster, "w", driver="GTiff", dtype="uint16", count=4, height=200, width=200, nodata=0,
        crs="EPSG:32631", transform=rasterio.Affine(10, 0, x - 1000, 0, -10, y + 1000),
    ) as file:  # fmt: skip
        file.write(values)
    spec = replace(_SMALL, camera="GF6WFV", rows=60, cols=30, overlap=4, land=RealLand(raster))
    made = simulate(spec, tmp_path)
    rho = _truth(made, "sr")
    middle = rho[:, rho.shape[1] // 2, rho.shape[2] // 2]
    np.testing.assert_allclose(middle[:4], [0.04, 0.06, 0.08, 0.4], atol=1e-4)
    names = dict(zip((band.name for band in camera("GF6WFV").bands), middle, strict=True))
    assert 0.06 < names["yellow"] < 0.08
    assert 0.08 < names["rededge071"] < names["rededge075"] < 0.4
    assert names["coastal"] == pytest.approx(0.04, abs=1e-4)


def test_air_gradient_stands_in_the_truth(tmp_path: Path) -> None:
    """Optical depth rises eastwards by the slope that was asked for."""
    made = simulate(replace(_SMALL, rows=40, cols=40, air=Air(0.2, east=2.0)), tmp_path)
    aod = _truth(made, "aod")[0]
    assert aod.mean() == pytest.approx(0.2, abs=0.03)
    assert aod[:, -1].mean() > aod[:, 0].mean() + 0.005


def test_simulator_shares_no_code_with_what_it_tests() -> None:
    """Of the production it may import the cameras' tables alone."""
    package = Path(scene.__file__).parent
    for path in package.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("processing"):
                assert node.module == "processing.sensors" or node.module.startswith(
                    "processing.simulate."
                ), f"{path.name} imports {node.module}"
