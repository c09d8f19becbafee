"""What one client may hold, and how long it may take over it."""

import asyncio
from contextlib import ExitStack

import pytest
from fastapi import HTTPException, Request
from starlette.types import Message, Receive, Scope, Send

from catalog.web.limits import Impatient, Slots


def _request(host: str) -> Request:
    return Request({"type": "http", "client": (host, 1), "headers": []})


def _refused(slots: Slots, host: str) -> int:
    with pytest.raises(HTTPException) as caught, slots.held(_request(host)):
        pass
    assert caught.value.headers is not None
    assert int(caught.value.headers["Retry-After"]) > 0
    return caught.value.status_code


def test_slots_are_shared_among_clients() -> None:
    slots = Slots(total=3, per_client=2)
    with ExitStack() as held:
        held.enter_context(slots.held(_request("a")))
        held.enter_context(slots.held(_request("a")))
        assert _refused(slots, "a") == 429
        held.enter_context(slots.held(_request("b")))
        assert _refused(slots, "b") == 503
    with slots.held(_request("a")), slots.held(_request("b")):
        pass


def test_a_slot_is_free_after_a_failure() -> None:
    slots = Slots(total=1, per_client=1)
    with pytest.raises(RuntimeError), slots.held(_request("a")):
        raise RuntimeError
    with slots.held(_request("a")):
        pass


def _serve(seconds_to_take: float) -> list[bytes]:
    """Send three parts to a client that takes each in so many seconds, with 0.05 s of patience."""
    taken = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for part in (b"1", b"2", b"3"):
            await send({"type": "http.response.body", "body": part})

    async def send(message: Message) -> None:
        await asyncio.sleep(seconds_to_take)
        taken.append(message["body"])

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    asyncio.run(Impatient(app, 0.05)({"type": "http", "path": "/"}, receive, send))
    return taken


def test_clients_that_take_nothing_are_given_up() -> None:
    assert _serve(0) == [b"1", b"2", b"3"]
    assert _serve(5) == []
