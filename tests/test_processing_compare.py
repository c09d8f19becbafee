"""The comparison finds injected errors of reflectance, aerosol, classes and position."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from scipy import ndimage

from catalog.product import QA, MaskClass
from processing.compare import Row, compare

SIZE = 256
TRANSFORM = from_origin(300000, 5100000, 16, 16)
NAMES = ("blue", "green", "red", "nir")


def _write(path: Path, pixels: NDArray[np.generic], scale: float, names: tuple[str, ...]) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=SIZE,
        height=SIZE,
        count=len(pixels),
        dtype=pixels.dtype,
        crs="EPSG:32631",
        transform=TRANSFORM,
        nodata=0,
    ) as raster:
        raster.write(pixels)
        raster.scales = (scale,) * len(pixels)
        raster.descriptions = names
    return path


@pytest.fixture
def surface() -> NDArray[np.float64]:
    """Four bands of smooth random texture, reflectance 0.1 to 0.4."""
    rng = np.random.default_rng(3)
    field = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 6)
    field = (field - field.min()) / np.ptp(field)
    return np.stack([0.1 + 0.3 * field] * 4)


def _rows(
    folder: Path,
    surface: NDArray[np.float64],
    product: NDArray[np.float64],
    saturated: NDArray[np.bool_] | None = None,
) -> dict[str, Row]:
    truth = folder / "truth"
    truth.mkdir()

    def encoded(values: NDArray[np.float64]) -> NDArray[np.uint16]:
        return np.rint(values * 1e4).astype(np.uint16)

    _write(truth / "sr.tif", encoded(surface), 1e-4, NAMES)
    _write(truth / "aod.tif", np.full((1, SIZE, SIZE), 2000, np.uint16), 1e-4, ("aod",))
    flags = np.zeros((1, SIZE, SIZE), np.uint8)
    _write(truth / "shadow.tif", flags, 1, ("shadow",))
    _write(truth / "water.tif", flags, 1, ("water",))
    flags[0, :64, :64] = 1
    _write(truth / "cloud.tif", flags, 1, ("cloud",))
    mask = np.full((1, SIZE, SIZE), MaskClass.CLEAR, np.uint8)
    mask[0, :32, :64] = MaskClass.CLOUD
    qa = np.full((1, SIZE, SIZE), QA["valid"].encode(1), np.uint16)
    if saturated is not None:
        qa[0, saturated] |= QA["saturated"].encode(1)
    files = {
        "SR": _write(folder / "SR.tif", encoded(product), 1e-4, NAMES),
        "AOD": _write(
            folder / "AOD.tif", np.full((1, SIZE, SIZE), 2300, np.uint16), 1e-4, ("aod",)
        ),
        "mask": _write(folder / "mask.tif", mask, 1, ("mask",)),
        "qa": _write(folder / "qa.tif", qa, 1, ("qa",)),
    }
    return {row.name: row for row in compare(files, truth)}


def test_perfect_reflectance_and_known_aerosol_and_classes(
    tmp_path: Path, surface: NDArray[np.float64]
) -> None:
    rows = _rows(tmp_path, surface, surface)
    assert rows["sr_clear_within"].value == 100
    assert rows["sr_uniform_within"].ok
    assert rows["aod_bias"].value == pytest.approx(0.03, abs=1e-4)
    assert rows["cloud_producers_accuracy"].value == pytest.approx(50)
    assert rows["cloud_users_accuracy"].value == pytest.approx(100)


def test_bias_beyond_the_specification_is_seen(
    tmp_path: Path, surface: NDArray[np.float64]
) -> None:
    rows = _rows(tmp_path, surface, surface + 0.03)
    assert rows["sr_uniform_within"].value == 0
    assert rows["sr_uniform_within"].ok is False
    assert rows["sr_red_bias"].value == pytest.approx(0.03, abs=2e-4)


def test_saturated_pixels_are_told_and_left_out(
    tmp_path: Path, surface: NDArray[np.float64]
) -> None:
    bright = surface[0] > 0.3
    clipped = np.minimum(surface, 0.3)
    rows = _rows(tmp_path, surface, clipped, bright)
    seen = np.ones_like(bright)
    seen[:64, :64] = False
    assert rows["saturated"].value == pytest.approx(100 * bright[seen].mean())
    assert rows["sr_clear_within"].value == 100


def test_shift_of_four_tenths_of_a_pixel_is_measured(
    tmp_path: Path, surface: NDArray[np.float64]
) -> None:
    moved = ndimage.shift(surface, (0, 0.4, -0.3), order=3, mode="nearest")
    rows = _rows(tmp_path, surface, moved)
    assert rows["geometry_shift_rows"].value == pytest.approx(0.4, abs=0.03)
    assert rows["geometry_shift_cols"].value == pytest.approx(-0.3, abs=0.03)
