"""Copernicus GLO-30 heights by name: which one-degree files are needed, and where they lie."""

import logging
import math
import os
import shutil
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Final

from catalog.errors import DemError

_LOGGER = logging.getLogger(__name__)

PUBLIC_BUCKET: Final = "https://copernicus-dem-30m.s3.amazonaws.com"
"""The open bucket of the Copernicus DEM, product GLO-30 (DGED as COG)."""
_TIMEOUT_S: Final = 60
_ATTEMPTS: Final = 3


def file_stem(south: int, west: int) -> str:
    """Return the object name of the cell with this south-west corner, without ``.tif``."""
    west = (west + 180) % 360 - 180
    lat = f"{'N' if south >= 0 else 'S'}{abs(south):02d}"
    lon = f"{'E' if west >= 0 else 'W'}{abs(west):03d}"
    return f"Copernicus_DSM_COG_10_{lat}_00_{lon}_00_DEM"


def fetch(base: str, bounds: tuple[float, float, float, float], cache: Path) -> list[Path]:
    """Fetch the cells that meet ``bounds``, those in the cache excepted.

    Parameters
    ----------
    base
        ``https://host/prefix`` or ``s3://bucket/prefix`` (a bucket that needs no login).
    bounds
        West, south, east, north in degrees; east may exceed 180.
    cache
        Folder where the files are kept.

    Returns
    -------
    list of Path
        The files; cells of open sea have none.

    Raises
    ------
    DemError
        The server cannot be reached, refuses, or breaks off.
    """
    west, south, east, north = bounds
    cells = [
        file_stem(lat, lon)
        for lat in range(math.floor(south), math.ceil(north))
        for lon in range(math.floor(west), math.ceil(east))
    ]
    cache.mkdir(parents=True, exist_ok=True)
    files = []
    for stem in cells:
        file = cache / f"{stem}.tif"
        if file.is_file() or _download(f"{_https(base)}/{stem}/{stem}.tif", file):
            files.append(file)
        else:
            _LOGGER.info("no file %s: open sea", stem)
    return files


def _https(base: str) -> str:
    """Return the HTTPS address of a base that may be a bucket."""
    base = base.rstrip("/")
    if not base.startswith("s3://"):
        return base
    bucket, _, prefix = base.removeprefix("s3://").partition("/")
    return f"https://{bucket}.s3.amazonaws.com{'/' + prefix if prefix else ''}"


def _download(url: str, file: Path) -> bool:
    """Fetch ``url`` into ``file``, whole or not at all; False where the server has none."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return _fetch_once(url, part, file)
            except (OSError, HTTPException) as error:
                refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
                if refused or attempt == _ATTEMPTS:
                    raise DemError(
                        f"{url}: heights cannot be fetched: {error}; give a folder of files, or "
                        "another address"
                    ) from error
                _LOGGER.warning("%s: %s, trying again", url, error)
        raise AssertionError("the last attempt returns or raises")
    finally:
        part.unlink(missing_ok=True)


def _fetch_once(url: str, part: Path, file: Path) -> bool:
    """Try one transfer; the file appears by a rename."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response, part.open("wb") as out:
            shutil.copyfileobj(response, out)
            announced = response.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.NOT_FOUND:
            return False
        raise
    if announced is not None and part.stat().st_size != int(announced):
        raise OSError(f"{part.stat().st_size} of {announced} bytes arrived")
    part.replace(file)
    return True
