"""The running API before ``stac-api-validator``, offline: every class that it knows, no error."""

import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from pystac.stac_io import DefaultStacIO
from stac_api_validator.validations import QueryConfig, validate_api

from catalog.folder import FolderStore
from infra.roles import Dsns
from tests.catalog_products import facts
from tests.live_site import LiveSite, live_site

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]  # its own and others'

COLLECTION = "gf1-wfv-ard"
GIVEN = (COLLECTION, [COLLECTION])
"""What the validator gives as collections, and what the specification asks for."""
CLASSES = [
    "core", "browseable", "children", "collections", "features", "features#filter", "item-search",
    "item-search#fields", "item-search#sort", "item-search#query", "item-search#filter",
]  # fmt: skip
AREA = {"type": "Polygon", "coordinates": [[[0, 44], [2, 44], [2, 45], [0, 45], [0, 44]]]}
QUERY = QueryConfig(
    query_comparison_field="eo:cloud_cover",
    query_eq_value="10",
    query_neq_value="10",
    query_lt_value="20",
    query_lte_value="20",
    query_gt_value="20",
    query_gte_value="20",
    query_substring_field="grid:code",
    query_starts_with_value="MGRS",
    query_ends_with_value="TCL",
    query_contains_value="31",
    # One letter: the validator compares the letters of a text with the wanted values.
    query_in_field="mgrs:latitude_band",
    query_in_values="T,U",
)


@pytest.fixture(scope="module")
def site(postgres: Dsns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    start = datetime(2016, 1, 20, 3, tzinfo=UTC)
    products = [
        facts("GF1WFV2", start + timedelta(days=9 * n), "V1", cloud=5.0 * n) for n in range(11)
    ]
    store = FolderStore(tmp_path_factory.mktemp("store"))
    with live_site(postgres, store, products) as site:
        yield site


@pytest.fixture
def schemas_for_the_network(stac_schemas: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer requests for schemas from the folder, and let nothing else out of this machine."""
    files: dict[str, str] = json.loads((stac_schemas / "index.json").read_text())
    real_send, real_open = requests.Session.send, urllib.request.urlopen
    real_read = DefaultStacIO.read_text_from_href

    def document(url: str) -> bytes | None:
        name = files.get(url.removesuffix("#"))
        return None if name is None else (stac_schemas / name).read_bytes()

    def send(session: Any, request: Any, **options: Any) -> requests.Response:
        if urlsplit(request.url).hostname == "127.0.0.1":
            return real_send(session, _with_list_of_collections(request), **options)
        answer, found = requests.Response(), document(request.url)
        answer.url, answer.request = request.url, request
        answer.status_code = 404 if found is None else 200
        answer.raw = io.BytesIO(found or b"")
        return answer

    def urlopen(url: Any, *given: Any, **options: Any) -> HTTPResponse | io.BytesIO:
        address = url if isinstance(url, str) else url.full_url
        if urlsplit(address).hostname == "127.0.0.1":
            return real_open(url, *given, **options)  # type: ignore[no-any-return]
        found = document(address)
        if found is None:
            raise urllib.error.URLError(f"{address}: tests have no network")
        return io.BytesIO(found)

    def read(reader: DefaultStacIO, href: str) -> str:
        found = document(href)
        return real_read(reader, href) if found is None else found.decode()

    monkeypatch.setattr(DefaultStacIO, "read_text_from_href", read)
    monkeypatch.setattr(requests.Session, "send", send)
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)


def _with_list_of_collections(request: Any) -> Any:
    """Mend the validator's bodies, which give ``collections`` as a text in place of an array."""
    wrong = f'"collections": "{COLLECTION}"'.encode()
    if wrong in (request.body or b""):
        request.prepare_body(
            request.body.replace(wrong, f'"collections": ["{COLLECTION}"]'.encode()), None
        )
        request.headers["Content-Type"] = "application/json"
    return request


@pytest.mark.usefixtures("schemas_for_the_network")
def test_the_validator_finds_no_error(site: LiveSite) -> None:
    _, errors = validate_api(
        root_url=site.stac,
        ccs_to_validate=CLASSES,
        collection=COLLECTION,
        geometry=json.dumps(AREA),
        auth_bearer_token=None,
        auth_query_parameter=None,
        fields_nested_property="properties.eo:cloud_cover",
        validate_pagination=True,
        query_config=QUERY,
        transaction_collection=None,
        headers=None,
    )
    assert errors.as_list() == []


def test_the_bodies_that_are_mended_are_wrong(site: LiveSite) -> None:
    """Item search, 1.0.0: ``collections`` is an array of texts."""
    answers = [
        requests.post(f"{site.stac}/search", json={"collections": given}, timeout=120)
        for given in GIVEN
    ]
    assert [answer.status_code for answer in answers] == [400, 200]
    assert "collections" in answers[0].json()["description"]


def test_its_check_of_in_cannot_hold_for_a_text(site: LiveSite) -> None:
    """It takes the set of a property's letters for the property, hence the one letter above."""
    query = {"grid:code": {"in": ["MGRS-31TCL", "MGRS-32TCL"]}}
    found = requests.post(f"{site.stac}/search", json={"query": query}, timeout=120).json()
    codes = {item["properties"]["grid:code"] for item in found["features"]}
    assert codes == {"MGRS-31TCL"}
    assert set(query["grid:code"]["in"]).isdisjoint(set(codes.pop()))
