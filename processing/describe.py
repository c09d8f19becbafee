"""What is known about one tile of one scene, gathered for its STAC item."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from catalog.facts import BandFacts, ItemFacts
from catalog.product import QA, ItemId, MaskClass
from processing.atmosphere.lut import camera_lut
from processing.atmosphere.prior import AodSource
from processing.look import Observation, SceneLook
from processing.placement import Placement
from processing.record import corrections, geometric_facts, reference_facts
from processing.settings import ProcessSettings
from processing.tile import TileImage

EARTH_RADIUS_KM = 6371.0
ORBIT_HEIGHT_KM = 645.0
"""Height of both satellites' orbits."""


def item_facts(
    identity: ItemId,
    image: TileImage,
    seen: Observation,
    looked: SceneLook,
    settings: ProcessSettings,
) -> ItemFacts:
    """Gather the facts about ``image`` for its item."""
    package, camera = seen.package, seen.package.camera
    angles = image.mean_angles()
    classes = _class_percent(image)
    valid = int(np.count_nonzero(image.valid))
    return ItemFacts(
        id=identity,
        start_time=package.start_time,
        end_time=package.end_time,
        grid=image.tile.grid,
        footprint=image.outline(),
        bands=tuple(
            BandFacts(band.name, band.center_nm / 1000, band.fwhm_nm / 1000)
            for band in camera.bands
        ),
        platform=camera.platform,
        instrument=camera.instrument,
        international_designator=camera.international_designator,
        sun_azimuth=angles["saa"],
        sun_elevation=90.0 - angles["sza"],
        view_zenith=angles["vza"],
        view_azimuth=angles["vaa"],
        off_nadir=off_nadir_deg(angles["vza"]),
        class_percent=classes,
        valid_percent=100.0 * valid / (image.tile.grid.rows * image.tile.grid.cols),
        geometric=geometric_facts(seen.placement),
        quality_reason=seen.placement.doubt,
        warnings=seen.warnings,
        lineage=_lineage(seen, looked, settings),
        auxiliary=_auxiliary(seen, looked, settings),
        provenance=_provenance(image, seen, looked, settings),
        derived_from=package.name,
        software_version=installed_version("gfard"),
        created=datetime.now(UTC).replace(microsecond=0),
    )


def off_nadir_deg(view_zenith_deg: float) -> float:
    """Return the angle at the sensor between nadir and the ground point, on a sphere."""
    ratio = EARTH_RADIUS_KM / (EARTH_RADIUS_KM + ORBIT_HEIGHT_KM)
    return float(np.degrees(np.arcsin(ratio * np.sin(np.radians(view_zenith_deg)))))


def _class_percent(image: TileImage) -> Mapping[MaskClass, float]:
    """Share of each class in the valid pixels, percent."""
    counts = np.bincount(image.arrays["mask"].ravel(), minlength=len(MaskClass))
    valid = max(int(counts[1:].sum()), 1)
    return {
        value: 100.0 * int(counts[value]) / valid
        for value in MaskClass
        if value is not MaskClass.FILL
    }


def _lineage(seen: Observation, looked: SceneLook, settings: ProcessSettings) -> tuple[str, ...]:
    """Name the steps in their order."""
    package = seen.package
    return (
        f"Open {package.name}; time zone {package.sun_check.time_zone} and sense of the angles "
        f"({package.sun_check.angle_sense}) decided by the position of the sun",
        f"Calibrate to radiance: {seen.calibration.source}; reflectance with the "
        f"{seen.calibration.irradiance} solar irradiance over the full spectral response",
        f"Locate by the RPC with heights from {_public(seen.heights.source)}; "
        f"{_placed(seen.placement)}",
        f"Classify at 32 m: {looked.quality.model}",
        f"Fit aerosol optical depth on 512 m cells from {_targets(looked)}",
        f"Resample all bands once ({settings.kernel}) to the tile",
        "Correct Rayleigh scattering, aerosol, ozone, water vapour and oxygen by look-up table",
        *_surroundings(looked),
        "Classify at 16 m and set the quality bits",
        *_slopes(looked),
    )


def _surroundings(looked: SceneLook) -> Iterator[str]:
    """Name the step that takes the light of the surroundings out, where there is one."""
    if looked.surroundings is not None:
        yield (
            "Take out the light that the air scatters from the surroundings (Vermote et al. 1997; "
            "environment function of 6S), means over cells of "
            f"{looked.surroundings.grid.resolution:g} m without clouds"
        )


def _slopes(looked: SceneLook) -> Iterator[str]:
    """Name the correction of slopes, where there is one."""
    if looked.relief is not None:
        source = looked.relief.source
        yield f"Correct the light on slopes by SCS+C (Soenen et al. 2005), C by {source}"


def _placed(placement: Placement) -> str:
    """Say how the scene was brought onto its reference."""
    found = placement.registration
    if found is None or placement.doubt is not None:
        return str(placement.doubt)
    matches = found.matches.used
    return (
        f"corrected in the image ({found.model}) by {int((matches == 'fit').sum())} points matched "
        f"with {found.reference}, measured at {found.accuracy.check_points} others"
    )


def _targets(looked: SceneLook) -> str:
    """Name the kinds of ground that gave evidence of the haze, and the prior."""
    kinds = [kind for kind, cells in looked.aod.targets.items() if cells]
    return ", ".join([*kinds, "the prior"])


def _auxiliary(seen: Observation, looked: SceneLook, settings: ProcessSettings) -> dict[str, str]:
    """Auxiliary data by purpose."""
    reference, snow = seen.placement.reference, settings.snow_prior
    return {
        **({} if reference is None else {"reference": reference.source}),
        "dem": _public(seen.heights.source),
        "geoid": _public(seen.heights.geoid),
        "spectral_response": "CRESDA response tables, see processing/data/SOURCES.md",
        "aerosol_prior": looked.prior.source,
        "ozone_water_vapour": looked.gas.source,
        **({} if snow is None else {"snow_prior": snow.name}),
    }


def _public(source: str) -> str:
    """Return an address as it is, and of a path on this machine the last name only."""
    return source if "://" in source else source.rsplit("/", 1)[-1]


def _provenance(
    image: TileImage, seen: Observation, looked: SceneLook, settings: ProcessSettings
) -> dict[str, Any]:
    """Facts by which the product can be made again, or judged."""
    calibration = seen.calibration
    options = _options(settings)
    return {
        "calibration": {
            "slope": list(calibration.slope),
            "intercept": list(calibration.intercept),
            "esun": list(calibration.esun),
            "irradiance": calibration.irradiance,
            "source": calibration.source,
            "table_year": calibration.table_year,
            "flags": list(calibration.flags),
            "normalisation": list(calibration.normalisation),
            "normalisation_uncertainty": list(calibration.normalisation_uncertainty),
            "normalisation_version": calibration.normalisation_version,
        },
        "ozone_du": round(float(looked.gas.ozone_du), 1),
        "water_vapour_g_cm2": round(float(looked.gas.water_vapour_g_cm2), 3),
        "auxiliary_files": {} if seen.auxiliary is None else dict(seen.auxiliary.files),
        "aerosol_model": looked.aod.model,
        "aerosol_target_cells": dict(looked.aod.targets),
        "aerosol_surfaces": list(looked.surfaces.names),
        "aerosol_lut": camera_lut(seen.package.camera.name).content_hash,
        "aerosol_source_percent": _aerosol_shares(image),
        "mask_model": {
            "name": looked.quality.model,
            "version": looked.quality.model_version,
            "sha256": looked.quality.model_sha256,
        },
        **_geometry(seen.placement),
        **_on_request(seen, looked),
        "sun_check": {
            "time_zone": seen.package.sun_check.time_zone,
            "angle_sense": seen.package.sun_check.angle_sense,
            "zenith_error": round(float(seen.package.sun_check.zenith_error_deg), 3),
            "azimuth_error": round(float(seen.package.sun_check.azimuth_error_deg), 3),
        },
        "settings": options,
        "settings_sha256": hashlib.sha256(orjson.dumps(options)).hexdigest(),
    }


def _geometry(placement: Placement) -> dict[str, Any]:
    """Which images the position rests on, and what corrects the RPC of each part."""
    if placement.reference is None or placement.registration is None:
        return {}
    applied = [] if placement.doubt is not None else corrections(placement.registration)
    return {
        "geometric_reference_images": reference_facts(placement.reference),
        "geometric_correction": applied,
    }


def _on_request(seen: Observation, looked: SceneLook) -> dict[str, Any]:
    """What the corrections that were asked for rest on."""
    names = [band.name for band in seen.package.camera.bands]
    told: dict[str, Any] = {}
    if looked.surroundings is not None:
        contrast = [round(each, 4) for each in looked.surroundings.contrast]
        told["adjacency"] = {
            "method": "Vermote et al. 1997, environment function of 6S",
            "cell_m": looked.surroundings.grid.resolution,
            "contrast": dict(zip(names, contrast, strict=True)),
        }
    if looked.relief is not None:
        relief = looked.relief
        c = [None if each is None else round(each, 4) for each in relief.c]
        told["terrain_correction"] = {
            "method": "SCS+C, Soenen et al. 2005",
            "c": dict(zip(names, c, strict=True)),
            "c_source": relief.source,
            "pixels": relief.pixels,
            "correlation_before": [round(each, 3) for each in relief.before],
            "correlation_after": [round(each, 3) for each in relief.after],
        }
    return told


def _options(settings: ProcessSettings) -> dict[str, Any]:
    """Return the options as plain values; of files their names, for paths tell of the machine."""
    return {
        name: value.name if isinstance(value, Path) else value
        for name, value in settings.model_dump().items()
    }


def _aerosol_shares(image: TileImage) -> dict[str, float]:
    """Share of each aerosol source in the valid pixels, percent."""
    field = QA["aerosol_source"]
    codes = (image.arrays["qa"][image.valid] >> field.offset) & (2**field.length - 1)
    counts = np.bincount(codes, minlength=len(AodSource))
    return {
        source.name.lower(): round(100.0 * int(counts[source]) / max(codes.size, 1), 2)
        for source in AodSource
    }
