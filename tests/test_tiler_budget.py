"""Searches written to the database are bounded in number."""

import pytest
from fastapi import HTTPException, Request

from tiler.budget import Budget, FilterBudget


def _request(query: str, collection: str = "gf1") -> Request:
    return Request(
        {
            "type": "http",
            "query_string": query.encode(),
            "path_params": {"collection_id": collection},
            "headers": [],
        }
    )


def test_a_budget_refills_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("tiler.budget.time.monotonic", lambda: now)
    budget = Budget(per_minute=2)
    budget.take()
    budget.take()
    now = 29.0
    with pytest.raises(HTTPException) as refused:
        budget.take()
    assert refused.value.status_code == 429
    now = 30.0
    budget.take()


def test_only_new_filters_are_counted() -> None:
    allow = FilterBudget(Budget(per_minute=2))
    for _ in range(5):
        allow(_request("render=mask"))
        allow(_request("ids=a,b&render=mask"))
        allow(_request("render=ndvi&ids=a,b"))
    allow(_request("ids=a,b", collection="gf6"))
    with pytest.raises(HTTPException):
        allow(_request("ids=a"))
    allow(_request("ids=a,b"))
