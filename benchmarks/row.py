"""One figure of a benchmark."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; ``bar`` is the least (or, for "at most", the largest) value that will do."""

    name: str
    value: float | None
    unit: str
    bar: float | None = None
    at_most: bool = False
    skipped: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values with ``ok``, None where there is no bar or no value."""
        value = None if self.value is None else round(self.value, 4)
        ok = None
        if value is not None and self.bar is not None:
            ok = value <= self.bar if self.at_most else value >= self.bar
        fields = {"name": self.name, "value": value, "unit": self.unit, "bar": self.bar, "ok": ok}
        return fields if self.skipped is None else {**fields, "skipped": self.skipped}
