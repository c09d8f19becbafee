"""From TOA to surface reflectance with the atmosphere known.

Over a Lambertian ground (Vermote et al. 1997, IEEE TGRS 35, 675-686)::

    toa = Tg (path' + T Tw rho / (1 - S rho)),    path' = rayleigh + (path - rayleigh) Tw/2

with Tg of ozone and oxygen, Tw of water vapour and Tw/2 of half of it, which light scattered
by haze meets. Solved for rho: y = gain * toa + offset, rho = y / (1 + S y). The three
coefficients vary slowly: they are computed on cells of about 1 km and are bilinear between
their centres.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from catalog.errors import AtmosphereError
from catalog.grid import Grid
from catalog.product import REFLECTANCE_SCALE
from processing.atmosphere.gas import GasColumns, gas_transmittance
from processing.atmosphere.lut import (
    Terms,
    camera_lut,
    relative_azimuth_deg,
    surface_pressure_hpa,
)
from processing.geometry.angles import Angles

Float32Array = NDArray[np.float32]

HIGHEST_REFLECTANCE = 1.6
"""Above it a surface reflectance is clamped and flagged."""
_SCALE = np.float32(REFLECTANCE_SCALE)
_STEPS = np.float32(1 / REFLECTANCE_SCALE)
_TOP = np.float32(HIGHEST_REFLECTANCE / REFLECTANCE_SCALE)
_ONE = np.float32(1)
_HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Inversion coefficients at the cell centres of ``grid``, float32 (bands, rows, cols)."""

    grid: Grid
    gain: Float32Array
    offset: Float32Array
    albedo: Float32Array


def gas_coupled(
    terms: Terms,
    rayleigh: Float32Array,
    gas_above: Float32Array,
    water: Float32Array,
    half_water: Float32Array,
) -> Terms:
    """Return terms of the atmosphere with its gases, all shapes (bands, ...)."""
    path = rayleigh + (terms.path - rayleigh) * half_water
    return Terms(gas_above * path, gas_above * water * terms.transmittance, terms.albedo)


def coefficients(
    camera_name: str,
    model: str,
    gas: GasColumns,
    *,
    angles: Angles,
    aod: Float32Array,
    heights: Float32Array,
    cgrid: Grid,
) -> Coefficients:
    """Return the inversion coefficients of every cell.

    Parameters
    ----------
    camera_name, model
        Camera and aerosol model.
    gas
        Columns of the absorbing gases.
    angles
        Directions of sun and sensor on ``cgrid``, degrees.
    aod
        Optical depth at 550 nm on ``cgrid``, 0 to 2; (bands, rows, cols) gives each band its own.
    heights
        Metres above the ellipsoid on ``cgrid``; NaN counts as 0.
    cgrid
        The cells.

    Returns
    -------
    Coefficients
        Cells without angles take those of the nearest cell with them.

    Raises
    ------
    AtmosphereError
        The sun is too low, or another value outside the look-up table; no cell has angles.
    """
    if aod.shape[-2:] != cgrid.shape:
        raise AtmosphereError(f"optical depth of shape {aod.shape} for cells of {cgrid.shape}")
    terms = atmosphere_terms(camera_name, model, gas, angles=angles, aod=aod, heights=heights)
    gain = np.float32(1) / terms.transmittance
    planes = (gain, np.asarray(-terms.path * gain, np.float32), terms.albedo)
    return Coefficients(cgrid, *(fill_nearest(plane) for plane in planes))


def atmosphere_terms(
    camera_name: str,
    model: str,
    gas: GasColumns,
    *,
    angles: Angles,
    aod: Float32Array,
    heights: Float32Array,
) -> Terms:
    """Return the terms of the atmosphere with its gases, shape (bands, rows, cols).

    Parameters and errors are those of :func:`coefficients`.
    """
    lut = camera_lut(camera_name)
    pressure = surface_pressure_hpa(np.nan_to_num(heights))
    sza, vza = angles.sun_zenith, angles.view_zenith
    raa = relative_azimuth_deg(angles.sun_azimuth, angles.view_azimuth)
    nodes = lut.node_terms(model, sza=sza, vza=vza, raa=raa, pressure_hpa=pressure)
    terms = lut.at_depth(model, nodes, aod)
    gases = gas_transmittance(camera_name, gas, sza=sza, vza=vza, pressure_hpa=pressure)
    return gas_coupled(terms, nodes.path[..., 0], gases.above, gases.water, gases.half_water)


def surface_reflectance(
    toa: NDArray[np.uint16], grid: Grid, coefs: Coefficients
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Invert encoded TOA reflectance pixel by pixel.

    Parameters
    ----------
    toa
        (bands, rows, cols), steps of 0.0001, 0 = no data.
    grid
        The frame of ``toa``, in the zone of ``coefs.grid``.
    coefs
        From :func:`coefficients`.

    Returns
    -------
    sr : uint16, (bands, rows, cols)
        Steps of 0.0001, 0 = no data, valid values 1 to 16000.
    clamped : bool, (rows, cols)
        A band was at or below 0 or above 1.6 and is clamped.

    Raises
    ------
    AtmosphereError
        Bands, shape or zone of the arguments differ.
    """
    if toa.shape != (coefs.gain.shape[0], *grid.shape) or grid.epsg != coefs.grid.epsg:
        raise AtmosphereError(
            f"TOA of shape {toa.shape} on {grid.shape} in zone {grid.epsg} does not fit "
            f"coefficients of {coefs.gain.shape[0]} bands in zone {coefs.grid.epsg}"
        )
    down = (coefs.grid.uly - grid.uly) / coefs.grid.resolution
    right = (grid.ulx - coefs.grid.ulx) / coefs.grid.resolution
    step = grid.resolution / coefs.grid.resolution
    rows = _between(grid.rows, down, step, coefs.grid.rows)
    left, weight = _between(grid.cols, right, step, coefs.grid.cols)
    starts = np.searchsorted(left, np.arange(max(coefs.grid.cols, 2)))
    starts[0], starts[-1] = 0, grid.cols
    out = np.empty_like(toa)
    clamped = np.zeros(grid.shape, dtype=np.bool_)
    _invert(toa, coefs.gain, coefs.offset, coefs.albedo, rows, (starts, weight), out, clamped)
    return out, clamped


def _between(
    pixels: int, offset: float, step: float, cells: int
) -> tuple[NDArray[np.int64], Float32Array]:
    """Left cell and weight of the right cell of every pixel centre along one axis."""
    position = np.clip((np.arange(pixels) + 0.5) * step + offset - 0.5, 0, cells - 1)
    left = np.minimum(position.astype(np.int64), max(cells - 2, 0))
    return left, (position - left).astype(np.float32)


def fill_nearest(plane: Float32Array) -> Float32Array:
    """Replace NaN cells of (bands, rows, cols) by the nearest cell that has values."""
    empty = ~np.isfinite(plane).all(axis=0)
    if empty.all():
        raise AtmosphereError("no cell has sun and view angles: nothing can be corrected")
    if not empty.any():
        return plane
    row, col = distance_transform_edt(
        np.asarray(empty), return_distances=False, return_indices=True
    )
    return np.ascontiguousarray(plane[:, row, col])


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _invert(
    toa: NDArray[np.uint16],
    gain: Float32Array,
    offset: Float32Array,
    albedo: Float32Array,
    rows: tuple[NDArray[np.int64], Float32Array],
    cols: tuple[NDArray[np.int64], Float32Array],
    out: NDArray[np.uint16],
    clamped: NDArray[np.bool_],
) -> None:
    """Fill ``out`` and ``clamped`` line by line.

    The two rows of cells around a line are spread over its columns once for all the lines
    between them, so that the loop over a line's pixels has no gathers. It is compiled to vectors
    only without numba's test for division by zero (``error_model``) and inside this function,
    where the compiler sees that ``spread`` overlaps nothing: 4 times faster than without.
    """
    bands, height, width = toa.shape
    spread = np.empty((2, 3, width), dtype=np.float32)
    for band in range(bands):
        above = -1
        for row in range(height):
            if rows[0][row] != above:
                above = rows[0][row]
                below = min(above + 1, gain.shape[1] - 1)
                for side, cell in enumerate((above, below)):
                    _spread(gain[band, cell], cols, spread[side, 0])
                    _spread(offset[band, cell], cols, spread[side, 1])
                    _spread(albedo[band, cell], cols, spread[side, 2])
            _invert_line(toa[band, row], spread, rows[1][row], out[band, row], clamped[row])


@numba.njit(cache=True, nogil=True)
def _spread(
    cells: Float32Array, cols: tuple[NDArray[np.int64], Float32Array], line: Float32Array
) -> None:
    """Interpolate a row of cells to the columns of a line."""
    starts, weight = cols
    for cell in range(max(cells.size - 1, 1)):
        left, right = cells[cell], cells[min(cell + 1, cells.size - 1)]
        for col in range(starts[cell], starts[cell + 1]):
            line[col] = _mix(left, right, weight[col])


@numba.njit(inline="always")
def _invert_line(
    toa: NDArray[np.uint16],
    spread: Float32Array,
    share: np.float32,
    out: NDArray[np.uint16],
    clamped: NDArray[np.bool_],
) -> None:
    """Invert a line of one band."""
    gain, offset, albedo = spread[0]
    gain_below, offset_below, albedo_below = spread[1]
    for col in range(toa.size):
        dn = np.int32(toa[col])
        g = _mix(gain[col], gain_below[col], share)
        o = _mix(offset[col], offset_below[col], share)
        s = _mix(albedo[col], albedo_below[col], share)
        y = g * (np.float32(dn) * _SCALE) + o
        rho = _STEPS * y / (_ONE + s * y) + _HALF
        bounded = min(max(rho, _ONE), _TOP)
        out[col] = np.int32(bounded) if dn != 0 else np.int32(0)
        clamped[col] |= (dn != 0) & (bounded != rho)


@numba.njit(inline="always")
def _mix(first: np.float32, second: np.float32, share: np.float32) -> np.float32:
    """Interpolate."""
    return first + share * (second - first)
