# mypy: allow-untyped-calls
"""Pictures as files: what maps ask for is encoded by Pillow, the rest as titiler does.

GDAL's drivers build a dataset in memory for each picture and compress as hard as for an archive;
a map tile is looked at once.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rio_tiler.colormap import apply_cmap
from rio_tiler.models import ImageData
from rio_tiler.types import ColorMapType
from titiler.core.resources.enums import ImageType
from titiler.core.utils import render_image

_OPTIONS: dict[ImageType, dict[str, Any]] = {
    ImageType.jpeg: {"format": "JPEG", "quality": 85},
    ImageType.jpg: {"format": "JPEG", "quality": 85},
    # A fifth of the time of the smallest level; real tiles become 5 % larger.
    ImageType.png: {"format": "PNG", "compress_level": 1},
    # Half the time of Pillow's own method; real tiles become 4 % larger.
    ImageType.webp: {"format": "WEBP", "quality": 75, "method": 2},
}
"""Formats encoded here, with what Pillow is told."""


def encode(
    image: ImageData,
    colormap: ColorMapType | None = None,
    output_format: ImageType | None = None,
    add_mask: bool = True,
    rescale: Sequence[tuple[float, float]] | None = None,
    color_formula: str | None = None,
    **options: Any,
) -> tuple[bytes, str]:
    """Return the file of a picture and its media type; takes what titiler's ``render_image`` does.

    Parameters
    ----------
    image
        Pixels, shape (bands, rows, cols), and which of them show nothing.
    colormap
        Colours of values.
    output_format
        None for JPEG, or WebP where the picture shows nothing in places.
    add_mask
        Whether pixels that show nothing become transparent.
    rescale
        Values of each band, or of all, that become black and white.
    color_formula
        Operations of rio-color.
    options
        For GDAL's drivers.
    """
    mask = np.ma.getmaskarray(image.array)
    shown = np.logical_not(mask.all(axis=0))
    if output_format is None:
        output_format = ImageType.jpeg if shown.all() else ImageType.webp
    settings = _OPTIONS.get(output_format)
    colours = None
    if settings is not None and color_formula is None and not options:
        colours = _colours(image.array, shown, colormap, rescale)
    if settings is None or colours is None:
        return render_image(
            image, colormap, output_format, add_mask, rescale, color_formula, **options
        )
    bands, opacity = colours
    if add_mask and settings["format"] != "JPEG":
        bands = np.concatenate([bands, opacity[np.newaxis]])
    pixels = np.ascontiguousarray(np.moveaxis(bands, 0, -1))
    file = io.BytesIO()
    Image.fromarray(pixels if len(bands) > 1 else pixels[..., 0]).save(file, **settings)
    return file.getvalue(), output_format.mediatype


def _colours(
    pixels: np.ma.MaskedArray[Any, Any],
    shown: NDArray[np.bool_],
    colormap: ColorMapType | None,
    rescale: Sequence[tuple[float, float]] | None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Return colours and opacity as bytes, None where the bands make no plain picture."""
    data = _rescaled(pixels, rescale) if rescale else pixels.data
    if data.dtype != np.uint8:
        return None
    opacity = np.where(shown, np.uint8(255), np.uint8(0))
    if colormap:
        data, coloured = apply_cmap(data, colormap)
        opacity = np.where(shown, coloured, np.uint8(0))
    return (data, opacity) if len(data) in (1, 3) and data.dtype == np.uint8 else None


def _rescaled(
    pixels: np.ma.MaskedArray[Any, Any], ranges: Sequence[tuple[float, float]]
) -> NDArray[np.uint8]:
    """Return values of which the ends of a range become 0 and 255, rounded down; 0 for no data."""
    each = ranges if len(ranges) == len(pixels) else [ranges[0]] * len(pixels)
    scaled = np.empty(pixels.shape, np.uint8)
    hidden = np.ma.getmaskarray(pixels)
    for band, (low, high) in enumerate(each):
        values = np.where(hidden[band], low, pixels.data[band])
        unit = (np.clip(values, low, high) - low).astype(np.float32)
        scaled[band] = unit * np.float32(255 / (high - low))
    return scaled
