"""The service: the page and its interface behind the gate, problems in one form, a number on each request."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import lowpower
from lowpower.errors import ConfigError, LowpowerError, OutputError, RegionsError, SlideError
from lowpower.scoring import NOTICE
from lowpower.serve._api import page_api
from lowpower.serve._app import POLICY, Headers
from lowpower.serve._page_files import PAGE
from lowpower.serve._tiles import OpenSlides
from lowpower.serve.department._bounded_bodies import BoundedBodies
from lowpower.serve.department._department_host import DepartmentHost
from lowpower.serve.department._settings import Settings
from lowpower.serve.department._slides import DuplicateSlideError, SlideRoom
from lowpower.serve.department._telemetry import span
from lowpower.serve.department._tile_lane import TileLane
from lowpower.serve.department._uploads import (
    ChecksumError,
    DiskFullError,
    TooLargeError,
    Uploads,
    WrongOffsetError,
)
from lowpower.serve.department.access import Accounts, OidcError
from lowpower.serve.department.exchange import FhirError, PacsError
from lowpower.serve.department.jobs import Jobs
from lowpower.serve.department.records import Database
from lowpower.serve.department.routes import Gate, accounts_api, exchange_api, jobs_api, oidc_api, slides_api

__all__ = ["Department", "department_app"]

_log = logging.getLogger("lowpower.serve")
_PROBLEM: Final = "application/problem+json"
_SAID: Final[dict[str, Any]] = {
    "schema": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    }
}


@dataclass(frozen=True)
class Department:
    """Everything that a service is made of, over one database and one data folder."""

    settings: Settings
    database: Database
    accounts: Accounts
    slides: SlideRoom
    uploads: Uploads
    jobs: Jobs
    host: DepartmentHost

    @classmethod
    def open(cls, settings: Settings) -> Department:
        """Bring the database up to date and put the parts together.

        Raises:
            ConfigError: the database cannot be reached.
        """
        database = Database(settings)
        database.migrate()
        slides = SlideRoom(database, settings)
        return cls(
            settings,
            database,
            Accounts(database, settings),
            slides,
            Uploads(database, settings, slides),
            Jobs(database, settings),
            DepartmentHost(database, settings),
        )


def department_app(department: Department) -> ASGIApp:
    """The ASGI application."""
    gate = Gate(department.accounts, department.settings)
    app = FastAPI(
        title="lowpower",
        version=lowpower.__version__,
        summary=NOTICE,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(gate)],
        responses={"default": {"description": "What is wrong, in a sentence.", "content": {_PROBLEM: _SAID}}},
    )
    _speak_of_problems(app)
    slides = OpenSlides()
    app.include_router(page_api(department.host, slides))
    app.include_router(accounts_api(department.accounts, gate, department.settings))
    app.include_router(oidc_api(department.database, department.accounts, gate, department.settings))
    app.include_router(
        slides_api(
            department.database,
            department.settings,
            department.slides,
            department.uploads,
            department.jobs,
            department.host,
        )
    )
    app.include_router(
        exchange_api(
            department.database, department.settings, department.slides, department.jobs, department.host
        )
    )
    app.include_router(jobs_api(department.database, department.settings, department.jobs))

    @app.get("/v1/openapi.json", include_in_schema=False)
    def openapi() -> dict[str, Any]:
        return get_openapi(title="lowpower", version=lowpower.__version__, summary=NOTICE, routes=app.routes)

    if PAGE.is_dir():
        app.mount("/", StaticFiles(directory=PAGE, html=True))
    lane = TileLane(app, slides, department.host, department.accounts)
    return Headers(_Numbered(BoundedBodies(lane)), POLICY.format("'none'"))


_STATUS: Final[tuple[tuple[type[Exception], int, str], ...]] = (
    (DuplicateSlideError, 409, "duplicate"),
    (WrongOffsetError, 409, "wrong_offset"),
    (ChecksumError, 422, "checksum"),
    (TooLargeError, 413, "too_large"),
    (DiskFullError, 507, "disk_full"),
    (RegionsError, 422, "regions"),
    (SlideError, 422, "slide"),
    (ConfigError, 422, "config"),
    (OutputError, 507, "output"),
    (PacsError, 502, "pacs"),
    (FhirError, 502, "fhir"),
    (OidcError, 502, "oidc"),
    (LowpowerError, 422, "refused"),
    (DataError, 422, "invalid"),
    (DBAPIError, 503, "database"),
    (PoolTimeoutError, 503, "database"),
)


def _speak_of_problems(app: FastAPI) -> None:
    for kind in {kind for kind, _, _ in _STATUS}:
        app.add_exception_handler(kind, _problem_of)
    app.add_exception_handler(StarletteHTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)


async def _problem_of(request: Request, error: Exception) -> JSONResponse:
    status, code = next((status, code) for kind, status, code in _STATUS if isinstance(error, kind))
    more: dict[str, Any] = {}
    said = str(error)
    headers = {}
    if isinstance(error, DuplicateSlideError):
        more["slide"] = error.key
    elif isinstance(error, WrongOffsetError):
        more["received"] = error.received
    elif isinstance(error, DataError):
        said = "Something in this request can be kept in no database, such as a character that is none."
    elif status == 503:
        _log.error("database.gone", extra={"request": request.scope.get("lowpower_request")})
        said, headers = (
            "The database cannot be reached at the moment; try again shortly.",
            {"Retry-After": "5"},
        )
    elif isinstance(error, SlideError) and not isinstance(error, RegionsError):
        # The path is this machine's business; its last part is the pseudonym.
        said = said.replace(f"{error.path.parent}/", "")
        status = 409 if request.method == "GET" else 422
    return _problem(status, code, said, headers, **more)


async def _http_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    return _problem(
        error.status_code, f"http_{error.status_code}", str(error.detail), dict(error.headers or {})
    )


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _problem(422, "invalid", f"{where}: {first['msg']}.", {})


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    number = request.scope.get("lowpower_request")
    _log.error("unforeseen", extra={"request": number, "kind": type(error).__name__}, exc_info=error)
    return _problem(500, "unforeseen", f"Something went wrong here; report it with the number {number}.", {})


def _problem(status: int, code: str, said: str, headers: dict[str, str], **more: Any) -> JSONResponse:
    told = {"type": f"urn:lowpower:{code}", "title": code, "status": status, "detail": said, **more}
    return JSONResponse(told, status, headers=headers, media_type=_PROBLEM)


class _Numbered:
    """Gives each request a number, tells it with the answer, and logs the route; never an address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number, began, status = secrets.token_hex(8), time.perf_counter(), 500
        scope["lowpower_request"] = number

        async def numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = number
            await send(message)

        with span("request", request=number, http_method=scope["method"]) as add:
            try:
                await self._app(scope, receive, numbered)
            finally:
                route = getattr(scope.get("route"), "path", "")
                add(f"{scope['method']} {route}", http_route=route, http_status=status)
                _log.info(
                    "request",
                    extra={
                        "request": number,
                        "method": scope["method"],
                        "route": route,
                        "status": status,
                        "ms": round(1000 * (time.perf_counter() - began), 1),
                    },
                )
