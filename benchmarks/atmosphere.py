"""Accuracy of the look-up table against 6SV and direct radiative transfer, and speed.

6SV runs on the package's own aerosol modes. Its profile holds 0.8 % more Rayleigh scattering
than Bodhaine's formula, which the table follows; the pressure handed to the table makes both
equal, so that the figures are those of radiative transfer.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows.aerosol import aerosol_rows
from benchmarks.rows.desert import desert_rows
from benchmarks.rows.options import option_rows
from benchmarks.rows.radiometry import (
    inversion_memory,
    lut_cost,
    normalisation_rows,
    photometer_rows,
)
from benchmarks.rows.remembered import remembered_rows
from benchmarks.rows.row import Row, at_least, at_most, show
from benchmarks.rows.uncertainty import uncertainty_rows
from catalog.grid import Grid
from catalog.product import TILE_PIXELS
from processing.atmosphere.aerosol import aerosol_model
from processing.atmosphere.aod import fit_aod
from processing.atmosphere.correct import Coefficients, coefficients, surface_reflectance
from processing.atmosphere.gas import GasColumns
from processing.atmosphere.lut import camera_lut, response_lut
from processing.atmosphere.lutbuild import LutAxes, build_lut
from processing.atmosphere.lutdata import spectral_lut
from processing.atmosphere.prior import AodPrior
from processing.atmosphere.sixs import SixsCase, SixsTerms, Spectrum, run_sixs
from processing.geometry.angles import Angles
from processing.sensors import camera, camera_names
from tests.sentinel2_air import against_two_solutions, best_geometry

NODES_UM = (0.47, 0.515, 0.67, 0.86)
GEOMETRIES = ((20.0, 0.0, 0.0), (40.0, 20.0, 90.0), (60.0, 40.0, 0.0), (60.0, 40.0, 180.0))
DEPTHS = (0.1, 0.5, 1.0)
GROUNDS = (0.05, 0.2, 0.4)
SAME_RAYLEIGH_HPA = 1013.0 * 0.15967 / 0.15838
GAS = GasColumns(300.0, 2.0)


def terms_against_sixs(full: bool) -> Iterator[Row]:
    """Four wavelengths at 6SV's own nodes, black and grey grounds."""
    lut = response_lut(1000 * np.array(NODES_UM), np.eye(len(NODES_UM)))
    models = lut.models if full else ("continental",)
    path, way, albedo, ground, unshifted = [], [], [], [], []
    for model, (sza, vza, raa), aod in itertools.product(models, GEOMETRIES, DEPTHS):
        ours = lut.terms(model, sza=sza, vza=vza, raa=raa, pressure_hpa=SAME_RAYLEIGH_HPA, aod=aod)
        for band, wavelength in enumerate(NODES_UM):
            runs = _shifted_runs(SixsCase(sza, vza, raa, model, aod), wavelength)
            theirs = _mean_terms(runs)
            unshifted.append(float(ours.transmittance[band]) / runs[0].transmittance - 1)
            path.append(float(ours.path[band]) - theirs.path)
            way.append(float(ours.transmittance[band]) / theirs.transmittance - 1)
            albedo.append(float(ours.albedo[band]) - theirs.albedo)
            ground.extend(_ground_errors(ours.ground, theirs, band, len(NODES_UM)))
    yield at_most("LUT path reflectance against 6SV, max", _largest(path), "1", 0.003)
    yield at_most("LUT path reflectance against 6SV, rms", _rms(path), "1", 0.001)
    yield at_most("LUT transmittance against 6SV, max", 100 * _largest(way), "%", 0.5)
    name = "LUT transmittance against 6SV with its sizes unshifted, max"
    yield Row(name, round(100 * _largest(unshifted), 4), "%")
    yield at_most("LUT spherical albedo against 6SV, max", _largest(albedo), "1", 0.0015)
    yield at_most("surface reflectance against 6SV, max", _largest(ground), "1", 0.005)
    yield at_most("surface reflectance against 6SV, rms", _rms(ground), "1", 0.0015)


def _shifted_runs(case: SixsCase, wavelength_um: float) -> list[SixsTerms]:
    """Run 6SV with its particle sizes at four places of their step, the usual one first.

    Any one of them errs by up to 0.4 % in the extinction of coarse spheres.
    """
    shifts = [0.0, 0.25, 0.5, 0.75]
    return [run_sixs(replace(case, size_shift=s), Spectrum.at(wavelength_um)) for s in shifts]


def _mean_terms(runs: list[SixsTerms]) -> SixsTerms:
    path, way, albedo = np.mean([(r.path, r.transmittance, r.albedo) for r in runs], axis=0)
    return replace(runs[0], path=float(path), transmittance=float(way), albedo=float(albedo))


def _ground_errors(
    invert: Callable[[NDArray[np.float64]], NDArray[np.float32]],
    theirs: SixsTerms,
    band: int,
    bands: int,
) -> list[float]:
    return [
        float(invert(np.full(bands, theirs.reflectance(ground)))[band]) - ground
        for ground in GROUNDS
    ]


def scalar_control() -> Iterator[Row]:
    """The same comparison without polarisation has to fail in the blue."""
    parts = spectral_lut("continental")
    node = int(np.flatnonzero(parts["wavelengths_nm"] == 470)[0])
    errors = []
    for sza, vza, raa in ((60.0, 40.0, 0.0), (60.0, 40.0, 180.0)):
        index = tuple(
            int(np.argmin(np.abs(parts[name].astype(float) - value)))
            for name, value in zip(
                ("pressure_hpa", "aod", "sza_deg", "vza_deg", "raa_deg"),
                (1040.0, 0.0, sza, vza, raa),
                strict=True,
            )
        )
        scale = 1040.0 / SAME_RAYLEIGH_HPA
        theirs = run_sixs(SixsCase(sza, vza, raa, None), Spectrum.at(0.47)).path * scale
        errors.append(float(parts["path"][(node, *index)]) - theirs)
    yield at_least("scalar table against 6SV in the blue, max", _largest(errors), "1", 0.003)


def bands_against_sixs(full: bool) -> Iterator[Row]:
    """Whole responses of the cameras, in all bands."""
    names = camera_names() if full else ("GF1WFV1",)
    geometries = GEOMETRIES[:3] if full else GEOMETRIES[1:2]
    for name in names:
        errors = []
        bands = len(camera(name).bands)
        for sza, vza, raa in geometries:
            ours = camera_lut(name).terms(
                "continental", sza=sza, vza=vza, raa=raa, pressure_hpa=SAME_RAYLEIGH_HPA, aod=0.4
            )
            case = SixsCase(sza, vza, raa, "continental", 0.4)
            for band in range(bands):
                theirs = run_sixs(case, Spectrum.of_band(name, band))
                errors.extend(_ground_errors(ours.ground, theirs, band, bands))
        yield at_most(
            f"{name} bands, surface reflectance against 6SV, max", _largest(errors), "1", 0.005
        )


def interpolation(points: int) -> Iterator[Row]:
    """The table between its nodes against the radiative transfer it was made with.

    Dust again near backscatter, where coarse particles scatter otherwise from degree to degree.
    """
    anywhere = (500, 0, 0, 0, 0.0), (1035, 70, 46, 180, 1.8)
    towards_the_sun = (500, 5, 0, 0, 0.3), (1035, 45, 25, 40, 1.8)
    yield _between_nodes("continental", anywhere, points)
    yield _between_nodes("dust", towards_the_sun, points)


def _between_nodes(
    model: str, limits: tuple[tuple[float, ...], tuple[float, ...]], points: int
) -> Row:
    """Compare at random points between limits of pressure, SZA, VZA, RAA and optical depth."""
    rng = np.random.default_rng(7)
    lut = response_lut(np.array([470.0, 675.0]), np.eye(2))
    errors = []
    for number in range(points):
        band, wavelength = number % 2, (470.0, 675.0)[number % 2]
        pressure, sza, vza, raa, aod = rng.uniform(*limits)
        axes = LutAxes(
            np.array([wavelength]), np.array([pressure]), np.array([0.0, sza]),
            np.array([0.0, vza]), np.array([raa]), np.array([aod]),
            np.array([0.5, 1.0, 1.5]) * aod, np.array([pressure - 5, pressure + 5]),
        )  # fmt: skip
        direct = build_lut(aerosol_model(model), axes)
        read = lut.terms(model, sza=sza, vza=vza, raa=raa, pressure_hpa=pressure, aod=aod).path[
            band
        ]
        errors.append(float(read - (direct.path + direct.polarisation)[0, 0, 0, 1, 1, 0]))
    told = f"LUT of {model} between nodes against direct run, max of {points}"
    return at_most(told, _largest(errors), "1", 5e-4)


def inversion_speed() -> Iterator[Row]:
    """Pixels a second on one core, beside the same work in numpy."""
    frame = Grid(32631, 300_000, 5_100_000, 16, 2048, TILE_PIXELS)
    cells = frame.coarsen(64)
    coefs = coefficients(
        "GF1WFV1", "continental", GAS, angles=_angles(cells), cgrid=cells,
        aod=np.full(cells.shape, 0.2, np.float32), heights=np.zeros(cells.shape, np.float32),
    )  # fmt: skip
    toa = np.random.default_rng(1).integers(1200, 6000, (4, *frame.shape)).astype(np.uint16)
    surface_reflectance(toa, frame, coefs)
    ours = _best_seconds(lambda: surface_reflectance(toa, frame, coefs))
    plain = _best_seconds(lambda: _plain_numpy(toa, coefs))
    pairs = (surface_reflectance(toa, frame, coefs)[0], _plain_numpy(toa, coefs)[0])
    difference = pairs[0].astype(np.int32) - pairs[1]
    name = "inversion, times as fast as numpy"
    if os.environ.get("OMP_NUM_THREADS") == "1":
        yield at_least(name, plain / ours, "ratio", 5.0)
    else:
        reason = "numpy's threads count as CPU time while they wait: set OMP_NUM_THREADS=1"
        yield Row(name, None, "ratio", skipped=reason)
    yield at_least("inversion speed", toa.size / ours / 1e6, "Mpx/s", 80.0)
    yield at_most("inversion against numpy, max", float(np.abs(difference).max()), "DN", 1.0)


def _plain_numpy(
    toa: NDArray[np.uint16], coefs: Coefficients
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """The same work in numpy: bilinear coefficients of a band, the formula, fill and flag."""
    down = _hat_weights(toa.shape[1], coefs.gain.shape[1])
    across = _hat_weights(toa.shape[2], coefs.gain.shape[2]).T
    out = np.empty_like(toa)
    clamped = np.zeros(toa.shape[1:], bool)
    for band, dn in enumerate(toa):
        gain, offset, albedo = (
            down @ part[band] @ across for part in (coefs.gain, coefs.offset, coefs.albedo)
        )
        y = gain * (dn * np.float32(1e-4)) + offset
        sr = y / (1 + albedo * y) * np.float32(1e4) + np.float32(0.5)
        bounded = np.clip(sr, 1, 16000)
        clamped |= (bounded != sr) & (dn != 0)
        out[band] = np.where(dn == 0, 0, bounded)
    return out, clamped


def _hat_weights(pixels: int, cells: int) -> NDArray[np.float32]:
    """Bilinear weights (pixels, cells) of cells of 64 pixels."""
    position = np.clip((np.arange(pixels) + 0.5) / 64 - 0.5, 0, cells - 1)
    distance = np.abs(position[:, np.newaxis] - np.arange(cells))
    return np.asarray(np.maximum(1 - distance, 0), dtype=np.float32)


def aod_speed() -> Iterator[Row]:
    """A full tile at 32 m, half of it vegetation."""
    side = TILE_PIXELS // 2
    grid = Grid(32631, 300_000, 5_100_000, 32, side, side)
    cells = grid.coarsen(16)
    rng = np.random.default_rng(2)
    green = rng.random((side, side)) < 0.5
    toa = np.empty((4, side, side), np.float32)
    for band, (leaf, soil) in enumerate(((0.11, 0.16), (0.11, 0.17), (0.07, 0.22), (0.4, 0.3))):
        toa[band] = np.where(green, leaf, soil) + rng.normal(0, 0.003, (side, side))
    start = time.process_time()
    fit_aod(
        toa, np.ones((side, side), bool), grid, angles=_angles(cells),
        heights=np.zeros(cells.shape, np.float32), camera_name="GF1WFV1", gas=GAS,
        prior=AodPrior(0.12, 0.15, "continental", "climatology"),
    )  # fmt: skip
    yield at_most("AOD fit of a full tile", time.process_time() - start, "CPU s", 10.0)


def _angles(grid: Grid) -> Angles:
    sun_azimuth, sun, view_azimuth, view = (
        np.full(grid.shape, value, np.float32) for value in (240.0, 40.0, 150.0, 20.0)
    )
    return Angles(sun_azimuth, sun, view_azimuth, view)


def _best_seconds(call: Callable[[], object]) -> float:
    seconds = []
    for _ in range(5):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _largest(errors: list[float]) -> float:
    return float(np.abs(errors).max())


def _rms(errors: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def real_images() -> Iterator[Row]:
    """Sentinel-2 through the same table, beside iCOR and SMAC, and beside Sen2Cor."""
    setting = os.environ.get("GFARD_TEST_DATA")
    title = "SR of iCOR and SMAC, pixels inside 0.005 + 0.05 rho"
    if setting is None:
        reason = "GFARD_TEST_DATA is not set: it names the folder with the images"
        yield Row(title, None, "%", 95.0, skipped=reason)
        return
    folder = Path(setting)
    found, _ = against_two_solutions(folder / "ac_reference")
    for band, share in found.inside.items():
        yield at_least(f"{title}, {band}", share, "%", 95.0)
        yield Row(f"SR of iCOR and SMAC, bias, {band}", found.bias[band], "1")
    for chip in ("282D_485L_3_3", "433D_629L_3_1", "609U_541L_3_0"):
        found, air, offset = best_geometry(folder / "l1c_l2a", chip)
        told = f"{chip} at SZA {air.sza:g}, RAA {air.raa:g}, AOD {air.aod:g}, L2A offset {offset}"
        for band, share in found.inside.items():
            yield Row(f"SR of Sen2Cor, {told}: inside, {band}", share, "%")
            yield Row(f"SR of Sen2Cor, {told}: bias, {band}", found.bias[band], "1")


def rows(full: bool, memory: Path) -> Iterator[Row]:
    """Measure everything, the quick things first; ``memory`` keeps 6SV's runs for made scenes."""
    yield from inversion_speed()
    yield from inversion_memory()
    yield from aod_speed()
    yield from uncertainty_rows()
    yield from scalar_control()
    yield from normalisation_rows()
    yield from photometer_rows()
    yield from aerosol_rows(full, memory)
    yield from remembered_rows(8 if full else 2, memory)
    yield from interpolation(25 if full else 8)
    yield from lut_cost(full)
    yield from real_images()
    if full:
        yield from desert_rows(memory)
    yield from bands_against_sixs(full)
    yield from terms_against_sixs(full)
    yield from option_rows(full)


def main() -> None:
    """Print every row; the exit status tells whether all bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="all cameras, models and points")
    parser.add_argument("--sixs", type=Path, help="table of 6SV's runs, read and added to")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gfard-haze-") as folder:
        memory = options.sixs or Path(folder) / "sixs.json"
        raise SystemExit(show(rows(options.full, memory), as_json=options.json))


if __name__ == "__main__":
    main()
