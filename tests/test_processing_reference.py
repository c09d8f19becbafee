"""Reference images: drawn where they belong whatever their form, and the choice among several."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from catalog.errors import ReferenceImageError
from catalog.folder import FolderStore
from catalog.grid import Grid, tile
from catalog.product import MaskClass
from processing.reference.files import open_files
from processing.reference.image import ReferenceImage
from processing.reference.source import Wanted, open_reference
from tests.catalog_products import changed, facts, store_product

GRID = Grid(32631, 400_000.0, 5_000_000.0, 16.0, 120, 100)
BOUNDS = (1.72, 45.13, 1.75, 45.16)
TIME = datetime(2020, 6, 18, 10, 44, 12, tzinfo=UTC)


def hills(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values by place in zone 31, so that a picture's position shows in its numbers."""
    return 100 + 50 * np.sin(x / 150) * np.cos(y / 110)


def write(
    path: Path,
    crs: str,
    resolution: float,
    *,
    dtype: str = "float32",
    nodata: float | None = None,
    names: tuple[str, ...] = (),
    hole: bool = False,
    change: Callable[[NDArray[np.float64]], NDArray[np.float64]] = lambda values: values,
) -> Path:
    """Write the hills around the grid in some projection; pixels of ``resolution`` metres."""
    to_there = Transformer.from_crs(32631, crs, always_xy=True)
    west, south, east, north = to_there.transform_bounds(
        GRID.bounds[0] - 400, GRID.bounds[1] - 400, GRID.bounds[2] + 400, GRID.bounds[3] + 400
    )
    step = resolution if to_there.target_crs.is_projected else resolution / 100_000  # type: ignore[union-attr]
    rows, cols = int((north - south) / step), int((east - west) / step)
    x, y = np.meshgrid(
        west + (np.arange(cols) + 0.5) * step, north - (np.arange(rows) + 0.5) * step
    )
    values = change(hills(*to_there.transform(x, y, direction="INVERSE")))
    if hole:
        values[rows // 2 : rows // 2 + rows // 8, cols // 2 :] = 0 if nodata is None else nodata
    bands = max(1, len(names))
    profile = {
        "driver": "GTiff", "count": bands, "height": rows, "width": cols, "dtype": dtype,
        "crs": crs, "transform": Affine(step, 0, west, 0, -step, north), "nodata": nodata,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as raster:
        for band in range(bands):
            raster.write((values + band).astype(dtype), band + 1)
        if names:
            raster.descriptions = names
    return path


def truth() -> NDArray[np.float64]:
    row, col = np.indices(GRID.shape)
    return hills(GRID.ulx + (col + 0.5) * 16, GRID.uly - (row + 0.5) * 16)


def shift(seen: NDArray[np.float32]) -> float:
    """How far a drawn picture lies from where it belongs, pixels (least squares)."""
    true = truth()
    gradient = np.stack([part.ravel() for part in np.gradient(true)], 1)
    inside = np.isfinite(seen).ravel()
    moved = np.linalg.lstsq(gradient[inside], (true - seen).ravel()[inside], rcond=None)[0]
    return float(np.hypot(*moved))


@pytest.mark.parametrize(
    ("crs", "resolution", "dtype"),
    [
        ("EPSG:32631", 10.0, "float32"),
        ("EPSG:32631", 3.0, "uint8"),
        ("EPSG:32630", 10.0, "uint16"),
        ("EPSG:2154", 10.0, "uint8"),
        ("EPSG:4326", 10.0, "float32"),
        ("EPSG:32631", 16.0, "float32"),
        ("EPSG:32630", 30.0, "float32"),
    ],
)
def test_any_projection_resolution_and_type_lies_where_it_belongs(
    tmp_path: Path, crs: str, resolution: float, dtype: str
) -> None:
    path = write(tmp_path / "reference.tif", crs, resolution, dtype=dtype)
    seen = open_files(path, BOUNDS, "red").read(GRID)
    assert np.isfinite(seen).all()
    assert shift(seen) < 0.03
    assert np.abs(seen - truth()).max() < (4.0 if resolution > 16 or dtype != "float32" else 1.5)


def test_a_coarse_grid_gets_averages(tmp_path: Path) -> None:
    noisy = np.random.default_rng(4)
    path = write(
        tmp_path / "r.tif", "EPSG:32631", 16.0, change=lambda v: v + noisy.normal(0, 8, v.shape)
    )
    seen = open_files(path, BOUNDS, "red").read(GRID.coarsen(4))
    smooth = truth().reshape(30, 4, 25, 4).mean((1, 3))
    assert np.std(seen - smooth) < 8 / 4 * 1.3


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", None), ("uint16", 7), ("float32", -99)])
def test_holes_stay_holes(tmp_path: Path, dtype: str, nodata: float | None) -> None:
    path = write(tmp_path / "r.tif", "EPSG:32631", 10.0, dtype=dtype, nodata=nodata, hole=True)
    seen = open_files(path, BOUNDS, "red").read(GRID)
    assert 0.04 < np.isnan(seen).mean() < 0.1
    assert np.nanmin(seen) > 48


def test_an_alpha_band_hides(tmp_path: Path) -> None:
    path = write(tmp_path / "r.tif", "EPSG:32631", 10.0, dtype="uint8", names=("red", "alpha"))
    with rasterio.open(path, "r+") as raster:
        raster.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
        alpha = np.full(raster.shape, 255, np.uint8)
        alpha[:100] = 0
        raster.write(alpha, 2)
    seen = open_files(path, BOUNDS, "red").read(GRID)
    assert np.isnan(seen[:30]).all()
    assert np.isfinite(seen[60:]).all()
    assert shift(seen) < 0.03


def test_a_mask_inside_the_file_hides(tmp_path: Path) -> None:
    path = write(tmp_path / "r.tif", "EPSG:32631", 10.0, dtype="uint8")
    with rasterio.open(path, "r+") as raster:
        kept = np.full(raster.shape, 255, np.uint8)
        kept[:100] = 0
        raster.write_mask(kept)
    seen = open_files(path, BOUNDS, "red").read(GRID)
    assert np.isnan(seen[:30]).all()
    assert np.isfinite(seen[60:]).all()
    assert shift(seen) < 0.03


def test_the_band_is_found_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "r.tif", "EPSG:32631", 16.0, names=("B02", "B03", "B04", "B08"))
    for band, offset in (("red", 2), ("nir", 3), ("blue", 0)):
        reference = open_files(path, BOUNDS, band)
        assert reference.band == band
        assert np.nanmedian(reference.read(GRID) - truth()) == pytest.approx(offset, abs=0.1)
    assert open_files(path, BOUNDS, "yellow").band == "red"


def test_a_folder_is_one_image_and_only_what_meets_the_scene_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", "EPSG:32631", 10.0, hole=True)
    write(tmp_path / "b.tif", "EPSG:32630", 20.0)
    far = rasterio.open(
        tmp_path / "c.tif", "w", driver="GTiff", count=1, height=9, width=9, dtype="uint8",
        crs="EPSG:32740", transform=Affine(10, 0, 4e5, 0, -10, 8e6),
    )  # fmt: skip
    far.close()
    reference = open_files(tmp_path, BOUNDS, "nir")
    assert [piece.name for piece in reference.pieces] == ["a.tif", "b.tif"]
    assert reference.label == "a.tif, b.tif (nir)"
    assert np.isfinite(reference.read(GRID)).all()


def test_a_vrt_serves(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", "EPSG:32631", 10.0)
    with rasterio.open(tmp_path / "a.tif") as raster:
        place = ", ".join(map(str, raster.transform.to_gdal()))
        rows, cols = raster.shape
    (tmp_path / "all.vrt").write_text(
        f'<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}"><SRS>EPSG:32631</SRS>'
        f'<GeoTransform>{place}</GeoTransform><VRTRasterBand dataType="Float32" band="1">'
        '<SimpleSource><SourceFilename relativeToVRT="1">a.tif</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    assert shift(open_files(tmp_path / "all.vrt", BOUNDS, "red").read(GRID)) < 0.03


def test_what_cannot_serve_is_said(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")

    def said(source: str | Path, bounds: tuple[float, float, float, float] = BOUNDS) -> str:
        with pytest.raises(ReferenceImageError) as told:
            open_reference(source, Wanted(bounds, [tile("31TCL")], TIME, "red"), store)
        return str(told.value)

    assert "no such file or folder" in said(tmp_path / "none.tif")
    (tmp_path / "empty").mkdir()
    assert "no rasters" in said(tmp_path / "empty")
    (tmp_path / "text.tif").write_text("no image")
    assert "text.tif: the reference image cannot be read" in said(tmp_path / "text.tif")
    path = write(tmp_path / "r.tif", "EPSG:32631", 16.0)
    away = said(path, (100.0, 10.0, 101.0, 11.0))
    assert "r.tif: the reference covers 1.7" in away
    assert "nothing of the scene at 100.000 to 101.000 E, 10.000 to 11.000 N" in away
    assert "ADDRESS#COLLECTION" in said("https://example.org/v1")
    assert "no clear product of nominal quality on 31TCL meets" in said("archive")
    coarse = write(tmp_path / "c.tif", "EPSG:32631", 250.0)
    assert "c.tif: the reference image has pixels of 250 m; at most 64 m wanted" in said(coarse)
    plain = write(tmp_path / "p.tif", "EPSG:32631", 16.0, names=("one", "two"))
    assert "no band called 'red'" in said(plain)
    with rasterio.open(plain, "r+") as raster:
        raster.crs = 'LOCAL_CS["site",UNIT["metre",1]]'
    assert "no geographic or projected CRS" in said(plain)


def _archive(folder: Path) -> FolderStore:
    """Products of one tile: nominal in June, nominal but cloudy in June, degraded, in December."""
    store = FolderStore(folder)
    clear = {MaskClass.CLEAR: 99.0, MaskClass.CLOUD: 1.0}
    june, december = datetime(2021, 6, 10, tzinfo=UTC), datetime(2020, 12, 20, tzinfo=UTC)
    for item in (
        changed(facts(time=june), {"class_percent": clear}),
        changed(facts(time=december), {"class_percent": clear}),
        facts(time=june.replace(day=20), cloud=60.0),
        changed(facts(time=june.replace(day=18)), {"class_percent": clear, "geometric": None}),
    ):
        store_product(store, item)
    return store


def test_the_archive_gives_clear_measured_products_of_the_season(tmp_path: Path) -> None:
    store = _archive(tmp_path)
    bounds = facts().footprint["coordinates"][0]
    west, south = bounds[0]
    wanted = Wanted((west, south, west + 0.1, south + 0.1), [tile("31TCL")], TIME, "nir")
    reference = open_reference("archive", wanted, store)
    assert [piece.name.split(".")[2][:7] for piece in reference.pieces] == ["2021161", "2020355"]
    assert (reference.band, reference.source) == ("nir", "archive")
    assert reference.dates == ("2020-12-20", "2021-06-10")
    seen = reference.read(facts().grid)
    with rasterio.open(reference.pieces[0].path) as raster:
        stored = raster.read(4).astype(np.float32)
    with rasterio.open(reference.pieces[0].path.replace(".SR.", ".mask.")) as raster:
        hidden = np.isin(raster.read(1), (0, 3, 5))
    first = ReferenceImage("archive", "nir", reference.pieces[:1]).read(facts().grid)
    assert np.isnan(first[hidden]).all()
    np.testing.assert_array_equal(first[~hidden], stored[~hidden])
    assert np.isfinite(seen).sum() >= np.isfinite(first).sum()


def test_the_archive_gives_of_several_versions_the_one_made_last(tmp_path: Path) -> None:
    store = _archive(tmp_path)
    clear = {MaskClass.CLEAR: 99.0, MaskClass.CLOUD: 1.0}
    again = facts(time=datetime(2021, 6, 10, tzinfo=UTC), version="000124")
    made = again.created + timedelta(days=9)
    store_product(store, changed(again, {"class_percent": clear, "created": made}))
    wanted = Wanted((0.4, 44.1, 0.7, 44.4), [tile("31TCL")], TIME, "red")
    names = [piece.name for piece in open_reference("archive", wanted, store).pieces]
    assert [name.split(".")[-1] for name in names] == ["000124", "000123"]


def test_the_archive_never_gives_the_scene_itself(tmp_path: Path) -> None:
    store = _archive(tmp_path)
    own = Wanted((0.4, 44.1, 0.7, 44.4), [tile("31TCL")], datetime(2021, 6, 10, tzinfo=UTC), "red")
    names = [piece.name for piece in open_reference("archive", own, store).pieces]
    assert [name.split(".")[2][:7] for name in names] == ["2020355"]
