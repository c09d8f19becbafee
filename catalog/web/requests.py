"""A search as it was asked, made into the search that pgSTAC is given.

Both forms, query string and body, meet here: filter and query become one bounded condition of
CQL2, free text becomes phrases, products that a newer one replaces are left out unless the
request asks for them, and what pgSTAC could be told about itself is decided by the server.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import orjson
from pydantic import ValidationError
from stac_fastapi.pgstac.core import clean_search_args
from stac_fastapi.pgstac.types.search import PgstacSearch
from stac_fastapi.types.errors import InvalidQueryParameter

from catalog.web import fields
from catalog.web.filters import all_of, bounded, mentions, parse_filter, query_filter

MAX_ITEMS = 1000
"""Most items of one page, about 10 MB; a larger limit is cut, as the specification allows."""
DEFAULT_ITEMS = 10
_MAX_TERMS = 50
_MAX_WORDS = 100
"""Of all terms together; the database takes a phrase apart word by word."""
_MAX_SORTS = 16
MAX_CORNERS = 10_000
"""Of an area; to look at one takes a tenth of a millisecond."""
MAX_NAMES = 256
"""Fields that a request may name; upstream compares each with every other."""
MAX_NAME = 256
"""Characters of a field's name."""
_HIDDEN = {"op": "=", "args": [{"property": "deprecated"}, False]}
"""What a search that says nothing about replaced products does not find."""
_WORD = re.compile(r"[^\W_]+(?:[.:-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Search:
    """A search for pgSTAC, as JSON, and what is wanted back.

    Attributes
    ----------
    limit
        Items of a page.
    counted
        Whether the matches are to be counted.
    selection
        Fields of the items.
    """

    body: bytes
    limit: int
    counted: bool
    selection: fields.Selection


def from_query(model: type[PgstacSearch], query: Mapping[str, Any]) -> PgstacSearch:
    """Return the search of a query string, whose values FastAPI has split and typed.

    Raises
    ------
    InvalidQueryParameter
        A value cannot be what it is given as.
    """
    names = ("collections", "ids", "bbox", "limit", "token", "q", "context")
    plain = {name: query.get(name) for name in names}
    if query.get("fields") is not None:
        plain["fields"] = fields.split(query["fields"])
    text = query.get("filter_expr")
    language = query.get("filter_lang") or "cql2-text"
    if text:
        plain |= {"filter": parse_filter(text, language), "filter-lang": "cql2-json"}
    if query.get("query"):
        plain["query"] = orjson.loads(query["query"])
    # Sort and datetime are read as upstream reads them.
    arguments = clean_search_args(
        plain,
        intersects=query.get("intersects"),
        datetime=query.get("datetime"),
        sortby=query.get("sortby"),
    )
    try:
        return model(**arguments)
    except ValidationError as error:
        raise InvalidQueryParameter(fault(error.errors())) from error


def prepare(search: PgstacSearch) -> Search:
    """Return the bounded search that the database is given.

    Raises
    ------
    InvalidQueryParameter
        The filter, the query or the free text is no condition, or beyond the bounds.
    """
    within_bounds(sorts=[each.field for each in search.sortby or ()])
    body = search.model_dump(
        mode="json",
        by_alias=True,
        exclude_none=True,
        exclude={"conf", "context", "fields", "query", "filter_expr", "filter_lang", "limit", "q"},
    )
    if search.bbox is not None:
        body["bbox"] = _flat(search.bbox)
    terms = getattr(search, "q", None)
    if terms is not None:
        body["q"] = phrases(terms)
    condition = _condition(search)
    if condition is not None:
        body |= {"filter": condition, "filter-lang": "cql2-json"}
    limit = min(search.limit or DEFAULT_ITEMS, MAX_ITEMS)
    counted = bool(getattr(search, "context", False))
    return Search(orjson.dumps(body), limit, counted, _selection(search))


def _flat(bbox: Sequence[float]) -> list[float]:
    """Return a box without its heights, which no item has; pgSTAC cannot intersect solids.

    Raises
    ------
    InvalidQueryParameter
        A number is none.
    """
    if not all(map(isfinite, bbox)):
        raise InvalidQueryParameter(f"bbox: {list(bbox)} are not all numbers")
    half = len(bbox) // 2
    return [*bbox[:2], *bbox[half : half + 2]]


def phrases(terms: list[str]) -> list[str]:
    """Return the words of each free-text term as a quoted phrase; one of them must occur.

    Signs that mean something to the database's parser of text queries do not survive.

    Raises
    ------
    InvalidQueryParameter
        No term holds a word, or there are too many.
    """
    words = [found for term in terms if (found := _WORD.findall(term))]
    if not words or len(words) > _MAX_TERMS or sum(map(len, words)) > _MAX_WORDS:
        raise InvalidQueryParameter(
            f"q: 1 to {_MAX_TERMS} words or phrases wanted, of {_MAX_WORDS} words in all"
        )
    return [f'"{" ".join(phrase)}"' for phrase in words]


def corners(geometry: Any) -> int:
    """Count the positions of what may be a GeoJSON geometry, without recursion."""
    count, waiting = 0, [geometry]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [part.get("coordinates"), part.get("geometries")]
        elif isinstance(part, list) and part:
            is_position = isinstance(part[0], int | float)
            count += is_position
            waiting += [] if is_position else part
    return count


def within_bounds(*, sorts: Collection[str] = (), names: Collection[str] = ()) -> None:
    """Refuse more names of fields than anybody needs, to sort by or to choose.

    Raises
    ------
    InvalidQueryParameter
        There are too many, or one is too long.
    """
    if len(sorts) > _MAX_SORTS:
        raise InvalidQueryParameter(f"sortby: at most {_MAX_SORTS} fields")
    if len(names) > MAX_NAMES:
        raise InvalidQueryParameter(f"fields: at most {MAX_NAMES} names")
    if any(len(name) > MAX_NAME for name in (*sorts, *names)):
        raise InvalidQueryParameter(f"the name of a field has at most {MAX_NAME} characters")


def _selection(search: PgstacSearch) -> fields.Selection:
    """Return the fields asked for; absent and empty differ."""
    asked = getattr(search, "fields", None)
    if asked is None:
        return fields.EVERYTHING
    if asked.exclude and "include" not in asked.model_fields_set:
        return fields.without(asked.exclude)
    return fields.select(asked.include, asked.exclude)


def _condition(search: PgstacSearch) -> dict[str, Any] | None:
    """Join filter, query and the rule about replaced products."""
    conditions = []
    expression = getattr(search, "filter_expr", None)
    if isinstance(expression, str):
        conditions.append(parse_filter(expression, "cql2-text"))
    elif expression is not None:
        conditions.append(bounded(expression))
    query = query_filter(getattr(search, "query", None) or {})
    if query is not None:
        conditions.append(bounded(query))
    if not search.ids and not any(mentions(each, "deprecated") for each in conditions):
        conditions.append(_HIDDEN)
    return all_of(conditions)


def fault(errors: Sequence[Mapping[str, Any]]) -> str:
    """Say where the first error of a validation lies, and what it is.

    Of the kinds of geometry the one is spoken of that the request names.
    """
    others = [each["loc"][:-1] for each in errors if each["loc"][-1:] == ("type",)]
    meant = [each for each in errors if not any(each["loc"][: len(o)] == o for o in others)]
    first = (meant or errors)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}"
