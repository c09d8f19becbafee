"""Rational polynomial camera model (RPC00B) of an L1A image, and the CRESDA ``.rpb`` text.

An RPC maps longitude, latitude and ellipsoidal height to image line and sample by two ratios
of cubic polynomials in normalised coordinates (NITF STDI-0002, RPC00B term order). Its line
and sample are pixel-CENTRE indices: 0.0 is the centre of the first pixel. GDAL's pixel space is
corner based and therefore lies half a pixel further on.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.errors import GeometryError

Floats = NDArray[np.float64]

_STEP: Final = 1e-6
"""Step of the numeric Jacobian in normalised longitude and latitude."""
_TOLERANCE_PX: Final = 1e-6
_MAX_ITERATIONS: Final = 20
_DIVERGED: Final = 100.0
"""Normalised coordinates that no pixel of the image reaches."""

_SCALARS: Final = {
    "lineOffset": "line_offset",
    "sampOffset": "sample_offset",
    "latOffset": "lat_offset",
    "longOffset": "lon_offset",
    "heightOffset": "height_offset",
    "lineScale": "line_scale",
    "sampScale": "sample_scale",
    "latScale": "lat_scale",
    "longScale": "lon_scale",
    "heightScale": "height_scale",
}
_COEFFICIENTS: Final = {
    "lineNumCoef": "line_num",
    "lineDenCoef": "line_den",
    "sampNumCoef": "sample_num",
    "sampDenCoef": "sample_den",
}


@dataclass(frozen=True, slots=True)
class ImageCorrection:
    """An affine correction in the image, in pixels: what is added to row and column of the RPC.

    ``row_offset + row_per_row * row + row_per_col * col`` and likewise for columns (Grodecki
    and Dial, PE&RS 69, 2003, 59); row and column are those of the polynomials.
    """

    row_offset: float = 0.0
    col_offset: float = 0.0
    row_per_row: float = 0.0
    row_per_col: float = 0.0
    col_per_row: float = 0.0
    col_per_col: float = 0.0

    def apply(self, row: Floats, col: Floats) -> tuple[Floats, Floats]:
        """Return the corrected row and column."""
        return (
            row + (self.row_offset + self.row_per_row * row + self.row_per_col * col),
            col + (self.col_offset + self.col_per_row * row + self.col_per_col * col),
        )


IDENTITY: Final = ImageCorrection()


@dataclass(frozen=True, slots=True)
class Rpc:
    """Rational polynomial coefficients of one image.

    Offsets and scales normalise line and sample (pixels), latitude and longitude (degrees) and
    height (metres above the WGS84 ellipsoid); the four polynomials hold 20 coefficients each in
    RPC00B order. ``correction`` moves what the polynomials say; no file holds it.
    """

    line_offset: float
    sample_offset: float
    lat_offset: float
    lon_offset: float
    height_offset: float
    line_scale: float
    sample_scale: float
    lat_scale: float
    lon_scale: float
    height_scale: float
    line_num: tuple[float, ...]
    line_den: tuple[float, ...]
    sample_num: tuple[float, ...]
    sample_den: tuple[float, ...]
    correction: ImageCorrection = IDENTITY

    def corrected(self, correction: ImageCorrection) -> "Rpc":
        """Return the same polynomials with another correction."""
        return replace(self, correction=correction)

    def image(self, lon: ArrayLike, lat: ArrayLike, height: ArrayLike) -> tuple[Floats, Floats]:
        """Project ground points into the image.

        Parameters
        ----------
        lon, lat
            Degrees, any shapes that broadcast; longitude in any turn.
        height
            Metres above the WGS84 ellipsoid.

        Returns
        -------
        row, col
            Pixel-centre indices, float64; points outside the image are extrapolated.
        """
        x = (near_longitude(lon, self.lon_offset) - self.lon_offset) / self.lon_scale
        y = (np.asarray(lat, np.float64) - self.lat_offset) / self.lat_scale
        z = (np.asarray(height, np.float64) - self.height_offset) / self.height_scale
        return self._project(x, y, z)

    def ground(self, row: ArrayLike, col: ArrayLike, height: ArrayLike) -> tuple[Floats, Floats]:
        """Intersect the rays of pixels with surfaces of constant height, by Newton's method.

        Parameters
        ----------
        row, col
            Pixel-centre indices, any shapes that broadcast.
        height
            Metres above the WGS84 ellipsoid.

        Returns
        -------
        lon, lat
            Degrees, float64; longitude in -180 to 180.

        Raises
        ------
        GeometryError
            The iteration does not converge to 1e-6 pixel.
        """
        rows, cols, z = np.broadcast_arrays(
            np.asarray(row, np.float64),
            np.asarray(col, np.float64),
            (np.asarray(height, np.float64) - self.height_offset) / self.height_scale,
        )
        x, y = np.zeros(rows.shape), np.zeros(rows.shape)
        for _ in range(_MAX_ITERATIONS):
            r, c = self._project(x, y, z)
            miss_r, miss_c = rows - r, cols - c
            if np.abs([miss_r, miss_c]).max(initial=0.0) < _TOLERANCE_PX:
                lon = self.lon_offset + x * self.lon_scale
                return (lon + 180.0) % 360.0 - 180.0, self.lat_offset + y * self.lat_scale
            with np.errstate(divide="ignore", invalid="ignore"):
                step_x, step_y = self._newton_step(x, y, z, (r, c), (miss_r, miss_c))
            x, y = x + step_x, y + step_y
            if not np.abs([x, y]).max(initial=0.0) < _DIVERGED:
                break
        raise GeometryError(
            f"RPC around {self.lon_offset:.2f} E {self.lat_offset:.2f} N cannot be inverted: "
            f"no convergence to {_TOLERANCE_PX} px in {_MAX_ITERATIONS} iterations; "
            "check that the .rpb belongs to this image"
        )

    def _newton_step(
        self,
        x: Floats,
        y: Floats,
        z: Floats,
        at: tuple[Floats, Floats],
        miss: tuple[Floats, Floats],
    ) -> tuple[Floats, Floats]:
        """Solve the 2 x 2 system of the numeric Jacobian for the remaining miss."""
        r_x, c_x = (v - v0 for v, v0 in zip(self._project(x + _STEP, y, z), at, strict=True))
        r_y, c_y = (v - v0 for v, v0 in zip(self._project(x, y + _STEP, z), at, strict=True))
        scale = _STEP / (r_x * c_y - r_y * c_x)
        return (c_y * miss[0] - r_y * miss[1]) * scale, (r_x * miss[1] - c_x * miss[0]) * scale

    def _project(self, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats]:
        """Apply polynomials and correction to normalised coordinates."""
        terms = _terms(x, y, z)
        polynomials = np.array([self.line_num, self.line_den, self.sample_num, self.sample_den])
        line_num, line_den, sample_num, sample_den = np.tensordot(polynomials, terms, 1)
        row = self.line_offset + self.line_scale * (line_num / line_den)
        col = self.sample_offset + self.sample_scale * (sample_num / sample_den)
        return self.correction.apply(row, col)


def _terms(x: Floats, y: Floats, z: Floats) -> Floats:
    """Return the 20 monomials in RPC00B order; x longitude, y latitude, z height."""
    x, y, z = np.broadcast_arrays(x, y, z)
    xx, yy, zz = x * x, y * y, z * z
    return np.stack([
        np.ones_like(x), x, y, z, x * y, x * z, y * z, xx, yy, zz,
        x * y * z, xx * x, x * yy, x * zz, xx * y, yy * y, y * zz, xx * z, yy * z, zz * z,
    ])  # fmt: skip


def near_longitude(lon: ArrayLike, centre: float) -> Floats:
    """Return longitudes in the turn around ``centre``, so that 180 E is no border; degrees."""
    near: Floats = (np.asarray(lon, np.float64) - centre + 180.0) % 360.0 - 180.0 + centre
    return near


_LIST = re.compile(r"(\w+)\s*=\s*\(([^)]*)\)")
_SCALAR = re.compile(r"(\w+)\s*=\s*([-+.\w]+)")


def parse_rpb(text: str, source: str) -> Rpc:
    """Read the text of an ``.rpb`` file.

    Tabs, CRLF, missing semicolons, missing ``errBias`` and ``errRand`` and a closing ``);`` on
    its own line are all accepted; names are compared without regard to case.

    Parameters
    ----------
    text
        Content of the file.
    source
        Name of the file, for messages.

    Raises
    ------
    GeometryError
        A value is missing, not a finite number, a scale is 0, or a list has not 20 numbers.
    """
    lists = {name.lower(): body for name, body in _LIST.findall(text)}
    scalars = {name.lower(): value for name, value in _SCALAR.findall(_LIST.sub("", text))}
    fields: dict[str, float | tuple[float, ...]] = {}
    for key, field in _SCALARS.items():
        value = _number(_entry(scalars, key, source), key, source)
        if value == 0 and field.endswith("_scale"):
            raise GeometryError(f"{source}: {key} is 0; a scale must not be 0")
        fields[field] = value
    for key, field in _COEFFICIENTS.items():
        words = re.split(r"[\s,;]+", _entry(lists, key, source).strip(" \t\r\n,;"))
        if len(words) != 20:
            raise GeometryError(f"{source}: {key} has {len(words)} numbers, 20 wanted")
        fields[field] = tuple(_number(word, key, source) for word in words)
    return Rpc(**fields)  # type: ignore[arg-type]


def read_rpb(path: Path) -> Rpc:
    """Read an ``.rpb`` file; errors as of `parse_rpb`, or that it cannot be read."""
    try:
        text = path.read_text("ascii", "replace")
    except OSError as error:
        raise GeometryError(f"{path}: RPC file cannot be read: {error.strerror}") from error
    return parse_rpb(text, str(path))


def _entry(entries: Mapping[str, str], key: str, source: str) -> str:
    """Return the text of ``key``."""
    try:
        return entries[key.lower()]
    except KeyError:
        raise GeometryError(f"{source}: {key} is missing; a complete .rpb file is wanted") from None


def _number(word: str, key: str, source: str) -> float:
    """Read one finite number."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise GeometryError(f"{source}: {key} holds {word!r}, a finite number wanted")
    return value
