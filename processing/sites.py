"""Observations of invariant sites, read from the products of a store."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import rasterio
from numpy.typing import NDArray
from rasterio.features import geometry_mask, geometry_window
from rasterio.warp import transform_geom
from rasterio.windows import Window
from shapely.geometry import box, shape

from catalog.errors import CalibrationError
from catalog.product import ANGLE_SCALE, REFLECTANCE_BANDS, REFLECTANCE_SCALE, MaskClass
from catalog.store import Store, StoredItem
from processing.invariant import Observation
from processing.saturation import MOST_SATURATED, saturated_bands

_LEAST_CLEAR = 0.9
"""Share of a site that must be clear land to be looked at."""


@dataclass(frozen=True, slots=True)
class Site:
    """Ground of unchanging reflectance: a name and a GeoJSON polygon in degrees."""

    name: str
    polygon: dict[str, Any]


def read_sites(path: Path) -> tuple[Site, ...]:
    """Read a GeoJSON file of polygons; their property ``name``, or their number, names them.

    Raises
    ------
    CalibrationError
        The file cannot be read or holds no polygon.
    """
    try:
        features = orjson.loads(path.read_bytes())["features"]
        sites = tuple(
            Site(str((each.get("properties") or {}).get("name", number)), each["geometry"])
            for number, each in enumerate(features, start=1)
            if each["geometry"]["type"] in ("Polygon", "MultiPolygon")
        )
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise CalibrationError(
            f"{path}: not a GeoJSON collection of features: {error!r}"
        ) from error
    if not sites:
        raise CalibrationError(f"{path}: no polygon in it; one for each site wanted")
    return sites


def observe_sites(
    store: Store,
    sites: tuple[Site, ...],
    normalisation: str,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Observation]:
    """Yield the TOA reflectance of every band of every clear look at a site.

    Bands in which the site is saturated are left out.

    Parameters
    ----------
    store
        The products.
    sites
        Where to look.
    normalisation
        Version of the table that the products must have been made with, so that what is found
        can be added to it.
    progress
        Called with the number of products looked at.

    Raises
    ------
    CalibrationError
        A product was made with another table.
    """
    for done, stored in enumerate(store.items(), start=1):
        for site in sites:
            if shape(site.polygon).intersects(box(*stored.item["bbox"])):
                yield from _look(store, stored, site, normalisation)
        if progress is not None:
            progress(done)


def _look(
    store: Store, stored: StoredItem, site: Site, normalisation: str
) -> Iterator[Observation]:
    facts = stored.item["properties"]
    used = facts.get("gfard:calibration", {}).get("normalisation_version")
    if used != normalisation:
        raise CalibrationError(
            f"{stored.id}: made with normalisation {used}, but {normalisation} is to be updated; "
            "process it again, or name the table that it was made with"
        )
    seen = _pixels(store, stored, site)
    if seen is None:
        return
    time = datetime.fromisoformat(facts["datetime"])
    for band, value in zip(REFLECTANCE_BANDS[stored.id.satellite], seen, strict=True):
        if np.isfinite(value):
            yield Observation(stored.id.camera, band.name, time, site.name, float(value))


def _pixels(store: Store, stored: StoredItem, site: Site) -> NDArray[np.float64] | None:
    """Return mean reflectances of the bands over the site, None where it is not clear.

    NaN in bands that are saturated.
    """
    paths = (
        store.raster_path(f"{stored.relative}/{stored.id.file_name(key)}")
        for key in ("TOA", "mask", "qa", "angle")
    )
    toa, mask, qa, angle = (rasterio.open(path) for path in paths)
    with closing(toa), closing(mask), closing(qa), closing(angle):
        outline = transform_geom("OGC:CRS84", toa.crs, site.polygon)
        inside = shape(outline).within(box(*toa.bounds))
        if not inside:
            return None
        window = geometry_window(toa, [outline])
        window = Window(*(int(value) for value in window.flatten()))
        within = ~geometry_mask(
            [outline], (window.height, window.width), toa.window_transform(window)
        )
        clear = within & (mask.read(1, window=window) == MaskClass.CLEAR)
        if not within.any() or clear.sum() < _LEAST_CLEAR * within.sum():
            return None
        values: NDArray[np.float64] = toa.read(window=window)[:, clear] * REFLECTANCE_SCALE
        sun = angle.read(2, window=window)[clear] * ANGLE_SCALE
        bits = qa.read(1, window=window)[clear]
        saturated = saturated_bands(
            stored.item["properties"], stored.id.camera, values, sun, bits
        ).mean(axis=1)
        return np.where(saturated > MOST_SATURATED, np.nan, values.mean(axis=1))
