"""Keeping processes running: started together, restarted when they die, ended together."""

import logging
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from catalog.errors import ServiceError

_POLL_S = 0.2
_GRACE_S = 10.0
_STEADY_S = 20.0  # a process that ran this long counts as well started
_ATTEMPTS = 3

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Command:
    """A process to keep running.

    Attributes
    ----------
    name
        For messages.
    arguments
        Program and arguments.
    environment
        All of its environment.
    descriptors
        Open files it inherits, such as a listening socket.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    descriptors: tuple[int, ...] = ()


@dataclass(slots=True)
class _Child:
    command: Command
    process: subprocess.Popen[bytes]
    started: float
    failures: int = field(default=0)


def supervise(commands: Sequence[Command], stop: threading.Event) -> None:
    """Keep all processes running until asked to stop, then end them.

    Parameters
    ----------
    commands
        What to run.
    stop
        Set by somebody else, such as a signal handler.

    Raises
    ------
    ServiceError
        A process ends again and again right after its start.
    """
    children: list[_Child] = []
    try:
        children.extend(_Child(command, _start(command), time.monotonic()) for command in commands)
        while not stop.wait(_POLL_S):
            for child in children:
                if child.process.poll() is not None:
                    _restart(child)
    finally:
        _end([child.process for child in children])


def _start(command: Command) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that the terminal's Ctrl-C is ours alone."""
    return subprocess.Popen(
        command.arguments,
        env=dict(command.environment),
        stdin=subprocess.PIPE,
        pass_fds=command.descriptors,
        start_new_session=True,
    )


def _restart(child: _Child) -> None:
    """Start a dead process again, unless it keeps dying young."""
    code = child.process.returncode
    lived = time.monotonic() - child.started
    child.failures = child.failures + 1 if lived < _STEADY_S else 0
    if child.failures >= _ATTEMPTS:
        raise ServiceError(
            f"{child.command.name} ended {child.failures} times right after its start, the last "
            f"time with code {code}: its own messages above say why"
        )
    _LOGGER.warning(
        "%s ended with code %d after %.0f s and is started again", child.command.name, code, lived
    )
    if child.process.stdin:
        child.process.stdin.close()
    child.process = _start(child.command)
    child.started = time.monotonic()


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask all to end, wait for them, and end the stubborn ones."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _GRACE_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()
