"""Yearly steps put into simulated series come back, clouds or not; tables are checked."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest
import rasterio
from pyproj import Transformer
from typer.testing import CliRunner

from catalog.errors import CalibrationError
from catalog.folder import FolderStore
from catalog.product import QA, MaskClass
from infra.cli import app
from processing.bandpass import band_adjustment, band_adjustments
from processing.invariant import Observation, factors_of, read_observations
from processing.normalisation import (
    IDENTITY,
    Factor,
    normalised,
    read_normalisation,
    updated,
    write_normalisation,
)
from processing.sensors import calibration, camera, spectral_response
from processing.sites import observe_sites, read_sites
from tests.catalog_products import changed, facts, store_product

YEARS = range(2014, 2023)
STEPS = (1.0, 1.08, 0.87, 1.30, 0.75, 1.05, 0.95, 1.18, 0.82)
SCATTER = 0.03
DATES = 20


def _series(seed: int, sites: int, clouds: float = 0.0) -> list[Observation]:
    """Ground with seasons, a calibration that is off by ``STEPS``, and 3 % from scene to scene."""
    rng = np.random.default_rng(seed)
    found = []
    for site in range(sites):
        level, swing, phase = rng.uniform(0.2, 0.4), rng.uniform(0, 0.06), rng.uniform(0, 6)
        for year, step in zip(YEARS, STEPS, strict=True):
            for day in rng.integers(0, 365, DATES):
                wave = 1 + swing * math.cos(2 * math.pi * day / 365.25 + phase)
                cloud = rng.uniform(1.2, 2.5) if rng.random() < clouds else 1.0
                value = level * wave * step * cloud * math.exp(rng.normal(0, SCATTER))
                time = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=int(day))
                found.append(Observation("GF1WFV1", "red", time, f"site {site}", value))
    return found


def _wanted() -> dict[int, float]:
    mean = float(np.exp(np.mean(np.log(STEPS))))
    return {year: mean / step for year, step in zip(YEARS, STEPS, strict=True)}


def _errors(found: dict[tuple[str, str, int], Factor], wanted: dict[int, float]) -> np.ndarray:
    assert {key[2] for key in found} == set(wanted)
    return np.array([found["GF1WFV1", "red", year].factor / wanted[year] - 1 for year in wanted])


@pytest.mark.parametrize("clouds", [0.0, 0.1])
def test_steps_of_a_single_site_come_back(clouds: float) -> None:
    errors = [_errors(factors_of(_series(seed, 1, clouds)), _wanted()) for seed in range(12)]
    # 3 % over 20 looks are 0.67 % a year before anything else.
    assert np.sqrt(np.mean(np.square(errors))) < 0.01


@pytest.mark.parametrize("clouds", [0.0, 0.1])
def test_steps_of_a_few_sites_come_back_in_every_year(clouds: float) -> None:
    for seed in range(6):
        assert np.abs(_errors(factors_of(_series(seed, 5, clouds)), _wanted())).max() < 0.01


def test_uncertainty_is_that_of_the_errors() -> None:
    score = []
    for seed in range(12):
        found = factors_of(_series(seed, 2))
        errors = _errors(found, _wanted())
        sigma = [found["GF1WFV1", "red", year].uncertainty for year in YEARS]
        score.extend(errors / sigma)
    assert 0.5 < np.std(score) < 1.3


def test_an_anchor_year_is_left_as_it_is() -> None:
    found = factors_of(_series(1, 5), anchor=2017)
    assert found["GF1WFV1", "red", 2017].factor == 1.0
    wanted = {year: STEPS[3] / step for year, step in zip(YEARS, STEPS, strict=True)}
    assert np.abs(_errors(found, wanted)).max() < 0.013
    with pytest.raises(CalibrationError, match="0 observations in the anchor year 2030"):
        factors_of(_series(1, 1), anchor=2030)


def test_pairs_with_a_reference_give_absolute_factors() -> None:
    rng = np.random.default_rng(4)
    pairs = []
    for year, step in zip(YEARS, STEPS, strict=True):
        for n, truth in enumerate(rng.uniform(0.05, 0.5, DATES)):
            value = truth * step * math.exp(rng.normal(0, SCATTER))
            value *= 1.8 if n == 3 else 1.0  # a cloud in ours
            time = datetime(year, 6, 1, tzinfo=UTC)
            pairs.append(Observation("GF1WFV1", "red", time, f"{n}", value, truth / 1.04))
    found = factors_of(pairs, adjustment={("GF1WFV1", "red"): 1.04})
    wanted = {year: 1 / step for year, step in zip(YEARS, STEPS, strict=True)}
    errors = _errors(found, wanted)
    assert np.sqrt(np.mean(errors**2)) < 0.01


def test_few_observations_give_no_factor() -> None:
    assert factors_of(_series(0, 1)[:4]) == {}
    assert factors_of(_series(0, 1)[:DATES]) == {}


def test_band_adjustment_is_the_ratio_over_the_spectra(tmp_path: Path) -> None:
    nm, response = spectral_response("GF1WFV1")
    red = response[2]
    flat = np.full((3, len(nm)), 0.3) * np.array([[1.0], [2.0], [0.5]])
    assert band_adjustment(flat, red, np.roll(red, 20)) == pytest.approx(1.0)
    slope = np.stack([0.1 + 0.001 * (nm - 400), 0.2 + 0.001 * (nm - 400)])
    narrow = (np.abs(nm - 665) < 15).astype(float)
    at = [each @ red / red.sum() for each in slope]
    there = [each @ narrow / narrow.sum() for each in slope]
    wanted = np.dot(at, there) / np.dot(there, there)
    assert band_adjustment(slope, red, narrow) == pytest.approx(wanted)
    np.savetxt(tmp_path / "s.csv", np.c_[nm, slope.T], delimiter=",", header="nm,a,b", comments="")
    np.savetxt(tmp_path / "r.csv", np.c_[nm, narrow], delimiter=",", header="nm,red", comments="")
    found = band_adjustments(tmp_path / "s.csv", tmp_path / "r.csv")
    assert found["GF1WFV1", "red"] == pytest.approx(wanted, rel=1e-6)
    assert ("GF1WFV1", "blue") not in found


def test_the_table_of_the_package_is_the_identity() -> None:
    table = read_normalisation()
    known = camera("GF1WFV3")
    plain = calibration(known, 2018)
    done = normalised(plain, table, known, 2018)
    assert done.slope == plain.slope
    assert done.normalisation == (1.0,) * 4
    assert done.normalisation_uncertainty == (0.05,) * 4
    assert done.normalisation_version == table.version
    assert set(table.factors.values()) == {IDENTITY}


def test_a_new_table_is_written_and_used(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    found = {("GF6WFV", "nir", 2020): Factor(1.1, 0.01, "test")}
    once = updated(read_normalisation(), found.items())
    write_normalisation(path, once)
    table = read_normalisation(path)
    assert table.version.startswith("new ")
    known = camera("GF6WFV")
    done = normalised(calibration(known, 2020), table, known, 2020)
    plain = calibration(known, 2020)
    assert done.slope[3] == pytest.approx(1.1 * plain.slope[3])
    assert done.slope[2] == plain.slope[2]
    twice = updated(table, found.items())
    assert twice["GF6WFV", "nir", 2020].factor == pytest.approx(1.21)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("GF9,red,2020,1,0.05,x", r"bad\.csv:2: camera 'GF9'"),
        ("GF1WFV1,red,later,1,0.05,x", "year 'later'"),
        ("GF1WFV1,B3,2020,1,0.05,x", r"bad\.csv:2: band 'B3'; known: blue, green, red, nir"),
        ("GF1WFV1,red", "could not convert"),
        ("GF1WFV1,red,2020,3,0.05,x", r"factor 3"),
        ("GF1WFV1,red,2020,one,0.05,x", "could not convert"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"camera,band,year,factor,uncertainty,source\n{line}\n")
    with pytest.raises(CalibrationError, match=message):
        read_normalisation(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CalibrationError, match="columns a, b"):
        read_normalisation(path)
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_normalisation(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\x89PNG\xff")
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_normalisation(tmp_path / "binary.csv")


def test_a_table_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    with pytest.raises(CalibrationError, match="GF1WFV1 red 2020: factor 100"):
        write_normalisation(path, {("GF1WFV1", "red", 2020): Factor(100.0, 0.01, "percent")})
    assert list(tmp_path.iterdir()) == []


def test_observations_are_read(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    head = "camera,band,time,site,observed,reference\n"
    path.write_text(head + "GF1WFV1,red,2020-01-02T03:04:05Z,a,0.3,\n"
                    "GF1WFV1,red,2020-01-02T03:04:05Z,a,0.3,0.31\n")  # fmt: skip
    first, second = read_observations(path)
    assert (first.reference, second.reference, first.time.year) == (None, 0.31, 2020)
    for line, message in (
        ("GF1WFV1,red,never,a,0.3,", "never"),
        ("GF1WFV1,red,2020-01-02,a,-1,", "-1"),
        ("GF1WFV1,red,2020-01-02,a,inf,", "inf"),
        ("GF1WFV1,red,2020-01-02,a,0.3,nan", "nan"),
        ("GF1WFV9,red,2020-01-02,a,0.3,", "GF1WFV9"),
        ("GF1WFV1,B3,2020-01-02,a,0.3,", "band 'B3'"),
    ):
        path.write_text(head + line)
        with pytest.raises(CalibrationError, match=message):
            read_observations(path)


def _flat(path: Path, values: list[int]) -> None:
    """Give every pixel of a raster the same values."""
    with rasterio.open(path) as raster:
        profile = raster.profile
    with rasterio.open(path, "w", **profile | {"driver": "GTiff", "photometric": None}) as raster:
        shape = raster.shape
        raster.write(np.stack([np.full(shape, value, profile["dtype"]) for value in values]))


def _square(x: float, y: float, side: float) -> list[list[float]]:
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]
    to_degrees = Transformer.from_crs(32631, 4326, always_xy=True)
    return [list(to_degrees.transform(*corner)) for corner in corners]


def test_sites_are_read_from_products(tmp_path: Path) -> None:
    table = read_normalisation()
    ring = _square(300_000, 4_899_020, 1_000)
    item = changed(
        facts(),
        {
            "footprint": {"type": "Polygon", "coordinates": [ring]},
            "provenance": {
                "calibration": {
                    "normalisation_version": table.version,
                    "slope": [0.1, 0.01, 0.2, 0.1],
                    "intercept": [0, 0, 0, 0],
                    "esun": [1900, 1800, 1500, 1000],
                    "irradiance": "tsis1",
                    "source": "made for the test",
                }
            },
        },
    )
    store = FolderStore(tmp_path / "store")
    folder = store_product(store, item)
    _flat(folder / item.id.file_name("mask"), [MaskClass.CLEAR])
    _flat(folder / item.id.file_name("TOA"), [1000, 2000, 3000, 4000])
    _flat(folder / item.id.file_name("qa"), [QA["water"].encode(1)])
    features = [
        {"properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": [outline]}}
        for name, outline in (
            ("inside", _square(300_300, 4_899_300, 300)),
            ("half", _square(299_900, 4_899_300, 300)),
            ("elsewhere", _square(400_000, 4_899_300, 300)),
        )
    ]
    path = tmp_path / "sites.geojson"
    path.write_bytes(orjson.dumps({"features": features}))
    sites = read_sites(path)
    found = list(observe_sites(store, sites, table.version))
    assert {one.site for one in found} == {"inside"}
    assert [one.observed for one in found] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [one.band for one in found] == ["blue", "green", "red", "nir"]
    _flat(folder / item.id.file_name("qa"), [QA["saturated"].encode(1)])
    unclipped = [one.band for one in observe_sites(store, sites, table.version)]
    assert unclipped == ["blue", "red"]  # of counts up to 1023 green and NIR cannot be brighter
    _flat(folder / item.id.file_name("mask"), [MaskClass.CLOUD])
    assert list(observe_sites(store, sites, table.version)) == []
    with pytest.raises(CalibrationError, match="made with normalisation"):
        list(observe_sites(store, sites, "another"))
    path.write_text("{}")
    with pytest.raises(CalibrationError, match="not a GeoJSON"):
        read_sites(path)


def test_the_command_does_not_write_over_its_observations(tmp_path: Path) -> None:
    path = tmp_path / "observed.csv"
    path.write_text("camera,band,time,site,observed\n")
    answer = CliRunner().invoke(app, ["normalise", str(path), "--out", str(path)])
    assert "holds the observations" in str(answer.exception)
    assert path.read_text() == "camera,band,time,site,observed\n"
