"""Cost of writing one reflectance asset beside GDAL's COG driver, in CPU seconds of one run.

Both write the same pixels with DEFLATE level 1-2, predictor 2, 512 blocks, mean overviews and
empty blocks left out, once for a scene that fills a tenth of the tile and once for one that
fills three quarters. Run with ``python -m benchmarks.write``.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate
from scipy.ndimage import gaussian_filter

from catalog.grid import Grid
from catalog.product import TILE_PIXELS, asset_specs
from processing.write import write_cog

FRAME = Grid(32631, 300_000.0, 4_900_020.0, 16.0, TILE_PIXELS, TILE_PIXELS)
SPEC = next(spec for spec in asset_specs("GF1") if spec.key == "SR")
LEAST_TIMES = 2.0
NOISE, RELIEF, MEAN = 20.0, 20_000.0, 1_500.0


def reflectance(rows: int, cols: int) -> NDArray[np.uint16]:
    """Smooth patches with noise, as a reflectance image has them; shape (4, rows, cols)."""
    generator = np.random.default_rng(1)
    patch = gaussian_filter(generator.normal(size=(1024, 1024)).astype(np.float32), 8) * RELIEF
    base = np.tile(patch, (-(-rows // 1024), -(-cols // 1024)))[:rows, :cols] + MEAN
    noisy = base + NOISE * generator.standard_normal((4, rows, cols), np.float32)
    return np.clip(noisy, 1, 65535).astype(np.uint16)


def write_gdal(path: Path, pixels: NDArray[np.uint16], row: int, col: int) -> None:
    """Write through a sparse tiled GeoTIFF in memory and the COG driver."""
    bands, rows, cols = pixels.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", height=FRAME.rows, width=FRAME.cols, count=bands, dtype="uint16",
            nodata=0, crs=f"EPSG:{FRAME.epsg}", transform=Affine(*FRAME.transform), tiled=True,
            blockxsize=512, blockysize=512, sparse_ok=True,
        ) as target:  # fmt: skip
            target.write(pixels, window=Window(col, row, cols, rows))
        with memory.open() as source:
            rasterio.shutil.copy(
                source, path, driver="COG", compress="DEFLATE", level=1, predictor="YES",
                overview_resampling="average", num_threads="2", sparse_ok="YES",
            )  # fmt: skip


def measure(write: Callable[[], None], path: Path, rounds: int) -> dict[str, float]:
    """Return the least CPU time of some rounds and the size of the file, which must be valid."""
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        write()
        seconds.append(time.process_time() - started)
    valid, errors, warnings = cog_validate(path, strict=True)
    if not valid:
        raise SystemExit(f"{path} is no COG: {errors} {warnings}")
    return {"cpu_s": round(min(seconds), 2), "megabytes": round(path.stat().st_size / 1e6, 1)}


def main() -> None:
    """Run both writers in turns and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--full", action="store_true", help="five rounds instead of two")
    arguments = parser.parse_args()
    found = list(rows(5 if arguments.full else 2))
    for row in found:
        text = f"{row['name']:40} {row['value']:10.3f} {row['unit']}"
        print(json.dumps(row) if arguments.json else text)
    sys.exit(any(row["ok"] is False for row in found))


def rows(rounds: int) -> Iterator[dict[str, Any]]:
    """Write a tile filled to a tenth and one filled to three quarters; yield the figures."""
    with tempfile.TemporaryDirectory() as folder:
        ours, gdals = Path(folder) / "ours.tiff", Path(folder) / "gdal.tiff"
        write_cog(ours, np.ones((4, 2, 2), np.uint16), SPEC, FRAME)  # compiles the kernels
        for name, size in (("tenth", 2100), ("three quarters", 6000)):
            pixels = reflectance(size, size)
            own = measure(partial(write_cog, ours, pixels, SPEC, FRAME, 512, 300), ours, rounds)
            gdal = measure(partial(write_gdal, gdals, pixels, 512, 300), gdals, rounds)
            for writer, figure in (("own", own), ("gdal", gdal)):
                for unit, key in (("CPU s", "cpu_s"), ("MB", "megabytes")):
                    yield _row(f"{name}: {writer} {key}", figure[key], unit)
            times = round(gdal["cpu_s"] / own["cpu_s"], 1)
            yield _row(f"{name}: less CPU than GDAL", times, "times", LEAST_TIMES)


def _row(name: str, value: float, unit: str, bar: float | None = None) -> dict[str, Any]:
    ok = None if bar is None else value >= bar
    return {"name": name, "value": value, "unit": unit, "bar": bar, "ok": ok}


if __name__ == "__main__":
    main()
