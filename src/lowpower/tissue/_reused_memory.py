"""Large arrays made one after the other lie in the same memory, where the C library can be asked for that."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

__all__ = ["reused_memory"]

_TRIM_ABOVE, _MAP_ABOVE = -1, -3
"""Of glibc's `mallopt`: free memory that is handed back at once, sizes that never come from what is free."""
_USUAL_TRIM, _USUAL_MAP = 64 << 20, 32 << 20
"""Where glibc arrives by itself in a process that has freed large arrays."""
_REUSED: Final = 1 << 30


@contextmanager
def reused_memory() -> Iterator[None]:
    """Arrays as large as a slide's view reuse each other's memory within; what is free is given back after.

    Otherwise each of them is fresh memory, which the system fills with zeros page by page: a third of the
    time of looking for tissue. Nothing happens where the C library is not glibc.
    """
    library = _glibc()
    if library is None:
        yield
        return
    setting, trim = library
    setting(_MAP_ABOVE, _REUSED)
    setting(_TRIM_ABOVE, _REUSED)
    try:
        yield
    finally:
        setting(_MAP_ABOVE, _USUAL_MAP)
        setting(_TRIM_ABOVE, _USUAL_TRIM)
        trim(0)


@lru_cache(maxsize=1)
def _glibc() -> tuple[Callable[[int, int], int], Callable[[int], int]] | None:
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  # other C libraries have no such name
        return library.mallopt, library.malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
