"""A real stereo pair whose two images must lie on each other when drawn on the relief."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from catalog.grid import Grid
from processing.geometry.dem import HeightModel, open_dem
from processing.geometry.ortho import covered_window, orthorectify
from processing.geometry.rpc import Rpc

BOUNDS = (5.19, 44.20, 5.20, 44.22)
METRES = 0.5
SIDE, SEARCH = 96, 80
AROUND = Grid(32631, 674_400.0, 4_898_400.0, METRES, 4_000, 4_000)


@dataclass(frozen=True)
class Image:
    """One image of the pair."""

    path: Path
    rpc: Rpc
    width: int
    height: int
    bands: int = 1

    @classmethod
    def of(cls, path: Path) -> "Image":
        with rasterio.open(path) as raster:
            tags = raster.tags(ns="RPC")
            names = {
                "line_offset": "LINE_OFF", "sample_offset": "SAMP_OFF", "lat_offset": "LAT_OFF",
                "lon_offset": "LONG_OFF", "height_offset": "HEIGHT_OFF",
                "line_scale": "LINE_SCALE", "sample_scale": "SAMP_SCALE",
                "lat_scale": "LAT_SCALE", "lon_scale": "LONG_SCALE",
                "height_scale": "HEIGHT_SCALE",
            }  # fmt: skip
            scalars = {name: float(tags[tag]) for name, tag in names.items()}
            lists = {
                name: tuple(map(float, tags[f"{tag}_COEFF"].split()))
                for name, tag in (
                    ("line_num", "LINE_NUM"), ("line_den", "LINE_DEN"),
                    ("sample_num", "SAMP_NUM"), ("sample_den", "SAMP_DEN"),
                )
            }  # fmt: skip
            return cls(path, Rpc(**scalars, **lists), raster.width, raster.height)

    def read(self, row: int, col: int, rows: int, cols: int) -> NDArray[np.uint16]:
        with rasterio.open(self.path) as raster:
            return np.asarray(raster.read(window=Window(col, row, cols, rows)))


def apart_m(folder: Path, heights: HeightModel) -> float:
    """Return the mean distance between the two images on the ground, metres.

    Windows of 48 m all over the common ground are looked for within 40 m by normalised
    cross-correlation. One by one they are up to 8 m off, since the slope is steep and the posts
    of the height model are 90 m apart.
    """
    pair = [Image.of(folder / f"phr_ventoux_{side}_rpc.tif") for side in ("left", "right")]
    windows = [covered_window([image], AROUND, heights) for image in pair]
    first = [max(window[axis] for window in windows) for axis in (0, 1)]
    last = [min(window[axis] + window[axis + 2] for window in windows) for axis in (0, 1)]
    frame = AROUND.window(*first, last[0] - first[0], last[1] - first[1])
    left, right = (orthorectify([image], frame, heights).dn[0].astype(np.float32) for image in pair)
    around = np.pad(right, SEARCH)
    shifts = []
    for row in range(0, frame.rows - SIDE, SIDE // 2):
        for col in range(0, frame.cols - SIDE, SIDE // 2):
            here = left[row : row + SIDE, col : col + SIDE]
            there = around[row : row + SIDE + 2 * SEARCH, col : col + SIDE + 2 * SEARCH]
            if here.all():
                likeness = cv2.matchTemplate(there, here, cv2.TM_CCOEFF_NORMED)
                _, best, _, (x, y) = cv2.minMaxLoc(likeness)
                if best > 0.6:
                    shifts.append((x - SEARCH, y - SEARCH))
    assert len(shifts) >= 6
    return float(np.hypot(*np.mean(shifts, axis=0))) * METRES


def on_relief(data: Path, geoid: Path | None = None) -> HeightModel:
    """Return the heights of the mountain: SRTM and EGM96."""
    return open_dem(data / "dem" / "SRTM90_N44E005_ventoux.tif", BOUNDS, geoid=geoid)


def without_geoid(data: Path, folder: Path) -> HeightModel:
    """Return the same heights taken for ellipsoidal; a copy of them is written to ``folder``."""
    with rasterio.open(data / "dem" / "SRTM90_N44E005_ventoux.tif") as raster:
        profile, values = raster.profile, raster.read()
    taken = folder / "as_ellipsoidal.tif"
    with rasterio.open(taken, "w", **(profile | {"crs": "EPSG:4979"})) as raster:
        raster.write(values)
    return open_dem(taken, BOUNDS)
