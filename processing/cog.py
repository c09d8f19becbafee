"""The bytes of a Cloud-Optimized GeoTIFF around its compressed blocks.

Classic little-endian TIFF 6.0 with GeoTIFF 1.1 keys, GDAL's metadata tags and the structural
metadata ("ghost area") by which GDAL recognises the layout: all directories first, then the
blocks of the smallest overview up to the full image, each led by its size and followed by a copy
of its last four bytes (GDAL documentation, "Cloud Optimized GeoTIFF driver").

The size of the header follows from the shapes alone. It can be left open while blocks are
written and be filled in when their places are known.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from catalog.grid import Grid
from catalog.product import MASK_COLOURS, AssetSpec
from processing.pyramid import BLOCK, Level

_SHORT, _LONG, _DOUBLE, _ASCII = 3, 4, 12, 2
_FORMATS = {_SHORT: "H", _LONG: "I", _DOUBLE: "d", _ASCII: "s"}
_DEFLATE, _PREDICTOR_HORIZONTAL = 8, 2
_MINISBLACK, _PALETTE = 1, 3
_HEADER_SIZE = 8

_STRUCTURE = (
    b"LAYOUT=IFDS_BEFORE_DATA\n"
    b"BLOCK_ORDER=ROW_MAJOR\n"
    b"BLOCK_LEADER=SIZE_AS_UINT4\n"
    b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"
    b"KNOWN_INCOMPATIBLE_EDITION=NO\n "
)
_GHOST = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n" % len(_STRUCTURE) + _STRUCTURE
_FIRST_IFD = (_HEADER_SIZE + len(_GHOST) + 1) // 2 * 2


@dataclass(frozen=True, slots=True)
class _Tag:
    code: int
    kind: int
    values: bytes
    count: int


@dataclass(frozen=True, slots=True)
class BlockTable:
    """Where the blocks of one level lie: byte offsets and sizes, row by row, 0 = all fill."""

    offsets: NDArray[np.uint32]
    sizes: NDArray[np.uint32]

    @classmethod
    def empty(cls, level: Level) -> "BlockTable":
        """Return the table of a level of which nothing is written yet."""
        down, across = level.blocks
        return cls(np.zeros(down * across, np.uint32), np.zeros(down * across, np.uint32))


def write_block(file: BinaryIO, data: bytes, table: BlockTable, index: int) -> None:
    """Append one compressed block with its leader and trailer and note its place."""
    file.write(struct.pack("<I", len(data)))
    table.offsets[index] = file.tell()
    table.sizes[index] = len(data)
    file.write(data)
    file.write(data[-4:])


def header(
    levels: Sequence[Level], tables: Sequence[BlockTable], spec: AssetSpec, frame: Grid
) -> bytes:
    """Return everything that stands before the blocks.

    Parameters
    ----------
    levels : sequence of Level
        The full image and its overviews, largest first.
    tables : sequence of BlockTable
        Where their blocks lie; the length of the result does not depend on the values.
    spec : AssetSpec
        Bands, type, scale and unit, which go into GDAL's metadata; "mode" overviews stand for
        classes and bring the colour table of the mask.
    frame : Grid
        Place of the full image on the ground.
    """
    parts = [struct.pack("<2sHI", b"II", 42, _FIRST_IFD), _GHOST]
    parts.append(b"\0" * (_FIRST_IFD - _HEADER_SIZE - len(_GHOST)))
    offset = _FIRST_IFD
    for number, (level, table) in enumerate(zip(levels, tables, strict=True)):
        tags = _image_tags(level, table, spec)
        if number == 0:
            tags += [*_ground_tags(frame), _text(42112, _metadata(spec))]
        else:
            tags.append(_numbers(254, _LONG, [1]))
        directory = _directory(tags, offset, last=number == len(levels) - 1)
        parts.append(directory)
        offset += len(directory)
    return b"".join(parts)


def _image_tags(level: Level, table: BlockTable, spec: AssetSpec) -> list[_Tag]:
    """Return the tags of shape, coding and blocks, which every level has."""
    bands = len(spec.bands)
    tags = [
        _numbers(256, _LONG, [level.cols]),
        _numbers(257, _LONG, [level.rows]),
        _numbers(258, _SHORT, [level.pixels.dtype.itemsize * 8] * bands),
        _numbers(259, _SHORT, [_DEFLATE]),
        _numbers(262, _SHORT, [_PALETTE if spec.overviews == "mode" else _MINISBLACK]),
        _numbers(277, _SHORT, [bands]),
        _numbers(284, _SHORT, [1]),
        _numbers(317, _SHORT, [_PREDICTOR_HORIZONTAL]),
        _numbers(322, _SHORT, [BLOCK]),
        _numbers(323, _SHORT, [BLOCK]),
        _Tag(324, _LONG, table.offsets.astype("<u4").tobytes(), table.offsets.size),
        _Tag(325, _LONG, table.sizes.astype("<u4").tobytes(), table.sizes.size),
        _numbers(339, _SHORT, [1] * bands),
        _text(42113, str(spec.nodata)),
    ]
    if bands > 1:
        tags.append(_numbers(338, _SHORT, [0] * (bands - 1)))
    if spec.overviews == "mode":
        tags.append(_numbers(320, _SHORT, _colour_map()))
    return tags


def _ground_tags(frame: Grid) -> list[_Tag]:
    """Return the tags of a north-up image in a projected CRS given by its EPSG code."""
    keys = [
        1, 1, 1, 3,
        1024, 0, 1, 1,  # GTModelType: projected
        1025, 0, 1, 1,  # GTRasterType: pixel is area
        3072, 0, 1, frame.epsg,  # ProjectedCRS
    ]  # fmt: skip
    return [
        _numbers(33550, _DOUBLE, [frame.resolution, frame.resolution, 0.0]),
        _numbers(33922, _DOUBLE, [0.0, 0.0, 0.0, frame.ulx, frame.uly, 0.0]),
        _numbers(34735, _SHORT, keys),
    ]


def _metadata(spec: AssetSpec) -> str:
    """Return GDAL's XML of band names, units and scales."""
    items = []
    for number, band in enumerate(spec.bands):
        entries = [("DESCRIPTION", band.name)]
        if spec.unit is not None:
            entries.append(("UNITTYPE", spec.unit))
        if spec.scale is not None:
            entries += [("OFFSET", "0"), ("SCALE", repr(spec.scale))]
        items += [
            f'<Item name="{name}" sample="{number}" role="{name.lower()}">{escape(text)}</Item>'
            for name, text in entries
        ]
    return f"<GDALMetadata>{''.join(items)}</GDALMetadata>"


def _colour_map() -> list[int]:
    """Return the 16-bit colour table of the mask: 256 reds, then greens, then blues."""
    table = np.zeros((3, 256), np.uint16)
    for value, colour in MASK_COLOURS.items():
        table[:, value] = np.array(colour) * 257
    return [int(entry) for entry in table.ravel()]


def _numbers(code: int, kind: int, values: Sequence[float]) -> _Tag:
    packed = struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)
    return _Tag(code, kind, packed, len(values))


def _text(code: int, text: str) -> _Tag:
    encoded = text.encode() + b"\0"
    return _Tag(code, _ASCII, encoded, len(encoded))


def _directory(tags: Sequence[_Tag], offset: int, *, last: bool) -> bytes:
    """Return one image file directory at ``offset``, its long values right behind it."""
    size = 2 + 12 * len(tags) + 4
    entries, values = [], b""
    for tag in sorted(tags, key=lambda tag: tag.code):
        if len(tag.values) <= 4:
            field = tag.values.ljust(4, b"\0")
        else:
            field = struct.pack("<I", offset + size + len(values))
            values += tag.values + b"\0" * (len(tag.values) % 2)
        entries.append(struct.pack("<HHI", tag.code, tag.kind, tag.count) + field)
    following = 0 if last else offset + size + len(values)
    return struct.pack("<H", len(tags)) + b"".join(entries) + struct.pack("<I", following) + values
