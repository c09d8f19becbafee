"""``?render=ndvi``: a named picture in place of the parameters that make it.

The pictures themselves are those the collections publish.
"""

from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.errors import ProductError
from catalog.renders import RENDER


@lru_cache(maxsize=256)
def expand(query: str) -> str:
    """Replace ``render=NAME`` in a query string by the parameters of that picture.

    What the query says itself wins over the picture; a query without a render comes back as it
    is.

    Raises
    ------
    ProductError
        No picture has that name.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    names = [value for key, value in pairs if key == "render"]
    if not names:
        return query
    if names[-1] not in RENDER:
        raise ProductError(f"render {names[-1]!r} is not known; known: {', '.join(RENDER)}")
    said = [(key, value) for key, value in pairs if key != "render"]
    keys = {key for key, _ in said}
    drawn = parse_qsl(RENDER[names[-1]].query())
    return urlencode([*said, *((key, value) for key, value in drawn if key not in keys)])


class NamedRenders:
    """ASGI middleware that lets every request name a picture."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its picture spelt out."""
        if scope["type"] == "http":
            try:
                query = expand(scope["query_string"].decode("latin-1"))
            except ProductError as error:
                refusal = JSONResponse({"detail": str(error)}, status_code=400)
                await refusal(scope, receive, send)
                return
            scope = {**scope, "query_string": query.encode("latin-1")}
        await self._app(scope, receive, send)
