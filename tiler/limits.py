"""How much one request may ask for, and how many searches may be registered."""

import threading
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import HTTPException, Query, Request
from pydantic import Field
from titiler.core.dependencies import PreviewParams
from titiler.pgstac import model
from titiler.pgstac.dependencies import PgSTACParams, SearchParams

MAX_PREVIEW = 2048
"""Most pixels along one side of a preview."""
MAX_TILE = 1024
"""Most pixels along one side of a map tile."""
MAX_BUFFER = 64
"""Most pixels around a map tile."""
MAX_SEARCH_BYTES = 16_384
"""Largest body of a search to register."""

_Side = Annotated[int | None, Field(gt=0, le=MAX_PREVIEW, description="Pixels of the picture")]


@dataclass
class BoundedPreview(PreviewParams):
    """Size of a preview."""

    max_size: Annotated[
        int, Field(gt=0, le=MAX_PREVIEW, description="Pixels of the longer side")
    ] = 1024
    height: _Side = None
    width: _Side = None


@dataclass
class BoundedSearch(PgSTACParams):
    """How far a mosaic searches for items, within what pgSTAC does by default."""

    scan_limit: Annotated[int | None, Query(ge=1, le=10_000)] = None
    items_limit: Annotated[int | None, Query(ge=1, le=100)] = None
    time_limit: Annotated[int | None, Query(ge=1, le=5)] = None


def bounded_tile(
    tilesize: Annotated[int | None, Query(gt=0, le=MAX_TILE)] = None,
    buffer: Annotated[float | None, Query(gt=0, le=MAX_BUFFER)] = None,
    padding: Annotated[int | None, Query(ge=0, le=MAX_BUFFER)] = None,
) -> None:
    """Refuse map tiles larger than the limits; a dependency of the routers."""


class SearchBudget:
    """Dependency that reads a search to register while the minute's budget lasts.

    Registering is a write that anyone may ask for; it is bounded in size and in number.

    Parameters
    ----------
    per_minute
        Searches registered in a minute, and most at once.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left = float(per_minute)
        self._then = time.monotonic()
        self._lock = threading.Lock()

    def __call__(
        self, request: Request, body: model.RegisterMosaic
    ) -> tuple[model.PgSTACSearch, model.Metadata]:
        """Return the search, or refuse it with 413 or 429."""
        if int(request.headers.get("content-length", MAX_SEARCH_BYTES + 1)) > MAX_SEARCH_BYTES:
            raise HTTPException(413, f"a search may have {MAX_SEARCH_BYTES} bytes")
        if not self._take():
            raise HTTPException(
                429, "too many searches registered; try again soon", {"Retry-After": "60"}
            )
        return SearchParams(body)

    def _take(self) -> bool:
        """Take one search from the budget, which refills evenly."""
        with self._lock:
            now = time.monotonic()
            refill = (now - self._then) * self._per_minute / 60
            self._then, self._left = now, min(self._left + refill, self._per_minute)
            if self._left < 1:
                return False
            self._left -= 1
            return True
