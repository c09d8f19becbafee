"""HTTP/1.1 for clients that ask in good time.

uvicorn waits for the rest of a request for ever, so that anybody may hold connections open by
sending a header a minute. Here a request that is not complete in time is answered with 408 and the
connection closed. How long an answer may take to be fetched is the applications' own affair.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

REQUEST_WITHIN_S = 30.0
"""Longest time from the first byte of a request to its last."""
_ASKING = (h11.IDLE, h11.SEND_BODY)


class PromptProtocol(H11Protocol):
    """A connection on which every request has a deadline, the first from the beginning."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take more of a request; stop waiting when it is complete."""
        super().data_received(data)
        if self.conn.their_state in _ASKING:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for whoever is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_WITHIN_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        """Say 408 where nothing has been answered yet, and close."""
        self._deadline = None
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [(b"connection", b"close"), (b"content-length", b"0")]
            refusal = h11.Response(status_code=408, headers=headers, reason=STATUS_PHRASES[408])
            for event in (refusal, h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
