"""The rational polynomial model (RPC00B) fitted to the exact camera, and its ``.rpb`` text."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from processing.simulate.arrays import Floats
from processing.simulate.camera import Pushbroom

_NODES = 25
"""Fit points along each side of the image."""
_LEVELS = 7
"""Heights at which each fit point is taken."""
_RIDGE = 1e-9
"""Damping of the normal equations: a small flat scene cannot feel the higher terms."""
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class FittedRpc:
    """An RPC: five offsets and scales (line, sample, lat, lon, height) and four cubics.

    ``rmse_px`` and ``max_px`` tell how far the model is from the camera at points between those
    of the fit.
    """

    offset: tuple[float, ...]
    scale: tuple[float, ...]
    line: tuple[Floats, Floats]
    sample: tuple[Floats, Floats]
    rmse_px: float = 0.0
    max_px: float = 0.0

    def image(self, lon: Floats, lat: Floats, height: Floats) -> tuple[Floats, Floats]:
        """Return row and column (pixel-centre indices) of ground points, degrees and metres."""
        terms = _cubic(*self._normalised(lon, lat, height))
        row = (terms @ self.line[0]) / (terms @ self.line[1])
        col = (terms @ self.sample[0]) / (terms @ self.sample[1])
        return row * self.scale[0] + self.offset[0], col * self.scale[1] + self.offset[1]

    def shifted(self, rows: float, cols: float) -> Self:
        """Return the model with a constant error of ``rows`` and ``cols`` pixels put in."""
        line, sample, *ground = self.offset
        return replace(self, offset=(line + rows, sample + cols, *ground))

    def _normalised(self, lon: Floats, lat: Floats, height: Floats) -> tuple[Floats, ...]:
        ground = (lat, _beside(lon, self.offset[3]), height)
        return tuple(
            (np.asarray(v) - o) / s
            for v, o, s in zip(ground, self.offset[2:], self.scale[2:], strict=True)
        )


def fit_rpc(camera: Pushbroom, lowest_m: float, highest_m: float) -> FittedRpc:
    """Return the RPC of ``camera`` for ellipsoidal heights between the two limits, metres.

    Iterated linear least squares (C. Tao and Y. Hu, PE&RS 67, 2001, 1347): the rational
    equation is multiplied by its denominator and weighted by the denominator of the last round.
    """
    row, col, height = _samples(camera, lowest_m, highest_m, _NODES, _LEVELS)
    lon, lat = camera.ground(row, col, height)
    lon = _beside(lon, float(lon[0]))
    values = (row, col, lat, lon, height)
    offset = tuple(float(v.max() + v.min()) / 2 for v in values)
    scale = tuple(float(v.max() - v.min()) / 2 for v in values)
    unit = [(v - o) / s for v, o, s in zip(values, offset, scale, strict=True)]
    terms = _cubic(unit[2], unit[3], unit[4])
    model = FittedRpc(offset, scale, _rational(terms, unit[0]), _rational(terms, unit[1]))
    row, col, height = _samples(camera, lowest_m, highest_m, 2 * _NODES + 3, _LEVELS + 2)
    lon, lat = camera.ground(row, col, height)
    found = model.image(lon, lat, height)
    error = np.hypot(found[0] - row, found[1] - col)
    return replace(model, rmse_px=float(np.sqrt((error**2).mean())), max_px=float(error.max()))


def rpb_text(rpc: FittedRpc, satellite: str) -> str:
    """Return the model as CRESDA writes it beside the image."""
    names = ("line", "samp", "lat", "long", "height")
    lines = [f'satId = "{satellite}";', 'bandId = "MSS";', 'SpecId = "RPC00B";']
    lines += ["BEGIN_GROUP = IMAGE", "\terrBias =   1.0;", "\terrRand =    0.0;"]
    for word, numbers in (("Offset", rpc.offset), ("Scale", rpc.scale)):
        lines += [f"\t{n}{word} = \t{v:+.15e};" for n, v in zip(names, numbers, strict=True)]
    for name, pair in (("line", rpc.line), ("samp", rpc.sample)):
        for part, coefficients in zip(("Num", "Den"), pair, strict=True):
            body = ",\n".join(f"\t\t{v:+.15e}" for v in coefficients)
            lines += [f"\t{name}{part}Coef = (", body, "\t);"]
    return "\n".join([*lines, "END_GROUP = IMAGE", "END;", ""])


def _beside(lon: Floats, centre: float) -> Floats:
    """Return longitudes less than 180 degrees from ``centre``: 180 E is no border."""
    return np.asarray((np.asarray(lon) - centre + 180.0) % 360.0 - 180.0 + centre, np.float64)


def _samples(
    camera: Pushbroom, lowest_m: float, highest_m: float, nodes: int, levels: int
) -> tuple[Floats, Floats, Floats]:
    axes = (
        np.linspace(-0.5, camera.rows - 0.5, nodes),
        np.linspace(-0.5, camera.cols - 0.5, nodes),
        np.linspace(lowest_m, highest_m, levels),
    )
    row, col, height = np.meshgrid(*axes, indexing="ij")
    return row.ravel(), col.ravel(), height.ravel()


def _cubic(lat: Floats, lon: Floats, height: Floats) -> Floats:
    """Return the 20 terms of RPC00B, shape (n, 20)."""
    p, l, h = lat, lon, height  # noqa: E741 - the letters of the RPC00B definition
    one = np.ones_like(p)
    return np.stack(
        [one, l, p, h, l * p, l * h, p * h, l * l, p * p, h * h,
         p * l * h, l**3, l * p * p, l * h * h, l * l * p, p**3, p * h * h, l * l * h,
         p * p * h, h**3],
        axis=-1,
    )  # fmt: skip


def _rational(terms: Floats, target: Floats) -> tuple[Floats, Floats]:
    design = np.concatenate([terms, -target[:, None] * terms[:, 1:]], axis=1)
    weight = np.ones_like(target)
    for _ in range(_ROUNDS):
        weighted = design * weight[:, None]
        normal = weighted.T @ weighted
        normal[np.diag_indices_from(normal)] += _RIDGE * len(target)
        found = np.linalg.solve(normal, weighted.T @ (target * weight))
        denominator = np.concatenate([[1.0], found[20:]])
        weight = 1 / (terms @ denominator)
    return found[:20], denominator
