"""The portal in a real browser: search, open a product, switch its layers, download."""

import io
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

from catalog.product import MASK_COLOURS, MaskClass
from infra.roles import Dsns
from infra.site import PORTAL
from tests.portal_site import COUNT, TILE, is_cloudy, item_id, served_site

# rio-tiler silences this warning around its encoder, in threads, which warnings does not bear:
# now and then it would become an error there, and the tile a 400.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]

ARTIFACTS = Path("artifacts")
DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}
AXE = PORTAL.parent / "node_modules/axe-core/axe.min.js"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
]
PATIENT_MS = 30_000
"""Limit of every wait: a software-drawn map on two shared cores is slow."""

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def site(postgres: Dsns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not (PORTAL / "index.html").is_file():
        pytest.skip("the portal's page is not built: run `make install`")
    with served_site(tmp_path_factory.mktemp("portal"), postgres) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium: install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, site: str) -> Open:
    """Open the portal at a permalink; at the end nothing may have gone wrong in silence."""

    @contextmanager
    def opened(
        permalink: str = f"tile={TILE}", size: dict[str, int] = DESKTOP, scheme: str = "light"
    ) -> Iterator[Page]:
        complaints: list[str] = []
        context = browser.new_context(viewport=size, color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]
        context.set_default_timeout(PATIENT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.extend(_error(said)))
        page.on("request", lambda asked: complaints.extend(_foreign(asked.url, site)))
        page.goto(f"{site}/#{permalink}")
        try:
            yield page
        finally:
            context.close()
            assert complaints == []

    return opened


def _error(said: ConsoleMessage) -> list[str]:
    return [f"{said.text} {said.location['url']}"] if said.type == "error" else []


def _foreign(url: str, site: str) -> list[str]:
    own = url.startswith((f"{site}/", "blob:", "data:"))
    return [] if own else [f"request to elsewhere: {url}"]


def _shown(page: Page, name: str) -> NDArray[np.int16]:
    """Keep a screenshot and return its pixels."""
    ARTIFACTS.mkdir(exist_ok=True)
    data = page.screenshot(path=ARTIFACTS / f"portal-{name}.png")
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)


def _map_middle(page: Page) -> tuple[int, int]:
    box = page.locator(".map").bounding_box()
    assert box is not None
    return int(box["x"] + box["width"] / 2), int(box["y"] + box["height"] / 2)


def _wait_for_colour(page: Page, name: str, wanted: tuple[int, int, int], away: int = 12) -> None:
    """Wait until the middle of the map has a colour; the map draws when it has its tiles."""
    seen: Any = None
    for _ in range(PATIENT_MS // 500):
        page.wait_for_timeout(500)
        x, y = _map_middle(page)
        seen = _shown(page, name)[y, x]
        if np.abs(seen - wanted).max() <= away:
            return
    pytest.fail(f"middle of the map is {seen}, wanted {wanted}")


def _open_first(page: Page) -> None:
    page.locator(".results button.card").first.click()
    expect(page.locator(".product h2")).to_be_visible(timeout=PATIENT_MS)


def test_search_open_a_product_and_switch_its_layers(visit: Open) -> None:
    newest = COUNT - 1
    with visit() as page:
        count = page.locator(".count")
        expect(count).to_have_text(f"24 of {COUNT} products", timeout=PATIENT_MS)
        page.get_by_role("button", name="Load more").click()
        expect(count).to_have_text(f"{COUNT} products")
        expect(page.locator(".results button.card")).to_have_count(COUNT)

        with page.expect_response(re.compile(r"/tiles/.*render=true-colour")) as tile:
            _open_first(page)
        assert tile.value.status == 200
        assert tile.value.headers["content-type"].startswith("image/")
        expect(page.locator(".product-id")).to_have_text(str(item_id(newest)))
        # The true-colour stretch ends at a reflectance of 0.3.
        _wait_for_colour(page, "true-colour", (51, 68, 34))

        page.locator(".layers").get_by_text("Mask", exact=True).click()
        expect(page.locator(".legend-box")).to_contain_text("Cloud shadow")
        _wait_for_colour(page, "mask", MASK_COLOURS[MaskClass.CLEAR])
        page.locator(".layers").get_by_text("NDVI", exact=True).click()
        expect(page.locator(".legend-box")).to_contain_text("0.35")
        # (0.36 - 0.06) / (0.36 + 0.06) on the palette from -0.2 to 0.9.
        _wait_for_colour(page, "ndvi", (55, 164, 85), away=30)


def test_filters_narrow_the_list_and_an_empty_answer_offers_the_way_back(visit: Open) -> None:
    cloudless = sum(not is_cloudy(number) for number in range(COUNT))
    with visit() as page:
        count = page.locator(".count")
        page.get_by_label("Nominal only").check()
        expect(count).to_have_text(f"{cloudless} products", timeout=PATIENT_MS)
        page.get_by_label("Collection").select_option("gf6-wfv-ard")
        gf6 = sum(not is_cloudy(number) for number in range(1, COUNT, 2))
        expect(count).to_have_text(f"{gf6} products")
        page.get_by_label("From").fill("2023-05-01")
        page.get_by_label("To", exact=True).fill("2023-05-05")
        expect(count).to_have_text("1 product")
        expect(page.locator(".card-sub")).to_have_text([f"GF-6 WFV · {TILE}"])
        page.get_by_label("MGRS tile").fill("01CDL")
        expect(page.get_by_text("No product matches")).to_be_visible()
        _shown(page, "empty")


def test_cloud_limit_and_map_area(visit: Open) -> None:
    cloudless = sum(not is_cloudy(number) for number in range(COUNT))
    with visit() as page:
        expect(page.locator(".count")).to_contain_text(f"of {COUNT}", timeout=PATIENT_MS)
        slider = page.get_by_label("Cloud cover")
        slider.focus()
        slider.press("Home")
        expect(page.locator(".count")).to_have_text(f"{cloudless} products")
        page.locator(".segments").get_by_text("Map view").click()
        expect(page.locator(".count")).to_have_text(f"{cloudless} products")
    with visit(f"tile={TILE}&area=view&map=9/-20/-60") as page:
        expect(page.get_by_text("No product matches")).to_be_visible(timeout=PATIENT_MS)


def test_a_rectangle_is_drawn_on_the_map(visit: Open) -> None:
    with visit() as page:
        expect(page.locator(".count")).to_contain_text(f"of {COUNT}", timeout=PATIENT_MS)
        page.locator(".segments").get_by_text("Rectangle").click()
        page.get_by_role("button", name="Draw on map").click()
        x, y = _map_middle(page)
        page.mouse.move(x - 200, y - 200)
        page.mouse.down()
        page.mouse.move(x + 100, y + 150, steps=4)
        page.mouse.up()
        expect(page).to_have_url(re.compile(r"area=1\d\d\.\d+,"))
        expect(page.locator(".count")).to_contain_text(f"of {COUNT}")
        _shown(page, "rectangle")


def test_a_permalink_brings_the_same_page_back(visit: Open) -> None:
    identity = item_id(4)
    link = f"tile={TILE}&sort=oldest&item={identity.collection}/{identity}&render=aod&opacity=60"
    with visit(link) as page:
        expect(page.locator(".product-id")).to_have_text(str(identity), timeout=PATIENT_MS)
        expect(page.get_by_role("radio", name="Aerosol")).to_be_checked()
        expect(page.get_by_label("Opacity")).to_have_value("60")
        first = page.locator(".results button.card").first
        expect(first).to_have_attribute("data-id", str(item_id(0)))
        page.get_by_role("radio", name="Footprint only").check(force=True)
        expect(page).to_have_url(re.compile(r"render=(&|$)"))


def test_the_keyboard_is_enough_and_back_leaves_a_product(visit: Open) -> None:
    with visit() as page:
        cards = page.locator(".results button.card")
        expect(cards.first).to_be_visible(timeout=PATIENT_MS)
        cards.first.focus()
        page.keyboard.press("ArrowDown")
        expect(cards.nth(1)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".product h2")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator(".product")).to_be_hidden()
        expect(cards.nth(1)).to_be_focused()
        page.keyboard.press("End")
        expect(cards.last).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".product h2")).to_be_focused()
        page.go_back()
        expect(page.locator(".product")).to_be_hidden()


def test_a_phone_shows_everything_without_sideways_scrolling(visit: Open) -> None:
    with visit(size=PHONE) as page:
        expect(page.locator(".results button.card").first).to_be_visible(timeout=PATIENT_MS)
        _shown(page, "phone-list")
        _open_first(page)
        page.get_by_role("button", name="Enlarge panel").click()
        expect(page.get_by_role("link", name=re.compile("Download SR Surface"))).to_be_visible()
        _shown(page, "phone-product")
        page.evaluate(
            "document.querySelectorAll('.product details').forEach(one => one.open = true)"
        )
        for selector in ("html", ".side", ".product"):
            width = page.evaluate("one => document.querySelector(one).scrollWidth", selector)
            assert width <= PHONE["width"], selector


def test_a_download_has_the_bytes_of_the_store(visit: Open, tmp_path_factory: Any) -> None:
    identity = item_id(COUNT - 1)
    with visit() as page:
        _open_first(page)
        link = page.get_by_role("link", name=re.compile("Download AOD Aerosol"))
        expect(link).to_have_attribute("download", identity.file_name("AOD"))
        with page.expect_download() as download:
            link.click()
        stored = next(tmp_path_factory.getbasetemp().rglob(identity.file_name("AOD")))
        assert download.value.path().read_bytes() == stored.read_bytes()


def test_a_failing_catalogue_is_said_and_can_be_asked_again(visit: Open) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=200, content_type="application/json", body="{")

    with visit("tile=50TMK&map=3/30/100") as page:
        expect(page.locator(".count")).to_contain_text(f"of {COUNT}", timeout=PATIENT_MS)
        page.route("**/stac/search", refuse)
        page.get_by_label("Nominal only").check()
        expect(page.get_by_role("alert").filter(has_text="did not answer")).to_be_visible()
        page.unroute("**/stac/search")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".count")).to_contain_text("products")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_assistive_technology_finds_no_serious_fault(visit: Open, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `make install`")
    with visit(scheme=scheme) as page:
        _open_first(page)
        page.wait_for_timeout(1000)
        _shown(page, f"product-{scheme}")
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
