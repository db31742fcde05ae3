"""Functions that run in other processes, of the tests of `engine`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lowpower.engine import default_workers
from lowpower.errors import MissingMppError


def die_once(item: str) -> str:
    """Dies on the first try of an item whose name says so, as if it had run out of memory."""
    mark = Path(item)
    if mark.name.startswith("once") and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return mark.name


def die(item: str) -> str:
    if item == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return item.upper()


def refuse(item: str) -> str:
    if item == "b.svs":
        raise MissingMppError(item, ("openslide.mpp-x",))
    return item


def surroundings(item: str) -> tuple[str, int, str]:
    return os.getcwd(), default_workers(), os.environ.get("LOWPOWER_TEST", "")


def process(item: int) -> int:
    return os.getpid()
