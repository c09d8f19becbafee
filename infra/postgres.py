"""A private PostgreSQL cluster under the data folder, so that no database need be set up.

It has its own Unix socket, a loopback port chosen once and remembered, and generated
passwords; it survives crashes and forgotten pid files, and starts only with the PostgreSQL
version that made it.

Layout of the cluster's folder::

    data/           the cluster itself
    cluster.json    port and passwords, readable by its owner alone
    gfard.conf      settings, included by data/postgresql.conf
    run/            the Unix socket, unless that path would be too long
    postgres.log    what the server says
    lock            held while one process starts or stops the cluster
    users           held by every process that needs the cluster
    keep            there when the cluster is to run on without users
"""

import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from catalog.errors import CatalogError, ServiceError
from infra.account import Account, account_for
from infra.binaries import PostgresBinaries, choose, installed
from infra.credentials import ADMIN_LOGIN, DATABASE, HOST, Credentials
from infra.roles import Dsns, prepare_database

_SOCKET_PATH_BYTES = 107  # sun_path of unix(7) less its closing zero
_PATIENCE_S = 300  # recovery after a crash reads the log through before it answers
_ORPHANS_S = 60
_ORPHANS = "pre-existing shared memory block"

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """How a cluster stands.

    Attributes
    ----------
    folder
        Where it lies.
    state
        `absent`, `stopped` or `running`.
    major
        PostgreSQL version that made it, or None when absent.
    port
        Loopback port, or None when absent.
    pid
        Process id of the server, or None when it does not run.
    """

    folder: Path
    state: str
    major: int | None
    port: int | None
    pid: int | None


class Cluster:
    """A private PostgreSQL 15+ cluster with PostGIS and pgSTAC.

    Parameters
    ----------
    folder
        Its folder; made when missing. Where root's unprivileged account cannot reach the
        folder, it becomes a link to one under `/var/lib/gfard`.
    durable
        False trades safety against power cuts for speed; for tests.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self._durable = durable

    def start(self) -> Dsns:
        """Make the cluster when missing, start it when stopped, prepare its database.

        It runs until it is stopped; `running` is for a while.

        Returns
        -------
        Dsns
            Where the database is reached, one URL for each purpose.

        Raises
        ------
        ServiceError
            No fitting PostgreSQL, or the server does not start; the reason is in the message.
        CatalogError
            The database cannot be brought to the wanted pgSTAC.
        """
        dsns = self._start()
        self._keep.touch()
        return dsns

    def stop(self) -> bool:
        """Stop the server, ending its sessions; False when it did not run.

        Raises
        ------
        ServiceError
            The server does not stop.
        """
        self._keep.unlink(missing_ok=True)
        if self._server_pid() is None:
            return False
        with self._locked():
            binaries = choose(self._major(), installed())
            command = (
                *(binaries.program("pg_ctl"), "-D", str(self._data)),
                *("-m", "fast", "-w", "stop"),
            )
            done = account_for(self._home).run(command, _PATIENCE_S + 30)
        if done.returncode != 0:
            raise ServiceError(f"{self.folder}: PostgreSQL does not stop: {done.stderr.strip()}")
        shutil.rmtree(self._socket_folder(), ignore_errors=True)
        return True

    def status(self) -> ClusterStatus:
        """Tell whether the cluster exists and runs; changes nothing."""
        major = self._major()
        if major is None:
            return ClusterStatus(self.folder, "absent", None, None, None)
        pid = self._server_pid()
        state = "stopped" if pid is None else "running"
        return ClusterStatus(
            self.folder, state, major, Credentials.load(self._credentials).port, pid
        )

    @contextmanager
    def running(self) -> Iterator[Dsns]:
        """Have the cluster running for a while.

        The last of those who need it stops it, unless somebody has called `start`.
        """
        self._make_folder()
        with (self._home / "users").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            try:
                yield self._start()
            finally:
                if self._is_last(users) and not self._keep.exists():
                    self.stop()

    @staticmethod
    def _is_last(users: TextIO) -> bool:
        """Whether nobody else holds the file of the users."""
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _start(self) -> Dsns:
        account = self._make_folder()
        with self._locked():
            if self._server_pid() is None:
                binaries = choose(self._major(), installed())
                if self._major() is None:
                    self._initialize(binaries, account)
                self._launch(binaries, account)
            dsns = Credentials.load(self._credentials).dsns()
            _create_database(dsns)
            prepare_database(dsns)
        return dsns

    @property
    def _keep(self) -> Path:
        return self._home / "keep"

    @property
    def _home(self) -> Path:
        return self.folder.resolve()

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @property
    def _log(self) -> Path:
        return self._home / "postgres.log"

    def _major(self) -> int | None:
        """Version written in the data folder, or None when there is no cluster."""
        version = self._data / "PG_VERSION"
        if not version.exists():
            return None
        text = version.read_text().strip()
        if not text.isdigit():
            raise ServiceError(f"{version}: says {text!r}, wanted a version such as 15")
        return int(text)

    def _make_folder(self) -> Account:
        """Make the folder and give it to the account that will run the server."""
        try:
            account = account_for(self._home)
            if not account.reaches(self._home):
                self._link_elsewhere(account)
            self._home.mkdir(parents=True, exist_ok=True)
            account.own(self._home)
            self._home.chmod(0o700)
        except OSError as error:
            raise ServiceError(
                f"{self.folder}: no folder for the database can be made here ({error}): "
                "choose another data folder with GFARD_DATA"
            ) from error
        return account

    def _link_elsewhere(self, account: Account) -> None:
        """Put the cluster where the account gets to, leaving a link at the usual place."""
        if self.folder.exists():
            raise ServiceError(
                f"{self._home}: user {account.name} cannot reach this folder: open the folders "
                "above it (chmod o+x), or choose another data folder with GFARD_DATA"
            )
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        clusters = Path("/var/lib/gfard")
        clusters.mkdir(parents=True, exist_ok=True)
        elsewhere = tempfile.mkdtemp(prefix=f"{name}-", dir=clusters)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.symlink_to(elsewhere)
        _LOGGER.info("%s lies in %s, where user %s gets to", self.folder, elsewhere, account.name)

    def _initialize(self, binaries: PostgresBinaries, account: Account) -> None:
        """Make the cluster beside its final place, then rename it there."""
        fresh = self._home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        credentials = Credentials.new()
        credentials.save(self._credentials)
        password = self._home / "password"
        password.touch(mode=0o600)
        password.write_text(credentials.admin)
        account.own(password)
        command = (
            binaries.program("initdb"),
            *("-D", str(fresh), "-U", ADMIN_LOGIN, f"--pwfile={password}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"),
            *(() if self._durable else ("--no-sync",)),
        )
        try:
            done = account.run(command, _PATIENCE_S)
        finally:
            password.unlink()
        if done.returncode != 0:
            raise ServiceError(f"{self.folder}: initdb failed: {done.stderr.strip()}")
        with (fresh / "postgresql.conf").open("a") as settings:
            settings.write("\ninclude '../gfard.conf'\n")
        fresh.rename(self._data)

    def _launch(self, binaries: PostgresBinaries, account: Account) -> None:
        """Start the server; another port is taken when the remembered one is in use."""
        self._clear_remains(account)
        self._log.touch()
        account.own(self._log)
        deadline = time.monotonic() + _ORPHANS_S
        while True:
            self._write_settings(account)
            start = self._log.stat().st_size
            command = (
                *(binaries.program("pg_ctl"), "-D", str(self._data), "-l", str(self._log)),
                *("-w", "-t", str(_PATIENCE_S), "start"),
            )
            if account.run(command, _PATIENCE_S + 30).returncode == 0:
                _LOGGER.info("PostgreSQL %d runs for %s", binaries.major, self.folder)
                return
            said = self._log.read_bytes()[start:].decode(errors="replace")
            # Back ends of a killed server end by themselves within moments.
            if _ORPHANS not in said or time.monotonic() > deadline:
                raise ServiceError(f"{self.folder}: PostgreSQL does not start: {_complaint(said)}")
            time.sleep(0.5)

    def _clear_remains(self, account: Account) -> None:
        """Remove what a dead server left behind and a new one would stumble over.

        PostgreSQL itself copes with a pid file of a dead process. When that number now belongs
        to another program, as after a restart of a container, it takes that one for a server.
        """
        sockets = self._socket_folder()
        sockets.mkdir(mode=0o700, exist_ok=True)
        if sockets.stat().st_uid not in (0, account.uid) or sockets.is_symlink():
            raise ServiceError(f"{sockets}: belongs to somebody else: remove it")
        account.own(sockets)
        if any(_works_in(self._data)):
            return
        for remains in (self._data / "postmaster.pid", *sockets.glob(".s.PGSQL.*")):
            remains.unlink(missing_ok=True)

    def _server_pid(self) -> int | None:
        """Process id of this cluster's server; a stale pid file counts as none."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if pid in _works_in(self._data) else None

    def _socket_folder(self) -> Path:
        """Folder of the Unix socket, short enough for the system's limit."""
        folder = self._home / "run"
        if len(os.fsencode(folder / ".s.PGSQL.65535")) <= _SOCKET_PATH_BYTES:
            return folder
        name = hashlib.sha256(str(self._home).encode()).hexdigest()[:12]
        return Path("/tmp") / f"gfard-{name}"

    def _write_settings(self, account: Account) -> None:
        """Write the server's settings, with a port that is free at this moment."""
        credentials = Credentials.load(self._credentials).on_free_port()
        credentials.save(self._credentials)
        lines = [
            f"port = {credentials.port}",
            f"listen_addresses = '{HOST}'",
            f"unix_socket_directories = '{_quoted(self._socket_folder())}'",
            "timezone = 'UTC'",
            "shared_buffers = '256MB'",
            "max_connections = 100",
            "jit = off",
        ]
        if not self._durable:
            lines += ["fsync = off", "synchronous_commit = off", "full_page_writes = off"]
        settings = self._home / "gfard.conf"
        settings.write_text("\n".join(lines) + "\n")
        account.own(settings)

    @property
    def _credentials(self) -> Path:
        return self._home / "cluster.json"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other gfard processes from starting or stopping the cluster meanwhile."""
        with (self._home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _create_database(dsns: Dsns) -> None:
    """Create the catalogue's database in the cluster when it is missing."""
    import psycopg

    server = dsns.admin_dsn.rpartition("/")[0] + "/postgres"
    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=10) as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, (DATABASE,)).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.Error as error:
        raise CatalogError(f"the private database cannot be reached: {error}") from error


def _works_in(folder: Path) -> set[int]:
    """Process ids of the programs whose working folder this is, as a server's data folder is."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd") == str(folder):
                found.add(int(process.name))
        except OSError:  # it has ended, or belongs to somebody else
            continue
    return found


def _quoted(path: Path) -> str:
    """Write a path for a value in single quotes of a PostgreSQL settings file."""
    return str(path).replace("'", "''")


def _complaint(said: str) -> str:
    """Pick the server's own reason from what it logged."""
    lines = [line for line in said.splitlines() if "FATAL" in line or "PANIC" in line]
    return (lines or said.splitlines() or ["it said nothing"])[-1].strip()
