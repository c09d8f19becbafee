"""Surface library: kernels against published integrals, recursion against known ground, files."""

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rio_cogeo.cogeo import cog_validate

from catalog.errors import AtmosphereError
from processing.atmosphere.brdf import kernels
from processing.atmosphere.darkfit import WAVELENGTH_NM, in_bands
from processing.geometry.angles import Angles
from processing.library.bandfit import fit_camera, ground_spectra, modis_response
from processing.library.bands import band_table
from processing.library.files import read_tile, tile_path, tiles_of, write_tile
from processing.library.modis import RESOLUTION_M, library_of_kernels
from processing.library.tile import CELL_M, SurfaceTile, cell_grid, empty_tile
from processing.sensors import camera

CAMERA, TILE = "GF1WFV1", "31TCL"
GRID = cell_grid(TILE)
WEIGHTS = np.array([[0.08, 0.04, 0.01], [0.12, 0.05, 0.015], [0.2, 0.08, 0.02], [0.3, 0.12, 0.03]])


def angles(sza: float, vza: float, raa: float) -> Angles:
    sun_azimuth, sun, view_azimuth, view = (
        np.full(GRID.shape, value, np.float32) for value in (160.0, sza, 160.0 - raa, vza)
    )
    return Angles(sun_azimuth, sun, view_azimuth, view)


WINDOW = np.s_[:, :40, :40]
"""Cells that a test of many looks sees, to be quick."""


def noisy(
    rng: np.random.Generator, look: tuple[float, float, float], noise: float | NDArray[np.float64]
) -> NDArray[np.float32]:
    """A look at some cells with noise, and nothing elsewhere."""
    out = np.full((4, *GRID.shape), np.nan, np.float32)
    out[WINDOW] = ground(*look)[WINDOW] + noise * rng.normal(size=(4, 40, 40))
    return out


def ground(sza: float, vza: float, raa: float) -> NDArray[np.float32]:
    reflectance = WEIGHTS @ kernels(sza, vza, raa)
    return np.broadcast_to(reflectance[:, None, None], (4, *GRID.shape)).astype(np.float32)


def test_white_sky_integrals_are_those_of_modis() -> None:
    """Lucht et al. 2000, table 1: 0.189184 and -1.377622."""
    nodes, weights = np.polynomial.legendre.leggauss(48)
    mu, share = (nodes + 1) / 2, weights / 2
    zenith, azimuth = np.degrees(np.arccos(mu)), np.arange(2.5, 360, 5)
    values = kernels(zenith[:, None, None], zenith[:, None], azimuth).mean(axis=-1)
    integral = 4 * np.einsum("kij,i,j->k", values, share * mu, share * mu)
    np.testing.assert_allclose(integral, [1, 0.189184, -1.377622], atol=2e-4)


def test_kernels_are_reciprocal_and_brightest_at_the_hot_spot() -> None:
    np.testing.assert_allclose(kernels(0, 0, 0), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(kernels(50, 20, 70), kernels(20, 50, 70))
    around = kernels(40, 40, np.array([0.0, 5, 20, 90, 180]))
    assert (np.diff(around[1:], axis=1) < 0).all()


def test_kernels_come_out_of_clear_observations() -> None:
    """Forty looks from both sides of the swath, 0.005 of noise; a tenth of them are clouds."""
    rng = np.random.default_rng(3)
    surface = empty_tile(CAMERA, TILE, 4, "test")
    for number in range(40):
        look = rng.uniform(25, 60), rng.uniform(0, 38), rng.choice([60.0, 120.0])
        seen = noisy(rng, look, 0.005)
        if number % 10 == 9:
            seen += 0.3
        surface = surface.updated(seen, angles(*look), f"item {number}")
    for look in ((30.0, 10.0, 60.0), (55.0, 35.0, 120.0)):
        expected, sigma = surface.expected(angles(*look))
        error = (expected - ground(*look))[WINDOW]
        assert np.abs(error.mean(axis=(1, 2))).max() < 0.006
        assert np.sqrt(np.mean(error**2)) < 0.008
        assert (sigma[WINDOW] > 0.004).all()
        assert np.median(sigma[WINDOW]) < 0.03
    assert (surface.count[WINDOW[1:]] == 40).all()


def test_scatter_is_found() -> None:
    rng = np.random.default_rng(4)
    surface = empty_tile(CAMERA, TILE, 4, "test")
    for number in range(30):
        look = rng.uniform(25, 60), rng.uniform(0, 38), rng.choice([60.0, 120.0])
        noise = np.array([0.004, 0.006, 0.01, 0.015])[:, None, None]
        seen = noisy(rng, look, noise)
        surface = surface.updated(seen, angles(*look), f"item {number}")
    found = np.sqrt(np.mean(surface.sigma[WINDOW] ** 2, axis=(1, 2)))
    np.testing.assert_allclose(found, [0.004, 0.006, 0.01, 0.015], rtol=0.4, atol=0.003)


def test_one_look_predicts_the_same_look_and_counts_once() -> None:
    look = 40.0, 20.0, 60.0
    seen = ground(*look)
    seen[:, :50] = np.nan
    surface = empty_tile(CAMERA, TILE, 4, "test").updated(seen, angles(*look), "a")
    expected, sigma = surface.expected(angles(*look))
    np.testing.assert_allclose(expected[:, 50:], seen[:, 50:], rtol=1e-4)
    assert np.isnan(expected[:, :50]).all()
    assert (sigma[:, 50:] > 0.02).all()
    assert surface.updated(seen, angles(*look), "a") is surface


@pytest.fixture
def written(tmp_path: Path) -> tuple[SurfaceTile, Path]:
    look = 40.0, 20.0, 60.0
    surface = empty_tile(CAMERA, TILE, 4, "test").updated(ground(*look), angles(*look), "a")
    return surface, write_tile(tmp_path, surface)


def test_files_are_read_by_any_gis(written: tuple[SurfaceTile, Path]) -> None:
    surface, path = written
    assert cog_validate(str(path), strict=True)[0]
    with rasterio.open(path) as raster:
        assert raster.crs.to_epsg() == GRID.epsg
        assert tuple(raster.transform)[:6] == GRID.transform
        assert raster.shape == GRID.shape
        assert set(raster.scales) == {1.0}
        names = list(raster.descriptions)
        red = raster.read(names.index("red iso") + 1)
        assert np.isnan(raster.nodata)
    np.testing.assert_array_equal(red, surface.weights[2, 0])
    again = read_tile(path)
    np.testing.assert_array_equal(again.information, surface.information)
    np.testing.assert_array_equal(again.sigma, surface.sigma)
    assert (again.items, again.source, again.camera) == (("a",), "test", CAMERA)
    assert again.resolution_m == CELL_M
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_tile_that_does_not_tell_its_resolution_counts_as_coarse(
    written: tuple[SurfaceTile, Path],
) -> None:
    _, path = written
    with rasterio.open(path) as raster:
        profile, layers, tags = raster.profile, raster.read(), raster.tags()
        names = raster.descriptions
    del tags["GFARD_RESOLUTION_M"]
    path.unlink()
    with rasterio.open(path, "w", **{**profile, "driver": "GTiff"}) as raster:
        raster.write(layers)
        raster.descriptions = names
        raster.update_tags(**tags)
    assert read_tile(path).resolution_m == RESOLUTION_M


def test_another_grid_is_an_error(written: tuple[SurfaceTile, Path]) -> None:
    _, path = written
    with rasterio.open(path) as raster:
        profile, layers, tags = raster.profile, raster.read(), raster.tags()
        names = raster.descriptions
    profile.update(driver="GTiff", transform=rasterio.Affine(512, 0, 0, 0, -512, 5e6))
    path.unlink()
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(layers)
        raster.descriptions = names
        raster.update_tags(**tags)
    with pytest.raises(AtmosphereError, match="another grid than tile 31TCL"):
        read_tile(path)


def test_what_is_no_library_is_an_error(written: tuple[SurfaceTile, Path], tmp_path: Path) -> None:
    _, path = written
    with pytest.raises(AtmosphereError, match="no surface library for GF6WFV"):
        list(tiles_of(path.parent, "GF6WFV"))
    with pytest.raises(AtmosphereError, match="is not a folder"):
        list(tiles_of(tmp_path / "absent", CAMERA))
    other = tile_path(path.parent, CAMERA, "31TDL")
    with rasterio.open(
        other, "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8",
        transform=rasterio.Affine(2, 0, 0, 0, -2, 0), crs="EPSG:32631",
    ) as raster:  # fmt: skip
        raster.write(np.ones((1, 4, 4), np.uint8))
    with pytest.raises(AtmosphereError, match="not a tile of a surface library"):
        read_tile(other)


SINUSOIDAL = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs"


def kernel_rasters(folder: Path, west_m: float = 20_000.0) -> Path:
    """MCD43A1 as Earth Engine exports it: one file, a layer for each weight, scale 0.001."""
    values = {3: (80, 40, 10), 4: (120, 50, 15), 1: (200, 80, 20), 2: (300, 120, 30)}
    path = folder / "MCD43A1_export.tif"
    layers = [(band, kernel) for band in (1, 2, 3, 4) for kernel in range(3)]
    with rasterio.open(
        path, "w", driver="GTiff", width=500, height=400, count=12, dtype="int16", nodata=32767,
        crs=SINUSOIDAL, transform=rasterio.Affine(463.3127, 0, west_m, 0, -463.3127, 5_140_000.0),
    ) as raster:  # fmt: skip
        for number, (band, kernel) in enumerate(layers, start=1):
            plane = np.full((400, 500), values[band][kernel], np.int16)
            plane[:, :100] = 32767
            raster.write(plane, number)
            name = ("iso", "vol", "geo")[kernel]
            raster.set_band_description(number, f"BRDF_Albedo_Parameters_Band{band}_{name}")
    return path


def test_modis_kernels_become_a_library(tmp_path: Path) -> None:
    surface = library_of_kernels([kernel_rasters(tmp_path)], CAMERA, TILE)
    known = np.isfinite(surface.count)
    assert 0.5 < known.mean() < 1
    for band in range(4):
        for kernel in range(3):
            # The rasters hold the bands' weights as MODIS's: so near to each other are the bands.
            found = surface.weights[band, kernel][known]
            np.testing.assert_allclose(found, WEIGHTS[band, kernel], rtol=0.15)
            assert np.ptp(found) < 1e-6
    assert surface.resolution_m == RESOLUTION_M
    expected, sigma = surface.expected(angles(40.0, 20.0, 60.0))
    assert (np.isfinite(expected[0]) == known).all()
    assert 0.005 < np.nanmedian(sigma[0]) < 0.01
    assert "MCD43A1_export.tif" in surface.source


def test_kernels_that_lie_nowhere_are_an_error(tmp_path: Path) -> None:
    path = kernel_rasters(tmp_path)
    with rasterio.open(path, "r+") as raster:
        raster.crs = 'LOCAL_CS["site",UNIT["metre",1]]'
    with pytest.raises(AtmosphereError, match="in a geographic or projected CRS wanted"):
        library_of_kernels([path], CAMERA, TILE)


def test_kernels_that_cannot_serve_are_errors(tmp_path: Path) -> None:
    with pytest.raises(AtmosphereError, match="no kernel weights on tile 31TCL"):
        library_of_kernels([kernel_rasters(tmp_path, 5_000_000.0)], CAMERA, TILE)
    with rasterio.open(tmp_path / "MCD43A1_export.tif", "r+") as raster:
        raster.set_band_description(1, "something")
    with pytest.raises(AtmosphereError, match="no layer Band1_iso"):
        library_of_kernels([tmp_path], CAMERA, TILE)
    with pytest.raises(AtmosphereError, match="is not there"):
        library_of_kernels([tmp_path / "absent"], CAMERA, TILE)


def test_bands_of_modis_become_those_of_a_camera(test_data: Path) -> None:
    """Spectra of an AVIRIS image in steps of 10 nm, which the table has not seen.

    They go through the responses of MODIS and of the camera; straight lines through the centres
    of MODIS's bands are the alternative.
    """
    pytest.importorskip("Py6S")
    with rasterio.open(test_data / "spectra" / "AV_mastercal_testdata.bsq") as raster:
        image = raster.read().reshape(raster.count, -1).T * 1e-4
    header = (test_data / "spectra" / "AV_mastercal_testdata.hdr").read_text()
    found = re.search(r"wavelength = \{([^}]*)\}", header)
    assert found is not None
    wavelength = np.array(found[1].split(","), float)
    order = np.argsort(wavelength)
    land = image[(image[:, 1:60] > 0.002).all(axis=1)][:, order]
    fine = np.stack([np.interp(WAVELENGTH_NM, wavelength[order], one) for one in land])
    modis = (fine @ modis_response().T).T
    centres = modis_response() @ WAVELENGTH_NM
    for name in ("GF1WFV2", "GF1WFV4"):
        bands = camera(name).bands
        seen = in_bands(name, fine, [band.name for band in bands])
        table = band_table(name).convert(modis[:, np.newaxis, :, np.newaxis])[:, 0, :, 0]
        straight = np.stack([
            [np.interp(band.center_nm, centres, one) for one in modis.T] for band in bands
        ])  # fmt: skip
        ours, lines = (np.sqrt(np.mean((each - seen) ** 2, axis=1)) for each in (table, straight))
        assert (ours[:3] < 0.002).all()
        assert ours[3] < 0.005
        assert (ours[2:] < 0.6 * lines[2:]).all()


def test_the_table_of_bands_is_made_of_the_spectra(test_data: Path) -> None:
    pytest.importorskip("Py6S")
    folder = test_data / "spectra"
    spectra, image = ground_spectra(
        folder / "refcube__Sentinel-2A__MSI__nclust50__nsamp1000.bsq",
        folder / "prosail_REFL_CAN.txt",
        folder / "prosail_soil_reflectance.txt",
    )
    made, shipped = fit_camera(CAMERA, spectra, image), band_table(CAMERA)
    for part in ("bare", "green", "sigma"):
        np.testing.assert_allclose(getattr(made, part), getattr(shipped, part), atol=1e-4)
    with pytest.raises(AtmosphereError, match="no weights for GF9"):
        band_table("GF9")
