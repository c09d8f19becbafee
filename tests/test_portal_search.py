"""The map search in a real browser: filters, list, map, one product with its tools, download."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, Route, expect
from shapely import Polygon, box

from catalog.product import MASK_COLOURS, MaskClass
from infra.roles import Dsns
from tests.portal_browser import (
    PHONE,
    Visits,
    cards,
    launched,
    map_place,
    need_page,
    open_first,
    serious_faults,
    shown,
    wait_for_colour,
)
from tests.portal_site import COUNT, GRID, TILE, is_cloudy, item_id, served_site

# rio-tiler silences this warning around its encoder, in threads, which warnings does not bear:
# now and then it would become an error there, and the tile a 400.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]

SEARCH = f"search?tile={TILE}"
CLOUDLESS = sum(not is_cloudy(number) for number in range(COUNT))
LAND = (51, 68, 34)
"""Land in true colour: the stretch ends at a reflectance of 0.3."""


@pytest.fixture(scope="module")
def site(postgres: Dsns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need_page()
    with served_site(tmp_path_factory.mktemp("portal"), postgres) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, site: str) -> Visits:
    return Visits(browser, site)


def _reference(number: int) -> str:
    return f"{item_id(number).collection}/{item_id(number)}"


def _map_search(page: Page) -> None:
    expect(page.locator(".count")).to_contain_text(f"of {COUNT}")


def test_search_open_a_product_and_switch_its_layers(visit: Visits) -> None:
    newest = COUNT - 1
    with visit(SEARCH) as page:
        count = page.locator(".count")
        expect(count).to_have_text(f"24 of {COUNT} products")
        page.get_by_role("button", name="Load more").click()
        expect(count).to_have_text(f"{COUNT} products")
        expect(cards(page)).to_have_count(COUNT)
        page.reload()
        expect(cards(page)).to_have_count(COUNT)

        with page.expect_response(re.compile(r"/tiles/.*render=true-colour")) as tile:
            open_first(page)
        assert tile.value.status == 200
        assert tile.value.headers["content-type"].startswith("image/")
        expect(page.locator(".product-id")).to_have_text(str(item_id(newest)))
        wait_for_colour(page, "true-colour", LAND)

        page.get_by_role("radio", name="Mask", exact=True).check()
        expect(page.locator(".legend-box")).to_contain_text("Cloud shadow")
        wait_for_colour(page, "mask", MASK_COLOURS[MaskClass.CLEAR])
        page.get_by_role("radio", name="NDVI", exact=True).check()
        expect(page.locator(".legend-box")).to_contain_text("0.35")
        # (0.36 - 0.06) / (0.36 + 0.06) on the palette from -0.2 to 0.9.
        wait_for_colour(page, "ndvi", (55, 164, 85), away=30)

        page.get_by_role("radio", name="Own bands", exact=True).check()
        page.get_by_label("White at").select_option("8000")
        expect(page).to_have_url(re.compile(r"render=SR:4,3,2:8000"))
        # Near infrared 0.36, red 0.06 and green 0.08, of 0.8.
        wait_for_colour(page, "own-bands", (115, 19, 26))


def test_filters_narrow_the_list_and_an_empty_answer_offers_the_way_back(visit: Visits) -> None:
    with visit(SEARCH) as page:
        count = page.locator(".count")
        page.get_by_label("Nominal only").check()
        expect(count).to_have_text(f"{CLOUDLESS} products")
        page.get_by_label("Sensor").select_option("wfv")
        gf6 = sum(not is_cloudy(number) for number in range(1, COUNT, 2))
        expect(count).to_have_text(f"{gf6} products")
        page.get_by_label("Data set").select_option("gf6-wfv-ard")
        expect(count).to_have_text(f"{gf6} products")
        # The days may be given either way round.
        page.get_by_label("From").fill("2023-05-05")
        page.get_by_label("To", exact=True).fill("2023-05-01")
        expect(count).to_have_text("1 product")
        expect(page.locator(".card-sub")).to_have_text([f"GF-6 WFV · {TILE}"])
        page.get_by_label("MGRS tile").fill("01CDL")
        expect(page.get_by_text("No product matches")).to_be_visible()
        shown(page, "empty")


def test_the_histogram_shows_months_and_chooses_them(visit: Visits) -> None:
    months = [item_id(number).time.month for number in range(COUNT)]
    with visit(SEARCH) as page:
        bars = page.locator(".histogram rect:not(.histogram-ground)")
        expect(bars).to_have_count(len(set(months)))
        heights = [float(bars.nth(n).get_attribute("height") or 0) for n in range(len(set(months)))]
        most = max(map(months.count, months))
        expected = [months.count(month) / most for month in sorted(set(months))]
        assert [height / max(heights) for height in heights] == pytest.approx(expected, abs=0.01)
        box = bars.nth(1).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
        page.mouse.down()
        page.mouse.up()
        expect(page.get_by_label("From")).to_have_value("2023-06-01")
        expect(page.get_by_label("To", exact=True)).to_have_value("2023-06-30")
        expect(page.locator(".count")).to_have_text(f"{months.count(6)} products")


def test_cloud_limit_and_map_area(visit: Visits) -> None:
    with visit(SEARCH) as page:
        _map_search(page)
        slider = page.get_by_label("Cloud cover")
        slider.focus()
        slider.press("Home")
        expect(page.locator(".count")).to_have_text(f"{CLOUDLESS} products")
        page.get_by_role("radio", name="Map view").check()
        expect(page.locator(".count")).to_have_text(f"{CLOUDLESS} products")
    with visit(f"{SEARCH}&area=view&map=9/-20/-60") as page:
        expect(page.get_by_text("No product matches")).to_be_visible()


def test_an_area_is_drawn_on_the_map_or_uploaded(visit: Visits) -> None:
    with visit(SEARCH) as page:
        _map_search(page)
        expect(page).to_have_url(re.compile(r"map=\d+\.\d+/40\."))  # moved to the products
        page.get_by_role("radio", name="Rectangle").check()
        page.get_by_role("button", name="Draw on map").click()
        expect(page.locator(".map-hint")).to_be_visible()
        x, y = map_place(page)
        page.mouse.move(x - 200, y - 200)
        page.mouse.down()
        page.mouse.move(x + 100, y + 150, steps=4)
        page.mouse.up()
        expect(page).to_have_url(re.compile(r"area=1\d\d\.\d+,"))
        _map_search(page)
        shown(page, "rectangle")

        page.get_by_role("radio", name="Polygon").check()
        page.get_by_role("button", name="Draw on map").click()
        expect(page.locator(".map-hint")).to_be_visible()
        for right, down in ((-150, 120), (150, 120), (0, -160)):
            page.mouse.click(x + right, y + down)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Polygon of 3 corners")).to_be_visible()
        expect(page).to_have_url(re.compile(r"area=shape:"))
        shown(page, "polygon")


def test_areas_written_by_gdal_are_read(visit: Visits, tmp_path: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    far = Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (2, 1), (2, 2), (1, 2)]])
    around = box(116.3, 40.1, 116.5, 40.3)
    with visit(SEARCH) as page:
        _map_search(page)
        page.get_by_role("radio", name="Polygon").check()
        chooser = page.locator("input[type=file]")
        for driver, ending in (("GeoJSON", "geojson"), ("KML", "kml"), ("ESRI Shapefile", "shz")):
            for corners, outlines in ((4, [far]), (8, [far, around])):
                file = tmp_path / f"{corners}.{ending}"
                frame = geopandas.GeoDataFrame(geometry=outlines, crs="OGC:CRS84")
                frame.to_file(file, driver=driver)
                name = file.name.replace("shz", "zip")
                chooser.set_input_files([_file(name, file.read_bytes())])
                expect(page.get_by_text(f"Polygon of {corners} corners")).to_be_visible()
                if corners == 4:
                    expect(page.get_by_text("No product matches")).to_be_visible()
                else:
                    _map_search(page)


def _file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def test_a_file_without_an_area_is_refused_with_the_reason(visit: Visits, tmp_path: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    metres = geopandas.GeoDataFrame(geometry=[box(5e5, 4e6, 6e5, 5e6)], crs="EPSG:32650")
    metres.to_file(tmp_path / "utm.shz", driver="ESRI Shapefile")
    (tmp_path / "utm.shz").rename(tmp_path / "utm.zip")
    (tmp_path / "bad.geojson").write_text("no JSON")
    (tmp_path / "bad.kmz").write_bytes(b"no archive")
    (tmp_path / "point.json").write_text('{"type": "Point", "coordinates": [1, 2]}')
    said = {
        "utm.zip": "coordinates of WGS_1984_UTM_Zone_50N",
        "bad.geojson": "bad.geojson cannot be read",
        "bad.kmz": "bad.kmz cannot be read",
        "point.json": "point.json holds no polygon",
    }
    with visit(f"{SEARCH}&area=shape:116,40,117,40,117,41") as page:
        for name, words in said.items():
            page.locator("input[type=file]").set_input_files(tmp_path / name)
            expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()


def test_collections_that_come_late_leave_the_form_as_it_is(visit: Visits) -> None:
    """The list of collections may take longer than a visitor's first choices."""
    held: list[Route] = []
    refused: FilePayload = {"name": "bad.kml", "mimeType": "text/xml", "buffer": b"no outline"}
    with visit() as page:
        page.route("**/stac/collections", lambda route: held.append(route))
        page.goto(f"{visit.site}/#/{SEARCH}&collection=gf6-wfv-ard")
        page.reload()
        page.locator("label", has=page.get_by_role("radio", name="Polygon")).click()
        page.locator("input[type=file]").set_input_files(refused)
        alert = page.get_by_role("alert").filter(has_text="bad.kml")
        expect(alert).to_be_visible()
        for route in held:
            route.continue_()
        expect(page.get_by_label("Data set").locator("option")).to_have_count(3)
        expect(page.get_by_label("Data set")).to_have_value("gf6-wfv-ard")
        expect(page.get_by_role("radio", name="Polygon")).to_be_checked()
        expect(alert).to_be_visible()


def test_the_site_under_another_of_its_names_shows_its_pictures(visit: Visits) -> None:
    alias = Visits(visit.browser, visit.site.replace("127.0.0.1", "localhost"))
    with alias(f"{SEARCH}&tab=files") as page:
        cards(page).first.locator("img").evaluate("one => one.decode()")
        open_first(page)
        wait_for_colour(page, "alias", LAND)
        link = page.get_by_role("link", name=re.compile("Download AOD Aerosol"))
        expect(link).to_have_attribute("href", re.compile(f"^{alias.site}/data/"))


def test_products_published_for_another_site_say_so(visit: Visits) -> None:
    old = "http://old.example"

    def moved(route: Route) -> None:
        answer = route.fetch()
        body = answer.text().replace(f"{visit.site}/data/", f"{old}/data/")
        route.fulfill(response=answer, body=body)

    with visit() as page:
        page.route("**/stac/search", moved)
        page.goto(f"{visit.site}/#/{SEARCH}")
        notice = page.get_by_role("status").filter(has_text="published under http://old.example")
        expect(notice).to_contain_text(f"GFARD_PUBLIC_URL={visit.site} gfard publish")
        cards(page).first.locator("img").evaluate("one => one.decode()")
        open_first(page)
        expect(notice).to_have_count(2)
        wait_for_colour(page, "elsewhere", LAND)
        assert serious_faults(page) == []


def test_a_permalink_brings_the_same_page_back(visit: Visits) -> None:
    identity = item_id(4)
    link = f"{SEARCH}&sort=oldest&item={_reference(4)}&render=aod&opacity=60"
    with visit(link) as page:
        expect(page.locator(".product-id")).to_have_text(str(identity))
        expect(page.get_by_role("radio", name="Aerosol")).to_be_checked()
        expect(page.get_by_label("Opacity")).to_have_value("60")
        expect(cards(page).first).to_have_attribute("data-id", str(item_id(0)))
        page.get_by_role("radio", name="Footprint only").check()
        expect(page).to_have_url(re.compile(r"render=(&|$)"))


def test_two_dates_lie_on_both_sides_of_a_divider_and_the_mask_over_the_picture(
    visit: Visits,
) -> None:
    clear, cloudy = COUNT - 1, COUNT - 2
    assert is_cloudy(cloudy)
    assert not is_cloudy(clear)
    # The map is close to the product, whose east half is cloud on one of the dates.
    with visit(f"{SEARCH}&item={_reference(clear)}&compare={_reference(cloudy)}&swipe=60") as page:
        expect(page.get_by_label("Divider between the two dates")).to_have_value("60")
        wait_for_colour(page, "compare", LAND)
        wait_for_colour(page, "compare", (255, 255, 255), across=0.75)
        page.get_by_label("Compare with another date").select_option("")
        wait_for_colour(page, "compare", LAND, across=0.75)
        assert "compare=" not in page.url
    with visit(f"{SEARCH}&item={_reference(cloudy)}&overlay=mask&render=false-colour") as page:
        overlay = page.get_by_role("checkbox", name="Mask over the picture")
        expect(overlay).to_be_checked()
        # Clear land is left as it is: 0.36, 0.06 and 0.08, of 0.5.
        wait_for_colour(page, "overlay", (184, 31, 41))


def test_a_point_is_read_through_time(visit: Visits) -> None:
    lon, lat = (float(value[0]) for value in GRID.lonlat([200.0], [280.0]))
    cloudy = sum(is_cloudy(number) for number in range(COUNT))
    link = f"{SEARCH}&item={_reference(COUNT - 1)}&tab=series&point={lon:.5f},{lat:.5f}"
    asked: list[str] = []
    with visit() as page:
        page.on("request", lambda one: asked.append(one.url))
        page.goto(f"{visit.site}/#/{link}")
        told = f"{COUNT - cloudy} clear of {COUNT} observations"
        expect(page.locator(".series")).to_contain_text(told)
        # One request for each collection, however many products there are.
        assert len([url for url in asked if "/timeseries?" in url]) == 2
        assert not [url for url in asked if "/point/" in url]
        marks = page.locator(".series-chart circle")
        expect(marks).to_have_count(COUNT)
        expect(page.locator(".series-chart circle.mark-masked")).to_have_count(cloudy)
        page.get_by_text("Values as a table").click()
        # NDVI of land: (0.36 - 0.06) / (0.36 + 0.06).
        expect(page.locator(".series-table tbody tr").first).to_contain_text("0.714")
        shown(page, "series")
        page.get_by_label("Clear observations only").check()
        expect(page).to_have_url(re.compile("looks=clear"))
        expect(marks).to_have_count(COUNT - cloudy)
        page.get_by_role("radio", name="Reflectance").check()
        expect(marks).to_have_count(4 * (COUNT - cloudy))
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as CSV").click()
        rows = download.value.path().read_text().splitlines()
        assert len(rows) == COUNT + 1
        assert rows[0] == "time,item,blue,green,red,nir,ndvi,class"
        assert str(item_id(0)) in rows[1]
        # A click on the map chooses another point.
        page.mouse.click(*map_place(page, 0.45, 0.55))
        expect(page.get_by_label("Longitude")).not_to_have_value(f"{lon:.5f}".rstrip("0"))


def test_the_keyboard_is_enough_and_back_leaves_a_product(visit: Visits) -> None:
    with visit(SEARCH) as page:
        found = cards(page)
        expect(found.first).to_be_visible()
        found.first.focus()
        page.keyboard.press("ArrowDown")
        expect(found.nth(1)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".product h2")).to_be_focused()
        page.get_by_role("tab", name="Layers").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_role("tab", name="About")).to_be_focused()
        expect(page.get_by_role("tabpanel")).to_contain_text("Geometric RMSE")
        page.keyboard.press("Escape")
        expect(page.locator(".product")).to_be_hidden()
        expect(found.nth(1)).to_be_focused()
        page.keyboard.press("End")
        expect(found.last).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".product h2")).to_be_focused()
        page.go_back()
        expect(page.locator(".product")).to_be_hidden()


def test_a_phone_shows_everything_without_sideways_scrolling(visit: Visits) -> None:
    with visit(SEARCH, size=PHONE) as page:
        expect(cards(page).first).to_be_visible()
        shown(page, "phone-list")
        open_first(page)
        page.get_by_role("button", name="Enlarge panel").click()
        shown(page, "phone-product")
        for tab in ("Layers", "Time series", "Files", "About"):
            page.get_by_role("tab", name=tab).click()
            page.evaluate(
                "document.querySelectorAll('.product details').forEach(one => one.open = true)"
            )
            for selector in ("html", ".product"):
                width = page.evaluate("one => document.querySelector(one).scrollWidth", selector)
                assert width <= PHONE["width"], f"{selector} with {tab}"


def test_a_download_has_the_bytes_of_the_store(
    visit: Visits, tmp_path_factory: pytest.TempPathFactory
) -> None:
    identity = item_id(COUNT - 1)
    with visit(f"{SEARCH}&tab=files") as page:
        open_first(page)
        link = page.get_by_role("link", name=re.compile("Download AOD Aerosol"))
        expect(link).to_have_attribute("download", identity.file_name("AOD"))
        with page.expect_download() as download:
            link.click()
        stored = next(tmp_path_factory.getbasetemp().rglob(identity.file_name("AOD")))
        assert download.value.path().read_bytes() == stored.read_bytes()


def test_a_failing_catalogue_is_said_and_can_be_asked_again(visit: Visits) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=200, content_type="application/json", body="{")

    with visit(f"{SEARCH}&map=3/30/100") as page:
        _map_search(page)
        page.route("**/stac/search", refuse)
        page.get_by_label("Nominal only").check()
        expect(page.get_by_role("alert").filter(has_text="did not answer")).to_be_visible()
        page.unroute("**/stac/search")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".count")).to_contain_text("products")
        page.route("**/stac", refuse)
        page.reload()
        expect(page.locator(".count")).to_contain_text("products")
        expect(page.locator(".histogram .bar-in")).to_have_count(0)
        page.unroute("**/stac")
        page.get_by_label("Nominal only").uncheck()
        expect(page.locator(".histogram .bar-in").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_assistive_technology_finds_no_serious_fault(visit: Visits, scheme: str) -> None:
    with visit(SEARCH, scheme=scheme) as page:
        open_first(page)
        map_place(page)
        shown(page, f"product-{scheme}")
        for tab in ("Time series", "Files", "About", "Layers"):
            page.get_by_role("tab", name=tab).click()
            assert serious_faults(page) == []
