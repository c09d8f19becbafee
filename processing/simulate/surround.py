"""What lies around each pixel: the reflectance that scattered light brings into its view."""

import numpy as np
from scipy import ndimage

from processing.simulate.arrays import Floats
from processing.simulate.ground import Ground
from processing.simulate.lattice import Lattice

_CELL = 16
"""Ground pixels along the side of one averaged cell (256 m)."""
_REACH_M = 800.0
"""Standard deviation of the Gaussian that stands for the scattering's point spread."""
_HEIGHT_M = 300.0


def surroundings(ground: Ground, lattice: Lattice) -> Floats:
    """Return the mean reflectance around the lattice's nodes, shape (bands, nodes, nodes), 0-1.

    Ground without data does not count; where there is none at all the result is 0.
    """
    rows, cols = (size // _CELL for size in ground.grid.shape)
    cells = ground.reflectance[:, : rows * _CELL, : cols * _CELL]
    cells = cells.reshape(len(cells), rows, _CELL, cols, _CELL)
    known = (cells > 0).mean(axis=(2, 4), dtype=np.float32)
    size = ground.grid.resolution * _CELL
    sigma = (0.0, _REACH_M / size, _REACH_M / size)
    total = ndimage.gaussian_filter(1e-4 * cells.mean(axis=(2, 4), dtype=np.float32), sigma)
    share = ndimage.gaussian_filter(known, sigma)
    mean = total / np.maximum(share, 1e-6)
    x, y = lattice.at(_HEIGHT_M)
    place = np.stack([(ground.grid.uly - y) / size - 0.5, (x - ground.grid.ulx) / size - 0.5])
    return np.stack([ndimage.map_coordinates(b, place, order=1, mode="nearest") for b in mean])
