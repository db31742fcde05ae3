"""Routes by which people sign in at an OpenID Connect provider."""

from __future__ import annotations

import logging
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse

from lowpower.serve.department._settings import Settings
from lowpower.serve.department.access import Accounts, Oidc, OidcError, sign_in_by_provider
from lowpower.serve.department.records import Database
from lowpower.serve.department.routes._gate import Gate

__all__ = ["oidc_api"]

_KEPT: Final = "lowpower_oidc"
_PATH: Final = "/v1/oidc"
_MINUTES: Final = 10

_log = logging.getLogger("lowpower.serve")


def oidc_api(database: Database, accounts: Accounts, gate: Gate, settings: Settings) -> APIRouter:
    """The routes; where no provider is set they answer 404."""
    router = APIRouter(prefix=_PATH)
    provider = None if settings.oidc_issuer is None else Oidc(settings)

    def asked(request: Request) -> tuple[Oidc, str]:
        """The provider, and where it sends people back to."""
        if provider is None:
            raise HTTPException(404, "No provider is set to sign in at.")
        gate.guess(request)
        home = settings.address or str(request.base_url).rstrip("/")
        return provider, f"{home}{_PATH}/back"

    @router.get("/start", response_class=RedirectResponse, status_code=303)
    def start(request: Request) -> RedirectResponse:
        """Send a browser to the provider."""
        oidc, back = asked(request)
        begun = oidc.begin(back)
        answer = RedirectResponse(begun.address, 303)
        # Lax: the provider's page, another site, sends the browser back here.
        answer.set_cookie(
            _KEPT, begun.kept, max_age=60 * _MINUTES, httponly=True, samesite="lax",
            secure=settings.is_secure, path=_PATH,
        )  # fmt: skip
        return answer

    @router.get("/back", response_class=RedirectResponse, status_code=303)
    def back(
        request: Request,
        code: Annotated[str, Query(max_length=4000)] = "",
        state: Annotated[str, Query(max_length=400)] = "",
    ) -> RedirectResponse:
        """Take a browser back from the provider; the page then says what became of it."""
        oidc, here = asked(request)
        answer = RedirectResponse("/", 303)
        try:
            identity = oidc.finish(here, request.cookies.get(_KEPT, ""), code, state)
            gate.give_cookie(answer, sign_in_by_provider(database, accounts, identity))
        except OidcError as error:
            _log.warning("oidc.refused", exc_info=error)
            answer = RedirectResponse("/#oidc=refused", 303)
        answer.delete_cookie(_KEPT, path=_PATH)
        return answer

    return router
