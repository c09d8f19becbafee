"""The `gfard` command: every command parses, calls one function and prints.

Data goes to standard output, everything meant for people to standard error.
"""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from catalog.errors import GfardError, ServiceError
from infra.parts import Part
from infra.show import console

if TYPE_CHECKING:
    from infra.settings import InfraSettings
    from processing.result import SceneResult

app = typer.Typer(
    name="gfard",
    help="Gaofen-1 WFV and Gaofen-6 WFV 16 m analysis ready data: make, publish, share.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
database_app = typer.Typer(help="The platform's database.", no_args_is_help=True)
app.add_typer(database_app, name="db")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
StorePath = Annotated[
    Path | None, typer.Option("--store", help="Folder of the products.", show_default="DATA/store")
]
Port = Annotated[int | None, typer.Option(help="Port of the portal.", show_default="8000")]
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
    once: Annotated[bool, typer.Option(help="End with a summary instead of serving.")] = False,
    as_json: AsJson = False,
    port: Port = None,
) -> None:
    """Simulate scenes with known truth, process, compare and publish them, then serve."""
    from catalog.load import publish as publish_store
    from catalog.store import FolderStore
    from infra.database import database, ingest_dsn
    from infra.demo import run_demo
    from infra.server import listen
    from infra.show import count, demo_table, scene_bars

    settings = _settings(port=port)
    address = settings.address(settings.port)
    if not once:
        with listen(settings.host, settings.port):
            pass  # a taken port is better known now than after minutes of work
    store = FolderStore(settings.store)
    with database(settings) as dsns:
        with scene_bars() as bars:
            report = run_demo(settings.data / "demo", store, bars)
        with count("publish") as counted:
            published = publish_store(store, ingest_dsn(dsns), address, counted)
        console.print(demo_table(report))
        if as_json:
            summary = {"published": dict(published.items), "store": str(settings.store)}
            _print_json(report.to_dict() | summary)
        if not once:
            _serve(settings)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def process(
    packages: Annotated[
        list[Path], typer.Argument(help="L1A packages: archives or folders.", show_default=False)
    ],
    store: StorePath = None,
    dem: Annotated[
        str | None,
        typer.Option(help="Heights: a file, a folder of tiles, or glo30.", show_default="none"),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="Processing version in the products' names.", show_default="000001"),
    ] = None,
    as_json: AsJson = False,
    timings: Annotated[bool, typer.Option(help="Show CPU seconds by step.")] = False,
) -> None:
    """Make analysis ready data of L1A packages."""
    from catalog.store import FolderStore
    from infra.show import steps, timings_table
    from processing.pipeline import produce
    from processing.result import Status
    from processing.settings import ProcessSettings

    options = _process_settings(ProcessSettings, version)
    target = FolderStore(store or _settings().store)
    failed = False
    for package in packages:
        with steps(package.name) as step:
            result = produce(package, store=target, settings=options, dem=dem, progress=step)
        failed |= result.status is Status.FAILED
        _print_result(result, as_json)
        if timings:
            console.print(timings_table(result))
    if failed:
        raise typer.Exit(1)


@app.command()
def publish(
    store: Annotated[
        Path | None, typer.Argument(help="Folder of the products.", show_default="DATA/store")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the products of a store into the catalogue; may be repeated at any time."""
    from catalog.load import publish as publish_store
    from catalog.store import FolderStore
    from infra.database import database, ingest_dsn
    from infra.show import count

    settings = _settings()
    products = FolderStore(store or settings.store)
    with database(settings) as dsns, count("publish") as counted:
        address = settings.address(settings.port)
        report = publish_store(products, ingest_dsn(dsns), address, counted)
    if as_json:
        _print_json({"items": dict(report.items), "total": report.total})
    else:
        for collection, number in report.items.items():
            console.print(f"{collection}: {number} items")


@app.command()
def serve(
    port: Port = None,
    host: Host = None,
    single: Annotated[bool, typer.Option(help="Serve from one process.")] = False,
    part: Annotated[Part, typer.Option(help="Serve only one part, behind a front.")] = Part.ALL,
) -> None:
    """Serve portal, STAC API, tiles and files until interrupted."""
    _serve(_settings(port=port, host=host), single=single, part=part)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A product's folder, or a store.")],
    as_json: AsJson = False,
) -> None:
    """Compare the files of products with their items; findings, none when all agree."""
    from dataclasses import asdict

    from catalog.check import check as check_products
    from catalog.settings import CheckSettings

    findings = check_products(path, CheckSettings().stac_schemas)
    if as_json:
        _print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            line = f"{finding.level} {finding.code} {finding.path}: {finding.reason}"
            console.print(escape(f"{line} ({finding.hint})"), soft_wrap=True)
        console.print(f"{path}: {len(findings)} findings")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Show what is installed, what is missing, and how to get it."""
    from infra.doctor import examine
    from infra.show import findings_table

    findings = examine(_settings())
    if as_json:
        _print_json([finding.to_dict() for finding in findings])
    else:
        console.print(findings_table(findings))
    if any(finding.required and not finding.ok for finding in findings):
        raise typer.Exit(1)


@database_app.command("start")
def database_start() -> None:
    """Start the private database and leave it running."""
    from infra.postgres import Cluster

    cluster = Cluster(_settings().cluster)
    cluster.start()
    console.print(f"{cluster.folder}: runs on port {cluster.status().port}")


@database_app.command("stop")
def database_stop() -> None:
    """Stop the private database."""
    from infra.postgres import Cluster

    cluster = Cluster(_settings().cluster)
    console.print(f"{cluster.folder}: {'stopped' if cluster.stop() else 'did not run'}")


@database_app.command("status")
def database_status(as_json: AsJson = False) -> None:
    """Show whether the private database runs."""
    from dataclasses import asdict

    from infra.postgres import Cluster

    status = Cluster(_settings().cluster).status()
    if as_json:
        _print_json({key: _plain(value) for key, value in asdict(status).items()})
    else:
        console.print(f"{status.folder}: {status.state}")


@database_app.command("prepare")
def database_prepare() -> None:
    """Bring the database to the wanted pgSTAC and make its logins."""
    from infra.database import database

    with database(_settings()):
        console.print("the database is ready")


def main() -> None:
    """Run the command line; what gfard raises on purpose becomes one line."""
    try:
        app()
    except GfardError as error:
        _fail(str(error))


def _serve(settings: "InfraSettings", *, single: bool = False, part: Part = Part.ALL) -> None:
    from infra.server import serve as serve_platform

    def announce(address: str) -> None:
        console.print(f"\n[bold]The portal is at {address}[/]  (Ctrl-C ends it)")

    serve_platform(settings, single=single, part=part, ready=announce)


def _settings(*, port: int | None = None, host: str | None = None) -> "InfraSettings":
    """Read the options of the platform; options of the command line come first."""
    from pydantic import ValidationError

    from infra.settings import InfraSettings

    given: dict[str, Any] = {"port": port, "host": host}
    try:
        return InfraSettings(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        raise ServiceError(_settings_reason(error.errors(), "GFARD_")) from error


def _process_settings(kind: Any, version: str | None) -> Any:
    from pydantic import ValidationError

    try:
        return kind(version=version) if version else kind()
    except ValidationError as error:
        raise ServiceError(_settings_reason(error.errors(), "GFARD_PROCESS_")) from error


def _settings_reason(errors: Sequence[Mapping[str, Any]], prefix: str) -> str:
    """Name each setting that is wrong, the value seen and the value wanted."""
    return "; ".join(
        f"{prefix}{str(error['loc'][0]).upper() if error['loc'] else '*'}: {error['msg']}, "
        f"seen {error['input']!r}"
        for error in errors
    )


def _print_result(result: "SceneResult", as_json: bool) -> None:
    from processing.result import Status

    if as_json:
        _print_json(result.to_dict(), indent=None)
    for warning in result.warnings:
        console.print("[yellow]warning[/]:", escape(f"{result.package}: {warning}"), soft_wrap=True)
    if result.status is Status.FAILED:
        console.print(
            "[red]error[/]:", escape(f"{result.package}: {result.detail}"), soft_wrap=True
        )
    elif not as_json:
        detail = f" ({result.detail})" if result.detail else ""
        console.print(f"{result.package}: {result.status.value}{detail}")
        for item in result.items:
            console.print(f"  {item}")


def _print_json(content: object, indent: int | None = 2) -> None:
    sys.stdout.write(json.dumps(content, indent=indent, default=_plain) + "\n")


def _plain(value: object) -> object:
    """JSON value of a path or an enumeration."""
    return str(value) if isinstance(value, Path) else value


def _fail(reason: str) -> None:
    console.print("[red]error[/]:", escape(reason), soft_wrap=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
