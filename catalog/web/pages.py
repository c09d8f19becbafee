"""A page of a search out of pgSTAC: its own steps without its packing.

pgSTAC's ``search`` sends with every item all that its collection shares, in one JSON document: two
and a half times the bytes. Here its functions for condition, order, token and rows are called as
``search`` calls them, the rows come as they are stored, and what is shared comes once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from hydraters import hydrate

_BASE_ITEM = "pgstac:base_item"
_ROWS = """
WITH asked AS (
    SELECT search, to_text_array(search -> 'collections') AS names, token.prev, token.item
    FROM (SELECT $1::text::jsonb AS search) AS given
    LEFT JOIN LATERAL get_token_record(search ->> 'token') AS token ON TRUE
), planned AS MATERIALIZED (
    SELECT
        concat_ws(
            ' AND ', gfard.condition(search),
            CASE WHEN prev IS NOT NULL
                THEN get_token_filter(search -> 'sortby', item, prev, FALSE, names) END
        ) AS condition,
        sort_sqlorderby(search, coalesce(prev, FALSE), '{collection,id}', names) AS sorting
    FROM asked
)
SELECT found.collection, found.id, ST_AsGeoJSON(found.geometry, 20) AS geometry,
    found.content::text AS content, page_token(found.collection, found.id) AS token
FROM planned, LATERAL search_rows(condition, sorting, NULL, $2) AS found
"""
_COUNT = """
SELECT coalesce(counted.total_count, counted.estimated_count)
FROM (SELECT $1::text::jsonb AS search) AS given,
    LATERAL where_stats(gfard.condition(search), FALSE, '{"context": "auto"}') AS counted
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Items of a page, complete, with the tokens of its neighbours where there are any.

    ``matched`` counts all items of the search, None where it was not asked for.
    """

    items: list[dict[str, Any]]
    following: str | None
    previous: str | None
    matched: int | None


async def fetch(
    connection: Any, body: bytes, limit: int, token: str | None, *, counted: bool
) -> Page:
    """Return a page of a search.

    Parameters
    ----------
    connection
        Of asyncpg, in a session that may read pgSTAC.
    body
        The search as JSON, with the token.
    limit
        Items of the page.
    token
        Where the page begins or ends, "next:…" or "prev:…"; None for the first.
    counted
        Whether to count the matches.
    """
    search = body.decode()
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(_ROWS, search, limit + 1)
    matched = await connection.fetchval(_COUNT, search) if counted else None
    backward = token is not None and token.lower().startswith("prev:")
    more = len(rows) > limit
    if more:
        rows = rows[:limit]
    if backward:
        rows = rows[::-1]
    has_following, has_previous = (True, more) if backward else (more, token is not None)
    here = "" if token is None else token.partition(":")[2]
    first, last = (rows[0]["token"], rows[-1]["token"]) if rows else (here, here)
    return Page(
        await _items(connection, rows),
        last if has_following and rows else None,
        first if has_previous and not (backward and not rows) else None,
        matched,
    )


async def _items(connection: Any, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Complete rows with what their collections share."""
    contents = [orjson.loads(row["content"]) for row in rows]
    keys = [
        (row["collection"], content.pop(_BASE_ITEM, None))
        for row, content in zip(rows, contents, strict=True)
    ]
    shared = {}
    for name, number in set(keys):
        base = await connection.fetchval("SELECT collection_base_item($1, $2)", name, number)
        shared[name, number] = {key: value for key, value in base.items() if value is not None}
    return [
        hydrate(shared[key], _stored(row, content), strip_unmatched_markers=True)
        for row, content, key in zip(rows, contents, keys, strict=True)
    ]


def _stored(row: Mapping[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    geometry = row["geometry"]
    return {
        "id": row["id"],
        "geometry": None if geometry is None else orjson.loads(geometry),
        "collection": row["collection"],
        "type": "Feature",
        **content,
    }
