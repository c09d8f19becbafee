"""Options of production, read once at the edge from the environment or the command line."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProcessSettings(BaseSettings):
    """How a scene is produced; the values used go into every item.

    Environment names carry the prefix ``GFARD_PROCESS_``, e.g. ``GFARD_PROCESS_VERSION``.
    """

    model_config = SettingsConfigDict(
        env_prefix="GFARD_PROCESS_", extra="forbid", frozen=True, validate_default=True
    )

    version: str = Field(
        "000001", pattern=r"^[0-9A-Za-z]+$", description="processing version inside item ids"
    )
    kernel: Literal["cubic", "bilinear"] = Field(
        "cubic", description="resampling kernel from the image to the tile"
    )
    irradiance: Literal["tsis1", "published"] = Field(
        "tsis1", description="solar spectrum behind reflectance"
    )
    normalisation: Path | None = Field(
        None, description="table of `gfard normalise`; none takes the one of the package"
    )
    cloud_limit_percent: float = Field(
        80.0, ge=0, le=100, description="share of cloud and shadow from which a scene is rejected"
    )
    minimum_valid_percent: float = Field(
        1.0, ge=0, le=100, description="share of valid pixels below which a tile is not made"
    )
    low_sun_deg: float = Field(70.0, ge=0, le=90, description="sun zenith flagged in qa")
    sun_limit_deg: float = Field(
        75.0,
        ge=0,
        le=75,
        description="sun zenith above which a scene is rejected, and pixels are no data",
    )
    reference_band: Literal["red", "nir", "green", "blue"] = Field(
        "red", description="band to compare with the reference; the next best where it has none"
    )
    allow_unverified: bool = Field(
        False, description="make degraded products of scenes that no reference can vouch for"
    )
    history_days: int = Field(
        45,
        ge=0,
        le=365,
        description="products of the store so many days around count as expected ground; 0: none",
    )
    uncertainty: bool = Field(
        False, description="also write one sigma of optical depth and surface reflectance"
    )
    nbar: bool = Field(
        False, description="also write reflectance normalised for view and sun (c-factor)"
    )
    adjacency: bool = Field(
        False, description="take the light that the air scatters from around out of reflectance"
    )
    terrain_correction: Literal["none", "scs+c"] = Field(
        "none", description="correction of the light on slopes; needs heights"
    )
    network: bool = Field(True, description="use the cloud network beside the rules")
    mask_model: Path | None = Field(
        None,
        description="cloud network: an .onnx file with a .json beside it; none takes ukis-csmask",
    )
    cloud_buffer_px: int = Field(
        0, ge=0, le=100, description="pixels by which clouds are widened in mask and qa"
    )
    shadow_buffer_px: int = Field(
        0, ge=0, le=100, description="pixels by which shadows are widened in mask and qa"
    )
    snow_prior: Path | None = Field(
        None, description="raster of snow cover around the day of the scene, percent"
    )
