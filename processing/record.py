"""What is kept of a scene: its geometry for items and reports, and what became of it."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import ArrayLike

from catalog.facts import GeometricFacts
from catalog.item import stac_time
from catalog.product import GEOMETRY, ItemId
from processing.geometry.coregister import MatchTable, Registration
from processing.package import L1APackage
from processing.placement import Placement, metres
from processing.reference.image import ReferenceImage
from processing.result import SceneResult

_METRE_DIGITS: Final = 3
_DEGREE_DIGITS: Final = 6


def geometric_facts(placement: Placement) -> GeometricFacts | None:
    """Return the measured accuracy for an item, None where none can be stated."""
    found = placement.registration
    if found is None or placement.doubt is not None:
        return None
    accuracy = found.accuracy
    return GeometricFacts(
        rmse_m=metres(accuracy.rmse_px),
        rmse_x_m=metres(accuracy.rmse_x_px),
        rmse_y_m=metres(accuracy.rmse_y_px),
        bias_x_m=metres(accuracy.bias_x_px),
        bias_y_m=metres(accuracy.bias_y_px),
        stddev_x_m=metres(accuracy.stddev_x_px),
        stddev_y_m=metres(accuracy.stddev_y_px),
        ce90_m=metres(accuracy.ce90_px),
        median_m=metres(accuracy.median_px),
        klass=str(accuracy.klass),
        check_points=accuracy.check_points,
        check_cells=accuracy.cells,
        model=str(found.model),
        reference=found.reference,
    )


def corrections(registration: Registration) -> list[dict[str, float]]:
    """Return the correction of each part: what is added to row and column of its RPC, pixels."""
    return [asdict(correction) for correction in registration.corrections]


def geometry_document(placement: Placement) -> dict[str, Any] | None:
    """Return everything about the geometry of a scene as JSON values, None where nothing is known.

    Lengths are metres on the ground, x to the east, y to the north, product minus reference;
    the cells of the 3 x 3 table follow the image row by row, first line first. Points are columns
    of equal length, used as "fit", "check" or "outlier".
    """
    found, reference = placement.registration, placement.reference
    if found is None or reference is None:
        return None
    accuracy = found.accuracy
    return {
        "reference": reference_facts(reference),
        "model": str(found.model),
        "corrections": corrections(found),
        "class": str(accuracy.klass),
        "check_points": accuracy.check_points,
        "outliers": accuracy.outliers,
        "accuracy_m": {
            name.removesuffix("_px"): _finite(metres(value), _METRE_DIGITS)
            for name, value in asdict(accuracy).items()
            if name.endswith("_px")
        },
        "cells": [
            {"points": cell.points, "rmse": _finite(metres(cell.rmse_px), _METRE_DIGITS)}
            for cell in accuracy.grid
        ],
        "points": _points(found.matches),
    }


def write_geometry(folder: Path, identity: ItemId, placement: Placement) -> dict[str, Path]:
    """Write the document of the geometry for an item; return it by asset key.

    Nothing is written where the accuracy cannot be stated.
    """
    document = geometry_document(placement)
    if document is None or placement.doubt is not None:
        return {}
    path = folder / identity.file_name(GEOMETRY.key)
    path.write_bytes(orjson.dumps(document))
    return {GEOMETRY.key: path}


def reference_facts(reference: ReferenceImage) -> dict[str, Any]:
    """Return which images a scene was compared with."""
    return {
        "source": reference.source,
        "label": reference.label,
        "band": reference.band,
        "dates": list(reference.dates),
        "images": [piece.name for piece in reference.pieces],
    }


def scene_record(
    package: L1APackage, version: str, placement: Placement, result: SceneResult
) -> dict[str, Any]:
    """Return what is kept of a scene that was worked on, products or not."""
    return {
        "package": package.name,
        "version": version,
        "camera": package.camera.name,
        "time": stac_time(package.centre_time),
        "centre": [round(value, 4) for value in package.centre],
        "result": result.to_dict(),
        "geometry": geometry_document(placement),
    }


def _points(matches: MatchTable) -> dict[str, list[Any]]:
    """Return the matched points as columns."""
    return {
        "part": matches.part.tolist(),
        "row": _column(matches.row, 2),
        "col": _column(matches.col, 2),
        "lon": _column(matches.lon, _DEGREE_DIGITS),
        "lat": _column(matches.lat, _DEGREE_DIGITS),
        "height": _column(matches.height, 1),
        "before_x_m": _column(metres_of(matches.before_x_px), _METRE_DIGITS),
        "before_y_m": _column(metres_of(matches.before_y_px), _METRE_DIGITS),
        "x_m": _column(metres_of(matches.after_x_px), _METRE_DIGITS),
        "y_m": _column(metres_of(matches.after_y_px), _METRE_DIGITS),
        "use": matches.used.tolist(),
    }


def metres_of(pixels: ArrayLike) -> ArrayLike:
    """Return lengths in metres of those in pixels of the product."""
    return np.asarray(pixels, np.float64) * metres(1.0)


def _column(values: ArrayLike, digits: int) -> list[float]:
    return [float(value) for value in np.round(np.asarray(values, np.float64), digits)]


def _finite(value: float, digits: int) -> float | None:
    """Return a rounded number, None for NaN, which JSON has not."""
    return round(value, digits) if math.isfinite(value) else None
