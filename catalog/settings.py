"""Settings of the catalogue's services and checks, from the environment or from the caller."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class CatalogSettings(BaseSettings):
    """What the STAC API, the file service and the checks need to know.

    Each is read from ``GFARD_<NAME>`` where the caller gives none.
    """

    model_config = SettingsConfigDict(env_prefix="GFARD_", extra="forbid", frozen=True)

    database_url: SecretStr = Field(description="PostgreSQL URL of a login that may only read")
    store: Path = Field(description="Root of the store whose files are served")
    public_url: str = Field(
        "http://127.0.0.1:8000", description="Address under which visitors reach the platform"
    )
    title: str = Field("Gaofen 16 m Analysis Ready Data", description="Title of the STAC API")
    max_connections: int = Field(
        8, ge=1, le=100, description="Most database connections of one process"
    )


class CheckSettings(BaseSettings):
    """What checks of products need to know."""

    model_config = SettingsConfigDict(env_prefix="GFARD_", extra="forbid", frozen=True)

    stac_schemas: Path | None = Field(
        None, description="Folder with the STAC JSON schemas and their index.json"
    )
