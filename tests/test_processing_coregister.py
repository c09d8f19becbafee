"""Co-registration of light scenes whose true geometry is known."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from scipy import ndimage

from catalog.grid import Grid
from processing.geometry.coregister import AccuracyClass, coregister
from processing.geometry.refine import Model
from processing.geometry.rpc import IDENTITY, ImageCorrection
from tests.pushbroom import ArrayPart
from tests.scenery import SATURATION_DN, Picture, clouded, made_site, photograph, picture, when

SIZE = 720


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A site of WFV4, its ground in June, and a reference of October."""
    site, red = made_site(tmp_path_factory.mktemp("wfv4"), "GF1WFV4", SIZE)
    return site, red(when(6)), picture(site.grid, red(when(10)))


@pytest.fixture(scope="module")
def plain(place):
    """An image that lies 7 rows and 5 columns wrong, and its registration."""
    site, ground, reference = place
    shot = photograph(site, ground, rpc_error=(-7.0, 5.0))
    return shot, register(shot, reference)


def register(shot, reference, **options):
    return coregister(
        shot.parts,
        shot.site.heights,
        reference,
        band_index=0,
        saturation_dn=SATURATION_DN,
        **options,
    )


def test_bias_drift_season_and_cloud_are_overcome(place):
    site, ground, reference = place
    shot = photograph(
        site,
        clouded(site.grid, ground, 0.35, 5),
        bend=lambda row, col: (4e-3 * row - 2e-3 * col, -3e-3 * row + 2e-3 * col),
        rpc_error=(20.0, -19.0),
    )
    found = register(shot, reference)
    true = shot.residual_px(found.corrections)
    assert found.model is Model.AFFINE
    assert found.accuracy.klass is AccuracyClass.WITHIN
    assert true <= 0.3
    assert true - 0.1 <= found.accuracy.rmse_px <= true + 0.2


@pytest.mark.parametrize(
    ("residual_px", "klass"), [(0.9, AccuracyClass.MARGINAL), (1.2, AccuracyClass.BEYOND)]
)
def test_what_no_model_can_take_out_is_reported(place, plain, residual_px, klass):
    site, ground, reference = place

    def waves(row, col):
        return height * np.sin(row / 60.0), height * np.cos(row / 75.0 + col / 400.0)

    height = 1.0
    height = residual_px / replace(plain[0], bend=waves).residual_px([ImageCorrection(7.0, -5.0)])
    shot = photograph(site, ground, bend=waves, rpc_error=(-7.0, 5.0))
    found = register(shot, reference)
    assert found.accuracy.klass is klass
    assert found.accuracy.rmse_px == pytest.approx(residual_px, abs=0.1)


def noise(scene):
    return np.random.default_rng(0).normal(2000.0, 300.0, scene.shape).astype(np.float32)


def elsewhere(scene):
    return np.rot90(scene, 2).copy()


def too_far(scene):
    return np.roll(scene, (130, -20), (0, 1))


def overcast(scene):
    veil = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=scene.shape), 10.0)
    return (6000.0 + 800.0 * veil / veil.std()).astype(np.float32)


@pytest.mark.parametrize("wrong", [noise, elsewhere, too_far, overcast])
def test_a_reference_that_does_not_show_the_scene_never_passes(place, plain, wrong):
    site, ground, _ = place
    found = register(plain[0], picture(site.grid, wrong(ground)))
    assert found.accuracy.klass is AccuracyClass.INSUFFICIENT
    assert found.corrections == (IDENTITY,)


def test_a_reference_without_overlap_tells_nothing(place, plain):
    site, ground, _ = place
    away = replace(site.grid, ulx=site.grid.ulx + 400_000.0)
    found = register(plain[0], Picture(away, ground))
    assert (found.model, found.accuracy.check_points) == (Model.NONE, 0)
    assert np.isnan(found.accuracy.rmse_px)
    assert len(found.matches.row) == 0


def test_a_coarser_reference_of_eight_bits_with_gaps_in_the_next_zone_serves(place, plain):
    """The other zone lies half a degree away; pixels of 20 m; counts from 0 to 255."""
    site, _, reference = place
    lon, lat = site.grid.lonlat(site.grid.rows / 2, site.grid.cols / 2)
    row, col = (float(v) for v in Grid(32630, 0.0, 0.0, 20.0, 1, 1).rowcol(lon, lat))
    other = Grid(32630, round(col - 700) * 20.0 + 7.0, -round(row - 700) * 20.0, 20.0, 1400, 1400)
    values = np.rint(np.clip(reference.read(other) / 20.0, 0, 255))
    values[500:560, 300:1100] = np.nan
    found = register(plain[0], Picture(other, values))
    assert found.accuracy.klass is AccuracyClass.WITHIN
    assert plain[0].residual_px(found.corrections) < 0.1


def test_the_table_tells_what_was_done_with_each_point(place, plain):
    shot, found = plain
    table, accuracy = found.matches, found.accuracy
    used = {name: int((table.used == name).sum()) for name in ("fit", "check", "outlier")}
    assert used["check"] == accuracy.check_points
    assert abs(used["fit"] - used["check"]) <= 0.1 * len(table.row)
    check = table.used == "check"
    after = np.hypot(table.after_x_px, table.after_y_px)[check]
    assert np.sqrt((after**2).mean()) == pytest.approx(accuracy.rmse_px)
    before = np.hypot(table.before_x_px, table.before_y_px)[check]
    assert 7.0 < np.median(before) < 12.0
    row, col = shot.parts[0].rpc.image(table.lon, table.lat, table.height)
    np.testing.assert_allclose([row, col], [table.row, table.col], atol=1e-6)
    assert accuracy.cells == 9


def test_residuals_point_to_where_the_product_lies(place, plain):
    """The uncorrected model puts things where its rays meet the ground."""
    shot, found = plain
    table, grid = found.matches, shot.site.grid
    row, col = found.corrections[0].apply(table.row, table.col)
    lon, lat = shot.parts[0].rpc.ground(row, col, table.height)
    south, east = np.subtract(grid.rowcol(lon, lat), grid.rowcol(table.lon, table.lat))
    check = table.used == "check"
    assert np.median((table.before_x_px - east)[check]) == pytest.approx(0.0, abs=0.1)
    assert np.median((table.before_y_px + south)[check]) == pytest.approx(0.0, abs=0.1)


def test_a_correction_that_is_already_there_is_not_added_to(place, plain):
    _, _, reference = place
    shot, found = plain
    part = ArrayPart(shot.parts[0].pixels, shot.parts[0].rpc.corrected(ImageCorrection(50.0)))
    again = register(replace(shot, parts=(part,)), reference)
    np.testing.assert_allclose(
        [astuple(c) for c in again.corrections],
        [astuple(c) for c in found.corrections],
        atol=1e-4,
    )


def test_cloud_and_saturation_are_left_out(place, plain):
    _, _, reference = place
    shot, found = plain
    counts = shot.parts[0].pixels
    limit = float(np.quantile(counts, 0.6))
    fewer = register(shot, reference, cloud_dn=limit)
    assert 0 < len(fewer.matches.row) < len(found.matches.row)
    burnt = np.where(counts > limit, SATURATION_DN, counts).astype(np.uint16)
    part = ArrayPart(burnt, shot.parts[0].rpc)
    assert len(register(replace(shot, parts=(part,)), reference).matches.row) < 0.5 * len(
        found.matches.row
    )


def test_parts_of_a_scene_stay_together(tmp_path):
    site, red = made_site(tmp_path, "GF6WFV", 400)
    ground = red(when(6))
    shot = photograph(site, ground, rpc_error=(8.0, -6.0))
    found = register(shot, picture(site.grid, ground))
    assert len(found.corrections) == 3
    assert shot.residual_px(found.corrections) < 0.1
    assert shot.seam_px(found.corrections) < 0.02
