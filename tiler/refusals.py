"""What a client is told when a request cannot be answered: its own mistakes are never a 5xx."""

import logging
from collections.abc import Mapping
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from psycopg.errors import RaiseException
from pydantic import ValidationError
from rasterio._err import CPLE_AppDefinedError  # of places that a projection does not know
from rio_tiler.errors import PointOutsideBounds, RioTilerError
from starlette.responses import JSONResponse
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.mosaic.errors import MOSAIC_STATUS_CODES
from titiler.pgstac.errors import PGSTAC_STATUS_CODES, BackendError

from tiler.reader import CostlyFileError, ForbiddenHrefError, MissingFileError

_LOGGER = logging.getLogger(__name__)
_STATUS_CODES: tuple[Mapping[Any, int], ...] = (
    DEFAULT_STATUS_CODES,
    MOSAIC_STATUS_CODES,
    PGSTAC_STATUS_CODES,
    {
        ForbiddenHrefError: 403,
        MissingFileError: 404,
        CostlyFileError: 403,
        PointOutsideBounds: 404,
        # What rio-tiler itself refuses was asked for wrongly.
        RioTilerError: 400,
    },
)


def add_refusals(app: FastAPI) -> None:
    """Give every error that can be told its status and a sentence."""
    for codes in _STATUS_CODES:
        add_exception_handlers(app, dict(codes))
    app.add_exception_handler(psycopg.OperationalError, _away)
    app.add_exception_handler(psycopg.DataError, _bad_search)
    app.add_exception_handler(RaiseException, _bad_search)
    app.add_exception_handler(BackendError, _bad_search)
    app.add_exception_handler(ValidationError, _bad_value)
    for kind in (ArithmeticError, CPLE_AppDefinedError, LookupError, TypeError, ValueError):
        app.add_exception_handler(kind, _misfit)


async def _away(request: Request, error: Exception) -> JSONResponse:
    """Say that the database is away or too slow, and leave the reason to the log."""
    _LOGGER.error("%s: %s", request.url.path, error)
    headers = {"Retry-After": "10"}
    return JSONResponse({"detail": "the database does not answer"}, 503, headers)


async def _bad_search(request: Request, error: Exception) -> JSONResponse:
    """Refuse what the database cannot make sense of, in its own words; no more of its insides."""
    cause = error.__cause__ or error
    if isinstance(cause, psycopg.OperationalError):
        return await _away(request, cause)
    if not isinstance(cause, psycopg.DataError | RaiseException):
        raise error
    detail = f"no search can be made of this: {cause.diag.message_primary}"
    return JSONResponse({"detail": detail}, status_code=400)


async def _bad_value(request: Request, error: Exception) -> JSONResponse:
    """Refuse a value that a model of titiler does not take."""
    said = str(error).removeprefix("0 validation errors for ").strip()
    return JSONResponse({"detail": said}, status_code=422)


async def _misfit(request: Request, error: Exception) -> JSONResponse:
    """Refuse values that do not fit the file or each other: a band too many, bins that fall.

    Each of titiler's forty parameters is checked by whoever uses it, in its own words. What goes
    wrong with values goes wrong with those of the query, since the renders published are tested;
    the log has the whole story.
    """
    _LOGGER.warning("%s refused", request.url.path, exc_info=error)
    return JSONResponse({"detail": f"the values asked for do not fit: {error}"}, status_code=400)
