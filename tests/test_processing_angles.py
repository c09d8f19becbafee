"""Sun against an ephemeris, view directions against the exact rays of a camera."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pvlib
import pytest

from catalog.grid import Grid
from processing.geometry.angles import AngleField, angle_field, sun_position
from processing.geometry.dem import open_dem
from processing.geometry.field import GroundField
from processing.geometry.rpc import Rpc
from tests.pushbroom import ArrayPart, Pushbroom, fit_rpc

START = datetime(2020, 6, 24, 10, 55, 0, tzinfo=UTC)
FLAT = open_dem(None, (0.0, 0.0, 1.0, 1.0))


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs((a - b + 180.0) % 360.0 - 180.0)


def test_sun_agrees_with_the_solar_position_algorithm():
    rng = np.random.default_rng(3)
    first, last = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2013, 2027))
    seconds = rng.uniform(first, last, 150).round()
    lon, lat = rng.uniform(-180, 180, 150), rng.uniform(-80, 82, 150)
    zenith, azimuth = sun_position(seconds, lon, lat)
    for i, when in enumerate(pd.to_datetime(seconds, unit="s", utc=True)):
        spa = pvlib.solarposition.spa_python(pd.DatetimeIndex([when]), lat[i], lon[i])
        true_zenith, true_azimuth = spa.zenith.iloc[0], spa.azimuth.iloc[0]
        assert abs(zenith[i] - true_zenith) < 0.02
        arc = difference(azimuth[i], true_azimuth) * np.sin(np.radians(true_zenith))
        assert arc < 0.02


def test_sun_takes_a_datetime_and_broadcasts():
    zenith, azimuth = sun_position(START, np.array([2.0, 3.0]), np.array([[44.0], [45.0]]))
    assert zenith.shape == azimuth.shape == (2, 2)
    one = sun_position(START.timestamp(), 3.0, 45.0)
    assert (zenith[1, 1], azimuth[1, 1]) == pytest.approx(one)


def scene(camera: Pushbroom, margin: int = 50) -> tuple[ArrayPart, Grid]:
    part = ArrayPart(np.ones((1, camera.rows, camera.cols), np.uint16), Rpc(**fit_rpc(camera)))
    lon, lat = camera.ground((camera.rows - 1) / 2, (camera.cols - 1) / 2, 0.0)
    epsg = 32600 + int((lon + 180) % 360 // 6) + 1
    row, col = Grid(epsg, 0.0, 0.0, 16.0, 1, 1).rowcol(lon, lat)
    half = max(camera.rows, camera.cols) // 2 - margin
    grid = Grid(
        epsg,
        float(np.round(col - half) * 16),
        float(-np.round(row - half) * 16),
        16.0,
        2 * half,
        2 * half,
    )
    return part, grid


@pytest.mark.parametrize("tilt", [-26.0, 0.0, 24.0])
def test_view_agrees_with_the_exact_ray(tilt):
    camera = Pushbroom(2.3, 44.4, rows=1200, cols=1200, tilt_deg=tilt, wobble_rad=0.0)
    part, grid = scene(camera)
    field = angle_field([part], START, START, grid, FLAT)
    angles = field.on(grid)
    row, col = part.rpc.image(*grid.lonlat(*np.indices(grid.shape)[:, ::37, ::41]), 0.0)
    zenith, azimuth = camera.view_angles(row, col, 0.0)
    assert np.abs(angles.view_zenith[::37, ::41] - zenith).max() < 0.01
    arc = difference(angles.view_azimuth[::37, ::41], azimuth) * np.sin(np.radians(zenith))
    assert arc.max() < 0.01


def test_sun_follows_the_line_times():
    camera = Pushbroom(2.3, 44.4, rows=2000, cols=400, wobble_rad=0.0)
    part, grid = scene(camera)
    duration = timedelta(seconds=60.0)
    angles = angle_field([part], START, START + duration, grid, FLAT).on(grid)
    for row, col in ((100.0, 200.0), (1900.0, 200.0)):
        lon, lat = camera.ground(row, col, 0.0)
        r, c = (round(float(v)) for v in grid.rowcol(lon, lat))
        when = START.timestamp() + row / 1999.0 * 60.0
        zenith, azimuth = sun_position(when, *grid.lonlat(r, c))
        assert abs(angles.sun_zenith[r, c] - zenith) < 1e-3
        assert abs(angles.sun_azimuth[r, c] - azimuth) < 2e-3


def test_each_point_takes_its_own_part():
    left = Pushbroom(2.3, 44.4, rows=600, cols=600, tilt_deg=12.0, wobble_rad=0.0)
    part, grid = scene(left, margin=0)
    lon, lat = left.ground(299.5, 900.0, 0.0)
    right = Pushbroom(float(lon), float(lat), rows=600, cols=600, tilt_deg=20.0, wobble_rad=0.0)
    other, beyond = scene(right, margin=0)
    both = [part, other]
    for camera, ground in ((left, grid), (right, beyond)):
        field = angle_field(both, START, START, ground, FLAT, step_px=32)
        r, c = (round(float(v)) for v in ground.rowcol(*camera.ground(299.5, 299.5, 0.0)))
        zenith, _ = camera.view_angles(299.5, 299.5, 0.0)
        assert abs(field.on(ground).view_zenith[r, c] - zenith) < 0.01


def test_far_from_the_image_directions_stay_finite():
    camera = Pushbroom(2.3, 44.4, rows=300, cols=300, wobble_rad=0.0)
    part, _ = scene(camera)
    tile = Grid(32631, 399960.0, 4900020.0, 160.0, 687, 687)
    angles = angle_field([part], START, START + timedelta(seconds=1), tile, FLAT).on(tile)
    for layer in (angles.view_zenith, angles.view_azimuth, angles.sun_zenith, angles.sun_azimuth):
        assert np.isfinite(layer).all()


@pytest.mark.parametrize("tilt", [-26.0, 0.3])
def test_encoding_agrees_with_the_angles(tilt):
    camera = Pushbroom(2.3, 44.4, rows=1200, cols=1200, tilt_deg=tilt, wobble_rad=0.0)
    part, grid = scene(camera)
    field = angle_field([part], START, START, grid, FLAT)
    encoded, angles = field.encoded(grid), field.on(grid)
    assert encoded.dtype == np.uint16
    assert (encoded > 0).all()
    assert encoded[[0, 2]].max() <= 36000
    for layer, truth in ((1, angles.sun_zenith), (3, angles.view_zenith)):
        assert np.abs(encoded[layer] / 100.0 - truth).max() < 0.012
    for layer, azimuth, zenith in (
        (0, angles.sun_azimuth, angles.sun_zenith),
        (2, angles.view_azimuth, angles.view_zenith),
    ):
        arc = difference(encoded[layer] / 100.0, azimuth) * np.sin(np.radians(zenith))
        assert arc.max() < 0.01


def test_encoding_keeps_zero_for_fill():
    """North is written as 36000, the vertical as 1."""
    north = np.array([0.0, 0.5, 0.5, 0.0, 0.0, 1.0])
    vectors = np.broadcast_to(north[:, None, None], (6, 40, 40)).copy()
    grid = Grid(32631, 0.0, 0.0, 16.0, 40, 40)
    field = AngleField(GroundField(grid, vectors.astype(np.float32)))
    encoded = field.encoded(grid.window(0, 0, 1, 37))
    assert encoded.shape == (4, 1, 37)
    assert (encoded[0] == 36000).all()
    assert (encoded[1] == 4500).all()
    assert (encoded[2] == 36000).all()
    assert (encoded[3] == 1).all()
