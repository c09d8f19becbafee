"""What the command line shows people: progress bars and tables, all on standard error."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

if TYPE_CHECKING:
    from catalog.ceosard.report import Assessment
    from catalog.download import Outcome
    from infra.demo import DemoReport
    from infra.doctor import Finding
    from infra.sheets import Sheet
    from processing.result import SceneResult

console = Console(stderr=True, highlight=False)

_MARKS = {True: "[green]ok[/]", False: "[red]missed[/]", None: ""}


@contextmanager
def scene_bars() -> Iterator[Callable[[str, str, float], None]]:
    """Show one bar for each scene; the callback takes scene, step and share done (0 to 1)."""
    with _progress(BarColumn(bar_width=28)) as progress:
        tasks = {}

        def advance(scene: str, step: str, share: float) -> None:
            """Move the bar of a scene; the first call makes it."""
            if scene not in tasks:
                tasks[scene] = progress.add_task(scene, total=1.0, step=step)
            progress.update(tasks[scene], completed=share, step=step)

        yield advance


@contextmanager
def shares(title: str) -> Iterator[Callable[[str, float], None]]:
    """Show one bar; the callback takes the present step and the share done (0 to 1)."""
    with scene_bars() as bars:
        yield lambda step, share: bars(title, step, share)


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """Show what is being worked on; the callback takes the name of the present step."""
    with _progress(transient=True) as progress:
        task = progress.add_task(title, total=None, step="")
        yield lambda step: progress.update(task, step=step)


@contextmanager
def count(title: str) -> Iterator[Callable[[int], None]]:
    """Show how many are done; the callback takes the number so far."""
    with steps(title) as step:
        yield lambda number: step(str(number))


class Transfer:
    """The bar of a download: files that are done with, and bytes."""

    def __init__(self, progress: Progress, files: int, size: int) -> None:
        self._progress = progress
        self._files = files
        self._done = itertools.count(1)
        self._task = progress.add_task("download", total=size or None, files=f"0/{files} files")

    def received(self, number: int) -> None:
        """Take note of bytes that came, or of a negative number put aside."""
        self._progress.advance(self._task, number)

    def ended(self, outcome: "Outcome") -> None:
        """Take note of a file that is done with."""
        self._progress.update(self._task, files=f"{next(self._done)}/{self._files} files")


@contextmanager
def transfer(files: int, size: int) -> Iterator[Transfer]:
    """Show how a download of so many files and bytes goes on; 0 bytes when that is not known."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description} {task.fields[files]}"),
        BarColumn(bar_width=28),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        yield Transfer(progress, files, size)


def demo_table(report: "DemoReport") -> Table:
    """Lay out the comparison of the demonstration's products with the truth."""
    table = Table(title="Products against the truth", title_justify="left")
    for name in ("item", "figure", "value", "bar", ""):
        table.add_column(name, justify="right" if name in ("value", "bar") else "left")
    for scene in report.scenes:
        for item, rows in scene.rows.items():
            for n, row in enumerate(rows):
                bar = "" if row.bar is None else f"{row.bar:g}"
                value = f"{row.value:.4g} {row.unit}".strip()
                table.add_row("" if n else item, row.name, value, bar, _MARKS[row.ok])
            table.add_section()
    return table


def findings_table(findings: "Sequence[Finding]") -> Table:
    """Lay out what is installed and what is missing."""
    table = Table(title="What this machine has", title_justify="left")
    for name in ("", "what", "found", "needed for", "how to get it"):
        table.add_column(name, overflow="fold")
    for finding in findings:
        bad = "[red]missing[/]" if finding.required else "[yellow]absent[/]"
        mark = "[green]ok[/]" if finding.ok else bad
        table.add_row(mark, finding.name, finding.found, finding.needed_for, finding.hint)
    return table


def assessment_table(name: str, assessment: "Assessment") -> Table:
    """Return the rows of a specification with how many products meet them."""
    title = (
        f"{name}: {assessment.passed} of {assessment.products} products meet every threshold of "
        "CEOS-ARD SR (self-assessed)"
    )
    table = Table(title=title, title_justify="left")
    for head in ("no.", "requirement", "threshold", "goal", "open"):
        table.add_column(head, overflow="fold")
    for row in assessment.rows:
        asked = row.requirement.threshold is not None
        table.add_row(
            row.requirement.number,
            row.requirement.title,
            _met(row.threshold_met, assessment.products) if asked else "",
            _met(row.goal_met, assessment.products),
            row.evidence if row.missed_by else row.open,
        )
    return table


def _met(count: int, of: int) -> str:
    if count == of:
        return "[green]met[/]"
    return f"[red]{count} of {of}[/]" if count else "[yellow]open[/]"


def sheet_table(sheet: "Sheet") -> Table:
    """Lay out a table of figures; the best of each comparison is bold."""
    from infra.sheets import figure_text

    table = Table(title=sheet.title, title_justify="left")
    for n, name in enumerate(sheet.head):
        justify: Literal["left", "right"] = "left" if n < sheet.text else "right"
        table.add_column(name, justify=justify, overflow="fold" if n < sheet.text else "ellipsis")
    before: tuple[object, ...] = ()
    grouped = len({row[0] for row in sheet.rows}) < len(sheet.rows)
    for row, marks in zip(sheet.rows, sheet.best(), strict=True):
        if grouped and before and row[0] != before[0]:
            table.add_section()
        names = ("" if row[: n + 1] == before[: n + 1] else str(row[n]) for n in range(sheet.text))
        figures = (
            f"[bold]{figure_text(value, sheet.decimals)}[/]"
            if best
            else figure_text(value, sheet.decimals)
            for value, best in zip(row[sheet.text :], marks, strict=True)
        )
        table.add_row(*names, *figures)
        before = row
    return table


def timings_table(result: "SceneResult") -> Table:
    """Lay out CPU seconds of a scene by step, and the seconds on the clock."""
    table = Table()
    table.add_column("step")
    table.add_column("CPU s", justify="right")
    for step, seconds in result.timings.items():
        clock = step == "wall"
        table.add_row("on the clock" if clock else step, f"{seconds:.1f}", style="dim" * clock)
    return table


def _progress(*columns: BarColumn, transient: bool = False) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        *columns,
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[step]}[/]"),
        console=console,
        transient=transient,
        disable=not console.is_terminal,
    )
