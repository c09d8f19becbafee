"""Requests that never end are ended; all others are answered as ever."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from infra import protocol
from infra.protocol import PromptProtocol


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body of the request."""
    body = await Request(scope, receive).body()
    await Response(body or b"nothing")(scope, receive, send)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(protocol, "REQUEST_WITHIN_S", 1.0)
    config = uvicorn.Config(
        _echo, port=0, http=PromptProtocol, log_level="critical", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join()


def _answers(address: tuple[str, int], *parts: bytes) -> bytes:
    """Send parts with pauses and return what comes until the server closes."""
    with socket.create_connection(address, timeout=120) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.02)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"GET / HTTP/1.1\r\nHost: a\r\n",),
        (b"GET / HT", b"TP/1.1\r\n", b"A: 1\r\n", b"B: 2\r\n"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", b"some"),
    ],
    ids=["nothing", "half a header", "a header in drops", "half a body"],
)
def test_requests_that_do_not_end_are_refused(
    address: tuple[str, int], parts: tuple[bytes, ...]
) -> None:
    answer = _answers(address, *parts)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_the_second_request_of_a_connection_has_a_deadline_too(address: tuple[str, int]) -> None:
    answer = _answers(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert answer.count(b"HTTP/1.1 408 ") == 1


def test_whole_requests_are_answered(address: tuple[str, int]) -> None:
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}") as client:
        for size in (0, 10, 300_000):
            answer = client.post("/", content=b"x" * size)
            assert answer.content == (b"x" * size or b"nothing")
            time.sleep(1.2)
