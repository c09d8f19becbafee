"""Searches and manifests are read alike; a hostile one writes nothing outside its folder."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog import sources
from catalog.errors import DownloadError
from catalog.manifest import RemoteFile, item_files
from catalog.sources import read_source, target_path
from catalog.web.lists import STYLES

URL = "https://ard.example.org/data"
DIGEST = "0123456789abcdef" * 4
FILES = [
    RemoteFile(f"{URL}/a/A.SR.tiff", "A.SR.tiff", 10, DIGEST),
    RemoteFile(f"{URL}/b/B.SR.tiff", "B.SR.tiff", 20, None),
]


def _item(name: str, **assets: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": name,
        "links": [],
        "assets": {
            key: {"href": href, "file:size": 5, "file:checksum": f"1220{DIGEST}"}
            for key, href in assets.items()
        },
    }


def _no_network(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was asked for")


def _client(handler: Any = _no_network) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(handler))


def _read(tmp_path: Path, content: str | bytes, **options: Any) -> list[RemoteFile]:
    path = tmp_path / "manifest"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with _client() as client:
        return read_source(str(path), client, **options)


@pytest.mark.parametrize(
    ("style", "known"),
    [
        ("metalink", ("name", "size", "sha256", "url")),
        ("aria2", ("name", "sha256", "url")),
        ("urls", ("name", "url")),
    ],
)
def test_what_the_exports_write_is_read(tmp_path: Path, style: str, known: tuple[str]) -> None:
    wanted = STYLES[style]
    found = _read(tmp_path, wanted.head + "".join(map(wanted.one, FILES)) + wanted.tail)
    for file, expected in zip(found, FILES, strict=True):
        for part in known:
            assert getattr(file, part) == getattr(expected, part)


def test_items_are_read_as_collection_sequence_and_alone(tmp_path: Path) -> None:
    items = [_item(name, SR=f"{URL}/{name}.SR.tiff", mask=f"{URL}/x.tif") for name in ("A", "B")]
    expected = [file for item in items for file in item_files(item)]
    assert [file.name for file in expected] == ["A.SR.tiff", "A.x.tif", "B.SR.tiff", "B.x.tif"]
    assert {(file.size, file.sha256) for file in expected} == {(5, DIGEST)}
    collection = {"type": "FeatureCollection", "features": items}
    for text in (
        json.dumps(collection),
        json.dumps(collection, indent=2),
        "".join(f"\x1e{json.dumps(item)}\n" for item in items),
        "".join(f"{json.dumps(item)}\n" for item in items),
    ):
        assert _read(tmp_path, text) == expected
    assert _read(tmp_path, json.dumps(items[0]), assets=["SR"]) == expected[:1]
    with pytest.raises(DownloadError, match="no item has an asset sr; there are SR, mask"):
        _read(tmp_path, json.dumps(collection), assets=["sr"])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_search_is_read_to_its_last_page(method: str) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        page = 2 if b"second" in request.content or "second" in str(request.url) else 1
        following = {"rel": "next", "method": method, "href": "https://ard.example.org/search"}
        if method == "POST":
            following["body"] = {"token": "second"}
        else:
            following["href"] += "?token=second"
        links = [following] if page == 1 else []
        features = [_item(f"P{page}", SR=f"./P{page}.SR.tiff")]
        return httpx.Response(
            200, json={"type": "FeatureCollection", "features": features, "links": links}
        )

    with _client(answer) as client:
        found = read_source("https://ard.example.org/search?bbox=1,2,3,4", client)
    assert [file.url for file in found] == [
        "https://ard.example.org/P1.SR.tiff",
        "https://ard.example.org/P2.SR.tiff",
    ]
    assert asked[0] == "https://ard.example.org/search?bbox=1,2,3,4&limit=250"


def test_a_busy_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_PAUSES_S", (0.0, 0.0))
    answers = [
        httpx.Response(503),
        httpx.ReadError("reset"),
        httpx.Response(200, text=f"{URL}/a.tiff\n"),
        *(httpx.Response(429, text="wait") for _ in range(3)),
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        following = answers.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    with _client(answer) as client:
        assert [file.name for file in read_source("https://h/list", client)] == ["a.tiff"]
        with pytest.raises(DownloadError, match="429 Too Many Requests: wait"):
            read_source("https://h/list", client)
    assert answers == []


@pytest.mark.parametrize(
    "name",
    [
        "../up", "a/../../up", "/etc/passwd", "a//b", ".hidden", "a/.ssh/key", "..", "", "a\\b",
        "C:up", "a\nb", "a\0b", "x.part", "x.part.tag", "a" * 300, "con\u202etxt",
    ],
)  # fmt: skip
def test_names_that_escape_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DownloadError, match="nothing was fetched"):
        target_path(tmp_path, name)


def test_names_that_escape_through_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    with pytest.raises(DownloadError, match="leads out"):
        target_path(tmp_path / "out", "link/file")
    assert target_path(tmp_path / "out", "deep/file") == tmp_path / "out" / "deep" / "file"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"{URL}/a\n  out=../../up\n", "no name"),
        ('<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="../a">'
         f"<url>{URL}/a</url></file></metalink>", "no name"),
        ('<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="a">'
         "<url>file:///etc/passwd</url></file></metalink>", "no address of the web"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "a web page"),
        ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
         "not a Metalink"),
        ("<metalink><file>", "not a Metalink"),
        ("\n<!doctype html>", "a web page"),
        ("file:///etc/passwd\n", "not the address"),
        (f"{DIGEST}  A.SR.tiff\n", "not the address"),
        (f"{URL}/a/X\n{URL}/b/X\n", "two files are to be kept as X"),
        ('{"type": "FeatureCollection"}', "not STAC items"),
        ("{", "not STAC items"),
    ],
)  # fmt: skip
def test_what_is_no_harmless_manifest_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(DownloadError, match=reason):
        _read(tmp_path, content)


def test_assets_of_a_plain_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="picked from items"):
        _read(tmp_path, f"{URL}/a\n", assets=["SR"])


def test_hostile_items_give_harmless_names_and_addresses() -> None:
    item = _item(
        "../../x", SR="https://h/%2e%2e/$(rm -rf ~)'\"\n--o;&<>", mask="file:///etc/passwd"
    )
    (file,) = item_files(item)
    assert set(file.name) <= set("abcdefghijklmnopqrstuvwxyzSR0123456789._-")
    assert file.url.isascii()
    assert not set(file.url) & set(" \n\t")
    for style in STYLES.values():
        written = style.one(file)
        assert "\n--o" not in written
        assert "rm -rf" not in written
    assert "&lt;" not in STYLES["urls"].one(file)
    assert "<>" not in STYLES["metalink"].one(file)
    assert "'\"'\"'" in STYLES["curl"].one(file)


@pytest.mark.parametrize(
    ("source", "reason"),
    [("https://ard.example.org/none", "404"), ("/no/such/manifest", "No such file")],
)
def test_a_source_that_is_not_there_is_one_line(source: str, reason: str) -> None:
    with (
        _client(lambda request: httpx.Response(404, text="none")) as client,
        pytest.raises(DownloadError, match=reason),
    ):
        read_source(source, client)
