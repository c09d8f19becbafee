"""`gfard withdraw`: products leave the catalogue, with a reason that the world can read."""

from typing import Annotated

import typer

from infra.terminal import read_settings, say

Item = Annotated[str, typer.Argument(help="Item id, e.g. GF1WFV1.16m.2014206190943.31TCL.000123.")]


def withdraw(
    item: Item,
    reason: Annotated[str, typer.Option(help="Why; it is shown in the feed of changes.")],
    undo: Annotated[
        bool, typer.Option("--undo", help="Let the next `gfard publish` bring it back.")
    ] = False,
) -> None:
    """Take a product out of the catalogue; its files stay in the store."""
    from catalog import changes
    from infra.database import database, ingest_dsn

    with database(read_settings()) as dsns:
        if undo:
            changes.restore(ingest_dsn(dsns), item, reason)
            say(f"{item}: `gfard publish` brings it back")
        else:
            changes.withdraw(ingest_dsn(dsns), item, reason)
            say(f"{item}: withdrawn; if it replaced another, `gfard publish` brings that one back")
