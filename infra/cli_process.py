"""`gfard process`: analysis ready data of L1A packages."""

from pathlib import Path
from typing import Annotated

import typer

from infra.show import console
from infra.terminal import AsJson, print_result, read_process_settings, read_settings

Packages = Annotated[
    list[Path], typer.Argument(help="L1A packages: archives or folders.", show_default=False)
]
StoreAddress = Annotated[
    str | None,
    typer.Option(help="Folder or s3:// address of the products.", show_default="DATA/store"),
]
Heights = Annotated[
    str | None,
    typer.Option(help="Heights: a file, a folder of tiles, or glo30.", show_default="none"),
]
ReferenceImage = Annotated[
    str | None,
    typer.Option(
        help="Image to measure and correct the position with: a raster, a folder of rasters, "
        "ADDRESS#COLLECTION of a STAC API, or archive.",
        show_default="none",
    ),
]
AllowUnverified = Annotated[
    bool,
    typer.Option(
        "--allow-unverified",
        help="Make degraded products where the reference cannot tell the accuracy.",
    ),
]
Library = Annotated[
    Path | None,
    typer.Option(
        help="Surface library: finds the aerosol over bright land, too.", show_default="none"
    ),
]
Analysis = Annotated[
    str,
    typer.Option(
        help="Analysis of aerosol, ozone and water vapour: a file, a folder of files by date, "
        "or none for the climatology."
    ),
]
Uncertainty = Annotated[
    bool,
    typer.Option(
        "--uncertainty", help="Also write one sigma of optical depth and surface reflectance."
    ),
]
Nbar = Annotated[
    bool,
    typer.Option("--nbar", help="Also write reflectance normalised for view and sun."),
]
Adjacency = Annotated[
    bool,
    typer.Option(
        "--adjacency",
        help="Take the light that the air scatters from around each pixel out of its reflectance.",
    ),
]
TerrainCorrection = Annotated[
    str | None,
    typer.Option(help="Correct the light on slopes: scs+c; needs --dem.", show_default="none"),
]
Version = Annotated[
    str | None,
    typer.Option(help="Processing version in the products' names.", show_default="000001"),
]
Timings = Annotated[bool, typer.Option("--timings", help="Show CPU seconds by step.")]


def process(
    packages: Packages,
    store: StoreAddress = None,
    dem: Heights = None,
    reference: ReferenceImage = None,
    allow_unverified: AllowUnverified = False,
    library: Library = None,
    aux: Analysis = "none",
    uncertainty: Uncertainty = False,
    nbar: Nbar = False,
    adjacency: Adjacency = False,
    terrain_correction: TerrainCorrection = None,
    version: Version = None,
    as_json: AsJson = False,
    timings: Timings = False,
) -> None:
    """Make analysis ready data of L1A packages.

    A package that fails does not stop the others. Products appear whole or not at all, and a
    repeated run replaces them. With a reference a scene that lies farther than 0.8 pixel (RMSE)
    from it is rejected; without one products are marked as degraded.
    """
    from catalog.stores import open_store
    from infra.show import steps, timings_table
    from processing.pipeline import produce
    from processing.result import Status

    options = read_process_settings(
        version,
        allow_unverified=allow_unverified,
        uncertainty=uncertainty,
        nbar=nbar,
        adjacency=adjacency,
        terrain_correction=terrain_correction,
    )
    target = open_store(store or read_settings().store)
    failed = False
    for package in packages:
        with steps(package.name) as step:
            result = produce(
                package,
                store=target,
                settings=options,
                dem=dem,
                reference=reference,
                library=library,
                auxiliary=None if aux == "none" else Path(aux),
                progress=step,
            )
        failed |= result.status is Status.FAILED
        print_result(result, as_json=as_json)
        if timings:
            console.print(timings_table(result))
    if failed:
        raise typer.Exit(1)
