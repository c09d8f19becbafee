"""One tile of one scene: resampled once, corrected, classified and written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid, Tile
from catalog.product import (
    ANGLE_SCALE,
    FILL,
    QA,
    REFLECTANCE_SCALE,
    TERRAIN_FACTOR,
    MaskClass,
    asset_specs,
    optional_specs,
)
from processing.atmosphere.correct import surface_reflectance
from processing.atmosphere.nbar import c_factor, normalised
from processing.atmosphere.sky import Sky
from processing.atmosphere.uncertainty import CONFUSED_WITH, reflectance_uncertainty
from processing.calibrate import toa_encoded, usable_cosine
from processing.geometry.angles import AngleField
from processing.geometry.dem import HeightModel
from processing.geometry.field import GroundField
from processing.geometry.ortho import covered_window, orthorectify
from processing.look import Observation, SceneLook
from processing.outline import outline
from processing.quality.qa import mask_and_qa
from processing.relief import Relief, multiplied
from processing.settings import ProcessSettings
from processing.write import write_cog, write_thumbnail

CELL_PIXELS = 64
"""Pixels along one side of a cell of atmospheric coefficients: 1024 m."""
_LEAST_AOD = REFLECTANCE_SCALE / 2
"""Optical depth below which the stored one is clamped, as 0 is no data."""
_ANGLE_STEP = 8
"""Pixels between those that the mean angles of a tile are taken from."""


@dataclass(frozen=True, slots=True)
class TileImage:
    """The assets of one tile over the window that the scene covers.

    ``arrays`` maps asset keys to encoded integers, (bands, rows, cols) or (rows, cols);
    ``row`` and ``col`` place them in the tile.
    """

    tile: Tile
    frame: Grid
    row: int
    col: int
    arrays: dict[str, NDArray[np.unsignedinteger]]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Pixels with an observation, shape (rows, cols)."""
        return np.asarray(self.arrays["mask"] != MaskClass.FILL)

    def outline(self) -> dict[str, Any]:
        """Return the GeoJSON outline of the valid pixels, longitude and latitude."""
        return outline(self.valid, self.frame)

    def mean_angles(self) -> dict[str, float]:
        """Return mean angles of the valid pixels, degrees; azimuths as the mean direction.

        Keys are ``saa``, ``sza``, ``vaa`` and ``vza``, of sun and view.
        """
        stored = self.arrays["angle"][:, ::_ANGLE_STEP, ::_ANGLE_STEP]
        if not stored.any():
            stored = self.arrays["angle"]
        seen = np.radians(stored[:, stored[1] != FILL].astype(np.float64) * ANGLE_SCALE)
        means = {}
        for name, values in zip(("saa", "sza", "vaa", "vza"), seen, strict=True):
            mean = values.mean()
            if name.endswith("aa"):
                mean = np.arctan2(np.sin(values).mean(), np.cos(values).mean()) % (2 * np.pi)
            means[name] = float(np.degrees(mean))
        return means

    def write(self, folder: Path, item_id: str) -> dict[str, Path]:
        """Write every asset and the thumbnail into ``folder``; return the files by key."""
        files: dict[str, Path] = {}
        specs = (*asset_specs(item_id[:3]), *optional_specs(item_id[:3]))
        for spec in (spec for spec in specs if spec.key in self.arrays):
            files[spec.key] = folder / f"{item_id}.{spec.key}.tiff"
            write_cog(
                files[spec.key], self.arrays[spec.key], spec, self.tile.grid, self.row, self.col
            )
        files["thumbnail"] = folder / f"{item_id}.thumbnail.webp"
        write_thumbnail(files["thumbnail"], self.arrays["SR"])
        return files


def make_tile(
    seen: Observation, looked: SceneLook, tile: Tile, settings: ProcessSettings
) -> TileImage | None:
    """Make the assets of ``tile``, or None where the scene covers too little of it.

    Parameters
    ----------
    seen, looked
        The scene and the look at the whole of it.
    tile
        Tile of the grid.
    settings
        Options of production.
    """
    window = covered_window(seen.package.parts, tile.grid, seen.heights)
    if window is None:
        return None
    row, col, rows, cols = window
    frame = tile.grid.window(row, col, rows, cols)
    pixels = _resampled(seen, frame, settings)
    least = settings.minimum_valid_percent / 100.0 * tile.grid.rows * tile.grid.cols
    if np.count_nonzero(pixels.toa[0]) < max(least, 1.0):
        return None
    return TileImage(tile, frame, row, col, _assets(seen, looked, pixels, settings))


@dataclass(frozen=True, slots=True)
class _Pixels:
    """The image on a frame of a tile: encoded TOA reflectance, and under which light.

    ``saturated`` (rows, cols) are bits of bands, ``sun_zenith`` (rows, cols) degrees.
    """

    frame: Grid
    toa: NDArray[np.uint16]
    saturated: NDArray[np.uint8]
    directions: AngleField
    sun_zenith: NDArray[np.float32]


def _resampled(seen: Observation, frame: Grid, settings: ProcessSettings) -> _Pixels:
    """Draw the image on a frame; ground under a sun below the limit has no data."""
    ortho = orthorectify(
        seen.package.parts,
        frame,
        seen.heights,
        kernel=settings.kernel,
        saturation_dn=seen.package.camera.saturation_dn,
    )
    field = seen.angles(frame)
    cells = frame.coarsen(CELL_PIXELS)
    sun_zenith = GroundField(cells, field.on(cells).sun_zenith).on(frame)
    cos_sza = usable_cosine(sun_zenith, settings.sun_limit_deg)
    toa = toa_encoded(ortho.dn, seen.factors, cos_sza)
    return _Pixels(frame, toa, ortho.saturated, field, sun_zenith)


def _assets(
    seen: Observation, looked: SceneLook, pixels: _Pixels, settings: ProcessSettings
) -> dict[str, NDArray[np.unsignedinteger]]:
    """Correct and classify the resampled image."""
    frame, toa, field = pixels.frame, pixels.toa, pixels.directions
    cells = frame.coarsen(CELL_PIXELS)
    sky = Sky(seen.package.camera.name, looked.aod, looked.gas, field, seen.heights)
    best = sky.coefficients(cells)
    uniform, clamped = surface_reflectance(toa, frame, best)
    sr = uniform
    if looked.surroundings is not None:
        sr, clamped = surface_reflectance(
            toa, frame, looked.surroundings.taken_out(best, sky, frame)
        )
    valid = toa[0] != 0
    aod = looked.aod.on(frame)
    source = looked.aod.source_on(frame)
    mask, qa = mask_and_qa(
        looked.quality,
        toa,
        frame,
        saturated=pixels.saturated != 0,
        clamped=clamped | (aod < _LEAST_AOD),
        aod=aod,
        aerosol_source=source,
        low_sun=pixels.sun_zenith > settings.low_sun_deg,
    )
    arrays: dict[str, NDArray[np.unsignedinteger]] = {
        "angle": np.where(valid, field.encoded(frame), 0).astype(np.uint16),
        "TOA": toa,
        "AOD": _encoded(aod, valid),
        "SR": sr,
        "mask": mask,
        "qa": qa,
    }
    if settings.uncertainty:
        arrays["AOD_uncertainty"] = _encoded(looked.aod.uncertainty_on(frame), valid)
        arrays["SR_uncertainty"] = _uncertainty(seen, pixels, uniform, sky, cells)
    if looked.relief is not None:
        _level(arrays, looked.relief, frame, seen.heights, field)
    if settings.nbar:
        _, latitude = cells.lonlat(*np.indices(cells.shape, np.float64))
        factors = c_factor(seen.package.camera.name, field.on(cells), latitude)
        arrays["NBAR"] = normalised(sr, frame, cells, factors)
    return arrays


def _uncertainty(
    seen: Observation, pixels: _Pixels, sr: NDArray[np.uint16], sky: Sky, cells: Grid
) -> NDArray[np.uint16]:
    """Return one sigma of the reflectance that was made with the depth of ``sky``."""
    moved = sky.fit.moved()
    return reflectance_uncertainty(
        pixels.toa,
        sr,
        pixels.frame,
        brighter=sky.coefficients(cells, aod=moved.brighter),
        hazier=sky.coefficients(cells, aod=moved.hazier),
        other_model=sky.coefficients(cells, CONFUSED_WITH[sky.fit.model], aod=moved.other_model),
        calibration_sigma=seen.calibration.normalisation_uncertainty,
    )


def _level(
    arrays: dict[str, NDArray[np.unsignedinteger]],
    relief: Relief,
    frame: Grid,
    heights: HeightModel,
    directions: AngleField,
) -> None:
    """Correct the slopes of a tile, and with them what is told of their reflectance."""
    mask, qa = arrays["mask"], arrays["qa"]
    shadow = qa & QA["terrain_shadow"].encode(1) != 0
    lit = ((mask == MaskClass.CLEAR) | (mask == MaskClass.SNOW)) & ~shadow
    factors, clamped = relief.applied(arrays["SR"], lit, frame, heights, directions)
    arrays[TERRAIN_FACTOR] = factors
    arrays["qa"] = np.where(clamped, qa | QA["clamped"].encode(1), qa)
    if "SR_uncertainty" in arrays:
        arrays["SR_uncertainty"] = multiplied(arrays["SR_uncertainty"], factors)


def _encoded(depth: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return optical depths in steps of 0.0001, 0 where not valid."""
    steps = np.clip(np.rint(depth / REFLECTANCE_SCALE), 1, 65535)
    return np.where(valid, steps, 0).astype(np.uint16)
