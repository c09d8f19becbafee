"""The shift between two real Sentinel-2 images, whose answer is known."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio

from benchmarks.rows.row import Row, at_most
from catalog.grid import Grid
from processing.geometry.matching import match_chips
from tests.scenery import Picture

SHIFT_M = (-7.38, -19.22)
"""East and north, by phase correlation of 20 clear windows of 256 pixels."""


def pair_rows(data: Path | None) -> Iterator[Row]:
    """Measure the shift of two Sentinel-2 images with the matching code."""
    if data is None:
        reason = "GFARD_TEST_DATA is not set: it names the folder with the real imagery"
        yield Row("registration_pair_apart_per_axis", None, "pixel", skipped=reason)
        return
    target = read_picture(data / "coreg/S2A_T33UUU_20160529_tgt_north.tif")
    reference = read_picture(data / "coreg/S2A_T33UUU_20160608_ref_north.tif")
    size, search = 64, 6
    corners = [
        (row, col)
        for row in range(search, target.grid.rows - size - search, size)
        for col in range(search, target.grid.cols - size - search, size)
    ]
    scene = np.stack([target.values[r : r + size, c : c + size] for r, c in corners])
    around = reference.read(target.grid)
    larger = np.stack(
        [around[r - search : r + size + search, c - search : c + size + search] for r, c in corners]
    )
    shifts = match_chips(scene, larger)
    turns = []
    for _ in range(5):
        start = time.process_time()
        match_chips(scene, larger)
        turns.append(time.process_time() - start)
    spent = min(turns)  # what else runs on the machine only adds
    good = shifts.ratio > 1.4
    east, north = 10.0 * np.median(shifts.right[good]), -10.0 * np.median(shifts.down[good])
    yield Row("registration_pair_east", round(float(east), 3), "m")
    yield Row("registration_pair_north", round(float(north), 3), "m")
    apart = float(max(abs(east - SHIFT_M[0]), abs(north - SHIFT_M[1]))) / 10.0
    yield at_most("registration_pair_apart_per_axis", apart, "pixel", 0.1)
    yield at_most(
        "registration_cpu_per_point", 1e3 * spent / int((shifts.ratio > 0).sum()), "ms", 0.4
    )


def read_picture(path: Path) -> Picture:
    """Read a one-band raster; 0 is no data."""
    with rasterio.open(path) as raster:
        values = raster.read(1).astype(np.float32)
        grid = Grid(raster.crs.to_epsg(), raster.transform.c, raster.transform.f,
                    raster.transform.a, raster.height, raster.width)  # fmt: skip
    return Picture(grid, np.where(values > 0, values, np.float32(np.nan)))
