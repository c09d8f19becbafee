"""Heights: reading, mosaics, datums and the geoid against PROJ, files fetched from a server."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.transform import Affine

from catalog.errors import DemError
from catalog.grid import Grid
from processing.geometry import geoid, glo30
from processing.geometry.dem import open_dem
from processing.geometry.geoid import open_geoid
from tests.pushbroom import relief, write_dem

BOUNDS = (2.1, 44.2, 2.4, 44.5)
POINTS = np.array([2.15, 2.2, 2.37]), np.array([44.25, 44.41, 44.33])


def write_raster(path: Path, values: np.ndarray, transform: Affine, crs: str, **extra) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff",
        "width": values.shape[1],
        "height": values.shape[0],
        "count": 1,
        "dtype": "float32",
        "crs": crs,
        "transform": transform,
        **extra,
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(values.astype(np.float32), 1)
    return path


def make_geoid(folder: Path, height: float = 50.0, name: str = "egm96_15.gtx") -> Path:
    """A geoid that is flat but for a slope with latitude: height + latitude."""
    lat = 90.0 - np.arange(181)
    values = np.repeat((height + lat)[:, None], 360, 1)
    transform = Affine(1.0, 0.0, -180.5, 0.0, -1.0, 90.5)
    return write_raster(folder / name.replace("gtx", "tif"), values, transform, "EPSG:4326")


def degree_cell(folder: Path, south: int, west: int, value: float) -> Path:
    """One file of the GLO-30 layout with 1200 times fewer pixels, constant."""
    stem = glo30.file_stem(south, west)
    path = folder / stem / f"{stem}.tif"
    shape, step = (30, 30), 1 / 30
    transform = Affine(step, 0.0, west - step / 2, 0.0, -step, south + 1 + step / 2)
    return write_raster(path, np.full(shape, value), transform, "EPSG:4326")


def test_no_source_is_the_ellipsoid():
    model = open_dem(None, BOUNDS)
    assert model.flat
    assert model.geoid == "none"
    assert (model.heights(*POINTS) == 0).all()
    assert (model.on(Grid(32631, 430_000.0, 4_930_000.0, 16.0, 5, 7)) == np.zeros((5, 7))).all()
    assert model.covers(*POINTS).all()


def test_ellipsoidal_file_is_taken_as_it_is(tmp_path: Path):
    model = open_dem(write_dem(tmp_path / "dem.tif", BOUNDS), BOUNDS)
    assert not model.flat
    assert model.geoid == "none (ellipsoidal heights)"
    np.testing.assert_allclose(model.heights(*POINTS), relief(*POINTS), atol=2.0)
    grid = Grid(32631, 432_000.0, 4_920_000.0, 16.0, 300, 200)
    truth = relief(*grid.lonlat(*np.indices(grid.shape)))
    seen = model.on(grid)
    assert seen.dtype == np.float32
    assert np.abs(seen - truth).max() < 3.0
    coarse = Grid(32631, 432_000.0, 4_920_000.0, 512.0, 10, 7)
    np.testing.assert_allclose(
        model.on(coarse)[1:-1, 1:-1], box_means(model, coarse)[1:-1, 1:-1], atol=25.0
    )


def box_means(model, coarse: Grid) -> np.ndarray:
    fine = Grid(coarse.epsg, coarse.ulx, coarse.uly, 16.0, coarse.rows * 32, coarse.cols * 32)
    return model.on(fine).reshape(coarse.rows, 32, coarse.cols, 32).mean((1, 3))


def test_projected_file_is_read(tmp_path: Path):
    grid = Grid(32631, 428_000.0, 4_930_000.0, 30.0, 600, 500)
    values = relief(*grid.lonlat(*np.indices(grid.shape)))
    path = write_raster(tmp_path / "utm.tif", values, Affine(*grid.transform), "EPSG:32631")
    model = open_dem(path, BOUNDS, geoid=make_geoid(tmp_path, height=-44.3))
    lon, lat = grid.lonlat(np.array([50, 300]), np.array([60, 400]))
    np.testing.assert_allclose(model.heights(lon, lat), relief(lon, lat) + lat - 44.3, atol=2.0)


@pytest.mark.parametrize(
    ("epsg", "name", "datum"),
    [
        ("EPSG:4326+5773", "dem.tif", "EGM96"),
        ("EPSG:4326+3855", "dem.tif", "EGM2008"),
        ("EPSG:4326", "N44E002.tif", "EGM96"),
        ("EPSG:4326", "Copernicus_DSM_COG_10_N44_00_E002_00_DEM.tif", "EGM2008"),
        ("EPSG:4979", "Copernicus_DSM_COG_10_N44_00_E002_00_DEM.tif", None),
    ],
)
def test_datum_is_told_by_crs_then_name(tmp_path: Path, epsg, name, datum):
    transform = Affine(0.1, 0.0, 2.0, 0.0, -0.1, 45.0)
    path = write_raster(tmp_path / name, np.zeros((10, 10)), transform, epsg)
    model = open_dem(path, BOUNDS, geoid=make_geoid(tmp_path))
    assert model.files[0].datum == datum
    expected = np.zeros(3) if datum is None else POINTS[1] + 50.0
    np.testing.assert_allclose(model.heights(*POINTS), expected, atol=1e-3)


def test_unknown_vertical_datum_is_refused(tmp_path: Path):
    transform = Affine(0.1, 0.0, 2.0, 0.0, -0.1, 45.0)
    path = write_raster(tmp_path / "x.tif", np.zeros((10, 10)), transform, "EPSG:4326+5703")
    with pytest.raises(DemError, match=r"x\.tif: heights count from 'NAVD88"):
        open_dem(path, BOUNDS)


def test_installed_geoid_agrees_with_proj():
    grid = Path("/usr/share/proj/egm96_15.gtx")
    if not grid.is_file():
        pytest.skip("proj-data is not installed")
    proj = Transformer.from_pipeline(
        f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=vgridshift "
        f"+grids={grid} +multiplier=1 +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )
    model = open_geoid("EGM96", -60.0, 60.0, grid)
    lon = np.array([-179.95, -74.3, 2.3, 85.0, 179.95, 182.2])
    lat = np.array([-45.3, -5.1, 0.0, 28.2, 44.4])
    x, y = np.meshgrid((lon + 180.0) % 360.0 - 180.0, lat)
    _, _, undulation = proj.transform(x, y, np.zeros_like(x))
    np.testing.assert_allclose(model.undulation(lon, lat), undulation, atol=0.02)
    assert model.name == "EGM96 (egm96_15.gtx)"


def test_other_geoid_stands_in_with_a_warning(tmp_path: Path, monkeypatch, caplog):
    make_geoid(tmp_path)
    (tmp_path / "egm96_15.tif").rename(tmp_path / "us_nga_egm96_15.tif")
    only_here(monkeypatch, tmp_path)
    model = open_geoid("EGM2008", 40.0, 50.0)
    assert model.name == "EGM96 (us_nga_egm96_15.tif)"
    assert "no EGM2008 grid" in caplog.text


def only_here(monkeypatch, folder: Path) -> None:
    monkeypatch.setattr(geoid, "_SYSTEM_FOLDER", folder)
    monkeypatch.setattr(geoid, "get_data_dir", lambda: str(folder))
    monkeypatch.setattr(geoid, "get_user_data_dir", lambda: str(folder))


def test_missing_geoid_names_the_package(tmp_path: Path, monkeypatch):
    only_here(monkeypatch, tmp_path)
    path = write_dem(tmp_path / "srtm.tif", BOUNDS, epsg=4326)
    with pytest.raises(DemError, match="apt-get install proj-data"):
        open_dem(path, BOUNDS)


def test_voids_are_filled_from_around(tmp_path: Path):
    values = np.full((200, 200), 700.0)
    values[90:110, 90:110] = -32768.0
    transform = Affine(0.0015, 0.0, 2.1, 0.0, -0.0015, 44.5)
    path = write_raster(tmp_path / "v.tif", values, transform, "EPSG:4979", nodata=-32768.0)
    lon, lat = np.meshgrid(np.linspace(2.15, 2.35, 40), np.linspace(44.25, 44.45, 40))
    np.testing.assert_allclose(open_dem(path, BOUNDS).heights(lon, lat), 700.0, atol=1e-3)


def test_the_middle_of_a_large_void_takes_the_nearest_heights(tmp_path: Path):
    values = np.full((400, 400), 4200.0)
    values[40:360, 40:360] = -32768.0
    transform = Affine(0.001, 0.0, 2.05, 0.0, -0.001, 44.55)
    path = write_raster(tmp_path / "v.tif", values, transform, "EPSG:4979", nodata=-32768.0)
    lon, lat = np.meshgrid(np.linspace(2.06, 2.44, 40), np.linspace(44.25, 44.45, 40))
    np.testing.assert_allclose(open_dem(path, BOUNDS).heights(lon, lat), 4200.0, atol=1e-3)


def test_a_projected_file_over_the_antimeridian_is_read_on_both_sides(tmp_path: Path):
    to_map = Transformer.from_crs(4326, 32701, always_xy=True)
    x, y = to_map.transform([179.5, -179.5], [-16.5, -17.5])
    lon = np.linspace(179.6, 180.4, 9)
    cols, rows = int((x[1] - x[0]) / 500), int((y[0] - y[1]) / 500)
    values = np.tile(np.arange(cols, dtype=np.float32), (rows, 1))
    path = write_raster(
        tmp_path / "utm.tif", values, Affine(500, 0, x[0], 0, -500, y[0]), "EPSG:32701+5773"
    )
    model = open_dem(path, (179.5, -17.4, 180.5, -16.6))
    (file,) = model.files
    assert file.bounds[0] < 179.6 < 180.4 < file.bounds[2]
    east, _ = to_map.transform(lon, np.full(9, -17.0))
    undulation = model.heights(lon, np.full(9, -17.0)) - ((east - x[0]) / 500 - 0.5)
    assert 45 < undulation.min() <= undulation.max() < 60


def test_heights_above_geoid_and_ellipsoid_do_not_mix(tmp_path: Path):
    west, south, east, north = BOUNDS
    for name, crs, left in (("a", "EPSG:4979", west), ("b", "EPSG:4326", (west + east) / 2)):
        transform = Affine((east - west) / 20, 0.0, left, 0.0, -(north - south) / 10, north)
        write_raster(tmp_path / f"{name}.tif", np.full((10, 10), 300.0), transform, crs)
    with pytest.raises(DemError, match="some from a geoid; files of one kind wanted"):
        open_dem(tmp_path, BOUNDS)


def test_heights_of_a_local_system_are_refused(tmp_path: Path):
    transform = Affine(0.001, 0.0, 2.05, 0.0, -0.001, 44.55)
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    path = write_raster(tmp_path / "v.tif", np.ones((400, 400)), transform, local)
    with pytest.raises(DemError, match="without a geographic or projected CRS"):
        open_dem(path, BOUNDS)


def test_folder_is_one_mosaic(tmp_path: Path):
    whole = open_dem(write_dem(tmp_path / "whole.tif", BOUNDS), BOUNDS)
    west, south, east, north = BOUNDS
    for i, (a, b) in enumerate([(west, 2.25), (2.25, east)]):
        for j, (c, d) in enumerate([(south, 44.3), (44.3, north)]):
            path = tmp_path / "tiles" / f"{i}{j}" / "dem.tif"
            path.parent.mkdir(parents=True)
            write_dem(path, (a, c, b, d))
    parts = open_dem(tmp_path / "tiles", BOUNDS)
    assert len(parts.files) == 4
    grid = Grid(32631, 430_000.0, 4_925_000.0, 16.0, 900, 700)
    np.testing.assert_allclose(parts.on(grid), whole.on(grid), atol=0.01)
    np.testing.assert_allclose(parts.heights(*POINTS), whole.heights(*POINTS), atol=0.01)


def test_a_file_reaches_on_and_says_where_it_ends(tmp_path: Path):
    model = open_dem(write_dem(tmp_path / "dem.tif", BOUNDS), (1.0, 44.0, 3.0, 45.0))
    np.testing.assert_array_equal(model.covers([2.2, 1.5], [44.3, 44.3]), [True, False])
    inside, beyond = model.heights([2.1001, 1.5], [44.3, 44.3])
    assert abs(inside - beyond) < 1.0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.tif", None, "no such file or folder"),
        ("text.tif", b"not a raster", "cannot be read"),
    ],
)
def test_bad_sources_are_named(tmp_path: Path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DemError, match=message) as caught:
        open_dem(tmp_path / name, BOUNDS)
    assert name in str(caught.value)


def test_heights_elsewhere_are_refused(tmp_path: Path):
    path = write_dem(tmp_path / "dem.tif", BOUNDS)
    with pytest.raises(
        DemError, match=r"dem\.tif: the heights cover .* nothing of the scene at 10\.000 to"
    ):
        open_dem(path, (10.0, 10.0, 11.0, 11.0))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DemError, match="no rasters"):
        open_dem(tmp_path / "empty", BOUNDS)


def test_names_of_the_cells():
    assert glo30.file_stem(44, 2) == "Copernicus_DSM_COG_10_N44_00_E002_00_DEM"
    assert glo30.file_stem(-1, -180) == "Copernicus_DSM_COG_10_S01_00_W180_00_DEM"
    assert glo30.file_stem(0, 180) == "Copernicus_DSM_COG_10_N00_00_W180_00_DEM"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """A bucket on loopback: its address, its folder and the paths asked for."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Print nothing."""

        def log_request(self, *args: object) -> None:
            asked.append(self.path)

        def do_GET(self) -> None:
            if "broken" in self.path:
                self.send_error(503)
            elif "short" in self.path:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"half")
            elif "locked" in self.path:
                self.send_error(403)
            else:
                super().do_GET()

    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", folder, asked
    http.shutdown()
    thread.join()
    http.server_close()


def test_cells_are_fetched_once_and_joined(server, tmp_path: Path):
    address, folder, asked = server
    degree_cell(folder, 44, 1, 100.0)
    degree_cell(folder, 44, 2, 300.0)
    bounds, cache = (1.5, 44.2, 2.5, 44.8), tmp_path / "cache"
    flat = make_geoid(tmp_path)
    model = open_dem(address, bounds, cache=cache, geoid=flat)
    heights = model.heights([1.6, 2.4], [44.5, 44.5])
    np.testing.assert_allclose(heights, [100.0 + 94.5, 300.0 + 94.5], atol=0.01)
    assert len(asked) == 2
    assert sorted(path.name for path in cache.iterdir()) == sorted(
        f"{glo30.file_stem(44, west)}.tif" for west in (1, 2)
    )
    open_dem(address, bounds, cache=cache, geoid=flat)
    assert len(asked) == 2


def test_absent_cells_are_sea(server, tmp_path: Path):
    address, folder, _ = server
    degree_cell(folder, -10, 179, 40.0)
    model = open_dem(
        address, (179.5, -9.8, 180.5, -9.2), cache=tmp_path / "cache", geoid=make_geoid(tmp_path)
    )
    land, sea = model.heights([179.6, -179.6], [-9.5, -9.5])
    assert land == pytest.approx(40.0 + 40.5, abs=0.01)
    assert sea == pytest.approx(40.5, abs=0.01)
    ocean = open_dem(
        address, (-140.5, 0.2, -140.0, 0.8), cache=tmp_path / "cache", geoid=make_geoid(tmp_path)
    )
    assert not ocean.flat
    np.testing.assert_allclose(ocean.heights([-140.2], [0.5]), 50.5, atol=0.01)


@pytest.mark.parametrize("fault", ["broken", "short", "locked"])
def test_server_faults_are_errors_and_leave_nothing(server, tmp_path: Path, fault):
    address, _, asked = server
    cache = tmp_path / "cache"
    with pytest.raises(DemError, match="heights cannot be fetched"):
        open_dem(f"{address}/{fault}", (2.2, 44.2, 2.4, 44.4), cache=cache)
    assert list(cache.iterdir()) == []
    assert len(asked) == {"broken": 3, "short": 3, "locked": 1}[fault]


def test_no_server_is_an_error(tmp_path: Path):
    with pytest.raises(DemError, match=r"127\.0\.0\.1:9/Copernicus"):
        open_dem("http://127.0.0.1:9", (2.2, 44.2, 2.4, 44.4), cache=tmp_path / "cache")


def test_public_names_lead_to_the_bucket():
    assert glo30._https("s3://own/dem/") == "https://own.s3.amazonaws.com/dem"
    assert glo30._https("https://host/x/") == "https://host/x"
