"""Mask and quality bits of a tile: of all classes and flags that apply the mask keeps one."""

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import QA
from processing.quality.mask import Context, SceneQuality
from processing.quality.strips import strips

CONFIDENCE_STEPS = (0.2, 0.5, 0.8)
"""Probabilities from which cloud confidence is low, medium and high."""
HIGH_AEROSOL = 0.5
"""Aerosol optical depth at 550 nm above which the aerosol counts as high."""


def mask_and_qa(
    quality: SceneQuality,
    toa: NDArray[np.uint16],
    grid: Grid,
    *,
    saturated: NDArray[np.bool_],
    clamped: NDArray[np.bool_],
    aod: NDArray[np.float32],
    aerosol_source: NDArray[np.uint8],
    low_sun: NDArray[np.bool_],
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Return the ``mask`` and ``qa`` assets of a tile, both from one pass over it.

    Parameters
    ----------
    quality
        The classified scene.
    toa
        Encoded TOA reflectance (bands, rows, cols) uint16, 0 = no data.
    grid
        Frame of all arrays, which are (rows, cols) but for ``toa``.
    saturated, clamped, low_sun
        Saturated input, clamped reflectance, sun zenith above the limit.
    aod
        Aerosol optical depth at 550 nm.
    aerosol_source
        Value of the ``aerosol_source`` field, 0-3.

    Returns
    -------
    mask
        uint8 (rows, cols) of ``MaskClass``.
    qa
        uint16 (rows, cols), the fields of ``catalog.product.QA``, 0 = no data.
    """
    mask, qa = np.empty(grid.shape, np.uint8), np.empty(grid.shape, np.uint16)
    for strip in strips(quality, toa, grid):
        rows = strip.rows
        shadow = strip.shadow > 0.5
        unseen_cloud = strip.context & Context.UNSEEN_CLOUD != 0
        mask[rows] = strip.classes
        values = {
            "cloud_confidence": sum(
                ((strip.cloud >= step).view(np.uint8) for step in CONFIDENCE_STEPS),
                np.zeros(strip.cloud.shape, np.uint8),
            ),
            "cloud_shadow": shadow,
            "snow": strip.snow,
            "water": strip.water,
            "saturated": saturated[rows],
            "aerosol_source": aerosol_source[rows],
            "high_aerosol": aod[rows] > HIGH_AEROSOL,
            "clamped": clamped[rows],
            "low_sun": low_sun[rows],
            "terrain_shadow": strip.context & Context.TERRAIN_SHADOW != 0,
            "terrain_occlusion": strip.context & Context.TERRAIN_OCCLUSION != 0,
            "cloud_adjacent": strip.context & Context.CLOUD_ADJACENT != 0,
            "incomplete": ~np.isfinite(strip.cloud)
            | (shadow & unseen_cloud)
            | (not quality.network),
        }
        qa[rows] = _pack(values, strip.valid)
    return mask, qa


def _pack(values: dict[str, NDArray[np.generic]], valid: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return the fields as bits where ``valid``, else 0."""
    bits = np.full(valid.shape, QA["valid"].encode(1), np.uint16)
    for name, value in values.items():
        bits |= value.astype(np.uint16) << np.uint16(QA[name].offset)
    return np.where(valid, bits, np.uint16(0))
