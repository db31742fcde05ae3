"""What comes with a request is read into memory before anybody is asked who sends it: so much, no more."""

from __future__ import annotations

from typing import Final

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lowpower.serve.department.routes import secret_of

__all__ = ["BoundedBodies"]

_OF_STRANGERS: Final = 64 << 10
"""Bytes: a name and a password."""
_OF_PEOPLE: Final = 16 << 20
"""Bytes: regions with very many corners."""
_IN_PIECES: Final = ("PATCH", "/v1/uploads/")
"""Is read piece by piece by its own route, which stops where a piece is too large."""


class BoundedBodies:
    """Ends requests whose bodies are longer than any that is asked for: 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (
            scope["method"] == _IN_PIECES[0] and scope["path"].startswith(_IN_PIECES[1])
        ):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        most = _OF_PEOPLE if secret_of(headers)[1] else _OF_STRANGERS
        said = headers.get("content-length", "")
        came = 0

        async def bounded() -> Message:
            nonlocal came
            if said.isdecimal() and int(said) > most:
                raise _too_long(most)
            message = await receive()
            came += len(message.get("body", b""))
            if came > most:
                raise _too_long(most)
            return message

        await self._app(scope, bounded, send)


def _too_long(most: int) -> HTTPException:
    return HTTPException(413, f"What comes with a request has at most {most >> 10} KiB here.")
