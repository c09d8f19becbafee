"""What the commands share: options read from the environment, results written out."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape

from catalog.errors import ServiceError
from infra.show import console

if TYPE_CHECKING:
    from infra.settings import InfraSettings
    from processing.result import SceneResult
    from processing.settings import ProcessSettings

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def read_settings(*, port: int | None = None, host: str | None = None) -> "InfraSettings":
    """Read the options of the platform; those given here go before the environment's.

    Raises
    ------
    ServiceError
        A value that is not allowed; the message names the option or variable.
    """
    from infra.settings import InfraSettings

    options: dict[str, Any] = {"port": port, "host": host}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return InfraSettings(**given)
    except ValidationError as error:
        raise ServiceError(_reason(error.errors(), "GFARD_", given)) from error


def read_process_settings(
    version: str | None,
    *,
    allow_unverified: bool = False,
    uncertainty: bool = False,
    nbar: bool = False,
    adjacency: bool = False,
    terrain_correction: str | None = None,
) -> "ProcessSettings":
    """Read the options of production; what is given here goes before the environment.

    Raises
    ------
    ServiceError
        A value that is not allowed; the message names the option or variable.
    """
    from processing.settings import ProcessSettings

    given: dict[str, Any] = {} if version is None else {"version": version}
    if terrain_correction is not None:
        given["terrain_correction"] = terrain_correction
    flags = {
        "allow_unverified": allow_unverified,
        "uncertainty": uncertainty,
        "nbar": nbar,
        "adjacency": adjacency,
    }
    given |= {name: True for name, wanted in flags.items() if wanted}
    try:
        return ProcessSettings(**given)
    except ValidationError as error:
        raise ServiceError(_reason(error.errors(), "GFARD_PROCESS_", given)) from error


def print_json(content: object, *, one_line: bool = False) -> None:
    """Write a result to standard output; paths and times become text, NaN becomes null."""
    import orjson

    layout = 0 if one_line else orjson.OPT_INDENT_2
    text = orjson.dumps(content, default=_plain, option=layout | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.write(text.decode())


def print_result(result: "SceneResult", *, as_json: bool) -> None:
    """Write what became of a scene: JSON on one line, or text for people."""
    from processing.result import Status

    if as_json:
        print_json(result.to_dict(), one_line=True)
    for warning in result.warnings:
        say(f"{result.package}: {warning}", label="[yellow]warning[/]: ")
    if result.status is Status.FAILED:
        named = result.package in result.detail
        say(
            result.detail if named else f"{result.package}: {result.detail}",
            label="[red]error[/]: ",
        )
    elif not as_json:
        detail = f" ({result.detail})" if result.detail else ""
        say(f"{result.package}: {result.status.value}{detail}")
        for item in result.items:
            say(f"  {item}")


def say(text: str, *, label: str = "") -> None:
    """Write a line to standard error: a label that may have markup, and a text as it is."""
    console.print(label + escape(text), soft_wrap=True)


def _reason(errors: Sequence[Mapping[str, Any]], prefix: str, options: Mapping[str, object]) -> str:
    """Name each setting that is wrong as it was given, why, and the value seen."""
    reasons = []
    for error in errors:
        name = "_".join(str(part) for part in error["loc"])
        option = name.replace("_", "-")
        given_as = f"--{option}" if name in options else f"{prefix}{name.upper()}"
        reasons.append(f"{given_as}: {error['msg']}, seen {error['input']!r}")
    return "; ".join(reasons)


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} cannot be written as JSON")
