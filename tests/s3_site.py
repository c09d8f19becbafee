"""An S3 API server on loopback: moto's, in an environment of its own beside the tests'."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from catalog.bucket import BucketStore
from catalog.product import ItemId
from catalog.settings import BucketSettings

READY_WITHIN_S = 60


@contextmanager
def s3_server() -> Iterator[BucketSettings]:
    """Run the server; gives what reaches it. Skips where it is not installed."""
    program = shutil.which("moto_server", path=f"{sys.prefix}/moto/bin:{os.environ['PATH']}")
    if program is None:
        pytest.skip("moto_server is not installed: `make test` puts it into .venv/moto")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL
    ) as server:
        try:
            _wait_for(endpoint)
            yield BucketSettings(
                endpoint=endpoint,
                access_key_id="test",
                secret_access_key=SecretStr("secret"),
                session_token=None,
            )
        finally:
            server.terminate()


def make_bucket(settings: BucketSettings, name: str) -> str:
    """Make a bucket and return the address of a store in it."""
    httpx.put(f"{settings.endpoint}/{name}").raise_for_status()
    return f"s3://{name}/ard"


def environment(settings: BucketSettings) -> dict[str, str]:
    """Variables by which `gfard` reaches the server."""
    assert settings.endpoint is not None
    assert settings.access_key_id is not None
    assert settings.secret_access_key is not None
    return {
        "GFARD_S3_ENDPOINT": settings.endpoint,
        "GFARD_S3_ACCESS_KEY_ID": settings.access_key_id,
        "GFARD_S3_SECRET_ACCESS_KEY": settings.secret_access_key.get_secret_value(),
    }


def killed_while_putting(
    address: str, settings: BucketSettings, name: str, folder: Path, item: dict[str, Any]
) -> None:
    """Commit a product and die when half of its files are there (in a process of its own)."""
    put = BucketStore.put
    count = iter(range(4))

    def dying_put(self: BucketStore, key: str, content: Path | bytes, media_type: str) -> None:
        put(self, key, content, media_type)
        if next(count) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    BucketStore.put = dying_put  # type: ignore[method-assign]
    with BucketStore(address, settings).draft(ItemId.parse(name)) as draft:
        shutil.copytree(folder, draft.folder, dirs_exist_ok=True)
        draft.commit(item)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer within {READY_WITHIN_S} s")
