"""The made land: it depends on place and date alone, and its spectra are those of real surfaces."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rio_cogeo.cogeo import cog_validate

from catalog.grid import Grid
from processing.sensors import camera, camera_names
from processing.simulate.demo import sample_specs
from processing.simulate.ground import Ground, made_dem, made_ground
from processing.simulate.landcover import season
from processing.simulate.materials import cover, kinds, library
from processing.simulate.reference import write_reference
from processing.simulate.terrain import HIGHEST_M, heights

_GRID = Grid(32631, 354000.0, 5042000.0, 16.0, 90, 80)


def _ground(grid: Grid, day: int = 170, camera_name: str = "GF1WFV1", seed: int = 1) -> Ground:
    return made_ground(grid, season(camera_name, day, 30.0, 140.0), seed, lambda done: None)


def test_overlapping_windows_agree() -> None:
    """A pixel is the same whichever scene looks at it."""
    whole = _ground(_GRID)
    window = _ground(_GRID.window(20, 30, 40, 25))
    np.testing.assert_array_equal(window.reflectance, whole.reflectance[:, 20:60, 30:55])
    np.testing.assert_array_equal(window.height, whole.height[20:60, 30:55])


def test_another_seed_is_another_land() -> None:
    assert (_ground(_GRID).reflectance != _ground(_GRID, seed=2).reflectance).mean() > 0.5


def test_seasons_change_fields_but_not_heights_or_water() -> None:
    spring, summer = _ground(_GRID, 105), _ground(_GRID, 200)
    np.testing.assert_array_equal(spring.height, summer.height)
    np.testing.assert_array_equal(spring.water, summer.water)
    land = summer.water == 0
    change = np.abs(spring.reflectance[2].astype(float) - summer.reflectance[2])[land]
    assert 0.01 < 1e-4 * np.median(change) < 0.15


def test_river_lake_fields_and_woods_are_there() -> None:
    """Around the lake: 1 to 40 % water that is dark in the near infrared, and green land."""
    ground = _ground(Grid(32631, 352000.0, 5048000.0, 32.0, 400, 400), 160)
    red, nir = (1e-4 * ground.reflectance[b].astype(float) for b in (2, 3))
    water = ground.water == 1
    assert 0.01 < water.mean() < 0.4
    assert np.median(nir[water]) < 0.03
    ndvi = (nir - red) / (nir + red)
    dense = (ndvi > 0.7) & (red < 0.045)
    assert dense.mean() > 0.03
    assert (ndvi[~water] < 0.4).mean() > 0.05


def test_heights_make_hills_and_stay_below_their_limit() -> None:
    x, y = np.meshgrid(np.arange(300000, 409000, 400.0), np.arange(4991000, 5100000, 400.0))
    relief = heights(x, y, 1)
    assert relief.min() > 100
    assert 600 < relief.max() < HIGHEST_M
    assert np.abs(np.diff(heights(x[:3], y[:3], 1), axis=1)).max() < 400 * 0.7


def test_dem_holds_the_heights_of_the_ground() -> None:
    """Heights on the lon/lat frame are those at the same places of the map."""
    dem = made_dem(1.1, 45.6, 1 / 3600, (12, 9), 32631, 1)
    lon, lat = 1.1 + 4.5 / 3600, 45.6 - 7.5 / 3600
    x, y = Transformer.from_crs(4326, 32631, always_xy=True).transform(lon, lat)
    assert dem[7, 4] == pytest.approx(heights(np.array([x]), np.array([y]), 1)[0], abs=1e-3)


@pytest.mark.parametrize("day", [1, 100, 170, 240, 366])
def test_shares_are_whole(day: int) -> None:
    """Every kind of land is fully covered on every day."""
    np.testing.assert_allclose(cover(day).sum(axis=-1), 1, atol=1e-9)
    assert len(kinds()) == 8


@pytest.mark.parametrize("name", camera_names())
def test_spectra_in_bands_look_like_their_materials(name: str) -> None:
    """Green leaves rise in the near infrared, water falls, soil rises slowly."""
    bands = {band.name: i for i, band in enumerate(camera(name).bands)}
    seen = dict(zip(library().materials, library().in_bands(name), strict=True))
    blue, red, nir = (bands[b] for b in ("blue", "red", "nir"))
    assert seen["broadleaf"][nir] > 8 * seen["broadleaf"][red]
    assert seen["water_clear"][nir] < 0.01 < seen["water_clear"][blue]
    assert seen["soil_dark"][blue] < seen["soil_dark"][red] < seen["soil_dark"][nir]
    assert all(((v > 0) & (v < 0.6)).all() for v in seen.values())


def test_the_reference_shows_the_same_land_in_another_season_where_it_lies(tmp_path: Path) -> None:
    spec = replace(sample_specs()[0], rows=200, cols=200)
    path = write_reference(spec, datetime(2022, 9, 25, 10, 50, tzinfo=UTC), tmp_path / "r.tif")
    with rasterio.open(path) as raster:
        assert raster.descriptions == ("red",)
        assert cog_validate(path, strict=True, quiet=True)[0]
        seen = raster.read(1).astype(float)
        x, y = raster.transform * (0.5, 0.5)
        step, epsg = raster.transform.a, raster.crs.to_epsg()
    rows, cols = seen.shape
    ground = Grid(epsg, x - step / 2, y + step / 2, step, rows, cols)
    look = season(spec.camera, spec.utc.timetuple().tm_yday, 30.0, 140.0)
    land = made_ground(ground, look, spec.land.seed, lambda share: None).reflectance[2]  # type: ignore[union-attr]

    def alike(down: int, right: int) -> float:
        edges = [np.hypot(*np.gradient(image)) for image in (land.astype(float), seen)]
        there = np.roll(edges[1], (down, right), (0, 1))[4:-4, 4:-4]
        return float(np.corrcoef(edges[0][4:-4, 4:-4].ravel(), there.ravel())[0, 1])

    places = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert max(places, key=lambda place: alike(*place)) == (0, 0)
    assert 0.2 < np.corrcoef(land.ravel(), seen.ravel())[0, 1] < 0.97
