"""Ground expected from library and archive: one scene, its products, and what they predict."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from typer.testing import CliRunner

from catalog.errors import StoreError
from catalog.folder import FolderStore
from catalog.grid import tile
from catalog.product import QA
from infra.cli import app
from processing.geometry.angles import AngleField
from processing.geometry.field import GroundField
from processing.library.build import library_tiles, summary, update_library
from processing.library.expect import from_history, from_library, inherited_sigma
from processing.library.observed import observe
from processing.library.tile import CELL_PIXELS, cell_grid
from processing.pipeline import produce
from processing.result import Status
from processing.settings import ProcessSettings
from processing.simulate.demo import sample_specs
from processing.simulate.scene import Simulated, simulate

SETTINGS = ProcessSettings(network=False, minimum_valid_percent=0.1)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return simulate(replace(sample_specs()[0], clouds=None), tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def store(scene: Simulated, tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    products = FolderStore(tmp_path_factory.mktemp("store"))
    result = produce(scene.package, store=products, settings=SETTINGS, dem=scene.truth / "dem.tif")
    assert result.status is Status.DONE
    return products


@pytest.fixture(scope="module")
def library(store: FolderStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    assert len(update_library(folder, store)) == 1
    return folder


def test_clear_cells_of_a_product_are_seen(store: FolderStore) -> None:
    (stored,) = store.items()
    seen = observe(store, stored)
    known = np.isfinite(seen.reflectance[0])
    assert 30 < known.sum() < 200
    assert (np.isfinite(seen.angles.sun_zenith) >= known).all()
    assert 0.02 < np.nanmedian(seen.reflectance[2]) < 0.2


def test_saturated_cells_of_a_product_are_not_seen(store: FolderStore, tmp_path: Path) -> None:
    """A third of the tile is marked and as bright as counts go: its cells are gone.

    Where only the near infrared is as bright as that, cells stay.
    """
    (stored,) = store.items()
    before = observe(store, stored).reflectance
    shutil.copytree(store.root, tmp_path / "store")
    copy = FolderStore(tmp_path / "store")
    folder = copy.root / stored.relative
    cells = np.flatnonzero(np.isfinite(before[0]).any(axis=1))
    first = int(cells[len(cells) // 3])
    with rasterio.open(
        folder / stored.id.file_name("qa"), "r+", IGNORE_COG_LAYOUT_BREAK="YES"
    ) as qa:
        bits = qa.read(1)
        bits[: first * CELL_PIXELS] |= QA["saturated"].encode(1)
        qa.write(bits, 1)
        qa.build_overviews([2, 4, 8], Resampling.nearest)
    blue, green, red, nir = stored.item["properties"]["gfard:calibration"]["slope"]
    used = stored.item["properties"]["gfard:calibration"]
    used["slope"] = blue, green, red, 1e-3 * nir
    np.testing.assert_array_equal(observe(copy, stored).reflectance, before)
    used["slope"] = blue, green, 1e-3 * red, nir
    assert np.isnan(observe(copy, stored).reflectance[:, :first]).all()
    assert np.isfinite(before[0, :first]).any()


def test_products_come_into_a_library_once(store: FolderStore, library: Path) -> None:
    assert update_library(library, store) == []
    assert update_library(library, store, camera_name="GF6WFV") == []
    (surface,) = library_tiles(library)
    assert summary(surface)["products"] == 1
    assert update_library(library, store, anew=True) != []
    (again,) = library_tiles(library)
    np.testing.assert_array_equal(again.weights, surface.weights)


def test_history_is_the_ground_seen_lately(store: FolderStore) -> None:
    (stored,) = store.items()
    cells = cell_grid(stored.id.tile)
    seen = observe(store, stored)
    sigma = []
    for days in (3, 40):
        later = stored.id.time + timedelta(days=days)
        found = from_history(store, "GF1WFV2", [tile(stored.id.tile)], cells, later, 45)
        (surface,) = found.surfaces
        np.testing.assert_allclose(surface.reflectance, seen.reflectance, rtol=1e-5)
        sigma.append(np.nanmedian(surface.sigma[0]))
        assert found.names == (str(stored.id),)
        known = np.isfinite(surface.reflectance[0])
        np.testing.assert_allclose(surface.depth_sigma[known], inherited_sigma(1, 1))
        assert np.isnan(surface.depth_sigma[~known]).all()
    assert 0.008 < sigma[0] < 0.6 * sigma[1]
    for camera, days, reach in (("GF1WFV2", 0, 45), ("GF1WFV2", 60, 45), ("GF1WFV1", 3, 45)):
        time = stored.id.time + timedelta(days=days)
        none = from_history(store, camera, [tile(stored.id.tile)], cells, time, reach)
        assert (none.surfaces, none.names) == ((), ())


def test_more_dates_leave_the_error_that_comes_again() -> None:
    """A mean of many dates errs by what their place does; dates of others take a share of it."""
    once, twice, often = (float(inherited_sigma(n, n)) for n in (1, 2, 10_000))
    assert once**2 - often**2 == pytest.approx(2 * (twice**2 - often**2), rel=1e-3)
    assert 0.03 < often < twice < once < 0.15
    assert float(inherited_sigma(2, 8)) == pytest.approx(twice / 4)
    assert float(inherited_sigma(0, 7)) == 0


def _made_again(store: FolderStore, root: Path) -> tuple[FolderStore, Path]:
    """Copy the store's product, and once more as a later version, whose folder is returned too."""
    (stored,) = store.items()
    old, new = str(stored.id), str(stored.id)[:-6] + "000002"
    for name in (old, new):
        folder = root / stored.relative.replace(old, name)
        folder.mkdir(parents=True)
        for file in (store.root / stored.relative).iterdir():
            copy = folder / file.name.replace(old, name)
            if file.suffix == ".json" and file.stem == old:
                text = file.read_text().replace(old, name)
                made = stored.item["properties"]["created"]
                copy.write_text(text if name == old else text.replace(made, "2999-01-01T00:00:00Z"))
            else:
                copy.write_bytes(file.read_bytes())
    return FolderStore(root), folder


def test_history_takes_the_newest_version_and_names_a_broken_one(
    store: FolderStore, tmp_path: Path
) -> None:
    copies, folder = _made_again(store, tmp_path)
    (stored,) = store.items()
    later = stored.id.time + timedelta(days=3)
    where = "GF1WFV2", [tile(stored.id.tile)], cell_grid(stored.id.tile), later, 45
    assert from_history(copies, *where).names == (folder.name,)
    (mask,) = folder.glob("*.mask.tiff")
    mask.write_bytes(b"cut off")
    with pytest.raises(StoreError, match=rf"{folder.name}\.mask\.tiff: cannot be read: .*--repair"):
        from_history(copies, *where)


def test_a_scene_made_again_comes_into_a_library_once(
    store: FolderStore, library: Path, tmp_path: Path
) -> None:
    copies, _ = _made_again(store, tmp_path / "store")
    assert update_library(library, copies) == []
    assert len(update_library(tmp_path / "library", copies)) == 1
    (surface,) = library_tiles(tmp_path / "library")
    assert [name[-6:] for name in surface.items] == ["000002"]


def test_library_predicts_what_it_was_made_of(store: FolderStore, library: Path) -> None:
    (stored,) = store.items()
    seen = observe(store, stored)
    cells = cell_grid(stored.id.tile)
    layers = []
    for azimuth, zenith in (
        (seen.angles.sun_azimuth, seen.angles.sun_zenith),
        (seen.angles.view_azimuth, seen.angles.view_zenith),
    ):
        a, z = np.radians(azimuth), np.radians(zenith)
        layers += [np.sin(z) * np.sin(a), np.sin(z) * np.cos(a), np.cos(z)]
    field = AngleField(GroundField(cells, np.stack(layers).astype(np.float32)))
    tiles = [tile(stored.id.tile)]
    (surface,) = from_library(library, "GF1WFV2", tiles, cells, field).surfaces
    known = np.isfinite(seen.reflectance[0]) & np.isfinite(surface.reflectance[0])
    assert known.sum() > 30
    np.testing.assert_allclose(surface.reflectance[:, known], seen.reflectance[:, known], rtol=0.01)
    assert surface.resolution == 1.0
    np.testing.assert_allclose(surface.depth_sigma[known], inherited_sigma(1, 1))
    between = replace(cells, ulx=cells.ulx + 100)
    (read_between,) = from_library(library, "GF1WFV2", tiles, between, field).surfaces
    assert read_between.resolution == 1.5


def test_a_scene_is_made_with_its_library(scene: Simulated, library: Path, tmp_path: Path) -> None:
    products = FolderStore(tmp_path)
    dem = scene.truth / "dem.tif"
    result = produce(scene.package, store=products, settings=SETTINGS, dem=dem, library=library)
    assert result.status is Status.DONE
    (stored,) = products.items()
    properties = stored.item["properties"]
    assert properties["gfard:aerosol_target_cells"]["library"] > 10
    assert "GF1WFV2.31TCL.surface.tiff" in properties["gfard:aerosol_surfaces"][0]
    assert "library" in properties["processing:lineage"]


def test_a_wrong_library_fails_the_scene(scene: Simulated, tmp_path: Path) -> None:
    result = produce(
        scene.package, store=FolderStore(tmp_path / "s"), settings=SETTINGS, library=tmp_path
    )
    assert (result.status, result.reason) == (Status.FAILED, "AtmosphereError")
    assert "gfard library build" in result.detail


def test_commands_build_and_show(store: FolderStore, tmp_path: Path) -> None:
    run = CliRunner()
    folder, root = str(tmp_path / "library"), str(store.root)
    built = run.invoke(app, ["library", "build", folder, "--store", root, "--json"])
    assert built.exit_code == 0
    assert "GF1WFV2.31TCL.surface.tiff" in built.stdout
    updated = run.invoke(app, ["library", "update", folder, "--store", root, "--json"])
    assert '"written": []' in updated.stdout
    shown = run.invoke(app, ["library", "show", folder, "--json"])
    assert '"tile": "31TCL"' in shown.stdout
    refused = run.invoke(app, ["library", "build", folder, "--kernels", str(tmp_path)])
    assert "--camera and --tile" in str(refused.exception)
