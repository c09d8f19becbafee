"""What a benchmark prints: one figure a line, with its bar."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; ``ok`` is None where there is no bar, ``skipped`` says why there is no value."""

    name: str
    value: float | None
    unit: str
    bar: float | None = None
    ok: bool | None = None
    skipped: str | None = None


def at_most(name: str, value: float, unit: str, bar: float) -> Row:
    """Return a row whose value must not exceed the bar."""
    return Row(name, round(value, 5), unit, bar, value <= bar)


def at_least(name: str, value: float, unit: str, bar: float) -> Row:
    """Return a row whose value must reach the bar."""
    return Row(name, round(value, 5), unit, bar, value >= bar)
