"""Files of the store over HTTP, made for clients that read parts of them.

Ranges (one or several), If-Range and HEAD are those of starlette's ``FileResponse``, which reads
64 KiB at a time; validators, CORS and what may be seen are decided here. A path leads to a file
below the store's root or to 404, whatever it contains; drafts and folders are not to be seen.
"""

import os
import stat
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse

from catalog.errors import StoreError
from catalog.item import COG_MEDIA_TYPE, THUMBNAIL_MEDIA_TYPES
from catalog.store import FolderStore
from catalog.web.limits import PATIENCE_S, Impatient

_MEDIA_TYPES = {
    ".tiff": COG_MEDIA_TYPE,
    ".json": "application/geo+json",
    **THUMBNAIL_MEDIA_TYPES,
}
_COLLECTION = "collection.json"
_HEADERS = {
    # An item made again under the same id has other bytes: ask, and get 304 most of the time.
    "Cache-Control": "public, no-cache",
    "X-Content-Type-Options": "nosniff",
}
_METHODS = ["GET", "HEAD", "OPTIONS"]
_EXPOSED = ["Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified"]
_ACCEPTED = ["If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Range"]


def files_app(store: FolderStore) -> Starlette:
    """Return the ASGI application that serves the published files of a store.

    It is served below a prefix by an ASGI server or dispatcher that sets ``root_path`` and
    leaves ``path`` whole.
    """

    async def serve(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join(_METHODS)})
        found = await run_in_threadpool(_find, store, request.path_params["path"])
        if found is None:
            return PlainTextResponse("no such file", 404)
        return _answer(request, *found)

    return Starlette(
        routes=[Route("/{path:path}", serve, methods=_METHODS)],
        middleware=[
            Middleware(Impatient, seconds=PATIENCE_S),
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "HEAD"],
                allow_headers=_ACCEPTED,
                expose_headers=_EXPOSED,
                max_age=86400,
            ),
        ],
    )


def _find(store: FolderStore, relative: str) -> tuple[Path, os.stat_result] | None:
    """Return a published file with its status, or None for everything else."""
    try:
        path = store.resolve(relative)
        status = path.stat()
    except (StoreError, OSError):
        return None
    return (path, status) if stat.S_ISREG(status.st_mode) else None


def _answer(request: Request, path: Path, status: os.stat_result) -> Response:
    response = FileResponse(
        path, headers=_HEADERS, media_type=_media_type(path), stat_result=status
    )
    return NotModifiedResponse(response.headers) if _unchanged(request, response) else response


def _unchanged(request: Request, response: Response) -> bool:
    """Tell whether the client's copy is current (RFC 9110, 13.1: the tag goes before the date)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or response.headers["etag"] in known
    return request.headers.get("if-modified-since") == response.headers["last-modified"]


def _media_type(path: Path) -> str:
    if path.name == _COLLECTION:
        return "application/json"
    return _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
