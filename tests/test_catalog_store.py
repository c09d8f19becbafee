"""Products appear whole or not at all, whatever happens to the run that makes them."""

import errno
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.drafts import locked
from catalog.errors import ProductError, StoreError
from catalog.facts import describe_file
from catalog.folder import FolderStore
from catalog.item import build_item
from catalog.product import GEOMETRY, asset_specs
from catalog.store import relative_folder
from tests.catalog_products import facts

FACTS = facts()
ID = FACTS.id


def _write(folder: Path, content: bytes) -> dict[str, Any]:
    """Fill a draft with files that are no rasters, which the store does not mind."""
    names = {spec.key: ID.file_name(spec.key) for spec in asset_specs(ID.satellite)}
    names[GEOMETRY.key] = ID.file_name(GEOMETRY.key)
    names["thumbnail"] = f"{ID}.thumbnail.webp"
    for name in names.values():
        (folder / name).write_bytes(content)
    return build_item(FACTS, [describe_file(key, folder / name) for key, name in names.items()])


def _put(store: FolderStore, content: bytes = b"pixels") -> None:
    with store.draft(ID) as draft:
        draft.commit(_write(draft.folder, content))


def _visible(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_place_of_an_item_follows_from_its_id() -> None:
    assert relative_folder(ID) == f"gf1-wfv-ard/31/T/CL/2014/{ID}"
    new_year = replace(ID, time=datetime(2014, 12, 31, 17, tzinfo=UTC))
    assert "/2015/GF1WFV1.16m.2015001" in relative_folder(new_year)


def test_product_comes_back(store: FolderStore) -> None:
    _put(store)
    stored = store.get(ID)
    assert stored is not None
    assert stored.item["id"] == str(ID)
    assert stored.collection == "gf1-wfv-ard"
    assert [each.relative for each in store.items()] == [relative_folder(ID)]
    file = store.resolve(f"{stored.relative}/{ID.file_name('SR')}")
    assert file.read_bytes() == b"pixels"
    assert os.listdir(store.root / ".drafts") == []


def test_nothing_is_visible_before_the_commit(store: FolderStore) -> None:
    with store.draft(ID) as draft:
        item = _write(draft.folder, b"pixels")
        assert store.get(ID) is None
        assert list(store.items()) == []
        assert draft.folder.stat().st_dev == store.root.stat().st_dev
        draft.commit(item)
    assert store.get(ID) is not None


def _put_broken(store: FolderStore) -> None:
    with store.draft(ID) as draft:
        _write(draft.folder, b"pixels")
        raise RuntimeError("broken")


def test_uncommitted_draft_leaves_nothing(store: FolderStore) -> None:
    with store.draft(ID) as draft:
        _write(draft.folder, b"pixels")
    with pytest.raises(RuntimeError, match="broken"):
        _put_broken(store)
    assert _visible(store.root) == []


def test_rerun_replaces_the_product(store: FolderStore) -> None:
    _put(store, b"old")
    old = (store.root / relative_folder(ID)).stat().st_ino
    _put(store, b"new")
    folder = store.root / relative_folder(ID)
    assert folder.stat().st_ino != old
    assert (folder / ID.file_name("SR")).read_bytes() == b"new"
    assert len(_visible(store.root)) == 9


def test_failed_rerun_keeps_the_old_product(store: FolderStore) -> None:
    _put(store, b"old")
    with store.draft(ID) as draft:
        item = _write(draft.folder, b"new")
        (draft.folder / ID.file_name("qa")).unlink()
        with pytest.raises(ProductError, match="not there"):
            draft.commit(item)
    folder = store.root / relative_folder(ID)
    assert (folder / ID.file_name("SR")).read_bytes() == b"old"
    assert len(_visible(store.root)) == 9


def test_item_of_another_id_is_refused(store: FolderStore) -> None:
    with pytest.raises(ProductError, match="committed as"), store.draft(ID) as draft:
        draft.commit({**_write(draft.folder, b"x"), "id": "other"})


def _run(work: Callable[..., None], *arguments: Any) -> int:
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def _killed(root: Path) -> None:
    with FolderStore(root).draft(ID) as draft:
        _write(draft.folder, b"half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_killed_run_is_invisible_and_cleaned_by_the_next(store: FolderStore) -> None:
    assert _run(_killed, store.root) == -signal.SIGKILL
    assert len(os.listdir(store.root / ".drafts")) == 1
    assert list(store.items()) == []
    _put(store)
    assert os.listdir(store.root / ".drafts") == []
    assert len(list(store.items())) == 1


def test_two_runs_of_one_scene_do_not_disturb_each_other(store: FolderStore) -> None:
    with store.draft(ID) as first, store.draft(ID) as second:
        item = _write(first.folder, b"first")
        second.commit(_write(second.folder, b"second"))
        first.commit(item)
    folder = store.root / relative_folder(ID)
    assert (folder / ID.file_name("SR")).read_bytes() == b"first"
    assert os.listdir(store.root / ".drafts") == []


def test_two_runs_put_their_products_into_place_one_after_the_other(store: FolderStore) -> None:
    place = (store.root / relative_folder(ID)).parent
    place.mkdir(parents=True)
    with store.draft(ID) as draft:
        item = _write(draft.folder, b"pixels")
        second = threading.Thread(target=draft.commit, args=(item,))
        with locked(place):
            second.start()
            second.join(0.3)
            assert second.is_alive()
            assert store.get(ID) is None
        second.join()
    assert store.get(ID) is not None


def _cramped(root: Path, size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    with pytest.raises(StoreError, match="free some space") as caught:
        _put(FolderStore(root), b"x" * 100_000)
    assert "\n" not in str(caught.value)


def test_full_disk_is_one_line_and_leaves_nothing(store: FolderStore) -> None:
    assert _run(_cramped, store.root, 50_000) == 0
    assert _visible(store.root) == []


def test_disk_that_fills_up_at_the_item_leaves_nothing(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with store.draft(ID) as draft:
        item = _write(draft.folder, b"pixels")
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(StoreError, match="No space left") as caught:
            draft.commit(item)
    assert str(store.root) in str(caught.value)
    assert _visible(store.root) == []


@pytest.mark.parametrize("root", ["/proc/store", "/dev/null/store"])
def test_unwritable_store_is_one_line(root: str) -> None:
    with pytest.raises(StoreError, match="this user may write") as caught:
        _put(FolderStore(Path(root)))
    assert root in str(caught.value)
    with pytest.raises(StoreError, match=root):
        FolderStore(Path(root)).put_collection({"id": "gf1-wfv-ard"})


def test_errors_of_other_places_stay_what_they_are(store: FolderStore) -> None:
    with pytest.raises(FileNotFoundError), store.draft(ID):
        Path("/nowhere").read_bytes()


def test_a_store_that_is_not_there(store: FolderStore) -> None:
    with pytest.raises(StoreError, match="wanted: the store's root"):
        list(store.items())


def test_foreign_folders_are_passed_over(store: FolderStore) -> None:
    _put(store)
    for name in ("gf1-wfv-ard/31/T/CL/2014/notes", "gf1-wfv-ard/31/T/CL/x", "lost+found"):
        (store.root / name).mkdir(parents=True)
    assert len(list(store.items())) == 1


def test_damaged_item_names_the_file(store: FolderStore) -> None:
    _put(store)
    path = store.root / relative_folder(ID) / f"{ID}.json"
    path.write_text("{")
    with pytest.raises(StoreError, match=str(path)):
        list(store.items())


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ".drafts/x", "a/.hidden", "a\0b"])
def test_names_that_lead_elsewhere_are_refused(store: FolderStore, name: str) -> None:
    with pytest.raises(StoreError):
        store.resolve(name)


def test_link_out_of_the_store_is_refused(store: FolderStore, tmp_path: Path) -> None:
    store.root.mkdir()
    (store.root / "link").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="out of the store"):
        store.resolve("link/secret")


def test_collection_lies_where_items_look_for_it(store: FolderStore) -> None:
    _put(store)
    store.put_collection({"id": "gf1-wfv-ard"})
    stored = store.get(ID)
    assert stored is not None
    (link,) = [link for link in stored.item["links"] if link["rel"] == "collection"]
    assert (store.root / stored.relative / link["href"]).resolve().is_file()


def test_items_of_a_tile_are_found_without_looking_at_others(store: FolderStore) -> None:
    _put(store)
    assert [each.id for each in store.items_on("31TCL")] == [ID]
    assert list(store.items_on("31TDL")) == []


def test_records_of_scenes_come_back_and_are_no_products(store: FolderStore) -> None:
    assert list(store.scenes()) == []
    store.put_scene("scene-b.000001", {"status": "rejected"})
    store.put_scene("scene-a.000001", {"status": "failed"})
    store.put_scene("scene-a.000001", {"status": "done"})
    assert [record["status"] for record in store.scenes()] == ["done", "rejected"]
    assert list(store.items()) == []
    with pytest.raises(StoreError, match="not the name of a published file"):
        store.resolve(".scenes/scene-a.000001.json")
    with pytest.raises(StoreError, match="cannot name a scene's record"):
        store.put_scene("../elsewhere", {})
