"""Each band of surface reflectance as a raster of its own: a GDAL virtual raster, 1 kB of text.

The file is that of the item's asset, read in parts over HTTP like any other; no pixel passes here.
"""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from fastapi import APIRouter
from stac_fastapi.types.errors import NotFoundError
from starlette.requests import Request
from starlette.responses import Response

from catalog.legacy import BAND_ASSET, VRT_MEDIA_TYPE
from catalog.web.search import FastClient

_PATH = "/collections/{collection_id}/items/{item_id}/bands/{band}.vrt"
_GDAL_TYPES = {"uint8": "Byte", "uint16": "UInt16"}


def bands_router(client: FastClient) -> APIRouter:
    """Return the route of the virtual rasters."""
    router = APIRouter(tags=["STAC 1.0"])

    @router.head(_PATH, include_in_schema=False)
    @router.get(
        _PATH,
        summary="A band of surface reflectance as a GDAL virtual raster",
        responses={200: {"content": {VRT_MEDIA_TYPE: {}}}},
        response_class=Response,
    )
    async def virtual_raster(
        request: Request, collection_id: str, item_id: str, band: str
    ) -> Response:
        """Answer with a VRT of one band, for clients that know one band an asset."""
        search = client.pgstac_search_model(ids=[item_id], collections=[collection_id], limit=1)
        found = (await client.page(search, request, as_stored=True))["features"]
        names = [each["name"] for item in found for each in item["assets"][BAND_ASSET]["bands"]]
        if band not in names:
            raise NotFoundError(f"item {item_id} has no band {band}; wanted one of {names}")
        document = _vrt(found[0]["assets"][BAND_ASSET], names.index(band) + 1, band)
        return Response(document, media_type=VRT_MEDIA_TYPE)

    return router


def _vrt(asset: Mapping[str, Any], number: int, name: str) -> bytes:
    """Write the virtual raster of one band of an asset, bands counted from 1."""
    rows, cols = asset["proj:shape"]
    scale_x, skew_x, left, skew_y, scale_y, top = asset["proj:transform"][:6]
    size = {"rasterXSize": str(cols), "rasterYSize": str(rows)}
    root = ElementTree.Element("VRTDataset", size)
    _text(root, "SRS", asset["proj:code"])
    transform = (left, scale_x, skew_x, top, skew_y, scale_y)
    _text(root, "GeoTransform", ", ".join(repr(float(value)) for value in transform))
    kind = _GDAL_TYPES[asset["data_type"]]
    band = ElementTree.SubElement(root, "VRTRasterBand", dataType=kind, band="1")
    _text(band, "Description", name)
    _text(band, "NoDataValue", str(asset["nodata"]))
    _text(band, "Scale", str(asset["raster:scale"]))
    _text(band, "Offset", str(asset["raster:offset"]))
    source = ElementTree.SubElement(band, "SimpleSource")
    _text(source, "SourceFilename", f"/vsicurl/{asset['href']}").set("relativeToVRT", "0")
    _text(source, "SourceBand", str(number))
    whole = {"xOff": "0", "yOff": "0", "xSize": str(cols), "ySize": str(rows)}
    ElementTree.SubElement(source, "SrcRect", whole)
    ElementTree.SubElement(source, "DstRect", whole)
    document: bytes = ElementTree.tostring(root)
    return document


def _text(parent: ElementTree.Element, name: str, text: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name)
    element.text = text
    return element
