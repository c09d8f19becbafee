"""HEAD requests, by which clients and link checkers ask whether something is there.

FastAPI answers them with 405, although every server has to know them (RFC 9110, 9.1).
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Middleware that answers HEAD as GET, without the body.

    Exports are left out: one would be written to its end for nobody.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if (
            scope["type"] != "http"
            or scope["method"] != "HEAD"
            or scope["path"].endswith("/export")
        ):
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            """Send an answer's beginning and end only."""
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, without_body)
