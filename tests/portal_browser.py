"""A real browser for the portal's tests: visits that must end without a complaint, and pictures."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from infra.site import PORTAL

ARTIFACTS = Path("artifacts")
DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENT_MS = 120_000
"""Limit of every wait: a software-drawn map is slow, and shared cores stand still at times."""
_AXE = PORTAL.parent / "node_modules/axe-core/axe.min.js"
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
]


def need_page() -> None:
    """Skip where the portal is not built."""
    if not (PORTAL / "index.html").is_file():
        pytest.skip("the portal's page is not built: run `make install`")


@contextmanager
def launched() -> Iterator[Browser]:
    """Headless Chromium of the system."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium: install Debian's package chromium")
    expect.set_options(timeout=PATIENT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield browser
        browser.close()


class Visits:
    """Opens the portal in new contexts of a browser; nothing may go wrong there in silence.

    Parameters
    ----------
    browser
        Browser of the tests.
    site
        Address of the portal.
    """

    def __init__(self, browser: Browser, site: str) -> None:
        self.site = site
        self.browser = browser

    @contextmanager
    def __call__(
        self,
        place: str = "",
        size: dict[str, int] = DESKTOP,
        scheme: str = "light",
        locale: str = "en-GB",
        agent: str | None = None,
    ) -> Iterator[Page]:
        """Visit a place of the portal, which is the hash of its address without ``#/``."""
        complaints: list[str] = []
        context = self.browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            color_scheme=scheme,  # type: ignore[arg-type]
            locale=locale,
            user_agent=agent,
        )
        context.set_default_timeout(PATIENT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.extend(_error(said)))
        page.on("request", lambda asked: complaints.extend(self._foreign(asked.url)))
        page.goto(f"{self.site}/#/{place}")
        try:
            yield page
        finally:
            context.close()
            assert complaints == [], complaints

    def _foreign(self, url: str) -> list[str]:
        own = url.startswith((f"{self.site}/", "blob:", "data:"))
        return [] if own else [f"request to elsewhere: {url}"]


def _error(said: ConsoleMessage) -> list[str]:
    return [f"{said.text} {said.location['url']}"] if said.type == "error" else []


def cards(page: Page) -> Locator:
    """Products of the list of results."""
    return page.locator(".results button.card")


def open_first(page: Page) -> None:
    """Open the first product of the list."""
    cards(page).first.click()
    expect(page.locator(".product h2")).to_be_visible()


def shown(page: Page, name: str) -> NDArray[np.int16]:
    """Keep a screenshot and return its pixels, shape (rows, cols, 3), 0-255."""
    ARTIFACTS.mkdir(exist_ok=True)
    data = page.screenshot(path=ARTIFACTS / f"portal-{name}.png")
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)


def map_place(page: Page, across: float = 0.5, down: float = 0.5) -> tuple[int, int]:
    """Column and row of the page at a share of the map's width and height, once it is open."""
    expect(page.locator(".map-home")).to_be_visible()
    box = page.locator(".map").bounding_box()
    assert box is not None
    return int(box["x"] + box["width"] * across), int(box["y"] + box["height"] * down)


def wait_for_colour(
    page: Page, name: str, wanted: tuple[int, int, int], away: int = 12, across: float = 0.5
) -> None:
    """Wait until a place of the map has a colour; the map draws when it has its tiles."""
    seen: Any = None
    for _ in range(PATIENT_MS // 500):
        page.wait_for_timeout(500)
        x, y = map_place(page, across)
        seen = shown(page, name)[y, x]
        if np.abs(seen - wanted).max() <= away:
            return
    pytest.fail(f"the map has {seen} at {across:.0%} of its width, wanted {wanted}")


def serious_faults(page: Page) -> list[tuple[str, str, str]]:
    """Serious and critical findings of axe-core about the page as it is."""
    if not _AXE.is_file():
        pytest.skip("axe-core is not installed: run `make install`")
    page.evaluate(_AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (one["id"], node["html"][:200], node["failureSummary"])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
