"""Speed and accuracy of the geometry: resampling, angles, and the co-registration of scenes.

The scene of the resampling is a synthetic pushbroom over hills. Times are CPU seconds of one
process, both sides measured in turn in the same run; GDAL warps with ``RPC_DEM``, ``XSCALE=1`` and
``YSCALE=1``.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pvlib
from numpy.typing import NDArray

from benchmarks.rows.batches import BATCH, SMALL_BATCH, batch_rows
from benchmarks.rows.products import ALL, SOME, product_rows
from benchmarks.rows.registration import registration_rows
from benchmarks.rows.row import Row, at_least, at_most, show
from benchmarks.rows.stability import DATES, SMALL_DATES, stability_rows
from benchmarks.rows.stereo import stereo_rows
from benchmarks.scene import MEMORY_BAR_GB
from catalog.grid import Grid
from catalog.product import TILE_PIXELS
from processing.geometry.angles import angle_field, sun_position
from processing.geometry.dem import HeightModel, open_dem
from processing.geometry.ortho import orthorectify
from processing.geometry.rpc import Rpc
from tests.pushbroom import (
    ArrayPart,
    Pushbroom,
    fit_rpc,
    gdal_ortho,
    position_error,
    textured,
    write_dem,
)

EPSG = 32631
BARS = {"cubic": 7.0, "bilinear": 9.0}
Kernel = Literal["cubic", "bilinear"]


@dataclass(frozen=True, slots=True)
class Scene:
    """A camera with its image, heights (for us, and as a file for GDAL) and a ground grid."""

    camera: Pushbroom
    part: ArrayPart
    heights: HeightModel
    gdal_dem: Path
    target: Grid


def make_scene(folder: Path, pixels: int) -> Scene:
    """Make an image that covers a ground grid of ``pixels`` squared."""
    size = round(pixels * 1.3)
    camera = Pushbroom(2.3, 44.4, rows=size, cols=size)
    lon, lat = camera.ground([0, 0, size, size], [0, size, 0, size], 0.0)
    bounds = (lon.min() - 0.05, lat.min() - 0.05, lon.max() + 0.05, lat.max() + 0.05)
    ours = write_dem(folder / "ellipsoidal.tif", bounds)
    row, col = (float(v) for v in Grid(EPSG, 0, 0, 16.0, 1, 1).rowcol(2.3, 44.4))
    ulx, uly = round(col - pixels / 2) * 16.0 + 4.0, -round(row - pixels / 2) * 16.0
    return Scene(
        camera,
        ArrayPart(textured(4, size, size), Rpc(**fit_rpc(camera))),
        open_dem(ours, bounds),
        write_dem(folder / "plain.tif", bounds, epsg=4326),
        Grid(EPSG, ulx, uly, 16.0, pixels, pixels),
    )


def cpu_seconds(work: Callable[[], NDArray[np.uint16]]) -> tuple[float, NDArray[np.uint16]]:
    """Return the CPU time of a piece of work, and what it made."""
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


def warp_rows(scene: Scene, kernel: Kernel) -> Iterator[Row]:
    """Compare time and pixels with GDAL: the median of three turns with one of GDAL."""
    part, target = scene.part, scene.target
    orthorectify([part], target.window(0, 0, 64, 64), scene.heights, kernel=kernel)
    turns = [
        cpu_seconds(lambda: orthorectify([part], target, scene.heights, kernel=kernel).dn)
        for _ in range(3)
    ]
    ours, own = float(np.median([seconds for seconds, _ in turns])), turns[0][1]
    theirs, gdal = cpu_seconds(
        lambda: gdal_ortho(part.pixels, part.rpc, target, scene.gdal_dem, kernel)
    )
    size = f"{target.rows}x{target.cols}x{part.bands}"
    yield Row(f"warp_{kernel}_cpu_{size}", round(ours, 3), "s")
    yield Row(f"warp_{kernel}_cpu_gdal_{size}", round(theirs, 3), "s")
    yield at_least(f"warp_{kernel}_less_cpu_than_gdal", theirs / ours, "times", BARS[kernel])
    valid, seen = own[0] != 0, gdal[0] != 0
    yield at_most(f"warp_{kernel}_validity_differs", float((valid != seen).mean()), "1", 1e-4)
    near = [np.abs(a - b.astype(np.int32)) <= 1 for a, b in zip(own, gdal, strict=True)]
    share = float(np.mean([band[valid & seen].mean() for band in near]))
    yield at_least(f"warp_{kernel}_within_1_count", share, "1", 0.999)


def lattice_row(scene: Scene) -> Row:
    """Return the worst error of an image position over pieces of the scene."""
    size = scene.part.height
    places = np.random.default_rng(0).uniform(0.15 * size, 0.85 * size, (40, 2)).round()
    worst = max(position_error(scene.part.rpc, *at, scene.heights, EPSG) for at in places)
    return at_most("lattice_error", worst, "pixel", 0.005)


def angle_rows(scene: Scene) -> Iterator[Row]:
    """Compare view angles with the camera's rays, and time the angle asset."""
    flat = open_dem(None, (0.0, 0.0, 1.0, 1.0))
    start = datetime(2020, 6, 24, 10, 55, tzinfo=UTC)
    begun = time.process_time()
    field = angle_field([scene.part], start, start, scene.target, flat)
    yield Row("angle_field_cpu", round(time.process_time() - begun, 4), "s")
    angles = field.on(scene.target)
    pick = slice(None, None, 97)
    row, col = np.indices(scene.target.shape)[:, pick, pick]
    zenith, azimuth = scene.camera.view_angles(
        *scene.part.rpc.image(*scene.target.lonlat(row, col), 0.0), 0.0
    )
    apart = np.abs(angles.view_zenith[pick, pick] - zenith).max()
    yield at_most("view_zenith_error", float(apart), "degree", 0.01)
    apart = np.abs((angles.view_azimuth[pick, pick] - azimuth + 180.0) % 360.0 - 180.0).max()
    yield at_most("view_azimuth_error", float(apart), "degree", 0.01)
    field.encoded(scene.target.window(0, 0, 16, 16))
    seconds, _ = cpu_seconds(lambda: field.encoded(scene.target))
    yield Row(f"angles_encoded_cpu_{scene.target.rows}", round(seconds, 3), "s")


def sun_rows(cases: int) -> Iterator[Row]:
    """Compare the sun with the solar position algorithm of NREL."""
    rng = np.random.default_rng(0)
    first, last = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2013, 2027))
    seconds = rng.uniform(first, last, cases).round()
    lon, lat = rng.uniform(-180, 180, cases), rng.uniform(-80, 82, cases)
    zenith, azimuth = sun_position(seconds, lon, lat)
    truth = [
        pvlib.solarposition.spa_python(pd.DatetimeIndex([when]), y, x).iloc[0]
        for when, x, y in zip(pd.to_datetime(seconds, unit="s", utc=True), lon, lat, strict=True)
    ]
    true_zenith = np.array([row.zenith for row in truth])
    apart = (azimuth - np.array([row.azimuth for row in truth]) + 180.0) % 360.0 - 180.0
    yield at_most("sun_zenith_error", float(np.abs(zenith - true_zenith).max()), "degree", 0.02)
    arc = np.abs(apart) * np.sin(np.radians(true_zenith))
    yield at_most("sun_azimuth_arc_error", float(arc.max()), "degree", 0.02)


def rows(full: bool) -> Iterator[Row]:
    """Yield every figure; ``full`` resamples a whole tile, and takes whole batches."""
    with tempfile.TemporaryDirectory() as folder:
        scene = make_scene(Path(folder), TILE_PIXELS if full else 2560)
        for kernel in get_args(Kernel):
            yield from warp_rows(scene, kernel)
        yield lattice_row(scene)
        yield from angle_rows(scene)
    yield from sun_rows(300)
    data = os.environ.get("GFARD_TEST_DATA")
    yield from stereo_rows(Path(data) if data else None)
    yield from registration_rows(full, Path(data) if data else None)
    yield from batch_rows(Path(data) if data else None, BATCH if full else SMALL_BATCH)
    yield from stability_rows(DATES if full else SMALL_DATES)
    yield from product_rows(ALL if full else SOME)
    for title, option in (("full_scene", "--full"), ("full_gf6_scene", "--gf6")):
        why = f"takes long: benchmarks/scene.py {option} measures it"
        yield at_most(f"{title}_peak_memory", None, "GB", MEMORY_BAR_GB[title], skipped=why)


def main() -> None:
    """Print the figures, one a line; exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="whole tiles and scenes, every trial")
    options = parser.parse_args()
    raise SystemExit(show(rows(options.full), as_json=options.json))


if __name__ == "__main__":
    main()
