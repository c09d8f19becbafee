"""The quality bits of a tile: every class and flag that applies, where the mask keeps one."""

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import QA, MaskClass
from processing.quality.mask import Context, SceneQuality, strips

CONFIDENCE_STEPS = (0.2, 0.5, 0.8)
"""Probabilities from which cloud confidence is low, medium and high."""
HIGH_AEROSOL = 0.5
"""Aerosol optical depth at 550 nm above which the aerosol counts as high."""


def tile_qa(
    mask: NDArray[np.uint8],
    quality: SceneQuality,
    grid: Grid,
    *,
    toa: NDArray[np.uint16],
    saturated: NDArray[np.bool_],
    clamped: NDArray[np.bool_],
    aod: NDArray[np.float32],
    aerosol_source: NDArray[np.uint8],
    low_sun: NDArray[np.bool_],
) -> NDArray[np.uint16]:
    """Return the ``qa`` asset of a tile, uint16 (rows, cols), 0 = no data.

    Parameters
    ----------
    mask
        The ``mask`` asset of the tile.
    quality
        The classified scene.
    grid
        Frame of all arrays, which are (rows, cols) but for ``toa``.
    toa
        Encoded TOA reflectance (bands, rows, cols) uint16, 0 = no data.
    saturated, clamped, low_sun
        Saturated input, clamped reflectance, sun zenith above the limit.
    aod
        Aerosol optical depth at 550 nm.
    aerosol_source
        Value of the ``aerosol_source`` field, 0-3.
    """
    qa = np.empty(grid.shape, np.uint16)
    for strip in strips(quality, toa, grid):
        rows = strip.rows
        shadow = (mask[rows] == MaskClass.CLOUD_SHADOW) | (strip.shadow > 0.5)
        values = {
            "cloud_confidence": np.digitize(np.nan_to_num(strip.cloud), CONFIDENCE_STEPS),
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
            "incomplete": ~np.isfinite(strip.cloud) | (not quality.network),
        }
        qa[rows] = _pack(values, mask[rows] != MaskClass.FILL)
    return qa


def _pack(values: dict[str, NDArray[np.generic]], valid: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return the fields as bits where ``valid``, else 0."""
    bits = np.full(valid.shape, QA["valid"].encode(1), np.uint16)
    for name, value in values.items():
        bits |= value.astype(np.uint16) << np.uint16(QA[name].offset)
    return np.where(valid, bits, np.uint16(0))
