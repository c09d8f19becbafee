"""The portal's pages: built files, its small configuration, and the headers they need."""

from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PORTAL = Path(__file__).resolve().parents[1] / "catalog/portal/dist"
"""Where the portal's build puts its files."""

_WORTH_PACKING = 1024
"""Bytes from which a text is packed; the map library then takes 0.3 MB of the network, not 1.1."""
_PACKING = 4
"""Level of deflate: a third of the time of the usual one, for a tenth more bytes."""

_FOREVER = "public, max-age=31536000, immutable"


def site_app(
    *, title: str | None, address: str, contact: str | None = None, portal: Path = PORTAL
) -> Starlette:
    """Build the application behind `/`: portal, `/config.json` and `/healthz`.

    Parameters
    ----------
    title
        Heading of the portal; None for that of its own languages.
    address
        Address of the platform as the world sees it, under which its files are published. A
        visitor who came by another name of the server is shown them under that name.
    contact
        Mail address or web page of the operator.
    portal
        Folder of the built portal; without it `/` says how to build one.
    """

    async def config(request: Request) -> JSONResponse:
        """Answer with what the page has to know of this site."""
        content = {
            "stac": "stac",
            "tiles": "tiles",
            "counters": "counters",
            "published": address,
            "title": title,
            "contact": contact,
        }
        return JSONResponse(content, headers={"Cache-Control": "no-cache"})

    routes: list[BaseRoute] = [Route("/healthz", _health), Route("/config.json", config)]
    if (portal / "index.html").is_file():
        routes.append(Mount("/", _PortalFiles(portal, _policy(address))))
    else:
        routes.append(Route("/", _unbuilt))
    packing = Middleware(GZipMiddleware, minimum_size=_WORTH_PACKING, compresslevel=_PACKING)
    return Starlette(routes=routes, middleware=[packing])


class _PortalFiles(StaticFiles):
    """Built files: those with a hash in their name may be kept, the page itself is asked for."""

    def __init__(self, folder: Path, policy: str) -> None:
        super().__init__(directory=folder, html=True)
        self._policy = policy

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file of the page and the headers that guard it."""
        response = await super().get_response(path, scope)
        hashed = path.startswith("assets/")
        response.headers["Cache-Control"] = _FOREVER if hashed else "no-cache"
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response


async def _health(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


async def _unbuilt(request: Request) -> PlainTextResponse:
    return PlainTextResponse(
        "The portal's page is not built: run `make install`. The STAC API answers at /stac.\n",
        status_code=503,
    )


def _policy(address: str) -> str:
    """Content security policy: nothing from elsewhere but pictures and data of the platform.

    The map library makes its workers from blobs and styles its elements itself.
    """
    parts = urlsplit(address)
    own = f"'self' {parts.scheme}://{parts.netloc}"
    return "; ".join(
        (
            "default-src 'self'",
            f"img-src {own} data: blob:",
            f"connect-src {own}",
            "style-src 'self' 'unsafe-inline'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "frame-ancestors 'self'",
        )
    )
