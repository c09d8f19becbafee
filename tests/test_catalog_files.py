"""The file service: parts of files as they are on disk, and nothing that is not published."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from catalog.folder import FolderStore
from catalog.item import COG_MEDIA_TYPE
from catalog.web.files import files_app

CONTENT = bytes(range(256)) * 1000
NAME = "gf1-wfv-ard/31/T/CL/2014/item/item.SR.tiff"
PATH = f"/data/{NAME}"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    root = tmp_path / "store"
    file = root / NAME
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    file.with_name("item.json").write_text("{}")
    (root / "gf1-wfv-ard" / "collection.json").write_text("{}")
    (root / ".drafts" / "item").mkdir(parents=True)
    (root / ".drafts" / "item" / "secret.tiff").write_bytes(b"half")
    (tmp_path / "outside.tiff").write_bytes(b"secret")
    (root / "link.tiff").symlink_to(tmp_path / "outside.tiff")
    return FolderStore(root)


@pytest.fixture
def client(store: FolderStore) -> TestClient:
    return TestClient(files_app(store), root_path="/data")


def test_whole_file(client: TestClient) -> None:
    answer = client.get(PATH)
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["content-type"] == COG_MEDIA_TYPE
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"]
    assert answer.headers["last-modified"]


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=1000-1999", slice(1000, 2000)),
        ("bytes=255000-", slice(255000, None)),
        ("bytes=-16", slice(-16, None)),
        ("bytes=255990-999999", slice(255990, None)),
        ("bytes=-999999", slice(0, None)),
    ],
)
def test_one_range(client: TestClient, wanted: str, part: slice) -> None:
    answer = client.get(PATH, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == CONTENT[part]
    start, stop, _ = part.indices(len(CONTENT))
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    assert answer.headers["content-length"] == str(stop - start)


def test_several_ranges(client: TestClient) -> None:
    answer = client.get(PATH, headers={"Range": "bytes=0-3,500-503"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    for start in (0, 500):
        assert f"Content-Range: bytes {start}-{start + 3}/256000".encode() in answer.content
        assert CONTENT[start : start + 4] in answer.content


def test_range_beyond_the_end(client: TestClient) -> None:
    answer = client.get(PATH, headers={"Range": "bytes=256000-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */256000"


def test_resuming_a_file_that_has_changed_gives_the_whole(
    client: TestClient, store: FolderStore
) -> None:
    tag = client.get(PATH).headers["etag"]
    part = {"Range": "bytes=10-19", "If-Range": tag}
    assert client.get(PATH, headers=part).status_code == 206
    store.resolve(NAME).write_bytes(b"something else")
    answer = client.get(PATH, headers=part)
    assert (answer.status_code, answer.content) == (200, b"something else")


def test_an_unchanged_file_is_not_sent_again(client: TestClient) -> None:
    first = client.get(PATH).headers
    for headers in (
        {"If-None-Match": f'"other", {first["etag"]}'},
        {"If-Modified-Since": first["last-modified"]},
    ):
        answer = client.get(PATH, headers=headers)
        assert (answer.status_code, answer.content) == (304, b"")
    headers = {"If-None-Match": '"other"', "If-Modified-Since": first["last-modified"]}
    assert client.get(PATH, headers=headers).status_code == 200


def test_head_says_what_get_would(client: TestClient) -> None:
    head, get = client.head(PATH), client.get(PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(get.headers)


def test_other_sites_may_read_and_see_the_headers(client: TestClient) -> None:
    origin = {"Origin": "https://example.org"}
    answer = client.get(PATH, headers={**origin, "Range": "bytes=0-3"})
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"]
    assert {"Content-Range", "ETag"} <= set(exposed.split(", "))
    ask = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    assert client.options(PATH, headers={**origin, **ask}).status_code == 200
    assert client.options(PATH).headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "path",
    [
        "/data/",
        "/data/gf1-wfv-ard",
        "/data/gf1-wfv-ard/",
        "/data/none.tiff",
        "/data/.drafts/item/secret.tiff",
        "/data/gf1-wfv-ard/%2e%2e/.drafts/item/secret.tiff",
        "/data/%2e%2e/outside.tiff",
        "/data/..%2f..%2f..%2fetc%2fpasswd",
        "/data//etc/passwd",
        "/data/%2fetc/passwd",
        "/data/link.tiff",
        "/data/gf1-wfv-ard/%00",
        f"{PATH}/more",
        "/data/" + "a" * 5000,
    ],
)
def test_what_is_not_published_is_not_there(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_media_types_of_documents(client: TestClient) -> None:
    item = client.get(PATH.replace("item.SR.tiff", "item.json"))
    assert item.headers["content-type"] == "application/geo+json"
    collection = client.get("/data/gf1-wfv-ard/collection.json")
    assert collection.headers["content-type"] == "application/json"


def test_writing_is_not_offered(client: TestClient) -> None:
    assert client.put(PATH, content=b"x").status_code == 405
    assert client.delete(PATH).status_code == 405
