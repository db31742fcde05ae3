"""Items whose worker died: how often they are tried, and what is said of them."""

from __future__ import annotations

from typing import Final, NoReturn

from lowpower.errors import EngineError

__all__ = ["ATTEMPTS", "DIED", "raise_lost"]

ATTEMPTS: Final = 3
DIED: Final = f"the process that worked on it died {ATTEMPTS} times: out of memory, or a fault in native code"


def raise_lost(item: object, why: str) -> NoReturn:
    """Where nothing can stand for a lost item.

    Raises:
        EngineError: always.
    """
    raise EngineError(f"{str(item)[:200]}: {why}.")
