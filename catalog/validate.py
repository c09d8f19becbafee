"""STAC documents against their JSON schemas: from a folder offline, otherwise from the network.

The folder holds ``index.json``, which maps each schema URL to a file. Schemas are registered
under that URL and their own ``$id`` is dropped, because published ones are inconsistent.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT7

from catalog.errors import ProductError

_CORE = {
    "Feature": "item-spec/json-schema/item.json",
    "Collection": "collection-spec/json-schema/collection.json",
}
_HOSTS = (
    "https://schemas.stacspec.org/",
    "https://stac-extensions.github.io/",
    "https://geojson.org/",
    "https://proj.org/",
    "http://json-schema.org/",
)
"""Where schemas may be fetched from when no folder is given."""

_TIMEOUT_S = 20


class SchemaValidator:
    """Validates items and collections against the core schema and those of their extensions."""

    def __init__(self, folder: Path | None = None) -> None:
        """Read the schemas of ``folder``; None fetches each one when it is first needed.

        Raises
        ------
        ProductError
            The folder has no readable index.
        """
        self._registry: Registry[Any] = (
            Registry(retrieve=_fetch)  # type: ignore[call-arg]  # attrs alias of a private field
            if folder is None
            else _read_folder(folder)
        )

    def errors(self, document: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with an item or collection, each with its place; [] is valid.

        Raises
        ------
        ProductError
            A schema is neither in the folder nor to be had.
        """
        core = _CORE.get(str(document.get("type")))
        if core is None:
            return [f"type: {document.get('type')!r} is neither Feature nor Collection"]
        version = document.get("stac_version")
        urls = [
            f"https://schemas.stacspec.org/v{version}/{core}",
            *document.get("stac_extensions", []),
        ]
        return [text for url in urls for text in self._violations(url, document)]

    def _violations(self, url: str, document: Mapping[str, Any]) -> Iterator[str]:
        validator = Draft7Validator({"$ref": url}, registry=self._registry)
        try:
            for error in validator.iter_errors(document):
                deepest = _deepest(error)
                place = "/".join(str(part) for part in deepest.absolute_path) or "(root)"
                yield f"{place}: {deepest.message[:300]} [{url}]"
        except Unresolvable as error:
            raise ProductError(f"schema {url} is not to be had: {error}") from error


def _deepest(error: ValidationError) -> ValidationError:
    """Follow the branches of oneOf and anyOf to the error that lies deepest in the document."""
    if not error.context:
        return error
    return max((_deepest(branch) for branch in error.context), key=lambda e: len(e.absolute_path))


def _read_folder(folder: Path) -> "Registry[Any]":
    index = folder / "index.json"
    try:
        files: dict[str, str] = json.loads(index.read_text())
        resources = [(url, _resource((folder / name).read_bytes())) for url, name in files.items()]
    except (OSError, ValueError) as error:
        raise ProductError(f"{index}: wanted a map of schema URL to file: {error}") from error
    return Registry().with_resources(resources)


def _fetch(url: str) -> "Resource[Any]":
    if not url.startswith(_HOSTS):
        raise ProductError(f"schema {url} is not on a known host")
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:
            return _resource(answer.read())
    except (OSError, ValueError) as error:
        raise ProductError(f"schema {url} is not to be had: {error}") from error


def _resource(document: bytes) -> "Resource[Any]":
    schema = json.loads(document)
    schema.pop("$id", None)
    return Resource.from_contents(schema, DRAFT7)
