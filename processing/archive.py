"""Safe extraction of a tar archive from an untrusted sender, in one pass, with its SHA-256.

Every member is judged, wanted or not: an archive that tries to leave its folder is refused as a
whole. Wanted files land flat in the target folder, so a nested folder in the archive does no
harm and no directory is ever created from a foreign name.
"""

import gzip
import hashlib
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from catalog.errors import PackageError, UnsafeArchiveError

_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_CHUNK = 1 << 20
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


class _HashingReader:
    """The archive's bytes as a forward stream that hashes and reports what passes through."""

    def __init__(self, file: BinaryIO, size: int, progress: Callable[[float], None] | None) -> None:
        self._file = file
        self._size = size
        self._progress = progress
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on, adding to the hash."""
        data = self._file.read(size)
        self._hash.update(data)
        if self._progress is not None:
            self._progress(self._file.tell() / max(self._size, 1))
        return data

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._file.tell()

    def hexdigest(self) -> str:
        """Return the hash of the whole file, reading what is left."""
        while self.read(_CHUNK):
            pass
        return self._hash.hexdigest()


def extract(
    archive: Path,
    target: Path,
    wanted: Callable[[str], bool],
    progress: Callable[[float], None] | None = None,
) -> str:
    """Extract the wanted files of a ``.tar``, ``.tar.gz`` or ``.tar.xz`` flat into a folder.

    The kind of compression is read from the first bytes, not from the name.

    Parameters
    ----------
    archive : Path
        The archive; read once from front to back.
    target : Path
        Existing folder that receives the files under their base names.
    wanted : callable
        Told a base name, says whether to extract it.
    progress : callable, optional
        Told the share of the archive read so far, 0 to 1.

    Returns
    -------
    str
        SHA-256 of the archive, hexadecimal.

    Raises
    ------
    UnsafeArchiveError
        A member has an absolute path or one with "..", is a link or a device, or would
        overwrite another.
    PackageError
        The archive cannot be read, is damaged or truncated, or the target has no room.
    """
    try:
        with _opened(archive) as file:
            reader = _HashingReader(file, archive.stat().st_size, progress)
            magic = file.read(len(_XZ_MAGIC))
            file.seek(0)
            stream = _decompressed(reader, magic)
            with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK) as tar:
                for member in tar:
                    _extract_member(archive, tar, member, target, wanted)
            # The checksum of gzip and xz stands at the end and is only checked there.
            while stream.read(_CHUNK):
                pass
            # An archive cut inside a header would pass for one that ends there.
            if stream.tell() < tar.offset + tarfile.BLOCKSIZE:
                raise EOFError("no end-of-archive block")
            return reader.hexdigest()
    except _DAMAGE as error:
        raise PackageError(
            f"{archive}: archive is damaged, truncated or no tar ({error}); fetch it again"
        ) from error
    except OSError as error:
        raise PackageError(
            f"{archive}: cannot be extracted to {target}: {error.strerror or error}; free some "
            "space there, or set TMPDIR to a roomier folder that this user may write"
        ) from error


def _opened(archive: Path) -> BinaryIO:
    try:
        return archive.open("rb")
    except OSError as error:
        raise PackageError(
            f"{archive}: cannot be read: {error.strerror}; a file that this user may read wanted"
        ) from error


def _decompressed(reader: _HashingReader, magic: bytes) -> IO[bytes]:
    source = cast(BinaryIO, reader)
    if magic.startswith(_GZIP_MAGIC):
        return cast(IO[bytes], gzip.GzipFile(fileobj=source))
    if magic.startswith(_XZ_MAGIC):
        return lzma.LZMAFile(source)
    return source


def _extract_member(
    archive: Path,
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    target: Path,
    wanted: Callable[[str], bool],
) -> None:
    _refuse_unsafe(archive, member)
    name = PurePosixPath(member.name).name
    if not member.isfile() or not wanted(name):
        return
    content = tar.extractfile(member)
    if content is None:
        raise PackageError(f"{archive}: {member.name} has no content")
    free = shutil.disk_usage(target).free
    if member.size > free:
        raise PackageError(
            f"{archive}: {member.name} needs {member.size} bytes, {target} has {free} free; "
            "free some space there, or set TMPDIR to a roomier folder"
        )
    try:
        with content, (target / name).open("xb") as out:
            shutil.copyfileobj(content, out, _CHUNK)
    except FileExistsError:
        raise UnsafeArchiveError(f"{archive}: holds {name} more than once") from None


def _refuse_unsafe(archive: Path, member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise UnsafeArchiveError(
            f"{archive}: member {member.name!r} would leave the folder; not extracted"
        )
    if not (member.isfile() or member.isdir()):
        raise UnsafeArchiveError(
            f"{archive}: member {member.name!r} is a link or device, plain files wanted; "
            "not extracted"
        )
