"""What one client may hold, and how long it may take over it."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
import uvicorn
from fastapi import HTTPException, Request
from starlette.responses import StreamingResponse
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


def _serve(seconds_to_take: float, patience: float) -> list[bytes]:
    """Send three parts to a client that takes each in so many seconds."""
    taken = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for part in (b"1", b"2", b"3"):
            await send({"type": "http.response.body", "body": part})

    async def send(message: Message) -> None:
        await asyncio.sleep(seconds_to_take)
        taken.append(message["body"])

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    asyncio.run(Impatient(app, patience)({"type": "http", "path": "/"}, receive, send))
    return taken


def test_clients_that_take_nothing_are_given_up() -> None:
    assert _serve(0, 120) == [b"1", b"2", b"3"]
    assert _serve(3600, 0.05) == []


def test_a_client_that_reads_nothing_is_cut_off() -> None:
    ended = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield bytes(65536)

        try:
            await StreamingResponse(endless())(scope, receive, send)
        finally:
            ended.set()

    config = uvicorn.Config(Impatient(app, 0.2), port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with socket.create_connection(server.servers[0].sockets[0].getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert ended.wait(120)
    server.should_exit = True
    thread.join()
