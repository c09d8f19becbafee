"""How many searches may be written to the database, which keeps them."""

import threading
import time
from collections import OrderedDict
from typing import Any

from fastapi import HTTPException, Request
from pydantic import ValidationInfo, field_validator
from titiler.pgstac import model
from titiler.pgstac.dependencies import SearchParams

MAX_SEARCH_BYTES = 16_384
"""Largest body of a search to register."""
FILTERS = frozenset({"ids", "bbox", "datetime", "query", "sortby", "filter", "filter-lang"})
"""Parameters that pick items of a collection."""
_KEPT = 4096


class Budget:
    """A number of writes that refills evenly; safe between threads.

    Parameters
    ----------
    per_minute
        Writes in a minute, and most at once.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left = float(per_minute)
        self._then = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Take one write, or refuse the request with 429."""
        with self._lock:
            now = time.monotonic()
            refill = (now - self._then) * self._per_minute / 60
            self._then, self._left = now, min(self._left + refill, self._per_minute)
            if self._left < 1:
                raise HTTPException(
                    429, "too many searches registered; try again soon", {"Retry-After": "60"}
                )
            self._left -= 1


class SearchToRegister(model.RegisterMosaic):
    """A search to register."""

    @field_validator("intersects")
    @classmethod
    def validate_spatial(cls, shape: Any, known: ValidationInfo) -> Any:
        """Refuse two areas; the inherited check fails where the other one was refused already."""
        if shape and known.data.get("bbox"):
            raise ValueError("bbox and intersects exclude each other")
        return shape


class SearchBudget:
    """Dependency that reads a search to register while the budget lasts.

    Parameters
    ----------
    budget
        Searches that may be registered.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def __call__(
        self, request: Request, body: SearchToRegister
    ) -> tuple[model.PgSTACSearch, model.Metadata]:
        """Return the search, or refuse it with 413 or 429."""
        if int(request.headers.get("content-length", MAX_SEARCH_BYTES + 1)) > MAX_SEARCH_BYTES:
            raise HTTPException(413, f"a search may have {MAX_SEARCH_BYTES} bytes")
        self._budget.take()
        return SearchParams(body)


class FilterBudget:
    """Dependency that lets filters of a collection pass while the budget lasts.

    titiler registers a search for each filter it has not seen. Filters seen lately pass freely: all
    tiles of a map have the same.

    Parameters
    ----------
    budget
        Searches that may be registered.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._seen: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> None:
        """Refuse a new filter with 429 when the budget is spent."""
        said = sorted(pair for pair in request.query_params.multi_items() if pair[0] in FILTERS)
        if not said:
            return
        key = (request.path_params["collection_id"], *(text for pair in said for text in pair))
        with self._lock:
            if key not in self._seen:
                self._budget.take()
            self._seen[key] = None
            self._seen.move_to_end(key)
            if len(self._seen) > _KEPT:
                self._seen.popitem(last=False)
