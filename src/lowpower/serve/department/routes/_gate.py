"""Who gets through: signed in or not, with the right to this route, and not too often."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from lowpower.serve.department._roles import RIGHTS, may
from lowpower.serve.department._settings import Settings
from lowpower.serve.department.access import Accounts, SignedIn, Who

__all__ = ["Gate", "RateLimit", "secret_of"]

_COOKIE: Final = "lowpower_session"
_CHANGES: Final = ("POST", "PUT", "PATCH", "DELETE")


def secret_of(headers: Headers) -> tuple[str, str]:
    """What a request came with: "token" or "session", and the secret; "" where there is none."""
    kind, _, secret = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret:
        return "token", secret
    return "session", cookie_parser(headers.get("cookie", "")).get(_COOKIE, "")


class RateLimit:
    """So many tries a minute from one address, in this process."""

    def __init__(self, tries: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tries, self._clock = tries, clock
        self._seen: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: str) -> bool:
        """Whether one more is within the limit."""
        now = self._clock()
        with self._lock:
            tries = [then for then in self._seen.pop(who, []) if then > now - 60]
            self._seen[who] = tries
            while len(self._seen) > 10_000:
                self._seen.popitem(last=False)
            if len(tries) >= self._tries:
                return False
            tries.append(now)
            return True


class Gate:
    """Looks at every request before its route does."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts, self._settings = accounts, settings
        self._guesses = RateLimit(20)

    def __call__(self, request: Request) -> None:
        """Let through, or refuse: 401 not signed in, 403 no right, 429 too often."""
        route = request.scope["route"].path
        right = RIGHTS.get((request.method, route), frozenset())
        who = self._who(request)
        request.state.who = who
        if right is None:
            return
        if who is None:
            raise HTTPException(401, "Sign in first.", headers={"WWW-Authenticate": "Bearer"})
        if not may(who.role, request.method, route):
            raise HTTPException(403, f"The role {who.role} has no right to this.")

    def guess(self, request: Request) -> None:
        """Count a try at a password or a link.

        Raises:
            HTTPException: 429, there were too many.
        """
        client = request.client.host if request.client else ""
        if not self._guesses.take(client):
            raise HTTPException(
                429, "Too many tries from this address; wait a minute.", headers={"Retry-After": "60"}
            )

    def give_cookie(self, response: Response, signed_in: SignedIn) -> None:
        """The session's secret, for this browser and this site alone."""
        response.set_cookie(
            _COOKIE, signed_in.secret, max_age=int(self._settings.session_hours * 3600),
            httponly=True, samesite="strict", secure=self._settings.is_secure, path="/",
        )  # fmt: skip

    def end(self, request: Request, response: Response) -> None:
        """End the browser's session."""
        secret = request.cookies.get(_COOKIE)
        if secret:
            self._accounts.sign_out(secret)
        response.delete_cookie(_COOKIE, path="/")

    def _who(self, request: Request) -> Who | None:
        kind, secret = secret_of(request.headers)
        if kind == "token":
            who = self._accounts.by_token(secret)
            if who is None:
                raise HTTPException(401, "This token is not, or no longer, good.")
            return who
        who = self._accounts.by_session(secret) if secret else None
        if who is None:
            return None
        given = request.headers.get("x-csrf-token", "")
        signing_in = (
            request.scope["route"].path in ("/v1/session", "/v1/links/{secret}") and request.method == "POST"
        )
        # Another site can make a browser send the cookie, but not say this word.
        if (
            request.method in _CHANGES
            and not signing_in
            and not secrets.compare_digest(given.encode(), (who.csrf or "").encode())
        ):
            raise HTTPException(403, "The page is out of date; load it again.")
        return who
