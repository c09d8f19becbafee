"""The RPC model against a pushbroom camera that knows nothing of polynomials."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import RPCTransformer

from catalog.errors import GeometryError
from processing.geometry.rpc import ImageCorrection, Rpc, parse_rpb, read_rpb
from tests.pushbroom import Pushbroom, fit_rpc, gdal_tags, rpb_of

CAMERA = Pushbroom(2.3, 44.4, rows=13400, cols=12000, wobble_rad=0.0)


@pytest.fixture(scope="module")
def rpc() -> Rpc:
    return Rpc(**fit_rpc(CAMERA))


@pytest.fixture(scope="module")
def points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.uniform(0, 13399, 500), rng.uniform(0, 11999, 500), rng.uniform(0, 2000, 500)


def test_image_agrees_with_the_camera(rpc, points):
    row, col, height = points
    seen_row, seen_col = rpc.image(*CAMERA.ground(row, col, height), height)
    np.testing.assert_allclose(seen_row, row, atol=0.05)
    np.testing.assert_allclose(seen_col, col, atol=0.05)


def test_ground_inverts_image(rpc, points):
    row, col, height = points
    seen_row, seen_col = rpc.image(*rpc.ground(row, col, height), height)
    np.testing.assert_allclose(seen_row, row, atol=1e-6)
    np.testing.assert_allclose(seen_col, col, atol=1e-6)


def test_a_correction_is_undone_on_the_way_to_the_ground(rpc, points):
    row, col, height = points
    correction = ImageCorrection(3.0, -7.0, 1e-4, -2e-4, 3e-4, 1e-4)
    moved = rpc.corrected(correction)
    lon, lat = moved.ground(row, col, height)
    np.testing.assert_allclose(
        correction.apply(*rpc.image(lon, lat, height)), [row, col], atol=1e-5
    )


def test_gdal_sees_the_same_points_half_a_pixel_further(rpc, points):
    row, col, height = points
    lon, lat = rpc.ground(row, col, height)
    model = rasterio.rpc.RPC.from_gdal(gdal_tags(rpc))
    with RPCTransformer(model) as transformer:
        gdal_row, gdal_col = transformer.rowcol(lon, lat, zs=height, op=float)
    np.testing.assert_allclose(np.asarray(gdal_row) - row, 0.5, atol=1e-4)
    np.testing.assert_allclose(np.asarray(gdal_col) - col, 0.5, atol=1e-4)


def test_longitude_is_read_in_any_turn():
    camera = Pushbroom(179.99, -20.0, rows=600, cols=600, tilt_deg=-8.0)
    rpc = Rpc(**fit_rpc(camera))
    lon, lat = rpc.ground(np.full(2, 300.0), np.array([0.0, 599.0]), 0.0)
    assert lon.max() > 179.9
    assert lon.min() < -179.9
    row, col = rpc.image(lon + 360.0, lat, 0.0)
    np.testing.assert_allclose(row, 300.0, atol=1e-5)
    np.testing.assert_allclose(col, [0.0, 599.0], atol=1e-5)


def test_a_degenerate_model_is_refused(rpc):
    flat = replace(rpc, line_num=rpc.sample_num, line_den=rpc.sample_den)
    with pytest.raises(GeometryError, match="cannot be inverted"):
        flat.ground(10.0, 3000.0, 0.0)


def test_text_survives_the_round_trip(rpc, points, tmp_path: Path):
    path = tmp_path / "scene.rpb"
    path.write_text(rpb_of(rpc), "ascii")
    back = read_rpb(path)
    for ours, read in zip(rpc.image(2.3, 44.4, 500.0), back.image(2.3, 44.4, 500.0), strict=True):
        assert abs(ours - read) < 1e-8


def test_gdal_reads_the_text(rpc, tmp_path: Path):
    profile = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "uint16"}
    image = tmp_path / "scene.tiff"
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):  # noqa: SIM117
        with rasterio.open(image, "w", **profile) as raster:
            raster.write(np.ones((1, 4, 4), np.uint16))
    (tmp_path / "scene.rpb").write_text(rpb_of(rpc), "ascii")
    with rasterio.open(image) as raster:
        assert raster.rpcs is not None
        assert raster.rpcs.line_num_coeff == pytest.approx(list(rpc.line_num), rel=1e-14)
        assert raster.rpcs.err_bias == 1.0


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\terrBias =   1.0;\n\terrRand =    0.0;\n", ""),
        lambda text: text.replace("\n\t);", ");"),
        lambda text: text.replace(" = \t", "=").replace("\t", "    "),
        lambda text: "\n".join(
            line + ";" if "Offset" in line or "Scale" in line else line
            for line in text.splitlines()
        ),
        lambda text: text.replace("lineOffset", "LINEOFFSET"),
    ],
    ids=["crlf", "no-errors", "closed-on-last-line", "no-tabs", "semicolons", "capitals"],
)
def test_variants_of_the_text_are_read(rpc, change):
    text = rpb_of(rpc)
    changed = change(text)
    assert changed != text
    assert parse_rpb(changed, "variant.rpb") == parse_rpb(text, "plain.rpb")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("lineNumCoef", "lineCoef"), r"bad\.rpb: lineNumCoef is missing"),
        (lambda text: text.replace("latOffset", "latOff"), r"bad\.rpb: latOffset is missing"),
        (lambda text: text.replace("\tlineOffset = \t+", "\tlineOffset = \tNaN;"), "'NaN', a fin"),
        (lambda text: text.replace("\t\t+1.000000000000000e+00,", "\t\t1e999,", 1), "'1e999'"),
        (lambda text: text.replace("\t\t+1.000000000000000e+00,\n", "", 1), "19 numbers, 20"),
        (lambda text: text.replace("heightScale = \t+", "heightScale = \t0 "), "must not be 0"),
        (lambda text: text[:300], "is missing"),
        (lambda text: "", "is missing"),
    ],
)
def test_bad_text_is_refused_with_the_name(rpc, change, message):
    with pytest.raises(GeometryError, match=message):
        parse_rpb(change(rpb_of(rpc)), "bad.rpb")


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(GeometryError, match=r"none\.rpb"):
        read_rpb(tmp_path / "none.rpb")
