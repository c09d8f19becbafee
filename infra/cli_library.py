"""`gfard library`: what stable ground looks like from every side, for the aerosol over it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.errors import AtmosphereError
from infra.show import steps
from infra.terminal import AsJson, print_json, read_settings, say

app = typer.Typer(
    help="The surface library: BRDF kernels of ground cells, by which `gfard process --library` "
    "finds the aerosol over bright land.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(help="Folder of the library.", show_default=False)]
Camera = Annotated[
    str | None,
    typer.Option(help="Only this camera, e.g. GF1WFV1.", show_default="all of the archive"),
]
Tile = Annotated[
    str | None,
    typer.Option(help="Only this tile, e.g. 31TCL.", show_default="all of the archive"),
]
Archive = Annotated[
    str | None,
    typer.Option(help="Folder or s3:// address of the products.", show_default="DATA/store"),
]


@app.command()
def build(
    folder: Folder,
    kernels: Annotated[
        list[Path] | None,
        typer.Option(
            help="GeoTIFFs of MCD43A1 kernel weights, or a folder of them; may be repeated.",
            show_default="the platform's own archive",
        ),
    ] = None,
    camera: Camera = None,
    tile: Tile = None,
    store: Archive = None,
    as_json: AsJson = False,
) -> None:
    """Make a library anew, from MCD43A1 kernels or from the archive's surface reflectance.

    Kernels need --camera and --tile: weights are interpolated in wavelength to the camera's bands
    and brought onto the tile's cells of 512 m. Tiles that are there already are replaced.
    """
    if kernels:
        written = [_from_kernels(folder, kernels, camera, tile)]
    else:
        written = _from_archive(folder, store, camera, tile, anew=True)
    _report(written, as_json=as_json)


@app.command()
def update(
    folder: Folder,
    camera: Camera = None,
    tile: Tile = None,
    store: Archive = None,
    as_json: AsJson = False,
) -> None:
    """Bring products of the archive into a library, each once; tiles it lacks are made."""
    _report(_from_archive(folder, store, camera, tile, anew=False), as_json=as_json)


@app.command()
def show(folder: Folder, as_json: AsJson = False) -> None:
    """Show the tiles of a library: known cells, observations, scatter, resolution, where from."""
    from processing.library.build import library_tiles, summary

    rows = [summary(surface) for surface in library_tiles(folder)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(
            f"{row['camera']} {row['tile']}: {row['known_percent']:.1f} % of the cells known, "
            f"{row['observations']:.1f} observations each, scatter {row['sigma']:.4f}, "
            f"resolution {row['resolution_m']:.0f} m; "
            f"{row['source']}, {row['products']} products"
        )


def _from_kernels(folder: Path, kernels: list[Path], camera: str | None, tile: str | None) -> Path:
    from processing.library.files import write_tile
    from processing.library.modis import library_of_kernels

    if camera is None or tile is None:
        raise AtmosphereError("--kernels needs --camera and --tile, e.g. GF1WFV1 and 31TCL")
    with steps("library") as step:
        step(f"{camera} {tile}")
        return write_tile(folder, library_of_kernels(kernels, camera, tile))


def _from_archive(
    folder: Path, store: str | None, camera: str | None, tile: str | None, *, anew: bool
) -> list[Path]:
    from catalog.stores import open_store
    from processing.library.build import update_library

    products = open_store(store or read_settings().store)
    with steps("library") as step:
        return update_library(
            folder, products, camera_name=camera, tile_name=tile, anew=anew, progress=step
        )


def _report(written: list[Path], *, as_json: bool) -> None:
    if as_json:
        result: dict[str, Any] = {"written": written}
        print_json(result)
        return
    for path in written:
        say(f"{path}: written")
    if not written:
        say("no product of the archive was new to the library")
