"""`gfard lut`: the look-up tables of the atmosphere, built anew."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.terminal import AsJson, print_json, say

if TYPE_CHECKING:
    from processing.atmosphere.lutbuild import LutAxes

app = typer.Typer(help="Look-up tables of the atmosphere.", no_args_is_help=True)


@app.callback()
def common() -> None:
    """Look-up tables of the atmosphere."""


@app.command()
def build(
    out: Annotated[Path, typer.Argument(help="Folder to write to, a file for each model.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Aerosol model; may be repeated.", show_default="all"),
    ] = None,
    small: Annotated[
        bool, typer.Option("--small", help="Few nodes, in seconds: to try the builder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the radiative transfer for every aerosol model and write its table.

    extinction.json beside them holds how the optical depth of each model goes with wavelength.

    About a quarter of an hour of one core for all. Production reads the tables that lie in
    processing/data/lut; their content hash goes into every product.
    """
    from infra.show import shares
    from processing.atmosphere.aerosol import aerosol_model
    from processing.atmosphere.lutbuild import (
        LutAxes,
        build_lut,
        write_extinction,
        write_lut,
    )
    from processing.atmosphere.lutdata import shipped_models

    names = model or list(shipped_models())
    models = [aerosol_model(name) for name in names]
    axes = _small_axes() if small else LutAxes()
    out.mkdir(parents=True, exist_ok=True)
    hashes = {}
    with shares("lut build") as advance:
        for number, each in enumerate(models):

            def told(name: str, share: float, before: int = number) -> None:
                """Advance the bar by the share of one model."""
                advance(name, (before + share) / len(models))

            path = out / f"{each.name}.npz"
            hashes[each.name] = write_lut(build_lut(each, axes, told), path)
    write_extinction(models, axes.wavelengths_nm, out / "extinction.json")
    if as_json:
        print_json(hashes)
    else:
        for name, digest in hashes.items():
            say(f"{out / name}.npz: content hash {digest}")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show the tables that production reads: models, nodes and content hash."""
    from processing.atmosphere.lutdata import shipped_hash, shipped_models, spectral_lut

    axes = spectral_lut(shipped_models()[0])
    facts = {
        "models": list(shipped_models()),
        "content_hash": shipped_hash(),
        "nodes": {name: values.tolist() for name, values in axes.items() if values.ndim == 1},
    }
    if as_json:
        print_json(facts)
        return
    say(f"models: {', '.join(shipped_models())}")
    say(f"content hash: {shipped_hash()}")
    for name, values in axes.items():
        if values.ndim == 1:
            say(f"{name}: {', '.join(f'{float(value):g}' for value in values)}")


def _small_axes() -> "LutAxes":
    import numpy as np

    from processing.atmosphere.lutbuild import LutAxes

    return LutAxes(
        wavelengths_nm=np.array([443.0, 865.0]),
        pressure_hpa=np.array([440.0, 1040.0]),
        sza_deg=np.array([0.0, 40.0, 70.0]),
        vza_deg=np.array([0.0, 30.0]),
        raa_deg=np.array([0.0, 90.0, 180.0]),
        aod=np.array([0.0, 0.3, 1.0]),
        coarse_aod=np.array([0.0, 1.0]),
        coarse_pressure_hpa=np.array([440.0, 1040.0]),
    )
