"""How many processors a cluster's task was given; kept apart, as the worker's process sets it."""

from __future__ import annotations

__all__ = ["grant_threads", "granted_threads"]

_granted: int | None = None


def grant_threads(threads: int | None) -> None:
    """Say how many processors the task of this process may use; None for all of them."""
    global _granted
    _granted = threads


def granted_threads() -> int | None:
    """What was granted; None outside a cluster's task."""
    return _granted
