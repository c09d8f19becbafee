"""Which bands of a stored product are saturated: ``qa`` tells only that one of them is.

A band whose counts were clipped cannot be brighter than its highest count means. A pixel that
``qa`` flags counts as saturated in the bands that come close to that reflectance: resampling
mixes clipped counts with their neighbours.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.product import QA
from processing.calibrate import reflectance_factors
from processing.sensors import Calibration, camera

MOST_SATURATED: Final = 0.01
"""Share of saturated pixels up to which the mean of a place stands: clipped a tenth too low, they
take a thousandth off it."""
_CLOSE = 0.9
"""Part of the highest reflectance from which a flagged pixel counts as saturated."""


def saturated_bands(
    facts: Mapping[str, Any],
    camera_name: str,
    toa: NDArray[np.floating],
    sun_zenith_deg: NDArray[np.floating],
    qa: NDArray[np.unsignedinteger],
) -> NDArray[np.bool_]:
    """Tell in which bands pixels of a product are saturated.

    Parameters
    ----------
    facts
        Properties of the STAC item, with its ``gfard:calibration``.
    camera_name
        E.g. "GF1WFV1".
    toa
        TOA reflectance (bands, ...).
    sun_zenith_deg
        Degrees, shape (...) or one that broadcasts to it.
    qa
        Bits of the ``qa`` asset, shape (...).

    Returns
    -------
    bool, (bands, ...)
    """
    used = facts["gfard:calibration"]
    slope, intercept, esun = (tuple(used[name]) for name in ("slope", "intercept", "esun"))
    known = Calibration(slope, intercept, esun, used["irradiance"], used["source"], None, ())
    scale, offset = reflectance_factors(known, datetime.fromisoformat(facts["datetime"]))
    highest = scale * camera(camera_name).saturation_dn + offset
    per_band = highest.reshape(-1, *(1 for _ in toa.shape[1:]))
    flagged = qa & QA["saturated"].encode(1) != 0
    bright = toa * np.cos(np.radians(sun_zenith_deg)) >= _CLOSE * per_band
    return np.asarray(bright & flagged)
