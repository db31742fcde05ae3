"""Progress of work in several stages, told to one caller."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Done", "Staged", "of_stage"]

Done = Callable[[int, int], None]
"""Called with (items done, items in all)."""
Staged = Callable[[str, int, int], None]
"""Called with (stage, items done, items in all)."""


def of_stage(progress: Staged | None, stage: str) -> Done | None:
    """What one stage calls with (done, total); None where nobody listens."""
    return None if progress is None else lambda done, total: progress(stage, done, total)
