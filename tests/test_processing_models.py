"""A network of one's own: an ONNX file and its description, held to the shipped one."""

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import MaskError
from catalog.grid import Grid
from processing.quality.models import load_model
from processing.quality.network import see

GRID = Grid(32631, 300000.0, 5100000.0, 32.0, 40, 50)
BANDS = ("coastal", "blue", "green", "red", "nir")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Give the shipped network as if it came from elsewhere: bands and classes as it has them."""
    package = resources.files("ukis_csmask")
    weights = tmp_path / "own.onnx"
    weights.symlink_to(str(package / "model_4b_l1c.onnx"))
    shipped = json.loads((package / "model_4b_l1c.json").read_text())
    mean, std = shipped["data"]["dataset_statistics"]["img"]
    description = {
        "name": "own", "version": "7", "licence": "CC0-1.0", "resolution_m": 32,
        "bands": ["blue", "green", "red", "nir"], "mean": mean, "std": std,
        "cloud": [1], "shadow": [2],
    }  # fmt: skip
    weights.with_suffix(".json").write_text(json.dumps(description))
    return weights


def _changed(own: Path, **changes: object) -> Path:
    path = own.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return own


def _image() -> np.ndarray:
    rng = np.random.default_rng(4)
    image = rng.uniform(0.05, 0.3, (5, *GRID.shape)).astype(np.float32)
    image[:, 10:30, 10:30] += 0.4
    return image


def test_a_file_drops_in(own: Path) -> None:
    model = load_model(own)
    assert (model.card.name, model.card.version, model.card.licence) == ("own", "7", "CC0-1.0")
    assert model.card.sha256 == load_model().card.sha256
    assert load_model(own) is model
    ours, theirs = (see(m, _image(), BANDS, GRID) for m in (model, load_model()))
    assert np.array_equal(ours.cloud, theirs.cloud)
    assert np.array_equal(ours.shadow, theirs.shadow)


def test_outputs_add_up_and_coarser_models_see_means(own: Path) -> None:
    both = load_model(_changed(own, cloud=[0, 1], shadow=[2], resolution_m=64))
    found = see(both, _image(), BANDS, GRID)
    assert found.cloud.shape == GRID.shape
    assert np.allclose(found.cloud + found.shadow, 1, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": [0.1, 0.2]}, r"own\.json: .*4 bands, but mean has 2 values"),
        ({"std": [0, 1, 1, 1]}, r"own\.json: std.0: Input should be greater than 0"),
        ({"classes": 3}, r"own\.json: classes: Extra inputs"),
        ({"bands": ["nir"], "mean": [0], "std": [1]}, r"input of shape .* its card wants"),
        ({"block": 512}, r"input of shape .* its card wants \(1, 4, 512, 512\)"),
        ({"shadow": [3]}, r"3 output classes, its card names number 3"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    own: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(MaskError, match=message):
        load_model(_changed(own, **changes))


def test_missing_files_and_other_files_are_named(own: Path, tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"none\.onnx: no such file"):
        load_model(tmp_path / "none.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_text("no network")
    with pytest.raises(MaskError, match=r"broken\.json: no such file"):
        load_model(broken)
    broken.with_suffix(".json").write_text(own.with_suffix(".json").read_text())
    with pytest.raises(MaskError, match=r"broken\.onnx: not readable as an ONNX network"):
        load_model(broken)


@pytest.mark.parametrize(
    ("changes", "bands", "message"),
    [
        ({}, ("blue", "green", "nir"), r"of blue, green, nir there is no red"),
        ({"level": "SR"}, BANDS[1:], r"made for SR reflectance, the image is TOA"),
        ({"resolution_m": 16}, BANDS[1:], r"works at 16 m; the image has 32 m"),
    ],
)
def test_an_image_that_does_not_suit_is_refused(
    own: Path, changes: dict[str, object], bands: tuple[str, ...], message: str
) -> None:
    model = load_model(_changed(own, **changes))
    with pytest.raises(MaskError, match=message):
        see(model, _image()[: len(bands)], bands, GRID)
