"""The geometric accuracy of all scenes of a store beside what was published of the product line.

Published are the shares of GF-1 and GF-6 images per class of RMSE after matching and correction
(Tang et al., "Production and Key Technology for Gaofen 16 meter Analysis Ready Data", 6th AOGEO
workshop, May 2023). Ours are of scenes that were compared with a reference, those included in
which too few points matched; check points took no part in the fit.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.product import RESOLUTION_M
from processing.geometry.gate import AccuracyClass
from processing.report.regions import region_of

PUBLISHED_CLASSES: Final = (
    AccuracyClass.WITHIN,
    AccuracyClass.MARGINAL,
    AccuracyClass.BEYOND,
)
PUBLISHED: Final[Mapping[tuple[str, str], Mapping[AccuracyClass, float]]] = {
    place: dict(zip(PUBLISHED_CLASSES, shares, strict=True))
    for place, shares in {
        ("GF1", "China"): (98.0, 1.3, 0.7),
        ("GF1", "France"): (91.1, 7.0, 1.9),
        ("GF1", "Brazil"): (94.9, 3.7, 1.4),
        ("GF6", "China"): (93.0, 5.0, 0.7),
        ("GF6", "France"): (91.0, 6.1, 2.9),
        ("GF6", "Brazil"): (92.1, 4.9, 3.0),
    }.items()
}
"""Percent of images by satellite, region and class."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene as its record tells of it.

    ``klass`` is None where the scene was compared with nothing. ``geometry`` is the document of
    `processing.record.geometry_document`.
    """

    name: str
    version: str
    camera: str
    time: str
    region: str
    status: str
    klass: AccuracyClass | None
    geometry: Mapping[str, Any] | None

    @property
    def satellite(self) -> str:
        """GF1 or GF6."""
        return self.camera[:3]

    def pixels(self, figure: str) -> float | None:
        """Return a figure of the accuracy ("rmse", "ce90" …) in pixels, None where none is."""
        metres = None if self.geometry is None else self.geometry["accuracy_m"][figure]
        return None if metres is None else float(metres) / RESOLUTION_M

    @property
    def before_px(self) -> float | None:
        """RMSE of the check points before the correction, pixels; None without any."""
        if not self.check_points or self.geometry is None:
            return None
        points = self.geometry["points"]
        rows = zip(points["before_x_m"], points["before_y_m"], points["use"], strict=True)
        squares = [x * x + y * y for x, y, use in rows if use == "check"]
        return math.sqrt(sum(squares) / len(squares)) / RESOLUTION_M

    @property
    def check_points(self) -> int:
        """Number of check points."""
        return 0 if self.geometry is None else int(self.geometry["check_points"])

    @property
    def check_cells(self) -> int:
        """How many of the nine cells hold check points."""
        cells = () if self.geometry is None else self.geometry["cells"]
        return sum(cell["points"] > 0 for cell in cells)

    def to_dict(self) -> dict[str, Any]:
        """Return the scene as plain JSON values, without its points."""
        figures = ("rmse", "rmse_x", "rmse_y", "bias_x", "bias_y", "ce90", "median")
        return {
            "name": self.name,
            "version": self.version,
            "camera": self.camera,
            "time": self.time,
            "region": self.region,
            "status": self.status,
            "class": None if self.klass is None else str(self.klass),
            "before_px": _rounded(self.before_px),
            "check_points": self.check_points,
            "check_cells": self.check_cells,
            **{f"{figure}_px": _rounded(self.pixels(figure)) for figure in figures},
        }


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the classes, percent, of the scenes of a satellite in a region.

    ``compared`` counts the scenes with a class; ``shares`` is empty without any, ``published``
    where nothing was.
    """

    satellite: str
    region: str
    compared: int
    shares: Mapping[AccuracyClass, float]
    published: Mapping[AccuracyClass, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the shares as plain JSON values."""
        return {
            "satellite": self.satellite,
            "region": self.region,
            "compared": self.compared,
            "percent": {str(klass): round(share, 2) for klass, share in self.shares.items()},
            "published_percent": {str(klass): share for klass, share in self.published.items()},
        }


def read_scenes(records: Iterable[Mapping[str, Any]]) -> list[Scene]:
    """Return the scenes of a store's records; of several versions of one the last.

    Parameters
    ----------
    records
        As of `catalog.store.Store.scenes`, in the order of their names.
    """
    last = {record["package"]: record for record in records}
    return [_scene(record) for record in last.values()]


def shares(scenes: Sequence[Scene]) -> list[Shares]:
    """Return the shares by satellite and region: the published ones, then others of the store."""
    others = sorted({(scene.satellite, scene.region) for scene in scenes} - set(PUBLISHED))
    return [_shares(place, scenes) for place in (*PUBLISHED, *others)]


def _scene(record: Mapping[str, Any]) -> Scene:
    geometry = record["geometry"]
    return Scene(
        record["package"],
        record["version"],
        record["camera"],
        record["time"],
        region_of(*record["centre"]),
        record["result"]["status"],
        None if geometry is None else AccuracyClass(geometry["class"]),
        geometry,
    )


def _shares(place: tuple[str, str], scenes: Sequence[Scene]) -> Shares:
    satellite, region = place
    here = [s for s in scenes if (s.satellite, s.region) == place and s.klass is not None]
    counts = {klass: sum(scene.klass is klass for scene in here) for klass in AccuracyClass}
    found = {klass: 100.0 * count / len(here) for klass, count in counts.items()} if here else {}
    return Shares(satellite, region, len(here), found, PUBLISHED.get(place, {}))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
