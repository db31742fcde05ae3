"""Decoded tiles kept for the next read, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from lowpower.slides._reader import Pixels

__all__ = ["TileCache"]

_BYTES = 48 << 20


class TileCache:
    """The tiles used last; safe in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tiles: OrderedDict[Hashable, Pixels] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, decode: Callable[[], Pixels], *, keep: bool) -> Pixels:
        """The tile of this key, decoded if it is not here; kept if it will be asked for again."""
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        pixels = decode()
        if keep:
            with self._lock:
                if key not in self._tiles:
                    self._tiles[key] = pixels
                    self._bytes += pixels.nbytes
                while self._bytes > _BYTES and len(self._tiles) > 1:
                    self._bytes -= self._tiles.popitem(last=False)[1].nbytes
        return pixels

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._tiles.clear()
            self._bytes = 0
