"""The error tree of gfard: one root, one subclass for each thing a caller may catch.

::

    GfardError
    ├── PackageError          an L1A package cannot be read as what it claims to be
    │   ├── UnsafeArchiveError    the archive would write outside its folder, or holds links
    │   ├── MetadataError         the XML is missing, malformed, or lacks a needed value
    │   ├── SunCheckError         no reading of time zone and angle sense fits the sun
    │   └── ImageError            raster missing, truncated, of another size, or all zero
    ├── UnknownSensorError    satellite or camera without tables
    ├── CalibrationError      no coefficients for a camera, band and year
    ├── GeometryError         RPC or coordinates that cannot be used
    ├── DemError              heights cannot be read or do not cover the scene
    ├── ReferenceImageError   a reference image cannot be found, fetched or read
    ├── AtmosphereError       look-up table or auxiliary data missing or outside its range
    ├── MaskError             what a mask is made of cannot be used: image, network, snow prior
    ├── TileError             a name that is not a tile of the grid
    ├── ProductError          a product, item or name that breaks the contract
    ├── LabelError            labelled chips that cannot be read as such
    ├── StoreError            the store cannot be read or written
    │   └── UnreadableItemError   the JSON of an item is no item
    ├── DownloadError         a list of files that cannot be read, or must not be written
    ├── CatalogError          the database refuses, is absent, or holds another version
    └── ServiceError          a process of the platform cannot be started (port, cluster)

A message names the file, the value seen, the value wanted and what to do.
"""

import os


def system_refusal(error: OSError) -> str:
    """Say in a line what the system refused, and where."""
    place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


class GfardError(Exception):
    """Root of everything gfard raises on purpose."""


class PackageError(GfardError):
    """An L1A package cannot be read as what it claims to be."""


class UnsafeArchiveError(PackageError):
    """The archive would write outside its folder, or holds links or devices."""


class MetadataError(PackageError):
    """The metadata XML is missing, malformed, or lacks a needed value."""


class SunCheckError(PackageError):
    """No reading of time zone and angle sense agrees with the position of the sun."""


class ImageError(PackageError):
    """A raster is missing, truncated, of another size than announced, or empty."""


class UnknownSensorError(GfardError):
    """A satellite or camera for which no tables exist."""


class CalibrationError(GfardError):
    """No radiometric coefficients for a camera, band and year."""


class GeometryError(GfardError):
    """An RPC or coordinates that cannot be used."""


class DemError(GfardError):
    """Heights cannot be read or do not cover the scene."""


class ReferenceImageError(GfardError):
    """A reference image cannot be found, fetched or read."""


class AtmosphereError(GfardError):
    """A look-up table or auxiliary data is missing or outside its range."""


class MaskError(GfardError):
    """What a mask is made of cannot be used: image, network and its card, snow prior."""


class TileError(GfardError):
    """A name that is not a tile of the grid."""


class ProductError(GfardError):
    """A product, an item or a name breaks the contract."""


class LabelError(GfardError):
    """Labelled chips cannot be read as such."""


class StoreError(GfardError):
    """The store cannot be read or written."""


class UnreadableItemError(StoreError):
    """The JSON of an item is there and can be read, but is no item."""


class DownloadError(GfardError):
    """A list of files cannot be read, or names what must not be written."""


class CatalogError(GfardError):
    """The database refuses, is absent, or holds another version."""


class ServiceError(GfardError):
    """A process of the platform cannot be started."""
