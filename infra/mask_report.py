"""The evaluation of masks for people: tables, and a page with the pictures of every chip."""

import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from catalog.product import MASK_COLOURS, MaskClass
from infra.sheets import Sheet, html_figure, html_page, html_table
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


def sheets(evaluation: Evaluation) -> tuple[Sheet, ...]:
    """Lay out all figures of an evaluation, the backends side by side."""
    groups = evaluation.groups()
    found = (_overall(groups, evaluation.backends), _by_class(groups), _false_cloud(evaluation))
    return tuple(sheet for sheet in found if sheet.rows)


def page(evaluation: Evaluation, title: str) -> str:
    """Return the page: tables, then image, label and masks of every chip, as one HTML text."""
    tables = "\n".join(html_table(sheet) for sheet in sheets(evaluation))
    chips: dict[str, list[Scored]] = {}
    for scored in evaluation.scored:
        chips.setdefault(scored.chip.name, []).append(scored)
    pictures = "\n".join(_html_chip(made) for made in chips.values())
    return html_page(
        title,
        f"<p>{len(chips)} chips, each by {escape(', '.join(evaluation.backends))}. All pixels of "
        "a group are counted together, but for the means of chips and the boundary F score, "
        "which allows 2 pixels.</p>"
        f"{tables}\n<h2>Chips</h2>{_html_key()}\n{pictures}",
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


def _html_key() -> str:
    entries = (
        f'<span><i style="background: rgb{MASK_COLOURS[value]}"></i>{escape(NAMES[value])}</span>'
        for value in MaskClass
    )
    return f'<p class="key">{"".join(entries)}</p>'


def _html_chip(made: Sequence[Scored]) -> str:
    chip = made[0].chip
    pictures = [
        html_figure(_picture(chip.image), f"{chip.level} reflectance, red, green, blue"),
        html_figure(_mask_picture(_label_classes(chip)), "label"),
    ]
    for scored in made:
        f1 = {
            NAMES[value]: scored.confusion.f1(index)
            for index, value in enumerate(chip.legend)
            if scored.confusion.counts[index].any()
        }
        pictures.append(html_figure(_mask_picture(scored.mask), _caption(scored.backend, f1)))
    return (
        f"<h3>{escape(chip.name)} <small>{escape(chip.group)}, {chip.resolution_m:g} m</small>"
        f'</h3><div class="chip">{"".join(pictures)}</div>'
    )


def _caption(backend: str, f1: Mapping[str, float]) -> str:
    figures = ", ".join(f"{name} {value:.2f}" for name, value in f1.items())
    return f"{backend}: F1 {figures}"


def _label_classes(chip: Chip) -> NDArray[np.uint8]:
    """Return the label as ``MaskClass``, fill where it is not judged."""
    table = np.full(IGNORED + 1, MaskClass.FILL, np.uint8)
    table[: len(chip.legend)] = chip.legend
    return table[chip.truth]


def _picture(image: NDArray[np.float32]) -> bytes:
    """Return red, green and blue between their 1 % and 99 % quantiles as PNG.

    Dark tones are lifted: beside clouds the land would be black.
    """
    visible = image[[2, 1, 0]]
    known = np.isfinite(visible)
    low, high = np.quantile(visible[known], (0.01, 0.99)) if known.any() else (0.0, 1.0)
    scaled = np.clip((visible - low) / max(high - low, 1e-3), 0, 1)
    return _png(np.nan_to_num(255 * np.sqrt(scaled)).astype(np.uint8).transpose(1, 2, 0))


def _mask_picture(classes: NDArray[np.uint8]) -> bytes:
    """Return classes in the colours of the product as PNG."""
    palette = np.array([MASK_COLOURS[value] for value in MaskClass], np.uint8)
    return _png(palette[classes])


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", optimize=True)
    return written.getvalue()
