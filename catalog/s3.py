"""How S3-compatible buckets are reached: by obstore, by GDAL, and by readers of STAC items."""

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.store import S3Store
from pydantic import SecretStr

from catalog.settings import BucketSettings

if TYPE_CHECKING:
    from obstore.store import ClientConfig


def connect(bucket: str, prefix: str, settings: BucketSettings) -> S3Store:
    """Return the objects of a bucket below a prefix, which may be empty."""
    given: dict[str, Any] = {
        "endpoint": settings.endpoint,
        "access_key_id": settings.access_key_id,
        "secret_access_key": _text(settings.secret_access_key),
        "session_token": _text(settings.session_token),
    }
    return S3Store(
        bucket,
        prefix=prefix or None,
        region=settings.region,
        client_options=_client(settings),
        retry_config={"max_retries": 4, "retry_timeout": timedelta(minutes=2)},
        **{name: value for name, value in given.items() if value},
    )


def scheme(bucket: str, settings: BucketSettings) -> dict[str, str]:
    """Describe the bucket by the fields of STAC's storage extension."""
    if settings.endpoint:
        platform = f"{settings.endpoint.rstrip('/')}/{{bucket}}"
        return {"type": "custom-s3", "platform": platform, "bucket": bucket}
    platform = "https://{bucket}.s3.{region}.amazonaws.com"
    return {"type": "aws-s3", "platform": platform, "bucket": bucket, "region": settings.region}


def _client(settings: BucketSettings) -> "ClientConfig":
    """A large file may take long; a connection may not be silent for long."""
    plain = (settings.endpoint or "").startswith("http://")
    return {
        "allow_http": plain,
        "timeout": timedelta(hours=2),
        "read_timeout": timedelta(minutes=1),
    }


@lru_cache(maxsize=1)
def teach_gdal(settings: BucketSettings) -> None:
    """Give GDAL's ``/vsis3/`` of this process the same way to the bucket.

    GDAL knows one way at a time: other S3 addresses then lead to the same service.
    """
    from rasterio.env import set_gdal_config

    options = {
        "AWS_REGION": settings.region,
        "AWS_ACCESS_KEY_ID": settings.access_key_id,
        "AWS_SECRET_ACCESS_KEY": _text(settings.secret_access_key),
        "AWS_SESSION_TOKEN": _text(settings.session_token),
    }
    if settings.endpoint:
        endpoint = urlsplit(settings.endpoint)
        options |= {
            "AWS_S3_ENDPOINT": f"{endpoint.netloc}{endpoint.path}".rstrip("/"),
            "AWS_HTTPS": "YES" if endpoint.scheme == "https" else "NO",
            "AWS_VIRTUAL_HOSTING": "NO",
        }
    for name, value in options.items():
        if value:
            set_gdal_config(name, value)


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
