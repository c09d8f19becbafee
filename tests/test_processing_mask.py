"""The classified scene and the mask of a tile, on a drawn scene at 32 m and 16 m."""

from dataclasses import dataclass

import numpy as np
import pytest

from catalog.grid import Grid
from catalog.product import MaskClass
from processing.geometry.angles import Angles
from processing.geometry.terrain import HiddenGround
from processing.quality.mask import Context, SceneQuality, _rays, look
from processing.quality.network import ModelCard, Probabilities
from processing.quality.strips import strips, tile_mask
from processing.sensors import camera

LOOK = Grid(32631, 300000.0, 5100000.0, 32.0, 300, 320)
SUN, VIEW = (150.0, 40.0), (280.0, 25.0)
BASE_M = 2500.0
FOREST, WATER, SAND, BRIGHT_SAND, CLOUD = (
    np.array(spectrum, np.float32)[:, None]
    for spectrum in (
        (0.085, 0.075, 0.055, 0.30),
        (0.09, 0.06, 0.04, 0.02),
        (0.20, 0.25, 0.30, 0.36),
        (0.232, 0.268, 0.375, 0.40),
        (0.60, 0.58, 0.59, 0.62),
    )
)


@dataclass(frozen=True)
class SameAngles:
    """One direction to sun and sensor everywhere."""

    def on(self, grid: Grid) -> Angles:
        fields = [np.full(grid.shape, v, np.float32) for v in (*SUN, *VIEW)]
        return Angles(
            sun_azimuth=fields[0],
            sun_zenith=fields[1],
            view_azimuth=fields[2],
            view_zenith=fields[3],
        )


def _disc(row: float, col: float, radius: float) -> np.ndarray:
    rows, cols = np.ogrid[: LOOK.rows, : LOOK.cols]
    return np.hypot(rows - row, cols - col) < radius


def _away(direction: tuple[float, float]) -> tuple[float, float]:
    run = BASE_M * np.tan(np.radians(direction[1])) / LOOK.resolution
    return run * np.cos(np.radians(direction[0])), -run * np.sin(np.radians(direction[0]))


def _drawn() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return TOA reflectance (4, rows, cols) and where its parts lie."""
    seen, cast = _away(VIEW), _away(SUN)
    parts = {
        "water": _disc(230, 80, 30),
        "sand": _disc(60, 250, 25),
        "cloud": _disc(140 + seen[0], 170 + seen[1], 34),
    }
    parts["shadow"] = _disc(140 + cast[0], 170 + cast[1], 34) & ~parts["cloud"]
    toa = np.broadcast_to(FOREST[..., None], (4, *LOOK.shape)).copy()
    toa[:, parts["shadow"]] *= 0.4
    for name, spectrum in (("water", WATER), ("sand", SAND), ("cloud", CLOUD)):
        toa[:, parts[name]] = spectrum
    toa += np.random.default_rng(1).normal(0, 0.003, toa.shape).astype(np.float32)
    parts["fill"] = np.zeros(LOOK.shape, bool)
    parts["fill"][:, :20] = True
    toa[:, parts["fill"]] = np.nan
    return toa, parts


def _look(toa: np.ndarray, heights: np.ndarray | None = None, **options: object) -> SceneQuality:
    ground = np.full(LOOK.shape, 200, np.float32) if heights is None else heights
    settings = {"network": False, "month": 7, **options}
    return look(toa, LOOK, SameAngles(), ground, camera("GF1WFV1"), **settings)


def _share(classes: np.ndarray, where: np.ndarray, wanted: MaskClass) -> float:
    return float((classes[where] == wanted).mean())


@pytest.mark.parametrize("network", [False, True])
def test_every_drawn_part_gets_its_class(network: bool) -> None:
    toa, parts = _drawn()
    found = _look(toa, network=network)
    assert _share(found.classes, parts["cloud"], MaskClass.CLOUD) > 0.97
    assert _share(found.classes, parts["shadow"], MaskClass.CLOUD_SHADOW) > 0.85
    assert _share(found.classes, parts["water"], MaskClass.WATER) > 0.95
    assert _share(found.classes, parts["fill"], MaskClass.FILL) == 1
    plain = ~(parts["cloud"] | parts["shadow"] | parts["water"] | parts["fill"])
    assert _share(found.classes, plain, MaskClass.CLEAR) > 0.97
    assert found.network == network
    truth = 100 * (parts["cloud"] | parts["shadow"]).sum() / (~parts["fill"]).sum()
    assert found.cloud_shadow_percent == pytest.approx(truth, abs=1.5)


def test_clear_land_keeps_away_from_clouds() -> None:
    toa, parts = _drawn()
    found = _look(toa)
    rows, cols = np.nonzero(found.clear_land)
    cloud = np.argwhere(parts["cloud"])
    assert not (found.clear_land & (parts["water"] | parts["fill"])).any()
    for row, col in cloud[:: cloud.size // 40]:
        assert np.hypot(rows - row, cols - col).min() * LOOK.resolution >= 256


def test_a_tile_follows_the_scene_in_any_window() -> None:
    toa, parts = _drawn()
    found = _look(toa)
    frame = Grid(32631, 300000.0 + 640 + 8, 5100000.0 - 320 - 4, 16.0, 540, 560)
    row = ((LOOK.uly - frame.uly) + (np.arange(frame.rows) + 0.5) * 16) // 32
    col = ((frame.ulx - LOOK.ulx) + (np.arange(frame.cols) + 0.5) * 16) // 32
    at = np.ix_(row.astype(int), col.astype(int))
    fine = np.nan_to_num(np.stack([band[at] for band in toa]))
    encoded = np.rint(fine * 1e4).astype(np.uint16)
    encoded[:, :5] = 0
    mask = tile_mask(found, encoded, frame)
    assert (mask[:5] == MaskClass.FILL).all()
    assert (mask[5:] == found.classes[at][5:]).mean() > 0.98
    for name, wanted in (
        ("cloud", MaskClass.CLOUD),
        ("shadow", MaskClass.CLOUD_SHADOW),
        ("water", MaskClass.WATER),
    ):
        assert _share(mask, parts[name][at], wanted) > 0.85


def test_a_cloud_of_the_next_tile_casts_its_shadow_into_this_one() -> None:
    """The whole scene is looked at before any tile is cut from it."""
    toa, parts = _drawn()
    found = _look(toa)
    rows = np.nonzero(parts["cloud"])[0]
    frame = LOOK.window(0, 0, int(rows.min()), LOOK.cols)
    shadow = parts["shadow"][: frame.rows]
    assert shadow.sum() > 500
    encoded = np.rint(np.nan_to_num(toa[:, : frame.rows]) * 1e4).astype(np.uint16)
    mask = tile_mask(found, encoded, frame)
    assert not (mask == MaskClass.CLOUD).any()
    assert _share(mask, shadow, MaskClass.CLOUD_SHADOW) > 0.85


def test_ground_hidden_by_relief_is_told_from_cloud_shadow() -> None:
    toa, _ = _drawn()
    nowhere = np.zeros(LOOK.shape, np.bool_)
    shadow, occluded = nowhere.copy(), nowhere.copy()
    shadow[200:204, 100:300] = occluded[10, 10] = True
    plain, seen = _look(toa), _look(toa, hidden=HiddenGround(shadow, occluded))
    assert ((seen.context & Context.TERRAIN_SHADOW != 0) == shadow).all()
    assert ((seen.context & Context.TERRAIN_OCCLUSION != 0) == occluded).all()
    assert (seen.classes == plain.classes).all()


def test_a_lake_in_the_shadow_of_a_cloud_is_both() -> None:
    """The mask keeps shadow, which comes before water; qa keeps water too."""
    toa, parts = _drawn()
    rows, cols = np.nonzero(parts["shadow"])
    lake = _disc(rows.mean(), cols.mean(), 9)
    toa[:, lake] = WATER
    found = _look(toa)
    assert _share(found.classes, lake, MaskClass.CLOUD_SHADOW) > 0.95
    encoded = np.rint(np.nan_to_num(toa) * 1e4).astype(np.uint16)
    water = np.concatenate([strip.water for strip in strips(found, encoded, LOOK)])
    assert water[lake].all()


@dataclass(frozen=True)
class Says:
    """A network that says what it is told to."""

    said: Probabilities

    card = ModelCard("says", "1", "none", "0" * 64, 32.0, "TOA", ("blue", "green", "red", "nir"))

    def probabilities(self, image: np.ndarray, progress: object = None) -> Probabilities:
        return self.said


def test_muddy_water_is_none_of_the_shadows_that_a_network_sees() -> None:
    """Its green is brighter than that of the woods around, as no shadow is."""
    toa, parts = _drawn()
    toa[:, parts["water"]] = np.array((0.13, 0.12, 0.10, 0.06), np.float32)[:, None]
    told = (parts["cloud"], parts["shadow"] | parts["water"])
    cloud, shadow = (np.where(part, np.float32(0.999), np.float32(0.001)) for part in told)
    cloud[parts["fill"]] = shadow[parts["fill"]] = np.nan
    found = _look(toa, network=True, model=Says(Probabilities(cloud, shadow)))
    assert _share(found.classes, parts["water"], MaskClass.WATER) > 0.95
    assert _share(found.classes, parts["shadow"], MaskClass.CLOUD_SHADOW) > 0.85


def test_water_keeps_off_slopes() -> None:
    toa, parts = _drawn()
    slope = np.arange(LOOK.cols, dtype=np.float32)[None].repeat(LOOK.rows, 0) * 32 * 0.2
    classes = _look(toa, slope).classes
    assert not (classes[parts["water"]] == MaskClass.WATER).any()


def test_all_fill_and_all_cloud_are_results() -> None:
    nothing = _look(np.full((4, *LOOK.shape), np.nan, np.float32))
    assert (nothing.classes == MaskClass.FILL).all()
    assert nothing.cloud_shadow_percent == 0
    overcast = _look(np.broadcast_to(CLOUD[..., None], (4, *LOOK.shape)).copy())
    assert (overcast.classes == MaskClass.CLOUD).all()
    assert overcast.cloud_shadow_percent == 100


def test_real_snow_is_snow_and_not_cloud(test_data: object) -> None:
    import rasterio

    with rasterio.open(f"{test_data}/l1c_l2a/609U_541L_3_0_S2L1C.tif") as raster:
        counts = raster.read([2, 3, 4, 8])[:, :222, :222]
    toa = (counts - np.float32(1000)) * np.float32(1e-4)
    coarse = toa.reshape(4, 74, 3, 74, 3).mean((2, 4))
    grid = Grid(32616, 500000.0, 6100000.0, 30.0, 74, 74)
    flat = np.zeros(grid.shape, np.float32)
    found = look(coarse, grid, SameAngles(), flat, camera("GF1WFV1"), month=3)
    assert (found.classes == MaskClass.SNOW).mean() > 0.9


class SeesCloudInACorner:
    """A network that is quite sure of cloud there, as the shipped one is over such sand."""

    card = ModelCard(
        "all cloud", "1", "none", "0" * 64, 32.0, "TOA", ("blue", "green", "red", "nir")
    )

    def probabilities(self, image: np.ndarray, progress: object = None) -> Probabilities:
        cloud = np.full(image.shape[1:], 0.02, np.float32)
        cloud[:60, :60] = 0.98
        return Probabilities(cloud, np.zeros_like(cloud))


def test_sand_that_saturates_red_is_no_cloud() -> None:
    """Desert seen with a gain under which red ends at 0.34, as in GF1's table of 2020."""
    toa = np.broadcast_to(BRIGHT_SAND[..., None], (4, *LOOK.shape)).copy()
    cloud = _disc(140, 170, 34)
    toa[:, cloud] = CLOUD
    limits = np.array((0.435, 0.373, 0.341, 0.466), np.float32)[:, None, None]
    bits = ((toa > limits) << np.arange(4)[:, None, None]).sum(0).astype(np.uint8)
    options = {"network": True, "model": SeesCloudInACorner()}
    blind = _look(np.minimum(toa, limits), **options).classes
    assert _share(blind[:60, :60], ~cloud[:60, :60], MaskClass.CLOUD) == 1
    found = _look(np.minimum(toa, limits), **options, saturated=bits).classes
    assert _share(found, ~cloud, MaskClass.CLOUD) == 0
    assert _share(found, cloud, MaskClass.CLOUD) == 1


@pytest.mark.parametrize(("easting", "sense"), [(200000.0, -1), (500000.0, 0), (800000.0, 1)])
def test_rays_follow_the_axes_of_the_grid(easting: float, sense: int) -> None:
    """Away from the middle of a zone grid north is not true north."""
    grid = Grid(32631, easting, 6200000.0, 32.0, 64, 64)
    light = SameAngles().on(grid.coarsen(16))
    rays = _rays(light, grid)
    away = _away_in_metres()
    turned = np.degrees(np.arctan2(rays.east, rays.north) - np.arctan2(*away))
    # Convergence of meridians: difference of longitude from 3 E times the sine of latitude.
    lon, lat = grid.lonlat(32, 32)
    expected = -(float(lon) - 3) * np.sin(np.radians(float(lat)))
    assert turned == pytest.approx(expected, abs=0.03)
    assert np.sign(round(-expected, 1)) == sense


def _away_in_metres() -> tuple[float, float]:
    """Return east and north of a shadow per metre of base where grid north is true north."""
    (sun_az, sun), (view_az, view) = (np.radians(pair) for pair in (SUN, VIEW))
    east = np.tan(view) * np.sin(view_az) - np.tan(sun) * np.sin(sun_az)
    north = np.tan(view) * np.cos(view_az) - np.tan(sun) * np.cos(sun_az)
    return east, north
