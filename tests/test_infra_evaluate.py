"""`gfard evaluate mask`: labelled chips in, figures side by side and a page of pictures out."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning
from typer.testing import CliRunner, Result

from catalog.folder import FolderStore
from catalog.product import MASK_COLOURS, MaskClass
from infra.cli import app, main
from processing.quality.chips import read_chips
from processing.quality.evaluate import Backend, evaluate
from processing.quality.network import ModelCard, Probabilities
from tests.catalog_products import GRID, facts, store_product

FOREST, CLOUD, WATER = (200, 400, 250, 3000), (6000, 5800, 5900, 6200), (250, 300, 150, 50)
CODES = {"clear": 1, "water": 2, "cloud": 3}
SIDE = 96


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One chip of 10 m: forest, a lake, a cloud, and a label that overlooks half the lake."""
    image = np.empty((4, SIDE, SIDE), np.uint16)
    image[:] = np.array(FOREST)[:, None, None]
    label = np.full((SIDE, SIDE), CODES["clear"], np.uint8)
    image[:, :30, :60] = np.array(WATER)[:, None, None]
    label[:30, :30] = CODES["water"]
    image[:, 60:, 30:] = np.array(CLOUD)[:, None, None]
    label[60:, 30:] = CODES["cloud"]
    for name, values in (("a_sr", image), ("a_label", label[None])):
        shape = {"count": len(values), "height": SIDE, "width": SIDE, "dtype": values.dtype}
        with pytest.warns(NotGeoreferencedWarning):
            raster = rasterio.open(tmp_path / f"{name}.tif", "w", driver="GTiff", **shape)
        with raster:
            raster.write(values)
    family = {
        "group": "drawn",
        "files": ["a"],
        "resolution_m": 10,
        "classes": {name: [code] for name, code in CODES.items()},
    }
    declared = {"families": [family], "surfaces": {"bright soil": ["a"]}}
    (tmp_path / "labels.json").write_text(json.dumps(declared))
    return tmp_path


class SeesShadow:
    """A network that calls the left of every image shadow and the right cloud."""

    card = ModelCard("halves", "1", "none", "0" * 64, 30.0, "SR", ("blue", "green", "red", "nir"))

    def probabilities(self, image: np.ndarray, progress: object = None) -> Probabilities:
        right = np.zeros(image.shape[1:], np.float32)
        right[:, image.shape[2] // 2 :] = 1
        return Probabilities(cloud=right, shadow=1 - right)


def test_network_alone_is_taken_at_its_word(folder: Path) -> None:
    levels = []

    def model(level: str) -> SeesShadow:
        levels.append(level)
        return SeesShadow()

    found = evaluate(read_chips(folder), [Backend("network", False, model)], lambda *_: None)
    (scored,) = found.scored
    assert levels == ["SR"]
    assert (scored.mask[:, : SIDE // 2 - 2] == MaskClass.CLOUD_SHADOW).all()
    assert (scored.mask[:, SIDE // 2 + 2 :] == MaskClass.CLOUD).all()
    # The label knows no shadow, so shadow counts as clear: the right half is cloud.
    cloud = found.groups()[0].classes[MaskClass.CLOUD]
    assert cloud.users == pytest.approx(36 * 48 / (96 * 48), abs=0.02)
    assert cloud.producers == pytest.approx(48 / 66, abs=0.02)


def test_rules_find_what_was_drawn(folder: Path) -> None:
    result = CliRunner().invoke(
        app, ["evaluate", "mask", str(folder), "--backend", "rules", "--json"]
    )
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    (group,) = content["groups"]
    assert (group["group"], group["chips"]) == ("drawn", 1)
    assert group["classes"]["cloud"]["f1"] > 0.95
    # Half of the lake is not in the label: every lake pixel is found, half of them rightly.
    assert group["classes"]["water"]["producers"] == pytest.approx(1, abs=0.02)
    assert group["classes"]["water"]["users"] == pytest.approx(0.5, abs=0.02)
    assert content["false_cloud"]["rules"]["bright soil"] < 0.02
    assert np.sum(content["chips"][0]["confusion"]) == SIDE * SIDE


def test_page_shows_label_and_masks_in_the_colours_of_the_product(folder: Path) -> None:
    out = folder / "page.html"
    arguments = ["evaluate", "mask", str(folder), "--backend", "rules", "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    text = out.read_text()
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", text)
    image, label, mask = (Image.open(io.BytesIO(base64.b64decode(each))) for each in pictures)
    assert image.size == label.size == mask.size == (SIDE, SIDE)
    for picture in (label, mask):
        assert picture.getpixel((10, 10)) == MASK_COLOURS[MaskClass.WATER]
        assert picture.getpixel((90, 90)) == MASK_COLOURS[MaskClass.CLOUD]
    assert label.getpixel((45, 10)) == MASK_COLOURS[MaskClass.CLEAR]
    assert mask.getpixel((45, 10)) == MASK_COLOURS[MaskClass.WATER]
    assert "kappa" in text


def test_a_chip_without_data_has_no_figures_and_is_no_error(folder: Path) -> None:
    with pytest.warns(NotGeoreferencedWarning):
        raster = rasterio.open(folder / "a_sr.tif", "r+")
    with raster:
        raster.write(np.zeros((4, SIDE, SIDE), np.uint16))
    out = folder / "page.html"
    arguments = ["evaluate", "mask", str(folder), "--out", str(out), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    for group in content["groups"]:
        assert (group["overall"], group["kappa"], group["classes"]) == (None, None, {})
    assert content["false_cloud"]["fused"] == {"bright soil": None}
    assert out.read_text().count("<img") == 5


def test_a_network_of_ones_own_stands_beside_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load(weights: Path) -> SeesShadow:
        asked.append(weights)
        return SeesShadow()

    monkeypatch.setattr("processing.quality.models.load_model", load)
    own = folder / "mine.onnx"
    arguments = ["evaluate", "mask", str(folder), "--backend", "rules", "--model", str(own)]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    names = [group["backend"] for group in content["groups"]]
    assert names == ["rules", "mine network", "mine fused"]
    assert set(asked) == {own}
    figures = {group["backend"]: group["overall"] for group in content["groups"]}
    assert figures["mine fused"] > figures["mine network"]


def test_a_network_that_is_not_there_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = str(folder / "none.onnx")
    monkeypatch.setattr("sys.argv", ["gfard", "evaluate", "mask", str(folder), "--model", own])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "none.onnx: no such file" in capsys.readouterr().err


def test_a_folder_without_chips_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["gfard", "evaluate", "mask", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    shown = capsys.readouterr().err
    assert "a folder of labelled chips is wanted" in shown
    assert "Traceback" not in shown


def test_optical_depths_beside_a_sun_photometer_are_json(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store_product(store, facts())
    west, south, east, north = GRID.bounds
    to_degrees = Transformer.from_crs(GRID.epsg, 4326, always_xy=True)
    lon, lat = to_degrees.transform((west + east) / 2, (south + north) / 2)
    head = "Date(dd:mm:yyyy),Time(hh:mm:ss),AOD_675nm,AOD_440nm"
    head += ",Site_Latitude(Degrees),Site_Longitude(Degrees)"
    for name, day in (("there", "25:07:2014"), ("never", "25:07:2013")):
        row = f"{day},11:15:00,0.1,0.2,{lat},{lon}"
        (tmp_path / name).write_text("\n".join(["AERONET Version 3;", "Here", head, row]))

    def told(name: str, *options: str) -> Result:
        arguments = ["evaluate", "aod", str(store.root), str(tmp_path / name), *options]
        answer = CliRunner().invoke(app, arguments)
        assert answer.exit_code == 0, answer.output
        return answer

    (pair,) = json.loads(told("there", "--json").stdout)["pairs"]
    assert pair["time"].startswith("2014-07-25T11:09:43")
    assert "nan" not in told("there").stderr
    none = told("never", "--json").stdout
    assert "NaN" not in none
    assert json.loads(none)["rmse"] is None
