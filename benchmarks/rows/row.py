"""What a benchmark prints: one figure a line, with its bar."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; ``ok`` is None where there is no bar, ``skipped`` says why there is no value."""

    name: str
    value: float | None
    unit: str
    bar: float | None = None
    ok: bool | None = None
    skipped: str | None = None


def at_most(
    name: str, value: float | None, unit: str, bar: float | None, skipped: str | None = None
) -> Row:
    """Return a row whose value, where there is one, must not exceed the bar, where there is one."""
    if value is None or bar is None:
        return Row(name, _rounded(value), unit, bar, skipped=skipped)
    return Row(name, _rounded(value), unit, bar, bool(value <= bar))


def at_least(
    name: str, value: float | None, unit: str, bar: float | None, skipped: str | None = None
) -> Row:
    """Return a row whose value, where there is one, must reach the bar, where there is one."""
    if value is None or bar is None:
        return Row(name, _rounded(value), unit, bar, skipped=skipped)
    return Row(name, _rounded(value), unit, bar, bool(value >= bar))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 5)


def show(rows: Iterable[Row], *, as_json: bool) -> bool:
    """Print each row as soon as it is known; return whether a bar was missed.

    Parameters
    ----------
    rows
        What was measured.
    as_json
        One JSON object a line, else a line for people.
    """
    missed = False
    for row in rows:
        print(json.dumps(asdict(row)) if as_json else _line(row), flush=True)
        missed |= row.ok is False
    return missed


def _line(row: Row) -> str:
    if row.value is None:
        return f"{row.name:64} skipped: {row.skipped}"
    told = "" if row.ok is None else f"(bar {row.bar:g}: {'ok' if row.ok else 'NOT MET'})"
    return f"{row.name:64} {row.value:10g} {row.unit:8} {told}".rstrip()
