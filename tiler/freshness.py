"""Pictures that a client holds already are not sent again: entity tags, 304, and HEAD."""

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ERRORS_CACHE_CONTROL = "public, max-age=60"


class Freshness:
    """ASGI middleware that gives every answer of a GET or HEAD a tag, and 304 to who knows it.

    The tag is a digest of the answer, so a product made again under the same name is seen as
    new. Answers are small here: a picture or a document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold an answer back until its tag is known."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None
        body = bytearray()

        async def hold(message: Message) -> None:
            """Hold the answer back until its tag is known."""
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False) and start is not None:
                await _answer(start, bytes(body), known, send, head=scope["method"] == "HEAD")

        await self._app({**scope, "method": "GET"}, receive, hold)


async def _answer(start: Message, body: bytes, known: str, send: Send, *, head: bool) -> None:
    headers = MutableHeaders(raw=start["headers"])
    if 400 <= start["status"] < 500:
        headers["cache-control"] = ERRORS_CACHE_CONTROL  # what is missing may be published soon
    if start["status"] == 200:
        tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        headers["etag"] = tag
        if known == "*" or tag in {one.strip().removeprefix("W/") for one in known.split(",")}:
            start["status"], body = 304, b""
            for name in ("content-length", "content-type"):
                if name in headers:
                    del headers[name]
    start["headers"] = headers.raw
    await send(start)
    await send({"type": "http.response.body", "body": b"" if head else body})
