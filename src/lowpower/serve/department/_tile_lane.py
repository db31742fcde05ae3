"""The short way for tiles, of which every viewer asks for hundreds a minute.

Who asks and where the slide lies is known from the second before, and one thread does all that is left to do.
A request that this cannot answer (not signed in, no such slide, a slide that is gone, no database) goes the
way of every other request, which says what is wrong.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, NamedTuple, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lowpower.errors import LowpowerError
from lowpower.serve._api import KEPT_TILE, TILE_ROUTE
from lowpower.serve._tiles import OpenSlides, SlidePlace
from lowpower.serve.department._department_host import DepartmentHost
from lowpower.serve.department._roles import may
from lowpower.serve.department.access import Accounts, Who
from lowpower.serve.department.routes import secret_of

__all__ = ["TileLane"]

_THREADS: Final = 8
_RECENT_S: Final = 1.0
"""So long a token that was revoked, or a slide that was removed, may still give tiles."""
_MOST: Final = 1000
_PATH: Final = re.compile(r"/v1/slides/([^/]+)/tiles/(\d{1,3})/(\d{1,9})_(\d{1,9})\.jpg")
_UNUSUAL: Final = (LowpowerError, DBAPIError, PoolTimeoutError)

K = TypeVar("K")
V = TypeVar("V")


class _Tile(NamedTuple):
    key: str
    level: int
    column: int
    row: int


class _Route(NamedTuple):
    """What the log calls the route."""

    path: str


class _Recent(Generic[K, V]):
    """Answers of the last second; None is not kept. What many ask at once is asked for once."""

    def __init__(self, ask: Callable[[K], V | None]) -> None:
        self._ask = ask
        self._held: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._alone = threading.Lock()

    def held(self, key: K) -> V | None:
        """The answer, if it is fresh."""
        value, until = self._held.get(key, (None, 0.0))
        return value if until > time.monotonic() else None

    def get(self, key: K) -> V | None:
        """The answer, asked for if need be."""
        value = self.held(key)
        if value is not None:
            return value
        waited = self._alone.acquire(timeout=_RECENT_S)  # not longer: each tells its own failure
        try:
            value = self.held(key)
            return self._asked(key) if value is None else value
        finally:
            if waited:
                self._alone.release()

    def _asked(self, key: K) -> V | None:
        value = self._ask(key)
        if value is not None:
            self._held[key] = (value, time.monotonic() + _RECENT_S)
            while len(self._held) > _MOST:
                self._held.popitem(last=False)
        return value


class TileLane:
    """Answers requests for tiles where nothing is unusual; passes on everything else."""

    def __init__(self, app: ASGIApp, slides: OpenSlides, host: DepartmentHost, accounts: Accounts) -> None:
        self._app, self._slides = app, slides

        def whose(secret: tuple[str, str]) -> Who | None:
            return (accounts.by_token if secret[0] == "token" else accounts.by_session)(secret[1])

        self._people = _Recent[tuple[str, str], Who](whose)
        self._places = _Recent[str, SlidePlace](host.place_of)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lowpower-tiles")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and scope["method"] == "GET":
            found = _PATH.fullmatch(scope["path"])
        if found is None:
            await self._app(scope, receive, send)
            return
        tile = _Tile(found[1], *(int(number) for number in found.groups()[1:]))
        secret = secret_of(Headers(scope=scope))
        jpeg = self._held(secret, tile)
        if jpeg is None:
            jpeg = await asyncio.get_running_loop().run_in_executor(self._threads, self._made, secret, tile)
        if jpeg is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _Route(TILE_ROUTE)
        await Response(jpeg, media_type="image/jpeg", headers=KEPT_TILE)(scope, receive, send)

    def _held(self, secret: tuple[str, str], tile: _Tile) -> bytes | None:
        """The tile, if everything that is needed for it is at hand."""
        who, place = self._people.held(secret), self._places.held(tile.key)
        if who is None or place is None or not may(who.role, "GET", TILE_ROUTE):
            return None
        return self._slides.held_tile(place, *tile[1:])

    def _made(self, secret: tuple[str, str], tile: _Tile) -> bytes | None:
        try:
            who = self._people.get(secret) if secret[1] else None
            if who is None or not may(who.role, "GET", TILE_ROUTE):
                return None
            place = self._places.get(tile.key)
            return None if place is None else self._slides.tile(place, *tile[1:])
        except _UNUSUAL:
            return None
