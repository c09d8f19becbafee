"""Corrections on request through the whole chain: what items tell, and where tiles meet."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from catalog.check import check
from catalog.folder import FolderStore
from catalog.grid import Grid
from catalog.product import MaskClass
from processing.blocks import Block
from processing.library.observed import observe
from processing.pipeline import produce
from processing.result import SceneResult, Status
from processing.settings import ProcessSettings
from processing.simulate.demo import sample_specs
from processing.simulate.scene import Simulated, simulate
from processing.surround import CELL_PIXELS, CoarseScene, Surroundings

ALL = {"adjacency": True, "terrain_correction": "scs+c", "uncertainty": True, "nbar": True}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """A small scene with some clouds, whose air mixes what lies around each pixel."""
    spec = sample_specs()[0]
    air = replace(spec.air, adjacency=True)
    return simulate(replace(spec, air=air), tmp_path_factory.mktemp("scene"))


def _produce(scene: Simulated, folder: Path, *, dem: bool = True, **options: object) -> SceneResult:
    return produce(
        scene.package,
        store=FolderStore(folder),
        settings=ProcessSettings(network=False, minimum_valid_percent=0.1, **options),
        dem=scene.truth / "dem.tif" if dem else None,
    )


def _images(folder: Path) -> tuple[Mapping[str, object], dict[str, np.ndarray]]:
    """Return the item and the images of the one product of a store, where it has pixels."""
    (stored,) = FolderStore(folder).items()
    images = {}
    for key, asset in stored.item["assets"].items():
        if asset["href"].endswith(".tiff"):
            with rasterio.open(folder / stored.relative / asset["href"]) as raster:
                images[key] = raster.read()
    rows, cols = (np.flatnonzero(images["mask"][0].any(axis=axis)) for axis in (1, 0))
    here = np.s_[:, rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return stored.item, {key: image[here] for key, image in images.items()}


def test_all_options_together(scene: Simulated, tmp_path: Path) -> None:
    plain, asked = tmp_path / "plain", tmp_path / "asked"
    assert _produce(scene, plain).status is Status.DONE
    assert _produce(scene, asked, **ALL).status is Status.DONE
    assert check(asked) == []
    before, images = _images(plain)
    item, found = _images(asked)
    properties = item["properties"]
    assert not {"gfard:adjacency", "gfard:terrain_correction"} & set(before["properties"])
    assert "terrain_factor" not in before["assets"]
    contrast = properties["gfard:adjacency"]["contrast"]
    assert 1.05 < contrast["nir"] < contrast["red"] < contrast["blue"] < 1.6
    told = properties["gfard:terrain_correction"]
    assert set(told["c"]) == {"blue", "green", "red", "nir"}
    assert told["c_source"] in {"regression over the scene", "sky light of the look-up table"}
    lineage = properties["processing:lineage"]
    assert lineage.index("surroundings") < lineage.index("SCS+C")
    settings = properties["gfard:settings"]
    assert settings["adjacency"] is True
    assert settings["terrain_correction"] == "scs+c"
    seen = found["SR"] > 0
    for key in ("SR_uncertainty", "NBAR", "terrain_factor"):
        np.testing.assert_array_equal(found[key] > 0, seen)
    np.testing.assert_array_equal(found["AOD_uncertainty"] > 0, seen[:1])
    for key in ("TOA", "mask", "AOD", "angle"):
        np.testing.assert_array_equal(found[key], images[key])
    factor = found["terrain_factor"]
    dry = found["mask"][0] == MaskClass.CLEAR
    assert ((factor == 10000) | (factor == 0))[:, ~dry].all()
    level = (factor == 10000).all(axis=0) & dry
    assert 0.05 < level.mean() < 0.99
    # The archive tells what the sensor will see again: the light on the slopes.
    (first,), (second,) = (FolderStore(folder).items() for folder in (plain, asked))
    ground, again = (
        observe(FolderStore(folder), stored).reflectance
        for folder, stored in ((plain, first), (asked, second))
    )
    assert np.isfinite(ground).any()
    assert np.nanmax(np.abs(again - ground)[3]) < 0.012
    change = found["SR"].astype(int) - images["SR"]
    # Contrast comes back: dark ground in bright surroundings darkens, bright ground brightens.
    nir = images["SR"][3]
    assert np.median(change[3][level & (nir < 1500)]) < -20
    assert np.median(change[3][level & (nir > np.quantile(nir[level], 0.95))]) > 20
    assert abs(change[3][level].mean()) < 30


def test_slopes_need_heights(scene: Simulated, tmp_path: Path) -> None:
    result = _produce(scene, tmp_path, dem=False, terrain_correction="scs+c")
    assert (result.status, result.reason) == (Status.FAILED, "DemError")
    assert "--dem" in result.detail
    assert not list(FolderStore(tmp_path).items())


def test_surroundings_need_no_heights(scene: Simulated, tmp_path: Path) -> None:
    assert _produce(scene, tmp_path, dem=False, adjacency=True).status is Status.DONE
    item, _ = _images(tmp_path)
    assert "gfard:adjacency" in item["properties"]


def test_blocks_of_a_scene_make_the_same_cells_as_the_whole() -> None:
    grid = Grid(32631, 300032.0, 5100032.0, 32.0, 96, 64)
    rng = np.random.default_rng(4)
    toa = rng.uniform(0.05, 0.5, (4, *grid.shape)).astype(np.float32)
    toa[:, :7] = np.nan
    classes = np.where(rng.random(grid.shape) < 0.2, MaskClass.CLOUD, MaskClass.CLEAR)
    whole, parts = CoarseScene.empty(grid, 4), CoarseScene.empty(grid, 4)
    whole.put(Block(slice(0, 96), slice(0, 64), grid, 0, 0), toa, classes)
    for first in (0, 48):
        top = max(first - 16, 0)
        frame = grid.window(top, 0, first + 48 - top, 64)
        block = Block(slice(first, first + 48), slice(0, 64), frame, first - top, 0)
        parts.put(block, toa[:, top : first + 48], classes[top : first + 48])
    np.testing.assert_array_equal(whole.toa, parts.toa)
    clear = np.where(classes == MaskClass.CLOUD, np.nan, toa[0])[8:12, 8:12]
    assert whole.toa[0, 2, 2] == pytest.approx(1e4 * np.nanmean(clear), abs=1)
    assert (whole.toa[:, 0] == 0).all()


def test_neighbouring_tiles_see_the_same_surroundings() -> None:
    """Tiles of two zones whose pixels share no lattice, over a field that bends as wide ones do."""
    grid = Grid(32631, 690_000.0, 5_050_000.0, 128.0, 400, 400)
    row, col = np.indices(grid.shape)
    mean = 2500 + 900 * np.sin(row / 25) * np.cos(col / 31)
    around = Surroundings(grid, mean[None].astype(np.uint16), (1.2,))
    west = Grid(32631, 699_960.0, 5_040_000.0, 16.0, 1600, 1600).coarsen(CELL_PIXELS)
    first = around.on(west)[0]
    lon, lat = west.lonlat(*np.indices(west.shape))
    east = Grid(32632, 234_000.0, 5_050_000.0, 16.0, 3200, 3200).coarsen(CELL_PIXELS)
    place = east.rowcol(lon, lat)
    inside = (place[0] > 1) & (place[0] < 398) & (place[1] > 1) & (place[1] < 398)
    assert inside.mean() > 0.5
    second = around.on(east)[0]
    nearest = second[np.rint(place[0][inside]).astype(int), np.rint(place[1][inside]).astype(int)]
    assert np.nanmax(np.abs(nearest - first[inside])) < 0.006
    beyond = Grid(32635, 300_000.0, 5_050_000.0, 128.0, 20, 20)
    assert np.isnan(around.on(beyond)).all()
