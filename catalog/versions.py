"""Versions of a product: which item replaces which.

Products of one tile of one scene differ in their processing version alone, and the one made last
is current. The older ones stay where they are, marked as deprecated, each linked to its neighbours.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from catalog.product import ItemId
from catalog.store import StoredItem


@dataclass(frozen=True, slots=True)
class Version:
    """An item among its versions; ``latest`` is the current one, itself for that one.

    ``predecessor`` was made before it, ``successor`` after it; None at the ends.
    """

    stored: StoredItem
    predecessor: ItemId | None
    successor: ItemId | None
    latest: ItemId

    @property
    def is_current(self) -> bool:
        """Whether no newer product replaces this one."""
        return self.successor is None


def versions(items: Iterable[StoredItem], withdrawn: Container[str] = ()) -> Iterator[Version]:
    """Yield items with their place among their versions, which follow each other in a store.

    Parameters
    ----------
    items
        In the order of their names, as a store yields them.
    withdrawn
        Ids of items that count for nothing, and are left out.
    """
    held = (stored for stored in items if str(stored.id) not in withdrawn)
    for _, group in groupby(held, key=_scene_tile):
        line = sorted(group, key=lambda stored: (_made(stored), stored.id.version))
        ids = [None, *(stored.id for stored in line), None]
        around = zip(ids, ids[2:], strict=False)
        for stored, (before, after) in zip(line, around, strict=True):
            yield Version(stored, before, after, line[-1].id)


def current(items: Iterable[StoredItem]) -> Iterator[StoredItem]:
    """Yield the items that no newer version replaces; ``items`` as for `versions`."""
    return (version.stored for version in versions(items) if version.is_current)


def _scene_tile(stored: StoredItem) -> tuple[object, ...]:
    return stored.id.camera, stored.id.time, stored.id.tile


def _made(stored: StoredItem) -> str:
    """Time of making, which is written in UTC and sorts as text."""
    return str(stored.item["properties"]["created"])
