"""The applications of the platform, put together for one process.

A process serves one `Part`: everything (tests and small sites), the catalogue with portal and
files in front of a tiler elsewhere, or the tiler alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from infra.settings import InfraSettings


class Part(StrEnum):
    """What one process serves."""

    ALL = "all"
    CATALOG = "catalog"
    TILER = "tiler"


@dataclass(frozen=True, slots=True)
class Site:
    """What the applications need to know of the platform around them.

    Attributes
    ----------
    settings
        Options of the platform.
    read_dsn
        Database, as a login that can only search.
    address
        Address of the platform as the world sees it.
    counters_dsn
        Database, as the login that counts visits; "" where a process in front of this one counts.
    """

    settings: "InfraSettings"
    read_dsn: str
    address: str
    counters_dsn: str = ""


def build(part: Part, site: Site, *, tiles: str | None = None) -> "ASGIApp":
    """Put together the application of one process.

    Parameters
    ----------
    part
        What it is to serve.
    site
        The platform around it.
    tiles
        Address of a tiler process to pass `/tiles` on to; for the catalogue's part.
    """
    from catalog.web.counters import Counting, Ledger, counters_app
    from infra.dispatch import Dispatcher, Mount
    from infra.site import site_app

    ledger = Ledger(site.counters_dsn) if site.counters_dsn else None
    mounts = [Mount("/counters", counters_app(site.read_dsn, ledger))]
    if part in (Part.ALL, Part.CATALOG):
        mounts += [Mount("/stac", _stac(site)), Mount("/data", _files(site))]
    if part in (Part.ALL, Part.TILER):
        mounts.append(Mount("/tiles", _tiler(site)))
    if tiles is not None:
        from infra.proxy import Proxy

        mounts.append(Mount("/tiles", Proxy(tiles)))
    settings = site.settings
    pages = site_app(title=settings.own_title, address=site.address, contact=settings.contact)
    mounts.append(Mount("", pages))
    app = Dispatcher(mounts)
    return app if ledger is None else Counting(app, ledger)


def _stac(site: Site) -> "ASGIApp":
    from pydantic import SecretStr

    from catalog.settings import CatalogSettings
    from catalog.web.api import create_app

    return create_app(
        CatalogSettings(
            database_url=SecretStr(site.read_dsn),
            store=site.settings.store,
            public_url=site.address,
            title=site.settings.title,
        )
    )


def _files(site: Site) -> "ASGIApp":
    from catalog.stores import open_store
    from catalog.web.files import files_app

    return files_app(open_store(site.settings.store))


def _tiler(site: Site) -> "ASGIApp":
    from pydantic import SecretStr

    from tiler.app import create_app
    from tiler.settings import TilerSettings

    return create_app(
        TilerSettings(
            database_url=SecretStr(site.read_dsn),
            store=site.settings.store,
            public_url=site.address,
        )
    )
