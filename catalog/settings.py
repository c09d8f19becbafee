"""Settings of the catalogue's services and checks, from the environment or from the caller."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class CatalogSettings(BaseSettings):
    """What the STAC API, the file service and the checks need to know.

    Each is read from ``GFARD_<NAME>`` where the caller gives none.
    """

    model_config = SettingsConfigDict(env_prefix="GFARD_", extra="forbid", frozen=True)

    database_url: SecretStr = Field(description="PostgreSQL URL of a login that may only read")
    store: str | Path = Field(description="Folder or s3:// address whose files are served")
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


class BucketSettings(BaseSettings):
    """How S3-compatible buckets are reached.

    Each is read from ``GFARD_S3_<NAME>``, or from the variable that the AWS tools use. Without keys
    those of the machine (instance, container, web identity) are taken.
    """

    model_config = SettingsConfigDict(
        env_prefix="GFARD_S3_", extra="forbid", frozen=True, populate_by_name=True
    )

    endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices(
            "GFARD_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"
        ),
        description="Address of the service, such as https://minio.example.org; AWS without",
    )
    region: str = Field(
        "us-east-1",
        validation_alias=AliasChoices("GFARD_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="Region of the bucket",
    )
    access_key_id: str | None = Field(
        None, validation_alias=AliasChoices("GFARD_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID")
    )
    secret_access_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("GFARD_S3_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY")
    )
    session_token: SecretStr | None = Field(
        None, validation_alias=AliasChoices("GFARD_S3_SESSION_TOKEN", "AWS_SESSION_TOKEN")
    )
    redirect: bool = Field(
        False,
        description="Send readers of /data on to the bucket by signed addresses that last an hour, "
        "instead of passing the bytes on",
    )
