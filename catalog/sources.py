"""Where a bulk download learns what to fetch: a search of any STAC API, or a manifest.

Manifests are Metalink 4, aria2 input, lists of addresses and GeoJSON (an item, a collection or a
sequence of items), told apart by how they begin. They may come from anybody, so every name is
checked before it becomes a path.
"""

import io
import json
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit, urlunsplit
from xml.etree.ElementTree import Element, ParseError

import httpx
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from catalog.errors import DownloadError
from catalog.fetch import PASSING
from catalog.manifest import RemoteFile, item_files

_PAUSES_S = (1.0, 4.0, 16.0)
"""Pauses before a search or manifest is asked for again."""
_PAGE_ITEMS = 250
"""Items asked for at a time where the address of a search names no limit."""
_METALINK = "{urn:ietf:params:xml:ns:metalink}"
_WEB = ("http://", "https://")
_LONGEST_NAME = 250
_RESERVED = (".part", ".part.tag")
"""Endings of files that a download keeps beside the one it fetches."""


def read_source(
    source: str, client: httpx.Client, assets: Collection[str] = ()
) -> list[RemoteFile]:
    """Return the files of a search or manifest, each once.

    Parameters
    ----------
    source
        Address of a STAC search, an export or a manifest, or the path of a manifest.
    client
        Client for addresses.
    assets
        Keys of the wanted assets of items; all when empty.

    Raises
    ------
    DownloadError
        The source cannot be read, or names a file that must not be written.
    """
    if source.startswith(_WEB):
        url = _with_limit(source)
        with tempfile.TemporaryFile() as content:
            _fetch(client, client.build_request("GET", url), content)
            return _unique(_files(content, url, client, assets))
    try:
        with Path(source).open("rb") as content:
            return _unique(_files(content, source, client, assets))
    except OSError as error:
        reason = error.strerror or error
        raise DownloadError(f"{source}: {reason}; wanted an address or a manifest") from error


def target_path(folder: Path, name: str) -> Path:
    """Return where a file of a manifest is to be kept.

    Raises
    ------
    DownloadError
        The name leads out of the folder, also through a link, or is none that may be written.
    """
    parts = name.split("/")
    harmless = all(
        part and not part.startswith(".") and len(part) <= _LONGEST_NAME for part in parts
    )
    printable = name.isprintable() and not set(name) & set('\\:*?"<>|')
    if not (harmless and printable) or name.endswith(_RESERVED):
        raise DownloadError(f"{name!r} is no name that a download may write; nothing was fetched")
    path = folder.joinpath(*parts)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DownloadError(f"{name!r} leads out of {folder}; nothing was fetched")
    return path


def _unique(files: Iterable[RemoteFile]) -> list[RemoteFile]:
    """Drop repetitions, and refuse two different files of one name."""
    found: dict[str, RemoteFile] = {}
    for file in files:
        target_path(Path(), file.name)
        if found.setdefault(file.name, file) != file:
            raise DownloadError(
                f"two files are to be kept as {file.name}: {found[file.name].url}, {file.url}"
            )
    return list(found.values())


def _files(
    content: IO[bytes], origin: str, client: httpx.Client, assets: Collection[str]
) -> Iterator[RemoteFile]:
    """Yield the files of a document, whose first character tells what it is."""
    content.seek(0)
    start = content.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    content.seek(0)
    if start in (b"{", b"\x1e"):
        yield from _picked(_items(content, origin, client), origin, assets)
        return
    if content.read(64).lstrip()[:5].lower() in (b"<html", b"<!doc"):
        raise DownloadError(f"{origin}: this is a web page; wanted a search, an export, a manifest")
    content.seek(0)
    if assets:
        raise DownloadError(f"{origin}: assets are picked from items; this is a list of files")
    yield from _metalink(content, origin) if start == b"<" else _lines(content, origin)


def _picked(
    items: Iterable[Mapping[str, Any]], origin: str, assets: Collection[str]
) -> Iterator[RemoteFile]:
    """Yield the wanted files of items; a key that no item has is a slip of the pen."""
    keys: set[str] = set()
    for item in items:
        keys |= set(item["assets"])
        yield from item_files(item, assets)
    if keys and assets and keys.isdisjoint(assets):
        raise DownloadError(
            f"{origin}: no item has an asset {' or '.join(assets)}; there are "
            f"{', '.join(sorted(keys))}"
        )


def _items(content: IO[bytes], origin: str, client: httpx.Client) -> Iterator[Mapping[str, Any]]:
    """Yield items with absolute hrefs from GeoJSON, and from the pages that follow it."""
    try:
        if content.read(1) == b"\x1e" or _is_sequence(content):
            content.seek(0)
            for line in content:
                if line.strip(b"\x1e \r\n"):
                    yield _absolute(json.loads(line.strip(b"\x1e \r\n")), origin)
            return
        content.seek(0)
        page = json.load(content)
        while True:
            for item in page["features"] if page["type"] == "FeatureCollection" else [page]:
                yield _absolute(item, origin)
            following = _next_request(client, page, origin)
            if following is None:
                return
            answer = io.BytesIO()
            _fetch(client, following, answer)
            page = json.load(answer)
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(f"{origin}: not STAC items as GeoJSON: {error!r}") from error


def _is_sequence(content: IO[bytes]) -> bool:
    """Tell whether a document has an item on each of its lines."""
    content.seek(0)
    first = content.readline()
    try:
        return isinstance(json.loads(first), dict) and bool(content.readline().strip())
    except ValueError:
        return False


def _absolute(item: Mapping[str, Any], origin: str) -> Mapping[str, Any]:
    links = {link["rel"]: link["href"] for link in item.get("links", ())}
    base = urljoin(origin, links.get("self", ""))
    assets = {
        key: {**asset, "href": urljoin(base, asset["href"])}
        for key, asset in item["assets"].items()
    }
    return {**item, "assets": assets}


def _next_request(
    client: httpx.Client, page: Mapping[str, Any], origin: str
) -> httpx.Request | None:
    """Return the request of the page that follows (STAC API, "Paging")."""
    for link in page.get("links", ()):
        if link["rel"] == "next":
            href = urljoin(origin, link["href"])
            if not href.startswith(_WEB):
                raise DownloadError(f"{origin}: its next page is {href}; wanted a web address")
            method = str(link.get("method", "GET")).upper()
            return client.build_request(
                method, href, json=link.get("body") if method == "POST" else None
            )
    return None


def _metalink(content: IO[bytes], origin: str) -> Iterator[RemoteFile]:
    """Yield the files of a Metalink 4 document (RFC 5854), the preferred address of each."""
    try:
        for _, element in iterparse(content, forbid_dtd=True):
            if element.tag == f"{_METALINK}file":
                yield _metalink_file(element, origin)
                element.clear()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise DownloadError(f"{origin}: not a Metalink 4 document: {error}") from error


def _metalink_file(element: Element, origin: str) -> RemoteFile:
    urls = sorted(
        element.iter(f"{_METALINK}url"), key=lambda url: int(url.get("priority", "999999"))
    )
    webs = [url.text.strip() for url in urls if url.text and url.text.strip().startswith(_WEB)]
    name = element.get("name", "")
    if not webs:
        raise DownloadError(f"{origin}: {name!r} has no address of the web")
    size = element.findtext(f"{_METALINK}size")
    digests = {hash.get("type"): hash.text for hash in element.iter(f"{_METALINK}hash")}
    digest = digests.get("sha-256")
    return RemoteFile(webs[0], name, int(size) if size else None, digest and digest.strip().lower())


def _lines(content: IO[bytes], origin: str) -> Iterator[RemoteFile]:
    """Yield the files of an aria2 input file, or of a list with an address on each line."""
    url, options = "", dict[str, str]()
    for raw in content:
        line = raw.decode("utf-8", "replace").rstrip()
        if not line or line.startswith("#"):
            continue
        if line[0] in " \t" and url:
            name, _, value = line.strip().partition("=")
            options[name] = value
            continue
        if url:
            yield _listed(url, options)
        url, options = line.split("\t")[0], {}
        if not url.startswith(_WEB):
            raise DownloadError(f"{origin}: {line[:80]!r} is not the address of a file")
    if url:
        yield _listed(url, options)


def _listed(url: str, options: Mapping[str, str]) -> RemoteFile:
    kind, _, digest = options.get("checksum", "").partition("=")
    name = options.get("out") or PurePosixPath(urlsplit(url).path).name
    return RemoteFile(url, name, None, digest.lower() if kind == "sha-256" else None)


def _with_limit(url: str) -> str:
    """Ask a search for large pages where it says nothing."""
    parts = urlsplit(url)
    if not parts.path.rstrip("/").endswith(("/search", "/items")) or "limit" in parse_qs(
        parts.query
    ):
        return url
    query = "&".join(filter(None, (parts.query, urlencode({"limit": _PAGE_ITEMS}))))
    return urlunsplit(parts._replace(query=query))


def _fetch(client: httpx.Client, request: httpx.Request, target: IO[bytes]) -> None:
    """Write what a request is answered into a file; a passing failure is tried again."""
    for pause in (*_PAUSES_S, None):
        target.seek(0)
        target.truncate()
        try:
            answer = client.send(request, stream=True)
            try:
                if answer.is_error:
                    answer.read()
                for piece in () if answer.is_error else answer.iter_bytes():
                    target.write(piece)
            finally:
                answer.close()
        except httpx.HTTPError as error:
            reason, passing = f"{error or type(error).__name__}", True
        else:
            if not answer.is_error:
                target.seek(0)
                return
            said = " ".join(answer.text.split())[:200]
            reason = f"{answer.status_code} {answer.reason_phrase}: {said}"
            passing = answer.status_code in PASSING
        if pause is None or not passing:
            raise DownloadError(f"{request.url}: {reason}")
        time.sleep(pause)
