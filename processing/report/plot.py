"""Pictures of a scene's geometry: what is left at its points, and the table of its cells."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from catalog.product import RESOLUTION_M
from processing.geometry.gate import LEAST_POINTS, SIDE_CELLS, WITHIN_PX
from processing.report.accuracy import Scene

Floats = NDArray[np.float64]
Colour = tuple[int, int, int]

_SIZE: Final = (1180, 760)
_FINER: Final = 2
"""Drawn so many times larger and reduced, which smooths the lines."""
_MAP: Final = (40, 100, 700, 600)
"""Left, top, width, height of the map."""
_CELLS: Final = (780, 130, 360, 300)
_LABEL_CHARS: Final = 72
_ARROW_SHARE: Final = 0.045
"""Length of the arrow of a typical residual, as a share of the map's width."""
_SCALES_PX: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

_LENGTHS_KM: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)

_INK: Final = (28, 39, 51)
_PALE: Final = (110, 123, 138)
_LINE: Final = (208, 215, 223)
_COLOURS: Final[Mapping[str, Colour]] = {
    "fit": (150, 164, 180),
    "check": (22, 93, 178),
    "outlier": (205, 60, 50),
}
_WORDS: Final = {"fit": "fit", "check": "check", "outlier": "outlier, left out"}
_GOOD: Final = (214, 235, 220)
_BAD: Final = (248, 205, 196)
_EMPTY: Final = (238, 241, 244)


@dataclass(frozen=True, slots=True)
class _Points:
    """Matched points on a map in kilometres east and north of their middle, residuals in pixels."""

    east: Floats
    north: Floats
    x_px: Floats
    y_px: Floats
    use: NDArray[np.str_]


class _Sheet:
    """A drawing in final pixels, made larger and reduced at the end."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (_SIZE[0] * _FINER, _SIZE[1] * _FINER), "white")
        self._draw = ImageDraw.Draw(self._image)

    def text(
        self, x: float, y: float, words: str, size: int = 15, colour: Colour = _INK,
        anchor: str = "ls",
    ) -> None:  # fmt: skip
        """Write words; the anchor is Pillow's, "ls" is left on the base line."""
        font = ImageFont.load_default(size * _FINER)
        self._draw.text((x * _FINER, y * _FINER), words, colour, font, anchor)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, width: float) -> None:
        """Draw a line through points."""
        scaled = [(x * _FINER, y * _FINER) for x, y in points]
        self._draw.line(scaled, colour, max(1, round(width * _FINER)))

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Draw a filled circle."""
        self._draw.circle((x * _FINER, y * _FINER), radius * _FINER, colour)

    def box(self, place: tuple[float, float, float, float], fill: Colour | None) -> None:
        """Draw a framed rectangle: left, top, width, height."""
        left, top, width, height = (value * _FINER for value in place)
        self._draw.rectangle((left, top, left + width, top + height), fill, _LINE, _FINER)

    def arrow(self, x: float, y: float, dx: float, dy: float, colour: Colour) -> None:
        """Draw an arrow from a place; ``dy`` downwards."""
        self.line([(x, y), (x + dx, y + dy)], colour, 1.3)
        length = math.hypot(dx, dy)
        if length < 3:
            return
        head = min(6.0, 0.4 * length)
        for turn in (2.6, -2.6):
            angle = math.atan2(dy, dx) + turn
            tip = (x + dx + head * math.cos(angle), y + dy + head * math.sin(angle))
            self.line([(x + dx, y + dy), tip], colour, 1.3)

    def png(self) -> bytes:
        """Return the picture as PNG."""
        written = io.BytesIO()
        self._image.resize(_SIZE, Image.Resampling.LANCZOS).save(written, "PNG")
        return written.getvalue()


def draw_scene(scene: Scene) -> bytes:
    """Return a picture of a scene that was compared with a reference, as PNG.

    On the left what is left at every matched point, as an arrow from where the reference has it
    to where the product has it; on the right the cells of the image, first line on top.
    """
    if scene.geometry is None:
        raise ValueError(f"{scene.name} was compared with nothing: there is nothing to draw")
    sheet = _Sheet()
    sheet.text(40, 44, scene.name, 22)
    sheet.text(40, 70, _subtitle(scene), 15, _PALE)
    _draw_map(sheet, _points(scene.geometry["points"]))
    _draw_cells(sheet, scene.geometry["cells"])
    _draw_figures(sheet, scene)
    return sheet.png()


def _subtitle(scene: Scene) -> str:
    geometry: Mapping[str, Any] = scene.geometry or {}
    return (
        f"{scene.time}   {scene.region}   {scene.status}   class {scene.klass}   "
        f"reference {_shortened(geometry['reference']['label'])}"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LABEL_CHARS else f"{text[: _LABEL_CHARS - 1]}…"


def _points(columns: Mapping[str, Sequence[Any]]) -> _Points:
    lon, lat, x, y = (np.asarray(columns[key], np.float64) for key in ("lon", "lat", "x_m", "y_m"))
    if len(lon):
        lon = (lon - lon[0] + 180.0) % 360.0 - 180.0
        lon, lat = lon - (lon.min() + lon.max()) / 2, lat
        middle = (lat.min() + lat.max()) / 2
        lon, lat = lon * 111.32 * math.cos(math.radians(middle)), (lat - middle) * 110.95
    use = np.asarray(columns["use"], np.str_)
    return _Points(lon, lat, x / RESOLUTION_M, y / RESOLUTION_M, use)


def _draw_map(sheet: _Sheet, points: _Points) -> None:
    """Draw the arrows, the legend and the scale."""
    left, top, width, height = _MAP
    sheet.box(_MAP, None)
    if not len(points.east):
        sheet.text(left + width / 2, top + height / 2, "no point matches", 18, _PALE, "mm")
        return
    reach = np.ptp(points.east) / (0.88 * width), np.ptp(points.north) / (0.84 * height)
    per_km = 1.0 / max(*reach, 1e-6)
    true = points.use != "outlier"
    typical = float(np.quantile(np.hypot(points.x_px, points.y_px)[true], 0.9)) if true.any() else 1
    per_px = _ARROW_SHARE * width / max(typical, 0.02)
    x = left + width / 2 + points.east * per_km
    y = top + height / 2 - points.north * per_km
    for use in ("outlier", "fit", "check"):
        for k in np.flatnonzero(points.use == use):
            sheet.dot(x[k], y[k], 1.6, _COLOURS[use])
            if use != "outlier":
                dx, dy = points.x_px[k] * per_px, -points.y_px[k] * per_px
                sheet.arrow(x[k], y[k], dx, dy, _COLOURS[use])
    _draw_legend(sheet, points, per_km, per_px)


def _draw_legend(sheet: _Sheet, points: _Points, per_km: float, per_px: float) -> None:
    left, top, width, height = _MAP
    base, x = top + height + 28, float(left)
    for use, word in _WORDS.items():
        words = f"{word} ({int((points.use == use).sum())})"
        sheet.dot(x + 5, base - 5, 4, _COLOURS[use])
        sheet.text(x + 16, base, words, 14)
        x += 36 + 7.5 * len(words)
    scale = min(_SCALES_PX, key=lambda px: abs(px * per_px - 70))
    sheet.arrow(left + width - 330, base - 5, scale * per_px, 0, _INK)
    words = f"{scale:g} pixel = {scale * RESOLUTION_M:g} m"
    sheet.text(left + width - 320 + scale * per_px, base, words, 14)
    far = max((km for km in _LENGTHS_KM if km * per_km <= 160), default=_LENGTHS_KM[0])
    sheet.line([(left + 12, top + 20), (left + 12 + far * per_km, top + 20)], _PALE, 2)
    sheet.text(left + 12, top + 40, f"{far:g} km", 13, _PALE)
    sheet.arrow(left + width - 20, top + 44, 0, -30, _PALE)
    sheet.text(left + width - 20, top + 60, "N", 13, _PALE, "ms")


def _draw_cells(sheet: _Sheet, cells: Sequence[Mapping[str, Any]]) -> None:
    """Draw the table of 3 x 3 cells: RMSE in pixels and number of check points."""
    left, top, width, height = _CELLS
    sheet.text(left, top - 14, "Check points by part of the image: RMSE in pixels, number", 14)
    for k, cell in enumerate(cells):
        row, col = divmod(k, SIDE_CELLS)
        place = (
            left + col * width / SIDE_CELLS, top + row * height / SIDE_CELLS,
            width / SIDE_CELLS, height / SIDE_CELLS,
        )  # fmt: skip
        rmse = None if cell["rmse"] is None else cell["rmse"] / RESOLUTION_M
        good = rmse is not None and rmse <= WITHIN_PX
        sheet.box(place, _EMPTY if rmse is None else _GOOD if good else _BAD)
        x, y = place[0] + place[2] / 2, place[1] + place[3] / 2
        sheet.text(x, y - 6, "–" if rmse is None else f"{rmse:.2f}", 24, _INK, "mm")
        sheet.text(x, y + 24, f"{cell['points']}", 14, _PALE, "mm")


def _draw_figures(sheet: _Sheet, scene: Scene) -> None:
    """List the figures of the whole scene."""
    left, top, _, height = _CELLS
    geometry: Mapping[str, Any] = scene.geometry or {}
    rows = [
        ("RMSE by RPC alone", _both(scene.before_px)),
        ("RMSE", _both(scene.pixels("rmse"))),
        ("RMSE east, north", _pair(scene, "rmse")),
        ("bias east, north", _pair(scene, "bias")),
        ("CE90", _both(scene.pixels("ce90"))),
        ("median", _both(scene.pixels("median"))),
        ("check points", f"{scene.check_points} in {scene.check_cells} of 9 cells"),
        ("model", str(geometry["model"])),
    ]
    if scene.check_points < LEAST_POINTS:
        rows[-2] = (rows[-2][0], f"{rows[-2][1]}, {LEAST_POINTS} wanted")
    for n, (name, value) in enumerate(rows):
        y = top + height + 46 + 27 * n
        sheet.text(left, y, name, 15, _PALE)
        sheet.text(left + 150, y, value, 15)


def _both(pixels: float | None) -> str:
    """Return a length in pixels and metres."""
    return "–" if pixels is None else f"{pixels:.3f} pixel, {pixels * RESOLUTION_M:.2f} m"


def _pair(scene: Scene, figure: str) -> str:
    x, y = scene.pixels(f"{figure}_x"), scene.pixels(f"{figure}_y")
    return "–" if x is None or y is None else f"{x:.3f}, {y:.3f} pixel"
