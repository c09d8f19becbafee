"""A product as the assessment sees it: published item, collection, and some of its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from catalog.product import QA, MaskClass

_ROWS = 512
"""Rows around the fullest one that are read to judge the pixels."""


@dataclass(frozen=True, slots=True)
class Product:
    """A published item with its collection and the folder that holds its files."""

    item: Mapping[str, Any]
    collection: Mapping[str, Any]
    folder: Path

    @property
    def facts(self) -> Mapping[str, Any]:
        """The item's properties."""
        properties: Mapping[str, Any] = self.item["properties"]
        return properties

    def has(self, *names: str) -> bool:
        """Tell whether the item has all these properties."""
        return all(self.facts.get(name) is not None for name in names)

    def links(self, rel: str) -> list[str]:
        """Return where the item's links of a relation lead."""
        return [link["href"] for link in self.item["links"] if link["rel"] == rel]

    def described(self, anchor: str) -> bool:
        """Tell whether the item links to a section of the description of methods."""
        return any(href.endswith(f"#{anchor}") for href in self.links("describedby"))

    def roles(self, key: str) -> frozenset[str]:
        """Return the roles of an asset, none where it is absent."""
        return frozenset(self.item["assets"].get(key, {}).get("roles", ()))

    @property
    def has_doi(self) -> bool:
        """Tell whether the collection has a registered DOI."""
        return self.collection.get("sci:doi") is not None

    @property
    def verified(self) -> bool:
        """Tell whether the accuracy was measured on check points against a named reference."""
        return self.has("accuracy:geometric_rmse", "gfard:geometric_reference")

    def pixels(self) -> "Pixels":
        """Read the rows of the assets in which most pixels are valid."""
        with rasterio.open(self._file("mask")) as raster:
            coarse = raster.read(1, out_shape=(raster.height // 16, raster.width // 16))
            middle = 16 * int(np.count_nonzero(coarse, axis=1).argmax())
            first = min(max(middle - _ROWS // 2, 0), raster.height - min(_ROWS, raster.height))
            window = Window(0, first, raster.width, min(_ROWS, raster.height))
        return Pixels(*(self._read(key, window) for key in ("mask", "qa", "SR", "angle")))

    def _read(self, key: str, window: Window) -> NDArray[Any]:
        with rasterio.open(self._file(key)) as raster:
            return np.asarray(raster.read(window=window))

    def _file(self, key: str) -> Path:
        return self.folder / Path(str(self.item["assets"][key]["href"])).name


@dataclass(frozen=True, slots=True)
class Pixels:
    """Some full rows of a product's assets, as stored, each (bands, rows, cols)."""

    mask: NDArray[Any]
    qa: NDArray[Any]
    sr: NDArray[Any]
    angle: NDArray[Any]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Pixels with an observation, (rows, cols)."""
        return np.asarray(self.mask[0] != MaskClass.FILL)

    def holds(self, field: str) -> NDArray[np.bool_]:
        """Tell where a field of the bit field is above zero, (rows, cols)."""
        bits = self.qa[0] >> QA[field].offset & (1 << QA[field].length) - 1
        return np.asarray(bits > 0)
