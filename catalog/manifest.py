"""What a bulk download consists of: files of items, each with its name, size and checksum.

File names are made to be harmless wherever they are written: one name per asset, of letters,
digits and ``._-`` alone, so that neither a shell, XML nor a line-based list can misread them.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

_SHA256 = "1220"
"""How a multihash (file extension, ``file:checksum``) says SHA-256 of 32 bytes."""
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9._-]")
_VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to download.

    Attributes
    ----------
    url
        Address, http or https, of visible ASCII characters alone.
    name
        Where it is to be kept, relative to the folder of the download.
    size
        Bytes; None when it is not known.
    sha256
        Hexadecimal digest; None when it is not known.
    """

    url: str
    name: str
    size: int | None
    sha256: str | None


def item_files(item: Mapping[str, Any], assets: Collection[str] = ()) -> Iterator[RemoteFile]:
    """Yield the files of a published item that have an address of the web.

    Parameters
    ----------
    item
        STAC item with absolute hrefs.
    assets
        Keys of the wanted assets; all when empty.
    """
    for key, asset in item["assets"].items():
        if assets and key not in assets:
            continue
        parts = urlsplit(asset["href"])
        if parts.scheme not in ("http", "https"):
            continue
        checksum = str(asset.get("file:checksum", ""))
        yield RemoteFile(
            url=quote(asset["href"], safe=_VISIBLE),
            name=_file_name(item["id"], key, parts.path),
            size=asset.get("file:size"),
            sha256=checksum.removeprefix(_SHA256) if checksum.startswith(_SHA256) else None,
        )


def _file_name(item_id: str, key: str, path: str) -> str:
    """Name of an asset, the item's id in it: catalogues elsewhere call every file ``B04.tif``."""
    base = path.rpartition("/")[2] or key
    name = base if base.startswith(item_id) else f"{item_id}.{base}"
    return _NOT_A_NAME.sub("_", name).lstrip(".-") or "_"
