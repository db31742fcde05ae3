"""The page and its interface for one person: loopback only, behind a token in the address."""

from __future__ import annotations

import secrets
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lowpower.errors import LowpowerError, RegionsError, SlideError
from lowpower.serve._api import page_api
from lowpower.serve._page_files import PAGE
from lowpower.serve._shelf import Shelf
from lowpower.serve.folder import FolderHost, FolderScoring, folder_jobs_api

__all__ = ["POLICY", "Headers", "view_app"]

_HOSTS: Final = ("127.0.0.1", "localhost")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {}"
)


def view_app(
    shelf: Shelf,
    token: str,
    *,
    blind: bool = False,
    framed: bool = False,
    reviews: bool = True,
    scoring: FolderScoring | None = None,
) -> ASGIApp:
    """The page at `/TOKEN/`; everything else is refused (403), and so is another name of this machine (400).

    Args:
        shelf: The results.
        token: What the address must begin with.
        blind: Keep each answer back until the reader has scored the slide.
        framed: Whether a notebook on this machine may show the page in a frame.
        reviews: Whether reviews and regions may be given.
        scoring: Scores slides that have no result; None: they are not shown.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(LowpowerError, _sentence)
    host = FolderHost(shelf, blind=blind, writes=reviews, scoring=scoring)
    app.include_router(page_api(host))
    if scoring is not None:
        app.include_router(folder_jobs_api(host, scoring))
    app.get("/v1/session")(_nobody)
    if PAGE.is_dir():
        app.mount("/", StaticFiles(directory=PAGE, html=True))
    ancestors = "http://127.0.0.1:* http://localhost:*" if framed else "'none'"
    # A name that somebody else's server points to this machine (DNS rebinding) is no name of ours.
    guarded = TrustedHostMiddleware(_Guard(app, token), allowed_hosts=list(_HOSTS))
    return Headers(guarded, POLICY.format(ancestors))


async def _nobody() -> dict[str, None]:
    """Nobody signs in here: the whole address is the key."""
    return {"service": None}


async def _sentence(_: Request, error: Exception) -> JSONResponse:
    gone = isinstance(error, SlideError) and not isinstance(error, RegionsError)
    return JSONResponse({"detail": str(error)}, status_code=409 if gone else 422)


class _Guard:
    """Lets through what has the token as the first part of its path, compared in constant time."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = scope["path"].split("/", 2)[1] if scope["type"] == "http" else ""
        if scope["type"] != "http" or not secrets.compare_digest(given.encode(), self._token):
            refusal = PlainTextResponse("Open the whole address that lowpower view printed.", 403)
            await refusal(scope, receive, send)
            return
        await self._app({**scope, "root_path": f"{scope.get('root_path', '')}/{given}"}, receive, send)


class Headers:
    """Says with every answer: no other host, no sniffing, no address told to anybody."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app, self._policy = app, policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self._policy
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
