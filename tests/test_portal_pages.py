"""Pages of the portal around the map search: home, data sets, calendar, downloads; languages."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from catalog.web import counters
from infra.roles import Dsns
from tests.portal_browser import (
    PATIENT_MS,
    PHONE,
    Visits,
    cards,
    launched,
    need_page,
    open_first,
    serious_faults,
    shown,
)
from tests.portal_site import COUNT, TILE, is_cloudy, item_id, served_site

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]

PLACES = (
    "",
    "datasets",
    "datasets/gf6-wfv-ard",
    f"calendar?tile={TILE}",
    "cart",
    f"cart?search=tile%3D{TILE}",
    "nowhere",
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
LATIN = re.compile(r"[A-Za-z]{3,}")
SAID_IN_LATIN = re.compile(
    # Names of satellites, standards, programs, files and people are written so in Chinese too.
    r"gfard|GF-?\d|WFV\d?|STAC|API|MGRS|CEOS-ARD|GeoTIFF|GeoJSON|GeoParquet|GeoPandas|DuckDB|rustac"
    r"|Python|QGIS|GDAL|HTTP|UTC|UTM|CSV|JSON|DOI|CSTR|CRESDA|NDVI|curl|aria2c?|Metalink|English"
    r"|SR|TOA|AOD|mask|angle|uint\d+|PORTAL|TMK|Natural Earth|wget|sha256sum|ogrinfo|XYZ|Tiles"
    r"|KML|KMZ|Shapefile|WGS|EPSG|Atom|Zip|pixels|31TCL|[a-z0-9.]+-wfv-ard"
)


@pytest.fixture(scope="module")
def site(postgres: Dsns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need_page()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counters, "FLUSH_S", 0.2)
        patch.setattr(counters, "FRESH_S", 0.1)
        with served_site(tmp_path_factory.mktemp("portal"), postgres) as address:
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, site: str) -> Visits:
    return Visits(browser, site)


def _counters(site: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{site}/counters", follow_redirects=True).json()
    return found


def test_home_tells_what_there_is_and_what_is_used(visit: Visits) -> None:
    before = _counters(visit.site)
    # Chromium calls itself headless here, and is no visitor then.
    with visit(f"search?tile={TILE}&tab=files", agent=FIREFOX) as page:
        open_first(page)
        with page.expect_download():
            page.get_by_role("link", name=re.compile("Download AOD Aerosol")).click()
        page.get_by_role("tab", name="Layers").click()
        after, deadline = before, time.monotonic() + PATIENT_MS / 1000
        while time.monotonic() < deadline:
            after = _counters(visit.site)
            if after["views"] > before["views"] and after["downloads"] > before["downloads"]:
                break
            time.sleep(0.1)
    assert after["views"] == before["views"] + 1
    assert after["downloads"] == before["downloads"] + 1
    assert after["items"] == COUNT
    # Who reads everything is asked to leave out what is costly.
    assert "Disallow: /stac/export" in httpx.get(f"{visit.site}/robots.txt").text
    with visit() as page:
        figures = page.locator(".counters dd")
        expect(figures).to_have_count(4)
        told = [f"{after[name]:,}" for name in ("files", "views", "downloads")]
        expect(figures.first).to_have_attribute("title", f"{after['volume']:,} B")
        for number, text in enumerate(told, start=1):
            expect(figures.nth(number)).to_have_text(text)
        expect(page.locator(".latest li")).to_have_count(6)
        expect(page.locator(".dataset-card")).to_have_count(2)
        page.locator(".latest img").first.evaluate("one => one.decode()")
        shown(page, "home")
        page.get_by_role("link", name="Data sets", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        expect(page).to_have_title(re.compile("^Data sets"))


def test_the_examples_of_a_data_set_work_as_they_stand(visit: Visits, tmp_path: Path) -> None:
    code: dict[str, str] = {}
    with visit("datasets/gf1-wfv-ard") as page:
        expect(page.get_by_role("heading", level=2)).to_have_count(8)
        expect(page.locator("#part-newest .latest li")).to_have_count(4)
        expect(page.get_by_role("img", name="1 tile with products")).to_be_visible()
        expect(page.locator("#part-where .chip")).to_have_text(f"{TILE} {COUNT // 2}")
        expect(page.locator("#part-where .histogram .bar-in")).to_have_count(4)
        # The frame of the products, in degrees.
        expect(page.get_by_text("116.39° E to 116.45° E, 40.17° N to 40.22° N")).to_be_visible()
        for program in ("Python", "R", "curl"):
            page.get_by_role("tab", name=program, exact=True).click()
            code[program] = page.get_by_role("tabpanel").locator("code").inner_text()
        page.get_by_role("tab", name="QGIS").click()
        addresses = page.locator(".addresses code").all_inner_texts()
        page.reload()
        expect(page.get_by_role("tab", name="QGIS")).to_have_attribute("aria-selected", "true")
        page.get_by_role("navigation", name="On this page").get_by_text("Citation").click()
        expect(page.get_by_role("heading", name="Citation")).to_be_focused()
        expect(page.get_by_role("heading", name="Citation")).to_be_in_viewport()
        shown(page, "dataset")
    assert f'stac("{visit.site}/stac")' in code["R"]

    python = subprocess.run(
        [sys.executable, "-c", code["Python"]], capture_output=True, text=True, check=True
    )
    assert "dask.array" in python.stdout or "xarray.DataArray" in python.stdout
    if shutil.which("curl"):
        subprocess.run(["bash", "-euc", code["curl"]], cwd=tmp_path, check=True)
        listed = (tmp_path / "gfard.urls.txt").read_text().split()
        clear = sum(not is_cloudy(number) for number in range(0, COUNT, 2))
        assert len(listed) == 2 * clear
        assert (tmp_path / listed[0].rpartition("/")[2]).stat().st_size > 1000

    stac, tiles, file = addresses
    assert httpx.get(f"{stac}/").json()["type"] == "Catalog"
    drawn = httpx.get(tiles.format(z=12, x=3372, y=1547))
    assert drawn.status_code == 200
    assert drawn.headers["content-type"].startswith("image/")
    assert httpx.head(file).headers["accept-ranges"] == "bytes"


def test_the_calendar_adds_up_clear_shares_and_leads_to_the_products(visit: Visits) -> None:
    with visit("calendar") as page:
        expect(page.locator(".chip")).to_have_text(f"{TILE} {COUNT}")
        page.get_by_label("MGRS tile").fill("5")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_text("A tile begins with")).to_be_visible()
        page.get_by_label("MGRS tile").fill(TILE.lower())
        page.get_by_role("button", name="Show").click()
        # Cloud covers the columns from 200 on in cloudy products: 37.5 % of them.
        clear = [0.625 if is_cloudy(number) else 1 for number in range(COUNT)]
        june = [n for n in range(COUNT) if item_id(n).time.month == 6]
        looks = sum(clear[number] for number in june)
        month = page.get_by_role("link", name=re.compile("^June 2023"))
        expect(month).to_have_text(f"{looks:.1f}")
        expect(page.locator(".heat .sum")).to_have_text(f"{sum(clear):.1f}")
        shown(page, "calendar")
        month.click()
        expect(page.locator(".count")).to_have_text(f"{len(june)} products")
        page.go_back()
        expect(page.locator(".heat")).to_be_visible()


def test_chosen_products_become_a_list_that_download_programs_take(visit: Visits) -> None:
    first, second = item_id(COUNT - 1), item_id(COUNT - 2)
    with visit(f"search?tile={TILE}") as page:
        for number in range(2):
            cards(page).nth(number).click()
            page.get_by_role("button", name="Put in the cart", exact=True).click()
            expect(page.get_by_role("button", name="In the cart", exact=True)).to_be_visible()
        page.get_by_role("link", name="Downloads").click()
        expect(page.get_by_role("heading", name="2 products")).to_be_visible()
        expect(page.get_by_text(re.compile("^4 files, "))).to_be_visible()
        page.get_by_role("radio", name=re.compile("Checksums")).check()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the list").click()
        expect(page.locator(".usage code")).to_contain_text(download.value.suggested_filename)
        lines = download.value.path().read_text().splitlines()
        names = {line.split()[-1] for line in lines}
        assert names == {one.file_name(key) for one in (first, second) for key in ("SR", "mask")}
        shown(page, "cart")
        page.reload()
        expect(page.get_by_role("heading", name="2 products")).to_be_visible()
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy link").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        link = page.evaluate("navigator.clipboard.readText()")
        page.get_by_role("button", name=re.compile("^Remove")).first.click()
        expect(page.get_by_role("heading", name="1 product")).to_be_visible()
        page.goto(link)
        expect(page.get_by_role("heading", name="2 products")).to_be_visible()
        expect(page.locator(".cart-list strong")).to_have_text(
            [f"GF-6 WFV · {TILE} · 9 Aug 2023", f"GF-1 WFV2 · {TILE} · 5 Aug 2023"]
        )

        page.get_by_role("link", name="Map search").click()
        page.get_by_label("MGRS tile").fill(TILE)
        page.get_by_role("link", name="Export the whole search").click()
        expect(page.locator(".cart-list dd")).to_have_text(TILE)
        expect(page.locator(".cart-list h2")).to_contain_text(f"{COUNT} products")
        page.get_by_role("radio", name=re.compile("List of addresses")).check()
        page.get_by_role("checkbox", name=re.compile("^mask")).uncheck()
        page.reload()
        expect(page.get_by_role("radio", name=re.compile("List of addresses"))).to_be_checked()
        expect(page.get_by_role("checkbox", name=re.compile("^mask"))).not_to_be_checked()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the list").click()
        expect(page.locator(".usage code")).to_contain_text(download.value.suggested_filename)
        assert len(download.value.path().read_text().split()) == COUNT

        page.evaluate(
            """const one = JSON.parse(localStorage["gfard.cart"])[0];
            const many = Array.from({length: 500}, (_, n) => ({...one, id: `${one.id}_${n}`}));
            localStorage["gfard.cart"] = JSON.stringify(many);"""
        )
        page.goto("about:blank")
        page.goto(f"{visit.site}/#/cart")
        expect(page.get_by_text("The cart is full")).to_be_visible()


def test_the_page_speaks_chinese_throughout_and_remembers_it(visit: Visits) -> None:
    with visit() as page:
        page.get_by_role("button", name="Language: 中文").click()
        expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
        expect(page.get_by_role("heading", level=1)).to_contain_text("陆地观测")
        page.reload()
        expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
        expect(page.locator(".latest li")).to_have_count(6)
        expect(page.locator(".latest strong").first).to_have_text("2023年8月9日")
        shown(page, "home-zh")
        page.get_by_role("button", name="语言: English").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
    for place in (*PLACES, f"search?tile={TILE}"):
        with visit(place, locale="zh-CN") as page:
            if place.startswith("search"):
                open_first(page)
                for tab in ("时间序列", "文件", "详情"):
                    page.get_by_role("tab", name=tab).click()
                    assert _english(page) == [], tab
                shown(page, "product-zh")
            expect(page.locator("h1")).not_to_be_empty()
            page.wait_for_load_state("networkidle")
            assert _english(page) == [], place


def _english(page: Any) -> list[str]:
    """Words on the page that are neither Chinese nor names, nor marked as of another language."""
    texts: list[str] = page.evaluate(
        """() => {
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const found = [];
          for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const inside = node.parentElement;
            if (inside.closest('[lang="en"], code, script, style, noscript')) continue;
            if (node.data.trim()) found.push(node.data.trim());
          }
          for (const one of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
            for (const name of ['aria-label', 'title', 'placeholder']) {
              const text = one.getAttribute(name);
              if (text && !one.closest('[lang="en"]')) found.push(text);
            }
          }
          return found;
        }"""
    )
    return [text for text in texts if LATIN.search(SAID_IN_LATIN.sub("", text))]


def test_a_scheme_is_chosen_and_remembered(visit: Visits) -> None:
    with visit() as page:
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        button = page.get_by_role("button", name=re.compile("^Colours"))
        button.click()
        button.click()
        expect(button).to_have_attribute("title", "Colours: Dark")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert dark != light
        page.reload()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
        shown(page, "home-dark")
        # A browser that may keep nothing shows the page all the same.
        page.add_init_script(
            "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no') }})"
        )
        page.reload()
        expect(page.locator(".dataset-card")).to_have_count(2)
        button.click()
        expect(button).to_have_attribute("title", "Colours: Light")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_a_catalogue_that_is_away_is_not_called_empty_and_an_empty_one_says_so(
    visit: Visits,
) -> None:
    bodies = {"away": "{", "empty": '{"collections": [], "features": [], "links": []}'}
    body = "away"

    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="application/json", body=bodies[body])

    with visit("datasets/%") as page:
        expect(page.get_by_role("alert")).to_have_text("This data set does not exist.")
        page.route("**/stac/**", answer)
        page.goto(f"{visit.site}/#/")
        page.reload()
        expect(page.locator(".latest")).to_have_text("The server cannot be reached.")
        expect(page.locator(".cards")).to_have_text("The server cannot be reached.")
        body = "empty"
        for place, where in (
            ("", ".latest"),
            ("", ".cards"),
            ("datasets", "main"),
            ("search", ".results-foot"),
        ):
            page.goto(f"{visit.site}/#/{place}")
            page.reload()
            expect(page.locator(where)).to_contain_text("No product has been published yet.")


@pytest.mark.parametrize(
    ("locale", "scheme", "size"), [("en-GB", "light", None), ("zh-CN", "dark", PHONE)]
)
def test_every_page_is_fit_for_assistive_technology_and_for_phones(
    visit: Visits, locale: str, scheme: str, size: dict[str, int] | None
) -> None:
    for place in PLACES:
        wide = {} if size is None else {"size": size}
        with visit(place, scheme=scheme, locale=locale, **wide) as page:  # type: ignore[arg-type]
            page.wait_for_load_state("networkidle")
            assert serious_faults(page) == [], place
            if size is not None:
                width = page.evaluate("document.documentElement.scrollWidth")
                assert width <= size["width"], place
                shown(page, f"phone-{place.partition('?')[0].replace('/', '-') or 'home'}")
