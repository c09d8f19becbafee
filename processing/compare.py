"""Products against the truth of a simulated scene: reflectance, aerosol, mask, geometry.

The truth is read with rasterio's own warp onto the tile's lattice; nothing of the production
is used here, so the comparison is independent of what it judges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from scipy import ndimage

from catalog.product import FILL, QA, REFLECTANCE_SCALE, MaskClass

SR_BAR_PERCENT = 85.0
"""Share of clear, locally uniform pixels that must lie within 0.005 + 0.05 rho."""

UNIFORM = 0.01
"""Largest range of the true reflectance in 3 x 3 pixels that counts as uniform."""

SHIFT_BOX = 64
"""Pixels along one side of a window whose shift is measured."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison; ``bar`` None means that the figure is only reported."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    ok: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return {**asdict(self), "value": round(self.value, 4)}


@dataclass(frozen=True, slots=True)
class _Pair:
    """Product and truth over the window where the product has pixels, in physical units."""

    sr: NDArray[np.float32]
    aod: NDArray[np.float32]
    mask: NDArray[np.uint8]
    saturated: NDArray[np.bool_]
    true_sr: NDArray[np.float32]
    true_aod: NDArray[np.float32]
    cloud: NDArray[np.bool_]
    shadow: NDArray[np.bool_]
    water: NDArray[np.bool_]

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Pixels that are truly free of cloud and shadow and have a product."""
        seen: NDArray[np.bool_] = (
            (self.mask != FILL) & ~self.cloud & ~self.shadow & np.isfinite(self.true_sr).all(axis=0)
        )
        return seen

    def trusting_mask(self) -> "_Pair":
        """Return the pair with cloud and shadow where the product's own mask has them."""
        return replace(
            self,
            cloud=self.mask == MaskClass.CLOUD,
            shadow=self.mask == MaskClass.CLOUD_SHADOW,
        )


def compare(files: Mapping[str, Path], truth: Path, *, clouds_in_land: bool = False) -> list[Row]:
    """Compare one item with the truth kept beside its simulated package.

    Parameters
    ----------
    files
        Files of the item by asset key ("SR", "AOD", "mask", "qa").
    truth
        Folder with ``sr.tif``, ``aod.tif``, ``cloud.tif``, ``shadow.tif``, ``water.tif``.
    clouds_in_land
        Whether the land was made of a photograph that has clouds of its own. Nothing but the
        product tells where they are then: pixels that its mask calls cloud or shadow are left
        out of the figures of clear pixels, and the mask has no truth to be held to.

    Returns
    -------
    list of Row
        Shares in percent, reflectances and optical depths without unit, shifts in pixels.
    """
    pair = _read(files, truth)
    if clouds_in_land:
        pair = pair.trusting_mask()
    names = _band_names(files["SR"])
    return [
        *_reflectance_rows(pair, names),
        *_aerosol_rows(pair),
        *(() if clouds_in_land else _mask_rows(pair)),
        *_geometry_rows(pair, names.index("nir")),
    ]


def _band_names(path: Path) -> list[str]:
    with rasterio.open(path) as raster:
        return [str(name) for name in raster.descriptions]


def _read(files: Mapping[str, Path], truth: Path) -> _Pair:
    """Read the window in which the product is valid, and the truth on the same pixels."""
    with rasterio.open(files["mask"]) as raster:
        mask = raster.read(1)
        rows, cols = np.flatnonzero((mask != FILL).any(1)), np.flatnonzero((mask != FILL).any(0))
        window = Window(cols[0], rows[0], np.ptp(cols) + 1, np.ptp(rows) + 1)
        frame = {
            "crs": raster.crs,
            "transform": raster.window_transform(window),
            "width": window.width,
            "height": window.height,
        }

    with rasterio.open(files["qa"]) as raster:
        saturated = raster.read(1, window=window) & QA["saturated"].encode(1) != 0

    def product(key: str) -> NDArray[np.float32]:
        """Read an asset of the product, NaN = no data."""
        with rasterio.open(files[key]) as raster:
            stored = raster.read(window=window).astype(np.float32)
        return np.where(stored == FILL, np.nan, stored * REFLECTANCE_SCALE)

    def true(name: str, resampling: Resampling) -> NDArray[np.float32]:
        """Read the truth on the grid of the product, NaN = no data."""
        with (
            rasterio.open(truth / f"{name}.tif") as raster,
            WarpedVRT(raster, resampling=resampling, **frame) as warped,
        ):
            scale = np.asarray(raster.scales, np.float32)[:, None, None]
            stored = warped.read(masked=True).astype(np.float32) * scale
        return np.asarray(stored.filled(np.nan), np.float32)

    def drawn(name: str) -> NDArray[np.bool_]:
        """Read where the truth has something drawn."""
        return np.asarray(np.nan_to_num(true(name, Resampling.nearest)[0]) > 0)

    return _Pair(
        product("SR"),
        product("AOD")[0],
        mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1],
        saturated,
        true("sr", Resampling.bilinear),
        true("aod", Resampling.bilinear)[0],
        drawn("cloud"),
        drawn("shadow"),
        drawn("water"),
    )


def _reflectance_rows(pair: _Pair, names: list[str]) -> Iterator[Row]:
    """Share of pixels within 0.005 + 0.05 rho, and the bias, per band and over all bands.

    Pixels that the product flags as saturated are left out: what was brighter is not known.
    """
    yield Row("saturated", _percent(pair.saturated[pair.clear]), "% of clear")
    clear = pair.clear & ~pair.saturated
    error = pair.sr - pair.true_sr
    inside = np.abs(error) <= 0.005 + 0.05 * pair.true_sr
    spread = np.stack(
        [ndimage.maximum_filter(b, 3) - ndimage.minimum_filter(b, 3) for b in pair.true_sr]
    )
    uniform = clear & (spread <= UNIFORM).all(axis=0)
    share = _percent(inside[:, uniform])
    yield Row("sr_uniform_within", share, "%", SR_BAR_PERCENT, share >= SR_BAR_PERCENT)
    yield Row("sr_clear_within", _percent(inside[:, clear]), "%")
    yield Row("sr_uniform_pixels", _percent(uniform[clear]), "% of clear")
    for name, band, bias in zip(names, inside, error, strict=True):
        yield Row(f"sr_{name}_uniform_within", _percent(band[uniform]), "%")
        yield Row(f"sr_{name}_bias", float(np.mean(bias[uniform])), "1")


def _aerosol_rows(pair: _Pair) -> Iterator[Row]:
    """Bias, RMSE and share within 0.05 + 0.15 AOD over clear pixels."""
    clear = pair.clear & np.isfinite(pair.true_aod)
    error = (pair.aod - pair.true_aod)[clear]
    yield Row("aod_true_mean", float(np.mean(pair.true_aod[clear])), "1")
    yield Row("aod_bias", float(np.mean(error)), "1")
    yield Row("aod_rmse", float(np.sqrt(np.mean(error**2))), "1")
    yield Row("aod_within", _percent(np.abs(error) <= 0.05 + 0.15 * pair.true_aod[clear]), "%")


def _mask_rows(pair: _Pair) -> Iterator[Row]:
    """Producer's and user's accuracy of cloud, shadow and water where the scene holds them."""
    seen = pair.mask != FILL
    truths = {
        "cloud": (pair.cloud, MaskClass.CLOUD),
        "shadow": (pair.shadow & ~pair.cloud, MaskClass.CLOUD_SHADOW),
        "water": (pair.water & ~pair.cloud & ~pair.shadow, MaskClass.WATER),
    }
    for name, (true, value) in truths.items():
        found = pair.mask == value
        yield Row(f"{name}_true_share", _percent(true[seen]), "%")
        if true[seen].any():
            yield Row(f"{name}_producers_accuracy", _percent(found[true & seen]), "%")
        yield Row(f"{name}_false_share", _percent(found[seen & ~true]), "%")
        if true.any() and found.any():
            yield Row(f"{name}_users_accuracy", _percent(true[found]), "%")


def _geometry_rows(pair: _Pair, band: int) -> Iterator[Row]:
    """Shift between product and truth, measured in boxes of clear pixels of the NIR band."""
    shifts = np.array(list(_shifts(pair.true_sr[band], pair.sr[band], pair.clear)))
    yield Row("geometry_boxes", float(len(shifts)), "count")
    if len(shifts):
        radial = np.hypot(shifts[:, 0], shifts[:, 1])
        yield Row("geometry_shift_rows", float(np.median(shifts[:, 0])), "pixel")
        yield Row("geometry_shift_cols", float(np.median(shifts[:, 1])), "pixel")
        yield Row("geometry_rmse", float(np.sqrt(np.mean(radial**2))), "pixel")


def _shifts(
    reference: NDArray[np.float32], image: NDArray[np.float32], clear: NDArray[np.bool_]
) -> Iterator[tuple[float, float]]:
    """Yield (rows, cols) shifts of ``image`` against ``reference`` box by box.

    One least-squares step of Lucas and Kanade (1981) on gain- and offset-normalised boxes;
    exact to first order for shifts below a pixel, which is what is looked for.
    """
    rows, cols = reference.shape
    for row in range(0, rows - SHIFT_BOX + 1, SHIFT_BOX):
        for col in range(0, cols - SHIFT_BOX + 1, SHIFT_BOX):
            box = np.s_[row : row + SHIFT_BOX, col : col + SHIFT_BOX]
            if clear[box].mean() < 0.98 or not np.isfinite(image[box]).all():
                continue
            target = np.nan_to_num(reference[box], nan=float(np.nanmean(reference[box])))
            if target.std() < 0.02:
                continue
            target = ndimage.gaussian_filter((target - target.mean()) / target.std(), 1.0)
            moved = image[box]
            moved = ndimage.gaussian_filter((moved - moved.mean()) / moved.std(), 1.0)
            gradient = np.stack(
                [g[4:-4, 4:-4].ravel() for g in np.asarray(np.gradient(target))], axis=1
            )
            difference = (target - moved)[4:-4, 4:-4].ravel()
            shift = np.linalg.solve(gradient.T @ gradient, gradient.T @ difference)
            yield float(shift[0]), float(shift[1])


def _percent(flags: NDArray[np.bool_]) -> float:
    return 100.0 * float(np.mean(flags)) if flags.size else 0.0
