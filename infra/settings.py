"""Options of the running platform, read once at the edge from the environment."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from catalog.stores import is_bucket
from infra.roles import Dsns


class InfraSettings(BaseSettings):
    """Where the platform keeps its things and where it answers.

    Environment names carry the prefix ``GFARD_``, e.g. ``GFARD_DATA`` or ``GFARD_PORT``; an empty
    value is as none, because a file of Compose hands on what nobody has set as that.
    """

    model_config = SettingsConfigDict(
        env_prefix="GFARD_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    data: Path = Field(
        default=Path("gfard-data"), description="folder of database, store and scratch"
    )
    store: str = Field(
        default_factory=lambda data: str(data["data"] / "store"),
        description="folder or s3:// address of the products; default: store below the data folder",
    )
    host: str = Field(default="127.0.0.1", description="address the portal listens on")
    port: int = Field(
        default=8000, ge=0, le=65535, description="port of the portal; 0 takes a free one"
    )
    public_url: str | None = Field(
        default=None, description="address as the world sees it; default: host and port"
    )
    title: str = Field(
        default="Gaofen 16 m analysis ready data", description="heading of the portal"
    )
    contact: str | None = Field(
        default=None, description="mail address or web page of the operator, shown in the portal"
    )
    catalog_workers: int = Field(
        default=1, ge=1, le=64, description="processes that answer searches and send files"
    )
    tiler_workers: int = Field(
        default_factory=lambda: min(os.cpu_count() or 1, 4),
        ge=1,
        le=64,
        description="processes that draw tiles",
    )
    database_url: SecretStr | None = Field(
        default=None, description="database to use instead of the private one, as its owner"
    )
    database_read_url: SecretStr | None = Field(
        default=None, description="the same, as the read login"
    )
    database_ingest_url: SecretStr | None = Field(default=None, description="as the ingest login")
    database_counters_url: SecretStr | None = Field(
        default=None, description="as the counters login"
    )

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("store")
    @classmethod
    def _absolute_folder(cls, value: str) -> str:
        return value if is_bucket(value) else str(Path(value).expanduser().absolute())

    @field_validator("public_url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("wanted an address that begins with http:// or https://")
        return value.rstrip("/") if value else None

    @model_validator(mode="after")
    def _logins_together(self) -> Self:
        if self.database_ingest_url and not self.database_read_url:
            raise ValueError("GFARD_DATABASE_INGEST_URL needs GFARD_DATABASE_READ_URL beside it")
        return self

    @property
    def own_title(self) -> str | None:
        """Title that the operator chose; None leaves it to the portal, which knows languages."""
        return None if self.title == type(self).model_fields["title"].default else self.title

    @property
    def cluster(self) -> Path:
        """Folder of the private database."""
        return self.data / "postgres"

    def address(self, port: int) -> str:
        """Address of the portal as the world sees it, when it listens on ``port``."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def for_workers(self, dsns: Dsns, address: str) -> Mapping[str, str]:
        """Environment of a public worker process: these options, and the harmless logins alone.

        Parameters
        ----------
        dsns
            Database of the platform; owner and ingest login stay here.
        address
            Address of the portal.
        """
        kept = {name: value for name, value in os.environ.items() if name not in _PRIVATE}
        return kept | {
            "GFARD_DATA": str(self.data),
            "GFARD_STORE": self.store,
            "GFARD_TITLE": self.title,
            **({"GFARD_CONTACT": self.contact} if self.contact else {}),
            "GFARD_PUBLIC_URL": address,
            "GFARD_DATABASE_READ_URL": dsns.read_dsn,
            "GFARD_DATABASE_COUNTERS_URL": dsns.counters_dsn,
        }


_PRIVATE = frozenset({"GFARD_DATABASE_URL", "GFARD_DATABASE_INGEST_URL"})
