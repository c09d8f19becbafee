"""Filters of a search: bounded, and brought into CQL2 JSON, the one form that pgSTAC takes.

The bounds are there because parsing is done by recursion: two thousand open parentheses end the
process, and validating a deep expression against the schema of CQL2 takes minutes. What is not
understood after parsing is refused by the database.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import orjson
from cql2 import Expr
from stac_fastapi.types.errors import InvalidQueryParameter

CONFORMANCE = (
    "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/case-insensitive-comparison",
)
"""Parts of CQL2 that work beyond those that stac-fastapi names."""

MAX_CHARACTERS = 20_000
MAX_PARENTHESES = 200
MAX_DEPTH = 50
MAX_NODES = 5_000


class Operator(StrEnum):
    """Operators of the query extension."""

    EQ = "eq"
    NEQ = "neq"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    CONTAINS = "contains"
    IN = "in"


_COMPARISONS = {
    Operator.EQ: "=",
    Operator.NEQ: "<>",
    Operator.LT: "<",
    Operator.LTE: "<=",
    Operator.GT: ">",
    Operator.GTE: ">=",
    Operator.IN: "in",
}
_PATTERNS = {
    Operator.STARTS_WITH: "{}%",
    Operator.ENDS_WITH: "%{}",
    Operator.CONTAINS: "%{}%",
}


def parse_filter(text: str, language: str) -> dict[str, Any]:
    """Return a filter of a query string as CQL2 JSON.

    Parameters
    ----------
    language
        "cql2-text" or "cql2-json".

    Raises
    ------
    InvalidQueryParameter
        The filter cannot be parsed, is no condition, or is beyond the bounds.
    """
    if len(text) > MAX_CHARACTERS or text.count("(") > MAX_PARENTHESES:
        raise InvalidQueryParameter(
            f"filter: at most {MAX_CHARACTERS} characters and {MAX_PARENTHESES} parentheses"
        )
    if language == "cql2-json":
        expression = orjson.loads(text)
    else:
        try:
            expression = Expr(text).to_json()
        except Exception as error:  # cql2 raises nothing more specific
            place, *_, wanted = str(error).splitlines() or [""]
            reason = f"{wanted.strip(' =')}, at {place.strip(' ->')}" if _ else place
            raise InvalidQueryParameter(f"filter: {reason}") from error
    return bounded(expression)


def bounded(expression: Any) -> dict[str, Any]:
    """Return a CQL2 JSON condition when it is one of reasonable size.

    Raises
    ------
    InvalidQueryParameter
        It is no condition, or deeper or larger than the bounds.
    """
    if not isinstance(expression, dict) or not {"op", "args"} <= set(expression):
        raise InvalidQueryParameter("filter: a condition with op and args wanted")
    level, nodes = [expression], 0
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        nodes += len(level)
        if not level and nodes <= MAX_NODES:
            settled: dict[str, Any] = _settled(expression)
            return settled
    raise InvalidQueryParameter(f"filter: at most {MAX_DEPTH} levels and {MAX_NODES} parts")


def _settled(node: Any) -> Any:
    """Bring a condition to what pgSTAC understands.

    That is ``between`` from the drafts of CQL2, bounds in a list, in the form of the standard; and
    days to compare with as text: beside other than temporal operators the database takes
    ``{"date": ...}`` for a text itself, and finds nothing.
    """
    if isinstance(node, list):
        return [_settled(part) for part in node]
    if not isinstance(node, dict):
        return node
    settled = {name: _settled(part) for name, part in node.items()}
    match settled:
        case {"op": "between", "args": [value, [low, high]]}:
            settled["args"] = [value, low, high]
    match settled:
        case {"op": str(op), "args": [*args]} if not op.startswith("t_"):
            settled["args"] = [_day(each) for each in args]
    return settled


def _day(value: Any) -> Any:
    match value:
        case {"date": str(day)}:
            return day
    return value


def mentions(expression: Any, name: str) -> bool:
    """Tell whether a bounded condition speaks of a property, with or without its prefix."""
    if isinstance(expression, dict):
        if expression.get("property") in (name, f"properties.{name}"):
            return True
        return any(mentions(part, name) for part in expression.values())
    return isinstance(expression, list) and any(mentions(part, name) for part in expression)


def query_filter(query: Mapping[str, Mapping[Operator, Any]]) -> dict[str, Any] | None:
    """Return the query extension's conditions as one of CQL2 JSON; None when there are none.

    Raises
    ------
    InvalidQueryParameter
        The value of a text operator is no text, or that of ``in`` no list.
    """
    conditions = [
        _condition(name, operator, value)
        for name, comparisons in query.items()
        for operator, value in comparisons.items()
    ]
    return all_of(conditions)


def all_of(conditions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Join conditions by "and"."""
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return {"op": "and", "args": conditions}


def _condition(name: str, operator: Operator, value: Any) -> dict[str, Any]:
    if operator in _PATTERNS:
        if not isinstance(value, str):
            raise InvalidQueryParameter(f"query: {name}: {operator} takes a text")
        literal = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return {"op": "like", "args": [{"property": name}, _PATTERNS[operator].format(literal)]}
    if operator is Operator.IN and not isinstance(value, list):
        raise InvalidQueryParameter(f"query: {name}: in takes a list")
    return {"op": _COMPARISONS[operator], "args": [{"property": name}, value]}


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
