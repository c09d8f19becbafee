"""How bright ground looks from different sides: the kernels of MODIS's BRDF product.

RossThick (Roujean et al. 1992, JGR 97, 20455) and LiSparse-Reciprocal with h/b = 2 and b/r = 1
(Wanner et al. 1995, JGR 100, 21077), as written in Lucht, Schaaf and Strahler 2000, IEEE TGRS 38,
977-998. Reflectance is iso + vol * K_vol + geo * K_geo; both kernels are 0 with sun and sensor
overhead.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_CROWN_HEIGHT = 2.0
"""Height of the crowns' centres over their vertical radius, h/b."""


def kernels(sza: ArrayLike, vza: ArrayLike, raa: ArrayLike) -> Floats:
    """Return the weights of iso, vol and geo, shape (3, ...).

    Parameters
    ----------
    sza, vza
        Zenith angles of sun and view, degrees below 90.
    raa
        Relative azimuth, degrees; 0 is the sun behind the sensor, where the hot spot is.
    """
    sun, view, azimuth = (np.radians(np.asarray(each, np.float64)) for each in (sza, vza, raa))
    cosine = np.cos(sun) * np.cos(view) + np.sin(sun) * np.sin(view) * np.cos(azimuth)
    cosine = np.clip(cosine, -1.0, 1.0)
    phase = np.arccos(cosine)
    vol = ((np.pi / 2 - phase) * cosine + np.sin(phase)) / (np.cos(sun) + np.cos(view)) - np.pi / 4
    geo = _li_sparse(sun, view, azimuth, cosine)
    return np.stack(np.broadcast_arrays(np.ones_like(vol), vol, geo))


def _li_sparse(sun: Floats, view: Floats, azimuth: Floats, cosine: Floats) -> Floats:
    """Return LiSparse-R; with b/r = 1 crowns are spheres and angles stay what they are."""
    secants = 1 / np.cos(sun) + 1 / np.cos(view)
    tan_sun, tan_view = np.tan(sun), np.tan(view)
    distance = tan_sun**2 + tan_view**2 - 2 * tan_sun * tan_view * np.cos(azimuth)
    across = (tan_sun * tan_view * np.sin(azimuth)) ** 2
    overlap_cosine = _CROWN_HEIGHT * np.sqrt(np.maximum(distance, 0) + across) / secants
    t = np.arccos(np.clip(overlap_cosine, -1.0, 1.0))
    overlap = (t - np.sin(t) * np.cos(t)) * secants / np.pi
    lit = 0.5 * (1 + cosine) / (np.cos(sun) * np.cos(view))
    return np.asarray(overlap - secants + lit)
