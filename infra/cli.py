"""The `gfard` command: every command parses, calls one function and prints.

Data goes to standard output, everything meant for people to standard error.
"""

import logging
import signal
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import GfardError, StoreError, system_refusal
from infra import (
    cli_check,
    cli_database,
    cli_download,
    cli_evaluate,
    cli_library,
    cli_lut,
    cli_normalise,
    cli_process,
    cli_report,
    cli_versions,
)
from infra.parts import Part
from infra.show import console
from infra.terminal import (
    AsJson,
    print_json,
    read_settings,
    say,
)

if TYPE_CHECKING:
    from infra.settings import InfraSettings

app = typer.Typer(
    name="gfard",
    help="Gaofen-1 WFV and Gaofen-6 WFV 16 m analysis ready data: make, publish, share.",
    epilog="DATA is the folder that GFARD_DATA names, ./gfard-data when it names none. "
    "A command ends with code 1 when something failed; the line that begins with error says what.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_database.app, name="db")
app.add_typer(cli_library.app, name="library")
app.add_typer(cli_lut.app, name="lut")
app.add_typer(cli_evaluate.app, name="evaluate")
app.add_typer(cli_report.app, name="report")

Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port; 0 takes a free one.", show_default="8000"),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]


@app.callback()
def common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what is done.")] = False,
) -> None:
    """Set up logging, once for all commands."""
    from rich.logging import RichHandler

    handler = RichHandler(console=console, show_path=False, show_time=False)
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", handlers=[handler])


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End with a summary instead of serving.")
    ] = False,
    as_json: AsJson = False,
    port: Port = None,
) -> None:
    """Simulate scenes with known truth, process, compare and publish them, then serve."""
    from catalog.folder import FolderStore
    from catalog.load import publish as publish_store
    from infra.database import database, ingest_dsn
    from infra.demo import run_demo
    from infra.server import listen
    from infra.show import count, demo_table, scene_bars

    settings = read_settings(port=port)
    if not once:
        with listen(settings.host, settings.port):
            pass  # a taken port is better known now than after minutes of work
    store = FolderStore(settings.data / "store")
    with database(settings) as dsns:
        with scene_bars() as bars:
            report = run_demo(settings.data / "demo", store, bars)
        with count("publish") as counted:
            address = settings.address(settings.port)
            published = publish_store(store, ingest_dsn(dsns), address, counted)
        console.print(demo_table(report))
        if as_json:
            summary = {"published": dict(published.items), "store": store.root}
            print_json(report.to_dict() | summary)
        if not once:
            _serve(settings)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def simulate(
    out: Annotated[
        Path | None, typer.Argument(help="Folder to write to.", show_default="DATA/simulated")
    ] = None,
    camera: Annotated[str, typer.Option(help="GF1WFV1 to GF1WFV4, or GF6WFV.")] = "GF1WFV1",
    time: Annotated[datetime, typer.Option(help="Middle of the overpass, UTC.")] = datetime(
        2020, 6, 18, 10, 44, 12
    ),
    centre: Annotated[
        str | None,
        typer.Option(
            help="LON,LAT in degrees; needed without --raster.", show_default="middle of the raster"
        ),
    ] = None,
    size: Annotated[str, typer.Option(help="ROWSxCOLUMNS of one part.")] = "1500x1500",
    raster: Annotated[
        Path | None,
        typer.Option(help="Surface reflectance, in UTM.", show_default="a made landscape"),
    ] = None,
    bands: Annotated[str, typer.Option(help="The raster's blue, green, red, NIR.")] = "1,2,3,4",
    scale: Annotated[float, typer.Option(help="Reflectance per count of it.")] = 1e-4,
    dem: Annotated[Path | None, typer.Option(help="Heights above the ellipsoid.")] = None,
    aod: Annotated[float, typer.Option(min=0.005, max=2.0, help="AOD at 550 nm.")] = 0.15,
    cloud_cover: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the sky, 0 to 1.")
    ] = 0.0,
    cloud_height: Annotated[
        float, typer.Option(min=100, max=9000, help="Of the clouds, metres.")
    ] = 1800.0,
    seed: Annotated[int, typer.Option(help="Another seed is another scene.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Make an L1A package as CRESDA ships it, and keep the truth beside it."""
    from infra.show import shares
    from infra.simulation import SimulationOptions, scene_spec
    from processing.simulate.scene import simulate as simulate_scene

    spec = scene_spec(
        SimulationOptions(
            camera=camera,
            time=time,
            centre=centre,
            size=size,
            raster=raster,
            bands=bands,
            scale=scale,
            dem=dem,
            aod=aod,
            cloud_cover=cloud_cover,
            cloud_height_m=cloud_height,
            seed=seed,
        )
    )
    with shares(spec.name) as progress:
        made = simulate_scene(spec, out or read_settings().data / "simulated", progress)
    if as_json:
        print_json({"package": made.package, "truth": made.truth})
    else:
        say(f"package: {made.package}")
        say(f"truth: {made.truth}")


app.command()(cli_process.process)


@app.command()
def publish(
    store: Annotated[
        str | None,
        typer.Argument(help="Folder or s3:// address of the products.", show_default="DATA/store"),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(help="Why products are new or replaced, for the feed of changes."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the products of a store into the catalogue; may be repeated at any time."""
    from catalog.folder import FolderStore
    from catalog.load import publish as publish_store
    from catalog.stores import open_store
    from infra.database import database, ingest_dsn
    from infra.show import count

    settings = read_settings()
    products = open_store(store or settings.store)
    if isinstance(products, FolderStore) and not products.root.is_dir():
        raise StoreError(
            f"store {products.label} is not there: name the folder that `gfard process` wrote to"
        )
    with database(settings) as dsns, count("publish") as counted:
        address = settings.address(settings.port)
        report = publish_store(products, ingest_dsn(dsns), address, counted, reason)
    if as_json:
        print_json({"items": dict(report.items), "total": report.total, "removed": report.removed})
    else:
        for collection, number in report.items.items():
            say(f"{collection}: {number} items")
        for item in report.removed:
            say(f"{item}: removed, as the store hides it; the reason is in the feed of changes")
        if not report.total:
            say(f"store {products.label} holds no products; `gfard process` makes them")


app.command()(cli_versions.withdraw)


@app.command()
def serve(
    port: Port = None,
    host: Host = None,
    single: Annotated[bool, typer.Option("--single", help="Serve from one process.")] = False,
    part: Annotated[Part, typer.Option(help="Serve only one part, behind a front.")] = Part.ALL,
) -> None:
    """Serve portal, STAC API, tiles and files until interrupted."""
    _serve(read_settings(port=port, host=host), single=single, part=part)


app.command()(cli_check.check)
app.command()(cli_normalise.normalise)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Show what is installed, what is missing, and how to get it."""
    from infra.doctor import examine
    from infra.show import findings_table

    findings = examine(read_settings())
    if as_json:
        print_json([finding.to_dict() for finding in findings])
    else:
        console.print(findings_table(findings))
    if any(finding.required and not finding.ok for finding in findings):
        raise typer.Exit(1)


app.command()(cli_download.download)


def main() -> None:
    """Run the command line; what gfard or the system refuses becomes one line."""
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except GfardError as error:
        reason = str(error)
    except OSError as error:
        logging.getLogger(__name__).info("refused by the system", exc_info=True)
        reason = f"{system_refusal(error)}; -v shows where"
    else:
        return
    say(reason, label="[red]error[/]: ")
    raise SystemExit(1)


def _end(number: int, _frame: object) -> None:
    """End by way of the blocks that clean up behind them, with the code a shell expects."""
    raise SystemExit(128 + number)


def _serve(settings: "InfraSettings", *, single: bool = False, part: Part = Part.ALL) -> None:
    from infra.server import serve as serve_platform

    def announce(address: str) -> None:
        """Say where the portal is."""
        console.print(f"\n[bold]The portal is at {address}[/]  (Ctrl-C ends it)")

    serve_platform(settings, single=single, part=part, ready=announce)


if __name__ == "__main__":
    main()
