"""Normalisation factors from observations: of invariant ground, or beside a reference sensor.

Invariant ground shows the same reflectance every year but for its seasons, so what changes from
year to year is the calibration. Beside near-simultaneous scenes of a reference sensor the ratio
of the two, with the difference of the bands taken out, is the factor itself.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CalibrationError
from processing.normalisation import Factor, check_band

_ROUNDS: Final = 20
_TUKEY: Final = 4.685
_MAD: Final = 1.4826
_LEAST: Final = 5
"""Observations that a year needs before it gets a factor."""
_FLOOR: Final = 0.002
"""Least relative uncertainty of a factor: what the model of the ground leaves."""

Floats = NDArray[np.float64]
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at one site: TOA reflectance of a band, beside a reference's where there is one."""

    camera: str
    band: str
    time: datetime
    site: str
    observed: float
    reference: float | None = None


def read_observations(path: Path) -> list[Observation]:
    """Read a CSV with the columns camera, band, time (ISO 8601), site, observed, reference.

    The last column may be empty or absent. Reflectances that are no positive number are refused.

    Raises
    ------
    CalibrationError
        The file cannot be read, or a line is not of that kind or of an unknown camera or band.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationError(f"{path}: observations cannot be read: {error}") from error
    found = []
    for number, row in enumerate(csv.DictReader(lines), start=2):
        try:
            reference = row.get("reference")
            one = Observation(
                row["camera"], row["band"], datetime.fromisoformat(row["time"]), row["site"],
                float(row["observed"]), float(reference) if reference else None,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationError(
                f"{path}:{number}: {error}; camera, band, time, site, observed and perhaps "
                "reference wanted"
            ) from error
        check_band(one.camera, one.band, f"{path}:{number}")
        for value in (one.observed, one.reference or 1.0):
            if not 0 < value < math.inf:
                raise CalibrationError(
                    f"{path}:{number}: reflectance {value}; a number above 0 wanted"
                )
        found.append(one)
    return found


def factors_of(
    observations: Iterable[Observation],
    *,
    anchor: int | None = None,
    adjustment: Mapping[tuple[str, str], float] | None = None,
) -> dict[Key, Factor]:
    """Estimate the factor of each camera, band and year.

    Observations with a reference are compared with it. The others are taken for invariant
    ground: the logarithm of reflectance is the sum of the site, its season (one harmonic, since
    sun and view change with the year) and the year, solved together with Tukey's weights, which
    take cloud and haze out.

    Parameters
    ----------
    observations
        Of any number of cameras, bands and sites.
    anchor
        Year whose calibration is taken for true; None takes the mean of the years.
    adjustment
        By camera and band, what the reference's reflectance is multiplied by to be that of the
        camera's band, see `processing.bandpass`; 1 where it has none.

    Returns
    -------
    dict
        Factors, relative one sigma and source. Years with fewer than five observations have none.

    Raises
    ------
    CalibrationError
        The anchor year has too few observations of a band.
    """
    groups: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for one in observations:
        groups[one.camera, one.band].append(one)
    found: dict[Key, Factor] = {}
    for (camera, band), some in groups.items():
        beside = [one for one in some if one.reference is not None]
        alone = [one for one in some if one.reference is None]
        ratio = (adjustment or {}).get((camera, band), 1.0)
        years = dict(_of_invariant(alone, anchor, f"{camera} {band}"))
        years |= dict(_of_reference(beside, ratio))
        found |= {(camera, band, year): factor for year, factor in years.items()}
    return found


def _of_reference(
    observations: Sequence[Observation], ratio: float
) -> Iterator[tuple[int, Factor]]:
    """Compare with the reference, year by year."""
    for year in sorted({one.time.year for one in observations}):
        logs = np.array(
            [
                math.log(one.reference * ratio / one.observed)
                for one in observations
                if one.time.year == year and one.reference is not None
            ]
        )
        if len(logs) >= _LEAST:
            centre, sigma = _robust(np.ones((len(logs), 1)), logs)
            uncertainty = math.hypot(float(sigma[0]), _FLOOR)
            source = f"{len(logs)} pairs with a reference"
            yield year, Factor(math.exp(float(centre[0])), uncertainty, source)


def _of_invariant(
    observations: Sequence[Observation], anchor: int | None, name: str
) -> Iterator[tuple[int, Factor]]:
    """Find what each year has in common at all sites."""
    counts: dict[int, int] = defaultdict(int)
    for one in observations:
        counts[one.time.year] += 1
    years = sorted(year for year, count in counts.items() if count >= _LEAST)
    kept = [one for one in observations if one.time.year in years]
    if anchor is not None and observations and anchor not in years:
        raise CalibrationError(
            f"{name}: {counts[anchor]} observations in the anchor year {anchor}, {_LEAST} wanted"
        )
    if len(years) < 2:
        return
    sites = sorted({one.site for one in kept})
    design = _design(kept, years, sites)
    solution, covariance = _solve(design, np.array([math.log(one.observed) for one in kept]))
    effects = np.concatenate([[0.0], solution[: len(years) - 1]])
    weights = _against(years, anchor)
    spread = np.zeros((len(years), len(years)))
    spread[1:, 1:] = covariance[: len(years) - 1, : len(years) - 1]
    for n, year in enumerate(years):
        step = np.eye(len(years))[n] - weights
        sigma = math.sqrt(max(float(step @ spread @ step), 0.0))
        what = f"{counts[year]} looks at {len(sites)} invariant sites"
        against = f"against {anchor}" if anchor is not None else "against the mean of the years"
        factor = math.exp(-float(step @ effects))
        yield year, Factor(factor, math.hypot(sigma, _FLOOR), f"{what}, {against}")


def _against(years: Sequence[int], anchor: int | None) -> Floats:
    """Return the weights of the years in what the others are compared with."""
    if anchor is None:
        return np.full(len(years), 1.0 / len(years))
    return np.array([float(year == anchor) for year in years])


def _design(
    observations: Sequence[Observation], years: Sequence[int], sites: Sequence[str]
) -> Floats:
    """Return columns for the years after the first, and level and season of each site."""
    year = np.array([[one.time.year == each for each in years[1:]] for one in observations])
    site = np.array([[one.site == each for each in sites] for one in observations], float)
    turn = np.array([2 * math.pi * one.time.timetuple().tm_yday / 365.25 for one in observations])
    seasons = [site * wave(turn)[:, None] for wave in (np.cos, np.sin)]
    return np.concatenate([year.astype(float), site, *seasons], axis=1)


def _robust(design: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return solution and one sigma of each unknown."""
    solution, covariance = _solve(design, values)
    return solution, np.sqrt(np.diag(covariance))


def _solve(design: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Solve by least squares with Tukey's weights; return solution and covariance."""
    weight = np.ones(len(values))
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)[:, None]
        solution = np.linalg.lstsq(design * root, values * root[:, 0], rcond=None)[0]
        left = values - design @ solution
        scale = max(_MAD * float(np.median(np.abs(left))), 1e-9)
        weight = np.clip(1.0 - (left / (_TUKEY * scale)) ** 2, 0.0, None) ** 2
    freedom = max(float(weight.sum()) - design.shape[1], 1.0)
    variance = float((weight * left**2).sum()) / freedom
    normal = design.T @ (design * weight[:, None])
    covariance: Floats = variance * np.linalg.pinv(normal)
    return solution.astype(np.float64), covariance
