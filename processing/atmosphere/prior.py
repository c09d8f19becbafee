"""What is known of the haze before a scene is seen."""

import json
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files
from typing import Any

from catalog.errors import AtmosphereError

HIGHEST_AOD = 2.0
"""Optical depth at 550 nm at which the look-up table ends."""


class AodSource(IntEnum):
    """Where a cell's optical depth comes from, as in the field ``aerosol_source`` of ``qa``."""

    RETRIEVED = 0
    INTERPOLATED = 1
    PRIOR = 2
    CLIMATOLOGY = 3


@dataclass(frozen=True, slots=True)
class AodPrior:
    """What is known of the haze before the scene is seen: depth at 550 nm, sigma, model, origin.

    A ``source`` that begins with "climatology" marks cells left at the prior as such.
    """

    aod: float
    sigma: float
    model: str
    source: str

    @property
    def kind(self) -> AodSource:
        """Code of cells that keep the prior."""
        is_climatology = self.source.startswith("climatology")
        return AodSource.CLIMATOLOGY if is_climatology else AodSource.PRIOR


def check_prior(prior: AodPrior) -> None:
    """Raise AtmosphereError where a prior is no optical depth with a positive sigma."""
    if not (0 <= prior.aod <= HIGHEST_AOD and 0 < prior.sigma < float("inf")):
        raise AtmosphereError(
            f"aerosol prior {prior.aod} with sigma {prior.sigma} from {prior.source}: an optical "
            f"depth of 0 to {HIGHEST_AOD:g} and a positive sigma wanted; use the climatology"
        )


def climatology(latitude: float, longitude: float, month: int) -> AodPrior:
    """Return the prior of a place (degrees) and month (1-12) when no analysis is at hand."""
    for region in _regions():
        inside = (
            region["west"] <= longitude <= region["east"]
            and region["south"] <= latitude <= region["north"]
        )
        if inside and month in region["months"]:
            name = f"climatology: {region['name']}"
            return AodPrior(region["aod"], region["sigma"], region["model"], name)
    raise AtmosphereError(
        f"no aerosol climatology for {latitude} N {longitude} E in month {month}; latitude "
        "within 90, longitude within 180 and month 1-12 wanted"
    )


@cache
def _regions() -> list[dict[str, Any]]:
    table = json.loads(files("processing.data").joinpath("aod_climatology.json").read_text())
    regions: list[dict[str, Any]] = table["regions"]
    return regions
