"""A processed tile as a STAC 1.1 item, with the extension fields in their v2 spelling.

Everything that the product contract fixes (bands, scales, classes, bits) is taken from
``catalog.product``; what differs from scene to scene comes in as ``ItemFacts``. Hrefs are
relative to the item; links that need the public address are added when the item is published.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from catalog.errors import ProductError
from catalog.facts import AssetFile, BandFacts, ItemFacts
from catalog.grid import Grid
from catalog.product import (
    GEOMETRY,
    MASK_COLOURS,
    QA_FIELDS,
    RESOLUTION_M,
    AssetSpec,
    Band,
    DocumentSpec,
    MaskClass,
    asset_specs,
    optional_specs,
)

STAC_VERSION = "1.1.0"
COG_MEDIA_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
THUMBNAIL_MEDIA_TYPES = {".webp": "image/webp", ".png": "image/png"}
COLLECTION_HREF = "../../../../../collection.json"
"""Where the collection lies, seen from an item in a store."""
NOMINAL_RMSE_M = RESOLUTION_M / 2
"""Largest geometric RMSE of a product of nominal quality: half a pixel (CEOS-ARD SR, 4.1)."""

_EXTENSIONS = {
    "accuracy": "v1.0.0-beta.1",
    "alternate-assets": "v1.2.0",
    "classification": "v2.0.0",
    "eo": "v2.0.0",
    "file": "v2.1.0",
    "grid": "v1.1.0",
    "mgrs": "v1.0.0",
    "processing": "v1.2.0",
    "product": "v1.1.0",
    "projection": "v2.0.0",
    "raster": "v2.0.0",
    "render": "v2.0.0",
    "sat": "v1.2.0",
    "scientific": "v1.0.0",
    "storage": "v2.0.0",
    "timestamps": "v1.1.0",
    "version": "v1.2.0",
    "view": "v1.1.0",
    "web-map-links": "v1.3.0",
}
_ITEM_EXTENSIONS = (
    "classification", "eo", "file", "grid", "mgrs", "processing", "product", "projection",
    "raster", "sat", "version", "view",
)  # fmt: skip


def extension(name: str) -> str:
    """Return the schema URL of a STAC extension in the version that the platform writes."""
    return f"https://stac-extensions.github.io/{name}/{_EXTENSIONS[name]}/schema.json"


def build_item(facts: ItemFacts, assets: Sequence[AssetFile]) -> dict[str, Any]:
    """Return the STAC item of a tile with its files, hrefs relative to the item.

    Raises
    ------
    ProductError
        An asset of the contract is missing or unknown, or the bands are not the satellite's.
    """
    files = {file.key: file for file in assets}
    specs = _specs(facts.id.satellite, files)
    _check(facts, specs, files)
    extensions = list(_ITEM_EXTENSIONS)
    if facts.geometric is not None:
        extensions.append("accuracy")
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [extension(name) for name in sorted(extensions)],
        "id": str(facts.id),
        "collection": facts.id.collection,
        "geometry": dict(facts.footprint),
        "bbox": geometry_bbox(facts.footprint),
        "properties": _properties(facts),
        "assets": {
            **{spec.key: _data_asset(spec, facts, files[spec.key]) for spec in specs},
            "thumbnail": _thumbnail(files["thumbnail"]),
            **_documents(files),
        },
        "links": list(_links(facts)),
    }


def geometry_bbox(geometry: Mapping[str, Any]) -> list[float]:
    """Return west, south, east, north of a GeoJSON geometry in degrees.

    A geometry that is cut at the antimeridian, as RFC 7946 asks, has west > east.
    """
    points = list(_positions(geometry["coordinates"]))
    longitudes = [point[0] for point in points]
    latitudes = [point[1] for point in points]
    west, east = min(longitudes), max(longitudes)
    if west <= -180 and east >= 180:
        west = min(lon for lon in longitudes if lon > 0)
        east = max(lon for lon in longitudes if lon < 0)
    return [west, min(latitudes), east, max(latitudes)]


def stac_time(time: datetime) -> str:
    """Return an aware time in UTC as RFC 3339, with a fraction only where there is one."""
    text = time.astimezone(UTC).isoformat(timespec="milliseconds" if time.microsecond else "auto")
    return text.replace("+00:00", "Z")


def band_entry(band: Band, spectral: BandFacts | None = None) -> dict[str, Any]:
    """Return a band object of STAC 1.1, with centre and width where they are known."""
    entry: dict[str, Any] = {"name": band.name, "description": band.description}
    if band.common_name is not None:
        entry["eo:common_name"] = band.common_name
    if spectral is not None:
        entry["eo:center_wavelength"] = round(spectral.center_um, 4)
        entry["eo:full_width_half_max"] = round(spectral.fwhm_um, 4)
    return entry


def asset_entry(
    spec: AssetSpec, spectral: Mapping[str, BandFacts], percent: Mapping[MaskClass, float]
) -> dict[str, Any]:
    """Return what an asset says about its pixels, the same in items and in ``item_assets``.

    Parameters
    ----------
    spectral
        Spectral facts by band name; empty in a collection, where cameras differ.
    percent
        Share of the mask classes in the valid pixels; empty in a collection.
    """
    entry: dict[str, Any] = {
        "type": COG_MEDIA_TYPE,
        "title": spec.title,
        "roles": list(spec.roles),
        "gsd": RESOLUTION_M,
        "data_type": spec.dtype,
        "nodata": spec.nodata,
        "raster:spatial_resolution": RESOLUTION_M,
        "raster:sampling": "area",
        "bands": [band_entry(band, spectral.get(band.name)) for band in spec.bands],
    }
    if spec.scale is not None:
        entry |= {"unit": spec.unit, "raster:scale": spec.scale, "raster:offset": 0}
    if spec.key == "mask":
        entry["classification:classes"] = [
            _mask_class(value, percent.get(value)) for value in MaskClass
        ]
    if spec.key == "qa":
        entry["classification:bitfields"] = _bitfields()
    return entry


def document_entry(spec: DocumentSpec) -> dict[str, Any]:
    """Return what an asset that is no raster says, the same in items and in ``item_assets``."""
    return {"type": spec.media_type, "title": spec.title, "roles": list(spec.roles)}


def _specs(satellite: str, files: Mapping[str, AssetFile]) -> tuple[AssetSpec, ...]:
    """Return the assets of the contract, and those on request that were made."""
    wished = (spec for spec in optional_specs(satellite) if spec.key in files)
    return (*asset_specs(satellite), *wished)


def _check(facts: ItemFacts, specs: Sequence[AssetSpec], files: Mapping[str, AssetFile]) -> None:
    wanted = {spec.key for spec in specs} | {"thumbnail"}
    if facts.geometric is not None:
        wanted.add(GEOMETRY.key)
    if wanted != set(files):
        raise ProductError(f"{facts.id}: assets {sorted(files)} given, {sorted(wanted)} wanted")
    names = [band.name for band in facts.bands]
    contract = [band.name for spec in specs if spec.key == "SR" for band in spec.bands]
    if names != contract:
        raise ProductError(f"{facts.id}: bands {names} given, {contract} wanted")
    prefixed = [name for name in facts.provenance if ":" in name]
    if prefixed:
        raise ProductError(f"{facts.id}: provenance {prefixed}: names without a prefix wanted")


def _properties(facts: ItemFacts) -> dict[str, Any]:
    created = stac_time(facts.created)
    return {
        "datetime": stac_time(facts.id.time),
        "start_datetime": stac_time(facts.start_time),
        "end_datetime": stac_time(facts.end_time),
        "created": created,
        "updated": created,
        "platform": facts.platform,
        "instruments": [facts.instrument],
        "constellation": "gaofen",
        "gsd": RESOLUTION_M,
        "eo:cloud_cover": _percent(facts.class_percent.get(MaskClass.CLOUD, 0.0)),
        "eo:snow_cover": _percent(facts.class_percent.get(MaskClass.SNOW, 0.0)),
        "view:incidence_angle": round(facts.view_zenith, 3),
        "view:azimuth": round(facts.view_azimuth, 3),
        "view:off_nadir": round(facts.off_nadir, 3),
        "view:sun_azimuth": round(facts.sun_azimuth, 3),
        "view:sun_elevation": round(facts.sun_elevation, 3),
        "sat:orbit_state": "descending",
        "sat:platform_international_designator": facts.international_designator,
        **_projection(facts.grid),
        "grid:code": f"MGRS-{facts.id.tile}",
        "mgrs:utm_zone": int(facts.id.tile[:2]),
        "mgrs:latitude_band": facts.id.tile[2],
        "mgrs:grid_square": facts.id.tile[3:],
        "processing:level": "L2",
        "processing:version": facts.id.version,
        "processing:datetime": created,
        "processing:lineage": _numbered(facts.lineage),
        "processing:software": {"gfard": facts.software_version},
        "product:type": "SR",
        **_quality(facts),
        "version": facts.id.version,
        "deprecated": False,
        "gfard:derived_from": facts.derived_from,
        "gfard:valid_percent": _percent(facts.valid_percent),
        "gfard:cloud_shadow_cover": _percent(facts.class_percent.get(MaskClass.CLOUD_SHADOW, 0.0)),
        "gfard:warnings": list(facts.warnings),
        "gfard:auxiliary": dict(facts.auxiliary),
        **{f"gfard:{name}": value for name, value in facts.provenance.items()},
    }


def _quality(facts: ItemFacts) -> dict[str, Any]:
    """Nominal or degraded with every reason, and the measured accuracy where there is one."""
    reasons = [] if facts.quality_reason is None else [facts.quality_reason]
    fields: dict[str, Any] = {}
    measured = facts.geometric
    if measured is None and facts.quality_reason is None:
        reasons.append("geometric accuracy not measured: no reference image was given")
    if measured is not None:
        if measured.rmse_m > NOMINAL_RMSE_M:
            reasons.append(
                f"geometric RMSE {measured.rmse_m:.1f} m is above {NOMINAL_RMSE_M:.0f} m"
            )
        fields = {
            "accuracy:geometric_rmse": round(measured.rmse_m, 3),
            "accuracy:geometric_x_bias": round(measured.bias_x_m, 3),
            "accuracy:geometric_y_bias": round(measured.bias_y_m, 3),
            "accuracy:geometric_x_stddev": round(measured.stddev_x_m, 3),
            "accuracy:geometric_y_stddev": round(measured.stddev_y_m, 3),
            "gfard:geometric_x_rmse": round(measured.rmse_x_m, 3),
            "gfard:geometric_y_rmse": round(measured.rmse_y_m, 3),
            "gfard:geometric_ce90": round(measured.ce90_m, 3),
            "gfard:geometric_median": round(measured.median_m, 3),
            "gfard:geometric_class": measured.klass,
            "gfard:check_points": measured.check_points,
            "gfard:check_cells": measured.check_cells,
            "gfard:geometric_model": measured.model,
            "gfard:geometric_reference": measured.reference,
        }
    fields["product:quality_status"] = "degraded" if reasons else "nominal"
    if reasons:
        fields["gfard:quality_reason"] = "; ".join(reasons)
    return fields


def _projection(grid: Grid) -> dict[str, Any]:
    return {
        "proj:code": f"EPSG:{grid.epsg}",
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform),
        "proj:bbox": list(grid.bounds),
    }


def _data_asset(spec: AssetSpec, facts: ItemFacts, file: AssetFile) -> dict[str, Any]:
    spectral = {band.name: band for band in facts.bands} if "reflectance" in spec.roles else {}
    return {
        "href": f"./{file.path.name}",
        **asset_entry(spec, spectral, facts.class_percent),
        **_projection(facts.grid),
        **_file(file),
    }


def _thumbnail(file: AssetFile) -> dict[str, Any]:
    media_type = THUMBNAIL_MEDIA_TYPES.get(file.path.suffix)
    if media_type is None:
        known = " or ".join(THUMBNAIL_MEDIA_TYPES)
        raise ProductError(f"{file.path}: a thumbnail must end in {known}")
    return {
        "href": f"./{file.path.name}",
        "type": media_type,
        "title": "Thumbnail in true colour",
        "roles": ["thumbnail"],
        **_file(file),
    }


def _documents(files: Mapping[str, AssetFile]) -> dict[str, Any]:
    """Assets that are no rasters, where they are given."""
    file = files.get(GEOMETRY.key)
    if file is None:
        return {}
    entry = document_entry(GEOMETRY)
    return {GEOMETRY.key: {"href": f"./{file.path.name}", **entry, **_file(file)}}


def _file(file: AssetFile) -> dict[str, Any]:
    """Size and checksum as a multihash: 0x12 for SHA-256, 0x20 for its 32 bytes."""
    return {"file:size": file.size, "file:checksum": f"1220{file.sha256}"}


def _mask_class(value: MaskClass, percent: float | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "value": int(value),
        "name": value.name.lower(),
        "color_hint": "".join(f"{part:02X}" for part in MASK_COLOURS[value]),
    }
    if value is MaskClass.FILL:
        entry["nodata"] = True
    elif percent is not None:
        entry["percentage"] = _percent(percent)
    return entry


def _bitfields() -> list[dict[str, Any]]:
    return [
        {
            "name": field.name,
            "description": field.description,
            "offset": field.offset,
            "length": field.length,
            "classes": [{"value": i, "name": name} for i, name in enumerate(field.values)],
        }
        for field in QA_FIELDS
    ]


def _links(facts: ItemFacts) -> Iterator[dict[str, Any]]:
    """The collection, and auxiliary data that has an address.

    What has only a name stays in ``gfard:auxiliary``.
    """
    yield {"rel": "collection", "href": COLLECTION_HREF, "type": "application/json"}
    for purpose, source in facts.auxiliary.items():
        if source.startswith(("https://", "http://")):
            yield {"rel": "related", "href": source, "title": f"Auxiliary data: {purpose}"}


def _numbered(steps: Sequence[str]) -> str:
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))


def _percent(value: float) -> float:
    return round(min(max(value, 0.0), 100.0), 3)


def _positions(coordinates: Sequence[Any]) -> Iterator[Sequence[float]]:
    """Yield the positions of nested GeoJSON coordinates."""
    if isinstance(coordinates[0], (int, float)):
        yield coordinates
        return
    for part in coordinates:
        yield from _positions(part)
