"""The geometric accuracy of a store for people: the published table, and a page of pictures."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from catalog.product import RESOLUTION_M
from infra.sheets import Sheet, html_page, html_table
from processing.geometry.gate import SIDE_CELLS, AccuracyClass
from processing.report.accuracy import PUBLISHED_CLASSES, Scene, shares
from processing.report.plot import draw_scene

_CAPTION = "Scenes by RMSE in pixels, percent: published and here (few: too few points)"
_SHARES_HEAD = (
    *("sensor", "region (scenes)"),
    *("0-0.8", "here", "0.8-1", "here", "> 1.0", "here", "few"),
)
"""So short that the table fits a narrow terminal."""
_METHOD = (
    "One pixel is 16 m. RMSE, CE90 and median are of the distances, product minus reference, at "
    "matched points that took no part in the fit; up to 0.8 pixel a scene becomes a product, up to "
    "0.5 one of nominal quality. Too few to tell are fewer than 30 such points, or fewer than 5 of "
    "the 9 parts of the image with one. Published shares: Tang et al., Production and Key "
    "Technology for Gaofen 16 meter Analysis Ready Data, 6th AOGEO workshop, May 2023."
)


def sheets(scenes: Sequence[Scene]) -> tuple[Sheet, ...]:
    """Lay out the shares beside the published ones, and the figures of every scene."""
    return _shares_sheet(scenes), _scenes_sheet(scenes)


def summary(scenes: Sequence[Scene]) -> str:
    """Say in a sentence how many scenes the figures rest on."""
    compared = [scene for scene in scenes if scene.klass is not None]
    few = sum(scene.klass is AccuracyClass.INSUFFICIENT for scene in compared)
    lacking = f"; in {few} too few points matched to tell" if few else ""
    all_of_them = f"{len(scenes)} scene{'s' * (len(scenes) != 1)}"
    return f"{all_of_them}, {len(compared)} of them compared with a reference{lacking}."


def to_dict(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Return shares and scenes as plain JSON values."""
    return {
        "shares": [share.to_dict() for share in shares(scenes)],
        "scenes": [scene.to_dict() for scene in scenes],
    }


def write_pages(scenes: Sequence[Scene], title: str, folder: Path) -> Iterator[str]:
    """Write a PNG for every scene that was compared, and ``index.html``; yield names as written.

    Parameters
    ----------
    scenes
        The scenes.
    title
        Heading of the page.
    folder
        Where to; made when absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [scene for scene in scenes if scene.geometry is not None]
    for scene in drawn:
        (folder / _picture(scene)).write_bytes(draw_scene(scene))
        yield _picture(scene)
    headings = {scene.name for scene in drawn}
    tables = "\n".join(html_table(sheet, headings) for sheet in sheets(scenes) if sheet.rows)
    words = f"<p>{escape(summary(scenes))}</p><p>{escape(_METHOD)}</p>"
    body = words + tables + "\n".join(map(_html_scene, drawn))
    (folder / "index.html").write_text(html_page(title, body), encoding="utf-8")
    yield "index.html"


def _shares_sheet(scenes: Sequence[Scene]) -> Sheet:
    """Lay out one row a place, for each class the published share beside that of the store."""
    rows = tuple(
        (
            share.satellite,
            f"{share.region} ({share.compared})",
            *(
                source.get(klass)
                for klass in PUBLISHED_CLASSES
                for source in (share.published, share.shares)
            ),
            share.shares.get(AccuracyClass.INSUFFICIENT),
        )
        for share in shares(scenes)
    )
    return Sheet(_CAPTION, _SHARES_HEAD, rows, 2, "", decimals=1)


def _scenes_sheet(scenes: Sequence[Scene]) -> Sheet:
    head = ("scene", "outcome", "class", "check points", "by RPC", "RMSE", "CE90", "median")
    rows = tuple(
        (
            scene.name,
            scene.status,
            "not compared" if scene.klass is None else str(scene.klass),
            str(scene.check_points),
            scene.before_px,
            *(scene.pixels(figure) for figure in ("rmse", "ce90", "median")),
        )
        for scene in scenes
    )
    return Sheet(
        "Scenes: pixels of 16 m at the check points, by the RPC alone and corrected",
        head,
        rows,
        4,
        "",
        decimals=2,
    )


def _html_scene(scene: Scene) -> str:
    picture, name = escape(_picture(scene)), escape(scene.name)
    return (
        f'<h2 id="{name}">{name}</h2><p><img src="{picture}" style="max-width: 100%" '
        'loading="lazy" '
        f'alt="Residuals and table of cells of {name}"></p>{_html_cells(scene)}'
    )


def _html_cells(scene: Scene) -> str:
    """Return the table of cells: RMSE in pixels (metres), and number of check points."""
    cells = [] if scene.geometry is None else list(scene.geometry["cells"])
    texts = [
        f"{cell['rmse'] / RESOLUTION_M:.2f} ({cell['rmse']:.1f} m), {cell['points']}"
        if cell["rmse"] is not None
        else "–"
        for cell in cells
    ]
    rows = "".join(
        f"<tr>{''.join(f'<td>{text}</td>' for text in texts[k : k + SIDE_CELLS])}</tr>"
        for k in range(0, len(texts), SIDE_CELLS)
    )
    return (
        "<table><caption>RMSE in pixels (metres) and number of check points by part of the "
        f"image, first line on top</caption><tbody>{rows}</tbody></table>"
    )


def _picture(scene: Scene) -> str:
    return f"{scene.name}.{scene.version}.png"
