"""The evaluation of masks for people: tables, and a page with the pictures of every chip."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from catalog.product import MASK_COLOURS, MaskClass
from processing.quality.accuracy import IGNORED
from processing.quality.chips import Chip
from processing.quality.evaluate import Evaluation, GroupFigures, Scored

FIGURES = ("user's", "producer's", "F1", "F1, mean of chips", "IoU", "boundary F")
NAMES = {
    MaskClass.FILL: "no data or not judged",
    MaskClass.CLEAR: "clear",
    MaskClass.WATER: "water",
    MaskClass.CLOUD_SHADOW: "cloud shadow",
    MaskClass.SNOW: "snow",
    MaskClass.CLOUD: "cloud",
}

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
    (``"column"``), is marked; ``least`` marks the lowest instead of the highest.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    text: int
    rivals: str
    least: bool = False

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
        keys = [row[: self.text - 1] if self.rivals == "column" else n for n, row in self._keyed()]
        return [[n for n, key in enumerate(keys) if key == each] for each in dict.fromkeys(keys)]

    def _keyed(self) -> Iterable[tuple[int, tuple[str | float | None, ...]]]:
        return enumerate(self.rows)


def sheets(evaluation: Evaluation) -> tuple[Sheet, ...]:
    """Lay out all figures of an evaluation, the backends side by side."""
    groups = evaluation.groups()
    found = (_overall(groups, evaluation.backends), _by_class(groups), _false_cloud(evaluation))
    return tuple(sheet for sheet in found if sheet.rows)


def page(evaluation: Evaluation, title: str) -> str:
    """Return the page: tables, then image, label and masks of every chip, as one HTML text."""
    tables = "\n".join(_html_table(sheet) for sheet in sheets(evaluation))
    chips: dict[str, list[Scored]] = {}
    for scored in evaluation.scored:
        chips.setdefault(scored.chip.name, []).append(scored)
    pictures = "\n".join(_html_chip(made) for made in chips.values())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>\n<p>{len(chips)} chips, each by "
        f"{escape(', '.join(evaluation.backends))}. All pixels of a group are counted together, "
        "but for the means of chips and the boundary F score, which allows 2 pixels.</p>"
        f"{tables}\n<h2>Chips</h2>{_html_key()}\n{pictures}</body></html>\n"
    )


def _overall(groups: Sequence[GroupFigures], backends: Sequence[str]) -> Sheet:
    rows = []
    for name in dict.fromkeys(figures.group for figures in groups):
        members = [figures for figures in groups if figures.group == name]
        for label in ("overall accuracy", "kappa"):
            values = [each.kappa if label == "kappa" else each.overall for each in members]
            rows.append((name, str(members[0].chips), label, *values))
    return Sheet("All classes", ("group", "chips", "figure", *backends), tuple(rows), 3, "row")


def _by_class(groups: Sequence[GroupFigures]) -> Sheet:
    rows = []
    for name in dict.fromkeys(figures.group for figures in groups):
        members = [figures for figures in groups if figures.group == name]
        for value in members[0].classes:
            for each in members:
                figures = each.classes[value]
                rows.append(
                    (
                        name,
                        NAMES[value],
                        each.backend,
                        figures.users,
                        figures.producers,
                        figures.f1,
                        figures.f1_mean,
                        figures.iou,
                        figures.boundary_f,
                    )
                )
    return Sheet("By class", ("group", "class", "backend", *FIGURES), tuple(rows), 3, "column")


def _false_cloud(evaluation: Evaluation) -> Sheet:
    found = {backend: evaluation.false_cloud(backend) for backend in evaluation.backends}
    surfaces = dict.fromkeys(surface for shares in found.values() for surface in shares)
    rows = tuple(
        (surface, *(found[backend].get(surface) for backend in evaluation.backends))
        for surface in surfaces
    )
    title = "Share of clear pixels called cloud"
    return Sheet(title, ("surface", *evaluation.backends), rows, 1, "row", least=True)


def _html_table(sheet: Sheet) -> str:
    head = "".join(
        f'<th class="text">{escape(name)}</th>' if n < sheet.text else f"<th>{escape(name)}</th>"
        for n, name in enumerate(sheet.head)
    )
    body = []
    for row, marks in zip(sheet.rows, sheet.best(), strict=True):
        cells = [f'<td class="text">{escape(str(value))}</td>' for value in row[: sheet.text]]
        for value, best in zip(row[sheet.text :], marks, strict=True):
            cells.append(f"<td{' class=best' if best else ''}>{figure_text(value)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table><caption>{escape(sheet.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def figure_text(value: str | float | None) -> str:
    """Return a figure with three decimals, nothing where there is none."""
    if isinstance(value, str):
        return value
    return "" if value is None or not np.isfinite(value) else f"{value:.3f}"


def _html_key() -> str:
    entries = (
        f'<span><i style="background: rgb{MASK_COLOURS[value]}"></i>{escape(NAMES[value])}</span>'
        for value in MaskClass
    )
    return f'<p class="key">{"".join(entries)}</p>'


def _html_chip(made: Sequence[Scored]) -> str:
    chip = made[0].chip
    pictures = [
        _figure(_picture(chip.image), f"{chip.level} reflectance, red, green, blue"),
        _figure(_mask_picture(_label_classes(chip)), "label"),
    ]
    for scored in made:
        f1 = {
            NAMES[value]: scored.confusion.f1(index)
            for index, value in enumerate(chip.legend)
            if scored.confusion.counts[index].any()
        }
        pictures.append(_figure(_mask_picture(scored.mask), _caption(scored.backend, f1)))
    return (
        f"<h3>{escape(chip.name)} <small>{escape(chip.group)}, {chip.resolution_m:g} m</small>"
        f'</h3><div class="chip">{"".join(pictures)}</div>'
    )


def _caption(backend: str, f1: Mapping[str, float]) -> str:
    figures = ", ".join(f"{name} {value:.2f}" for name, value in f1.items())
    return f"{backend}: F1 {figures}"


def _figure(png: bytes, caption: str) -> str:
    source = base64.b64encode(png).decode()
    text = escape(caption)
    return (
        f'<figure><img src="data:image/png;base64,{source}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _label_classes(chip: Chip) -> NDArray[np.uint8]:
    """Return the label as ``MaskClass``, fill where it is not judged."""
    table = np.full(IGNORED + 1, MaskClass.FILL, np.uint8)
    table[: len(chip.legend)] = chip.legend
    return table[chip.truth]


def _picture(image: NDArray[np.float32]) -> bytes:
    """Return red, green and blue between their 1 % and 99 % quantiles as PNG."""
    visible = image[[2, 1, 0]]
    known = np.isfinite(visible)
    low, high = np.quantile(visible[known], (0.01, 0.99)) if known.any() else (0.0, 1.0)
    scaled = np.clip((visible - low) / max(high - low, 1e-3), 0, 1)
    return _png(np.nan_to_num(255 * scaled).astype(np.uint8).transpose(1, 2, 0))


def _mask_picture(classes: NDArray[np.uint8]) -> bytes:
    """Return classes in the colours of the product as PNG."""
    palette = np.array([MASK_COLOURS[value] for value in MaskClass], np.uint8)
    return _png(palette[classes])


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", optimize=True)
    return written.getvalue()
