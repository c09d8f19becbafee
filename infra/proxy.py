"""Passing requests on to another process of the platform, body by body as it comes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable
from urllib.parse import quote

import httpx
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

_LOGGER = logging.getLogger(__name__)

# RFC 9110, section 7.6.1: these speak of one connection and are not passed on.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_Headers = list[tuple[bytes, bytes]]


class Proxy:
    """ASGI application that forwards to a server on this machine.

    Path, query, method, headers (`Host` among them) and body go on unchanged, so that the links
    the other process writes carry the public address.

    Parameters
    ----------
    address
        Where it listens, such as ``http://127.0.0.1:9000``.
    timeout_s
        How long an answer may take to begin.
    """

    def __init__(self, address: str, *, timeout_s: float = 60.0) -> None:
        self._client = httpx.AsyncClient(
            base_url=address,
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            limits=httpx.Limits(max_connections=128, max_keepalive_connections=32),
            trust_env=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request; close the connections when the lifespan ends."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["method"] in ("GET", "HEAD"):
            await _while_connected(receive, self._forward(scope, None, receive, send))
        else:
            await self._forward(scope, _body(receive), receive, send)

    async def _forward(
        self, scope: Scope, body: AsyncIterator[bytes] | None, receive: Receive, send: Send
    ) -> None:
        request = self._client.build_request(
            scope["method"],
            httpx.URL(raw_path=_target(scope)),
            headers=_passed_on(scope),
            content=body,
        )
        try:
            response = await self._send(request, again=body is None)
        except httpx.TimeoutException:
            await _refuse(504, "the tiler takes too long")(scope, receive, send)
            return
        except httpx.TransportError as error:
            _LOGGER.warning("%s %s: %s", scope["method"], scope["path"], error)
            await _refuse(502, "the tiler does not answer; it is being restarted")(
                scope, receive, send
            )
            return
        await _relay(response, send)

    async def _send(self, request: httpx.Request, *, again: bool) -> httpx.Response:
        """Send a request, once more where the connection kept for it was being closed just then."""
        try:
            return await self._client.send(request, stream=True)
        except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError):
            if not again:
                raise
        return await self._client.send(request, stream=True)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._client.aclose()
        await send({"type": "lifespan.shutdown.complete"})


async def _while_connected(receive: Receive, work: Coroutine[None, None, None]) -> None:
    """Do the work, but stop when the client goes away, as maps do with tiles out of sight."""

    async def left() -> None:
        """Wait until the client has gone."""
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = (asyncio.create_task(work), asyncio.create_task(left()))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not tasks[0].cancelled():
        tasks[0].result()


async def _relay(response: httpx.Response, send: Send) -> None:
    """Send an answer on as it arrives."""
    try:
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": [
                    each for each in _end_to_end(response.headers.raw) if each[0].lower() != b"date"
                ],  # the front's server dates its answers itself
            }
        )
        async for chunk in response.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        await response.aclose()


def _target(scope: Scope) -> bytes:
    """Path and query of a request as they came in, escapes and all."""
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _passed_on(scope: Scope) -> _Headers:
    """Headers of a request for the next server, with the client's address and scheme."""
    headers = [
        (k, v) for k, v in _end_to_end(scope["headers"]) if not k.startswith(b"x-forwarded-")
    ]
    client = scope.get("client")
    if client:
        headers.append((b"x-forwarded-for", str(client[0]).encode()))
    headers.append((b"x-forwarded-proto", scope["scheme"].encode()))
    return headers


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> _Headers:
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the parts of a request's body as they come in."""
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _refuse(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"detail": reason}, status_code=status, headers={"Retry-After": "1"})
