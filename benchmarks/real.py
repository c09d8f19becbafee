"""Scenes with real content: L1A packages made of Sentinel-2 surface reflectance, and what is found.

The reflectance below ``GFARD_TEST_DATA`` is seen by a simulated camera through a simulated sky,
the package goes through the whole production, and what comes out is held to what went in. The
clouds in these scenes are photographed, lying on the ground: only their brightness, colour and
shadows are real, so cameras near the nadir are taken, as Sentinel-2 looks. A pixel that the
product's mask calls cloud or shadow is left out of the figures of clear pixels; where people
outlined the clouds the mask is held to them.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from scipy import ndimage

from catalog.folder import FolderStore
from catalog.product import FILL, ItemId, MaskClass, asset_specs
from catalog.store import relative_folder
from processing.compare import Row, compare
from processing.pipeline import produce
from processing.result import SceneResult
from processing.settings import ProcessSettings
from processing.simulate.atmosphere import Air
from processing.simulate.scene import SceneSpec, simulate
from processing.simulate.spec import RealLand

SETTINGS = ProcessSettings(version="REAL01", minimum_valid_percent=0.1)
"""The chips cover less of a tile than is usually worth a product."""
GEOID = "dem/egm96_15_geoid.tif"
BRIGHT_BLUE = 0.3
"""Reflectance in blue above which content is cloud, or a white roof."""


@dataclass(frozen=True, slots=True)
class RealScene:
    """One place with real content.

    ``raster`` holds blue, green, red and near infrared; ``dem`` heights above the geoid, None
    is the ellipsoid on both sides; ``label`` clouds as people outlined them.
    """

    name: str
    raster: str
    spec: SceneSpec
    dem: str | None = None
    label: str | None = None


BELGIUM = RealScene(
    "Belgium",
    "ac_reference/s2_20190411_sr_icor.tif",
    SceneSpec(
        camera="GF1WFV3",
        time=datetime(2019, 4, 11, 10, 50, 29, tzinfo=UTC),
        centre=(5.2634, 51.2599),
        rows=760,
        cols=500,
        air=Air(0.14, ozone_du=330.0, water_g_cm2=1.5),
        product_id="0003938110",
    ),
    dem="dem/SRTMGL1_N51E005_crop.tif",
)
BELGIUM_GF6 = RealScene(
    "Belgium",
    BELGIUM.raster,
    SceneSpec(
        camera="GF6WFV",
        time=BELGIUM.spec.time,
        centre=BELGIUM.spec.centre,
        rows=760,
        cols=190,
        overlap=24,
        air=BELGIUM.spec.air,
        product_id="1119870411",
    ),
    dem=BELGIUM.dem,
)
DESERT = RealScene(
    "Western Sahara",
    "scenes/S2A_29RKH_20200219_desert_sr_100m.tif",
    SceneSpec(
        camera="GF1WFV2",
        time=datetime(2020, 2, 19, 11, 33, 40, tzinfo=UTC),
        centre=(-11.06, 25.08),
        rows=1300,
        cols=1300,
        air=Air(0.195, aerosol="dust", ozone_du=285.0, water_g_cm2=1.4),
        product_id="0004625219",
    ),
)
KENYA = RealScene(
    "Kenya",
    "cloud_labels/oncloudn_2_sr.tif",
    SceneSpec(
        camera="GF1WFV3",
        # The day is not known; the sun stands where the shadows want it.
        time=datetime(2018, 8, 28, 7, 58, 0, tzinfo=UTC),
        centre=(35.1917, 2.7389),
        rows=440,
        cols=440,
        air=Air(0.18, ozone_du=265.0, water_g_cm2=3.0),
        product_id="0003418228",
    ),
    label="cloud_labels/oncloudn_2_label.tif",
)
SCENES = (BELGIUM, BELGIUM_GF6, DESERT, KENYA)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a scene: the result, and each item's files by asset key."""

    scene: RealScene
    result: SceneResult
    truth: Path
    items: dict[str, dict[str, Path]]

    @property
    def title(self) -> str:
        """Place and camera."""
        return f"{self.scene.name} {self.scene.spec.camera}"


def run(scene: RealScene, data: Path, folder: Path) -> Outcome:
    """Simulate and process one scene under ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    heights = scene.dem and ellipsoidal(data / scene.dem, data / GEOID, folder / "dem.tif")
    land = RealLand(data / scene.raster, dem=heights or None)
    made = simulate(replace(scene.spec, land=land), folder, memory=folder.parent / "sixs.json")
    store = FolderStore(folder / "store")
    dem = data / scene.dem if scene.dem else None
    result = produce(made.package, store=store, settings=SETTINGS, dem=dem)
    items = {item: files_of(store, item) for item in result.items}
    return Outcome(scene, result, made.truth, items)


def ellipsoidal(dem: Path, geoid: Path, out: Path) -> Path:
    """Write the heights of ``dem`` with the undulation of ``geoid`` added; return ``out``."""
    with rasterio.open(dem) as heights, rasterio.open(geoid) as undulation:
        frame = {"crs": heights.crs, "transform": heights.transform}
        with WarpedVRT(
            undulation,
            resampling=Resampling.bilinear,
            width=heights.width,
            height=heights.height,
            **frame,
        ) as warped:
            values = heights.read(1).astype(np.float32) + warped.read(1)
        profile = {**heights.profile, "dtype": "float32", "crs": "EPSG:4979", "nodata": None}
    with rasterio.open(out, "w", **profile) as raster:
        raster.write(values, 1)
    return out


def files_of(store: FolderStore, item: str) -> dict[str, Path]:
    """Return the files of a stored item by asset key."""
    identity = ItemId.parse(item)
    folder = store.root / relative_folder(identity)
    keys = [spec.key for spec in asset_specs(identity.satellite)]
    files = {key: folder / identity.file_name(key) for key in keys}
    return {**files, "thumbnail": folder / f"{item}.thumbnail.webp"}


@dataclass(frozen=True, slots=True)
class View:
    """An item over the window that holds pixels, beside the reflectance that went in.

    ``sr`` and ``content`` are float32 (bands, rows, cols), NaN = no data; ``cloud`` is where
    people outlined clouds, None where nobody did.
    """

    sr: NDArray[np.float32]
    content: NDArray[np.float32]
    mask: NDArray[np.uint8]
    cloud: NDArray[np.bool_] | None

    def share(self, value: MaskClass) -> float:
        """Return the share of a class among the valid pixels, percent."""
        return 100 * float((self.mask == value).sum() / (self.mask != FILL).sum())


def view(outcome: Outcome, files: dict[str, Path], data: Path) -> View:
    """Read an item and the content below it."""
    with rasterio.open(files["mask"]) as raster:
        mask = raster.read(1)
        rows, cols = (np.flatnonzero((mask != FILL).any(axis)) for axis in (1, 0))
        window = Window(cols[0], rows[0], np.ptp(cols) + 1, np.ptp(rows) + 1)
        frame = {
            "crs": raster.crs,
            "transform": raster.window_transform(window),
            "width": window.width,
            "height": window.height,
        }
    with rasterio.open(files["SR"]) as raster:
        sr = raster.read(window=window).astype(np.float32)

    def below(path: Path, resampling: Resampling) -> NDArray[np.float32]:
        """Read a raster on the grid of the view."""
        with (
            rasterio.open(path) as raster,
            WarpedVRT(raster, resampling=resampling, **frame) as warped,
        ):
            return np.asarray(warped.read().astype(np.float32))

    label = outcome.scene.label
    cloud = None if label is None else below(data / label, Resampling.nearest)[0] > 0
    content = below(outcome.truth / "sr.tif", Resampling.bilinear)
    inside = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return View(_reflectance(sr), _reflectance(content), inside, cloud)


def _reflectance(stored: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(stored == FILL, np.nan, stored * np.float32(1e-4))


def figures(outcome: Outcome, data: Path) -> Iterator[Row]:
    """Yield the figures of every item: reflectance, aerosol, geometry, classes, clouds."""
    yield Row("items", float(len(outcome.items)), "count", 1, bool(outcome.items))
    for item, files in outcome.items.items():
        tile = ItemId.parse(item).tile
        seen = view(outcome, files, data)
        rows = [*compare(files, outcome.truth, clouds_in_land=True), *class_rows(seen)]
        for row in rows:
            yield Row(f"{tile} {row.name}", row.value, row.unit, row.bar, row.ok)


def class_rows(seen: View) -> Iterator[Row]:
    """Yield the shares of the classes, and what the mask makes of clouds that people outlined."""
    for value in MaskClass:
        if value is not MaskClass.FILL:
            yield Row(f"mask_{value.name.lower()}", seen.share(value), "%")
    bright = seen.content[0] > BRIGHT_BLUE
    if bright.any():
        found = 100 * float((seen.mask[bright] == MaskClass.CLOUD).mean())
        yield Row("bright_content_called_cloud", found, "%")
    if seen.cloud is not None:
        valid = seen.mask != FILL
        found = seen.mask == MaskClass.CLOUD
        yield Row("outlined_cloud", 100 * float(seen.cloud[valid].mean()), "%")
        yield Row("outlined_cloud_found", 100 * float(found[seen.cloud & valid].mean()), "%")
        yield Row("cloud_inside_outlines", 100 * float(seen.cloud[found].mean()), "%")


def draw(outcome: Outcome, data: Path, folder: Path) -> None:
    """Write pictures of every item: content, product, mask over the product, and their difference.

    The difference is that of the near infrared, grey for none, white and black for 0.02.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for item, files in outcome.items.items():
        seen = view(outcome, files, data)
        bright = 2 * float(np.nanpercentile(seen.content[2], 50))
        bright = min(max(bright, 0.2), 0.8)
        product = true_colour(seen.sr, bright)
        panels = [
            true_colour(seen.content, bright),
            product,
            over(product, seen),
            grey(seen.sr[3] - seen.content[3], 0.02),
        ]
        gap = np.full((product.shape[0], 8, 3), 255, np.uint8)
        sheet = np.concatenate([part for panel in panels for part in (panel, gap)][:-1], axis=1)
        Image.fromarray(sheet).save(folder / f"{item}.png")
        Image.open(files["thumbnail"]).save(folder / f"{item}_thumbnail.png")


def true_colour(reflectance: NDArray[np.float32], bright: float) -> NDArray[np.uint8]:
    """Return red, green, blue as bytes (rows, cols, 3); ``bright`` becomes white."""
    shown = np.nan_to_num(reflectance[[2, 1, 0]]) / bright
    return np.asarray(255 * np.clip(shown, 0, 1) ** 0.7, np.uint8).transpose(1, 2, 0)


def grey(difference: NDArray[np.float32], most: float) -> NDArray[np.uint8]:
    """Return a difference as grey bytes (rows, cols, 3)."""
    shown = np.clip(0.5 + 0.5 * np.nan_to_num(difference) / most, 0, 1)
    return np.repeat((255 * shown).astype(np.uint8)[:, :, None], 3, axis=2)


OUTLINES = {
    MaskClass.CLOUD: (255, 60, 60),
    MaskClass.CLOUD_SHADOW: (255, 220, 0),
    MaskClass.WATER: (0, 160, 255),
    MaskClass.SNOW: (255, 0, 255),
}
LABEL_COLOUR = (0, 255, 0)


def over(picture: NDArray[np.uint8], seen: View) -> NDArray[np.uint8]:
    """Return the picture with the outlines of the classes, and of labelled clouds in green."""
    out = picture.copy()
    layers = [(seen.mask == value, colour) for value, colour in OUTLINES.items()]
    if seen.cloud is not None:
        layers.insert(0, (seen.cloud & (seen.mask != FILL), LABEL_COLOUR))
    for inside, colour in layers:
        out[inside & ~ndimage.binary_erosion(inside)] = colour
    return out


def rows(pictures: Path | None) -> Iterator[dict[str, Any]]:
    """Run every scene and yield its figures as plain values."""
    setting = os.environ.get("GFARD_TEST_DATA")
    if not setting:
        reason = "GFARD_TEST_DATA is not set: it names the folder with the real imagery"
        yield {**Row("real content", 0.0, "1").to_dict(), "value": None, "skipped": reason}
        return
    data = Path(setting)
    with tempfile.TemporaryDirectory(prefix="gfard-real-") as folder:
        for index, scene in enumerate(SCENES):
            outcome = run(scene, data, Path(folder) / str(index))
            for row in figures(outcome, data):
                yield {**row.to_dict(), "name": f"{outcome.title}: {row.name}"}
            if pictures is not None:
                draw(outcome, data, pictures)


def main() -> None:
    """Print the figures, one a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="no more than without it")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the products")
    options = parser.parse_args()
    for row in rows(options.pictures):
        print(json.dumps(row) if options.json else "  ".join(map(str, row.values())), flush=True)


if __name__ == "__main__":
    main()
