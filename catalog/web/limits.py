"""What one client may send and hold at a time, and how long it may take to fetch an answer."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATIENCE_S = 120.0
"""Longest wait for a client to take a piece of a file (256 KiB) or of an export: 2 kB/s will do."""

MAX_BODY = 2_000_000
"""Most bytes of a body: an area of 50,000 corners, or the ids of as many products."""

_LOG = logging.getLogger(__name__)


class Slots:
    """A bounded number of costly answers at a time, in one process and for each client.

    Parameters
    ----------
    total
        Answers in the making, over all clients.
    per_client
        The same for one address.
    """

    def __init__(self, total: int, per_client: int) -> None:
        self._total = total
        self._per_client = per_client
        self._held: Counter[str] = Counter()

    @contextmanager
    def held(self, request: Request) -> Iterator[None]:
        """Hold a slot for the client of a request.

        Raises
        ------
        HTTPException
            429 when this client holds its share, 503 when all slots are held.
        """
        client = request.client.host if request.client else ""
        if self._held[client] >= self._per_client:
            reason = f"{self._per_client} exports at a time; wait for one to end"
            raise HTTPException(429, reason, {"Retry-After": "10"})
        if self._held.total() >= self._total:
            raise HTTPException(503, "too many exports at present", {"Retry-After": "30"})
        self._held[client] += 1
        try:
            yield
        finally:
            self._held[client] -= 1


class Impatient:
    """An application that gives up on clients that stop taking what they asked for.

    Each part of an answer waits here until the socket takes it; a client that reads nothing would
    hold the answer, its open file or its slot for ever.

    Parameters
    ----------
    app
        The application that answers.
    seconds
        Longest wait for the client to take one part of an answer.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; the connection is closed when the client does not keep up."""
        gone = False

        async def in_time(message: Message) -> None:
            """Send a message to a client that takes it in time."""
            nonlocal gone
            try:
                async with asyncio.timeout(self._seconds):
                    await send(message)
            except TimeoutError:
                gone = True
                raise

        try:
            await self._app(scope, receive, in_time)
        except Exception:
            if not gone:
                raise
            _LOG.info("%s: the client took nothing for %g s", scope.get("path"), self._seconds)
