"""Finding the PostgreSQL programs that can carry the catalogue.

PostgreSQL 15 or newer with PostGIS is needed; no Python wheel ships that pair, so the
programs come from the system. Several majors may be installed side by side.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import ServiceError

MINIMUM_MAJOR = 15

INSTALL_HINT = (
    "install it with `apt-get install postgresql-15-postgis-3` (Debian 12; elsewhere "
    "`postgresql-<major>-postgis-3`), or name a database of your own in GFARD_DATABASE_URL"
)

_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """One installed PostgreSQL.

    Attributes
    ----------
    folder
        Folder that holds `initdb`, `pg_ctl` and `postgres`.
    major
        Major version, such as 15.
    postgis
        Whether the PostGIS extension is installed for it.
    """

    folder: Path
    major: int
    postgis: bool

    def program(self, name: str) -> str:
        """Return the path of one of its programs as text."""
        return str(self.folder / name)


def installed() -> list[PostgresBinaries]:
    """List every PostgreSQL on this machine that has its server programs, newest first."""
    found = {path: _describe(path) for path in _candidates()}
    return sorted(
        (binaries for binaries in found.values() if binaries is not None),
        key=lambda binaries: (binaries.major, binaries.postgis),
        reverse=True,
    )


def choose(major: int | None, available: Iterable[PostgresBinaries]) -> PostgresBinaries:
    """Pick the programs for a cluster.

    Parameters
    ----------
    major
        Version that made the data folder, or None for a new one.
    available
        What is installed, as from `installed`.

    Raises
    ------
    ServiceError
        Nothing fits; the message says what to install.
    """
    usable = [b for b in available if b.postgis and b.major >= MINIMUM_MAJOR]
    if not usable:
        raise ServiceError(
            f"no PostgreSQL {MINIMUM_MAJOR} or newer with PostGIS on this machine: {INSTALL_HINT}"
        )
    if major is None:
        return usable[0]
    for binaries in usable:
        if binaries.major == major:
            return binaries
    versions = ", ".join(str(b.major) for b in usable)
    raise ServiceError(
        f"the database folder was made by PostgreSQL {major}, but installed with PostGIS is "
        f"{versions}: install `postgresql-{major}-postgis-3`, or move the folder away and publish "
        "the store again"
    )


def _candidates() -> Iterator[Path]:
    """Yield real folders that may hold the server programs, each once."""
    folders = [path for pattern in _FOLDERS for path in Path("/").glob(pattern[1:])]
    for name in ("postgres", "pg_ctl"):
        program = shutil.which(name)
        if program:
            folders.append(Path(program).resolve().parent)
    config = shutil.which("pg_config")
    if config:
        folders.append(Path(_output(config, "--bindir")))
    yield from dict.fromkeys(path.resolve() for path in folders)


def _describe(folder: Path) -> PostgresBinaries | None:
    """Read version and extensions of one folder; None when it holds no server."""
    if not all((folder / name).is_file() for name in ("initdb", "pg_ctl", "postgres")):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", _output(str(folder / "postgres"), "--version"))
    if match is None:
        return None
    major = int(match[1])
    shares = (
        folder.parent / "share",
        folder.parent / "share/postgresql",
        Path(f"/usr/share/postgresql/{major}"),
    )
    postgis = any((share / "extension/postgis.control").is_file() for share in shares)
    return PostgresBinaries(folder, major, postgis)


def _output(*command: str) -> str:
    """Standard output of a short command; empty when it cannot be run."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False
        ).stdout.strip()
    except OSError:
        return ""
