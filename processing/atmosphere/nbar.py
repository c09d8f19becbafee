"""Reflectance as seen from above: normalised for view and sun by the c-factor.

One set of kernel weights serves all land (Roy et al. 2016, RSE 176, 255): the ratio of the
modelled reflectances under the two directions is what is multiplied. The sun is put where the
harmonised Landsat and Sentinel-2 product has it, by latitude (Zhang et al. 2016, RSE 185, 57, as
HLS uses it), the sensor overhead; the latitude is that of the ground, so that what is normalised
to does not depend on the scene. Bands between those of OLI take weights by wavelength.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.grid import Grid
from catalog.product import FILL
from processing.atmosphere.brdf import kernels
from processing.atmosphere.lut import relative_azimuth_deg
from processing.geometry.angles import Angles
from processing.geometry.field import GroundField
from processing.sensors import camera

_WAVELENGTHS_NM: Final = (482.0, 561.5, 654.5, 865.0)
_WEIGHTS: Final = (
    (0.0774, 0.1306, 0.1690, 0.3093),
    (0.0372, 0.0580, 0.0574, 0.1535),
    (0.0079, 0.0178, 0.0227, 0.0330),
)
"""Iso, vol and geo at those wavelengths."""
_SUN: Final = (31.0076, -0.1272, 0.01187, 2.40e-5, -9.48e-7, -1.95e-9, 6.15e-11)
"""Sun zenith as a polynomial of the latitude, degrees."""


def normal_sun_zenith(latitude: ArrayLike) -> NDArray[np.float64]:
    """Return the sun zenith angle of latitudes to which reflectance is normalised, degrees."""
    return np.asarray(np.polynomial.Polynomial(_SUN)(np.asarray(latitude, np.float64)))


def c_factor(camera_name: str, angles: Angles, latitude: ArrayLike) -> NDArray[np.float32]:
    """Return what reflectance is multiplied by to be that under the normal directions.

    Parameters
    ----------
    camera_name
        E.g. "GF6WFV".
    angles
        Sun and view, degrees, (rows, cols).
    latitude
        Of the ground, degrees; one, or (rows, cols).

    Returns
    -------
    ndarray of float32
        (bands, rows, cols); about 0.8 to 1.25.
    """
    centres = [band.center_nm for band in camera(camera_name).bands]
    weights = np.stack([np.interp(centres, _WAVELENGTHS_NM, values) for values in _WEIGHTS])
    raa = relative_azimuth_deg(angles.sun_azimuth, angles.view_azimuth)
    seen = kernels(angles.sun_zenith, angles.view_zenith, raa)
    sun = np.broadcast_to(normal_sun_zenith(latitude), angles.sun_zenith.shape)
    above, from_side = (
        np.einsum("kb,k...->b...", weights, each) for each in (kernels(sun, 0.0, 0.0), seen)
    )
    return np.asarray(above / from_side, np.float32)


def normalised(
    sr: NDArray[np.uint16], grid: Grid, cells: Grid, factors: NDArray[np.float32]
) -> NDArray[np.uint16]:
    """Return the NBAR asset of a tile.

    Parameters
    ----------
    sr
        Encoded surface reflectance (bands, rows, cols), 0 = no data.
    grid
        Frame of ``sr``.
    cells, factors
        The c-factor of each band on a coarse grid.
    """
    out = np.empty_like(sr)
    for band, values in enumerate(sr):
        factor = GroundField(cells, factors[band]).on(grid)
        steps = np.clip(np.rint(values * factor), 1, 65535).astype(np.uint16)
        out[band] = np.where(values == FILL, FILL, steps)
    return out
