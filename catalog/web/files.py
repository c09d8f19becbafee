"""Files of the store over HTTP, made for clients that read parts of them.

Ranges (one or several), If-Range and HEAD are those of starlette's ``FileResponse``, which reads
a piece at a time; validators, CORS and what may be seen are decided here. A path leads to a file
below the store's root or to 404, whatever it contains; drafts and folders are not to be seen.
"""

import os
import stat
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse

from catalog.errors import StoreError
from catalog.folder import FolderStore
from catalog.item import COG_MEDIA_TYPE, THUMBNAIL_MEDIA_TYPES
from catalog.web.limits import PATIENCE_S, Impatient

if TYPE_CHECKING:
    from catalog.bucket import BucketStore

_Find = Callable[[Request], Awaitable[Response | None]]

_MEDIA_TYPES = {
    ".tiff": COG_MEDIA_TYPE,
    ".json": "application/geo+json",
    ".html": "text/html; charset=utf-8",
    **THUMBNAIL_MEDIA_TYPES,
}
_HEADERS = {
    # An item made again under the same id has other bytes: ask, and get 304 most of the time.
    "Cache-Control": "public, no-cache",
    "X-Content-Type-Options": "nosniff",
}
_METHODS = ["GET", "HEAD", "OPTIONS"]
_EXPOSED = ["Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified"]
_ACCEPTED = ["If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Range"]


def files_app(store: "FolderStore | BucketStore") -> Starlette:
    """Return the ASGI application that serves the published files of a store.

    It is served below a prefix by an ASGI server or dispatcher that sets ``root_path`` and
    leaves ``path`` whole.
    """
    find: _Find
    if isinstance(store, FolderStore):
        find = partial(_folder_file, store)
    else:
        find = partial(_bucket_file, store)

    async def serve(request: Request) -> Response:
        """Answer with the file, or say that there is none."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join(_METHODS)})
        found = await find(request)
        return PlainTextResponse("no such file", 404) if found is None else found

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


async def _folder_file(store: FolderStore, request: Request) -> Response | None:
    found = await run_in_threadpool(_find, store, request.path_params["path"])
    return None if found is None else _answer(request, *found)


async def _bucket_file(store: "BucketStore", request: Request) -> Response | None:
    from catalog.web.bucket_files import bucket_file

    relative = request.path_params["path"]
    headers = {**_HEADERS, "Content-Type": _media_type(PurePosixPath(relative))}
    return await bucket_file(store, relative, request, headers)


class _StoredFile(FileResponse):
    """A file sent in larger pieces than usual, for less than half of the processor's time."""

    chunk_size = 256 * 1024


def _find(store: FolderStore, relative: str) -> tuple[Path, os.stat_result] | None:
    """Return a published file with its status, or None for everything else."""
    try:
        path = store.resolve(relative)
        status = path.stat()
    except (StoreError, OSError):
        return None
    return (path, status) if stat.S_ISREG(status.st_mode) else None


def _answer(request: Request, path: Path, status: os.stat_result) -> Response:
    response = _StoredFile(path, headers=_HEADERS, media_type=_media_type(path), stat_result=status)
    unchanged = is_unchanged(request.headers, response.headers)
    return NotModifiedResponse(response.headers) if unchanged else response


def is_unchanged(asked: Headers, said: Headers) -> bool:
    """Tell whether the client's copy is current (RFC 9110, 13.1: the tag goes before the date)."""
    tags = asked.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or said["etag"] in known
    return asked.get("if-modified-since") == said["last-modified"]


def _media_type(path: PurePath) -> str:
    if path.suffix == ".json" and path.stem != path.parent.name:
        return "application/json"  # only an item is GeoJSON
    return _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
