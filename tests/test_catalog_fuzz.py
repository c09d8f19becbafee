"""Nothing that the API's own description allows, or nearly allows, makes the server fail."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.folder import FolderStore
from infra.roles import Dsns
from tests.catalog_products import facts
from tests.live_site import live_site

pytestmark = pytest.mark.integration

START = datetime(2016, 1, 20, 3, tzinfo=UTC)
OPERATIONS = 26


@pytest.mark.filterwarnings("ignore:BBOX crossing")  # said of areas that make no sense
def test_the_whole_description_is_asked_without_a_server_error(
    postgres: Dsns, tmp_path: Path
) -> None:
    products = [facts("GF1WFV2", START + timedelta(days=9 * n), "FZ1") for n in range(2)]
    with live_site(postgres, FolderStore(tmp_path / "store"), products) as site:
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{site.stac}/api",
            "--url", site.stac, "--checks=not_a_server_error", "--phases=examples,fuzzing",
            "--max-examples=4", "--generation-deterministic", "--no-color",
            "--max-response-time=20",
        ]  # fmt: skip
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-4000:]
    tested = re.search(r"Operations:\s+(\d+) selected", result.stdout)
    assert tested is not None
    assert int(tested[1]) == OPERATIONS
