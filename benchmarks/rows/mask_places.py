"""Masks of the cloud-free chips with land cover: false cloud, water and snow."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer

from benchmarks.rows.mask_ways import FUSED, NETWORK, RULES
from benchmarks.rows.row import Row, at_least, at_most
from catalog.product import MaskClass
from processing.quality.chips import Chip
from processing.quality.evaluate import Backend
from processing.quality.snow import chance_by_season

COAST, SUBURBS, SNOW = "282D_485L_3_3", "433D_629L_3_1", "609U_541L_3_0"
L1C_OFFSET = 1000
"""Counts of reflectance 0 in the chips at the top of the atmosphere: so much has their band at
1.38 um."""
MOST_SHIFT = 20
"""Pixels by which the land cover is moved to see whether it lies elsewhere."""
LAND_COVER = {"water": 1, "built-up": 5, "bare": 6, "snow": 7}
"""Codes of the land cover beside the chips of both levels."""


def place_rows(data: Path) -> Iterator[Row]:
    """Yield false cloud, water and snow on the cloud-free chips with land cover."""
    for way in (FUSED, RULES, NETWORK):
        barred = way is FUSED
        coast, suburbs, snow = (Place.read(data, name) for name in (COAST, SUBURBS, SNOW))
        masks = {place.name: place.mask(way) for place in (coast, suburbs, snow)}
        spots = {
            "surf and sea": (coast, coast.wet),
            "sand": (coast, (coast.cover == LAND_COVER["bare"]) & ~coast.wet),
            "the coast": (coast, np.ones_like(coast.wet)),
            "suburbs": (suburbs, suburbs.cover == LAND_COVER["built-up"]),
            "fields and suburbs": (suburbs, np.ones_like(suburbs.wet)),
        }
        for title, (place, spot) in spots.items():
            share = 100 * float((masks[place.name][spot] == MaskClass.CLOUD).mean())
            bar = 3 if barred else None
            yield at_most(f"{way.name}: false cloud on {title}", share, "%", bar)
        if way is NETWORK:
            continue
        water = masks[COAST] == MaskClass.WATER
        labelled = coast.cover == LAND_COVER["water"]
        found = 100 * float((masks[SNOW] == MaskClass.SNOW).mean())
        bars = (0.93, 90) if barred else (None, None)
        yield at_least(f"{way.name}: coast water F1, land cover", f1(water, labelled), "1", bars[0])
        yield at_least(
            f"{way.name}: coast water F1, land cover that is wet in the short-wave infrared",
            f1(water, labelled & coast.wet),
            "1",
            bars[0],
        )
        yield at_least(f"{way.name}: snow found on the Hudson Bay chip", found, "%", bars[1])
    dry = float((labelled & ~coast.wet).sum() / labelled.sum())
    yield Row("land cover water of the coast that is sand or plants", 100 * dry, "%")
    best = f1(coast.wet, labelled)
    yield Row("coast water F1 that true water would have, land cover", best, "1")
    yield Row("the same by the best limit of the water index", _by_index(coast, labelled), "1")
    lies, best = _placed(labelled, coast.wet)
    yield Row("the same in the middle of the chip, land cover as it lies", lies, "1")
    yield Row("the same, land cover turned, mirrored and moved at will", best, "1")


def _by_index(coast: "Place", labelled: NDArray[np.bool_]) -> float:
    """Return the best F1 of any limit of green over near infrared, set on the label itself."""
    _, green, _, nir = coast.chip.image
    index = (green - nir) / (green + nir)
    return max(f1(index > limit, labelled) for limit in np.arange(-0.6, 0.6, 0.01))


def _placed(labelled: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the F1 of truth in the middle of a chip: label as it lies, and its best anywhere.

    The label is turned, mirrored and moved in every way.
    """
    middle = (slice(MOST_SHIFT, -MOST_SHIFT),) * 2
    moves = range(-MOST_SHIFT, MOST_SHIFT + 1, 2)
    best = max(
        f1(truth[middle], np.roll(np.rot90(side, turns), (down, right), (0, 1))[middle])
        for side in (labelled, labelled.T)
        for turns in range(4)
        for down in moves
        for right in moves
    )
    return f1(truth[middle], labelled[middle]), best


@dataclass(frozen=True, slots=True)
class Place:
    """A cloud-free chip: reflectance, land cover, and what short-wave infrared calls water."""

    name: str
    chip: Chip
    cover: NDArray[np.uint8]
    wet: NDArray[np.bool_]
    latitude_deg: float

    def mask(self, way: Backend) -> NDArray[np.uint8]:
        """Return the mask; the month is not known, so snow is as likely as in the coldest one."""
        coldest = 1 if self.latitude_deg > 0 else 7
        chance = chance_by_season(np.zeros((1, 1), np.float32), self.latitude_deg, coldest)
        return replace(way, snow_chance=float(chance[0, 0])).mask(self.chip)

    @classmethod
    def read(cls, data: Path, name: str) -> "Place":
        """Read a chip of ``l1c_l2a``; water has a green over short-wave index above 0 (MNDWI)."""
        folder = data / "l1c_l2a"
        with rasterio.open(folder / f"{name}_S2L1C.tif") as raster:
            names = ("B02", "B03", "B04", "B08", "B11")
            counts = raster.read([raster.descriptions.index(band) + 1 for band in names])
            to_degrees = Transformer.from_crs(raster.crs, 4326, always_xy=True)
            latitude = to_degrees.transform(raster.bounds.left, raster.bounds.top)[1]
        image = (counts - np.float32(L1C_OFFSET)) * np.float32(1e-4)
        with rasterio.open(folder / f"{name}_LULC.tif") as raster:
            cover = raster.read(1)
        chip = unlabelled(name, image[:4], 10.0, "TOA")
        return cls(name, chip, cover, image[1] > image[4], latitude)


def unlabelled(name: str, image: NDArray[np.float32], resolution_m: float, level: str) -> Chip:
    """Return a chip without labels."""
    legend = (MaskClass.CLEAR, MaskClass.CLOUD)
    truth = np.zeros(image.shape[1:], np.uint8)
    return Chip(name, name, image, truth, legend, resolution_m, "SR" if level == "SR" else "TOA")


def f1(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the F1 score, 0-1."""
    return float(2 * (found & truth).sum() / max(found.sum() + truth.sum(), 1))
