"""Offline builder of the spectral look-up table, with ``sasktran2``.

Per aerosol model and monochromatic node the table holds the reflectance of the atmosphere over
a black ground, the transmittance along one slant path (one table serves down and up by
reciprocity) and the spherical albedo; gases are left out and multiply later.

Multiple scattering is scalar with 16 streams, the first order exact with the whole phase
function (delta-M alone is wrong by 0.03 in backscatter); polarisation is added as the
difference of a vector and a scalar run with 8 streams, which costs a fifth of a vector run
with 16. A scalar table alone errs by up to 0.006 in the blue. Fifteen levels are too few for a
blue sky over thick haze (0.002 low): the limit of many is extrapolated from 15 and 29.
"""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, interp1d

from catalog.errors import AtmosphereError
from processing.atmosphere.aerosol import AerosolModel
from processing.atmosphere.lutdata import content_hash
from processing.atmosphere.mie import (
    MOMENTS,
    PHASE_DEG,
    AerosolOptics,
    aerosol_optics,
    relative_extinction,
)
from processing.atmosphere.rayleigh import rayleigh_optical_depth

FloatArray = NDArray[np.float64]

_DEPOLARISATION = 0.0279
_RAYLEIGH_SCALE_M = 8000.0
_AEROSOL_SCALE_M = 2000.0
_TOP_M = 60_000.0
_LEVELS = 15
_MANY_LEVELS = 29
_STREAMS = 16
_COARSE_STREAMS = 8
_BRIGHT_GROUNDS = (0.5, 1.0)
_NEAR_ZERO_DEG = 0.01
"""Stands for nadir and the plane of the sun: the engine yields NaN where acos(1) rounds."""


@dataclass(frozen=True, slots=True)
class LutAxes:
    """Nodes of a table; at ``coarse_*`` its two corrections are computed."""

    wavelengths_nm: FloatArray = field(
        default_factory=lambda: np.array(
            [400.0, 420, 443, 470, 500, 535, 575, 620, 675, 740, 820, 920, 1040]
        )
    )
    pressure_hpa: FloatArray = field(default_factory=lambda: np.array([440.0, 740.0, 1040.0]))
    sza_deg: FloatArray = field(
        default_factory=lambda: np.array([0.0, 15.0, 30.0, 42.0, 52.0, 60.0, 68.0, 75.0])
    )
    vza_deg: FloatArray = field(
        default_factory=lambda: np.array([0.0, 10.0, 20.0, 30.0, 40.0, 48.0])
    )
    raa_deg: FloatArray = field(default_factory=lambda: np.linspace(0.0, 180.0, 13))
    aod: FloatArray = field(
        default_factory=lambda: np.array([0.0, 0.05, 0.12, 0.25, 0.45, 0.7, 1.0, 1.45, 2.0])
    )
    coarse_aod: FloatArray = field(default_factory=lambda: np.array([0.0, 0.12, 0.45, 1.0, 2.0]))
    coarse_pressure_hpa: FloatArray = field(default_factory=lambda: np.array([440.0, 1040.0]))


@dataclass(frozen=True, slots=True)
class SpectralLut:
    """Monochromatic terms of one aerosol model, float32.

    ``path`` (wavelength, pressure, aod, sza, vza, raa) is the scalar path reflectance and
    ``polarisation``, same shape, what the vector solution adds to it; ``transmittance``
    (wavelength, pressure, aod, sza) is the total (direct and diffuse) transmittance along one
    path; ``albedo`` (wavelength, pressure, aod) the spherical albedo; ``phase`` (wavelength, angles
    of ``mie.PHASE_DEG``) the single scattering albedo times the phase function, whose mean is 1.
    """

    model: str
    axes: LutAxes
    path: NDArray[np.float32]
    polarisation: NDArray[np.float32]
    transmittance: NDArray[np.float32]
    albedo: NDArray[np.float32]
    phase: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Column:
    """Optical depths of one atmospheric state and its aerosol."""

    rayleigh: float
    aerosol: float
    optics: AerosolOptics


@dataclass(frozen=True, slots=True)
class _Run:
    """How one call of the engine solves its states."""

    streams: int
    levels: int
    ground: float = 0.0
    polarised: bool = False


def build_lut(
    model: AerosolModel,
    axes: LutAxes,
    progress: Callable[[str, float], None] | None = None,
) -> SpectralLut:
    """Run the radiative transfer for all nodes of one aerosol model.

    About 13 CPU seconds per wavelength with the default axes. ``progress`` gets the name of
    the model and the fraction done.
    """
    nodes = []
    for number, wavelength in enumerate(axes.wavelengths_nm):
        nodes.append(_wavelength_node(model, axes, float(wavelength) / 1000))
        if progress is not None:
            progress(model.name, (number + 1) / axes.wavelengths_nm.size)
    path, polarisation, transmittance, albedo = (
        np.stack(parts).astype(np.float32) for parts in zip(*nodes, strict=True)
    )
    phase = phase_function(model, axes.wavelengths_nm)
    lut = SpectralLut(model.name, axes, path, polarisation, transmittance, albedo, phase)
    if not all(np.isfinite(part).all() for part in (path, polarisation, transmittance, albedo)):
        raise AtmosphereError(
            f"the table of {model.name} holds values that are no numbers: not written; "
            "look for a node at an angle of exactly 0"
        )
    return lut


def phase_function(model: AerosolModel, wavelengths_nm: FloatArray) -> NDArray[np.float32]:
    """Return single scattering albedo times phase function, (wavelength, ``PHASE_DEG``)."""
    found = [aerosol_optics(model, float(each) / 1000) for each in wavelengths_nm]
    rows = [one.single_scattering_albedo * one.phase for one in found]
    return np.stack(rows).astype(np.float32)


def _wavelength_node(
    model: AerosolModel, axes: LutAxes, wavelength_um: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return path, polarisation, transmittance and albedo of one wavelength."""
    optics = aerosol_optics(model, wavelength_um)
    spectral = optics.extinction / aerosol_optics(model, 0.55).extinction
    fine = _columns(axes.pressure_hpa, axes.aod, wavelength_um, spectral, optics)
    coarse = _columns(axes.coarse_pressure_hpa, axes.coarse_aod, wavelength_um, spectral, optics)
    lines = [(vza, raa) for vza in axes.vza_deg for raa in axes.raa_deg]
    runs = [_sun_node(float(sza), fine, coarse, lines) for sza in axes.sza_deg]
    path, bright, layers, bright_layers, extra = (
        np.stack(parts, axis=1) for parts in zip(*runs, strict=True)
    )
    path = path + _refine(layers, axes).reshape(path.shape)
    bright = bright + _refine(bright_layers, axes).reshape(bright.shape)
    transmittance, albedo = _lambertian_terms(path[..., 0], bright)
    states = (axes.pressure_hpa.size, axes.aod.size)
    shape = (*states, axes.sza_deg.size, axes.vza_deg.size, axes.raa_deg.size)
    return (
        path.reshape(shape),
        _refine(extra, axes).reshape(shape),
        transmittance.reshape(shape[:3]),
        albedo.reshape(states),
    )


def _sun_node(
    sza_deg: float, fine: list[_Column], coarse: list[_Column], lines: list[tuple[float, float]]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Run all states under one sun.

    Returns the scalar path (fine, lines) and the nadir reflectance over bright grounds (fine,
    2), what infinitely many layers would add to both (coarse, ...), and what polarisation adds
    to the path (coarse, lines). The error of finite layers falls with their number squared, so
    that doubling it tells the limit.
    """

    def bright(columns: list[_Column], streams: int, levels: int) -> FloatArray:
        """Return the reflectance over the bright grounds, side by side."""
        grounds = [
            _reflectance(columns, sza_deg, lines[:1], _Run(streams, levels, ground))
            for ground in _BRIGHT_GROUNDS
        ]
        return np.concatenate(grounds, axis=1)

    few, many = (
        _reflectance(coarse, sza_deg, lines, _Run(_COARSE_STREAMS, levels))
        for levels in (_LEVELS, _MANY_LEVELS)
    )
    vector = _reflectance(coarse, sza_deg, lines, _Run(_COARSE_STREAMS, _LEVELS, polarised=True))
    bright_few, bright_many = (
        bright(coarse, _COARSE_STREAMS, levels) for levels in (_LEVELS, _MANY_LEVELS)
    )
    return (
        _reflectance(fine, sza_deg, lines, _Run(_STREAMS, _LEVELS)),
        bright(fine, _STREAMS, _LEVELS),
        4 / 3 * (many - few),
        4 / 3 * (bright_many - bright_few),
        vector - few,
    )


def _columns(
    pressures: FloatArray,
    aods: FloatArray,
    wavelength_um: float,
    spectral: float,
    optics: AerosolOptics,
) -> list[_Column]:
    return [
        _Column(float(rayleigh_optical_depth(wavelength_um, p)), float(aod * spectral), optics)
        for p, aod in itertools.product(pressures, aods)
    ]


def _lambertian_terms(black: FloatArray, bright: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split reflectance over three grounds into one-way transmittance and spherical albedo.

    ``black`` (state, sza) and ``bright`` (state, sza, 2) look to nadir. Over a Lambertian
    ground of albedo a the signal rises by T(sza) T(0) a / (1 - S a), exact for a = 0.5 and 1;
    the first sun angle is the zenith.
    """
    half, full = bright[..., 0] - black, bright[..., 1] - black
    albedo = (full - 2 * half) / (full - half)
    product = full * (1 - albedo)
    return product / np.sqrt(product[:, :1]), albedo[:, 0]


def _refine(values: FloatArray, axes: LutAxes) -> FloatArray:
    """Carry (coarse states, ...) to all states, cubic in optical depth, linear in pressure."""
    states = values.reshape(axes.coarse_pressure_hpa.size, axes.coarse_aod.size, -1)
    in_aod = CubicSpline(axes.coarse_aod, states, axis=1)(axes.aod)
    return np.asarray(interp1d(axes.coarse_pressure_hpa, in_aod, axis=0)(axes.pressure_hpa))


def _reflectance(
    columns: list[_Column], sza_deg: float, lines: list[tuple[float, float]], run: _Run
) -> FloatArray:
    """Return pi L / (mu0 F0) at the top, shape (columns, lines); lines are (vza, raa) degrees.

    Relative azimuth 0 is backscatter here and forward scattering in the engine.
    """
    import sasktran2 as sk

    config = sk.Config()
    config.num_streams = run.streams
    config.num_stokes = 3 if run.polarised else 1
    config.single_scatter_source = sk.SingleScatterSource.Exact
    config.multiple_scatter_source = sk.MultipleScatterSource.DiscreteOrdinates
    config.num_singlescatter_moments = MOMENTS
    config.delta_m_scaling = True
    altitudes = _altitudes(run.levels)
    mu0 = float(np.cos(np.deg2rad(max(sza_deg, _NEAR_ZERO_DEG))))
    geometry = sk.Geometry1D(
        mu0,
        0.0,
        6_371_000.0,
        altitudes,
        sk.InterpolationMethod.LinearInterpolation,
        sk.GeometryType.PlaneParallel,
    )
    viewing = sk.ViewingGeometry()
    for vza, raa in lines:
        mu = float(np.cos(np.deg2rad(max(vza, _NEAR_ZERO_DEG))))
        azimuth = float(np.deg2rad(180.0 - raa + _NEAR_ZERO_DEG / 10))
        viewing.add_ray(sk.GroundViewingSolar(mu0, azimuth, mu, _TOP_M * 2))
    atmosphere = sk.Atmosphere(geometry, config, numwavel=len(columns), calculate_derivatives=False)
    atmosphere["scatter"] = _constituent(columns, altitudes, run.polarised)
    atmosphere.surface.albedo[:] = run.ground
    radiance = sk.Engine(config, geometry, viewing).calculate_radiance(atmosphere)
    return np.asarray(radiance["radiance"].isel(stokes=0).values) * np.pi / mu0


def _altitudes(levels: int) -> FloatArray:
    """Levels dense near the ground, where the aerosol is, metres."""
    return np.asarray(_TOP_M * np.expm1(np.linspace(0, 5, levels)) / np.expm1(5))


def _constituent(columns: list[_Column], altitudes: FloatArray, polarised: bool) -> object:
    """Mix Rayleigh and aerosol level by level into one scatterer of the engine."""
    import sasktran2 as sk

    air = _profile(altitudes, _RAYLEIGH_SCALE_M)[:, np.newaxis]
    haze = _profile(altitudes, _AEROSOL_SCALE_M)[:, np.newaxis]
    rayleigh = air * [column.rayleigh for column in columns]
    aerosol = haze * [column.aerosol for column in columns]
    scattering = aerosol * [column.optics.single_scattering_albedo for column in columns]
    share = scattering / (rayleigh + scattering)
    rows = 4 if polarised else 1
    moments = np.zeros((rows * MOMENTS, *share.shape))
    clear = _rayleigh_moments()
    particle = np.stack([column.optics.moments for column in columns], axis=-1)
    for row in range(rows):
        moments[row::rows] = particle[row][:, np.newaxis] * share
        moments[row : row + 3 * rows : rows] += clear[row][:, np.newaxis, np.newaxis] * (1 - share)
    return sk.constituent.Manual(
        rayleigh + aerosol, (rayleigh + scattering) / (rayleigh + aerosol), moments
    )


def _profile(altitudes: FloatArray, scale_m: float) -> FloatArray:
    """Exponential extinction per unit of optical depth, exact under the trapezoidal rule."""
    shape = np.exp(-altitudes / scale_m)
    return np.asarray(shape / np.trapezoid(shape, altitudes))


def _rayleigh_moments() -> FloatArray:
    """Greek coefficients a1, a2, a3, b1 of Rayleigh scattering, shape (4, 3)."""
    delta = (1 - _DEPOLARISATION) / (1 + _DEPOLARISATION / 2)
    moments = np.zeros((4, 3))
    moments[0, 0] = 1
    moments[0, 2] = delta / 2
    moments[1, 2] = 3 * delta
    moments[3, 2] = np.sqrt(6) / 2 * delta
    return moments


def write_lut(lut: SpectralLut, path: Path) -> str:
    """Write a table as compressed npz with its content hash inside; return the hash.

    The polarised correction is small and kept as float16 (rounding below 5e-6).
    """
    parts: dict[str, Any] = {
        "path": lut.path,
        "polarisation": lut.polarisation.astype(np.float16),
        "transmittance": lut.transmittance,
        "albedo": lut.albedo,
        "phase": lut.phase,
        "wavelengths_nm": lut.axes.wavelengths_nm,
        "pressure_hpa": lut.axes.pressure_hpa,
        "aod": lut.axes.aod,
        "sza_deg": lut.axes.sza_deg,
        "vza_deg": lut.axes.vza_deg,
        "raa_deg": lut.axes.raa_deg,
        "angle_deg": PHASE_DEG,
    }
    digest = content_hash(parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, model=lut.model, content_hash=digest, **parts)
    return digest


def write_extinction(
    models: Sequence[AerosolModel], wavelengths_nm: FloatArray, path: Path
) -> None:
    """Write the extinction of models at the nodes of their tables, by that at 550 nm, as JSON."""
    table = {
        model.name: relative_extinction(model, wavelengths_nm).round(5).tolist() for model in models
    }
    content = {"wavelengths_nm": wavelengths_nm.tolist(), "extinction": table}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
