"""Light of the surroundings that the air scatters into the view, taken out of reflectance.

Over a ground that differs from its surroundings the signal at the top of the atmosphere is
(Vermote et al. 1997, IEEE TGRS 35, 675-686)::

    toa = path + T(sun) [direct rho + scattered <rho>] / (1 - S <rho>)

where <rho> is the mean of the reflectance around, weighted with the point spread of the air. What
corrects a uniform ground knows y = (toa - path) / (T(sun) T(view)); with a = T(view) / direct::

    rho = a y (1 - S <rho>) - (a - 1) <rho>

which is the uniform result where <rho> equals rho. How much of the scattered light comes from
within a radius is 6S's environment function, one for air and one for haze, with its dependence on
the view zenith (Vermote et al. 2006, 6S user guide version 3, part II; Tanre et al. 1981, Applied
Optics 20, 3676-3684); the mean of both is weighted with what each scatters.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from catalog.grid import Grid
from processing.atmosphere.correct import Coefficients

Float32Array = NDArray[np.float32]
Floats = NDArray[np.float64]

REACH_M: Final = 40_000.0
"""Radius of the point spread; 96 % of what air scatters at nadir comes from within, all of haze."""
ROUNDS: Final = 2
"""Rounds of the surroundings' own correction; a third changes the result by less than 0.0005."""
_AIR: Final = ((0.930, 0.080), (0.070, 1.100))
_HAZE: Final = ((0.448, 0.270), (0.552, 2.830))
"""Share and decay per km of the exponentials of both environment functions at nadir."""
_OBLIQUE: Final = (1.3347, 0.57757, -1.479, -1.5275)
_FINE: Final = 16
"""Points along the side of a cell at which the point spread is read."""
_LEAST_KNOWN: Final = 0.05
"""Share of the point spread below which too little of the surroundings is seen."""


def environment_function(radius_km: Floats, view_zenith_deg: float) -> tuple[Floats, Floats]:
    """Return the shares, 0 to 1, of what air and haze scatter that come from within radii.

    Parameters
    ----------
    radius_km
        Kilometres, from 0.
    view_zenith_deg
        0 to 48 degrees.
    """
    polynomials = _obliquity(view_zenith_deg)
    air, haze = (
        polynomial(1 - sum(share * np.exp(-decay * radius_km) for share, decay in parts))
        for polynomial, parts in zip(polynomials, (_AIR, _HAZE), strict=True)
    )
    return np.asarray(air), np.asarray(haze)


def _obliquity(view_zenith_deg: float) -> tuple[np.polynomial.Polynomial, np.polynomial.Polynomial]:
    """Return what the nadir functions of air and haze become under a view zenith."""
    log = math.log(math.cos(math.radians(view_zenith_deg)))
    first = _OBLIQUE[0] * log + _OBLIQUE[1] * log**2
    second = _OBLIQUE[2] * log + _OBLIQUE[3] * log**2
    air = np.polynomial.Polynomial([0.0, 1 + log, -log])
    return air, np.polynomial.Polynomial([0.0, 1 + first, second, -first - second])


def _density(radius_km: Floats, view_zenith_deg: float) -> tuple[Floats, Floats]:
    """Return the light of air and haze by area at distances above 0, 1/km2."""
    found = []
    for polynomial, parts in zip(_obliquity(view_zenith_deg), (_AIR, _HAZE), strict=True):
        falling = [(share * np.exp(-decay * radius_km), decay) for share, decay in parts]
        inner = 1 - sum(value for value, _ in falling)
        slope = sum(decay * value for value, decay in falling)
        found.append(polynomial.deriv()(inner) * slope / (2 * np.pi * radius_km))
    return found[0], found[1]


def point_spread(cell_m: float, view_zenith_deg: float) -> tuple[Float32Array, Float32Array]:
    """Return the point spreads of air and haze on square cells, float32, each of sum 1.

    Parameters
    ----------
    cell_m
        Side of a cell, metres.
    view_zenith_deg
        0 to 48 degrees.

    Returns
    -------
    Two arrays (2 n + 1, 2 n + 1) with the pixel itself in the middle.
    """
    cells = math.ceil(REACH_M / cell_m)
    at = np.arange(-cells, cells + 1) * cell_m / 1000
    row, col = np.meshgrid(at, at, indexing="ij")
    distance = np.hypot(row, col)
    middle = slice(max(cells - 8, 0), cells + 9)
    inside = ((np.arange(_FINE) + 0.5) / _FINE - 0.5) * cell_m / 1000
    near = np.hypot(
        row[middle, middle, None, None] + inside[:, None], col[middle, middle, None, None] + inside
    )
    spreads = []
    far = _density(np.maximum(distance, cell_m / 2000), view_zenith_deg)
    for whole, fine in zip(far, _density(near, view_zenith_deg), strict=True):
        whole[middle, middle] = fine.mean(axis=(2, 3))
        whole[distance > REACH_M / 1000] = 0
        spreads.append(np.asarray(whole / whole.sum(), np.float32))
    return spreads[0], spreads[1]


@dataclass(frozen=True, slots=True)
class Surround:
    """Means of surroundings on cells of one shape, by both point spreads.

    ``spectra`` are the transforms of the point spreads on ``padded``, the shape with room for
    them, and ``seen`` the share of each that falls on cells with data.
    """

    known: NDArray[np.bool_]
    padded: tuple[int, int]
    spectra: tuple[NDArray[np.complex64], NDArray[np.complex64]]
    seen: tuple[Float32Array, Float32Array]

    @classmethod
    def over(cls, known: NDArray[np.bool_], cell_m: float, view_zenith_deg: float) -> "Surround":
        """Return what averages over the cells ``known``, bool (rows, cols)."""
        spreads = point_spread(cell_m, view_zenith_deg)
        reach = len(spreads[0]) // 2
        rows, cols = (scipy.fft.next_fast_len(size + reach, real=True) for size in known.shape)
        spectra = []
        for spread in spreads:
            room = np.zeros((rows, cols), np.float32)
            _wrap(spread, room, reach)
            spectra.append(scipy.fft.rfft2(room))
        both = spectra[0], spectra[1]
        return cls(
            known, (rows, cols), both, _convolved(known.astype(np.float32), (rows, cols), both)
        )

    def means(self, values: Float32Array, air: Float32Array) -> Float32Array:
        """Return the mean around each cell.

        Parameters
        ----------
        values
            (rows, cols) float32; what lies on cells not known does not count.
        air
            Share of air in what is scattered, 0-1, (rows, cols); the rest is haze.

        Returns
        -------
        ndarray of float32
            NaN where too little around is known.
        """
        inside = np.where(self.known, values, np.float32(0))
        convolved = _convolved(inside, self.padded, self.spectra)
        shares = (air, 1 - air)
        weight = sum(share * seen for share, seen in zip(shares, self.seen, strict=True))
        total = sum(share * part for share, part in zip(shares, convolved, strict=True))
        mean = total / np.maximum(weight, np.float32(_LEAST_KNOWN))
        return np.where(weight < _LEAST_KNOWN, np.float32(np.nan), mean).astype(np.float32)


def _convolved(
    values: Float32Array,
    padded: tuple[int, int],
    spectra: tuple[NDArray[np.complex64], NDArray[np.complex64]],
) -> tuple[Float32Array, Float32Array]:
    """Return values (rows, cols) spread by both point spreads."""
    rows, cols = values.shape
    spectrum = scipy.fft.rfft2(values, s=padded)
    first, second = (scipy.fft.irfft2(spectrum * each, s=padded)[:rows, :cols] for each in spectra)
    return first, second


def _wrap(spread: Float32Array, room: Float32Array, reach: int) -> None:
    """Put a point spread into an array so that its middle is at (0, 0), over the edges."""
    at = np.arange(-reach, reach + 1)
    np.add.at(room, np.ix_(at % room.shape[0], at % room.shape[1]), spread)


def sharpened(
    signal: Float32Array, albedo: Float32Array, contrast: Float32Array, around: Float32Array
) -> Float32Array:
    """Return the reflectance of ground in surroundings that differ.

    Parameters
    ----------
    signal
        y of the module's text: the reflectance at the top without path and transmittances.
    albedo
        Spherical albedo of the sky.
    contrast
        Total by direct transmittance of the way up, from 1.
    around
        Mean reflectance of the surroundings; NaN takes the ground for uniform.
    """
    uniform = signal / (1 + albedo * signal)
    mean = np.where(np.isfinite(around), around, uniform)
    found = contrast * signal * (1 - albedo * mean) - (contrast - 1) * mean
    return np.asarray(found, np.float32)


def surroundings(
    signal: Float32Array,
    albedo: Float32Array,
    contrast: Float32Array,
    air: Float32Array,
    surround: Surround,
) -> Float32Array:
    """Return the mean reflectance around each cell in one band.

    The surroundings have surroundings too: their own correction is repeated ``ROUNDS`` times.

    Parameters
    ----------
    signal, albedo, contrast
        As in :func:`sharpened`, (rows, cols) float32; ``signal`` NaN where not known.
    air
        Share of air in what is scattered.
    surround
        Of the known cells.

    Returns
    -------
    ndarray of float32
        (rows, cols); NaN where too little around is known.
    """
    ground = signal / (1 + albedo * signal)
    mean = surround.means(ground, air)
    for _ in range(ROUNDS):
        mean = surround.means(sharpened(signal, albedo, contrast, mean), air)
    return mean


def in_surroundings(
    coefs: Coefficients, contrast: Float32Array, around: Float32Array, grid: Grid
) -> Coefficients:
    """Return coefficients that take the light of the surroundings out.

    Parameters
    ----------
    coefs
        For uniform ground, on ``grid``.
    contrast, around
        As in :func:`sharpened`, (bands, rows, cols) on ``grid``.
    grid
        Cells fine enough for the surroundings to be linear between them.

    Returns
    -------
    Coefficients
        Without a spherical albedo: rho = gain * toa + offset. For uniform ground where
        ``around`` is NaN.
    """
    known = np.isfinite(around)
    mean = np.where(known, around, np.float32(0))
    scale = contrast * (1 - coefs.albedo * mean)
    gain = np.where(known, scale * coefs.gain, coefs.gain)
    offset = np.where(known, scale * coefs.offset - (contrast - 1) * mean, coefs.offset)
    albedo = np.where(known, np.float32(0), coefs.albedo)
    return Coefficients(grid, *(np.asarray(p, np.float32) for p in (gain, offset, albedo)))
