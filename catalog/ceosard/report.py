"""The assessment of many products as one report: for programs, and as a page to read."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from catalog.ceosard.assess import (
    Judgement,
    Requirement,
    meets_threshold,
    requirements,
    specification_version,
)

_SOME = 5
"""Items named for each requirement that they miss."""
_STYLE = """
:root { color-scheme: light dark; --ink: #1b2430; --line: #d9dfe7; --back: #fff; --soft: #5a6676;
  --yes: #12703a; --no: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --line: #33404f; --back: #131a22;
  --soft: #9aa7b8; --yes: #66d19a; --no: #ff8a80; } }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; background: var(--back);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-bottom: 1px solid var(--line); }
.yes { color: var(--yes); } .no { color: var(--no); font-weight: 600; }
.none, small { color: var(--soft); }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """How many products meet a requirement, what they show, and which miss the threshold."""

    requirement: Requirement
    threshold_met: int
    goal_met: int
    evidence: str
    open: str
    missed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """The assessment of some products; ``passed`` of them meet every threshold."""

    products: int
    passed: int
    rows: tuple[Row, ...]

    @property
    def open_thresholds(self) -> tuple[Row, ...]:
        """Rows whose threshold a product misses."""
        return tuple(row for row in self.rows if row.threshold_met < self.products)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "specification": "CEOS-ARD Surface Reflectance",
            "version": specification_version(),
            "assessment": "self-assessed; not peer reviewed",
            "products": self.products,
            "products_meeting_every_threshold": self.passed,
            "requirements": [
                {**asdict(row.requirement), **_without_requirement(row)} for row in self.rows
            ],
        }


def _without_requirement(row: Row) -> dict[str, Any]:
    return {key: value for key, value in asdict(row).items() if key != "requirement"}


def summarise(judged: Iterable[tuple[str, tuple[Judgement, ...]]]) -> Assessment:
    """Gather the judgements of products, given with their ids.

    Raises
    ------
    ValueError
        There is none.
    """
    products = dict(judged)
    if not products:
        raise ValueError("no product to assess")
    rows = tuple(_row(index, products) for index in range(len(requirements())))
    return Assessment(len(products), sum(map(meets_threshold, products.values())), rows)


def _row(index: int, products: Mapping[str, tuple[Judgement, ...]]) -> Row:
    found = {name: judgements[index] for name, judgements in products.items()}
    shown = next((one for one in found.values() if one.open), next(iter(found.values())))
    missed = tuple(name for name, one in found.items() if not one.threshold)
    return Row(
        requirements()[index],
        len(found) - len(missed),
        sum(one.goal for one in found.values()),
        shown.evidence,
        shown.open,
        missed[:_SOME],
    )


def to_html(assessment: Assessment, title: str) -> str:
    """Return the report as a page of its own.

    Parameters
    ----------
    assessment
        What to show.
    title
        What was assessed.
    """
    total = len(requirements())
    wanted = sum(row.threshold is not None for row in requirements())
    met = wanted - len(assessment.open_thresholds)
    goals = sum(row.goal_met == assessment.products for row in assessment.rows)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>CEOS-ARD self-assessment: {escape(title)}</title>",
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>CEOS-ARD self-assessment: {escape(title)}</h1>",
            f"<p>Surface Reflectance specification {specification_version()}, "
            f"{assessment.products} products. All of them meet {met} of {wanted} thresholds and "
            f"{goals} of {total} goals; {assessment.passed} meet every threshold.</p>",
            "<p>Self-assessed. The products have not been peer reviewed by the CEOS Working Group "
            "on Calibration and Validation and are not to be called CEOS-ARD.</p>",
            "<table><tr><th>No.</th><th>Requirement</th><th>Threshold</th><th>Goal</th>"
            "<th>Where to look</th><th>Open</th></tr>",
            *_table_rows(assessment),
            "</table></body></html>",
        ]
    )


def _table_rows(assessment: Assessment) -> Iterator[str]:
    for row in assessment.rows:
        wanted = row.requirement
        asked = wanted.threshold is not None
        missed = f"<br><small>missed by {escape(', '.join(row.missed_by))}</small>"
        cells = (
            f"{wanted.number}<br><small>{wanted.id}</small>",
            f"{escape(wanted.title)}<br><small>{escape(wanted.threshold or wanted.goal)}</small>",
            _count(row.threshold_met, assessment.products) if asked else _NONE,
            _count(row.goal_met, assessment.products),
            escape(row.evidence),
            escape(row.open) + (missed if row.missed_by else ""),
        )
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


_NONE = '<span class="none">nothing asked</span>'


def _count(met: int, products: int) -> str:
    if met == products:
        return '<span class="yes">met</span>'
    return f'<span class="no">{met} of {products}</span>' if met else '<span class="no">open</span>'
