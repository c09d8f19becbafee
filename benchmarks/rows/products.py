"""Finished products of one place on many dates: how well their reflectance lies on each other.

Packages of all cameras are simulated and go through the whole production, with a reference image
of July. Their sky is a plain formula instead of 6SV, which takes a minute a scene and says
nothing of where pixels lie.
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.windows import from_bounds

from benchmarks.rows.row import Row, at_most
from benchmarks.rows.stability import PLACE, STABILITY_GRID, date_of, pair_distance
from benchmarks.rows.trial import Image
from catalog.folder import FolderStore
from catalog.product import ItemId
from processing.pipeline import produce
from processing.result import Status
from processing.sensors import camera, camera_names
from processing.settings import ProcessSettings
from processing.simulate.atmosphere import Air
from processing.simulate.scene import simulate, sky_queries
from processing.simulate.sixs import Sky, SkyQuery, write_table
from processing.simulate.spec import SceneSpec
from tests.scenery import made_site, picture, when

DATES = 10
ALL, SOME = tuple(range(DATES)), (0, 4, 7)
"""Numbers of the dates; some of them are of WFV1 in April, GF-6 in July and WFV3 in September."""
SETTINGS = ProcessSettings(version="STABLE", network=False, minimum_valid_percent=0.1)
"""The place fills one percent of a tile; where pixels lie does not depend on their classes."""
_SIDE_PX = 700
_PART_PX = 560
"""Columns of one part of GF-6, which has to hold chips of the coarse pass, 256 pixels wide."""
_REFERENCE_PX = 1900


def product_rows(numbers: Sequence[int]) -> Iterator[Row]:
    """Yield how far the red of products of one place lies apart in pairs.

    Parameters
    ----------
    numbers
        Which of the dates to take.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference = write_reference(folder)
        reds = [_red(_spec(number), folder, reference) for number in numbers]
    apart = [pair_distance(one, other) for one, other in combinations(reds, 2)]
    title = f"products_of_{len(numbers)}_dates"
    yield at_most(f"{title}_worst_of_{len(apart)}_pairs", float(np.max(apart)), "pixel", 0.3)
    yield Row(f"{title}_median_pair", round(float(np.median(apart)), 5), "pixel")


def write_reference(folder: Path) -> Path:
    """Write the red of the place in July, pixels of 10 m on a lattice of their own."""
    site, red = made_site(folder, "GF1WFV2", _REFERENCE_PX, centre=PLACE)
    image = picture(site.grid, red(when(7)))
    path = folder / "july.tif"
    frame = {"crs": f"EPSG:{image.grid.epsg}", "transform": Affine(*image.grid.transform)}
    size = {"height": image.grid.rows, "width": image.grid.cols}
    with rasterio.open(
        path, "w", driver="GTiff", count=1, dtype="float32", nodata=np.nan, **size, **frame
    ) as raster:
        raster.write(image.values, 1)
        raster.set_band_description(1, "red")
    return path


def _spec(number: int) -> SceneSpec:
    """Return the scene of a date, its RPC wrong by up to 20 pixels, its attitude its own."""
    names = camera_names()
    name = names[number % len(names)]
    rng = np.random.default_rng([40, number])
    parts = camera(name).parts
    row, col = rng.uniform(-14, 14, 2)
    return SceneSpec(
        name,
        date_of(number, DATES),
        PLACE,
        _SIDE_PX,
        _SIDE_PX if parts == 1 else _PART_PX,
        air=Air(float(rng.uniform(0.08, 0.25))),
        rpc_error=(float(row), float(col)),
        seed=number,
    )


def _red(spec: SceneSpec, folder: Path, reference: Path) -> Image:
    """Simulate and produce a scene; return the red of its product around the place."""
    memory = folder / "skies.json"
    write_table(memory, {query.key(): plain_sky(query) for query in sky_queries(spec)})
    made = simulate(spec, folder, memory=memory)
    store = FolderStore(folder / "store")
    result = produce(
        made.package,
        store=store,
        settings=SETTINGS,
        dem=made.truth / "dem.tif",
        reference=reference,
    )
    if result.status is not Status.DONE:
        raise RuntimeError(f"{spec.name} ended as {result.status}: {result.detail}")
    (item,) = result.items
    return _around_place(store, ItemId.parse(item))


def _around_place(store: FolderStore, item: ItemId) -> Image:
    """Read the red of a product in the window that all share; NaN = no data."""
    stored = store.get(item)
    assert stored is not None
    path = store.resolve(f"{stored.relative}/{item.file_name('SR')}")
    grid = STABILITY_GRID
    west, north = grid.ulx, grid.uly
    east, south = west + grid.cols * grid.resolution, north - grid.rows * grid.resolution
    with rasterio.open(path) as raster:
        window = from_bounds(west, south, east, north, raster.transform).round_offsets()
        number = raster.descriptions.index("red") + 1
        values = raster.read(number, window=window.round_lengths()).astype(np.float32)
    return np.where(values == 0, np.float32(np.nan), values)


def plain_sky(query: SkyQuery) -> Sky:
    """Return a sky of single scattering: Rayleigh (Froehlich and Shaw 1980) and grey aerosol.

    Phase functions are taken as 3/4 (1 + cos^2) and 1; half of what molecules and a fifth of
    what particles scatter leaves the beam for good.
    """
    wavelength = camera(query.camera).bands[query.band].center_nm / 1e3
    molecules = 0.00838 * wavelength ** -(3.916 + 0.074 * wavelength + 0.05 / wavelength)
    molecules *= math.exp(-query.height_m / 8434.0)
    particles = query.aod * (wavelength / 0.55) ** -1.3
    sun, view = (
        math.cos(math.radians(angle)) for angle in (query.sun_zenith_deg, query.view_zenith_deg)
    )
    sines = math.sqrt((1 - sun**2) * (1 - view**2))
    back = sun * view + sines * math.cos(math.radians(query.relative_azimuth_deg))
    path = (0.75 * (1 + back**2) * molecules + 0.3 * particles) / (4 * sun * view)
    lost, depth = 0.5 * molecules + 0.2 * particles, molecules + particles
    down, up = (math.exp(-lost / cosine) for cosine in (sun, view))
    direct = [math.exp(-depth / cosine) / way for cosine, way in ((sun, down), (view, up))]
    return Sky(path, down * up, 0.5 * molecules + 0.15 * particles, *direct)
