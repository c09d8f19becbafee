"""One ASGI application out of several, each below a prefix of its own.

Unlike a framework's mount, the path is left whole and only `root_path` is set, which is what
makes the applications write right links; and the lifespan of each one runs.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.errors import GfardError, ServiceError


@dataclass(frozen=True, slots=True)
class Mount:
    """An application and the prefix below which it answers, such as ``/stac``; "" takes all."""

    prefix: str
    app: ASGIApp

    def takes(self, path: str) -> bool:
        """Whether a request's path belongs to this application."""
        return not self.prefix or path == self.prefix or path.startswith(self.prefix + "/")

    def scope(self, scope: Scope) -> Scope:
        """Return the request as the application is to see it."""
        path = scope["path"] + "/" if scope["path"] == self.prefix else scope["path"]
        return {**scope, "path": path, "root_path": scope.get("root_path", "") + self.prefix}


class Dispatcher:
    """Hand each request to the first mount that takes it.

    Parameters
    ----------
    mounts
        In the order in which they are asked; the last one usually has the empty prefix.
    """

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self._mounts = tuple(mounts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespans of all applications."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        for mount in self._mounts:
            if mount.takes(scope["path"]):
                await mount.app(mount.scope(scope), receive, send)
                return
        await _not_found(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                for mount in self._mounts:
                    await stack.enter_async_context(lifespan(mount.app))
            except ServiceError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def lifespan(app: ASGIApp) -> AsyncIterator[None]:
    """Run the lifespan of one application around a block.

    An application that knows no lifespan, and raises when asked, is taken as it is.

    Raises
    ------
    ServiceError
        The application says that it cannot start.
    """
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}

    async def run() -> None:
        """Run the part's own start and end."""
        await app(scope, to_app.get, from_app.put)

    task = asyncio.create_task(run())
    await to_app.put({"type": "lifespan.startup"})
    answer = await _answer(task, from_app)
    if answer is not None and answer["type"] == "lifespan.startup.failed":
        await asyncio.gather(task, return_exceptions=True)
        raise ServiceError(_reason(answer.get("message") or "an application failed to start"))
    try:
        yield
    finally:
        if not task.done():
            await to_app.put({"type": "lifespan.shutdown"})
        await asyncio.gather(task, return_exceptions=answer is None)


async def _answer(task: asyncio.Task[None], from_app: asyncio.Queue[Message]) -> Message | None:
    """First message of the application's lifespan; None when it ends without one."""
    first = asyncio.create_task(from_app.get())
    await asyncio.wait({first, task}, return_when=asyncio.FIRST_COMPLETED)
    if first.done():
        return first.result()
    first.cancel()
    return None


def _reason(message: str) -> str:
    """Shorten the traceback of an error raised on purpose to what it says."""
    last = message.strip().rpartition("\n")[2]
    kind, _, reason = last.partition(": ")
    return reason if kind.startswith(GfardError.__module__) and reason else message


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    from starlette.responses import PlainTextResponse

    await PlainTextResponse("Not Found", status_code=404)(scope, receive, send)
