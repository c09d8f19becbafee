"""One tile of the surface library as a value: what its cells look like from every side.

Each cell of 512 m has, for each band of a camera, the weights of the BRDF kernels
(``atmosphere.brdf``) and the scatter of single clear observations about them; for all bands
together the number of observations and the information matrix of their kernels, which says how
well the weights are known at a geometry and lets further observations come in without the old
ones (recursive least squares: Plackett 1950, Biometrika 37, 149-157).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from catalog.errors import AtmosphereError
from catalog.grid import Grid, tile
from processing.atmosphere.brdf import kernels
from processing.atmosphere.lut import relative_azimuth_deg
from processing.geometry.angles import Angles

Float32Array = NDArray[np.float32]
Floats = NDArray[np.float64]

CELL_PIXELS = 32
"""Pixels of 16 m along one side of a cell of 512 m."""
CELL_M = 16.0 * CELL_PIXELS
KERNELS = ("iso", "vol", "geo")
PAIRS = tuple((i, j) for i in range(3) for j in range(i, 3))
"""Entries of a symmetric 3 x 3 matrix in the order in which they are kept."""

_START_SHAPE = (1.0, 0.45, 0.12)
"""Weights of a cell seen once, over its iso: means of MODIS (Roy et al. 2016, RSE 176, 255)."""
_START_INFORMATION = (1e-6, 0.02, 0.1)
"""What that shape counts for, as squared sums of kernels."""
_START_SIGMA = 0.02
_START_COUNT = 3.0
"""Scatter of a cell before it is known, and how many observations it counts for."""
_FORGETTING = 0.98
"""Weight that old observations keep at each new one."""
_MOST_SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class SurfaceTile:
    """The cells of one tile for one camera; NaN = never seen.

    Attributes
    ----------
    camera, name
        E.g. "GF1WFV1", "31TCL".
    weights
        (bands, 3, rows, cols), float32, weights of ``KERNELS`` in reflectance.
    sigma
        (bands, rows, cols), float32, scatter of a single observation.
    count
        (rows, cols), float32, clear observations so far.
    information
        (6, rows, cols), float32, sums of products of kernels in the order of ``PAIRS``.
    source
        Where it comes from.
    items
        Products that have come in.
    resolution_m
        Side of the ground that a cell's weights stand for, at least that of a cell.
    """

    camera: str
    name: str
    weights: Float32Array
    sigma: Float32Array
    count: Float32Array
    information: Float32Array
    source: str
    items: tuple[str, ...] = ()
    resolution_m: float = CELL_M

    @property
    def grid(self) -> Grid:
        """Grid of the cells."""
        return cell_grid(self.name)

    def expected(self, angles: Angles) -> tuple[Float32Array, Float32Array]:
        """Return reflectance and its sigma at a geometry on ``grid``, (bands, rows, cols)."""
        k = angle_kernels(angles)
        reflectance = np.einsum("bkrc,krc->brc", self.weights, k)
        sigma = self.sigma * np.sqrt(1 + self._leverage(k))
        return reflectance.astype(np.float32), sigma.astype(np.float32)

    def updated(self, reflectance: Float32Array, angles: Angles, item: str) -> "SurfaceTile":
        """Return the tile with one more clear observation.

        Parameters
        ----------
        reflectance
            (bands, rows, cols), NaN = not clear.
        angles
            Directions on ``grid``, degrees.
        item
            Id of the product; one that has come in already changes nothing.
        """
        if item in self.items:
            return self
        k = angle_kernels(angles)
        seen = np.isfinite(reflectance).all(axis=0) & np.isfinite(k).all(axis=0)
        known = seen & np.isfinite(self.count)
        fresh = seen & ~known
        started = self._start(fresh, reflectance, k)
        return replace(started._learn(known, reflectance, k), items=(*self.items, item))

    def _leverage(self, k: Floats) -> Floats:
        """Variance of a prediction over that of a single observation: k' information^-1 k."""
        matrix = np.moveaxis(_matrices(self.information), (0, 1), (-2, -1))
        vector = np.moveaxis(k, 0, -1)[..., np.newaxis]
        known = np.isfinite(matrix).all(axis=(-2, -1)) & np.isfinite(vector).all(axis=(-2, -1))
        out = np.full(known.shape, np.nan)
        solved = np.linalg.solve(matrix[known], vector[known])
        out[known] = np.sum(vector[known] * solved, axis=(-2, -1))
        return out

    def _start(self, fresh: NDArray[np.bool_], seen: Float32Array, k: Floats) -> "SurfaceTile":
        """Give cells seen for the first time the usual shape at the brightness seen."""
        shape = np.array(_START_SHAPE)
        iso = seen[:, fresh] / np.einsum("k,kn->n", shape, k[:, fresh])
        weights, sigma, count, information = (
            part.copy() for part in (self.weights, self.sigma, self.count, self.information)
        )
        weights[:, :, fresh] = iso[:, np.newaxis] * shape[:, np.newaxis]
        sigma[:, fresh] = _START_SIGMA
        count[fresh] = 1
        for place, (i, j) in enumerate(PAIRS):
            start = _START_INFORMATION[i] if i == j else 0.0
            information[place, fresh] = start + k[i, fresh] * k[j, fresh]
        return replace(self, weights=weights, sigma=sigma, count=count, information=information)

    def _learn(self, known: NDArray[np.bool_], seen: Float32Array, k: Floats) -> "SurfaceTile":
        """Correct the weights of known cells by what the prediction missed.

        A miss beyond three sigma counts as one: a cloud that was not seen moves a cell little,
        and ground that has changed is followed slowly.
        """
        vector = k[:, known]
        matrix = _FORGETTING * _matrices(self.information)[:, :, known].astype(np.float64)
        leverage = self._leverage(k)[known]
        miss = seen[:, known] - np.einsum("bkn,kn->bn", self.weights[:, :, known], vector)
        usual = self.sigma[:, known] * np.sqrt(1 + leverage)
        miss = np.where(np.abs(miss) > _MOST_SIGMAS * usual, np.sign(miss) * usual, miss)
        matrix += vector[:, np.newaxis] * vector
        gain = np.linalg.solve(np.moveaxis(matrix, -1, 0), vector.T[..., np.newaxis])[..., 0].T
        count = self.count[known] + _START_COUNT
        square = self.sigma[:, known].astype(np.float64) ** 2
        square += (miss**2 / (1 + leverage) - square) / (count + 1)
        weights, sigma, counts, information = (
            part.copy() for part in (self.weights, self.sigma, self.count, self.information)
        )
        weights[:, :, known] += gain * miss[:, np.newaxis]
        sigma[:, known] = np.sqrt(square)
        counts[known] += 1
        for place, (i, j) in enumerate(PAIRS):
            information[place, known] = matrix[i, j]
        return replace(self, weights=weights, sigma=sigma, count=counts, information=information)


def empty_tile(camera_name: str, name: str, bands: int, source: str) -> SurfaceTile:
    """Return a tile of which nothing is known."""
    rows, cols = cell_grid(name).shape
    weights, sigma, count, information = (
        np.full((*layers, rows, cols), np.nan, np.float32)
        for layers in ((bands, 3), (bands,), (), (len(PAIRS),))
    )
    return SurfaceTile(camera_name, name, weights, sigma, count, information, source)


def cell_grid(name: str) -> Grid:
    """Return the cells of a tile: 512 m, from its upper-left corner."""
    return tile(name).grid.coarsen(CELL_PIXELS)


def angle_kernels(angles: Angles) -> Floats:
    """Return the kernels on a grid of directions, (3, rows, cols); NaN where unknown."""
    return kernels(
        angles.sun_zenith,
        angles.view_zenith,
        relative_azimuth_deg(angles.sun_azimuth, angles.view_azimuth),
    )


def check_bands(surface: SurfaceTile, bands: int) -> None:
    """Raise AtmosphereError where a tile has another number of bands than its camera."""
    if len(surface.weights) != bands:
        raise AtmosphereError(
            f"library of {surface.name} for {surface.camera} has {len(surface.weights)} bands, "
            f"{bands} wanted; build it again"
        )


def _matrices(information: Float32Array) -> Floats:
    """Return (6, ...) as symmetric matrices (3, 3, ...)."""
    out = np.empty((3, 3, *information.shape[1:]))
    for place, (i, j) in enumerate(PAIRS):
        out[i, j] = out[j, i] = information[place]
    return out
