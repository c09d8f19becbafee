"""What is said of heights that do not suit a scene."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from catalog.errors import DemError
from processing.geometry.dem import HeightModel, open_dem
from processing.geometry.plausible import height_notes
from processing.geometry.rpc import Rpc
from tests.pushbroom import ArrayPart, Pushbroom, fit_rpc

CAMERA = Pushbroom(2.25, 44.4, rows=300, cols=300, tilt_deg=10.0)
BOUNDS = (2.0, 44.2, 2.5, 44.6)


@pytest.fixture(scope="module")
def part() -> ArrayPart:
    return ArrayPart(np.ones((1, 300, 300), np.uint16), Rpc(**fit_rpc(CAMERA)))


def _file(path: Path, values: np.ndarray, west: float = 2.0, **extra: float | None) -> Path:
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1,
        dtype="float32", crs="EPSG:4979", transform=from_origin(west, 44.6, 0.001, 0.001),
        **extra,
    ) as raster:  # fmt: skip
        raster.write(values.astype(np.float32), 1)
    return path


def _open(path: Path) -> HeightModel:
    return open_dem(path, BOUNDS)


def test_good_heights_need_no_word(part: ArrayPart, tmp_path: Path) -> None:
    rpc = part.rpc
    usual = np.full((400, 500), rpc.height_offset)
    assert height_notes([part], _open(_file(tmp_path / "good.tif", usual))) == ()


def test_none_is_said(part: ArrayPart) -> None:
    (note,) = height_notes([part], open_dem(None, BOUNDS))
    assert "relief is not corrected" in note


def test_ground_beyond_the_rpc_is_said(part: ArrayPart, tmp_path: Path) -> None:
    high = np.full((400, 500), part.rpc.height_offset + part.rpc.height_scale + 900.0)
    (note,) = height_notes([part], _open(_file(tmp_path / "high.tif", high)))
    assert "leaves the heights of the RPC" in note


@pytest.mark.parametrize("value", [-9999.0, 32767.0])
def test_heights_of_no_ground_are_refused(part: ArrayPart, tmp_path: Path, value: float) -> None:
    values = np.full((400, 500), 300.0)
    values[100:300, 100:300] = value  # a void that the file does not mark
    with pytest.raises(DemError, match=r"wrong\.tif: heights from .* check unit and nodata"):
        height_notes([part], _open(_file(tmp_path / "wrong.tif", values)))


def test_a_folder_that_ends_inside_the_scene_is_said(part: ArrayPart, tmp_path: Path) -> None:
    usual = np.full((400, 250), part.rpc.height_offset)
    _file(tmp_path / "tiles" / "west.tif", usual)
    (note,) = height_notes([part], _open(tmp_path / "tiles"))
    assert "sea level was used" in note
    share = float(note.split("covers ")[1].split(" %")[0])
    assert share == pytest.approx(50.0, abs=5.0)


def test_voids_are_said(part: ArrayPart, tmp_path: Path) -> None:
    values = np.full((400, 500), part.rpc.height_offset)
    values[200:220] = -32768.0
    (note,) = height_notes([part], _open(_file(tmp_path / "void.tif", values, nodata=-32768.0)))
    assert "voids" in note


@pytest.mark.parametrize(("value", "nodata"), [(-32768.0, -32768.0), (np.nan, None)])
def test_voids_alone_are_refused(
    part: ArrayPart, tmp_path: Path, value: float, nodata: float | None
) -> None:
    values = np.full((400, 500), value)
    with pytest.raises(DemError, match="nothing but voids in the scene"):
        height_notes([part], _open(_file(tmp_path / "void.tif", values, nodata=nodata)))
