"""What becomes of a scene: the one value that commands, ledgers and schedulers see."""

import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How the work on a scene ended."""

    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SceneResult:
    """The outcome of one scene.

    ``reason`` is a code for machines ("" when done, e.g. "cloud" for a gate, the name of the
    error class when failed), ``detail`` one line for people. ``timings`` are CPU seconds by
    step, ``figures`` what was measured, ``items`` the ids written.
    """

    package: str
    status: Status
    reason: str = ""
    detail: str = ""
    items: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        return {
            "package": self.package,
            "status": self.status.value,
            "reason": self.reason,
            "detail": self.detail,
            "items": list(self.items),
            "figures": {key: round(value, 4) for key, value in self.figures.items()},
            "timings": {key: round(value, 3) for key, value in self.timings.items()},
            "warnings": list(self.warnings),
        }


class Stopwatch:
    """CPU seconds of this process by named step, and the peak of its memory."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._wall = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the CPU time of the block to ``name``."""
        start = time.process_time()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.process_time() - start

    def timings(self) -> dict[str, float]:
        """Return CPU seconds by step, and ``wall`` seconds since the start."""
        return {**self._seconds, "wall": time.monotonic() - self._wall}

    @staticmethod
    def peak_memory_gb() -> float:
        """Return the largest resident size of this process so far, in GB (10^9 bytes)."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
