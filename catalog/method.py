"""Where the methods behind a product are described: sections of one page of the portal."""

from collections.abc import Iterator
from typing import Any

PAGE = "method.html"
_HTML = "text/html"
_SECTIONS = {
    "directional-atmospheric-scattering": ("describedby", "Correction of aerosol and Rayleigh"),
    "adjacency": ("describedby", "Light of the surroundings"),
    "terrain-correction": ("describedby", "Light on slopes"),
    "water-vapour": ("describedby", "Correction of water vapour"),
    "ozone": ("describedby", "Correction of ozone and oxygen"),
    "cloud-and-shadow": ("describedby", "Cloud, cloud shadow, snow and water"),
    "geometric-correction": ("geometric-correction", "Geometric correction and its accuracy"),
    "radiometric-accuracy": ("radiometric-accuracy", "Calibration and radiometric accuracy"),
    "processing-chain": ("processing-description", "Processing chain"),
}
"""Relation and title of the link to each section, by its anchor in the page."""


def method_links(public_url: str) -> Iterator[dict[str, Any]]:
    """Yield the links of an item to the description of its methods.

    Parameters
    ----------
    public_url
        Address under which visitors reach the platform.
    """
    for anchor, (rel, title) in _SECTIONS.items():
        yield {
            "rel": rel,
            "href": f"{public_url.rstrip('/')}/{PAGE}#{anchor}",
            "type": _HTML,
            "title": title,
        }
