"""`gfard download`: the files of a search or a manifest, complete and checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.show import steps, transfer
from infra.terminal import AsJson, print_json, say

if TYPE_CHECKING:
    from catalog.download import Outcome

_NAMED = 20
"""Missing files that are named on the screen; ``--json`` names all."""


def download(
    source: Annotated[
        str,
        typer.Argument(
            help="Address of a STAC search or an export, or a manifest: Metalink, aria2 input, "
            "list of addresses, GeoJSON.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default="here")] = Path(),
    assets: Annotated[
        str, typer.Option(help="Keys of the wanted assets, as in SR,mask.", show_default="all")
    ] = "",
    jobs: Annotated[int, typer.Option(min=1, max=32, help="Files at a time.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Download all that a search finds or a manifest names, and check it.

    Run it again to fetch what is missing: complete files stay, begun ones go on.
    """
    from catalog.download import download as fetch_all
    from catalog.download import new_client
    from catalog.sources import read_source

    with new_client(jobs) as client:
        with steps(source) as step:
            step("reading what there is")
            files = read_source(source, client, [key for key in assets.split(",") if key])
        with transfer(len(files), sum(file.size or 0 for file in files)) as shown:
            outcomes = fetch_all(
                files, out, client, jobs=jobs, received=shown.received, ended=shown.ended
            )
    if as_json:
        print_json(_summary(outcomes, out))
    else:
        _tell(outcomes, out)
    if _missing(outcomes):
        raise typer.Exit(1)


def _missing(outcomes: "Sequence[Outcome]") -> "list[Outcome]":
    return [outcome for outcome in outcomes if outcome.status == "missing"]


def _summary(outcomes: "Sequence[Outcome]", out: Path) -> dict[str, Any]:
    count = {
        status: sum(outcome.status == status for outcome in outcomes)
        for status in ("fetched", "present")
    }
    missing = [
        {"name": outcome.file.name, "url": outcome.file.url, "reason": outcome.reason}
        for outcome in _missing(outcomes)
    ]
    return {"ok": not missing, "folder": out.absolute(), **count, "missing": missing}


def _tell(outcomes: "Sequence[Outcome]", out: Path) -> None:
    missing = _missing(outcomes)
    for outcome in missing[:_NAMED]:
        say(f"{outcome.file.name}: {outcome.reason}", label="[red]missing[/]: ")
    if len(missing) > _NAMED:
        say(f"and {len(missing) - _NAMED} more", label="[red]missing[/]: ")
    summary = _summary(outcomes, out)
    say(
        f"{out}: {summary['fetched']} files fetched, {summary['present']} already there, "
        f"{len(missing)} missing" + ("; run it again for those" if missing else "")
    )
