"""One file of a bulk download: resumed where it was left, checked, and then named.

It grows as ``NAME.part``; beside it ``NAME.part.tag`` keeps the server's validator, so that a file
that has changed meanwhile is begun anew (RFC 9110, 13.1.5). Only what has the announced size and
checksum gets its name, by one rename: a name in the folder is a complete file.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import httpx

from catalog.manifest import RemoteFile

_ATTEMPTS = 6
"""Tries of one file that bring it no further."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that another try may better."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")

Received = Callable[[int], None]
"""Called with the number of bytes that came; negative when bytes are put aside."""


class MissingError(Exception):
    """A file that could not be fetched, and why."""


class StoppedError(Exception):
    """The download was interrupted."""


class _PassingError(Exception):
    """Something that another try may better, with the pause that the server asks for, seconds."""

    def __init__(self, reason: str, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


class _WrongError(_PassingError):
    """Other bytes than announced came, whole."""


def fetch(
    file: RemoteFile, target: Path, client: httpx.Client, stop: threading.Event, received: Received
) -> None:
    """Bring a file to its place, going on where an earlier run stopped.

    Raises
    ------
    MissingError
        It cannot be had, or is not what was announced.
    StoppedError
        ``stop`` was set; what has come is kept for the next run.
    """
    part = _Part(target)
    received(part.size)
    furthest, attempt, said = part.size, 0, ""
    while True:
        try:
            _receive(file, part, client, stop, received)
            _keep(file, part, received)
        except (_PassingError, httpx.TransportError) as error:
            attempt = 1 if part.size > furthest else attempt + 1
            furthest = max(furthest, part.size)
            # The same wrong bytes a second time are no accident of the way.
            same = isinstance(error, _WrongError) and str(error) == said
            said = str(error)
            if attempt >= _ATTEMPTS or same:
                raise MissingError(str(error) or type(error).__name__) from error
            if stop.wait(_pause(error, attempt)):
                raise StoppedError from error
        else:
            return


def disagreement(path: Path, file: RemoteFile) -> str:
    """Say how a file on disk differs from what was announced; empty when it does not."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"{size} bytes came, {file.size} are announced"
    if file.sha256 is not None:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != file.sha256:
            return f"SHA-256 {digest} came, {file.sha256} is announced"
    return ""


class _Part:
    """The file on its way, with the validator of the server's version that it is part of."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(f"{target.name}.part")
        self._tag = target.with_name(f"{target.name}.part.tag")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def request(self, file: RemoteFile) -> dict[str, str]:
        """Return the headers that ask for the rest; none when it is to be begun anew.

        Without a validator only a checksum can tell a wrong joint, later.
        """
        known = self._tag.exists()
        beyond = file.size is not None and self.size > file.size
        if not self.size or beyond or not (known or file.sha256):
            return {}
        condition = {"If-Range": self._tag.read_text()} if known else {}
        return {"Range": f"bytes={self.size}-", **condition}

    def begin(self, position: int, headers: Mapping[str, str]) -> BinaryIO:
        """Open the part for writing at a position; what lay beyond is gone."""
        validator = headers.get("etag", "")
        if not validator or validator.startswith("W/"):
            validator = headers.get("last-modified", "")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        sink = self.path.open("r+b" if self.path.exists() else "w+b")
        sink.truncate(position)
        sink.seek(position)
        if validator:
            self._tag.write_text(validator)
        else:
            self._tag.unlink(missing_ok=True)
        return sink

    def complete(self) -> None:
        """Give the file its name."""
        self.path.replace(self._target)
        self._tag.unlink(missing_ok=True)

    def remove(self) -> None:
        """Begin anew the next time."""
        self.path.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)


def _receive(
    file: RemoteFile, part: _Part, client: httpx.Client, stop: threading.Event, received: Received
) -> None:
    """Ask for what is missing and append it."""
    if part.size and part.size == file.size:
        return
    with client.stream("GET", file.url, headers=part.request(file)) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and part.size:
            _settle(file, part, answer, received)
            return
        position = _position(answer, part.size)
        if "content-length" in answer.headers:
            _compare(file, position + int(answer.headers["content-length"]))
        received(position - part.size)
        with part.begin(position, answer.headers) as sink:
            for piece in answer.iter_raw():
                if stop.is_set():
                    raise StoppedError
                sink.write(piece)
                received(len(piece))
                _compare(file, max(sink.tell(), file.size or 0))


def _position(answer: httpx.Response, size: int) -> int:
    """Return where the body of an answer belongs in the file, of which ``size`` bytes are there."""
    if answer.status_code == httpx.codes.PARTIAL_CONTENT:
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        if match and int(match[1]) == size:
            return size
        raise MissingError("another part of the file came than was asked for")
    if answer.status_code == httpx.codes.OK:
        return 0
    reason = f"{answer.status_code} {answer.reason_phrase}"
    if answer.status_code in PASSING:
        wanted = answer.headers.get("retry-after", "")
        raise _PassingError(reason, float(wanted) if wanted.isdecimal() else None)
    raise MissingError(reason)


def _compare(file: RemoteFile, size: int) -> None:
    """Refuse a file whose size on the server is not the announced one."""
    if file.size is not None and size != file.size:
        raise MissingError(f"the server sends {size} bytes, {file.size} are announced")


def _settle(file: RemoteFile, part: _Part, answer: httpx.Response, received: Received) -> None:
    """Take a part beyond which the server has nothing as complete, or begin anew."""
    _, _, total = answer.headers.get("content-range", "").partition("*/")
    if total.isdecimal():
        _compare(file, int(total))
    if total != str(part.size):
        received(-part.size)
        part.remove()
        raise _PassingError("the file on the server has become shorter")


def _keep(file: RemoteFile, part: _Part, received: Received) -> None:
    """Name a file that is what was announced; another is removed and may be tried again."""
    if file.size is not None and part.size < file.size:
        raise _PassingError(f"the connection ended after {part.size} of {file.size} bytes")
    reason = disagreement(part.path, file)
    if reason:
        received(-part.size)
        part.remove()
        raise _WrongError(reason)
    part.complete()


def _pause(error: Exception, attempt: int) -> float:
    """Return the seconds to wait: what the server asks for, or twice as long each time."""
    wanted = error.pause_s if isinstance(error, _PassingError) else None
    pause = _FIRST_PAUSE_S * 2.0 ** (attempt - 1) if wanted is None else wanted
    return min(pause, _LONGEST_PAUSE_S)
