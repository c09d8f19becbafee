"""`gfard db`: the platform's database by hand; no other command needs it."""

import typer

from infra.show import console
from infra.terminal import AsJson, print_json, read_settings

app = typer.Typer(help="The platform's database.", no_args_is_help=True)


@app.command()
def start() -> None:
    """Start the private database and leave it running."""
    from infra.postgres import Cluster

    cluster = Cluster(read_settings().cluster)
    cluster.start()
    console.print(f"{cluster.folder}: runs on port {cluster.status().port}")


@app.command()
def stop() -> None:
    """Stop the private database."""
    from infra.postgres import Cluster

    cluster = Cluster(read_settings().cluster)
    console.print(f"{cluster.folder}: {'stopped' if cluster.stop() else 'did not run'}")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show whether the private database runs."""
    from dataclasses import asdict

    from infra.postgres import Cluster

    found = Cluster(read_settings().cluster).status()
    if as_json:
        print_json(asdict(found))
    else:
        console.print(f"{found.folder}: {found.state}")


@app.command()
def prepare() -> None:
    """Bring the database to the wanted pgSTAC and make its logins."""
    from infra.database import database

    with database(read_settings()):
        console.print("the database is ready")
