"""Which fields of an item an answer carries: the fields extension, version 1.0.0.

Whatever is asked for, ``id``, ``type``, ``collection`` and ``links`` are there unless they are
left out by name: without them no client can tell an item from anything else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]

_ALWAYS = frozenset({"id", "type", "collection", "links"})
_DEFAULT = _ALWAYS | {
    "stac_version", "stac_extensions", "geometry", "bbox", "assets", "properties.datetime",
}  # fmt: skip
"""What the specification recommends for a request that names no field."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Paths of fields, ``properties.eo:cloud_cover``; an empty ``include`` is every field."""

    include: frozenset[str]
    exclude: frozenset[str]

    @property
    def is_everything(self) -> bool:
        """Whether items stay as they are."""
        return not self.include and not self.exclude

    def applied(self, item: Item) -> Item:
        """Return the item with these fields only; parts of the original are shared."""
        kept = _included(item, self.include) if self.include else _copied(item)
        for path in self.exclude:
            _remove(kept, path.split("."))
        return kept


EVERYTHING = Selection(frozenset(), frozenset())


def select(include: Iterable[str] | None, exclude: Iterable[str] | None) -> Selection:
    """Return the selection of a request.

    Parameters
    ----------
    include
        Fields asked for; None or nothing stands for the recommended ones.
    exclude
        Fields to leave out; a field that is also asked for, or holds one that is, stays.
    """
    wanted = frozenset(include or ())
    unwanted = frozenset(
        path
        for path in exclude or ()
        if not any(name == path or name.startswith(f"{path}.") for name in wanted)
    )
    return Selection((wanted | _ALWAYS if wanted else _DEFAULT) - unwanted, unwanted)


def without(exclude: Iterable[str]) -> Selection:
    """Return the selection of all fields but some."""
    return Selection(frozenset(), frozenset(exclude))


def split(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of a query string, ``+id,-geometry``, as a body would hold them.

    A bare name is asked for; where names are only left out, nothing is said about the others.
    """
    given = [name.strip() for name in names]
    exclude = [name[1:] for name in given if name.startswith("-")]
    include = [name.removeprefix("+") for name in given if not name.startswith("-")]
    include = [name for name in include if name]
    return {"exclude": exclude} if exclude and not include else {
        "include": include, "exclude": exclude
    }  # fmt: skip


def _included(item: Mapping[str, Any], paths: Iterable[str]) -> Item:
    """Return the named parts; a whole object goes before parts of it."""
    kept: Item = {}
    for path in sorted(paths, key=len):
        _copy(item, kept, path.split("."))
    return kept


def _copy(source: Mapping[str, Any], target: Item, parts: list[str]) -> None:
    name, *rest = parts
    value = source.get(name)
    if name not in source:
        return
    if not rest:
        target[name] = _copied(value) if isinstance(value, dict) else value
    elif isinstance(value, dict):
        _copy(value, target.setdefault(name, {}), rest)


def _remove(target: Item, parts: list[str]) -> None:
    name, *rest = parts
    if not rest:
        target.pop(name, None)
    elif isinstance(target.get(name), dict):
        _remove(target[name], rest)


def _copied(value: Mapping[str, Any]) -> Item:
    """Copy objects, so that removing from the copy leaves the original whole."""
    return {key: _copied(part) if isinstance(part, dict) else part for key, part in value.items()}
