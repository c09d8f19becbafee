"""A bulk download: files in parallel into a folder, and at the end what is missing and why."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from catalog.errors import DownloadError
from catalog.fetch import MissingError, Received, StoppedError, disagreement, fetch
from catalog.manifest import RemoteFile
from catalog.sources import target_path

_TIMEOUT = httpx.Timeout(30.0, read=60.0)


class Status(StrEnum):
    """What became of a file."""

    FETCHED = "fetched"
    PRESENT = "present"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file, and the reason when it is missing."""

    file: RemoteFile
    status: Status
    reason: str = ""


Ended = Callable[[Outcome], None]
"""Called once for each file, from any thread."""


def new_client(jobs: int) -> httpx.Client:
    """Return an HTTP client for a number of downloads at a time."""
    limits = httpx.Limits(max_connections=jobs + 1, max_keepalive_connections=jobs + 1)
    headers = {"Accept-Encoding": "identity", "User-Agent": "gfard-download"}
    return httpx.Client(timeout=_TIMEOUT, limits=limits, headers=headers, follow_redirects=True)


def download(
    files: Sequence[RemoteFile],
    folder: Path,
    client: httpx.Client,
    *,
    jobs: int = 4,
    received: Received = lambda count: None,
    ended: Ended = lambda outcome: None,
) -> list[Outcome]:
    """Bring files into a folder; those that are there and right stay.

    Parameters
    ----------
    files
        What to fetch.
    folder
        Where to; made when it is not there.
    client
        Where the bytes come through.
    jobs
        Files at a time.
    received
        Called with the number of bytes that came or were there, from any thread.
    ended
        Called once for each file, from any thread.

    Returns
    -------
    list of Outcome
        One for each file, in the order given.

    Raises
    ------
    DownloadError
        A name leads out of the folder, or the folder cannot be written; nothing was fetched.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder}: {error.strerror}; wanted a folder to write to") from error
    targets = [target_path(folder, file.name) for file in files]
    work = _Work(files, targets)
    stop = threading.Event()

    def run() -> None:
        """Fetch files until none is left or all are told to stop."""
        for number, file, target in work:
            try:
                outcome = _one(file, target, client, stop, received)
            except StoppedError:
                return
            work.outcomes[number] = outcome
            ended(outcome)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            for future in [pool.submit(run) for _ in range(jobs)]:
                future.result()
        finally:
            stop.set()
    return [work.outcomes[number] for number in range(len(files))]


class _Work:
    """Files still to be taken, one at a time, by several threads."""

    def __init__(self, files: Sequence[RemoteFile], targets: Sequence[Path]) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self._rest = zip(range(len(files)), files, targets, strict=True)
        self._gate = threading.Lock()

    def __iter__(self) -> Iterator[tuple[int, RemoteFile, Path]]:
        while True:
            with self._gate:
                job = next(self._rest, None)
            if job is None:
                return
            yield job


def _one(
    file: RemoteFile,
    target: Path,
    client: httpx.Client,
    stop: threading.Event,
    received: Received,
) -> Outcome:
    """Fetch one file unless it is there."""
    try:
        if target.exists() and not disagreement(target, file):
            received(target.stat().st_size)
            return Outcome(file, Status.PRESENT)
        fetch(file, target, client, stop, received)
    except MissingError as error:
        return Outcome(file, Status.MISSING, str(error))
    except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        return Outcome(file, Status.MISSING, str(error) or type(error).__name__)
    return Outcome(file, Status.FETCHED)
