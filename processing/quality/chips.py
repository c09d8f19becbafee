"""Labelled chips: small images whose pixels were classified by people, in the files of a folder.

A chip is a pair ``<name>_toa.tif`` (or ``<name>_sr.tif``) and ``<name>_label.tif``. What the codes
of its label mean is declared for a family of chips: in ``labels.json`` beside them, and for the
public sets of ``processing/data/labels.json`` already. A label rarely tells all classes apart;
those that a family does not name count as clear, in the truth and in what is found.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from catalog.errors import LabelError
from catalog.product import MaskClass
from processing.quality.accuracy import IGNORED
from processing.quality.network import Level

DECLARATIONS = "labels.json"
Surface = Literal["snow", "bright soil", "water"]

BANDS = ("blue", "green", "red", "nir")
_SUFFIXES: dict[str, Level] = {"_toa.tif": "TOA", "_sr.tif": "SR"}
_LABEL = "_label.tif"


class Family(BaseModel):
    """Chips that share their labels' meaning; ``files`` are patterns of chip names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str = Field(min_length=1, description="title of the chips' figures")
    files: tuple[str, ...] = Field(min_length=1)
    resolution_m: float = Field(gt=0, le=1000, description="pixel size")
    scale: float = Field(1e-4, gt=0, description="reflectance per count")
    classes: dict[str, tuple[int, ...]] = Field(description="codes of each class")
    ignored: tuple[int, ...] = Field((), description="codes that are not judged")

    @field_validator("classes")
    @classmethod
    def _known(cls, classes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        known = [value.name.lower() for value in MaskClass if value is not MaskClass.FILL]
        unknown = sorted(set(classes) - set(known))
        if unknown:
            raise ValueError(f"classes {unknown} are unknown; known: {known}")
        if "clear" not in classes:
            raise ValueError("no codes for clear, which takes all classes that are not named")
        return classes

    @property
    def legend(self) -> tuple[MaskClass, ...]:
        """The classes that the labels tell apart."""
        return tuple(MaskClass[name.upper()] for name in self.classes)

    def truth(self, label: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the index in ``legend`` of each pixel, uint8, ``IGNORED`` where not judged.

        Raises
        ------
        LabelError
            A code that the family does not declare.
        """
        index = np.full(label.shape, len(MaskClass), np.uint8)
        for place, codes in enumerate(self.classes.values()):
            index[np.isin(label, codes)] = place
        index[np.isin(label, self.ignored)] = IGNORED
        unknown = np.unique(label[index == len(MaskClass)])
        if unknown.size:
            raise LabelError(
                f"codes {unknown.tolist()} in the label, {self.group!r} declares "
                f"{ {name: list(codes) for name, codes in self.classes.items()} }"
            )
        return index


class Declarations(BaseModel):
    """Content of a ``labels.json``: families, the first that fits counts, and known surfaces."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    families: tuple[Family, ...] = ()
    surfaces: dict[Surface, tuple[str, ...]] = {}

    def family(self, name: str) -> Family:
        """Return the family of a chip.

        Raises
        ------
        LabelError
            No family has a pattern for it.
        """
        for family in self.families:
            if _fits(name, family.files):
                return family
        raise LabelError(
            f"{name}: no family of labels fits this name; declare the codes in {DECLARATIONS} "
            "beside the chips"
        )

    def surface(self, name: str) -> Surface | None:
        """Return what lies below the clouds of a chip, where that is known to be one thing."""
        found = (kind for kind, patterns in self.surfaces.items() if _fits(name, patterns))
        return next(found, None)


@dataclass(frozen=True, slots=True)
class Chip:
    """A labelled image.

    ``image`` is reflectance of blue, green, red and near infrared, float32 (4, rows, cols),
    NaN = no data, at the top of the atmosphere or at the surface as ``level`` says. ``truth``
    holds indices in ``legend``, uint8 (rows, cols), or ``IGNORED``.
    """

    name: str
    group: str
    image: NDArray[np.float32]
    truth: NDArray[np.uint8]
    legend: tuple[MaskClass, ...]
    resolution_m: float
    level: Level = "TOA"
    surface: Surface | None = None

    def reduced(self, classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return ``MaskClass`` values as indices in the legend; what it lacks counts as clear."""
        clear = self.legend.index(MaskClass.CLEAR)
        table = [self.legend.index(c) if c in self.legend else clear for c in MaskClass]
        return np.array(table, np.uint8)[classes]


def read_chips(folder: Path) -> Iterator[Chip]:
    """Read the labelled chips of a folder in the order of their names.

    Raises
    ------
    LabelError
        The folder holds no chips, a file of a pair is missing or unreadable, image and label
        differ in size, or the meaning of the codes is not declared.
    """
    declared = read_declarations(folder)
    for name in chip_names(folder):
        yield read_chip(folder, name, declared)


def chip_names(folder: Path) -> list[str]:
    """Return the names of the chips of a folder.

    Raises
    ------
    LabelError
        The folder is not there or holds no labels.
    """
    names = sorted(path.name.removesuffix(_LABEL) for path in folder.glob(f"*{_LABEL}"))
    if not names:
        raise LabelError(f"{folder}: no files *{_LABEL}; a folder of labelled chips is wanted")
    return names


def read_declarations(folder: Path) -> Declarations:
    """Return what is declared about the chips of a folder, followed by what is known anyway.

    Raises
    ------
    LabelError
        ``labels.json`` is not what it should be.
    """
    known = files("processing").joinpath("data/labels.json").read_text()
    public = Declarations.model_validate_json(known)
    path = folder / DECLARATIONS
    if not path.exists():
        return public
    try:
        own = Declarations.model_validate_json(path.read_text())
    except (OSError, ValueError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise LabelError(f"{path}: {reason}; see processing/data/labels.json") from error
    return Declarations(
        families=(*own.families, *public.families), surfaces={**public.surfaces, **own.surfaces}
    )


def read_chip(folder: Path, name: str, declared: Declarations) -> Chip:
    """Read one chip; see :func:`read_chips`."""
    family = declared.family(name)
    images = [folder / f"{name}{suffix}" for suffix in _SUFFIXES]
    path = next((path for path in images if path.exists()), None)
    if path is None:
        wanted = " or ".join(path.name for path in images)
        raise LabelError(f"{folder / name}{_LABEL} has no image: {wanted} wanted beside it")
    counts = _read(path)
    label = _read(folder / f"{name}{_LABEL}")[0]
    if counts.shape[1:] != label.shape:
        raise LabelError(
            f"{path}: {counts.shape[1:]} pixels, its label has {label.shape}; the same are wanted"
        )
    try:
        truth = family.truth(label)
    except LabelError as error:
        raise LabelError(f"{folder / name}{_LABEL}: {error}") from None
    empty = ~np.isfinite(counts).all(axis=0) | (counts == 0).all(axis=0)
    image = np.where(empty, np.float32(np.nan), counts * np.float32(family.scale))
    truth[empty] = IGNORED
    return Chip(
        name,
        family.group,
        image,
        truth,
        family.legend,
        family.resolution_m,
        _SUFFIXES[path.name.removeprefix(name)],
        declared.surface(name),
    )


def _read(path: Path) -> NDArray[np.integer | np.floating]:
    """Read the bands that matter: blue, green, red, NIR of an image, the first of a label."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as raster:
                return np.asarray(raster.read(_band_indices(path, raster)))
    except RasterioIOError as error:
        raise LabelError(f"{path}: not readable as an image: {error}") from error


def _band_indices(path: Path, raster: rasterio.DatasetReader) -> list[int]:
    """Return which bands to read: by their descriptions, else the first ones."""
    if path.name.endswith(_LABEL):
        return [1]
    names = list(raster.descriptions)
    if set(BANDS) <= set(names):
        return [names.index(band) + 1 for band in BANDS]
    if raster.count < len(BANDS):
        raise LabelError(f"{path}: {raster.count} bands, {', '.join(BANDS)} wanted")
    return [1, 2, 3, 4]


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
