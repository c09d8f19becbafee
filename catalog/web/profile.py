"""The STAC 1.0 view: below ``/1.0``, or with ``?profile=1.0`` for a single answer.

The prefix is taken as part of the API's own address, so that every link of an answer stays within
the view.
"""

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

_PREFIX = "/1.0"
_FLAG = "gfard.stac_1_0"
"""Key of an ASGI scope that asks for the view."""


def wants_1_0(request: Request) -> bool:
    """Tell whether a request is for the STAC 1.0 view."""
    return bool(request.scope.get(_FLAG, False))


class EarlierView:
    """Middleware that recognises requests for the view, by prefix or by query."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, marked when it asks for the view."""
        if scope["type"] == "http":
            scope = _marked(scope)
        await self._app(scope, receive, send)


def _marked(scope: Scope) -> Scope:
    root = scope.get("root_path", "")
    below = scope["path"].removeprefix(root)
    if below == _PREFIX or below.startswith(f"{_PREFIX}/"):
        path = f"{scope['path']}/" if below == _PREFIX else scope["path"]
        return {**scope, "root_path": f"{root}{_PREFIX}", "path": path, _FLAG: True}
    if b"profile" in scope["query_string"]:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("profile")
        return {**scope, _FLAG: given == ["1.0"]}
    return scope
