"""The networks there are: those that ``ukis-csmask`` ships, and any ONNX file with a card.

The default is the four-band TOA network of ``ukis-csmask`` (Apache-2.0): a U-Net over an
EfficientNet-B4 encoder, trained on Landsat and Sentinel-2 at about 30 m. A file of one's own is
described by a JSON file of the same name beside it, ``net.onnx`` by ``net.json``; its fields are
those of :class:`Description`.
"""

import hashlib
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from catalog.errors import MaskError
from processing.quality.network import Level, ModelCard, OnnxModel, Recipe

_FILES: dict[Level, str] = {"TOA": "model_4b_l1c", "SR": "model_4b_l2a"}

_Channels = Annotated[tuple[int, ...], Field(description="output channels, summed")]


class Description(BaseModel):
    """What a network is and how it is used, as its JSON file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    licence: str = Field(min_length=1, description="SPDX identifier, or where to read it")
    resolution_m: float = Field(gt=0, le=1000, description="pixel size it works at")
    level: Level = Field("TOA", description="reflectance it is made for")
    bands: tuple[str, ...] = Field(min_length=1, description="input channels by band name")
    mean: tuple[float, ...] = Field(description="subtracted from reflectance, by channel")
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(description="divided by, by channel")
    cloud: _Channels
    shadow: _Channels
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    block: int = Field(256, ge=32, le=4096, description="side of a block in pixels")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != len(self.bands):
                raise ValueError(f"{len(self.bands)} bands, but {name} has {len(values)} values")
        if not self.cloud or min((*self.cloud, *self.shadow)) < 0:
            raise ValueError("cloud needs at least one output channel, counted from 0")
        return self

    def load(self, weights: Path) -> OnnxModel:
        """Return the network of the file ``weights``."""
        card = ModelCard(
            self.name,
            self.version,
            self.licence,
            hashlib.sha256(weights.read_bytes()).hexdigest(),
            self.resolution_m,
            self.level,
            self.bands,
        )
        recipe = Recipe(
            self.mean,
            self.std,
            self.cloud,
            self.shadow,
            self.activation,
            self.block,
        )
        return OnnxModel(weights, card, recipe)


@cache
def load_model(weights: Path | None = None, level: Level = "TOA") -> OnnxModel:
    """Return a network, loaded once per process.

    Parameters
    ----------
    weights
        An ``.onnx`` file with its description beside it; None takes the network shipped for
        ``level``.
    level
        Reflectance that the shipped network is wanted for.

    Raises
    ------
    MaskError
        A file is missing or not what it should be.
    """
    if weights is None:
        return _shipped(level)
    path = weights.with_suffix(".json")
    for wanted in (weights, path):
        if not wanted.is_file():
            raise MaskError(
                f"{wanted}: no such file; a network is an .onnx file with a .json of the same "
                "name beside it"
            )
    try:
        description = Description.model_validate_json(path.read_text())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "as a whole"
        raise MaskError(f"{path}: {place}: {first['msg']}") from error
    return description.load(weights)


def _shipped(level: Level) -> OnnxModel:
    """Return the four-band network of ``ukis-csmask`` for a level."""
    package = resources.files("ukis_csmask")
    meta = json.loads((package / f"{_FILES[level]}.json").read_text())
    mean, std = meta["data"]["dataset_statistics"]["img"]
    description = Description(
        name="ukis-csmask",
        version=meta["model"]["version"],
        licence="Apache-2.0",
        resolution_m=30.0,
        level=level,
        bands=meta["data"]["dataset_statistics"]["band_names"],
        mean=mean,
        std=std,
        cloud=(1,),
        shadow=(2,),
        block=meta["data"]["target_size"][0],
    )
    with resources.as_file(package / f"{_FILES[level]}.onnx") as weights:
        return description.load(weights)
