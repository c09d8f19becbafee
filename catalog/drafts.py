"""Folders in which something is made; those of killed runs are cleared away.

A folder is locked while its process lives, and the lock dies with the process: so a folder without
a lock is a leftover, and that of a run still alive is left alone.
"""

import errno
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from catalog.errors import ProductError, StoreError

_DRAFTS = ".drafts"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_LOG = logging.getLogger(__name__)


@contextmanager
def work_folder(parent: Path, name: str) -> Iterator[Path]:
    """Have a folder below ``parent`` for work called ``name``, and remove it afterwards.

    Raises
    ------
    OSError
        It may not be made, or ``parent`` is not there.
    """
    folder, lock = _new_folder(parent, name)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def local_draft(root: Path, name: str) -> Iterator[Path]:
    """Have a hidden folder below ``root`` for the files of a new item.

    Raises
    ------
    StoreError
        It may not be made, or the disk has no room for what the block writes.
    """
    with ExitStack() as stack:
        try:
            (root / _DRAFTS).mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(work_folder(root / _DRAFTS, name))
        except OSError as error:
            raise refused(root, error) from error
        try:
            yield folder
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise refused(root, error) from error


def refused(root: Path, error: OSError) -> StoreError:
    """Say in one line what the volume refused and what to do about it."""
    place = os.fsdecode(error.filename) if error.filename else "while writing an item"
    if error.errno in _NO_ROOM:
        hint = "free some space, or raise the quota or file-size limit"
    else:
        hint = "the store must be a folder that this user may write"
    return StoreError(f"store {root}: {place}: {error.strerror}; {hint}")


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


def _new_folder(parent: Path, name: str) -> tuple[Path, int]:
    """Make and lock a folder, once those that killed runs of this user have left are gone."""
    with locked(parent):
        for leftover in parent.glob(f"{name}.draft-*"):
            # One whose process ends at this moment removes it itself.
            with suppress(FileNotFoundError):
                if leftover.stat().st_uid == os.geteuid():
                    _remove_if_dead(leftover)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}.draft-", dir=parent))
        folder.chmod(0o755)
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, for which other processes that ask for it wait."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove_if_dead(folder: Path) -> None:
    """Remove a folder whose process is gone."""
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
