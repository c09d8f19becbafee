"""`gfard evaluate`: how well a part of the processing agrees with measured truth."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.show import console, shares, sheet_table
from infra.terminal import AsJson, print_json, say

if TYPE_CHECKING:
    from processing.quality.evaluate import Backend

app = typer.Typer(help="Compare the parts of the processing with truth.", no_args_is_help=True)


class Part(StrEnum):
    """What takes part in a mask."""

    RULES = "rules"
    NETWORK = "network"
    FUSED = "fused"


@app.callback()
def common() -> None:
    """Compare the parts of the processing with truth."""


@app.command()
def mask(
    folder: Annotated[Path, typer.Argument(help="Labelled chips.", show_default=False)],
    backend: Annotated[
        list[Part] | None,
        typer.Option(help="May be repeated.", show_default="rules, network and fused"),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            help="Network of your own, an .onnx file with its .json, alone and fused; may be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="HTML page with the pictures to write.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare cloud, shadow, water and snow with labels: by rules, by network, fused of both.

    FOLDER holds pairs NAME_toa.tif (or NAME_sr.tif, reflectance x 10000, blue green red NIR) and
    NAME_label.tif. The codes of the labels are declared in a labels.json beside them; those of
    the public sets L8 Biome, UKIS and On Cloud N are known.
    """
    from infra.mask_report import page, sheets
    from processing.quality.chips import chip_names, read_chips
    from processing.quality.evaluate import evaluate

    if out is not None:
        out.touch()  # a page that cannot be written is better known now than after minutes
    backends = [_backend(part) for part in dict.fromkeys(backend or Part)]
    for path in dict.fromkeys(model or ()):
        backends += [_backend(part, path) for part in (Part.NETWORK, Part.FUSED)]
    total = len(chip_names(folder)) * len(backends)
    with shares("evaluate mask") as advance:
        evaluation = evaluate(
            read_chips(folder), backends, lambda step, done: advance(step, done / total)
        )
    if out is not None:
        out.write_text(page(evaluation, f"Masks on {folder.resolve().name}"), encoding="utf-8")
        say(f"page: {out}")
    if as_json:
        print_json(evaluation.to_dict())
    else:
        for sheet in sheets(evaluation):
            console.print(sheet_table(sheet))


def _backend(part: Part, weights: Path | None = None) -> "Backend":
    from processing.quality.evaluate import Backend
    from processing.quality.models import load_model

    rules = part is not Part.NETWORK
    if weights is not None:
        own = load_model(weights)
        return Backend(f"{weights.stem} {part.value}", rules, lambda _level: own)
    if part is Part.RULES:
        return Backend(part.value, rules, None)
    return Backend(part.value, rules, lambda level: load_model(level=level))


@app.command()
def aod(
    store: Annotated[str, typer.Argument(help="Store of products: its folder or s3:// address.")],
    sites: Annotated[
        list[Path],
        typer.Argument(
            help="AERONET files, version 3, direct sun, all points.", show_default=False
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Compare the aerosol optical depth of products with sun photometers.

    A product counts where a site lies in it and measured within half an hour; ours is the mean
    within 2.5 km of the site.
    """
    from dataclasses import asdict
    from math import isnan

    from catalog.stores import open_store
    from infra.show import steps
    from processing.aeronet import match_items, read_aeronet, report

    with steps("evaluate aod") as step:
        step("reading the sites")
        known = [read_aeronet(path) for path in sites]
        step("looking for products over them")
        matches = list(match_items(open_store(store), known))
    found = report(matches)
    if as_json:
        print_json({**asdict(found), "pairs": [asdict(one) for one in matches]})
        return
    for one in matches:
        say(f"{one.item} {one.site}: {one.ours:.3f}, measured {one.measured:.3f}")
    if not matches:
        say(f"no product of {store} lies over a site within half an hour of a measurement")
        return
    correlation = "" if isnan(found.correlation) else f", R {found.correlation:.2f}"
    say(
        f"{found.matches} pairs: bias {found.bias:+.3f}, RMSE {found.rmse:.3f}"
        f"{correlation}; inside 0.05 + 0.15 AOD {found.expected:.0f} %, "
        f"inside 0.05 + 0.2 AOD {found.dark_target:.0f} %"
    )
