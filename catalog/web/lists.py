"""Lists of files as the usual download programs read them.

Addresses and names hold no white space, quotes or control characters when they come here
(``catalog.manifest``); what each format treats specially is escaped all the same.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from catalog.manifest import RemoteFile


@dataclass(frozen=True, slots=True)
class ListStyle:
    """How a list of files is written: what stands before, for each file, and after."""

    media_type: str
    file_name: str
    one: Callable[[RemoteFile], str]
    head: str = ""
    tail: str = ""


def _url(file: RemoteFile) -> str:
    return f"{file.url}\n"


def _aria2(file: RemoteFile) -> str:
    """One download of aria2's input file (aria2c manual, section "Input File")."""
    checksum = f"  checksum=sha-256={file.sha256}\n" if file.sha256 else ""
    return f"{file.url}\n  out={file.name}\n{checksum}"


def _metalink(file: RemoteFile) -> str:
    """One file of a Metalink 4 document (RFC 5854)."""
    size = "" if file.size is None else f"<size>{file.size:d}</size>"
    digest = f'<hash type="sha-256">{escape(file.sha256)}</hash>' if file.sha256 else ""
    return f"<file name={quoteattr(file.name)}>{size}{digest}<url>{escape(file.url)}</url></file>\n"


def _sha256sum(file: RemoteFile) -> str:
    """One line for ``sha256sum --check``; a file of unknown checksum becomes a comment."""
    return f"{file.sha256}  {file.name}\n" if file.sha256 else f"# no checksum: {file.name}\n"


def _curl(file: RemoteFile) -> str:
    size = "-" if file.size is None else str(int(file.size))
    words = (file.name, size, file.sha256 or "-", file.url)
    return f"get {' '.join(shlex.quote(word) for word in words)}\n"


_SCRIPT_HEAD = """\
#!/bin/sh
# Downloads the files of a search into the present folder with curl and checks each of them.
# Run it again at any time: what is complete stays, what was begun goes on.
set -u
missing=0

digest() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi |
    cut -d ' ' -f 1
}

# get NAME SIZE SHA-256 ADDRESS; "-" where size or checksum is not known
get() {
  [ -f "$1" ] && return
  part="$1.part"
  if ! { [ -f "$part" ] && [ "$(wc -c < "$part" | tr -d ' ')" = "$2" ]; }; then
    curl --fail --location --silent --show-error --retry 5 --continue-at - \\
      --output "$part" "$4" || { missing=$((missing + 1)); return; }
  fi
  if [ "$3" != - ] && [ "$(digest "$part")" != "$3" ]; then
    echo "$1: wrong checksum, removed; run the script again" >&2
    rm -f "$part"
    missing=$((missing + 1))
    return
  fi
  mv "$part" "$1" && echo "$1"
}

"""

_SCRIPT_TAIL = """
[ "$missing" -eq 0 ] || { echo "$missing files are missing; run the script again" >&2; exit 1; }
"""

_TEXT = "text/plain; charset=utf-8"

STYLES = {
    "urls": ListStyle(_TEXT, "gfard-urls.txt", _url),
    "aria2": ListStyle(_TEXT, "gfard-aria2.txt", _aria2),
    "metalink": ListStyle(
        "application/metalink4+xml",
        "gfard.meta4",
        _metalink,
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n<generator>gfard</generator>\n',
        "</metalink>\n",
    ),
    "sha256sum": ListStyle(_TEXT, "gfard.sha256", _sha256sum),
    "curl": ListStyle("application/x-sh", "gfard-download.sh", _curl, _SCRIPT_HEAD, _SCRIPT_TAIL),
}
"""The lists by the name of their format."""
