"""Where a scene lies: its co-registration with a reference, and the gate on what is left.

A scene becomes a product when the check points, which took no part in the fit, say that it lies
within 0.8 pixel of the reference. Points too few or too clustered to say so are no proof: such a
scene is rejected too, or made without a correction and marked as degraded where that is allowed.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from catalog.errors import ReferenceImageError
from catalog.grid import tiles_touching
from catalog.product import REFLECTANCE_BANDS, RESOLUTION_M
from catalog.store import Store
from processing.geometry.coregister import AccuracyClass, Registration, coregister
from processing.geometry.dem import HeightModel
from processing.geometry.gate import LEAST_CELLS, LEAST_POINTS, WITHIN_PX
from processing.geometry.ortho import footprint
from processing.package import L1APackage
from processing.reference.image import ReferenceImage
from processing.reference.source import Wanted, open_reference
from processing.settings import ProcessSettings

_LOG = logging.getLogger(__name__)

NO_REFERENCE: Final = "no reference image was given"
_NOT_MEASURED: Final = "geometric accuracy not measured"


@dataclass(frozen=True, slots=True)
class Placement:
    """How a scene was brought onto a reference.

    ``registration`` and ``reference`` are None where there was none; ``doubt`` says why nothing
    was measured that a product can rest on, None where it was.
    """

    registration: Registration | None = None
    reference: ReferenceImage | None = None
    doubt: str | None = f"{_NOT_MEASURED}: {NO_REFERENCE}"

    @property
    def klass(self) -> AccuracyClass | None:
        """Class of the accuracy, None where nothing was compared."""
        return None if self.registration is None else self.registration.accuracy.klass

    def refusal(self, *, allow_unverified: bool) -> tuple[str, str] | None:
        """Return reason code and sentence where no product may be made of the scene.

        Parameters
        ----------
        allow_unverified
            Whether products may be made where too few points tell anything.
        """
        if self.registration is None or self.klass is AccuracyClass.WITHIN:
            return None
        accuracy = self.registration.accuracy
        if self.klass is not AccuracyClass.INSUFFICIENT:
            return "geometry", (
                f"geometric RMSE {accuracy.rmse_px:.2f} pixel (class {self.klass}) at "
                f"{accuracy.check_points} check points, limit {WITHIN_PX:g}"
            )
        if allow_unverified:
            return None
        return "unverified", (
            f"{_found(self.registration)}; {max(LEAST_POINTS, accuracy.outliers)} check "
            f"points in {LEAST_CELLS} cells wanted to tell the geometric accuracy: give another "
            "reference, or --allow-unverified for a degraded product"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to tell whoever gave a reference that vouches for nothing."""
        return () if self.doubt in (None, UNPLACED.doubt) else (str(self.doubt),)

    @property
    def figures(self) -> dict[str, float]:
        """What was measured, pixels of 16 m; empty where nothing was."""
        if self.registration is None:
            return {}
        accuracy = self.registration.accuracy
        counts = {
            "check_points": float(accuracy.check_points),
            "check_cells": float(accuracy.cells),
        }
        if not accuracy.check_points:
            return counts
        return {
            "geometric_rmse_px": accuracy.rmse_px,
            "geometric_ce90_px": accuracy.ce90_px,
            "geometric_median_px": accuracy.median_px,
            **counts,
        }


def _found(registration: Registration) -> str:
    """Say how much of a scene was found in its reference."""
    accuracy, reference = registration.accuracy, registration.reference
    if not accuracy.check_points:
        return f"the scene was not found in the reference {reference}"
    false = f", beside {accuracy.outliers} false ones" if accuracy.outliers else ""
    return (
        f"{accuracy.check_points} check points in {accuracy.cells} of 9 cells match the reference "
        f"{reference}{false}"
    )


UNPLACED: Final = Placement()
"""Nothing was compared with anything."""


def place(
    package: L1APackage,
    heights: HeightModel,
    source: str | Path | None,
    store: Store,
    settings: ProcessSettings,
    progress: Callable[[str], None],
    *,
    cloud_dn: Sequence[float] | None = None,
) -> tuple[L1APackage, Placement]:
    """Bring a scene onto a reference.

    Parameters
    ----------
    package
        The scene.
    heights
        Heights of the ground.
    source
        What the reference is, as of `open_reference`; None for none.
    store
        The archive.
    settings
        Options of production.
    progress
        Called with the name of each step.
    cloud_dn
        Count of each band from which a pixel is taken for cloud; None does not look.

    Returns
    -------
    package
        With camera models that hold the correction, where one can be trusted.
    placement
        What was found; its ``refusal`` is for the caller to act on.

    Raises
    ------
    ReferenceImageError
        There is no such reference, and products without one are not allowed.
    """
    if source is None:
        return package, UNPLACED
    progress("looking for the reference")
    try:
        reference = open_reference(
            source, _wanted(package, heights, settings), store, progress=progress
        )
    except ReferenceImageError as error:
        if not settings.allow_unverified:
            raise
        _LOG.warning("%s: %s", package.name, error)
        return package, Placement(doubt=f"{_NOT_MEASURED}: no reference image serves")
    band = _band_names(package).index(reference.band)
    registration = coregister(
        package.parts,
        heights,
        reference,
        band_index=band,
        saturation_dn=package.camera.saturation_dn,
        cloud_dn=None if cloud_dn is None else float(cloud_dn[band]),
        progress=progress,
    )
    placement = Placement(registration, reference, None)
    if placement.klass is AccuracyClass.INSUFFICIENT:
        doubt = f"{_NOT_MEASURED}: {_found(registration)}"
        return package, replace(placement, doubt=doubt)
    return _corrected(package, registration), placement


def metres(pixels: float) -> float:
    """Return a length in metres of one in pixels of the product."""
    return float(pixels) * RESOLUTION_M


def _wanted(package: L1APackage, heights: HeightModel, settings: ProcessSettings) -> Wanted:
    """Return what the reference must cover."""
    ring = footprint(package.parts, heights)
    longitudes, latitudes = zip(*ring, strict=True)
    bounds = (min(longitudes), min(latitudes), max(longitudes), max(latitudes))
    return Wanted(bounds, tiles_touching(ring), package.centre_time, settings.reference_band)


def _band_names(package: L1APackage) -> list[str | None]:
    """Return the common names of the scene's bands in their order."""
    return [band.common_name for band in REFLECTANCE_BANDS[package.camera.satellite]]


def _corrected(package: L1APackage, registration: Registration) -> L1APackage:
    """Return the package with the corrections in its camera models."""
    parts = tuple(
        replace(part, rpc=part.rpc.corrected(correction))
        for part, correction in zip(package.parts, registration.corrections, strict=True)
    )
    return replace(package, parts=parts)
