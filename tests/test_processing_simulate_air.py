"""The simulator's atmosphere: 6SV's own answers, the table of runs, and their interpolation."""

from pathlib import Path

import numpy as np
import pytest

from catalog.errors import AtmosphereError
from catalog.grid import Grid
from processing.simulate import sixs
from processing.simulate.atmosphere import NODE_HEIGHTS_M, Air, AirNodes, SceneAir
from processing.simulate.demo import demo_specs, sample_specs
from processing.simulate.ground import Ground
from processing.simulate.lattice import Lattice
from processing.simulate.scene import sky_queries
from processing.simulate.sixs import Sky, SkyQuery, skies
from processing.simulate.surround import surroundings

_QUERY = SkyQuery("GF1WFV1", 0, "continental", 0.2, 300.0, 2.0, 400.0, 40.0, 26.0, 90.0)


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where 6SV may leave the file of its Mie sums."""
    monkeypatch.chdir(tmp_path)


def test_table_holds_every_run_of_the_scenes_that_come_along() -> None:
    """No scene of the package needs 6SV installed; a stale table fails here."""
    known = sixs.read_table(sixs.TABLE)
    for spec in demo_specs() + sample_specs():
        missing = [query for query in sky_queries(spec) if query.key() not in known]
        assert not missing, f"{spec.name}: run python -m processing.simulate.make_table"


def test_terms_of_the_table_are_plausible() -> None:
    for sky in sixs.read_table(sixs.TABLE).values():
        assert 0 < sky.path < 0.2
        assert 0.5 < sky.gain < 1
        assert 0 < sky.albedo < 0.3
        assert 0.3 < sky.direct_down < 1


def test_kept_run_is_what_6sv_says_now() -> None:
    """The table was made with the aerosol and the responses that the package holds."""
    pytest.importorskip("Py6S")
    query = sky_queries(demo_specs()[0])[0]
    kept, fresh = skies([query])[0], sixs.run(query)
    assert fresh.path == pytest.approx(kept.path, abs=2e-6)
    assert fresh.gain == pytest.approx(kept.gain, abs=2e-6)


def test_terms_predict_6sv_over_another_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    """Path, gain and sky albedo give the apparent reflectance that 6SV prints for rho 0.05."""
    pytest.importorskip("Py6S")
    sky = sixs.run(_QUERY)
    printed: list[float] = []
    read = sixs._read_report

    def listen(text: str, query: SkyQuery) -> Sky:
        match = sixs._REPORT["apparent"].search(text)
        assert match is not None
        printed.append(float(match[1]))
        return read(text, query)

    monkeypatch.setattr(sixs, "_PROBE", 0.05)
    monkeypatch.setattr(sixs, "_read_report", listen)
    sixs.run(_QUERY)
    predicted = sky.path + sky.gain * 0.05 / (1 - sky.albedo * 0.05)
    assert predicted == pytest.approx(printed[0], abs=3e-5)


def test_new_runs_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = tmp_path / "runs.json"
    sky = Sky(0.1, 0.8, 0.15, 0.6, 0.7)
    sixs.write_table(memory, {_QUERY.key(): sky})
    monkeypatch.setattr(sixs, "ThreadPoolExecutor", None)
    assert skies([_QUERY], memory) == [sky]


def test_unknown_aerosol_is_named_with_the_known_ones() -> None:
    query = SkyQuery("GF1WFV1", 0, "moondust", 0.2, 300.0, 2.0, 0.0, 40.0, 26.0, 90.0)
    with pytest.raises(AtmosphereError, match=r"moondust.*continental"):
        query.key()


def test_nodes_are_met_and_the_middle_is_the_mean() -> None:
    """Interpolation in columns and optical depth is exact at nodes and linear between."""
    terms = np.random.default_rng(1).random((2, 5, 3, 2, 1, 2))
    nodes = AirNodes(terms, np.array([50.0]), np.array([0.0, 100.0]), np.array([0.1, 0.3]))
    found = nodes.at(np.array([0.0, 80.0]), np.array([0.0, 50.0, 100.0]), np.full((2, 3), 0.1))
    np.testing.assert_allclose(found[..., 0, 0], terms[..., 0, 0, 0])
    np.testing.assert_allclose(found[..., 1, 2], terms[..., 0, 0, 1])
    np.testing.assert_allclose(found[..., 0, 1], terms[..., 0, 0, :].mean(axis=-1))
    halfway = nodes.at(np.array([0.0]), np.array([0.0]), np.full((1, 1), 0.2))
    np.testing.assert_allclose(halfway[..., 0, 0], terms[..., 0, 0].mean(axis=-1))


def _air(surround: float | None) -> SceneAir:
    one = np.ones((2, 5, 1, 2, 2), np.float32)
    terms = one * np.array([0.05, 0.8, 0.1, 0.7, 0.75], np.float32)[:, None, None, None]
    around = None if surround is None else np.full((1, 2, 2), surround)
    return SceneAir(terms, np.full((2, 2), 30.0), around, 4)


def _toa(air: SceneAir, rho: float, height_m: float = 0.0, shadow: float = 0.0) -> float:
    shape = (2, 4)
    toa = air.top_of_atmosphere(
        0, np.full((1, *shape), rho, np.float32),
        height=np.full(shape, height_m, np.float32), shadow=np.full(shape, shadow, np.float32),
    )  # fmt: skip
    return float(toa[0, 1, 2])


def test_top_of_atmosphere_is_the_6s_equation() -> None:
    assert _toa(_air(None), 0.3) == pytest.approx(0.05 + 0.8 * 0.3 / (1 - 0.1 * 0.3), abs=1e-6)


def test_shadow_takes_the_direct_sun_only() -> None:
    lit = 0.3 * (1 - 0.7)
    assert _toa(_air(None), 0.3, shadow=1.0) == pytest.approx(
        0.05 + 0.8 * lit / (1 - 0.1 * lit), abs=1e-6
    )


def test_terms_follow_the_pressure_between_the_two_heights() -> None:
    """At 1000 m the upper terms hold; half the pressure drop is nearer to 500 m than to 400."""
    air = _air(None)
    air.terms[1, 0] = 0.03
    assert _toa(air, 0.0, NODE_HEIGHTS_M[1]) == pytest.approx(0.03, abs=1e-6)
    assert 0.0395 < _toa(air, 0.0, 500.0) < 0.0400


def test_bright_surroundings_brighten_a_dark_pixel() -> None:
    same = _toa(_air(None), 0.05)
    assert _toa(_air(0.05), 0.05) == pytest.approx(same, abs=1e-6)
    assert _toa(_air(0.4), 0.05) == pytest.approx(
        0.05 + 0.8 * (0.75 * 0.05 + 0.25 * 0.4) / (1 - 0.1 * 0.4), abs=1e-6
    )


def test_surroundings_are_the_mean_of_known_ground() -> None:
    """A flat ground keeps its value although half of it is unknown."""
    grid = Grid(32631, 300000.0, 5100000.0, 16.0, 320, 320)
    values = np.full((1, 320, 320), 2500, np.uint16)
    values[:, :, 200:] = 0
    flat = np.zeros((320, 320), np.float32)
    ground = Ground(grid, values, flat, flat.astype(np.uint8))
    x = np.zeros((3, 2, 2))
    y = np.zeros((3, 2, 2))
    x[0], y[0] = [[301000, 302500]] * 2, [[5099000], [5097000]]
    np.testing.assert_allclose(surroundings(ground, Lattice(x, y)), 0.25, atol=1e-4)


def test_optical_depth_rises_along_its_slope() -> None:
    air = Air(0.2, east=0.1)
    far = air.optical_depth(np.array([-50e3, 50e3]), np.zeros(2))
    assert far[1] - far[0] == pytest.approx(0.1, abs=0.045)
    assert (air.optical_depth(np.array([-1e7]), np.zeros(1)) > 0).all()
