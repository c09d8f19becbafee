"""What a product does about each requirement: one function for each row of the specification."""

from collections.abc import Callable, Mapping

from catalog.ceosard.product import Pixels, Product
from catalog.item import NOMINAL_RMSE_M
from catalog.product import FILL, TERRAIN_FACTOR, MaskClass

Answer = tuple[bool, bool, str, str]
"""Threshold met, goal met, evidence, what is open."""


_DOI = "a DOI whose landing page says so; its registration is the operator's"


def _traceability(product: Product) -> Answer:
    return True, False, "gfard:calibration", f"an uncertainty chain to SI, and {_DOI}"


def _machine_readable(product: Product) -> Answer:
    ok = product.item.get("stac_version") is not None
    return ok, False, "STAC item as JSON", "a record in ISO 19115"


def _time(product: Product) -> Answer:
    utc = str(product.facts.get("datetime", "")).endswith("Z")
    span = product.has("start_datetime", "end_datetime")
    return utc, utc and span, "datetime in UTC; first and last line in start and end", ""


def _area(product: Product) -> Answer:
    ok = bool(product.item.get("geometry")) and bool(product.item.get("bbox"))
    tight = product.has("proj:transform", "proj:shape")
    return ok, ok and tight, "geometry is the outline of the valid pixels; proj:transform", ""


def _crs(product: Product) -> Answer:
    ok = product.has("proj:code")
    return ok, ok, str(product.facts.get("proj:code")), ""


def _projection(product: Product) -> Answer:
    ok = str(product.facts.get("proj:code", "")).startswith(("EPSG:326", "EPSG:327"))
    return ok, ok, "UTM by its EPSG code, WGS 84", ""


def _correction_methods(product: Product) -> Answer:
    auxiliary = product.facts.get("gfard:auxiliary", {})
    named = "dem" in auxiliary and bool(product.links("geometric-correction"))
    evidence = "link geometric-correction; dem, geoid and reference in gfard:auxiliary"
    ok = named and product.verified and product.has_doi
    return True, ok, evidence, "" if ok else f"a measured reference, and {_DOI}"


def _accuracy(product: Product) -> Answer:
    ok = product.verified and product.has("gfard:check_points")
    return True, ok, "accuracy:*, gfard:geometric_*", "" if ok else "measured check points"


def _instrument(product: Product) -> Answer:
    ok = product.has("platform", "instruments")
    return ok, False, "platform, instruments", "links to the CEOS MIM database"


def _bands(product: Product) -> Answer:
    bands = [band for key in ("TOA", "SR") for band in product.item["assets"][key]["bands"]]
    centre = all("eo:center_wavelength" in band for band in bands)
    width = all("eo:full_width_half_max" in band for band in bands)
    return centre, centre and width, "eo:center_wavelength and width of each band and camera", ""


def _calibration(product: Product) -> Answer:
    told = product.facts.get("gfard:calibration", {})
    return True, {"slope", "intercept", "source"} <= set(told), "gfard:calibration", ""


def _radiometric_accuracy(product: Product) -> Answer:
    ok = bool(product.links("radiometric-accuracy"))
    return True, ok, "link radiometric-accuracy", "" if ok else "a statement of the uncertainty"


def _algorithms(product: Product) -> Answer:
    steps = str(product.facts.get("processing:lineage", "")).splitlines()
    ordered = len(steps) > 3 and all(
        step.startswith(f"{number}. ") for number, step in enumerate(steps, 1)
    )
    return ordered, False, "processing:lineage in order", "peer review of the shadow matching"


def _auxiliary(product: Product) -> Answer:
    named = product.facts.get("gfard:auxiliary", {})
    ok = {"dem", "spectral_response", "aerosol_prior", "ozone_water_vapour"} <= set(named)
    return ok, False, "gfard:auxiliary, related links", _DOI


def _provenance(product: Product) -> Answer:
    ok = product.has("gfard:derived_from", "processing:software", "gfard:settings_sha256")
    return True, ok, "gfard:derived_from, processing:software, gfard:settings", ""


def _access(product: Product) -> Answer:
    links = {link["rel"]: link["href"] for link in product.collection.get("links", [])}
    ok = product.has_doi
    missing = "" if ok else "registration of the DOI; the landing page stands in for it"
    return "cite-as" in links, ok, "landing page linked as cite-as", missing


def _quality(product: Product) -> Answer:
    ok = product.has("eo:cloud_cover", "eo:snow_cover", "product:quality_status")
    return True, ok, "eo:cloud_cover, eo:snow_cover, product:quality_status", ""


def _normalised(product: Product) -> Answer:
    ok = "NBAR" in product.item["assets"]
    return True, ok, "asset NBAR", "" if ok else "asked for with --nbar"


def _uncertainty(product: Product) -> Answer:
    ok = "SR_uncertainty" in product.item["assets"]
    return True, ok, "asset SR_uncertainty", "" if ok else "asked for with --uncertainty"


def _illumination(product: Product) -> Answer:
    ok = TERRAIN_FACTOR in product.item["assets"] and product.described("terrain-correction")
    evidence = f"asset {TERRAIN_FACTOR}, gfard:terrain_correction; link describedby"
    if ok:
        return True, True, evidence, ""
    return True, False, "no terrain correction is made", "asked for with --terrain-correction"


def _scattering(product: Product) -> Answer:
    ok = product.has("gfard:aerosol_model", "gfard:aerosol_lut") and product.described(
        "directional-atmospheric-scattering"
    )
    return ok, ok, "link describedby; gfard:aerosol_model, gfard:aerosol_lut; asset AOD", ""


def _water_vapour(product: Product) -> Answer:
    ok = product.has("gfard:water_vapour_g_cm2") and product.described("water-vapour")
    return ok, ok, "link describedby; gfard:water_vapour_g_cm2 and its source", ""


def _ozone(product: Product) -> Answer:
    ok = product.has("gfard:ozone_du") and product.described("ozone")
    return True, ok, "link describedby; gfard:ozone_du and its source", ""


def _position(product: Product) -> Answer:
    rmse = product.facts.get("accuracy:geometric_rmse")
    grid = product.collection.get("gfard:grid_rule") is not None
    ok = grid and product.verified and rmse is not None and rmse <= NOMINAL_RMSE_M
    told = "not measured" if rmse is None else f"{rmse:g} m"
    wanted = f"{NOMINAL_RMSE_M:g} m or less against a reference image"
    return ok, False, f"RMSE {told}, {wanted}", "a published absolute reference"


def _layer(role: str, field: str) -> Callable[[Product, Pixels], Answer]:
    """Judge a flag by the role of its asset and by its presence among the bits."""

    def judge(product: Product, pixels: Pixels) -> Answer:
        """Look for the flag in quality bits of valid pixels."""
        ok = role in product.roles("qa") and not pixels.holds(field)[~pixels.valid].any()
        return ok, ok, f"qa, field {field}", ""

    return judge


def _flag_goal(role: str, field: str) -> Callable[[Product, Pixels], Answer]:
    """As `_layer`, for rows whose threshold asks nothing."""
    layer = _layer(role, field)

    def judge(product: Product, pixels: Pixels) -> Answer:
        """Pass the threshold; the goal asks for the flag."""
        _, goal, evidence, missing = layer(product, pixels)
        return True, goal, evidence, missing

    return judge


def _described_flag(role: str, field: str, value: MaskClass) -> Callable[[Product, Pixels], Answer]:
    """Judge a class that mask and bits must agree on, and whose method is described."""

    def judge(product: Product, pixels: Pixels) -> Answer:
        """Hold the class of the mask against its quality bit."""
        seen = pixels.mask[0] == value
        ok = role in product.roles("mask") and bool(pixels.holds(field)[seen].all())
        goal = ok and product.described("cloud-and-shadow") and product.has_doi
        evidence = f"mask {int(value)}; qa, field {field}; link describedby"
        return ok, goal, evidence, "" if goal else _DOI

    return judge


def _no_data(product: Product, pixels: Pixels) -> Answer:
    layers = (*pixels.sr, *pixels.angle, pixels.qa[0])
    ok = all(bool(((layer == FILL) == ~pixels.valid).all()) for layer in layers)
    return ok, ok, "mask 0; no valid pixel of SR, angle or qa is 0, and no other is above", ""


def _per_pixel(product: Product, pixels: Pixels) -> Answer:
    assets = product.item["assets"]
    ok = "classification:classes" in assets["mask"] and "classification:bitfields" in assets["qa"]
    return ok, ok, "classification:classes of mask, classification:bitfields of qa", ""


def _incomplete(product: Product, pixels: Pixels) -> Answer:
    ok, _, evidence, _ = _layer("incomplete-testing", "incomplete")(product, pixels)
    return ok, False, evidence, "one bit per test"


def _saturation(product: Product, pixels: Pixels) -> Answer:
    ok, _, evidence, _ = _layer("saturation", "saturated")(product, pixels)
    return ok, False, evidence, "one bit per band"


def _geometry(product: Product, pixels: Pixels) -> Answer:
    means = product.has(
        "view:incidence_angle", "view:azimuth", "view:sun_azimuth", "view:sun_elevation"
    )
    each = bool((pixels.angle[:, pixels.valid] != FILL).all())
    return means, means and each, "view:* as means; asset angle for each pixel", ""


def _reflectance(product: Product, pixels: Pixels) -> Answer:
    asset = product.item["assets"]["SR"]
    ok = asset.get("unit") == "1" and asset.get("raster:scale") is not None
    return ok, False, "unit 1 and raster:scale of SR", "an uncertainty chain to SI"


BY_METADATA: Mapping[str, Callable[[Product], Answer]] = {
    "meta-trace-sr": _traceability,
    "meta-memare-optical": _machine_readable,
    "meta-time-sr": _time,
    "meta-geoarea-optical": _area,
    "meta-crs-optical": _crs,
    "meta-mapproj-sr": _projection,
    "meta-geocorm-sr": _correction_methods,
    "meta-geoacc-sr": _accuracy,
    "meta-instru-optical": _instrument,
    "meta-specband": _bands,
    "meta-sencal-optical": _calibration,
    "meta-radacc-sr": _radiometric_accuracy,
    "meta-malgos-sr": _algorithms,
    "meta-auxdat-optical": _auxiliary,
    "meta-proprov-sr": _provenance,
    "meta-daccess": _access,
    "meta-odqual-sr": _quality,
    "pxl-piteric": _illumination,
    "rac-muncer-sr": _uncertainty,
    "rac-mnormal-sr": _normalised,
    "rac-dirats-sr": _scattering,
    "rac-wavap-sr": _water_vapour,
    "rac-cozone-sr": _ozone,
    "gcor-geocorr-sr": _position,
}
BY_PIXELS: Mapping[str, Callable[[Product, Pixels], Answer]] = {
    "pxl-pimemare": _per_pixel,
    "pxl-pinodat": _no_data,
    "pxl-pincot": _incomplete,
    "pxl-pisatur": _saturation,
    "pxl-picloud": _described_flag("cloud", "cloud_confidence", MaskClass.CLOUD),
    "pxl-picloudsh": _described_flag("cloud-shadow", "cloud_shadow", MaskClass.CLOUD_SHADOW),
    "pxl-lawama-sr": _flag_goal("land-water", "water"),
    "pxl-snowice-sr": _flag_goal("snow-ice", "snow"),
    "pxl-tershad": _flag_goal("terrain-shadow", "terrain_shadow"),
    "pxl-terocc": _flag_goal("terrain-occlusion", "terrain_occlusion"),
    "pxl-vigeso": _geometry,
    "rac-measur-sr": _reflectance,
}
