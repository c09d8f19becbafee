"""Optical depth from dark vegetation: a scene made with 6SV, and scenes that yield nothing."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import AtmosphereError
from catalog.grid import Grid
from processing.atmosphere.air import Air
from processing.atmosphere.aod import AodField, fit_aod, fit_cells, scene_signals
from processing.atmosphere.cells import CellSignals
from processing.atmosphere.darktarget import dark_target_table
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.lut import camera_lut
from processing.atmosphere.prior import AodPrior, AodSource, climatology
from processing.atmosphere.rayleigh import STANDARD_PRESSURE_HPA
from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs
from processing.atmosphere.surface import Expectation
from processing.geometry.angles import Angles

CAMERA = "GF1WFV1"
NO_GAS = GasColumns(0.0, 0.0, "none")
PRIOR = AodPrior(0.12, 0.15, "continental", "climatology: test")
CELLS = 24
GRID = Grid(32631, 300_000, 5_100_000, 32, CELLS * 16, CELLS * 16)
SIXS_AOD = (0.15, 0.33, 0.5)


def angles(grid: Grid, sza: float = 40.0) -> Angles:
    sun_azimuth, sun, view_azimuth, view = (
        np.full(grid.shape, value, np.float32) for value in (240.0, sza, 150.0, 20.0)
    )
    return Angles(sun_azimuth, sun, view_azimuth, view)


@dataclass(frozen=True)
class Scene:
    toa: NDArray[np.float32]
    clear: NDArray[np.bool_]
    aod: NDArray[np.float64]

    def fit(self, prior: AodPrior = PRIOR, sza: float = 40.0) -> AodField:
        cells = GRID.coarsen(16)
        return fit_aod(
            self.toa,
            self.clear,
            GRID,
            angles=angles(cells, sza),
            heights=np.zeros(cells.shape, np.float32),
            camera_name=CAMERA,
            gas=NO_GAS,
            prior=prior,
        )


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Fields of vegetation and soil under haze that thickens eastwards from 0.2 to 0.45.

    6SV carries the light. Blue follows red as in the shipped surface relation, with 0.004 of
    scatter by field of 1 km; TOA noise is 1 %.
    """
    rng = np.random.default_rng(11)
    fields = np.kron(np.arange(144).reshape(12, 12), np.ones((32, 32), int))
    green = rng.random(144) < 0.6
    red = np.where(green, rng.uniform(0.025, 0.06, 144), rng.uniform(0.12, 0.25, 144))
    ndvi = np.where(green, rng.uniform(0.6, 0.88, 144), 0.15)
    nir = red * (1 + ndvi) / (1 - ndvi)
    dark, _ = dark_target_table(CAMERA).blue(red.astype(np.float32), ndvi.astype(np.float32))
    blue = np.where(green, dark + rng.normal(0, 0.004, 144), 0.6 * red)
    ground = np.stack([blue, red, nir])[:, fields]
    aod = np.tile(np.linspace(0.2, 0.45, GRID.cols), (GRID.rows, 1))
    seen = [_carry(band, ground[i], aod) for i, band in enumerate((0, 2, 3))]
    toa = np.stack([seen[0], np.zeros_like(aod), *seen[1:]])
    noisy = toa * (1 + rng.normal(0, 0.01, toa.shape))
    clear = np.ones(GRID.shape, bool)
    clear[:100, :100] = False
    return Scene(noisy.astype(np.float32), clear, aod)


def _carry(band: int, ground: NDArray[np.float64], aod: NDArray[np.float64]) -> NDArray[np.float64]:
    """6SV's terms of a band, as parabolas through three optical depths."""
    runs = [
        run_sixs(SixsCase(40, 20, 90, "continental", depth), Spectrum.of_band(CAMERA, band))
        for depth in SIXS_AOD
    ]
    path, way, albedo = (
        np.polyval(np.polyfit(SIXS_AOD, [getattr(run, term) for run in runs], 2), aod)
        for term in ("path", "transmittance", "albedo")
    )
    return np.asarray(path + way * ground / (1 - albedo * ground))


def test_gradient_is_found_and_beats_the_prior(scene: Scene) -> None:
    """A prior that knows little leaves the field to the cells, on the plants of the table."""
    field = scene.fit(replace(PRIOR, sigma=0.4))
    truth = scene.aod.reshape(CELLS, 16, CELLS, 16).mean(axis=(1, 3))
    error = field.aod - truth
    assert field.grid == GRID.coarsen(16)
    assert abs(error.mean()) <= 0.02
    assert np.sqrt(np.mean(error**2)) <= 0.06
    assert np.sqrt(np.mean(error**2)) <= 0.5 * np.sqrt(np.mean((truth - PRIOR.aod) ** 2))
    assert np.corrcoef(field.aod[:, 4:-4].mean(axis=0), truth[0, 4:-4])[0, 1] > 0.95
    assert np.mean(np.abs(error) < field.sigma) > 0.5


def test_a_firm_prior_draws_the_field_to_itself(scene: Scene) -> None:
    loose, firm = (scene.fit(replace(PRIOR, sigma=sigma)).mean for sigma in (0.4, 0.05))
    assert PRIOR.aod < firm < loose
    assert firm - PRIOR.aod < 0.5 * (loose - PRIOR.aod)


def test_cells_say_where_they_come_from(scene: Scene) -> None:
    field = scene.fit()
    assert field.source.dtype == np.uint8
    assert 20 < field.retrieved_percent < 90
    assert (field.source[:6, :6] == AodSource.INTERPOLATED).all()
    assert set(np.unique(field.source)) == {AodSource.RETRIEVED, AodSource.INTERPOLATED}
    assert (field.sigma > 0).all()
    assert field.sigma[0, 0] > np.median(field.sigma)
    assert field.mean == pytest.approx(float(field.aod.mean()))


def test_field_is_read_on_other_grids(scene: Scene) -> None:
    field = scene.fit()
    fine = GRID.window(40, 40, 50, 60)
    assert field.on(fine).shape == fine.shape == field.source_on(fine).shape
    assert field.source_on(fine).dtype == np.uint8
    assert field.aod.min() <= field.on(fine).min() <= field.on(fine).max() <= field.aod.max()


def test_one_wrong_field_is_an_outlier(scene: Scene) -> None:
    """A field whose blue is far too dark for its red would report no haze at all."""
    toa = scene.toa.copy()
    toa[0, 192:224, 192:224] *= 0.6
    moved = Scene(toa, scene.clear, scene.aod).fit()
    assert np.abs(moved.aod - scene.fit().aod).max() < 0.04


@pytest.mark.parametrize(
    ("source", "code"),
    [("climatology: test", AodSource.CLIMATOLOGY), ("CAMS 2020-06-01", AodSource.PRIOR)],
)
def test_all_cloud_returns_the_prior(scene: Scene, source: str, code: AodSource) -> None:
    prior = AodPrior(0.3, 0.1, "continental", source)
    field = Scene(scene.toa, np.zeros_like(scene.clear), scene.aod).fit(prior)
    np.testing.assert_allclose(field.aod, 0.3)
    np.testing.assert_allclose(field.sigma, 0.1, rtol=1e-5)
    assert (field.source == code).all()
    assert field.model == "continental"


def test_all_water_and_no_data_return_the_prior(scene: Scene) -> None:
    water = np.ones_like(scene.toa) * np.array([0.12, 0.07, 0.04, 0.02], np.float32)[:, None, None]
    for toa in (water, np.full_like(scene.toa, np.nan)):
        field = Scene(toa, np.ones_like(scene.clear), scene.aod).fit()
        np.testing.assert_allclose(field.aod, PRIOR.aod)


def test_night_and_broken_priors_are_errors(scene: Scene) -> None:
    with pytest.raises(AtmosphereError, match="sun is too low"):
        scene.fit(sza=95.0)
    for prior in (
        AodPrior(float("nan"), 0.1, "continental", "file"),
        AodPrior(0.2, float("nan"), "continental", "file"),
        AodPrior(3.0, 0.1, "continental", "file"),
    ):
        with pytest.raises(AtmosphereError, match="prior"):
            scene.fit(prior)


def test_climatology_knows_its_regions() -> None:
    assert climatology(45.0, 1.5, 6).aod == pytest.approx(0.12)
    assert climatology(30.0, 115.0, 6).aod > 0.3
    assert climatology(40.0, 90.0, 4).model == "dust"
    assert climatology(40.0, 90.0, 9).model == "continental"
    assert climatology(45.0, 1.5, 6).kind is AodSource.CLIMATOLOGY
    with pytest.raises(AtmosphereError, match="month"):
        climatology(45.0, 1.5, 13)


def test_a_block_of_a_scene_below_the_sun_limit_gives_no_evidence(scene: Scene) -> None:
    """Other blocks of it may lie within the table: only a scene without any such cell fails."""
    cells = GRID.coarsen(16)
    heights = np.zeros(cells.shape, np.float32)
    air = Air(CAMERA, PRIOR.model, NO_GAS, angles(cells, 76.0), heights)
    signals = scene_signals(scene.toa, scene.clear, air)
    assert np.isnan(signals.dark).all()


def test_a_saturated_band_of_a_cell_gives_no_evidence(scene: Scene) -> None:
    """Where red is clipped the ground looks darker than expected, as haze makes bright ground."""
    cells = GRID.coarsen(16)
    air = Air(CAMERA, PRIOR.model, NO_GAS, angles(cells), np.zeros(cells.shape, np.float32))
    whole = scene_signals(scene.toa, scene.clear, air)
    bits = np.zeros(GRID.shape, np.uint8)
    bits[200:216, 200:216] = 1 << 2
    bits[320, 320] = 1 << 3
    signals = scene_signals(scene.toa, scene.clear, air, bits)
    wanted = whole.land.copy()
    wanted[2, 12:14, 12:14] = np.nan
    np.testing.assert_array_equal(signals.land, wanted)
    np.testing.assert_array_equal(signals.dark, whole.dark)


def test_a_cell_is_heard_in_the_bands_that_it_has(scene: Scene) -> None:
    """Expected ground from the true haze: without red the field rests on blue alone."""
    cells = GRID.coarsen(16)
    air = Air(CAMERA, PRIOR.model, NO_GAS, angles(cells), np.zeros(cells.shape, np.float32))
    whole = scene_signals(scene.toa, scene.clear, air)
    aod = scene.aod.reshape(CELLS, 16, CELLS, 16).mean(axis=(1, 3))
    sky = camera_lut(CAMERA).terms(
        PRIOR.model, sza=40, vza=20, raa=90, pressure_hpa=STANDARD_PRESSURE_HPA, aod=aod
    )
    ground = sky.ground(whole.land)
    known = Expectation("library", ground, np.full_like(ground, 0.01))
    dark = np.full_like(whole.dark, np.nan)
    fields = []
    for lost in ((), (2,)):
        land = whole.land.copy()
        land[list(lost)] = np.nan
        fields.append(fit_cells(CellSignals(land, whole.doubt, dark), cells, air, PRIOR, [known]))
    for field in fields:
        assert field.targets["library"] > 100
        assert abs(np.mean(field.aod - aod)) < 0.02
        assert np.corrcoef(field.aod.ravel(), aod.ravel())[0, 1] > 0.9
    assert fields[1].sigma.mean() > fields[0].sigma.mean()
