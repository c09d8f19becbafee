"""A catalogue of any size: published items as the platform makes them, and many more like them.

Items lie on the Sentinel-2 tiles of Europe and eastern Asia, over ten years, at the hour at which
the satellite passes, each covering a part of its tile. A large archive is grown inside the
database, which takes a tenth of the time: each row becomes many, each of another day, with another
cloud cover and another part of the tile; only their files are still called as the first's.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from catalog.facts import AssetFile, BandFacts, GeometricFacts, ItemFacts
from catalog.grid import tile, tile_names
from catalog.item import build_item
from catalog.product import REFLECTANCE_BANDS, ItemId, MaskClass, asset_specs
from catalog.published import published_item
from catalog.store import StoredItem, relative_folder

_PUBLIC_URL = "http://127.0.0.1:8000"
_BEGIN = datetime(2013, 6, 1, tzinfo=UTC)
_DAYS = 3650
_PASS_HOUR = 10.75
"""Local solar time of Gaofen-1's descending node, hours."""
_REGIONS = ((range(29, 37), "STU"), (range(43, 53), "QRST"))
"""UTC zones and latitude bands of Europe and of eastern Asia."""

_MAKE_ROOM = """
SELECT check_partition(%(collection)s, span, span)
FROM tstzrange(%(begin)s, %(begin)s + (%(days)s + 1) * interval '1 day') AS span
"""
_GROW = """
INSERT INTO {0} (id, geometry, collection, datetime, end_datetime, content)
SELECT
    concat_ws('.', split_part(id, '.', 1), split_part(id, '.', 2),
        to_char(datetime + shift + interval '8 h', 'YYYYDDDHH24MISS'),
        split_part(id, '.', 4), version),
    ST_MakeEnvelope(west, south, west + width * (1 - random() / 2), north, 4326),
    collection, datetime + shift, end_datetime + shift,
    content || jsonb_build_object('properties', content -> 'properties' || jsonb_build_object(
        'datetime', datetime + shift,
        'start_datetime', datetime + shift - interval '14 s',
        'end_datetime', end_datetime + shift,
        'eo:cloud_cover', round((random() * 79)::numeric, 3),
        'version', version, 'processing:version', version))
FROM (
    SELECT items.*, split_part(id, '.', 5) || 'C' || copy AS version,
        (mod(number * 7 + copy * 149 + days, %(days)s) - days) * interval '1 day' AS shift
    FROM (
        SELECT *, ST_XMin(geometry) AS west, ST_YMin(geometry) AS south, ST_YMax(geometry) AS north,
            (ST_XMax(geometry) - ST_XMin(geometry)) AS width,
            row_number() OVER (ORDER BY id) AS number,
            floor(extract(epoch FROM datetime - %(begin)s) / 86400)::integer AS days
        FROM {0}
    ) AS items, generate_series(1, %(copies)s - 1) AS copy
    OFFSET 0 -- what is computed once stays so
) AS moved
"""


def made_items(count: int) -> Iterator[dict[str, Any]]:
    """Yield published items as the platform makes them."""
    rng = np.random.default_rng(6)
    names = _tile_names()
    for number in range(count):
        name = names[rng.integers(len(names))]
        west, _, east, _ = _outline(name)
        hour = _PASS_HOUR - (west + east) / 2 / 15
        day = int(rng.integers(_DAYS))
        time = _BEGIN + timedelta(days=day, hours=hour, seconds=int(rng.integers(-900, 900)))
        item_id = ItemId("GF1WFV1", time.replace(microsecond=0), name, f"B{number}")
        share, cloud = float(rng.uniform(0.4, 1)), float(rng.uniform(0, 79))
        item = build_item(_facts(item_id, share, cloud), _files(item_id))
        yield published_item(StoredItem(item_id, relative_folder(item_id), item), _PUBLIC_URL)


def grow(admin_dsn: str, copies: int) -> None:
    """Make more rows of every row of the catalogue, so that it holds ``copies`` times as many.

    Parameters
    ----------
    admin_dsn
        Database URL of its owner.
    """
    with psycopg.connect(
        admin_dsn, autocommit=True, options="-c search_path=pgstac,public -c timezone=UTC"
    ) as session:
        session.execute("SET default_toast_compression = 'lz4'")
        session.execute("SELECT setseed(0.6)")
        held = session.execute("SELECT DISTINCT collection FROM items").fetchall()
        for (collection,) in held:
            values = {"collection": collection, "begin": _BEGIN, "days": _DAYS, "copies": copies}
            (partition,) = session.execute(_MAKE_ROOM, values).fetchone() or ("",)
            session.execute(sql.SQL(_GROW).format(sql.Identifier(partition)), values)
            session.execute("SELECT update_partition_stats_q(%s)", [partition])
        session.execute("ANALYZE")


@cache
def _tile_names() -> list[str]:
    return sorted(
        name
        for name in tile_names()
        if any(int(name[:2]) in zones and name[2] in bands for zones, bands in _REGIONS)
    )


@cache
def _outline(name: str) -> tuple[float, float, float, float]:
    """Return west, south, east and north of a tile, degrees."""
    grid = tile(name).grid
    lon, lat = grid.lonlat(np.array([0, 0, grid.rows, grid.rows]), np.array([0, grid.cols] * 2))
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())


def _facts(item_id: ItemId, share: float, cloud: float) -> ItemFacts:
    west, south, east, north = _outline(item_id.tile)
    east = west + share * (east - west)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return ItemFacts(
        id=item_id,
        start_time=item_id.time - timedelta(seconds=14),
        end_time=item_id.time + timedelta(seconds=14),
        grid=tile(item_id.tile).grid,
        footprint={"type": "Polygon", "coordinates": [ring]},
        bands=tuple(BandFacts(band.name, 0.5, 0.06) for band in REFLECTANCE_BANDS["GF1"]),
        platform="gaofen-1",
        instrument="wfv1",
        international_designator="2013-018A",
        sun_azimuth=140.0,
        sun_elevation=60.0,
        view_zenith=20.0,
        view_azimuth=100.0,
        off_nadir=18.0,
        class_percent={MaskClass.CLOUD: cloud, MaskClass.CLEAR: 100 - cloud},
        valid_percent=90.0 * share,
        geometric=GeometricFacts(
            6.1,
            4.4,
            4.2,
            0.3,
            -0.2,
            4.4,
            4.2,
            9.8,
            5.2,
            "<=0.5",
            214,
            9,
            "affine",
            "https://example.org/collections/sentinel-2-l2a",
        ),
        quality_reason=None,
        warnings=(),
        lineage=("calibration", "orthorectification", "aerosol", "surface reflectance"),
        auxiliary={"dem": "glo30", "geoid": "egm96_15"},
        provenance={"calibration": {"year": 2014, "irradiance": "tsis1"}},
        derived_from="GF1_WFV1_E1.0_N44.3_20140725_L1A0000123456",
        software_version="0.1.0",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _files(item_id: ItemId) -> list[AssetFile]:
    keys = [spec.key for spec in asset_specs(item_id.satellite)]
    files = [AssetFile(key, Path(item_id.file_name(key)), 10**8, "ab" * 32) for key in keys]
    return [
        *files,
        AssetFile("thumbnail", Path(f"{item_id}.thumbnail.webp"), 10**4, "cd" * 32),
        AssetFile("geometry", Path(f"{item_id}.geometry.json"), 10**5, "ef" * 32),
    ]
