"""Whether products are what their items say: every file against its item, findings not errors.

A check goes on after the first disagreement and never changes anything.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orjson
import rasterio
from rasterio.errors import RasterioError
from rio_cogeo.cogeo import cog_validate

from catalog.errors import ProductError, UnreadableItemError
from catalog.item import COG_MEDIA_TYPE
from catalog.product import GEOMETRY, ItemId, asset_specs
from catalog.store import Store, StoredItem
from catalog.validate import SchemaValidator

_MULTIHASH_SHA256 = "1220"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a product that is not as it should be.

    Attributes
    ----------
    level
        "error" for what makes a product unusable or untrue, "warning" for the rest.
    code
        Short name of the kind of finding, for programs.
    reason
        What was seen and what was wanted.
    hint
        What to do about it.
    path
        The file that it is about; an address where it lies in a bucket.
    """

    level: Literal["error", "warning"]
    code: str
    reason: str
    hint: str
    path: Path | str


_RMSE_STEP_M = 0.01
"""Residuals are rounded to a millimetre; this is more than that can change."""
_AGAIN = "process the scene again: a product is replaced as a whole"
_DESCRIBE = "process the scene again; file and item must come from one run"


def check(path: Path, schemas: Path | None = None) -> list[Finding]:
    """Compare items with their files.

    Parameters
    ----------
    path
        An item's JSON, its folder, or any folder above, such as the root of a store.
    schemas
        Folder of STAC schemas to hold the items to as well; None leaves that out.

    Returns
    -------
    list of Finding
        In the order of the files; empty when all is well.

    Raises
    ------
    ProductError
        The schema folder cannot be read or lacks a schema.
    """
    validator = None if schemas is None else SchemaValidator(schemas)
    items = [path] if path.is_file() else _item_files(path)
    if not items:
        reason = "there is no item here" if path.exists() else "there is no such file or folder"
        return [Finding("error", "no-item", reason, "name an item, or a folder above it", path)]
    return [finding for item in items for finding in check_item(item, validator)]


def check_store(store: Store, schemas: Path | None = None) -> list[Finding]:
    """Compare items with their files in a store that is no folder, one after the other.

    Every file is read, which needs room for one item on the local disk.

    Raises
    ------
    ProductError
        The schema folder cannot be read or lacks a schema.
    StoreError
        The store cannot be read.
    """
    findings: list[Finding] = []
    empty = True

    def unreadable(stored: StoredItem, error: UnreadableItemError) -> None:
        """Report an item that is none."""
        place = f"{store.label}/{stored.relative}/{stored.id}.json"
        findings.append(Finding("error", "item-unreadable", str(error), _AGAIN, place))

    for stored in store.items(unreadable):
        empty = False
        place = f"{store.label}/{stored.relative}"
        with store.local_copy(stored) as folder:
            for found in check(folder, schemas):
                name = Path(found.path).relative_to(folder).as_posix()
                findings.append(replace(found, path=f"{place}/{name}"))
    if empty and not findings:
        hint = "name the address that `gfard process --store` wrote to"
        findings.append(Finding("error", "no-item", "there is no item here", hint, store.label))
    return findings


def _item_files(folder: Path) -> list[Path]:
    """Return the JSON of every item below a folder; what is hidden, as drafts are, is none."""
    return [
        path
        for path in sorted(folder.rglob("*.json"))
        if path.name != "collection.json"
        and not path.name.endswith(f".{GEOMETRY.key}.json")
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def check_item(path: Path, validator: SchemaValidator | None = None) -> Iterator[Finding]:
    """Yield what is wrong with one item and its files; ``path`` is its JSON."""
    try:
        item = orjson.loads(path.read_bytes())
        item_id = ItemId.parse(item["id"])
        assets: Mapping[str, Any] = item["assets"]
        properties: Mapping[str, Any] = item["properties"]
    except (OSError, ValueError, KeyError, TypeError, ProductError) as error:
        yield Finding("error", "item-unreadable", f"not an item of ours: {error!r}", _AGAIN, path)
        return
    if validator is not None:
        for reason in validator.errors(item):
            yield Finding("error", "schema", reason, _DESCRIBE, path)
    for spec in asset_specs(item_id.satellite):
        if spec.key not in assets:
            reason = f"asset {spec.key} of the contract is absent"
            yield Finding("error", "asset-absent", reason, _AGAIN, path)
    for key, asset in assets.items():
        yield from _check_asset(path, key, {**_projection(properties), **asset})
    if GEOMETRY.key in assets:
        yield from _check_accuracy(path.parent / str(assets[GEOMETRY.key]["href"]), properties)
    yield from _strays(path, assets)


def _projection(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What an asset inherits from its item."""
    return {name: value for name, value in properties.items() if name.startswith("proj:")}


def _check_asset(item: Path, key: str, asset: Mapping[str, Any]) -> Iterator[Finding]:
    path = item.parent / str(asset.get("href", ""))
    if not path.resolve().is_relative_to(item.parent.resolve()) or not path.is_file():
        reason = f"asset {key}: {asset.get('href')!r} is not a file beside the item"
        yield Finding("error", "file-missing", reason, _AGAIN, path)
        return
    yield from _check_bytes(path, key, asset)
    if asset.get("type") == COG_MEDIA_TYPE:
        yield from _check_raster(path, key, asset)


def _check_bytes(path: Path, key: str, asset: Mapping[str, Any]) -> Iterator[Finding]:
    size = path.stat().st_size
    if size != asset.get("file:size"):
        reason = f"asset {key}: {size} bytes in the file, {asset.get('file:size')} in the item"
        yield Finding("error", "size", reason, _AGAIN, path)
        return
    with path.open("rb") as file:
        digest = _MULTIHASH_SHA256 + hashlib.file_digest(file, "sha256").hexdigest()
    if digest != asset.get("file:checksum"):
        reason = (
            f"asset {key}: checksum {digest} of the file, {asset.get('file:checksum')} in the item"
        )
        yield Finding("error", "sha256", reason, _AGAIN, path)


def _check_raster(path: Path, key: str, asset: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        with rasterio.open(path, driver="GTiff") as raster:
            for code, in_file, in_item in _comparisons(raster, asset):
                if in_file != in_item:
                    reason = f"asset {key}: {code} is {in_file} in the file, {in_item} in the item"
                    yield Finding("error", code, reason, _DESCRIBE, path)
        valid, errors, _ = cog_validate(path, strict=True, quiet=True)
    except RasterioError as error:
        reason = f"asset {key}: not readable as a GeoTIFF: {error}"
        yield Finding("error", "raster-unreadable", reason, _AGAIN, path)
        return
    if not valid:
        reason = f"asset {key}: not a valid COG: {'; '.join(errors) or 'strict layout wanted'}"
        yield Finding("error", "cog", reason, _AGAIN, path)


_READERS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Mapping[str, Any]], Any]]] = {
    "crs": (
        lambda raster: f"EPSG:{raster.crs.to_epsg()}" if raster.crs else None,
        lambda asset: asset.get("proj:code"),
    ),
    "transform": (
        lambda raster: list(raster.transform)[:6],
        lambda asset: asset.get("proj:transform"),
    ),
    "shape": (lambda raster: list(raster.shape), lambda asset: asset.get("proj:shape")),
    "dtype": (
        lambda raster: ", ".join(sorted(set(raster.dtypes))),
        lambda asset: asset.get("data_type"),
    ),
    "nodata": (
        lambda raster: sorted(set(raster.nodatavals), key=str),
        lambda asset: [asset.get("nodata")],
    ),
    "scale": (
        lambda raster: sorted(set(raster.scales)),
        lambda asset: [asset.get("raster:scale", 1)],
    ),
    "offset": (
        lambda raster: sorted(set(raster.offsets)),
        lambda asset: [asset.get("raster:offset", 0)],
    ),
    "bands": (
        lambda raster: list(raster.descriptions),
        lambda asset: [band.get("name") for band in asset.get("bands", [])],
    ),
}
"""How a fact is read from the file and from the item; its name is the finding's code."""


def _comparisons(raster: Any, asset: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for code, (from_file, from_item) in _READERS.items():
        yield code, from_file(raster), from_item(asset)


def _check_accuracy(path: Path, properties: Mapping[str, Any]) -> Iterator[Finding]:
    """Compute the accuracy anew from the check points that lie beside the item."""
    try:
        points = orjson.loads(path.read_bytes())["points"]
        squares = [
            x * x + y * y
            for x, y, use in zip(points["x_m"], points["y_m"], points["use"], strict=True)
            if use == "check"
        ]
    except FileNotFoundError:
        return  # already found
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"asset {GEOMETRY.key}: not readable as points: {error!r}"
        yield Finding("error", "accuracy", reason, _AGAIN, path)
        return
    rmse = math.sqrt(sum(squares) / max(len(squares), 1))
    stated = properties.get("accuracy:geometric_rmse"), properties.get("gfard:check_points")
    if stated[0] is None or abs(rmse - stated[0]) > _RMSE_STEP_M or len(squares) != stated[1]:
        reason = (
            f"asset {GEOMETRY.key}: {len(squares)} check points with an RMSE of {rmse:.3f} m in "
            f"the file, {stated[1]} with {stated[0]} m in the item"
        )
        yield Finding("error", "accuracy", reason, _DESCRIBE, path)


def _strays(item: Path, assets: Mapping[str, Any]) -> Iterator[Finding]:
    """Files beside an item that it does not name."""
    named = {item.name} | {Path(str(asset.get("href", ""))).name for asset in assets.values()}
    for path in sorted(item.parent.iterdir()):
        if path.name not in named:
            hint = "remove it, or process the scene again"
            yield Finding("warning", "stray-file", "the item does not name this file", hint, path)
