"""Rows of normalisation, sun photometers, and what tables and inversion cost."""

import math
import os
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.rows.row import Row, at_least, at_most
from catalog.grid import Grid
from catalog.product import TILE_PIXELS
from processing.aeronet import Match, read_aeronet, report
from processing.atmosphere.aerosol import aerosol_model
from processing.atmosphere.correct import Coefficients, surface_reflectance
from processing.atmosphere.lutbuild import LutAxes, build_lut
from processing.atmosphere.lutdata import shipped_models
from processing.invariant import Observation, factors_of

_STEPS = (1.0, 1.08, 0.87, 1.30, 0.75, 1.05, 0.95, 1.18, 0.82)
"""What the calibration of each year is off by."""
_FIRST_YEAR, _DATES, _SITES, _SCATTER = 2014, 20, 5, 0.03
_WITHIN_SIGMA = 100 * math.erf(math.sqrt(0.5))


def normalisation_rows() -> Iterator[Row]:
    """Yield how well steps of 5 to 30 % put into series of invariant ground come back."""
    mean = math.exp(sum(map(math.log, _STEPS)) / len(_STEPS))
    errors = []
    for seed in range(10):
        found = factors_of(_series(np.random.default_rng([61, seed])))
        for place, step in enumerate(_STEPS):
            factor = found["GF1WFV1", "red", _FIRST_YEAR + place].factor
            errors.append(100 * (factor * step / mean - 1))
    title = f"yearly steps of the calibration come back, {_DATES} dates, {_SITES} sites"
    yield at_most(f"{title}: rms", float(np.sqrt(np.mean(np.square(errors)))), "%", 1.0)
    yield at_most(f"{title}: largest of {len(errors)}", float(np.abs(errors).max()), "%", 1.0)


def _series(rng: np.random.Generator) -> list[Observation]:
    """Ground with seasons, 3 % of scatter from scene to scene, a tenth of the dates cloudy."""
    found = []
    for site in range(_SITES):
        level, swing, phase = rng.uniform(0.2, 0.4), rng.uniform(0, 0.06), rng.uniform(0, 6)
        for place, step in enumerate(_STEPS):
            for day in rng.integers(0, 365, _DATES):
                time_of = datetime(_FIRST_YEAR + place, 1, 1, tzinfo=UTC) + timedelta(int(day))
                wave = 1 + swing * math.cos(2 * math.pi * day / 365.25 + phase)
                cloud = rng.uniform(1.2, 2.5) if rng.random() < 0.1 else 1.0
                value = level * wave * step * cloud * math.exp(rng.normal(0, _SCATTER))
                found.append(Observation("GF1WFV1", "red", time_of, f"site {site}", value))
    return found


def photometer_rows() -> Iterator[Row]:
    """Yield what is read of a year at Sao Paulo, and that the report counts as it should.

    The products held against that year are its own depths with normal errors of one sigma of the
    expected error and no bias, so that the shares inside are known.
    """
    title = "AERONET, Sao Paulo 2016"
    setting = os.environ.get("GFARD_TEST_DATA")
    if not setting:
        reason = "GFARD_TEST_DATA is not set: it names the folder with the file"
        yield Row(f"{title}: measurements read", None, "count", skipped=reason)
        return
    site = read_aeronet(
        Path(setting) / "atmosphere" / "aeronet_20160101_20161231_Sao_Paulo.lev20.gz"
    )
    yield at_least(f"{title}: measurements read", len(site.aod550), "count", 4700)
    yield Row(f"{title}: median AOD at 550 nm", round(float(np.median(site.aod550)), 4), "1")
    rng = np.random.default_rng(67)
    matches = [
        Match("made", site.name, datetime.fromtimestamp(seconds, UTC), depth, ours, sigma)
        for seconds, depth in zip(site.seconds, site.aod550, strict=True)
        for sigma in [0.05 + 0.15 * depth]
        for ours in [depth + sigma * rng.normal()]
    ]
    found = report(matches)
    apart = abs(found.expected - _WITHIN_SIGMA)
    yield at_most(f"{title}: report's share within 0.05 + 0.15 AOD against erf", apart, "%", 2.0)
    apart = abs((found.one_sigma or 0.0) - _WITHIN_SIGMA)
    yield at_most(f"{title}: report's share inside one sigma against erf", apart, "%", 2.0)
    yield at_most(f"{title}: report's bias of none", abs(found.bias), "1", 0.005)


def lut_cost(full: bool) -> Iterator[Row]:
    """Yield what all tables would take on two cores, from a node of wavelength and its haze."""
    axes = LutAxes()
    middle = len(axes.wavelengths_nm) // 2
    some = replace(axes, wavelengths_nm=axes.wavelengths_nm[middle : middle + 1])
    if not full:
        some = replace(some, sza_deg=axes.sza_deg[::4])
    start = time.process_time()
    build_lut(aerosol_model("continental"), some)
    spent = (time.process_time() - start) * len(axes.sza_deg) / len(some.sza_deg)
    minutes = spent * len(axes.wavelengths_nm) * len(shipped_models()) / 2 / 60
    yield at_most("LUT of all models on two cores, scaled from one wavelength", minutes, "min", 40)


def inversion_memory() -> Iterator[Row]:
    """Yield what the inversion of a tile holds beyond what goes in and what comes out."""
    frame = Grid(32631, 300_000, 5_100_000, 16, TILE_PIXELS, TILE_PIXELS)
    cells = frame.coarsen(64)
    planes = (np.full((4, *cells.shape), value, np.float32) for value in (1.2, -0.1, 0.1))
    coefs = Coefficients(cells, *planes)
    toa = np.full((4, *frame.shape), 3000, np.uint16)
    tracemalloc.start()
    out, clamped = surface_reflectance(toa, frame, coefs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    beyond = (peak - out.nbytes - clamped.nbytes) / toa.nbytes
    yield at_most("inversion of a tile, memory beyond input and result", beyond, "tiles", 1.0)
