"""Photons followed one by one through air and haze over a ground of any pattern.

A Monte Carlo forward model that shares no code with table, point spread or correction: photons go
backwards from the sensor (Mayer 2009, European Physical Journal Conferences 1, 75), scatter on
molecules and particles, meet the ground, and at every event the light that the sun sends there is
added. The haze scatters as its Mie moments say; polarisation is left out.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_AIR_KM, _HAZE_KM = 8.0, 2.0
"""Scale heights."""
_ANGLES = 4001


@dataclass(frozen=True, slots=True)
class Haze:
    """Optical depth of a haze at one wavelength, its single-scattering albedo and moments."""

    depth: float
    albedo: float
    moments: Floats

    def tables(self) -> tuple[Floats, Floats]:
        """Return the phase function at even scattering angles 0-180, and its sum over cosines."""
        angle = np.linspace(0, np.pi, _ANGLES)
        phase = np.polynomial.legendre.legval(np.cos(angle), self.moments)
        phase = np.maximum(phase, 1e-6)
        share = np.concatenate(
            [[0], np.cumsum((phase[1:] + phase[:-1]) / 2 * -np.diff(np.cos(angle)))]
        )
        return phase / share[-1] * 2, share / share[-1]


@dataclass(frozen=True, slots=True)
class Sun:
    """Directions, degrees: zeniths of sun and sensor, and their azimuths from the x axis."""

    zenith: float
    view_zenith: float = 0.0
    azimuth: float = 0.0
    view_azimuth: float = 0.0


def edge(bright: float, dark: float) -> Floats:
    """Describe two half planes: dark where x < 0."""
    return np.array([0.0, dark, bright, 0.0])


def disc(inside: float, outside: float, radius_km: float) -> Floats:
    """Describe a disc around the origin."""
    return np.array([1.0, inside, outside, radius_km])


def seen_from_space(
    pattern: Floats,
    places_km: Floats,
    air_depth: float,
    haze: Haze,
    sun: Sun,
    photons: int,
    seed: int = 1,
) -> tuple[Floats, Floats]:
    """Return reflectance at the top (pi L / (mu0 F0)) of places on the x axis, and its error.

    All places share their photons, so that the difference between them has little noise.
    """
    phase, share = haze.tables()
    mean, square = np.zeros(len(places_km)), np.zeros(len(places_km))
    _trace(
        pattern, np.asarray(places_km), air_depth, (haze.depth, haze.albedo), phase, share,
        np.radians([sun.zenith, sun.azimuth, sun.view_zenith, sun.view_azimuth]),
        photons, np.random.default_rng(seed), mean, square,
    )  # fmt: skip
    mean /= photons
    return mean, np.sqrt(np.maximum(square / photons - mean**2, 0) / photons)


@numba.njit(cache=True)
def _ground(pattern: Floats, x: float, y: float) -> float:
    if pattern[0] == 0.0:
        return pattern[1] if x < 0 else pattern[2]
    return pattern[1] if x * x + y * y < pattern[3] ** 2 else pattern[2]


@numba.njit(cache=True)
def _depth_above(z: float, air: float, haze: float) -> float:
    return air * np.exp(-z / _AIR_KM) + haze * np.exp(-z / _HAZE_KM)


@numba.njit(cache=True)
def _height_of(depth: float, air: float, haze: float) -> float:
    """Height at which ``depth`` lies above, by bisection."""
    low, high = 0.0, 120.0
    for _ in range(50):
        z = 0.5 * (low + high)
        if _depth_above(z, air, haze) > depth:
            low = z
        else:
            high = z
    return 0.5 * (low + high)


@numba.njit(cache=True)
def _turned(u: float, v: float, w: float, cosine: float, phi: float) -> tuple[float, float, float]:
    """Direction turned by a scattering angle and an azimuth around it."""
    sine = np.sqrt(max(0.0, 1 - cosine * cosine))
    if abs(w) > 0.99999:
        return sine * np.cos(phi), sine * np.sin(phi), cosine * np.sign(w)
    root = np.sqrt(1 - w * w)
    a, b = sine * np.cos(phi), sine * np.sin(phi)
    return (
        a * u * w / root - b * v / root + u * cosine,
        a * v * w / root + b * u / root + v * cosine,
        -a * root + w * cosine,
    )


@numba.njit(cache=True)
def _phase_at(cosine: float, phase: Floats) -> float:
    """Phase function of haze, whose values are evenly spaced in angle, linear between them."""
    at = np.arccos(min(1.0, max(-1.0, cosine))) / np.pi * (phase.size - 1)
    i = min(int(at), phase.size - 2)
    return float(phase[i] + (at - i) * (phase[i + 1] - phase[i]))


@numba.njit(cache=True)
def _by_air(rng: np.random.Generator) -> float:
    """Draw the cosine of an angle by which air scatters, by rejection."""
    while True:
        cosine = 2 * rng.random() - 1
        if 2 * rng.random() < 1 + cosine * cosine:
            return float(cosine)


@numba.njit(cache=True)
def _by_haze(share: Floats, rng: np.random.Generator) -> float:
    """Draw the cosine of an angle by which haze scatters, from the share scattered within each."""
    i = min(max(np.searchsorted(share, rng.random()), 1), share.size - 1)
    return float(np.cos((i - rng.random()) / (share.size - 1) * np.pi))


@numba.njit(cache=True)
def _trace(
    pattern: Floats,
    places: Floats,
    air: float,
    particles: tuple[float, float],
    phase: Floats,
    share: Floats,
    angles: Floats,
    photons: int,
    rng: np.random.Generator,
    mean: Floats,
    square: Floats,
) -> None:
    """Add up what each photon brings to every place."""
    haze, haze_albedo = particles
    mu0 = np.cos(angles[0])
    sun = (np.sin(angles[0]) * np.cos(angles[1]), np.sin(angles[0]) * np.sin(angles[1]), mu0)
    whole = air + haze
    n = places.size
    weight, found = np.empty(n), np.empty(n)
    for _ in range(photons):
        # From the ground point along the view direction reversed; z in km, position of entry.
        w = -np.cos(angles[2])
        u, v = -np.sin(angles[2]) * np.cos(angles[3]), -np.sin(angles[2]) * np.sin(angles[3])
        z = 120.0
        x, y = -u / -w * z, -v / -w * z
        weight[:] = 1.0
        found[:] = 0.0
        for _event in range(200):
            above = _depth_above(z, air, haze)
            reach = -np.log(1 - rng.random()) * abs(w)
            if w < 0:
                target = above + reach
                if target >= whole:
                    x, y, z = x + u * z / -w, y + v * z / -w, 0.0
                    light = mu0 * np.exp(-whole / mu0)
                    for k in range(n):
                        weight[k] *= _ground(pattern, places[k] + x, y)
                        found[k] += weight[k] * light / mu0
                    w = np.sqrt(rng.random())
                    phi = 2 * np.pi * rng.random()
                    u, v = np.sqrt(1 - w * w) * np.cos(phi), np.sqrt(1 - w * w) * np.sin(phi)
                    if weight.max() < 1e-4:
                        break
                    continue
            else:
                target = above - reach
                if target <= 0:
                    break
            height = _height_of(target, air, haze)
            x, y = x + u * (height - z) / w, y + v * (height - z) / w
            z = height
            of_air, of_haze = (
                air / _AIR_KM * np.exp(-z / _AIR_KM),
                haze / _HAZE_KM * np.exp(-z / _HAZE_KM),
            )
            is_air = rng.random() * (of_air + of_haze) < of_air
            toward = u * sun[0] + v * sun[1] + w * sun[2]
            if is_air:
                scatter = 0.75 * (1 + toward * toward)
            else:
                weight *= haze_albedo
                scatter = _phase_at(toward, phase)
            sky = np.exp(-_depth_above(z, air, haze) / mu0)
            for k in range(n):
                found[k] += weight[k] * scatter * sky / 4 / mu0
            cosine = _by_air(rng) if is_air else _by_haze(share, rng)
            u, v, w = _turned(u, v, w, cosine, 2 * np.pi * rng.random())
            if abs(w) < 1e-6:
                w = 1e-6
        for k in range(n):
            mean[k] += found[k]
            square[k] += found[k] ** 2
