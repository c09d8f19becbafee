"""Settings of the tiler, from the environment or from the caller."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class TilerSettings(BaseSettings):
    """What the tiler needs to know, and how much one visitor may ask of it.

    Each is read from ``GFARD_<NAME>`` where the caller gives none.
    """

    model_config = SettingsConfigDict(env_prefix="GFARD_", extra="forbid", frozen=True)

    database_url: SecretStr = Field(description="PostgreSQL URL of a login that may only read")
    store: str | Path = Field(description="Folder or s3:// address whose files are drawn")
    public_url: str = Field(
        "http://127.0.0.1:8000", description="Address below which published hrefs lie"
    )
    max_connections: int = Field(
        8, ge=1, le=100, description="Most database connections of one process"
    )
    searches_per_minute: int = Field(
        30, ge=0, description="Searches that one process registers in a minute"
    )
