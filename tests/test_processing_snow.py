"""Snow: its colour, its season, and a prior raster that says where it lies."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from catalog.errors import MaskError
from catalog.grid import Grid
from processing.quality import snow

SPECTRA = {
    "bog under snow": (0.60, 0.48, 0.54, 0.585),
    "ice": (0.841, 0.72, 0.774, 0.82),
    "thick cloud": (0.52, 0.51, 0.52, 0.56),
    "forest": (0.085, 0.07, 0.05, 0.30),
    "sand": (0.28, 0.33, 0.40, 0.45),
    "bright field": (0.31, 0.34, 0.30, 0.55),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_white_is_snow_or_thick_cloud(name: str) -> None:
    pixel = np.array(SPECTRA[name], np.float32)[:, None, None]
    assert snow.white(pixel).item() == (name in ("bog under snow", "ice", "thick cloud"))


@pytest.mark.parametrize(
    ("place", "latitude", "month", "height", "expected"),
    [
        ("Toulouse in July", 43.6, 7, 150, False),
        ("Toulouse in January", 43.6, 1, 150, True),
        ("Mont Blanc in July", 45.8, 7, 4000, True),
        ("Sao Paulo in July", -23.5, 7, 700, False),
        ("Patagonia in July", -50.0, 7, 300, True),
        ("Patagonia in January", -50.0, 1, 100, False),
        ("Hudson Bay in April", 55.0, 4, 50, True),
    ],
)
def test_snow_lies_in_its_season(
    place: str, latitude: float, month: int, height: float, expected: bool
) -> None:
    heights = np.full((2, 2), height, np.float32)
    chance = snow.chance_by_season(heights, latitude, month)
    assert ((chance >= snow.POSSIBLE) == expected).all(), place


def test_snow_is_likelier_higher_and_nearer_the_pole() -> None:
    low, high = np.zeros((1, 1), np.float32), np.full((1, 1), 2000, np.float32)
    chances = [
        snow.chance_by_season(heights, latitude, 1).item()
        for heights, latitude in ((low, 45.0), (high, 45.0), (high, 65.0))
    ]
    assert chances == sorted(chances)
    assert snow.chance_by_season(low, 45.0, None).item() == np.float32(snow.UNKNOWN)


@pytest.fixture
def prior(tmp_path: Path) -> Path:
    """Snow cover in degrees: 0 in the west, 100 in the east, nothing known in the north."""
    percent = np.full((4, 8), 100, np.uint8)
    percent[:, :4] = 0
    percent[:2] = 255
    path = tmp_path / "snow.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": 4, "width": 8}
    place = from_origin(-0.4, 45.2, 0.1, 0.1)
    with rasterio.open(path, "w", crs="EPSG:4326", transform=place, **profile) as raster:
        raster.write(percent, 1)
    return path


def test_a_prior_says_where_snow_lies_and_where_it_knows_nothing(prior: Path) -> None:
    # 0 E, 45 N is (263554, 4987329) of UTM zone 31, where north leans west by 2 degrees.
    grid = Grid(32631, 253554.0, 4997329.0, 100.0, 200, 200)
    chance = snow.chance_by_prior(prior, grid)
    assert np.isnan(chance[:80]).all()
    assert (chance[120:, :80] == 0).all()
    assert (chance[120:, 120:] == 1).all()
    far = snow.chance_by_prior(prior, Grid(32633, 500000.0, 5000000.0, 100.0, 5, 5))
    assert np.isnan(far).all()


def test_a_prior_that_is_no_raster_is_named(tmp_path: Path) -> None:
    path = tmp_path / "snow.txt"
    path.write_text("no snow")
    with pytest.raises(MaskError, match=r"snow\.txt: not readable as a snow prior"):
        snow.chance_by_prior(path, Grid(32631, 300000.0, 5000000.0, 32.0, 4, 4))


@pytest.mark.parametrize("crs", [None, 'LOCAL_CS["site",UNIT["metre",1]]'])
def test_a_prior_that_lies_nowhere_is_named(prior: Path, crs: str | None) -> None:
    with rasterio.open(prior) as raster:
        profile, percent = raster.profile, raster.read()
    with rasterio.open(prior, "w", **profile | {"crs": crs}) as raster:
        raster.write(percent)
    with pytest.raises(MaskError, match=r"snow\.tif: .* CRS wanted"):
        snow.chance_by_prior(prior, Grid(32631, 300000.0, 5000000.0, 32.0, 4, 4))
