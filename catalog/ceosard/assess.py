"""Judgement of products by every requirement of the specification.

The judgement is the platform's own: only a peer review by the CEOS Working Group on Calibration
and Validation lets a product be called CEOS-ARD.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from catalog.ceosard.judges import BY_METADATA, BY_PIXELS, Answer
from catalog.ceosard.product import Pixels, Product


@dataclass(frozen=True, slots=True)
class Requirement:
    """A row of the specification; ``threshold`` is None where only the goal asks something."""

    number: str
    id: str
    title: str
    threshold: str | None
    goal: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a product does about a requirement.

    ``threshold`` is true as well where the threshold asks nothing; ``evidence`` says where to
    look, ``open`` what is missing for the goal.
    """

    requirement: Requirement
    threshold: bool
    goal: bool
    evidence: str
    open: str = ""


@cache
def requirements() -> tuple[Requirement, ...]:
    """Return the rows of the specification in their order."""
    return tuple(Requirement(**row) for row in _table()["requirements"])


@cache
def _table() -> dict[str, Any]:
    text = files("catalog.data").joinpath("ceos_ard_sr.json").read_bytes()
    table: dict[str, Any] = orjson.loads(text)
    return table


def specification_version() -> str:
    """Return the version of the specification that is judged against."""
    return str(_table()["version"])


def assess(product: Product) -> tuple[Judgement, ...]:
    """Judge a product by every requirement.

    Raises
    ------
    rasterio.errors.RasterioIOError
        A file of the product cannot be read.
    KeyError
        The item lacks an asset of the contract.
    """
    pixels = product.pixels()
    return tuple(
        Judgement(row, *answer)
        for row in requirements()
        for answer in [_judge(row.id, product, pixels)]
    )


def meets_threshold(judgements: tuple[Judgement, ...]) -> bool:
    """Tell whether every threshold is met."""
    return all(judgement.threshold for judgement in judgements)


def _judge(row: str, product: Product, pixels: Pixels) -> Answer:
    if row in BY_METADATA:
        return BY_METADATA[row](product)
    return BY_PIXELS[row](product, pixels)
