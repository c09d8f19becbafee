"""Hidden folders in which items are made; those of killed runs are cleared away.

A folder is locked while its process lives, and the lock dies with the process: so a folder without
a lock is a leftover, and that of a run still alive is left alone.
"""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalog.errors import ProductError

_LOG = logging.getLogger(__name__)


@contextmanager
def draft_folder(drafts: Path, name: str) -> Iterator[Path]:
    """Make a folder for a new item ``name`` below ``drafts``, and remove what remains of it."""
    folder, lock = _new_draft(drafts, name)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def check_draft(folder: Path, name: str, item: Mapping[str, Any]) -> None:
    """Make sure that an item is the one that was begun, and that its files are there.

    Raises
    ------
    ProductError
        The item is of another id or names files that are not in the folder.
    """
    if item.get("id") != name:
        raise ProductError(f"item {item.get('id')!r} committed as {name}")
    for key, asset in item["assets"].items():
        path = folder / asset["href"]
        if not path.is_file():
            raise ProductError(f"{name}: asset {key} names {path}, which is not there")


def _new_draft(drafts: Path, name: str) -> tuple[Path, int]:
    """Make and lock a folder."""
    drafts.mkdir(parents=True, exist_ok=True)
    gate = os.open(drafts, os.O_RDONLY)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for leftover in drafts.glob(f"{name}.draft-*"):
            _remove_if_dead(leftover)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}.draft-", dir=drafts))
        folder.chmod(0o755)
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    finally:
        os.close(gate)
    return folder, lock


def _remove_if_dead(folder: Path) -> None:
    """Remove a draft whose process is gone."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(folder)
        _LOG.info("removed the leftovers of a killed run: %s", folder)
    finally:
        os.close(lock)
