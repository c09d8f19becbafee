"""The look-up table against 6SV on the same aerosol modes, against direct runs, and its edges."""

import itertools

import numpy as np
import pytest

from catalog.errors import AtmosphereError, UnknownSensorError
from processing.atmosphere import lutdata
from processing.atmosphere.aerosol import aerosol_model
from processing.atmosphere.lut import (
    CameraLut,
    camera_lut,
    relative_azimuth_deg,
    response_lut,
    surface_pressure_hpa,
)
from processing.atmosphere.lutbuild import LutAxes, build_lut, write_lut
from processing.atmosphere.lutdata import content_hash, spectral_lut
from processing.atmosphere.rayleigh import rayleigh_optical_depth
from processing.atmosphere.sixs import SixsCase, Spectrum, run_sixs

GEOMETRIES = ((20.0, 0.0, 0.0), (40.0, 20.0, 90.0), (60.0, 40.0, 180.0))
GROUNDS = (0.05, 0.2, 0.4)
SIXS_NODES_UM = (0.47, 0.515, 0.67, 0.86)
PATH_BAR = 0.003
TRANSMITTANCE_BAR = 0.005
ALBEDO_BAR = 0.0015
REFLECTANCE_BAR = 0.005
SIXS_PRESSURE_HPA = 1013.0 * 0.15967 / 0.15838
"""6SV's profile gives 0.8 % more Rayleigh scattering than Bodhaine's formula at the same pressure:
this pressure gives the table the same, so that the comparison is one of radiative transfer."""


@pytest.fixture(scope="module")
def node_lut() -> CameraLut:
    """The table at wavelengths where 6SV interpolates nothing either."""
    return response_lut(1000 * np.array(SIXS_NODES_UM), np.eye(len(SIXS_NODES_UM)))


@pytest.mark.parametrize(
    ("model", "geometry", "aod"),
    [
        *zip(["continental"] * 3, GEOMETRIES, (0.1, 0.4, 1.0), strict=True),
        ("dust", GEOMETRIES[0], 1.0),  # coarse spheres, 20 degrees from backscatter
    ],
)
def test_terms_agree_with_6sv(
    node_lut: CameraLut, model: str, geometry: tuple[float, float, float], aod: float
) -> None:
    sza, vza, raa = geometry
    ours = node_lut.terms(model, sza=sza, vza=vza, raa=raa, pressure_hpa=SIXS_PRESSURE_HPA, aod=aod)
    for band, wavelength in enumerate(SIXS_NODES_UM):
        theirs = run_sixs(SixsCase(sza, vza, raa, model, aod), Spectrum.at(wavelength))
        assert ours.path[band] == pytest.approx(theirs.path, abs=PATH_BAR)
        assert ours.transmittance[band] == pytest.approx(
            theirs.transmittance, rel=TRANSMITTANCE_BAR
        )
        assert ours.albedo[band] == pytest.approx(theirs.albedo, abs=ALBEDO_BAR)
        for ground in GROUNDS:
            toa = np.full(ours.path.shape, theirs.reflectance(ground))
            assert ours.ground(toa)[band] == pytest.approx(ground, abs=REFLECTANCE_BAR)


@pytest.mark.parametrize(
    ("camera", "bands"), [("GF1WFV1", (0, 1, 2, 3)), ("GF6WFV", (4, 6))], ids=["GF1", "GF6"]
)
def test_band_terms_agree_with_6sv(camera: str, bands: tuple[int, ...]) -> None:
    ours = camera_lut(camera).terms(
        "continental", sza=50, vza=25, raa=120, pressure_hpa=SIXS_PRESSURE_HPA, aod=0.4
    )
    case = SixsCase(50, 25, 120, "continental", aod=0.4)
    for band in bands:
        theirs = run_sixs(case, Spectrum.of_band(camera, band))
        for ground in GROUNDS:
            toa = np.full(ours.path.shape, theirs.reflectance(ground))
            assert ours.ground(toa)[band] == pytest.approx(ground, abs=REFLECTANCE_BAR)


def test_polarisation_is_needed_in_the_blue() -> None:
    """Without it the same comparison breaks the bar, so that it can tell."""
    parts = spectral_lut("continental")
    node = int(np.flatnonzero(parts["wavelengths_nm"] == 443)[0])
    at = _node_index(parts, pressure_hpa=1040, aod=0.0, sza_deg=60, vza_deg=40, raa_deg=0)
    scalar = float(parts["path"][(node, *at)])
    vector = scalar + float(parts["polarisation"][(node, *at)])
    theirs = run_sixs(SixsCase(60, 40, 0, None), Spectrum.at(0.443)).path * 1040 / SIXS_PRESSURE_HPA
    assert abs(scalar - theirs) > 2 * PATH_BAR
    assert vector == pytest.approx(theirs, abs=PATH_BAR)


def _node_index(parts: dict[str, np.ndarray], **values: float) -> tuple[int, ...]:
    return tuple(int(np.argmin(np.abs(parts[name] - value))) for name, value in values.items())


def _direct_path(model: str, wavelength_nm: float, point: dict[str, float]) -> float:
    """Path reflectance of radiative transfer at one point."""
    axes = LutAxes(
        np.array([wavelength_nm]),
        *(np.array([point["pressure_hpa"]]), np.array([0.0, point["sza_deg"]])),
        *(np.array([0.0, point["vza_deg"]]), np.array([point["raa_deg"]])),
        np.array([point["aod"]]),
        coarse_aod=point["aod"] * np.array([0.6, 1.0, 1.5]),
        coarse_pressure_hpa=point["pressure_hpa"] + np.array([-50.0, 40.0]),
    )
    table = build_lut(aerosol_model(model), axes)
    return float((table.path + table.polarisation)[0, 0, 0, 1, 1, 0])


def test_reading_between_nodes_agrees_with_a_direct_run() -> None:
    """The path of the whole table at points away from every node but the wavelength's."""
    parts = spectral_lut("continental")
    node = int(np.flatnonzero(parts["wavelengths_nm"] == 500)[0])
    point = {"pressure_hpa": 900.0, "aod": 0.33, "sza_deg": 47.0, "vza_deg": 25.0, "raa_deg": 67.0}
    path = parts["path"][node].astype(float) + parts["polarisation"][node].astype(float)
    read = _interpolate(path, parts, point)
    assert read == pytest.approx(_direct_path("continental", 500.0, point), abs=5e-4)


def test_dust_is_read_between_nodes_near_backscatter() -> None:
    """The direct run at 14 degrees from backscatter; its nodes are 15 degrees apart."""
    point = {"pressure_hpa": 1000.0, "aod": 1.0, "sza_deg": 23.0, "vza_deg": 12.0, "raa_deg": 20.0}
    read = response_lut(np.array([675.0]), np.eye(1)).terms(
        "dust", sza=23.0, vza=12.0, raa=20.0, pressure_hpa=1000.0, aod=1.0
    )
    assert float(read.path[0]) == pytest.approx(_direct_path("dust", 675.0, point), abs=5e-4)


def _interpolate(path: np.ndarray, parts: dict[str, np.ndarray], point: dict[str, float]) -> float:
    """Slow, obvious version of the reading: one Lagrange polynomial after another."""
    for name, value in point.items():
        axis = parts[name]
        count = min(4, axis.size)
        first = int(np.clip(np.searchsorted(axis, value) - 2, 0, axis.size - count))
        nodes = axis[first : first + count]
        weights = [np.prod([(value - b) / (a - b) for b in nodes if b != a]) for a in nodes]
        path = np.tensordot(weights, path[first : first + count], axes=1)
    return float(path)


def test_shipped_table_is_what_the_builder_makes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    shipped = spectral_lut("continental")
    axes = LutAxes(
        np.array([575.0]),
        np.array([740.0, 1040.0]),
        np.array([0.0, 42.0]),
        np.array([0.0, 30.0]),
        np.array([0.0, 90.0]),
        np.array([0.0, 0.45]),
        np.array([0.0, 0.45, 1.0]),
        np.array([440.0, 1040.0]),
    )
    made = build_lut(aerosol_model("continental"), axes)
    picked = [
        [int(np.argmin(np.abs(shipped[name] - value))) for value in getattr(axes, name)]
        for name in ("wavelengths_nm", "pressure_hpa", "aod", "sza_deg", "vza_deg", "raa_deg")
    ]
    np.testing.assert_allclose(made.path, shipped["path"][np.ix_(*picked)], atol=2e-5)
    np.testing.assert_allclose(
        made.transmittance, shipped["transmittance"][np.ix_(*picked[:4])], atol=2e-5
    )
    np.testing.assert_allclose(made.albedo, shipped["albedo"][np.ix_(*picked[:3])], atol=2e-5)
    digest = write_lut(made, tmp_path / "small.npz")
    with np.load(tmp_path / "small.npz") as stored:
        assert str(stored["content_hash"]) == digest


def test_pixels_broadcast_and_nan_stays_nan() -> None:
    terms = camera_lut("GF1WFV1").terms(
        "continental",
        sza=np.array([[30.0], [np.nan]]),
        vza=10,
        raa=45,
        pressure_hpa=1000,
        aod=np.array([0.1, 0.2, 0.3]),
    )
    assert terms.path.shape == (4, 2, 3)
    assert np.isfinite(terms.path[:, 0]).all()
    assert np.isnan(terms.path[:, 1]).all()
    assert (np.diff(terms.path[:, 0], axis=-1) > 0).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sza", 76.0, "sun zenith"),
        ("vza", 49.0, "view zenith"),
        ("aod", 2.5, "optical depth"),
        ("pressure_hpa", 300.0, "pressure"),
    ],
)
def test_outside_the_table_is_an_error(name: str, value: float, message: str) -> None:
    point = {"sza": 30.0, "vza": 10.0, "raa": 45.0, "pressure_hpa": 1000.0, "aod": 0.1}
    with pytest.raises(AtmosphereError, match=message):
        camera_lut("GF1WFV1").terms("continental", **(point | {name: value}))


def test_unknown_names() -> None:
    with pytest.raises(UnknownSensorError):
        camera_lut("GF9WFV")
    with pytest.raises(AtmosphereError, match="continental"):
        camera_lut("GF1WFV1").node_terms("ash", sza=30, vza=10, raa=45, pressure_hpa=1000)


def test_damaged_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lutdata, "content_hash", lambda parts: "0" * 64)
    spectral_lut.cache_clear()
    with pytest.raises(AtmosphereError, match="damaged"):
        spectral_lut("continental")


def test_hash_sees_names_and_values() -> None:
    one = {"a": np.arange(3.0), "b": np.arange(2.0)}
    assert content_hash(one) == content_hash(dict(reversed(one.items())))
    others = ({"a": np.arange(3.0) + 1e-9, "b": one["b"]}, {"c": one["a"], "b": one["b"]})
    for other in others:
        assert content_hash(other) != content_hash(one)


def test_cameras_differ_in_the_blue() -> None:
    """5 nm between the blue centroids of WFV1 and WFV2 are 3 to 4 % of Rayleigh scattering."""
    one, two = (
        camera_lut(name)
        .terms("continental", sza=40, vza=10, raa=90, pressure_hpa=1013, aod=0)
        .path[0]
        for name in ("GF1WFV1", "GF1WFV2")
    )
    assert 0.025 < one / two - 1 < 0.05


def test_rayleigh_depth_of_bodhaine() -> None:
    """Table 3 of Bodhaine et al. (1999), standard pressure and 360 ppm of CO2."""
    for wavelength, depth in ((0.40, 0.36019), (0.50, 0.14331)):
        assert rayleigh_optical_depth(wavelength) == pytest.approx(depth, rel=0.003)
    assert rayleigh_optical_depth(0.5, 506.625) == pytest.approx(0.14331 / 2, rel=0.003)


def test_pressure_and_azimuth() -> None:
    assert surface_pressure_hpa(0.0) == pytest.approx(1013.25)
    assert surface_pressure_hpa(8434.0) == pytest.approx(440)
    assert np.isnan(surface_pressure_hpa(np.nan))
    for sun, view, between in ((10, 350, 20), (350, 10, 20), (0, 180, 180), (90, 90, 0)):
        assert relative_azimuth_deg(sun, view) == pytest.approx(between)


def test_every_camera_and_model_is_physical() -> None:
    for camera, model in itertools.product(("GF1WFV3", "GF6WFV"), camera_lut("GF6WFV").models):
        nodes = camera_lut(camera).node_terms(model, sza=45, vza=20, raa=120, pressure_hpa=980)
        assert (np.diff(nodes.transmittance, axis=-1) < 0).all()
        assert (np.diff(nodes.albedo, axis=-1) > 0).all()
        assert ((nodes.path > 0) & (nodes.path < 0.5)).all()
