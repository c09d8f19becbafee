"""`gfard normalise`: how the calibration of the years differs, as a table for production."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import CalibrationError
from infra.terminal import AsJson, print_json, say

if TYPE_CHECKING:
    from processing.invariant import Key, Observation
    from processing.normalisation import Factor, Normalisation


def normalise(
    source: Annotated[
        str,
        typer.Argument(
            help="CSV of observations (camera, band, time, site, observed, reference), or a store."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new table, CSV.")],
    sites: Annotated[
        Path | None,
        typer.Option(
            help="With a store: GeoJSON polygons of invariant ground.", show_default=False
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(help="Table to go on from.", show_default="the one of the package"),
    ] = None,
    anchor: Annotated[
        int | None,
        typer.Option(help="Year taken for true.", show_default="mean of the years"),
    ] = None,
    spectra: Annotated[
        Path | None,
        typer.Option(
            help="CSV: wavelength in nm, then the reflectance of each spectrum of such ground.",
            show_default=False,
        ),
    ] = None,
    response: Annotated[
        Path | None,
        typer.Option(
            help="CSV: wavelength in nm, then the reference's response, a column a band by name.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate normalisation factors of each camera, band and year; write a new table.

    Observations with a reference reflectance are compared with it, through the bands of both
    where --spectra and --response are given; the others are taken for invariant ground. Name the
    table in GFARD_PROCESS_NORMALISATION to produce with it.
    """
    from processing import normalisation
    from processing.bandpass import band_adjustments
    from processing.invariant import factors_of

    if Path(source).resolve() == out.resolve():
        raise CalibrationError(f"{out}: holds the observations; another file wanted for the table")
    known = normalisation.read_normalisation(table or normalisation.DEFAULT_TABLE)
    observations = _observations(source, sites, known)
    adjustment = None
    if spectra is not None and response is not None:
        adjustment = band_adjustments(spectra, response)
    elif spectra is not None or response is not None:
        raise CalibrationError("--spectra and --response belong together: give both or none")
    found = factors_of(observations, anchor=anchor, adjustment=adjustment)
    if not found:
        raise CalibrationError(
            f"{source}: too few observations; five a year are wanted, and two years where they "
            "have no reference"
        )
    normalisation.write_normalisation(out, normalisation.updated(known, found.items()))
    _tell(found, out, as_json=as_json)


def _observations(
    source: str, sites: Path | None, known: "Normalisation"
) -> "Iterable[Observation]":
    from catalog.stores import is_bucket, open_store
    from infra.show import count
    from processing.invariant import read_observations
    from processing.sites import observe_sites, read_sites

    if not is_bucket(source) and not Path(source).is_dir():
        return read_observations(Path(source))
    if sites is None:
        raise CalibrationError(f"{source}: a store needs --sites, polygons of invariant ground")
    with count("look") as counted:
        return list(observe_sites(open_store(source), read_sites(sites), known.version, counted))


def _tell(found: "dict[Key, Factor]", out: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {"camera": camera, "band": band, "year": year, "factor": one.factor,
                 "uncertainty": one.uncertainty, "source": one.source}
                for (camera, band, year), one in sorted(found.items())
            ]
        )  # fmt: skip
        return
    for (camera, band, year), one in sorted(found.items()):
        sigma = 100 * one.uncertainty
        say(f"{camera} {band:<10} {year}: {one.factor:.4f} ± {sigma:.1f} %, {one.source}")
    say(f"{out}: written; name it in GFARD_PROCESS_NORMALISATION")
