"""A GF-6 scene of full size as a package: real geometry, eight bands, and a made texture.

Three images of 17797 x 22416 pixels are 19 GB of counts. What they show does not matter for the
memory that production takes, so the same strip of textured ground is written all over them.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import ndimage

from processing.simulate.metadata import product_xml
from processing.simulate.rpcfit import fit_rpc, rpb_text
from processing.simulate.scene import scene_facts
from processing.simulate.spec import SceneSpec
from processing.simulate.stage import set_stage

ROWS, COLS = 22416, 17797
"""Lines and detectors of one of the three images, as the crops of published scenes tell."""
_STRIP = 512
_LOWEST_M, _HIGHEST_M = 0.0, 1500.0
_LEVELS = (900, 800, 750, 1700, 1300, 1600, 950, 780)
"""Counts of green land in the order of the bands."""


def write_package(folder: Path, *, rows: int = ROWS, cols: int = COLS) -> Path:
    """Write the folder of a package and return it."""
    spec = SceneSpec("GF6WFV", datetime(2020, 9, 4, 10, 50, tzinfo=UTC), (2.0, 45.5), rows, cols)
    stage = set_stage(spec, 300.0)
    package = folder / spec.name
    package.mkdir()
    for index, part in enumerate(stage.parts, start=1):
        stem = package / f"{spec.name}-{index}"
        rpc = fit_rpc(part, _LOWEST_M, _HIGHEST_M)
        stem.with_name(f"{stem.name}.rpb").write_text(rpb_text(rpc, "GF6"))
        _write_image(stem.with_name(f"{stem.name}.tiff"), rows, cols, index)
    facts = scene_facts(spec, stage, 300.0, 0.0)
    (package / f"{spec.name}.xml").write_text(product_xml(facts), encoding="utf-8")
    return package


def _write_image(path: Path, rows: int, cols: int, seed: int) -> None:
    strip = _texture(cols, seed)
    profile = {
        "driver": "GTiff", "dtype": "uint16", "count": len(_LEVELS), "height": rows,
        "width": cols, "compress": "deflate", "zlevel": 1, "predictor": 2, "tiled": True,
        "blockxsize": 512, "blockysize": _STRIP, "BIGTIFF": "YES", "num_threads": 2,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as image:
        for first in range(0, rows, _STRIP):
            here = strip[:, : min(_STRIP, rows - first)]
            image.write(here, window=Window(0, first, cols, here.shape[1]))


def _texture(cols: int, seed: int) -> NDArray[np.uint16]:
    """Return fields of a few hundred metres, (bands, 512, cols)."""
    rng = np.random.default_rng(seed)
    fields = ndimage.gaussian_filter(rng.normal(0, 12, (_STRIP // 4, cols // 4 + 1)), 3)
    fine = fields.repeat(4, 0).repeat(4, 1)[:, :cols]
    return np.stack([np.clip(level * (1 + 0.15 * fine), 200, 3900) for level in _LEVELS]).astype(
        np.uint16
    )
