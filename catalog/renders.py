"""Named pictures of a product: the one list that collections publish and the tiler draws.

A render follows the STAC render extension. Its assets carry their options in the spelling of
titiler, ``SR|bidx=3,2,1``; rescaling is in stored integers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from catalog.product import MASK_COLOURS, REFLECTANCE_BANDS, MaskClass


@dataclass(frozen=True, slots=True)
class Render:
    """How a picture is made from an item.

    Attributes
    ----------
    name, title
        Key in URLs and collections, and what people read.
    assets
        Assets with their options, e.g. ``SR|bidx=3,2,1``.
    rescale
        Stored integers (or values of the expression) that become black and white; None for
        coded values.
    colormap_name, colormap
        A palette of rio-tiler, or colours (red, green, blue, opacity) by value.
    resampling
        How pixels are resampled in a picture.
    """

    name: str
    title: str
    assets: tuple[str, ...]
    rescale: tuple[float, float] | None = None
    colormap_name: str | None = None
    colormap: Mapping[int, tuple[int, int, int, int]] | None = None
    resampling: str = "bilinear"

    def as_stac(self) -> dict[str, Any]:
        """Return the entry of a collection's ``renders``."""
        entry: dict[str, Any] = {
            "title": self.title,
            "assets": list(self.assets),
            "resampling": self.resampling,
        }
        if self.rescale is not None:
            entry["rescale"] = [list(self.rescale)]
        if self.colormap_name is not None:
            entry["colormap_name"] = self.colormap_name
        if self.colormap is not None:
            entry["colormap"] = {str(value): list(rgba) for value, rgba in self.colormap.items()}
        return entry

    def query(self) -> str:
        """Return the query string that asks titiler for this picture."""
        pairs = [("assets", asset) for asset in self.assets]
        if self.rescale is not None:
            pairs.append(("rescale", f"{self.rescale[0]:g},{self.rescale[1]:g}"))
        if self.colormap_name is not None:
            pairs.append(("colormap_name", self.colormap_name))
        if self.colormap is not None:
            colours = {str(value): list(rgba) for value, rgba in self.colormap.items()}
            pairs.append(("colormap", orjson.dumps(colours).decode()))
        pairs.append(("resampling", self.resampling))
        return urlencode(pairs)


def _bands(*names: str) -> str:
    """Return the numbers of bands that every satellite has at the same place in the file."""
    order = [band.name for band in REFLECTANCE_BANDS["GF1"]]
    return ",".join(str(order.index(name) + 1) for name in names)


_NDVI = "(b{nir}-b{red})/(b{nir}+b{red})".format(nir=_bands("nir"), red=_bands("red"))

RENDERS = (
    Render(
        "true-colour",
        "True colour",
        (f"SR|bidx={_bands('red', 'green', 'blue')}",),
        rescale=(0, 3000),
    ),
    Render(
        "false-colour",
        "False colour (near infrared, red, green)",
        (f"SR|bidx={_bands('nir', 'red', 'green')}",),
        rescale=(0, 5000),
    ),
    Render(
        "ndvi",
        "NDVI",
        (f"SR|expression={_NDVI}",),
        rescale=(-0.2, 0.9),
        colormap_name="rdylgn",
    ),
    Render(
        "aod",
        "Aerosol optical depth at 550 nm, 0 to 1",
        ("AOD",),
        rescale=(0, 10000),
        colormap_name="ylorbr",
    ),
    Render(
        "mask",
        "Pixel classes",
        ("mask",),
        colormap={
            int(value): (*colour, 0 if value is MaskClass.FILL else 255)
            for value, colour in MASK_COLOURS.items()
        },
        resampling="nearest",
    ),
)
RENDER = {render.name: render for render in RENDERS}
DEFAULT_RENDER = RENDERS[0]
