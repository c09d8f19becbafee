"""Gates and bad input end as results; a scene is done whole, and a rerun is harmless."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import rasterio
from scipy import ndimage

from catalog.check import check
from catalog.folder import FolderStore
from catalog.grid import tile
from catalog.product import QA, ItemId, MaskClass
from processing.atmosphere.aod import AodField, fit_cells
from processing.geometry.coregister import MatchTable, Registration
from processing.geometry.gate import measure
from processing.geometry.refine import Model
from processing.geometry.rpc import ImageCorrection
from processing.package import open_package
from processing.pipeline import produce
from processing.result import SceneResult, Status
from processing.settings import ProcessSettings
from processing.simulate.demo import sample_specs
from processing.simulate.scene import Simulated, simulate
from processing.tile import TileImage
from tests.l1a_packages import GF1_SCENE, write_scene


@pytest.fixture(scope="module")
def cloudy(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """A small scene with some clouds, less than one percent of a tile."""
    return simulate(sample_specs()[0], tmp_path_factory.mktemp("scene"))


def _produce(
    scene: Simulated, folder: Path, reference: Path | None = None, **options: object
) -> SceneResult:
    settings = ProcessSettings(network=False, **{"minimum_valid_percent": 0.1, **options})
    dem = scene.truth / "dem.tif"
    return produce(
        scene.package,
        store=FolderStore(folder),
        settings=settings,
        dem=dem,
        reference=reference,
    )


def _only_a_record(root: Path) -> bool:
    """Whether the store holds no item, and tells what became of the scene."""
    store = FolderStore(root)
    (record,) = store.scenes()
    return not list(store.items()) and record["result"]["status"] == "rejected"


def _registration(rmse_px: float, points: int = 90) -> Registration:
    """What a co-registration finds that leaves so much at every check point."""
    none, zero = np.zeros(points), np.zeros(points)
    x = np.where(np.arange(points) % 2, rmse_px, -rmse_px)
    accuracy = measure(x, zero, np.arange(points) % 9)
    table = MatchTable(
        np.zeros(points, np.intp), none, none, none + 1.1, none + 45.5, none, none, none, x, zero,
        np.full(points, "check"),
    )  # fmt: skip
    correction = ImageCorrection(row_offset=1.5, col_offset=-0.5)
    return Registration((correction,), Model.BIAS, accuracy, table, "r.tif (red)")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[Registration], None]:
    """Let co-registration find what a test says."""

    def find(registration: Registration) -> None:
        monkeypatch.setattr("processing.placement.coregister", lambda *_, **__: registration)

    return find


def test_a_scene_is_done_and_a_rerun_is_harmless(cloudy: Simulated, tmp_path: Path) -> None:
    first = _produce(cloudy, tmp_path)
    again = _produce(cloudy, tmp_path)
    assert first.status is again.status is Status.DONE
    assert first.items == again.items != ()
    stored = [str(item.id) for item in FolderStore(tmp_path).items()]
    assert stored == list(first.items)
    assert first.to_dict()["status"] == "done"
    assert {"open", "locate", "look", "tiles", "write", "wall"} <= set(first.timings)


def test_item_and_bits_tell_of_the_mask_and_the_counts(cloudy: Simulated, tmp_path: Path) -> None:
    _produce(cloudy, tmp_path)
    (stored,) = FolderStore(tmp_path).items()
    assets, images = stored.item["assets"], {}
    for key in ("mask", "qa"):
        with rasterio.open(tmp_path / stored.relative / assets[key]["href"]) as raster:
            images[key] = raster.read(1)
    valid = images["mask"] != MaskClass.FILL
    percent = {
        value: 100 * (images["mask"][valid] == value).mean()
        for value in MaskClass
        if value is not MaskClass.FILL
    }
    classes = {entry["value"]: entry for entry in assets["mask"]["classification:classes"]}
    assert "percentage" not in classes[MaskClass.FILL]
    for value, share in percent.items():
        assert classes[value]["percentage"] == pytest.approx(share, abs=6e-4)
    properties = stored.item["properties"]
    assert properties["eo:cloud_cover"] == pytest.approx(percent[MaskClass.CLOUD], abs=6e-4) != 0
    assert properties["eo:snow_cover"] == pytest.approx(percent[MaskClass.SNOW], abs=6e-4)

    def bit(name: str) -> np.ndarray:
        return (images["qa"] >> QA[name].offset) & 1 == 1

    assert np.array_equal(bit("valid"), valid)
    shadow, water = (images["mask"] == c for c in (MaskClass.CLOUD_SHADOW, MaskClass.WATER))
    assert (bit("cloud_shadow") >= shadow).all()
    assert (bit("water") >= water).all()
    assert bit("incomplete")[valid].all()  # by rules alone
    # The kernel reads four counts along each axis: one that is saturated marks all it touches.
    raw = _saturated_counts(cloudy)
    least, most = raw.mean(), ndimage.maximum_filter(raw, 5).mean()
    assert 0.1 < least < bit("saturated")[valid].mean() < most < 0.6


def _saturated_counts(scene: Simulated) -> np.ndarray:
    """Return where any band of the package's image is saturated."""
    with open_package(scene.package) as package:
        (part,) = package.parts
        counts = part.read(0, 0, part.height, part.width)
        return (counts >= package.camera.saturation_dn).any(axis=0)


def test_uncertainties_are_assets_on_request(cloudy: Simulated, tmp_path: Path) -> None:
    result = _produce(cloudy, tmp_path, uncertainty=True)
    (stored,) = FolderStore(tmp_path).items()
    assert str(stored.id) in result.items
    assert check(tmp_path) == []
    folder = tmp_path / stored.relative
    images = {}
    for key in ("AOD", "AOD_uncertainty", "SR", "SR_uncertainty"):
        with rasterio.open(folder / stored.item["assets"][key]["href"]) as raster:
            images[key] = raster.read(out_shape=(raster.count, 429, 429)) * raster.scales[0]
    for key in ("AOD", "SR"):
        sigma = images[f"{key}_uncertainty"]
        assert ((sigma > 0) == (images[key] > 0)).all()
    assert 0.02 < np.median(images["AOD_uncertainty"][images["AOD"] > 0]) < 0.3
    clear = images["SR"][3] > 0.2
    share = images["SR_uncertainty"][3][clear] / images["SR"][3][clear]
    assert 0.04 < np.median(share) < 0.1


def test_clouds_beyond_the_limit_reject_the_scene(cloudy: Simulated, tmp_path: Path) -> None:
    result = _produce(cloudy, tmp_path, cloud_limit_percent=5.0)
    assert (result.status, result.reason) == (Status.REJECTED, "cloud")
    assert "limit 5 %" in result.detail
    assert result.figures["cloud_shadow_percent"] > 5
    assert _only_a_record(tmp_path)


def test_a_low_sun_rejects_the_scene(cloudy: Simulated, tmp_path: Path) -> None:
    result = _produce(cloudy, tmp_path, sun_limit_deg=10.0)
    assert (result.status, result.reason) == (Status.REJECTED, "low-sun")
    assert _only_a_record(tmp_path)


def test_where_the_sun_is_too_low_a_scene_has_no_data(cloudy: Simulated, tmp_path: Path) -> None:
    with open_package(cloudy.package) as package:
        limit = round(package.sun_zenith_deg + 0.02, 2)
    _produce(cloudy, tmp_path / "all")
    _produce(cloudy, tmp_path / "lit", sun_limit_deg=limit)
    valid = []
    for root in (tmp_path / "all", tmp_path / "lit"):
        (stored,) = FolderStore(root).items()
        images = {}
        for key in ("SR", "angle", "mask", "qa"):
            with rasterio.open(
                root / stored.relative / stored.item["assets"][key]["href"]
            ) as raster:
                images[key] = raster.read(2 if raster.count > 1 else 1)
        valid.append(images["SR"] != 0)
        for image in images.values():
            assert ((image != 0) == valid[-1]).all()
        zenith = images["angle"] / 100.0
    whole, lit = valid
    assert 0.3 < lit.sum() / whole.sum() < 0.9
    assert not (lit & ~whole).any()
    assert zenith.max() <= limit + 0.01


def test_an_optical_depth_of_zero_is_written_and_flagged(
    cloudy: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_haze(*parts: Any, **options: Any) -> AodField:
        field = fit_cells(*parts, **options)
        return replace(field, aod=np.zeros_like(field.aod))

    monkeypatch.setattr("processing.look.fit_cells", without_haze)
    _produce(cloudy, tmp_path)
    (stored,) = FolderStore(tmp_path).items()
    images = {}
    for key in ("AOD", "qa"):
        path = tmp_path / stored.relative / stored.item["assets"][key]["href"]
        with rasterio.open(path) as raster:
            images[key] = raster.read(1)
    valid = images["qa"] != 0
    assert (images["AOD"][valid] == 1).all()
    assert (images["qa"][valid] >> QA["clamped"].offset & 1 == 1).all()


def test_a_tile_of_a_few_pixels_has_angles() -> None:
    """No pixel of the sample of every eighth has data."""
    shape = (40, 40)
    angle = np.zeros((4, *shape), np.uint16)
    angle[:, 3:5, 4:6] = np.array([9000, 3000, 27000, 1500])[:, None, None]
    made = tile("31TCL")
    image = TileImage(made, made.grid.window(0, 0, *shape), 0, 0, {"angle": angle})
    assert image.mean_angles() == pytest.approx({"saa": 90, "sza": 30, "vaa": 270, "vza": 15})


def test_a_scene_that_fills_no_tile_is_rejected(cloudy: Simulated, tmp_path: Path) -> None:
    result = _produce(cloudy, tmp_path, minimum_valid_percent=1.0)
    assert (result.status, result.reason) == (Status.REJECTED, "no-tile")


def test_what_a_rerun_rejects_is_not_left_from_before(cloudy: Simulated, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    other = _produce(cloudy, tmp_path, version="OTHER1")
    for changed, why in (
        ({"cloud_limit_percent": 5.0}, "cloud and shadow on"),
        ({"sun_limit_deg": 10.0}, "sun zenith"),
        ({"minimum_valid_percent": 1.0}, "none of"),
    ):
        (name,) = _produce(cloudy, tmp_path).items
        assert store.why_hidden(ItemId.parse(name)) is None
        result = _produce(cloudy, tmp_path, **changed)
        assert result.status is Status.REJECTED
        (warning,) = result.warnings
        assert warning.startswith(f"{name} was made by an earlier run and is hidden now")
        assert [str(item.id) for item in store.items()] == list(other.items)
        reason = store.why_hidden(ItemId.parse(name))
        assert reason == f"rejected when made again: {result.detail}"
        assert why in reason
    assert _produce(cloudy, tmp_path, sun_limit_deg=10.0).warnings == ()


def test_bad_input_is_a_failed_result_with_its_class(tmp_path: Path) -> None:
    package = tmp_path / "GF1_WFV1_E113.0_N22.9_20191124_L1A0004418304.tar.gz"
    package.write_bytes(b"not an archive")
    store = FolderStore(tmp_path / "store")
    result = produce(package, store=store, settings=ProcessSettings())
    assert result.status is Status.FAILED
    assert result.reason.endswith("Error")
    assert package.name in result.detail
    assert not store.root.exists()


def test_what_the_system_refuses_is_a_failed_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.write_text("no folder")
    monkeypatch.setenv("HOME", str(home))
    package = write_scene(tmp_path / "scene")
    store = FolderStore(tmp_path / "store")
    result = produce(package, store=store, settings=ProcessSettings(), dem="glo30")
    assert (result.status, result.reason) == (Status.FAILED, "NotADirectoryError")
    assert result.detail == f"{home}/.cache/gfard/glo30: Not a directory"


def test_heights_are_taken_from_where_the_camera_model_sees_not_the_corners(tmp_path: Path) -> None:
    """The corners of the metadata lie half a degree off, where the DEM has nothing."""
    corners = {"TopLeft": -1, "BottomLeft": -1, "TopRight": 1, "BottomRight": 1}
    tags = {f"{name}Longitude": f"{113.5 + 0.01 * way:.4f}" for name, way in corners.items()}
    made = replace(GF1_SCENE, reach=(0.01, 0.01), tags=tags, sun=(47.1, 156.7))
    package = write_scene(tmp_path / "scene", made)
    with rasterio.open(
        tmp_path / "dem.tif", "w", driver="GTiff", width=60, height=60, count=1, dtype="float32",
        crs="EPSG:4979", transform=rasterio.transform.from_origin(112.8, 23.1, 0.007, 0.007),
    ) as raster:  # fmt: skip
        raster.write(np.full((1, 60, 60), 100, np.float32))
    result = produce(
        package,
        store=FolderStore(tmp_path / "store"),
        settings=ProcessSettings(),
        dem=tmp_path / "dem.tif",
        reference=tmp_path / "none.tif",
    )
    assert result.reason == "ReferenceImageError", result.detail


def test_a_measured_scene_is_nominal_and_says_how_it_was_measured(
    cloudy: Simulated, tmp_path: Path, found: Callable[[Registration], None]
) -> None:
    found(_registration(0.4))
    result = _produce(cloudy, tmp_path, reference=cloudy.truth / "sr.tif")
    assert result.status is Status.DONE
    assert result.figures["geometric_rmse_px"] == pytest.approx(0.4)
    assert result.figures["check_points"] == 90
    (stored,) = FolderStore(tmp_path).items()
    properties = stored.item["properties"]
    assert properties["product:quality_status"] == "nominal"
    assert properties["accuracy:geometric_rmse"] == pytest.approx(6.4)
    assert properties["gfard:geometric_class"] == "0-0.8"
    assert properties["gfard:auxiliary"]["reference"] == "sr.tif"
    assert properties["gfard:geometric_correction"][0]["row_offset"] == 1.5
    assert "measured at 90 others" in properties["processing:lineage"]
    assert check(tmp_path) == []
    (record,) = FolderStore(tmp_path).scenes()
    assert (record["camera"], record["geometry"]["class"]) == ("GF1WFV2", "0-0.8")
    assert record["result"]["items"] == [str(stored.id)]


def test_between_half_and_the_limit_a_product_is_degraded(
    cloudy: Simulated, tmp_path: Path, found: Callable[[Registration], None]
) -> None:
    found(_registration(0.7))
    assert _produce(cloudy, tmp_path, reference=cloudy.truth / "sr.tif").status is Status.DONE
    (stored,) = FolderStore(tmp_path).items()
    assert stored.item["properties"]["product:quality_status"] == "degraded"
    assert stored.item["properties"]["gfard:quality_reason"] == "geometric RMSE 11.2 m is above 8 m"


@pytest.mark.parametrize(("rmse", "klass"), [(0.9, "0.8-1.0"), (1.2, "above 1.0")])
def test_an_inaccurate_scene_is_rejected_with_figure_and_class(
    cloudy: Simulated,
    tmp_path: Path,
    found: Callable[[Registration], None],
    rmse: float,
    klass: str,
) -> None:
    found(_registration(rmse))
    options = {"reference": cloudy.truth / "sr.tif", "allow_unverified": True}
    result = _produce(cloudy, tmp_path, **options)
    assert (result.status, result.reason) == (Status.REJECTED, "geometry")
    assert f"RMSE {rmse:.2f} pixel (class {klass}) at 90 check points, limit 0.8" in result.detail
    assert result.figures["geometric_rmse_px"] == pytest.approx(rmse)
    assert _only_a_record(tmp_path)


def test_too_few_points_reject_the_scene_unless_that_is_allowed(
    cloudy: Simulated, tmp_path: Path
) -> None:
    reference = cloudy.truth / "sr.tif"
    result = _produce(cloudy, tmp_path / "strict", reference=reference)
    assert (result.status, result.reason) == (Status.REJECTED, "unverified")
    assert "the reference sr.tif (red); 30 check points in 5 cells wanted" in result.detail
    assert "--allow-unverified" in result.detail
    assert _only_a_record(tmp_path / "strict")
    lax = _produce(cloudy, tmp_path / "lax", reference=reference, allow_unverified=True)
    assert lax.status is Status.DONE
    (stored,) = FolderStore(tmp_path / "lax").items()
    properties = stored.item["properties"]
    assert properties["product:quality_status"] == "degraded"
    assert "the reference sr.tif (red)" in properties["gfard:quality_reason"]
    assert lax.warnings == (properties["gfard:quality_reason"],)
    assert "accuracy:geometric_rmse" not in properties
    assert "geometry" not in stored.item["assets"]
    assert properties["gfard:geometric_correction"] == []


def test_a_reference_that_does_not_serve_fails_the_scene_unless_that_is_allowed(
    cloudy: Simulated, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "none.tif"
    strict = _produce(cloudy, tmp_path / "strict", reference=elsewhere)
    assert (strict.status, strict.reason) == (Status.FAILED, "ReferenceImageError")
    assert str(elsewhere) in strict.detail
    lax = _produce(cloudy, tmp_path / "lax", reference=elsewhere, allow_unverified=True)
    assert lax.status is Status.DONE
    (stored,) = FolderStore(tmp_path / "lax").items()
    reason = stored.item["properties"]["gfard:quality_reason"]
    assert reason == "geometric accuracy not measured: no reference image serves"
    assert lax.warnings == (reason,)


def test_without_heights_the_item_warns(cloudy: Simulated, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    settings = ProcessSettings(network=False, minimum_valid_percent=0.1)
    result = produce(cloudy.package, store=store, settings=settings)
    stored = store.get(ItemId.parse(result.items[0]))
    assert stored is not None
    assert any("ellipsoid" in text for text in stored.item["properties"]["gfard:warnings"])
    assert stored.item["properties"]["product:quality_status"] == "degraded"


def test_items_name_no_path_of_the_machine(cloudy: Simulated, tmp_path: Path) -> None:
    prior = cloudy.truth.parent / "snow.tif"
    with rasterio.open(
        prior, "w", driver="GTiff", width=9, height=9, count=1, dtype="uint8", crs="EPSG:4326",
        transform=rasterio.transform.from_origin(-9, 50, 2, 2),
    ) as raster:  # fmt: skip
        raster.write(np.zeros((1, 9, 9), np.uint8))
    result = _produce(cloudy, tmp_path, snow_prior=prior)
    for path in tmp_path.rglob("*.json"):
        assert str(cloudy.truth.parent) not in path.read_text(), result.items
    (stored,) = FolderStore(tmp_path).items()
    properties = stored.item["properties"]
    assert properties["gfard:auxiliary"]["snow_prior"] == "snow.tif"
    told = orjson.dumps(properties["gfard:settings"])
    assert properties["gfard:settings_sha256"] == hashlib.sha256(told).hexdigest()
