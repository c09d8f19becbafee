"""Orbit, camera, sun and RPC of the simulator against pvlib, pyproj's geodesics and GDAL."""

import math
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib
import pytest
import rasterio
from pyproj import Geod, Transformer
from rasterio.transform import RPCTransformer

from processing.simulate.camera import TILT_DEG, Pushbroom, aim
from processing.simulate.lattice import NODE_STEP, map_lattice
from processing.simulate.orbit import MEAN_EARTH_RADIUS_M, Orbit
from processing.simulate.rpcfit import fit_rpc, rpb_text
from processing.simulate.sun import sun_at

_CENTRE = (1.5, 45.5)
_GEOD = Geod(ellps="WGS84")


def _image(
    tilt_deg: float, rows: int = 1500, cols: int = 1500, centre: tuple[float, float] = _CENTRE
) -> Pushbroom:
    loose = Pushbroom(
        Orbit(0.0, 0.0), math.radians(tilt_deg), rows, cols, -(rows - 1) / 2, -(cols - 1) / 2, 1.0
    )
    return aim(loose, *centre, 300.0)


@pytest.mark.parametrize(
    ("when", "lon", "lat"),
    [
        (datetime(2014, 7, 25, 3, 9, 43, tzinfo=UTC), 113.0, 22.9),
        (datetime(2020, 6, 18, 10, 50, tzinfo=UTC), 1.5, 45.5),
        (datetime(2021, 12, 21, 13, 40, tzinfo=UTC), -47.0, -15.0),
    ],
)
def test_sun_agrees_with_spa(when: datetime, lon: float, lat: float) -> None:
    """Zenith and azimuth within 0.02 degree, distance within 1e-4 au of NREL's algorithm."""
    sun = sun_at(when)
    zenith, azimuth = sun.angles(np.array([lon]), np.array([lat]))
    index = pd.DatetimeIndex([when])
    truth = pvlib.solarposition.spa_python(index, lat, lon)
    assert zenith[0] == pytest.approx(truth.zenith.iloc[0], abs=0.02)
    assert azimuth[0] == pytest.approx(truth.azimuth.iloc[0], abs=0.02)
    distance = pvlib.solarposition.nrel_earthsun_distance(index)
    assert sun.distance_au == pytest.approx(float(distance.iloc[0]), abs=1e-4)


@pytest.mark.parametrize("name", TILT_DEG)
def test_centre_is_seen_where_it_was_aimed(name: str) -> None:
    """The middle of the image lies on the wanted place at the wanted height."""
    image = _image(TILT_DEG[name])
    lon, lat = image.ground(np.array([749.5]), np.array([749.5]), np.array([300.0]))
    _, _, miss = _GEOD.inv(*_CENTRE, lon[0], lat[0])
    assert miss < 0.01


def test_pixels_are_16_m_at_nadir_and_wider_at_the_swath_edge() -> None:
    """Across-track pixels: 16 m at nadir (2 % for the flattening), 19 to 21 m at 24 degrees."""
    for tilt, least, most in ((0.0, 15.8, 16.5), (24.0, 19.0, 21.0), (-24.0, 19.0, 21.0)):
        image = _image(tilt)
        lon, lat = image.ground(np.full(2, 749.5), np.array([749.0, 750.0]), np.zeros(2))
        _, _, width = _GEOD.inv(lon[0], lat[0], lon[1], lat[1])
        assert least < width < most


def test_descending_pass_runs_south_and_columns_run_east() -> None:
    """Line 0 is the northernmost, and WFV1 looks west: its sensor stands in the east."""
    image = _image(TILT_DEG["GF1WFV1"])
    lon, lat = image.ground(np.array([0.0, 1499, 0]), np.array([0.0, 0, 1499]), np.zeros(3))
    assert lat[1] < lat[0]
    assert lon[2] > lon[0]
    zenith, azimuth = image.view_angles(np.array([749.5]), np.array([749.5]), np.zeros(1))
    assert 90 < azimuth[0] < 110
    incidence = math.asin((MEAN_EARTH_RADIUS_M + 645e3) / 6367e3 * math.sin(math.radians(24)))
    assert zenith[0] == pytest.approx(math.degrees(incidence), abs=0.2)


@pytest.mark.parametrize(
    ("tilt", "rows", "cols"), [(-24.0, 1500, 1500), (0.0, 240, 120), (24.0, 13400, 12000)]
)
def test_rpc_is_close_to_the_camera(tilt: float, rows: int, cols: int) -> None:
    """The fitted model stays within 0.05 pixel between its fit points."""
    rpc = fit_rpc(_image(tilt, rows, cols), -100.0, 2500.0)
    assert rpc.max_px < 0.05
    assert rpc.rmse_px < 0.03


def test_the_antimeridian_is_no_border_for_the_rpc() -> None:
    """A scene over 180 E has an RPC as close as any other, centred on the scene."""
    rpc = fit_rpc(_image(10.0, 800, 800, (179.99, -16.5)), 0.0, 1500.0)
    assert rpc.max_px < 0.05
    assert abs(rpc.offset[3]) == pytest.approx(180.0, abs=0.2)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_gdal_reads_the_rpb_and_finds_the_camera_pixels(tmp_path: Path) -> None:
    """GDAL's own RPC transformer, fed by the written file, maps ground points to their pixels."""
    image = _image(-8.0, 400, 300)
    (tmp_path / "x.rpb").write_text(rpb_text(fit_rpc(image, 0.0, 1000.0), "GF1"))
    profile = {"driver": "GTiff", "dtype": "uint16", "count": 1, "height": 400, "width": 300}
    with rasterio.open(tmp_path / "x.tiff", "w", **profile):
        pass
    with rasterio.open(tmp_path / "x.tiff") as raster:
        rpcs = raster.rpcs
    assert rpcs is not None
    row, col = (v.ravel() for v in np.meshgrid([5.0, 200, 390], [7.0, 150, 290], indexing="ij"))
    height = np.linspace(0, 900, 9)
    lon, lat = image.ground(row, col, height)
    with RPCTransformer(rpcs) as transformer:
        found_row, found_col = transformer.rowcol(lon, lat, zs=height, op=lambda value: value)
    np.testing.assert_allclose(np.asarray(found_row) - 0.5, row, atol=0.05)
    np.testing.assert_allclose(np.asarray(found_col) - 0.5, col, atol=0.05)


def test_rpb_has_the_layout_of_cresda() -> None:
    """Six header lines, ten scalars, four groups of twenty coefficients, two closing lines."""
    lines = rpb_text(fit_rpc(_image(0.0, 200, 200), 0.0, 500.0), "GF6").splitlines()
    assert lines[0] == 'satId = "GF6";'
    assert lines[3] == "BEGIN_GROUP = IMAGE"
    assert lines[6].startswith("\tlineOffset = \t+")
    groups = [i for i, line in enumerate(lines) if line.endswith("Coef = (")]
    assert [lines[i].strip() for i in groups] == [
        "lineNumCoef = (", "lineDenCoef = (", "sampNumCoef = (", "sampDenCoef = (",
    ]  # fmt: skip
    assert all(b - a == 22 for a, b in pairwise(groups))
    assert lines[-2:] == ["END_GROUP = IMAGE", "END;"]


def test_rpc_error_moves_the_image_coordinates() -> None:
    """An error put in shows up as that many pixels."""
    image = _image(8.0, 300, 300)
    rpc = fit_rpc(image, 0.0, 500.0)
    lon, lat = image.ground(np.array([100.0]), np.array([50.0]), np.array([250.0]))
    row, col = rpc.shifted(3.5, -2.0).image(lon, lat, np.array([250.0]))
    assert row[0] == pytest.approx(103.5, abs=0.05)
    assert col[0] == pytest.approx(48.0, abs=0.05)


def test_lattice_follows_the_rays() -> None:
    """The coarse lattice is within 5 cm of the exact ray, cloud heights included."""
    image = _image(-24.0, 300, 300)
    lattice = map_lattice(image, 32631)
    row, col, height = 8.0 + 3 * NODE_STEP, 8.0 + 5 * NODE_STEP, 6000.0
    x, y = (v[3:5, 5:7].mean() for v in lattice.at(height))
    lon, lat = image.ground(np.array([row]), np.array([col]), np.array([height]))
    true = Transformer.from_crs(4326, 32631, always_xy=True).transform(lon[0], lat[0])
    assert math.hypot(x - true[0], y - true[1]) < 0.05
