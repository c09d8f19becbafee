"""How well masks agree with labels: the parts of the mask, alone and together, on chips.

Each backend takes the road of a tile: one look at about 30 m, from which the mask is made at the
pixels of the chip, on which it is judged. Season and heights of a chip are unknown: any flat ground
may carry water and snow. Sun and view are unknown too: where shadows fall is read off the chip.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import REFLECTANCE_SCALE, MaskClass
from processing.geometry.field import GroundField, averaged
from processing.quality.accuracy import IGNORED, Confusion, boundary_f
from processing.quality.chips import BANDS, Chip
from processing.quality.direction import rays_of_image
from processing.quality.edges import USUAL, Edges
from processing.quality.mask import Context, SceneQuality, classify
from processing.quality.network import Level, MaskModel, see
from processing.quality.rules import as_toa
from processing.quality.snow import POSSIBLE, UNKNOWN
from processing.quality.strips import tile_mask

LOOK_M = 30.0
"""Pixel size at which a chip is looked at as a whole; finer ones are averaged to about it."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to make a mask: by ``rules``, by a network, or by both together.

    ``model`` gives the network for a level ("TOA" or "SR"); None works without one.
    ``snow_chance`` is what is known about snow on the ground, 0-1, ``edges`` what is done to
    the edges of clouds and shadows at the pixels of the chip.
    """

    name: str
    rules: bool
    model: Callable[[Level], MaskModel] | None
    snow_chance: float = UNKNOWN
    edges: Edges = USUAL

    def mask(self, chip: Chip) -> NDArray[np.uint8]:
        """Return the ``MaskClass`` of each pixel of a chip, uint8 (rows, cols)."""
        grid = Grid(32631, 300_000.0, 5_100_000.0, chip.resolution_m, *chip.truth.shape)
        factor = max(round(LOOK_M / chip.resolution_m), 1)
        image = averaged(chip.image, factor)
        model = None if self.model is None else self.model(chip.level)
        if self.rules:
            return _fused(image, chip, grid, factor, model, self)
        if model is None:
            raise ValueError(f"{self.name}: neither rules nor network")
        return _network_alone(image, chip, grid, factor, model)


@dataclass(frozen=True, slots=True)
class Scored:
    """One chip by one backend: the mask and its agreement with the label.

    ``mask`` holds ``MaskClass``, uint8 (rows, cols); ``confusion`` counts by the chip's legend;
    ``boundary`` is the boundary F score by class of the legend but clear.
    """

    chip: Chip
    backend: str
    mask: NDArray[np.uint8]
    confusion: Confusion
    boundary: Mapping[MaskClass, float]

    def index(self, value: MaskClass) -> int:
        """Return the place of a class in the counts."""
        return self.chip.legend.index(value)


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Agreement for one class that a group's labels hold, 0-1, NaN without such pixels.

    All but ``f1_mean`` and ``boundary_f``, which are means over the chips that hold the class,
    count pixels of all chips together.
    """

    users: float
    producers: float
    f1: float
    f1_mean: float
    iou: float
    boundary_f: float


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Agreement over the chips of a group, all pixels counted together."""

    group: str
    backend: str
    chips: int
    overall: float
    kappa: float
    classes: Mapping[MaskClass, ClassFigures]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All chips by all backends, and the shares of clear ground called cloud by surface."""

    backends: tuple[str, ...]
    scored: tuple[Scored, ...]

    def of(self, backend: str) -> tuple[Scored, ...]:
        """Return what one backend made, in the order of the chips."""
        return tuple(scored for scored in self.scored if scored.backend == backend)

    def groups(self) -> tuple[GroupFigures, ...]:
        """Return the figures of each group by each backend, group by group."""
        names = dict.fromkeys(scored.chip.group for scored in self.scored)
        return tuple(
            _figures(name, backend, self.of(backend)) for name in names for backend in self.backends
        )

    def false_cloud(self, backend: str) -> dict[str, float]:
        """Return the share (0-1) of clear pixels called cloud, by the surface that is known."""
        found: dict[str, Confusion] = {}
        for scored in self.of(backend):
            if scored.chip.surface is not None and MaskClass.CLOUD in scored.chip.legend:
                counts = scored.confusion.one_against_rest(scored.index(MaskClass.CLOUD))
                before = found.get(scored.chip.surface)
                found[scored.chip.surface] = counts if before is None else before + counts
        return {surface: counts.false_share(0) for surface, counts in sorted(found.items())}

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values, None where a figure has no pixels to rest on."""
        return {
            "groups": [_group_dict(figures) for figures in self.groups()],
            "false_cloud": {
                backend: {kind: _plain(part) for kind, part in self.false_cloud(backend).items()}
                for backend in self.backends
            },
            "chips": [_chip_dict(scored) for scored in self.scored],
        }


def evaluate(chips: Iterable[Chip], backends: Sequence[Backend], progress: Progress) -> Evaluation:
    """Classify chips by several backends and compare with their labels.

    Parameters
    ----------
    chips
        The labelled chips.
    backends
        The backends, by different names.
    progress
        Called with what is worked on and the number of masks made.
    """
    scored: list[Scored] = []
    for chip in chips:
        for backend in backends:
            progress(f"{chip.name}: {backend.name}", len(scored))
            scored.append(score(chip, backend.name, backend.mask(chip)))
    progress("", len(scored))
    return Evaluation(tuple(backend.name for backend in backends), tuple(scored))


def score(chip: Chip, backend: str, mask: NDArray[np.uint8]) -> Scored:
    """Compare a mask, uint8 (rows, cols) of ``MaskClass``, with the label of its chip."""
    found = chip.reduced(mask)
    judged = chip.truth != IGNORED
    boundary: dict[MaskClass, float] = {
        value: boundary_f(chip.truth == index, found == index, judged)
        for index, value in enumerate(chip.legend)
        if value is not MaskClass.CLEAR
    }
    confusion = Confusion.of(chip.truth, found, len(chip.legend))
    return Scored(chip, backend, mask, confusion, boundary)


def _fused(
    image: NDArray[np.float32],
    chip: Chip,
    grid: Grid,
    factor: int,
    model: MaskModel | None,
    way: Backend,
) -> NDArray[np.uint8]:
    """Return the mask by rules, with the network where one is given."""
    looked_at = grid.coarsen(factor)
    found = see(model, image, BANDS, looked_at, level=chip.level) if model else None
    anywhere = np.ones(image.shape[1:], np.bool_)
    chance = np.full(anywhere.shape, way.snow_chance, np.float32)
    rays = rays_of_image(found, looked_at.resolution) if found else None
    seen = classify(image, anywhere, chance, rays, found, level=chip.level)
    context = Context.FLAT | (Context.CAN_SNOW if way.snow_chance >= POSSIBLE else Context(0))
    quality = SceneQuality(
        looked_at,
        seen.cloud,
        seen.shadow,
        seen.classes,
        np.full(anywhere.shape, context, np.uint8),
        cloud_shadow_percent=0.0,
        model="",
        model_version="",
        model_sha256="",
        edges=way.edges,
    )
    toa = chip.image if chip.level == "TOA" else as_toa(chip.image)
    counts = np.rint(np.nan_to_num(toa) / REFLECTANCE_SCALE)
    empty = np.isnan(chip.image)
    encoded = np.where(empty, 0, np.clip(counts, 1, 65535)).astype(np.uint16)
    return tile_mask(quality, encoded, grid)


def _network_alone(
    image: NDArray[np.float32], chip: Chip, grid: Grid, factor: int, model: MaskModel
) -> NDArray[np.uint8]:
    """Return the most probable class of the network."""
    seen = see(model, image, BANDS, grid.coarsen(factor), level=chip.level)
    looked = GroundField(grid.coarsen(factor), np.stack((seen.cloud, seen.shadow)))
    cloud, shadow = looked.on(grid)
    rest = 1 - cloud - shadow
    mask = np.full(grid.shape, MaskClass.CLEAR, np.uint8)
    mask[(shadow > cloud) & (shadow > rest)] = MaskClass.CLOUD_SHADOW
    mask[(cloud >= shadow) & (cloud > rest)] = MaskClass.CLOUD
    mask[np.isnan(chip.image).any(axis=0)] = MaskClass.FILL
    return mask


def _figures(group: str, backend: str, scored: Sequence[Scored]) -> GroupFigures:
    """Pool the chips of a group, which share a legend."""
    members = [each for each in scored if each.chip.group == group]
    legend = members[0].chip.legend
    pooled = members[0].confusion
    for each in members[1:]:
        pooled = pooled + each.confusion
    classes = {}
    for index, value in enumerate(legend):
        holders = [each for each in members if each.confusion.counts[index].any()]
        if holders:
            classes[value] = ClassFigures(
                pooled.users(index),
                pooled.producers(index),
                pooled.f1(index),
                _mean(each.confusion.f1(index) for each in holders),
                pooled.iou(index),
                _mean(each.boundary.get(value, np.nan) for each in holders),
            )
    return GroupFigures(group, backend, len(members), pooled.overall, pooled.kappa, classes)


def _mean(values: Iterable[float]) -> float:
    """Return the mean of those that are numbers, NaN where none is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _group_dict(figures: GroupFigures) -> dict[str, Any]:
    return {
        "group": figures.group,
        "backend": figures.backend,
        "chips": figures.chips,
        "overall": _plain(figures.overall),
        "kappa": _plain(figures.kappa),
        "classes": {
            value.name.lower(): {
                "users": _plain(each.users),
                "producers": _plain(each.producers),
                "f1": _plain(each.f1),
                "f1_mean": _plain(each.f1_mean),
                "iou": _plain(each.iou),
                "boundary_f": _plain(each.boundary_f),
            }
            for value, each in figures.classes.items()
        },
    }


def _chip_dict(scored: Scored) -> dict[str, Any]:
    legend = [value.name.lower() for value in scored.chip.legend]
    return {
        "chip": scored.chip.name,
        "group": scored.chip.group,
        "backend": scored.backend,
        "overall": _plain(scored.confusion.overall),
        "kappa": _plain(scored.confusion.kappa),
        "f1": {name: _plain(scored.confusion.f1(n)) for n, name in enumerate(legend)},
        "boundary_f": {
            value.name.lower(): _plain(figure) for value, figure in scored.boundary.items()
        },
        "legend": legend,
        "confusion": scored.confusion.counts.tolist(),
    }


def _plain(value: float) -> float | None:
    """Return a figure to four digits, None for NaN."""
    return round(value, 4) if np.isfinite(value) else None
