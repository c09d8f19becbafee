"""Accuracy of the mask on real imagery: the rows of ``quality.py`` that need ``GFARD_TEST_DATA``.

Which chips numbers were tuned on, and which only report, stands in ``mask_split.json``; each
figure is given over the whole group and over the reporting part.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.rows.mask_places import place_rows, unlabelled
from benchmarks.rows.mask_signs import sign_rows
from benchmarks.rows.mask_ways import FUSED, NETWORK, PRIOR, RULES
from benchmarks.rows.row import Row, at_least, at_most
from catalog.grid import Grid
from catalog.product import MaskClass
from processing.quality.chips import BANDS, Chip, read_chips
from processing.quality.edges import Edges
from processing.quality.evaluate import Scored, score
from processing.quality.mask import classify
from processing.quality.models import load_model
from processing.quality.network import see
from processing.quality.qa import CONFIDENCE_STEPS
from processing.quality.snow import UNKNOWN

UKIS = ("ukis_landsat5", "ukis_sentinel2")
BIOME_MIXED = (
    "l8biome_Barren_05_0208", "l8biome_Forest_00_1008", "l8biome_Forest_05_0415",
    "l8biome_GrassCrops_01_0413", "l8biome_GrassCrops_02_0608", "l8biome_Shrubland_00_0614",
    "l8biome_Urban_00_0515", "l8biome_Urban_03_0619", "l8biome_Water_11_0728",
)  # fmt: skip
BIOME_SHADOW = ("l8biome_Forest_00_1008", "l8biome_Forest_05_0415", "l8biome_GrassCrops_01_0413")
ON_CLOUD_N = ("oncloudn_1", "oncloudn_2", "oncloudn_3")
CLOUD_FREE = ("l8biome_Shrubland_01_0508", "l8biome_Water_02_1010")
BARE_ICE, CLOUD_ON_ICE = "l8biome_SnowIce_00_1415", "l8biome_SnowIce_11_1123"
SPLIT = Path(__file__).with_name("mask_split.json")
DESERT = "scenes/S2A_29RKH_20200219_desert_sr_100m.tif"
DESERT_CLASSES = "scenes/S2A_29RKH_20200219_SCL.tif"
CLEAR_SCL = (4, 5, 6)
"""Vegetation, bare soil and water in the scene classification of Sentinel-2."""
BIOME_CODES = {"thin cloud": 192, "clear": 128}
"""Codes of the labels of L8 Biome that its classes do not keep apart."""

Scores = Mapping[tuple[str, str], Scored]


def accuracy_rows(data: Path) -> Iterator[Row]:
    """Yield every figure on real imagery below ``data``."""
    chips = {chip.name: chip for chip in read_chips(data / "cloud_labels")}
    ways = (FUSED, RULES, NETWORK)
    scores = {(w.name, c.name): score(c, w.name, w.mask(c)) for w in ways for c in chips.values()}
    yield from _group_rows(scores)
    yield from _sunlit_rows(chips)
    yield from _edge_rows(chips)
    yield from _clear_rows(scores)
    yield from _ice_rows(scores, chips)
    yield from _desert_rows(data)
    yield from place_rows(data)
    yield from _thin_rows(data, chips)
    yield from sign_rows(data, chips)


@dataclass(frozen=True, slots=True)
class Group:
    """Chips scored together; ``figure`` makes one value of their scores."""

    title: str
    chips: tuple[str, ...]
    figure: Callable[[list[Scored]], float]
    bar: float | None


def _mean_f1(value: MaskClass) -> Callable[[list[Scored]], float]:
    return lambda scored: float(np.mean([s.confusion.f1(s.index(value)) for s in scored]))


def _mean_boundary(value: MaskClass) -> Callable[[list[Scored]], float]:
    return lambda scored: float(np.mean([s.boundary[value] for s in scored]))


def _mean_balanced(scored: list[Scored]) -> float:
    return float(np.mean([s.confusion.balanced(s.index(MaskClass.CLOUD)) for s in scored]))


def _pooled_balanced(scored: list[Scored]) -> float:
    counts = [s.confusion.one_against_rest(s.index(MaskClass.CLOUD)) for s in scored]
    total = counts[0]
    for each in counts[1:]:
        total = total + each
    return total.balanced(0)


GROUPS = (
    Group("UKIS cloud F1", UKIS, _mean_f1(MaskClass.CLOUD), 0.91),
    Group("UKIS shadow F1", UKIS, _mean_f1(MaskClass.CLOUD_SHADOW), 0.82),
    Group("UKIS cloud boundary F", UKIS, _mean_boundary(MaskClass.CLOUD), None),
    Group("Biome balanced accuracy", BIOME_MIXED, _mean_balanced, 0.83),
    Group("Biome balanced accuracy, pooled", BIOME_MIXED, _pooled_balanced, 0.88),
    Group("Biome shadow F1", BIOME_SHADOW, _mean_f1(MaskClass.CLOUD_SHADOW), 0.71),
    Group("Biome cloud boundary F", BIOME_MIXED, _mean_boundary(MaskClass.CLOUD), None),
    Group("On Cloud N cloud F1", ON_CLOUD_N, _mean_f1(MaskClass.CLOUD), 0.87),
)  # fmt: skip


def _group_rows(scores: Scores) -> Iterator[Row]:
    """Yield each group's figure, its two parts, and how far the fused mask is above its parts."""
    split = json.loads(SPLIT.read_text())
    for group in GROUPS:
        values = {
            way.name: group.figure([scores[way.name, chip] for chip in group.chips])
            for way in (FUSED, RULES, NETWORK)
        }
        yield at_least(f"fused: {group.title}", values["fused"], "1", group.bar)
        for part in ("tuning", "reporting"):
            chips = [chip for chip in group.chips if chip in split[part]]
            value = group.figure([scores["fused", chip] for chip in chips])
            yield Row(f"fused: {group.title}, {part} chips", value, "1")
        for way in ("rules", "network"):
            yield Row(f"{way}: {group.title}", values[way], "1")
        if group.bar is not None:
            above = values["fused"] - max(values["rules"], values["network"])
            yield at_least(f"fused above its better part: {group.title}", above, "1", 0.0)


def _sunlit_rows(chips: Mapping[str, Chip]) -> Iterator[Row]:
    """Yield how much of the labelled shadow is brighter than the dimmest tenth of clear ground."""
    for name in BIOME_SHADOW:
        chip = chips[name]
        shadow, clear = (
            chip.image[3][chip.truth == chip.legend.index(value)]
            for value in (MaskClass.CLOUD_SHADOW, MaskClass.CLEAR)
        )
        share = 100 * float((shadow > np.quantile(clear, 0.1)).mean())
        yield Row(f"labelled shadow as bright as clear ground: {name}", share, "%")


def _edge_rows(chips: Mapping[str, Chip]) -> Iterator[Row]:
    """Yield how well rims are drawn at half the pixel size of the look, as in production.

    The pixels of 30 m are taken for ones of 16 m, so that the look works on means of 2 x 2.
    """
    blurred = replace(FUSED, edges=Edges(sharpen=False))
    for title, names in (("UKIS", UKIS), ("Biome", BIOME_MIXED)):
        halves = [replace(chips[name], resolution_m=16.0) for name in names]
        for what, way in (("sharpened", FUSED), ("interpolated", blurred)):
            scored = [score(chip, way.name, way.mask(chip)) for chip in halves]
            for figure, made in (("boundary F", _mean_boundary), ("F1", _mean_f1)):
                value = made(MaskClass.CLOUD)(scored)
                yield Row(f"{what} edges, twice the pixel size: {title} cloud {figure}", value, "1")


def _clear_rows(scores: Scores) -> Iterator[Row]:
    """Yield false cloud on the cloud-free chips without ice."""
    for way in (FUSED, RULES, NETWORK):
        for name in CLOUD_FREE:
            share = 100 * float((scores[way.name, name].mask == MaskClass.CLOUD).mean())
            bar = 3 if way is FUSED else None
            yield at_most(f"{way.name}: false cloud on {name}", share, "%", bar)


def _ice_rows(scores: Scores, chips: Mapping[str, Chip]) -> Iterator[Row]:
    """Yield what is called cloud on ice, with and without a prior that says there is snow."""

    def cloud(mask: NDArray[np.uint8]) -> float:
        """Return the share of cloud, percent."""
        return 100 * float((mask == MaskClass.CLOUD).mean())

    for way in (FUSED, RULES, NETWORK):
        bare, over = (cloud(scores[way.name, name].mask) for name in (BARE_ICE, CLOUD_ON_ICE))
        bars = (35, 80) if way is FUSED else (None, None)
        yield at_most(f"{way.name}: false cloud on bare ice", bare, "%", bars[0])
        yield at_least(f"{way.name}: cloud found over ice", over, "%", bars[1])
    bare, over = (cloud(PRIOR.mask(chips[name])) for name in (BARE_ICE, CLOUD_ON_ICE))
    yield Row("fused with a snow prior: false cloud on bare ice", bare, "%")
    yield Row("fused with a snow prior: cloud found over ice", over, "%")


def _desert_rows(data: Path) -> Iterator[Row]:
    """Yield false cloud on clear desert; its pixels of 100 m are taken for ones of 30 m."""
    with rasterio.open(data / DESERT) as raster:
        image = raster.read().astype(np.float32) * np.float32(1e-4)
    with rasterio.open(data / DESERT_CLASSES) as raster:
        classes = raster.read(1).repeat(2, 0).repeat(2, 1)
    image[:, (image == 0).any(axis=0)] = np.nan
    clear = np.isin(classes, CLEAR_SCL) & np.isfinite(image).all(axis=0)
    chip = unlabelled("desert", image, 30.0, "SR")
    for way in (FUSED, RULES, NETWORK):
        share = 100 * float((way.mask(chip)[clear] == MaskClass.CLOUD).mean())
        bar = 3 if way is FUSED else None
        yield at_most(f"{way.name}: false cloud on clear desert", share, "%", bar)


def _thin_rows(data: Path, chips: Mapping[str, Chip]) -> Iterator[Row]:
    """Yield what cloud confidence says of thin cloud, which only the labels of L8 Biome tell."""
    split = json.loads(SPLIT.read_text())
    for part in ("tuning", "reporting"):
        counts = np.zeros((2, 3))
        for name in (name for name in BIOME_MIXED if name in split[part]):
            with rasterio.open(data / "cloud_labels" / f"{name}_label.tif") as raster:
                label = raster.read(1)
            chance = _cloud_chance(chips[name])
            for kind, code in enumerate(BIOME_CODES.values()):
                ours = chance[label == code]
                counts[kind] += ours.size, (ours > 0.5).sum(), (ours >= CONFIDENCE_STEPS[0]).sum()
        for kind, what in enumerate(BIOME_CODES):
            total, cloud, some = counts[kind]
            name = f"fused: Biome {what}, {part} chips"
            yield Row(f"{name}: called cloud", 100 * cloud / total, "%")
            yield Row(f"{name}: of low or more confidence", 100 * some / total, "%")


def _cloud_chance(chip: Chip) -> NDArray[np.float32]:
    """Return the probability of cloud on a chip of about 30 m."""
    grid = Grid(32631, 300_000.0, 5_100_000.0, chip.resolution_m, *chip.truth.shape)
    seen = see(load_model(), chip.image, BANDS, grid)
    anywhere = np.ones(grid.shape, np.bool_)
    return classify(
        chip.image, anywhere, np.full(grid.shape, UNKNOWN, np.float32), None, seen
    ).cloud
