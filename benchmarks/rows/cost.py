"""What co-registration costs: CPU time and memory of a whole scene."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine
from scipy import ndimage

from benchmarks.rows.row import Row, at_most
from benchmarks.rows.trial import Image
from catalog.grid import Grid
from processing.geometry.coregister import coregister
from processing.geometry.dem import HeightModel, open_dem
from processing.geometry.ortho import orthorectify
from processing.geometry.rpc import Rpc
from tests.pushbroom import ArrayPart, Pushbroom, fit_rpc, write_dem


@dataclass(frozen=True)
class Itself:
    """The scene as its own reference, by its true camera model; counts the CPU time of reading."""

    part: ArrayPart
    heights: HeightModel
    spent: list[float] = field(default_factory=list)
    label: str = "itself"
    band: str = "red"

    def read(self, grid: Grid) -> Image:
        """Draw the scene on a grid; NaN = no data."""
        start = time.process_time()
        dn = orthorectify([self.part], grid, self.heights, kernel="bilinear").dn[0]
        self.spent.append(time.process_time() - start)
        return np.where(dn > 0, dn, np.float32(np.nan)).astype(np.float32)


def cost_rows(folder: Path, shape: tuple[int, int]) -> Iterator[Row]:
    """Measure time and memory of a scene of four bands over heights at one second of arc.

    Its reference is the scene itself seen by the true camera model, whose reading is not counted.
    """
    rows, cols = shape
    camera = Pushbroom(2.3, 44.4, rows=rows, cols=cols)
    lon, lat = camera.ground([0, 0, rows, rows], [0, cols, 0, cols], 0.0)
    bounds = (lon.min() - 0.05, lat.min() - 0.05, lon.max() + 0.05, lat.max() + 0.05)
    heights = open_dem(fine_dem(write_dem(folder / "coarse.tif", bounds)), bounds)
    fields = fit_rpc(camera)
    truth = ArrayPart(smooth_image(rows, cols), Rpc(**fields))
    wrong = ArrayPart(truth.pixels, shifted(truth.rpc, 11.0, -8.0))
    small = wrong.pixels[:, :800, :800]
    coregister([ArrayPart(small, wrong.rpc)], heights, Itself(truth, heights), band_index=2)
    reference = Itself(truth, heights)
    before = reset_peak()
    start = time.process_time()
    found = coregister([wrong], heights, reference, band_index=2, saturation_dn=1024)
    spent = time.process_time() - start - sum(reference.spent)
    size = f"{rows}x{cols}"
    yield Row(f"registration_check_points_{size}", found.accuracy.check_points, "points")
    yield at_most(f"registration_cpu_beyond_reference_{size}", spent, "s", 10.0)
    yield at_most(f"registration_memory_beyond_scene_{size}", peak_gb() - before, "GB", 1.0)


def shifted(rpc: Rpc, rows: float, cols: float) -> Rpc:
    """Return a camera model that is wrong by some pixels."""
    return replace(rpc, line_offset=rpc.line_offset + rows, sample_offset=rpc.sample_offset + cols)


def smooth_image(rows: int, cols: int) -> NDArray[np.uint16]:
    """Return four bands of texture; it repeats itself only beyond the search."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1600, 1700), np.float32)
    tile = 250.0 * ndimage.gaussian_filter(noise, 2.0, mode="wrap")
    tile += 1500.0 * ndimage.gaussian_filter(noise[::-1], 8.0, mode="wrap")
    counts = np.clip(tile * 2.0 + 400.0, 1, 1023).astype(np.uint16)
    image = np.empty((4, rows, cols), np.uint16)
    for row in range(0, rows, 1600):
        for col in range(0, cols, 1700):
            block = image[:, row : row + 1600, col : col + 1700]
            block[:] = np.roll(counts, (row // 7, col // 5), (0, 1))[
                : block.shape[1], : block.shape[2]
            ]
    return image


def fine_dem(path: Path) -> Path:
    """Write heights at three times the sampling, in tiles as Copernicus ships them."""
    out = path.with_name("fine.tif")
    with rasterio.open(path) as raster:
        profile = {**raster.profile, "tiled": True, "compress": "deflate", "blockxsize": 512,
                   "blockysize": 512, "width": 3 * raster.width, "height": 3 * raster.height,
                   "transform": raster.transform * Affine.scale(1 / 3)}  # fmt: skip
        values = raster.read(1)
    with rasterio.open(out, "w", **profile) as raster:
        raster.write(values.repeat(3, 0).repeat(3, 1), 1)
    return out


def reset_peak() -> float:
    """Forget the peak of this process' memory; return what it holds now, GB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_gb()


def peak_gb() -> float:
    """Return the peak of resident memory in GB."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9
