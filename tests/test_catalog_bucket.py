"""Products in a bucket appear whole or not at all, and are read as those of a folder."""

import json
import multiprocessing
import pickle
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
import rasterio
from rasterio.errors import RasterioIOError
from starlette.testclient import TestClient
from typer.testing import CliRunner

from catalog import bucket
from catalog.bucket import BucketStore
from catalog.check import check_store
from catalog.errors import ProductError, StoreError, UnreadableItemError
from catalog.folder import FolderStore
from catalog.item import COG_MEDIA_TYPE, build_item
from catalog.published import published_item
from catalog.settings import BucketSettings
from catalog.store import relative_folder
from catalog.stores import open_store
from catalog.validate import SchemaValidator
from catalog.web.files import files_app
from infra.cli import app
from infra.parts import Part, Site, build
from infra.roles import Dsns
from infra.settings import InfraSettings
from tests.catalog_products import facts, write_product
from tests.s3_site import environment, killed_while_putting, make_bucket, s3_server
from tiler.reader import ForbiddenHrefError, GeoTiffReader, Hrefs, MissingFileError

FACTS = facts()
ID = FACTS.id
FOLDER = relative_folder(ID)
SR = ID.file_name("SR")
URL = "https://ard.example.org"


@pytest.fixture(scope="module")
def settings() -> Iterator[BucketSettings]:
    with s3_server() as settings:
        yield settings


@pytest.fixture
def store(settings: BucketSettings, request: pytest.FixtureRequest) -> BucketStore:
    name = request.node.originalname.replace("_", "-")[:60]
    return BucketStore(make_bucket(settings, name), settings)


@dataclass(frozen=True)
class Product:
    """Files of a product, made once, and the item that describes them."""

    folder: Path
    item: dict[str, Any]

    def copy(self, folder: Path) -> dict[str, Any]:
        """Copy the files into a draft; returns their item."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return self.item

    def content(self) -> bytes:
        """Bytes of the surface reflectance."""
        return (self.folder / SR).read_bytes()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Product:
    folder = tmp_path_factory.mktemp("product")
    return Product(folder, build_item(FACTS, write_product(folder, FACTS)))


def _put(store: BucketStore, product: Product) -> None:
    with store.draft(ID) as draft:
        draft.commit(product.copy(draft.folder))


def _keys(store: BucketStore) -> list[str]:
    return sorted(found["path"] for some in obstore.list(store.objects) for found in some)


def test_addresses_choose_the_store(tmp_path: Path) -> None:
    assert isinstance(open_store(str(tmp_path)), FolderStore)
    found = open_store("s3://ard/deep/prefix/")
    assert isinstance(found, BucketStore)
    assert found.label == "s3://ard/deep/prefix"
    for wrong in ("s3://", "s3:/ard", "s3://ard?x=1"):
        with pytest.raises(StoreError, match="wanted s3://bucket"):
            open_store(wrong)


def test_keys_come_from_the_platform_s_variables_or_those_of_aws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.example.org")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("GFARD_S3_ENDPOINT", "https://minio.example.org")
    found = BucketSettings()
    assert (found.endpoint, found.region) == ("https://minio.example.org", "eu-west-1")


def test_a_product_comes_back(store: BucketStore, product: Product) -> None:
    _put(store, product)
    (stored,) = store.items()
    assert (stored.id, stored.relative) == (ID, FOLDER)
    assert [each.id for each in store.items_on("31TCL")] == [ID]
    assert list(store.items_on("31TDL")) == []
    keys = _keys(store)
    assert f"{FOLDER}/{ID}.json" in keys
    assert len(keys) == 1 + len(stored.item["assets"])
    for asset in stored.item["assets"].values():
        assert store.exists(f"{FOLDER}/{asset['href'].removeprefix('./')}")
    with store.local_copy(stored) as folder:
        assert (folder / SR).read_bytes() == product.content()


def test_a_store_travels_to_other_processes(store: BucketStore, product: Product) -> None:
    _put(store, product)
    again = pickle.loads(pickle.dumps(store))
    assert again.get(ID) == store.get(ID)


def test_nothing_is_there_before_the_commit(store: BucketStore, product: Product) -> None:
    with store.draft(ID) as draft:
        product.copy(draft.folder)
        assert _keys(store) == []
    assert _keys(store) == []
    assert not draft.folder.exists()


def test_a_draft_that_lacks_a_file_is_refused(store: BucketStore, product: Product) -> None:
    with store.draft(ID) as draft:
        item = product.copy(draft.folder)
        (draft.folder / SR).unlink()
        with pytest.raises(ProductError, match="which is not there"):
            draft.commit(item)
    assert _keys(store) == []


def test_a_killed_run_leaves_nothing_visible(
    store: BucketStore, settings: BucketSettings, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(store, product)
    before = store.get(ID)
    process = multiprocessing.get_context("spawn").Process(
        target=killed_while_putting,
        args=(store.label, settings, str(ID), product.folder, product.item),
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert len(_keys(store)) == 9 + 4
    assert store.get(ID) == before
    assert check_store(store) == []
    monkeypatch.setattr(bucket, "_LEFTOVER_AGE", timedelta(seconds=-5))
    _put(store, product)
    assert len(_keys(store)) == 1 + 8 + 8  # those of the version before stay for its readers


def test_a_rerun_switches_in_one_step(store: BucketStore, product: Product) -> None:
    _put(store, product)
    first = store.get(ID)
    _put(store, product)
    second = store.get(ID)
    assert first is not None
    assert second is not None
    old, new = (stored.item["assets"]["SR"]["href"] for stored in (first, second))
    assert old != new
    assert store.exists(f"{FOLDER}/{old.removeprefix('./')}")


def test_files_agree_with_items(store: BucketStore, product: Product) -> None:
    (empty,) = check_store(store)
    assert (empty.code, empty.path) == ("no-item", store.label)
    _put(store, product)
    assert check_store(store) == []
    stored = store.get(ID)
    assert stored is not None
    href = stored.item["assets"]["SR"]["href"].removeprefix("./")
    store.put(f"{FOLDER}/{href}", b"broken", COG_MEDIA_TYPE)
    assert {found.code for found in check_store(store)} >= {"size"}
    obstore.delete(store.objects, f"{FOLDER}/{href}")
    (found,) = (found for found in check_store(store) if found.level == "error")
    assert (found.code, found.path) == ("file-missing", f"{store.label}/{FOLDER}/{SR}")
    store.put(f"{FOLDER}/{ID}.json", b"{", "application/json")
    (found,) = check_store(store)
    assert (found.code, found.path) == ("item-unreadable", f"{store.label}/{FOLDER}/{ID}.json")
    with pytest.raises(UnreadableItemError, match="--repair"):
        list(store.items())


def test_a_quarantined_item_is_hidden_and_its_files_stay(
    store: BucketStore, product: Product
) -> None:
    _put(store, product)
    stored = store.get(ID)
    assert stored is not None
    store.quarantine(stored, "sheared")
    assert store.get(ID) is None
    assert list(store.items()) == []
    assert store.why_hidden(ID) == "sheared"
    assert len(_keys(store)) == 1 + len(stored.item["assets"])
    _put(store, product)
    assert store.get(ID) is not None
    assert store.why_hidden(ID) is None


def test_records_of_scenes_and_collections(store: BucketStore) -> None:
    store.put_collection({"id": "gf1-wfv-ard"})
    store.put_scene("b", {"status": "done"})
    store.put_scene("a", {"status": "rejected"})
    assert [record["status"] for record in store.scenes()] == ["rejected", "done"]
    assert _keys(store)[-1] == "gf1-wfv-ard/collection.json"
    with pytest.raises(StoreError, match="file name wanted"):
        store.put_scene("../a", {})


def test_a_bucket_that_is_not_there_is_one_line(settings: BucketSettings) -> None:
    store = BucketStore("s3://nowhere", settings)
    with pytest.raises(StoreError, match="s3://nowhere"):
        list(store.items())
    with pytest.raises(StoreError, match="no such bucket") as caught:
        store.put_collection({"id": "a"})
    assert "\n" not in str(caught.value)


def test_published_items_name_the_bucket_too(
    store: BucketStore, product: Product, stac_schemas: Path
) -> None:
    _put(store, product)
    stored = store.get(ID)
    assert stored is not None
    item = published_item(stored, URL)
    collection = {"rel": "collection", "href": f"{URL}/stac/collections/gf1-wfv-ard"}
    linked = {**item, "links": [*item["links"], collection]}  # as the API answers it
    assert SchemaValidator(stac_schemas).errors(linked) == []
    asset = item["assets"]["SR"]
    alternate = asset["alternate"]["s3"]["href"]
    assert alternate.startswith(f"{store.label}/{FOLDER}/")
    assert asset["href"] == alternate.replace(store.label, f"{URL}/data")
    key = alternate.removeprefix(f"{store.label}/")
    assert bytes(obstore.get(store.objects, key).bytes()) == product.content()
    assert item["properties"]["storage:schemes"]["bucket"]["type"] == "custom-s3"


@pytest.fixture
def href(store: BucketStore, product: Product) -> str:
    """Published address of the surface reflectance."""
    _put(store, product)
    stored = store.get(ID)
    assert stored is not None
    found: str = published_item(stored, URL)["assets"]["SR"]["href"]
    return found


def test_the_tiler_reads_from_the_bucket(store: BucketStore, product: Product, href: str) -> None:
    hrefs = Hrefs(store, URL)
    path = hrefs.path(href)
    assert path.startswith("/vsis3/")
    with GeoTiffReader(path) as reader, rasterio.open(product.folder / SR) as expected:
        assert (reader.dataset.read() == expected.read()).all()
    with pytest.raises(MissingFileError):
        hrefs.path(href.replace(".SR.", ".XX."))
    for wrong in (
        "s3://other/x.tiff", "/vsis3/other/x.tiff", f"{URL}/data/../x.tiff",
        f"{URL}/data/.scenes/x.tiff", f"{URL}/data//vsicurl/http://127.0.0.1/x.tiff",
    ):  # fmt: skip
        with pytest.raises(ForbiddenHrefError):
            hrefs.path(wrong)
    with pytest.raises(RasterioIOError):
        rasterio.open("/vsis3/other/x.tiff")


def test_data_serves_from_the_bucket(store: BucketStore, product: Product, href: str) -> None:
    content = product.content()
    size = len(content)
    client = TestClient(files_app(store), root_path="/data")
    path = href.removeprefix(URL)
    whole = client.get(path)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["content-type"] == COG_MEDIA_TYPE
    for wanted, part in (
        ("bytes=0-0", content[:1]), ("bytes=10-19", content[10:20]), ("bytes=-7", content[-7:]),
        (f"bytes={size - 5}-", content[-5:]), (f"bytes=5-{size + 99}", content[5:]),
    ):  # fmt: skip
        answer = client.get(path, headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["content-range"].endswith(f"/{size}")
    several = client.get(path, headers={"Range": "bytes=0-1,5-6"})
    assert (several.status_code, several.content) == (200, content)
    assert client.get(path, headers={"Range": f"bytes={size}-"}).status_code == 416
    assert client.get(path, headers={"Range": "bytes=-"}).status_code == 416
    changed = {"Range": "bytes=5-", "If-Range": '"other"'}
    assert client.get(path, headers=changed).status_code == 200
    same = {"Range": "bytes=5-", "If-Range": whole.headers["etag"]}
    assert client.get(path, headers=same).status_code == 206
    known = {"If-None-Match": whole.headers["etag"]}
    assert client.get(path, headers=known).status_code == 304
    head = client.head(path)
    assert (head.status_code, head.headers["content-length"]) == (200, str(size))


@pytest.mark.parametrize(
    "path",
    [
        "", "none.tiff", "../x", "%2e%2e/x", ".scenes/a.json", "gf1-wfv-ard/../.scenes/a.json",
        "/etc/passwd", "%00", "gf1-wfv-ard",
    ],
)  # fmt: skip
def test_what_is_not_published_is_not_there(store: BucketStore, path: str) -> None:
    store.put_scene("a", {})
    client = TestClient(files_app(store), root_path="/data")
    assert client.get(f"/data/{path}").status_code == 404


def test_readers_may_be_sent_to_the_bucket(
    store: BucketStore, settings: BucketSettings, product: Product, href: str
) -> None:
    sending = BucketStore(store.label, settings.model_copy(update={"redirect": True}))
    client = TestClient(files_app(sending), root_path="/data", follow_redirects=False)
    answer = client.get(href.removeprefix(URL))
    assert answer.status_code == 307
    part = httpx.get(answer.headers["location"], headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, product.content()[3:10])


def test_a_bucket_that_does_not_answer_is_said() -> None:
    away = BucketSettings(endpoint="http://127.0.0.1:1", access_key_id="a")
    client = TestClient(files_app(BucketStore("s3://ard", away)), root_path="/data")
    assert client.get("/data/a.tiff").status_code == 503


@pytest.mark.integration
def test_the_commands_take_the_address_of_a_bucket(
    store: BucketStore,
    settings: BucketSettings,
    product: Product,
    postgres: Dsns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _put(store, product)
    variables = {
        **environment(settings),
        "GFARD_DATA": str(tmp_path),
        "GFARD_STORE": store.label,
        "GFARD_DATABASE_READ_URL": postgres.read_dsn,
        "GFARD_DATABASE_INGEST_URL": postgres.ingest_dsn,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    run = CliRunner().invoke
    checked = run(app, ["check", store.label, "--json"])
    assert (checked.exit_code, json.loads(checked.stdout)) == (0, [])
    published = run(app, ["publish", "--json"])
    assert json.loads(published.stdout) == {
        "items": {"gf1-wfv-ard": 1},
        "total": 1,
        "removed": [],
    }
    site = Site(InfraSettings(), postgres.read_dsn, URL)
    with TestClient(build(Part.CATALOG, site), base_url=URL) as client:
        listed = client.get("/stac/export", params={"format": "urls", "assets": "SR"}).text
        assert client.get(listed.strip()).content == product.content()
