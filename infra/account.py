"""The operating-system account that a private PostgreSQL runs under.

PostgreSQL refuses to run as root, so a root caller hands the cluster's folder to an
unprivileged account and starts every program as that account.
"""

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import ServiceError

_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system.

    Attributes
    ----------
    name
        Its name, for messages.
    uid, gid
        Numeric user and group.
    """

    name: str
    uid: int
    gid: int

    def run(self, command: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, in the root folder, with its output captured.

        Raises
        ------
        ServiceError
            The program cannot be started, or does not end in time.
        """
        drop = os.geteuid() == 0
        try:
            return subprocess.run(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
                user=self.uid if drop else None,
                group=self.gid if drop else None,
                extra_groups=[] if drop else None,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServiceError(f"{command[0]}: cannot be run as {self.name}: {error}") from error

    def own(self, path: Path) -> None:
        """Give a file or folder to this account where the caller may do so."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def reaches(self, folder: Path) -> bool:
        """Tell whether the account may pass through every existing folder above this one."""
        return all(self._passes(parent) for parent in folder.absolute().parents if parent.exists())

    def _passes(self, folder: Path) -> bool:
        status = folder.stat()
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def account_for(folder: Path) -> Account:
    """Choose the account for a cluster's folder, which need not exist.

    A plain user runs the cluster as itself. Root keeps the present owner of the folder, and
    gives a new one to `postgres`, or else `nobody`.

    Raises
    ------
    ServiceError
        The folder belongs to somebody else, or no unprivileged account exists.
    """
    uid = os.geteuid()
    owner = folder.stat().st_uid if folder.exists() else None
    if uid != 0:
        if owner not in (None, uid):
            raise ServiceError(
                f"{folder}: belongs to user id {owner}, wanted {uid} (the caller): run the command "
                "as its owner, or choose another data folder with GFARD_DATA"
            )
        return _account(uid)
    if owner not in (None, 0):
        return _account(int(owner or 0))
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ServiceError(
        f"PostgreSQL does not run as root, and none of {', '.join(_UNPRIVILEGED)} exists here: "
        "run gfard as a plain user"
    )


def _account(uid: int) -> Account:
    """Describe an account by number; one without an entry keeps its number as name."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(str(uid), uid, os.getgid())
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
