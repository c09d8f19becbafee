"""Signs of clouds beside those that are used: what they would tell, and why they are not used.

Texture is measured on white pixels of snow and of cloud; bands that GF-6 has beyond four on the
cloud-free Sentinel-2 chips, where no cloud was ever labelled in such bands: a veil is laid over
them, which adds the same white to all bands. Sentinel-2 has no yellow band.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.rows.row import Row
from catalog.product import MaskClass
from processing.geometry.field import averaged
from processing.quality import rules
from processing.quality.chips import Chip
from processing.quality.snow import white

Floats = NDArray[np.float32]

PLACES = {"coast": "282D_485L_3_3", "fields": "433D_629L_3_1", "snow": "609U_541L_3_0"}
NAMES = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08"}
"""Bands of Sentinel-2 like those of all cameras, in their order."""
EXTRA = {"violet": ("B01",), "two red edges": ("B05", "B06")}
L1C_OFFSET = 1000
VEIL, VEIL_WHITE = 0.1, 0.65
"""Share of a thin veil in what is seen, and its reflectance."""
FALSE = 0.03
"""Share of clear ground that may be called cloud."""
TEXTURE_PIXELS = 3
_MOST_SAMPLES = 400
_LEAST_PIXELS = 300
_SNOW_SCENES = {
    # Counts become reflectance roughly; texture is relative, and white is bright anyway.
    "scenes/L8_LC80030172015001LGN00_snow_dn.tif": (1.2e-4, -0.6),
    "scenes/L7_everest_20001030_bgrn_dn.tif": (0.8 / 255, 0.0),
}


def sign_rows(data: Path, chips: Mapping[str, Chip]) -> Iterator[Row]:
    """Yield what texture and bands beyond the four would tell."""
    yield from _texture_rows(data, chips)
    yield from _band_rows(data)


def _texture_rows(data: Path, chips: Mapping[str, Chip]) -> Iterator[Row]:
    """Yield how well a limit of texture set on other scenes tells white snow from white cloud."""
    snow, cloud = _white_samples(data, chips)
    right: dict[str, list[float]] = {"snow": [], "cloud": []}
    for name, values in (*snow.items(), *cloud.items()):
        limit, smoother = _limit(
            [v for other, v in snow.items() if other != name],
            [v for other, v in cloud.items() if other != name],
        )
        called_snow = float(((values < limit) == smoother).mean())
        kind, share = ("snow", called_snow) if name in snow else ("cloud", 1 - called_snow)
        right[kind].append(share)
    for kind, shares in right.items():
        yield Row(f"texture alone, white {kind} told: mean of scenes", float(np.mean(shares)), "1")
        yield Row(f"texture alone, white {kind} told: worst scene", min(shares), "1")


def _white_samples(
    data: Path, chips: Mapping[str, Chip]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return the texture of white snow and of white cloud by scene, a few hundred pixels each."""
    snow: dict[str, Floats] = {}
    cloud: dict[str, Floats] = {}
    for name, chip in chips.items():
        if chip.level != "TOA":
            continue
        hidden = chip.truth == chip.legend.index(MaskClass.CLOUD)
        if chip.surface == "snow" and not hidden.any():
            snow[name] = _texture(chip.image, np.ones(hidden.shape, np.bool_))
        else:
            cloud[name] = _texture(chip.image, hidden)
    for path, (gain, offset) in _SNOW_SCENES.items():
        with rasterio.open(data / path) as raster:
            image = raster.read().astype(np.float32) * np.float32(gain) + np.float32(offset)
        snow[path] = _texture(image, np.ones(image.shape[1:], np.bool_))
    place = _place(data, PLACES["snow"])
    bog = np.stack([place[name] for name in NAMES])
    snow["bog"] = _texture(bog, np.ones(bog.shape[1:], np.bool_))
    return _filled(snow), _filled(cloud)


def _filled(scenes: dict[str, Floats]) -> dict[str, Floats]:
    return {name: values for name, values in scenes.items() if values.size}


def _texture(image: Floats, where: NDArray[np.bool_]) -> Floats:
    """Return the relative standard deviation around white pixels ``where``; empty if too few."""
    visible = np.nan_to_num(image[:3].mean(axis=0))
    mean = ndimage.uniform_filter(visible, TEXTURE_PIXELS)
    square = ndimage.uniform_filter(visible * visible, TEXTURE_PIXELS)
    rough = np.sqrt(np.maximum(square - mean * mean, 0)) / np.maximum(mean, np.float32(1e-3))
    known = where & white(image) & np.isfinite(image).all(axis=0)
    if np.count_nonzero(known) < _LEAST_PIXELS:
        return np.zeros(0, np.float32)
    return rough[known][:: max(np.count_nonzero(known) // _MOST_SAMPLES, 1)]


def _limit(snow: Sequence[Floats], cloud: Sequence[Floats]) -> tuple[float, bool]:
    """Return the texture that parts the kinds best, and whether snow is the smoother one."""
    tried = np.quantile(np.concatenate([*snow, *cloud]), np.linspace(0.02, 0.98, 49))
    below = [np.mean([(v < limit).mean() for v in snow]) for limit in tried]
    below_cloud = [np.mean([(v < limit).mean() for v in cloud]) for limit in tried]
    gap = np.subtract(below, below_cloud)
    best = int(np.abs(gap).argmax())
    return float(tried[best]), bool(gap[best] > 0)


def _band_rows(data: Path) -> Iterator[Row]:
    """Yield how much of a veil is found with bands beyond the four, and what water they find."""
    places = {title: _place(data, name) for title, name in PLACES.items()}
    for title, ground in places.items():
        for title_of, band in (("blue", "blue"), ("violet", "B01")):
            haze, veiled = (seen[band] - 0.5 * seen["red"] for seen in (ground, _veiled(ground)))
            share = float((veiled > np.quantile(haze, 1 - FALSE)).mean())
            yield Row(f"veil of 10 % over {title} found by haze in {title_of}", share, "1")
    for title, extra in {"four bands": (), **EXTRA}.items():
        found = np.mean([_found_by_weights(places, place, extra) for place in places])
        name = title if not extra else f"four bands and {title}"
        yield Row(f"veil of 10 % found by weights of {name}, mean", float(found), "1")
    yield from _water_rows(places["coast"])


def _water_rows(coast: Mapping[str, Floats]) -> Iterator[Row]:
    """Yield how water is found with a red edge in place of near infrared."""
    wet = coast["green"] > coast["B11"]
    flat = np.ones(wet.shape, np.bool_)
    for title, band in (("near infrared", "nir"), ("red edge 1", "B05"), ("red edge 2", "B06")):
        image = np.stack([coast[name] for name in ("blue", "green", "red", band)])
        water = rules.is_water(image, flat)
        score = 2 * np.count_nonzero(water & wet) / (np.count_nonzero(water) + wet.sum())
        yield Row(f"coast water F1 at 30 m by {title}, short-wave infrared", float(score), "1")


def _place(data: Path, name: str) -> dict[str, Floats]:
    """Return TOA reflectance of a Sentinel-2 chip at 30 m by band, the four also by name."""
    with rasterio.open(data / "l1c_l2a" / f"{name}_S2L1C.tif") as raster:
        image = (raster.read().astype(np.float32) - np.float32(L1C_OFFSET)) * np.float32(1e-4)
        bands = dict(zip(raster.descriptions, averaged(image, 3), strict=True))
    return {**bands, **{ours: bands[theirs] for ours, theirs in NAMES.items()}}


def _veiled(ground: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name: band * (1 - VEIL) + VEIL * VEIL_WHITE for name, band in ground.items()}


def _found_by_weights(
    places: Mapping[str, Mapping[str, Floats]], judged: str, extra: tuple[str, ...]
) -> float:
    """Return the share of veil found at ``judged`` by Fisher's weights from the other places."""
    names = (*NAMES, *extra)

    def pixels(ground: Mapping[str, Floats]) -> Floats:
        """Return the signs as columns, one row a pixel."""
        return np.stack([ground[name].ravel() for name in names])

    others = [ground for place, ground in places.items() if place != judged]
    clear = np.concatenate([pixels(ground) for ground in others], axis=1)
    veiled = np.concatenate([pixels(_veiled(ground)) for ground in others], axis=1)
    scatter = np.cov(clear) + np.cov(veiled) + 1e-6 * np.eye(len(names))
    weights = np.linalg.solve(scatter, veiled.mean(axis=1) - clear.mean(axis=1))
    ground = places[judged]
    limit = np.quantile(weights @ pixels(ground), 1 - FALSE)
    return float((weights @ pixels(_veiled(ground)) > limit).mean())
