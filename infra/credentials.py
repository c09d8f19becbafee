"""Port and passwords of the private database, in a file for its owner alone."""

import json
import secrets
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from catalog.errors import ServiceError
from infra.roles import COUNTERS_LOGIN, INGEST_LOGIN, READ_LOGIN, Dsns

HOST = "127.0.0.1"
ADMIN_LOGIN = "gfard_admin"
DATABASE = "gfard"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How the private database is reached.

    Attributes
    ----------
    port
        Loopback port.
    admin, read, ingest, counters
        Passwords of the logins.
    """

    port: int
    admin: str
    read: str
    ingest: str
    counters: str

    @classmethod
    def new(cls) -> Self:
        """Choose a free port and passwords."""
        return cls(free_port(), *(secrets.token_urlsafe(24) for _ in range(4)))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read them.

        Raises
        ------
        ServiceError
            The file is missing or damaged.
        """
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise ServiceError(
                f"{path}: port and passwords of the database cannot be read ({error}): bring the "
                f"file back, or remove {path.parent} and publish the store again"
            ) from error

    def save(self, path: Path) -> None:
        """Write them where only the owner can read, at once or not at all."""
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(path)

    def on_free_port(self) -> Self:
        """Return them with their port, or another one when that is taken at this moment."""
        return self if is_free(self.port) else replace(self, port=free_port())

    def dsns(self) -> Dsns:
        """Write them as URLs, one for each purpose."""
        return Dsns(
            read_dsn=self._url(READ_LOGIN, self.read),
            ingest_dsn=self._url(INGEST_LOGIN, self.ingest),
            counters_dsn=self._url(COUNTERS_LOGIN, self.counters),
            admin_dsn=self._url(ADMIN_LOGIN, self.admin),
        )

    def _url(self, login: str, password: str) -> str:
        return f"postgresql://{login}:{password}@{HOST}:{self.port}/{DATABASE}"


def is_free(port: int) -> bool:
    """Tell whether a loopback port can be listened on at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Ask the system for a loopback port that nobody uses."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
