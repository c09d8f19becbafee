"""What analyses say of a scene: every layout of files, and what cannot be used."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray
from numpy.typing import ArrayLike
from rasterio.transform import from_origin

from catalog.errors import AtmosphereError
from processing.atmosphere.gas import GasColumns, gas_climatology, gas_transmittance
from processing.atmosphere.lut import surface_pressure_hpa
from processing.atmosphere.prior import AodSource, climatology
from processing.auxiliary import read_auxiliary

TIME = datetime(2020, 6, 18, 10, 30, tzinfo=UTC)
BOUNDS = (1.0, 44.0, 3.0, 46.0)
HOURS = np.array(["2020-06-18T09:00", "2020-06-18T12:00"], "datetime64[ns]")


def _plane(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """A field that grows with latitude and, for any way of counting, with longitude."""
    east = (lon + 180.0) % 360.0 - 180.0
    return 0.2 + 0.01 * (lat[:, None] - 45.0) + 0.02 * (east[None] - 2.0)


def _cams(path: Path, lat: np.ndarray, lon: np.ndarray, times: dict[str, object]) -> Path:
    """Two times of which the second has twice the aerosol."""
    field = _plane(lat, lon)
    layers = np.stack([field, 2 * field])
    (dims,) = {tuple(value[0]) for value in times.values() if len(value[0])} or {("time",)}  # type: ignore[index]
    shape = layers.shape if len(dims) == 1 else (2, 1, *field.shape)
    variables = {
        "aod550": ((*dims, "latitude", "longitude"), layers.reshape(shape)),
        "duaod550": ((*dims, "latitude", "longitude"), 0.7 * layers.reshape(shape)),
        "gtco3": ((*dims, "latitude", "longitude"), np.full(shape, 300 * 2.1415e-5)),
        "tcwv": ((*dims, "latitude", "longitude"), np.full(shape, 25.0)),
    }
    coordinates = {"latitude": lat, "longitude": lon, **times}
    xarray.Dataset(variables, coordinates).to_netcdf(path, engine="netcdf4")
    return path


GLOBE = np.arange(90.0, -90.1, -0.75), np.arange(0.0, 360.0, 0.75)


def test_eac4_layout(tmp_path: Path) -> None:
    path = _cams(tmp_path / "eac4.nc", *GLOBE, {"time": (("time",), HOURS)})
    found = read_auxiliary(path, TIME, BOUNDS)
    assert found.aod550 == pytest.approx(0.3, abs=0.01)  # half way from 0.2 to 0.4
    assert found.dust550 == pytest.approx(0.21, abs=0.01)
    assert found.o3_du == pytest.approx(300.0)
    assert found.tcwv_gcm2 == pytest.approx(2.5)
    assert list(found.files) == ["eac4.nc"]
    assert len(found.files["eac4.nc"]) == 64


def test_layout_of_forecasts(tmp_path: Path) -> None:
    start = np.array(["2020-06-18T00:00"], "datetime64[ns]")
    steps = np.array([9, 12], "timedelta64[h]").astype("timedelta64[ns]")
    field = _plane(*GLOBE)
    layers = np.stack([field, 2 * field])[:, None]
    dims = ("forecast_period", "forecast_reference_time", "latitude", "longitude")
    coordinates = {
        "forecast_period": steps, "forecast_reference_time": start,
        "latitude": GLOBE[0], "longitude": GLOBE[1],
    }  # fmt: skip
    path = tmp_path / "nrt.nc"
    dataset = xarray.Dataset({"aod550": (dims, layers)}, coordinates)
    dataset.to_netcdf(path, engine="netcdf4")
    assert read_auxiliary(path, TIME, BOUNDS).aod550 == pytest.approx(0.3, abs=0.01)
    valid = start[None] + steps[:, None]
    told = dataset.assign_coords(valid_time=(dims[:2], valid))
    told.to_netcdf(tmp_path / "valid.nc", engine="netcdf4")
    found = read_auxiliary(tmp_path / "valid.nc", TIME, BOUNDS)
    assert found.aod550 == pytest.approx(0.3, abs=0.01)
    assert found.o3_du is None


def test_several_forecasts_whose_axes_lie_either_way(tmp_path: Path) -> None:
    """Layers follow (period, reference), their times (reference, period), as the store sends."""
    start = np.array(["2020-06-17T12:00", "2020-06-18T00:00"], "datetime64[ns]")
    steps = np.array([9, 10, 12], "timedelta64[h]").astype("timedelta64[ns]")
    hours = (start[None] + steps[:, None] - np.datetime64("2020-06-18T00:00")) / steps[0] * 9
    layers = 0.02 * hours[..., None, None] * np.ones((3, 2, len(GLOBE[0]), len(GLOBE[1])))
    dims = ("forecast_period", "forecast_reference_time", "latitude", "longitude")
    coordinates = {
        "forecast_period": steps, "forecast_reference_time": start,
        "latitude": GLOBE[0], "longitude": GLOBE[1],
        "valid_time": (dims[1::-1], start[:, None] + steps[None]),
    }  # fmt: skip
    for name in ("told.nc", "summed.nc"):
        dataset = xarray.Dataset({"aod550": (dims, layers)}, coordinates)
        dataset = dataset if name == "told.nc" else dataset.drop_vars("valid_time")
        dataset.to_netcdf(tmp_path / name, engine="netcdf4")
        found = read_auxiliary(tmp_path / name, TIME, BOUNDS)
        assert found.aod550 == pytest.approx(0.02 * 10.5, abs=1e-3)


def test_merra_layout_and_a_folder_by_date(tmp_path: Path) -> None:
    lat, lon = np.arange(-90.0, 90.1, 0.5), np.arange(-180.0, 180.0, 0.625)
    field = _plane(lat, lon)
    for day in (17, 18, 19):
        times = np.datetime64(f"2020-06-{day}T00:30", "ns") + np.arange(24) * np.timedelta64(1, "h")
        layers = np.repeat(field[None] * (1.0 if day == 18 else 9.0), 24, 0)
        xarray.Dataset(
            {"TOTEXTTAU": (("time", "lat", "lon"), layers)},
            {"time": times, "lat": lat, "lon": lon},
        ).to_netcdf(tmp_path / f"MERRA2_400.tavg1_2d_aer_Nx.202006{day}.nc4", engine="netcdf4")
    (tmp_path / "MERRA2_400.tavg1_2d_aer_Nx.20190618.nc4").write_bytes(b"never opened")
    found = read_auxiliary(tmp_path, TIME, BOUNDS)
    assert found.aod550 == pytest.approx(0.2, abs=0.01)
    assert list(found.files) == ["MERRA2_400.tavg1_2d_aer_Nx.20200618.nc4"]


def test_a_scene_over_the_antimeridian(tmp_path: Path) -> None:
    lat, lon = GLOBE
    layers = np.ones((1, len(lat), len(lon))) * np.where((lon > 178) & (lon < 182), 0.4, 5.0)
    path = tmp_path / "a.nc"
    xarray.Dataset(
        {"aod550": (("time", "latitude", "longitude"), layers)},
        {"time": HOURS[:1], "latitude": lat, "longitude": lon},
    ).to_netcdf(path, engine="netcdf4")
    found = read_auxiliary(path, TIME, (179.3, -17.0, 180.8, -16.0))
    assert found.aod550 == pytest.approx(0.4)


def test_the_real_reexport_of_cams(test_data: Path) -> None:
    path = test_data / "atmosphere" / "CAMS_NRT_aod550_20170126T210000Z.tif"
    when = datetime(2017, 1, 26, 20, 0, tzinfo=UTC)
    found = read_auxiliary(path, when, BOUNDS)
    with rasterio.open(path) as raster:
        row, col = raster.index(2.0, 45.0)
        there = raster.read(1)[row - 2 : row + 3, col - 2 : col + 3].mean() * 1e-4
    assert found.aod550 == pytest.approx(there, abs=0.02)
    prior = found.prior(climatology(45.0, 2.0, 1))
    assert prior.kind is AodSource.PRIOR
    assert prior.source == f"analysis: {path.name}"
    gas = gas_climatology(45.0, 1)
    assert found.gas(gas, 0.0) is gas
    with pytest.raises(AtmosphereError, match="is of another date than the scene"):
        read_auxiliary(path, when + timedelta(days=3), BOUNDS)


def test_prior_and_gas_of_an_analysis(tmp_path: Path) -> None:
    path = _cams(tmp_path / "eac4.nc", *GLOBE, {"time": (("time",), HOURS)})
    found = read_auxiliary(path, TIME, BOUNDS)
    prior = found.prior(climatology(45.0, 2.0, 6))
    assert (prior.aod, prior.model) == (found.aod550, "dust")
    assert prior.sigma > 0.05 + 0.2 * prior.aod
    gas = found.gas(gas_climatology(45.0, 6), 0.0)
    assert (gas.ozone_du, gas.water_vapour_g_cm2) == (found.o3_du, found.tcwv_gcm2)
    assert gas.source == "analysis: eac4.nc"


def test_water_of_an_analysis_counts_from_the_ground_of_a_plateau(tmp_path: Path) -> None:
    path = _cams(tmp_path / "eac4.nc", *GLOBE, {"time": (("time",), HOURS)})
    found = read_auxiliary(path, TIME, BOUNDS)
    height_m = 4500.0
    pressure = surface_pressure_hpa(height_m)

    def water(columns: GasColumns, pressure_hpa: ArrayLike) -> np.ndarray:
        light = {"sza": 30.0, "vza": 10.0, "pressure_hpa": pressure_hpa}
        return gas_transmittance("GF6WFV", columns, **light).water

    above_sea = GasColumns(water_vapour_g_cm2=2.5)
    on_plateau = found.gas(gas_climatology(33.0, 6), height_m)
    assert on_plateau.water_vapour_g_cm2 == 2.5  # what the analysis says goes into the item
    np.testing.assert_allclose(water(on_plateau, pressure), water(above_sea, 1013.25), rtol=1e-5)
    valley, peak = (water(on_plateau, surface_pressure_hpa(h)) for h in (3500.0, 5500.0))
    absorbs = water(above_sea, 1013.25) < 0.999
    assert (valley[absorbs] < peak[absorbs]).all()


def test_missing_and_impossible_values_are_errors(tmp_path: Path) -> None:
    path = _cams(tmp_path / "eac4.nc", *GLOBE, {"time": (("time",), HOURS)})
    with xarray.open_dataset(path) as dataset:
        empty = dataset.load() * np.nan
    empty.to_netcdf(tmp_path / "nan.nc", engine="netcdf4")
    with pytest.raises(AtmosphereError, match=r"nan\.nc: aod550 is only missing values"):
        read_auxiliary(tmp_path / "nan.nc", TIME, BOUNDS)
    (empty.fillna(50.0)).to_netcdf(tmp_path / "high.nc", engine="netcdf4")
    with pytest.raises(AtmosphereError, match="aod550 is 50"):
        read_auxiliary(tmp_path / "high.nc", TIME, BOUNDS)


def test_files_of_elsewhere_are_errors(tmp_path: Path) -> None:
    lat, lon = np.arange(10.0, 0.0, -0.75), np.arange(100.0, 120.0, 0.75)
    path = _cams(tmp_path / "asia.nc", lat, lon, {"time": (("time",), HOURS)})
    with pytest.raises(AtmosphereError, match="a file of its region wanted"):
        read_auxiliary(path, TIME, BOUNDS)
    raster_path = tmp_path / "aod550_20200618T100000Z.tif"
    with rasterio.open(
        raster_path, "w", driver="GTiff", width=10, height=10, count=1, dtype="uint16",
        crs="EPSG:4326", transform=from_origin(100, 10, 1, 1),
    ) as raster:  # fmt: skip
        raster.write(np.ones((1, 10, 10), np.uint16))
        raster.descriptions = ["aod550"]
    with pytest.raises(AtmosphereError, match="covers west, south, east, north 100"):
        read_auxiliary(raster_path, TIME, BOUNDS)
    with rasterio.open(raster_path, "r+") as raster:
        raster.crs = 'LOCAL_CS["site",UNIT["metre",1]]'
    with pytest.raises(AtmosphereError, match="a geographic or projected CRS wanted"):
        read_auxiliary(raster_path, TIME, BOUNDS)


def test_what_is_no_analysis_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AtmosphereError, match="no auxiliary file of 2020-06-18"):
        read_auxiliary(tmp_path, TIME, BOUNDS)
    (tmp_path / "x.nc").write_text("text")
    with pytest.raises(AtmosphereError, match="not readable as NetCDF"):
        read_auxiliary(tmp_path / "x.nc", TIME, BOUNDS)
    undated = tmp_path / "aod.tif"
    undated.write_text("text")
    with pytest.raises(AtmosphereError, match="no date in its name"):
        read_auxiliary(undated, TIME, BOUNDS)
