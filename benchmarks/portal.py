"""How soon the portal shows something: first results of the map search over a full catalogue.

Chromium, headless, with an empty cache for each visit; times are the page's own, from the begin
of its navigation. Rows have the figure and the bar it must reach.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.rows.archive import made_items
from benchmarks.rows.row import Row, at_most, show
from catalog.load import load
from infra.postgres import Cluster
from infra.roles import Dsns
from infra.site import PORTAL

VISITS = 5
READY_S = 120
FIRST_RESULTS_BAR_S = 2.0
PLACES = {
    "first results, all products": "search",
    "first results, one tile, little cloud": "search?tile=31TCL&cloud=20",
    "first results, a polygon and a year": "search?area=shape:0,43,4,43,4,46,0,46"
    "&from=2018-01-01&to=2018-12-31",
}
# Told by the page itself, so that neither this process nor the driver is measured.
OBSERVER = """
new MutationObserver((_, self) => {
  if (!document.querySelector('.results button.card')) return;
  window.firstResults = performance.now();
  self.disconnect();
}).observe(document, {childList: true, subtree: true});
"""


@contextmanager
def served(folder: Path, dsns: Dsns) -> Iterator[str]:
    """Serve the platform as `gfard serve` does; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "GFARD_DATA": str(folder),
        "GFARD_PORT": str(port),
        "GFARD_DATABASE_READ_URL": dsns.read_dsn,
        "GFARD_DATABASE_COUNTERS_URL": dsns.counters_dsn,
    }
    command = (sys.executable, "-m", "infra.cli", "serve")
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{address}/tiles/healthz")
            yield address
        finally:
            server.terminate()


def first_results_s(browser: Browser, url: str) -> float:
    """Seconds from the begin of a visit to the first product in the list."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(OBSERVER)
    page.goto(url)
    page.locator(".results button.card").first.wait_for(timeout=60_000)
    seconds = float(page.evaluate("window.firstResults")) / 1e3
    context.close()
    return seconds


def rows(address: str, items: int) -> Iterator[Row]:
    """Yield the median time of some visits for each kind of search."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        first_results_s(browser, f"{address}/#/search")
        for name, place in PLACES.items():
            times = [first_results_s(browser, f"{address}/#/{place}") for _ in range(VISITS)]
            median = statistics.median(times)
            yield at_most(f"{name}, {items} items", median, "s", FIRST_RESULTS_BAR_S)
        browser.close()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError(f"{url} does not answer within {READY_S} s")


def measured(items: int) -> Iterator[Row]:
    """Fill a fresh private catalogue and yield the rows."""
    reason = "no chromium" if shutil.which("chromium") is None else "the portal is not built"
    if shutil.which("chromium") is None or not (PORTAL / "index.html").is_file():
        yield Row("first results", None, "s", skipped=reason)
        return
    with tempfile.TemporaryDirectory(prefix="gfard-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Cluster(folder / "postgres", durable=False).running() as dsns:
            load(dsns.ingest_dsn, made_items(items))
            with served(folder, dsns) as address:
                yield from rows(address, items)


def main() -> None:
    """Measure and print one row a line; exit with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="40,000 items instead of 4,000")
    options = parser.parse_args()
    raise SystemExit(show(measured(40_000 if options.full else 4_000), as_json=options.json))


if __name__ == "__main__":
    main()
