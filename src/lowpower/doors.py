"""Doors of rooms that are furnished on entering: a name loads its file when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ["lazily"]


def lazily(room: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A room's `__getattr__`.

    Args:
        room: Its name.
        homes: Its files, and the names that each gives.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{home_of[name]}"), name)

    return find
