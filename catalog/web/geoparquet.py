"""Items of a search as STAC GeoParquet, the form for analysis of many items at once.

A Parquet file needs its columns before its first row, and items differ in their properties. So
the items go to disk first, are read twice there (columns, then rows), and the file is sent when
it is complete. That is done by a process of its own: other requests keep their processor, and
memory stays that of one row group.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool

MEDIA_TYPE = "application/vnd.apache.parquet"
_ROW_GROUP = 1000
"""Items of a row group, and most in memory at a time: about 30 MB."""
_PIECE = 256 * 1024


async def write_geoparquet(pages: AsyncIterator[list[dict[str, Any]]], folder: Path) -> Path | None:
    """Write the items of all pages into a file below ``folder``.

    Parameters
    ----------
    pages
        Items as the API answers them.
    folder
        Empty folder for this file and what is needed on the way.

    Returns
    -------
    Path or None
        The file; None when there are no items, which have no columns.

    Raises
    ------
    RuntimeError
        The items cannot be brought into a table.
    """
    source, target = folder / "items.ndjson", folder / "items.parquet"
    with source.open("wb") as spool:
        async for items in pages:
            lines = b"".join(orjson.dumps(item) + b"\n" for item in items)
            await run_in_threadpool(spool.write, lines)
    if not source.stat().st_size:
        return None
    await _convert_apart(source, target)
    source.unlink()
    return target


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """Yield the bytes of a file in pieces."""
    with path.open("rb") as file:
        while piece := await run_in_threadpool(file.read, _PIECE):
            yield piece


async def _convert_apart(source: Path, target: Path) -> None:
    """Run the conversion as a process, which ends with the request that wants it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(source), str(target)),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines() or [""]
        raise RuntimeError(f"no GeoParquet of this search: {lines[-1]}")


def convert(source: Path, target: Path) -> None:
    """Turn a file of one STAC item per line into STAC GeoParquet."""
    from stac_geoparquet.arrow import parse_stac_ndjson_to_parquet
    from stac_geoparquet.arrow._schema.models import InferredSchema

    schema = InferredSchema()
    with source.open("rb") as lines:
        schema.update_from_items(list(_telling(map(orjson.loads, lines))))
    schema.manual_updates()
    parse_stac_ndjson_to_parquet(
        source, target, schema=schema, chunk_size=_ROW_GROUP, compression="zstd"
    )


def _telling(items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the few items from which all columns follow: those that show a field or type first."""
    known: set[tuple[str, type]] = set()
    for item in items:
        shown = set(_fields("", item))
        if not shown <= known:
            known |= shown
            yield item


def _fields(path: str, value: Any) -> Iterator[tuple[str, type]]:
    """Yield the path and type of everything in a JSON value; all elements of a list are alike."""
    yield path, type(value)
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _fields(f"{path}/{name}", part)
    elif isinstance(value, list):
        for part in value:
            yield from _fields(f"{path}/*", part)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
