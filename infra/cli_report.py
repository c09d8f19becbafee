"""`gfard report`: what a whole store amounts to."""

from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import StoreError
from infra.show import console, count, sheet_table
from infra.terminal import AsJson, print_json, read_settings, say

app = typer.Typer(help="Report on all scenes of a store.", no_args_is_help=True)


@app.callback()
def common() -> None:
    """Report on all scenes of a store."""


@app.command()
def geometry(
    store: Annotated[
        str | None,
        typer.Argument(help="Folder or s3:// address of the products.", show_default="DATA/store"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for a page with a picture of every scene.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the shares of scenes per class of geometric accuracy beside the published ones.

    Scenes that were rejected count too: the store keeps a record of every scene that
    `gfard process` made or rejected. With --out the residuals at the matched points of every scene
    are drawn, with the table of the nine parts of its image.
    """
    from catalog.stores import open_store
    from infra.geometry_report import sheets, summary, to_dict, write_pages
    from processing.report.accuracy import read_scenes

    products = open_store(store or read_settings().store)
    scenes = read_scenes(products.scenes())
    if not scenes:
        raise StoreError(
            f"store {products.label} holds no records of scenes; `gfard process` makes them"
        )
    if out is not None:
        with count("draw") as counted:
            for number, _ in enumerate(write_pages(scenes, "Geometric accuracy", out), 1):
                counted(number)
        say(f"page: {out / 'index.html'}")
    if as_json:
        print_json(to_dict(scenes))
        return
    say(summary(scenes))
    for sheet in sheets(scenes):
        console.print(sheet_table(sheet))
