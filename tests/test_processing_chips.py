"""Reading labelled chips: what labels mean, and what is refused with a reason."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from catalog.errors import LabelError
from catalog.product import MaskClass
from processing.quality.accuracy import IGNORED
from processing.quality.chips import chip_names, read_chips, read_declarations

FAMILY = {
    "group": "own",
    "files": ["field_*"],
    "resolution_m": 16,
    "classes": {"clear": [7], "cloud": [9, 10]},
    "ignored": [255],
}


def _write(path: Path, values: np.ndarray, names: tuple[str, ...] = ()) -> None:
    bands = np.atleast_3d(values.T).T
    shape = {"height": bands.shape[1], "width": bands.shape[2], "count": bands.shape[0]}
    with pytest.warns(NotGeoreferencedWarning):
        raster = rasterio.open(path, "w", driver="GTiff", dtype=bands.dtype, **shape)
    with raster:
        raster.write(bands)
        for n, name in enumerate(names):
            raster.set_band_description(n + 1, name)


def _chip(folder: Path, name: str = "field_1", codes: object = ((7, 9), (10, 255))) -> None:
    counts = np.array((1000, 2000, 3000, 4000), np.uint16)[:, None, None]
    _write(folder / f"{name}_toa.tif", np.broadcast_to(counts, (4, 2, 2)))
    _write(folder / f"{name}_label.tif", np.array(codes, np.uint8))


def _declare(folder: Path, **changes: object) -> None:
    content = {"families": [FAMILY | changes], "surfaces": {"snow": ["field_*"]}}
    (folder / "labels.json").write_text(json.dumps(content))


def test_declared_labels_become_classes(tmp_path: Path) -> None:
    _declare(tmp_path)
    _chip(tmp_path)
    (chip,) = read_chips(tmp_path)
    assert chip.legend == (MaskClass.CLEAR, MaskClass.CLOUD)
    assert chip.truth.tolist() == [[0, 1], [1, IGNORED]]
    assert (chip.group, chip.level, chip.resolution_m) == ("own", "TOA", 16)
    assert chip.surface == "snow"
    assert chip.image[:, 0, 0] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_classes_that_the_label_lacks_count_as_clear(tmp_path: Path) -> None:
    _declare(tmp_path)
    _chip(tmp_path)
    (chip,) = read_chips(tmp_path)
    found = np.array([[MaskClass.WATER, MaskClass.CLOUD_SHADOW], [MaskClass.SNOW, MaskClass.CLOUD]])
    assert chip.reduced(found).tolist() == [[0, 0], [0, 1]]


def test_bands_are_taken_by_name_and_empty_pixels_are_not_judged(tmp_path: Path) -> None:
    _declare(tmp_path)
    _chip(tmp_path)
    counts = np.arange(1, 5, dtype=np.uint16)[:, None, None] * np.full((4, 2, 2), 1000, np.uint16)
    counts[:, 0, 0] = 0
    _write(tmp_path / "field_1_toa.tif", counts, ("nir", "red", "green", "blue"))
    (chip,) = read_chips(tmp_path)
    assert chip.image[:, 1, 1] == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert np.isnan(chip.image[:, 0, 0]).all()
    assert chip.truth[0, 0] == IGNORED


def test_public_sets_are_known_without_a_declaration(tmp_path: Path) -> None:
    declared = read_declarations(tmp_path)
    biome = declared.family("l8biome_Urban_00_0515")
    assert MaskClass.CLOUD_SHADOW not in biome.legend
    assert MaskClass.CLOUD_SHADOW in declared.family("l8biome_Forest_00_1008").legend
    assert declared.family("ukis_landsat5").truth(np.array([0, 3, 4])).tolist() == [2, 0, 4]
    assert declared.family("oncloudn_1").resolution_m == 10
    assert declared.surface("l8biome_SnowIce_00_1415") == "snow"


def test_no_chips_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"no files \*_label.tif"):
        chip_names(tmp_path)


def test_a_label_without_its_image_is_an_error(tmp_path: Path) -> None:
    _declare(tmp_path)
    _chip(tmp_path)
    (tmp_path / "field_1_toa.tif").unlink()
    with pytest.raises(LabelError, match=r"field_1_toa\.tif or field_1_sr\.tif wanted"):
        list(read_chips(tmp_path))


@pytest.mark.parametrize(
    ("declaration", "reason"),
    [
        ({"files": ["other_*"]}, "field_1: no family of labels fits"),
        ({"classes": {"clear": [7]}}, r"field_1_label.tif: codes \[9, 10\] in the label"),
        ({"classes": {"cloud": [7, 9, 10]}}, "no codes for clear"),
        ({"classes": {"clear": [7], "fog": [9]}}, "classes .'fog'. are unknown"),
        ({"resolution_m": 0}, "greater than 0"),
    ],
)
def test_a_wrong_declaration_is_an_error(
    tmp_path: Path, declaration: dict[str, object], reason: str
) -> None:
    _declare(tmp_path, **declaration)
    _chip(tmp_path)
    with pytest.raises(LabelError, match=reason):
        list(read_chips(tmp_path))


def test_image_and_label_of_other_sizes_are_an_error(tmp_path: Path) -> None:
    _declare(tmp_path)
    _chip(tmp_path)
    _write(tmp_path / "field_1_label.tif", np.full((3, 2), 7, np.uint8))
    with pytest.raises(LabelError, match=r"\(2, 2\) pixels, its label has \(3, 2\)"):
        list(read_chips(tmp_path))


def test_too_few_bands_are_an_error(tmp_path: Path) -> None:
    _declare(tmp_path)
    _chip(tmp_path)
    _write(tmp_path / "field_1_toa.tif", np.ones((3, 2, 2), np.uint16))
    with pytest.raises(LabelError, match="3 bands, blue, green, red, nir wanted"):
        list(read_chips(tmp_path))


def test_a_file_that_is_no_image_is_an_error(tmp_path: Path) -> None:
    _declare(tmp_path)
    _chip(tmp_path)
    (tmp_path / "field_1_toa.tif").write_bytes(b"no image")
    with pytest.raises(LabelError, match=r"field_1_toa\.tif: not readable"):
        list(read_chips(tmp_path))
