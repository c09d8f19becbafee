"""Filters of a request: understood, joined and bounded before anything costly is done."""

from typing import Any

import pytest
from stac_fastapi.types.errors import InvalidQueryParameter

from catalog.web.filters import MAX_DEPTH, Operator, bounded, parse_filter, query_filter

CLOUD = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 5]}


def test_text_and_json_become_the_same() -> None:
    assert parse_filter("eo:cloud_cover < 5", "cql2-text") == CLOUD
    json = '{"op": "<", "args": [{"property": "eo:cloud_cover"}, 5]}'
    assert parse_filter(json, "cql2-json") == CLOUD


@pytest.mark.parametrize("text", ["", "eo:cloud_cover", "5", "a <", "(" * 3000 + "a=1"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(InvalidQueryParameter, match="filter"):
        parse_filter(text, "cql2-text")


def _nested(levels: int) -> dict[str, Any]:
    expression = CLOUD
    for _ in range(levels):
        expression = {"op": "not", "args": [expression]}
    return expression


def test_depth_is_bounded_without_recursion() -> None:
    shallow = _nested(MAX_DEPTH // 2 - 2)
    assert bounded(shallow) == shallow
    with pytest.raises(InvalidQueryParameter, match="levels"):
        bounded(_nested(50_000))


def test_between_of_the_drafts_is_understood() -> None:
    cloud = {"property": "eo:cloud_cover"}
    wanted = {"op": "not", "args": [{"op": "between", "args": [cloud, 0, 50]}]}
    assert bounded(wanted) == wanted
    assert bounded({"op": "not", "args": [{"op": "between", "args": [cloud, [0, 50]]}]}) == wanted


def test_width_is_bounded() -> None:
    assert bounded({"op": "or", "args": [CLOUD] * 500})
    with pytest.raises(InvalidQueryParameter, match="parts"):
        bounded({"op": "or", "args": [CLOUD] * 5000})


def test_queries_become_one_condition() -> None:
    assert query_filter({}) is None
    assert query_filter({"eo:cloud_cover": {Operator.LT: 5}}) == CLOUD
    both = query_filter({"a": {Operator.GTE: 1, Operator.STARTS_WITH: "50%_\\"}})
    assert both == {
        "op": "and",
        "args": [
            {"op": ">=", "args": [{"property": "a"}, 1]},
            {"op": "like", "args": [{"property": "a"}, r"50\%\_\\%"]},
        ],
    }


@pytest.mark.parametrize(("operator", "value"), [(Operator.CONTAINS, 3), (Operator.IN, "x")])
def test_values_of_the_wrong_kind_are_refused(operator: Operator, value: Any) -> None:
    with pytest.raises(InvalidQueryParameter, match="query: a"):
        query_filter({"a": {operator: value}})
