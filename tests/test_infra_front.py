"""The front's configuration as it stands, run by nginx in front of the platform."""

import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from infra.roles import Dsns
from infra.server import listen
from tests.portal_browser import Visits, cards, launched, need_page
from tests.portal_site import GRID, TILE, item_id, served_site

ROOT = Path(__file__).parents[1]
READY_WITHIN_S = 120
BURSTS = 5
"""Tries of a burst: on a machine that stands still meanwhile it is none."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]


@dataclass(frozen=True, slots=True)
class Front:
    """Address of the front, and its log."""

    address: str
    log: Path


def _nginx() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("no nginx: install Debian's package nginx-light")
    return found


def _configuration(folder: Path, port: int, behind: str) -> Path:
    """The shipped file with the places of containers replaced by those of this machine."""
    text = (ROOT / "infra/docker/nginx.conf").read_text()
    for there, here in {
        " /tmp/": f" {folder}/",
        "catalog:8000": behind,
        "tiler:8000": behind,
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "/dev/stderr": f"{folder}/errors",
        "/dev/stdout": f"{folder}/log",
    }.items():
        assert there in text, there
        text = text.replace(there, here)
    file = folder / "nginx.conf"
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def front(postgres: Dsns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    nginx = _nginx()
    folder = tmp_path_factory.mktemp("front")
    folder.chmod(0o755)  # workers of a master run by root belong to nobody
    folder.parent.chmod(0o755)
    with served_site(tmp_path_factory.mktemp("site"), postgres, count=2) as site:
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        file = _configuration(folder, port, urlsplit(site).netloc)
        subprocess.run([nginx, "-t", "-c", file], check=True, capture_output=True)
        running = subprocess.Popen(
            [nginx, "-c", file, "-g", "daemon off;"], stderr=subprocess.DEVNULL
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/healthz")
            yield Front(address, folder / "log")
        finally:
            running.terminate()
            running.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"{url} does not answer")


def test_every_answer_says_what_a_browser_may_do_with_it(front: Front) -> None:
    for path in ("/", "/stac", "/data/none", "/tiles/none", "/counters"):
        headers = httpx.get(front.address + path, follow_redirects=True).headers
        for name in ("content-security-policy", "referrer-policy", "x-content-type-options"):
            assert len(headers.get_list(name)) == 1, (path, name)
        page = "script-src" in headers["content-security-policy"] or path == "/"
        assert page or "default-src 'none'" in headers["content-security-policy"], path
        assert "strict-transport-security" not in headers
        assert headers["server"] == "nginx"
    secure = httpx.get(f"{front.address}/stac/", headers={"X-Forwarded-Proto": "https"})
    assert secure.headers["strict-transport-security"] == "max-age=31536000"
    assert {urlsplit(one["href"]).scheme for one in secure.json()["links"]} == {"https"}


def test_texts_are_packed_and_pictures_and_files_are_not(front: Front) -> None:
    lon, lat = (float(value[0]) for value in GRID.lonlat([200.0], [80.0]))
    series = f"/tiles/collections/{item_id(0).collection}/timeseries?lon={lon}&lat={lat}"
    product = f"/stac/collections/{item_id(0).collection}/items/{item_id(0)}"
    with httpx.Client(base_url=front.address, headers={"Accept-Encoding": "gzip"}) as client:
        assert client.get(product).headers["content-encoding"] == "gzip"
        assert client.get("/tiles/api").headers["content-encoding"] == "gzip"
        assert client.get(series).json()["looks"]
        file = urlsplit(client.get(product).json()["assets"]["AOD"]["href"]).path
        part = client.get(file, headers={"Range": "bytes=0-99"})
        assert (part.status_code, len(part.content)) == (206, 100)
        assert "content-encoding" not in part.headers


def test_tiles_are_asked_for_again_by_their_tag(front: Front) -> None:
    identity = item_id(0)
    picture = f"/tiles/collections/{identity.collection}/items/{identity}/preview?render=mask"
    with httpx.Client(base_url=front.address) as client:
        first = client.get(picture)
        assert first.headers["cache-control"] == "public, max-age=3600"
        again = client.get(picture, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        page = client.get("/").text
        script = re.search(r'src="\./(assets/[^"]+\.js)"', page)
        assert script is None or "immutable" in client.head(script[1]).headers["cache-control"]


def test_a_burst_is_held_back_and_told_when_to_come_again(front: Front) -> None:
    # An answer that costs next to nothing behind the front.
    url = f"{front.address}/stac/nothing"
    for _ in range(BURSTS):
        _settled()
        with httpx.Client(limits=httpx.Limits(max_connections=32)) as client:

            def ask(number: int, client: httpx.Client = client) -> httpx.Response:
                # A made-up origin gives nobody limits of their own.
                return client.get(url, headers={"X-Forwarded-For": f"192.0.2.{number}"})

            with ThreadPoolExecutor(32) as pool:
                answers = list(pool.map(ask, range(200)))
        told = Counter(answer.status_code for answer in answers)
        assert set(told) <= {404, 429}
        assert told[404] >= 60
        if told[429] >= 20:
            break
    assert told[429] >= 20
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["code"] == "TooManyRequests"
    _settled()
    assert httpx.get(url).status_code == 404


def _settled() -> None:
    """Wait until what was asked before counts no longer: 60 searches at 20 a second."""
    time.sleep(3.1)


def test_more_than_two_megabytes_are_not_read(front: Front) -> None:
    answer = httpx.post(f"{front.address}/stac/search", content=b" " * 2_200_000)
    assert answer.status_code == 413
    assert answer.json()["code"] == "TooLarge"


def test_the_log_holds_networks_and_no_addresses(front: Front) -> None:
    httpx.get(f"{front.address}/healthz")
    lines = front.log.read_text().splitlines()
    assert lines
    assert all(line.startswith("127.0.0.0 [") for line in lines)


@pytest.mark.slow
def test_the_portal_runs_behind_it_without_a_complaint(front: Front) -> None:
    need_page()
    # What the policy forbids is an error on the console, and a visit with one fails.
    with launched() as browser:
        visit = Visits(browser, front.address)
        with visit(
            f"search?tile={TILE}&tab=series&item={item_id(0).collection}/{item_id(0)}"
        ) as page:
            cards(page).first.locator("img").evaluate("one => one.decode()")
            page.locator(".map canvas").first.wait_for()
        with visit() as page:
            page.locator(".latest img").first.evaluate("one => one.decode()")
        with visit("datasets/gf1-wfv-ard") as page:
            page.get_by_role("tab", name="curl").wait_for()
