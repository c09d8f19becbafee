"""Which store an address means: a folder, or a bucket behind ``s3://``."""

from pathlib import Path
from typing import TYPE_CHECKING

from catalog.folder import FolderStore

if TYPE_CHECKING:
    from catalog.bucket import BucketStore


def is_bucket(address: str | Path) -> bool:
    """Tell whether the address of a store is that of a bucket."""
    return str(address).startswith("s3:/")


def open_store(address: str | Path) -> "FolderStore | BucketStore":
    """Return the store at an address; nothing is read or made yet.

    Raises
    ------
    StoreError
        The address of a bucket names none.
    """
    if is_bucket(address):
        from catalog.bucket import BucketStore

        return BucketStore(str(address))
    return FolderStore(Path(address))
