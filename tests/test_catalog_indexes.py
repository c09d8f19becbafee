"""Searches that people make are answered from an index, whatever the catalogue holds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from catalog.load import load
from infra.roles import Dsns
from tests.api_site import published
from tests.catalog_products import facts

pytestmark = pytest.mark.integration

START = datetime(2016, 1, 20, 3, tzinfo=UTC)
CURRENT = {"op": "=", "args": [{"property": "deprecated"}, False]}


CLEAR = {
    "bbox": [0, 43, 4, 46],
    "datetime": "2016-01-01T00:00:00Z/2017-01-01T00:00:00Z",
    "filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 30]},
}


def _compare(op: str, name: str, value: Any) -> dict[str, Any]:
    return {"op": op, "args": [{"property": name}, value]}


@pytest.fixture(scope="module")
def session(postgres: Dsns) -> Iterator[psycopg.Connection[Any]]:
    """A session of the login that searches, over a few items, that prefers any index to a scan."""
    made = [facts("GF1WFV2", START + timedelta(days=n), "IX1", cloud=n * 9.0) for n in range(6)]
    load(postgres.ingest_dsn, iter(published(made)))
    with psycopg.connect(
        postgres.read_dsn, autocommit=True,
        options="-c search_path=pgstac,public -c enable_seqscan=off -c enable_sort=off",
    ) as session:  # fmt: skip
        yield session


def _condition(session: psycopg.Connection[Any], function: str, search: dict[str, Any]) -> str:
    row = session.execute(f"SELECT {function}(%s)", [Jsonb(search)]).fetchone()
    assert row is not None
    return str(row[0])


def _plan(session: psycopg.Connection[Any], search: dict[str, Any], order: str = "") -> str:
    condition = _condition(session, "gfard.condition", search)
    lines = session.execute(f"EXPLAIN SELECT * FROM items WHERE {condition} {order}")
    return "\n".join(line for (line,) in lines)


@pytest.mark.parametrize(
    ("search", "used"),
    [
        ({"filter": _compare("=", "grid:code", "MGRS-31TCL")}, "'grid:code'"),
        ({"filter": _compare("<", "eo:cloud_cover", 3)}, "'eo:cloud_cover'"),
        ({"filter": _compare("=", "product:quality_status", "nominal")}, "quality_status"),
        ({"filter": _compare("<", "accuracy:geometric_rmse", 3)}, "geometric_rmse"),
        ({"filter": _compare("a_contains", "instruments", ["wfv2"])}, "'instruments'"),
        ({"q": ["31TCL"]}, "id = ANY"),
        ({"filter": CURRENT}, "'deprecated'"),
        (CLEAR, "geometry &&"),
    ],
)
def test_a_condition_is_looked_up(
    session: psycopg.Connection[Any], search: dict[str, Any], used: str
) -> None:
    plan = _plan(session, search)
    looked_up = [line for line in plan.splitlines() if "Index Cond" in line]
    assert looked_up
    assert all(used in line for line in looked_up), plan


def test_the_latest_current_products_are_read_in_their_order(
    session: psycopg.Connection[Any],
) -> None:
    newest = "ORDER BY datetime DESC, collection DESC, id DESC LIMIT 10"
    plan = _plan(session, {"filter": CURRENT}, newest)
    assert "Index Scan" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    "search",
    [
        {"q": ['"31TCL"']},
        {"q": ['"surface reflectance"', '"nowhere"']},
        {"q": ['"nowhere"'], "collections": ["gf1-wfv-ard"]},
        {"q": ['"Gaofen"'], "filter": _compare("<", "eo:cloud_cover", 20)},
        {"ids": ["none"]},
        {},
    ],
)
def test_the_condition_finds_what_that_of_pgstac_finds(
    session: psycopg.Connection[Any], search: dict[str, Any]
) -> None:
    def found(function: str) -> list[Any]:
        condition = _condition(session, function, search)
        return session.execute(f"SELECT id FROM items WHERE {condition} ORDER BY id").fetchall()

    assert found("gfard.condition") == found("stac_search_to_where")


def test_upkeep_of_partitions_leaves_the_indexes_alone(postgres: Dsns, session: Any) -> None:
    names = "SELECT indexname FROM pg_indexes WHERE tablename LIKE '\\_items\\_%' ORDER BY 1"
    before = session.execute(names).fetchall()
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as owner:
        owner.execute("SET search_path TO pgstac, public")
        owner.execute("SELECT maintain_partitions('items', true, false)")
    assert session.execute(names).fetchall() == before
