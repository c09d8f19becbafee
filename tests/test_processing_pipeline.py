"""Gates and bad input end as results; a scene is done whole, and a rerun is harmless."""

from pathlib import Path

import pytest

from catalog.product import ItemId
from catalog.store import FolderStore
from processing.pipeline import produce
from processing.result import SceneResult, Status
from processing.settings import ProcessSettings
from processing.simulate.demo import sample_specs
from processing.simulate.scene import Simulated, simulate


@pytest.fixture(scope="module")
def cloudy(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """A small scene with some clouds, less than one percent of a tile."""
    return simulate(sample_specs()[0], tmp_path_factory.mktemp("scene"))


def _produce(scene: Simulated, folder: Path, **options: object) -> SceneResult:
    settings = ProcessSettings(network=False, **{"minimum_valid_percent": 0.1, **options})
    dem = scene.truth / "dem.tif"
    return produce(scene.package, store=FolderStore(folder), settings=settings, dem=dem)


def test_a_scene_is_done_and_a_rerun_is_harmless(cloudy: Simulated, tmp_path: Path) -> None:
    first = _produce(cloudy, tmp_path)
    again = _produce(cloudy, tmp_path)
    assert first.status is again.status is Status.DONE
    assert first.items == again.items != ()
    stored = [str(item.id) for item in FolderStore(tmp_path).items()]
    assert stored == list(first.items)
    assert first.to_dict()["status"] == "done"
    assert {"open", "locate", "look", "tiles", "write", "wall"} <= set(first.timings)


def test_clouds_beyond_the_limit_reject_the_scene(cloudy: Simulated, tmp_path: Path) -> None:
    result = _produce(cloudy, tmp_path, cloud_limit_percent=5.0)
    assert (result.status, result.reason) == (Status.REJECTED, "cloud")
    assert "limit 5 %" in result.detail
    assert result.figures["cloud_shadow_percent"] > 5
    assert not list(tmp_path.iterdir())


def test_a_low_sun_rejects_the_scene(cloudy: Simulated, tmp_path: Path) -> None:
    result = _produce(cloudy, tmp_path, sun_limit_deg=10.0)
    assert (result.status, result.reason) == (Status.REJECTED, "low-sun")
    assert not list(tmp_path.iterdir())


def test_a_scene_that_fills_no_tile_is_rejected(cloudy: Simulated, tmp_path: Path) -> None:
    result = _produce(cloudy, tmp_path, minimum_valid_percent=1.0)
    assert (result.status, result.reason) == (Status.REJECTED, "no-tile")


def test_bad_input_is_a_failed_result_with_its_class(tmp_path: Path) -> None:
    package = tmp_path / "GF1_WFV1_E113.0_N22.9_20191124_L1A0004418304.tar.gz"
    package.write_bytes(b"not an archive")
    store = FolderStore(tmp_path / "store")
    result = produce(package, store=store, settings=ProcessSettings())
    assert result.status is Status.FAILED
    assert result.reason.endswith("Error")
    assert package.name in result.detail
    assert not store.root.exists()


def test_without_heights_the_item_warns(cloudy: Simulated, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    settings = ProcessSettings(network=False, minimum_valid_percent=0.1)
    result = produce(cloudy.package, store=store, settings=settings)
    stored = store.get(ItemId.parse(result.items[0]))
    assert stored is not None
    assert any("ellipsoid" in text for text in stored.item["properties"]["gfard:warnings"])
    assert stored.item["properties"]["product:quality_status"] == "degraded"


def test_items_name_no_path_of_the_machine(cloudy: Simulated, tmp_path: Path) -> None:
    result = _produce(cloudy, tmp_path)
    for path in tmp_path.rglob("*.json"):
        assert str(cloudy.truth.parent) not in path.read_text(), result.items
