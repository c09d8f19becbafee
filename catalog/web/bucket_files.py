"""Files of a store in a bucket over HTTP: the bytes passed on, or the reader sent to them.

One range at a time is answered; where several are asked for the whole file is sent, as RFC 9110,
14.2 allows.
"""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from email.utils import format_datetime

import obstore
from obstore.exceptions import BaseError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.staticfiles import NotModifiedResponse

from catalog.bucket import BucketStore
from catalog.errors import StoreError
from catalog.store import published_parts
from catalog.web.files import is_unchanged

_PIECE = 256 * 1024
_SIGNED_FOR = timedelta(hours=1)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


async def bucket_file(
    store: BucketStore, relative: str, request: Request, headers: Mapping[str, str]
) -> Response | None:
    """Answer a request for a published file; None when there is none.

    Parameters
    ----------
    store
        Where the file lies.
    relative
        Its name below the root.
    request
        GET or HEAD.
    headers
        What every answer says beside what follows from the file.
    """
    try:
        key = "/".join(published_parts(relative))
        meta = await obstore.head_async(store.objects, key)
    except (StoreError, FileNotFoundError):
        return None
    except (BaseError, OSError):
        return PlainTextResponse("the store is not to be reached", 503, {"Retry-After": "10"})
    modified = format_datetime(meta["last_modified"], usegmt=True)
    tag = meta["e_tag"] or f'"{meta["last_modified"].timestamp():.0f}-{meta["size"]}"'
    said = {**headers, "Accept-Ranges": "bytes", "ETag": tag, "Last-Modified": modified}
    if is_unchanged(request.headers, Headers(said)):
        return NotModifiedResponse(Headers(said))
    if store.settings.redirect and request.method == "GET":
        place = await obstore.sign_async(store.objects, "GET", key, _SIGNED_FOR)
        return RedirectResponse(place, 307, {**headers, "Cache-Control": "no-store"})
    return _answer(store, key, request, said, meta["size"])


def _answer(
    store: BucketStore, key: str, request: Request, headers: dict[str, str], size: int
) -> Response:
    wanted = request.headers.get("range", "")
    condition = request.headers.get("if-range")
    if condition not in (None, headers["ETag"], headers["Last-Modified"]):
        wanted = ""
    start, end, status = 0, size, 200
    if match := _RANGE.fullmatch(wanted):
        start, end = _bounds(match[1], match[2], size)
        if start >= end:
            beyond = {**headers, "Content-Range": f"bytes */{size}"}
            return Response(status_code=416, headers=beyond)
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD" or start == end:
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_pieces(store, key, start, end), status, headers)


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """Return where a range begins and ends (exclusive); empty when it holds nothing of the file."""
    if not first:
        return (max(size - int(last), 0), size) if last else (0, 0)
    return int(first), min(int(last) + 1, size) if last else size


async def _pieces(store: BucketStore, key: str, start: int, end: int) -> AsyncIterator[bytes]:
    found = await obstore.get_async(store.objects, key, options={"range": (start, end)})
    async for piece in found.stream(min_chunk_size=_PIECE):
        yield bytes(piece)
