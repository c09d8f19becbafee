"""Tables of figures and pages with pictures, for people: one look for all reports."""

import base64
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem;
  color: #1c2733; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
table { border-collapse: collapse; margin: .5rem 0; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { padding: .15rem .9rem .15rem 0; text-align: right; border-top: 1px solid #e3e8ee; }
th { font-weight: 600; } th.text, td.text { text-align: left; }
td.best { font-weight: 700; }
.scroll { overflow-x: auto; }
.chip { display: flex; flex-wrap: wrap; gap: .8rem; }
figure { margin: 0; width: 15rem; }
figure img { width: 100%; image-rendering: pixelated; background: #d9dee4; display: block; }
figcaption { font-size: .85rem; }
.key span { display: inline-block; margin-right: 1.2rem; }
.key i { display: inline-block; width: .9rem; height: .9rem; margin-right: .35rem;
  border: 1px solid #8895a3; vertical-align: -.1rem; }
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: ``rows`` hold text columns first, then figures, None where there is none.

    ``text`` is the number of text columns. ``rivals`` says how rows or columns compete: the best
    figure of each ``"row"``, or of each run of rows whose text but the last is the same
    (``"column"``), is marked, none for ``""``; ``least`` marks the lowest instead of the highest.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    text: int
    rivals: str
    least: bool = False
    decimals: int = 3

    def best(self) -> NDArray[np.bool_]:
        """Return which figures are best among their rivals, bool (rows, figures)."""
        values = np.array([row[self.text :] for row in self.rows], float)
        values = np.where(np.isfinite(values), values if not self.least else -values, -np.inf)
        marks = np.zeros(values.shape, np.bool_)
        for group in self._rival_groups():
            part = values[group]
            axis = 1 if self.rivals == "row" else 0
            top = part.max(axis=axis, keepdims=True)
            marks[group] = (part == top) & np.isfinite(part)
        return marks

    def _rival_groups(self) -> Iterable[list[int]]:
        if not self.rivals:
            return []
        keys = [row[: self.text - 1] if self.rivals == "column" else n for n, row in self._keyed()]
        return [[n for n, key in enumerate(keys) if key == each] for each in dict.fromkeys(keys)]

    def _keyed(self) -> Iterable[tuple[int, tuple[str | float | None, ...]]]:
        return enumerate(self.rows)


def html_page(title: str, body: str) -> str:
    """Return a page of its own, with its style inside."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )


def html_table(sheet: Sheet, headings: Collection[str] = ()) -> str:
    """Return a table, the best figures of each comparison in bold.

    Texts that are ``headings`` of the page, of the same id, become links to them.
    """
    head = "".join(
        f'<th class="text">{escape(name)}</th>' if n < sheet.text else f"<th>{escape(name)}</th>"
        for n, name in enumerate(sheet.head)
    )
    body = []
    for row, marks in zip(sheet.rows, sheet.best(), strict=True):
        cells = [
            f'<td class="text">{_linked(str(value), headings)}</td>' for value in row[: sheet.text]
        ]
        for value, best in zip(row[sheet.text :], marks, strict=True):
            cells.append(
                f"<td{' class=best' if best else ''}>{figure_text(value, sheet.decimals)}</td>"
            )
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table><caption>{escape(sheet.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _linked(text: str, headings: Collection[str]) -> str:
    words = escape(text)
    return f'<a href="#{words}">{words}</a>' if text in headings else words


def figure_text(value: str | float | None, decimals: int = 3) -> str:
    """Return a figure with its decimals, nothing where there is none."""
    if isinstance(value, str):
        return value
    return "" if value is None or not np.isfinite(value) else f"{value:.{decimals}f}"


def html_figure(png: bytes, caption: str) -> str:
    """Return a picture that lies in the page itself, with its caption."""
    source = base64.b64encode(png).decode()
    text = escape(caption)
    return (
        f'<figure><img src="data:image/png;base64,{source}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )
