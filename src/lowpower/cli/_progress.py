"""One look for all progress, on stderr: bars in a terminal; elsewhere lines with rate and time left."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lowpower.errors import one_line

if TYPE_CHECKING:
    from lowpower.scoring import MeasuredSlide, Result

__all__ = ["SlideProgress", "progress_bar", "stderr", "warn"]

stderr = Console(stderr=True, highlight=False)

_LINE_EVERY_S: Final = 10.0
_BRIEF_S: Final = 2.0
_NEVER: Final = float("inf")


class _Stages(Progress):
    """Bars in a terminal; elsewhere lines for what takes long, every ten seconds and at the end."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TaskProgressColumn(show_speed=True),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=stderr,
            disable=quiet or not stderr.is_terminal,
        )
        self._lines = not quiet and not stderr.is_terminal
        self._begun: dict[tuple[TaskID, str], float] = {}
        self._told: dict[tuple[TaskID, str], float] = {}

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        task = self._tasks[task_id]
        if not self._lines or not task.visible or not task.total:
            return
        now, stage = time.monotonic(), (task_id, task.description)
        begun = self._begun.setdefault(stage, now)
        told = self._told.get(stage, begun)
        finished = task.completed >= task.total
        if told < _NEVER and (now - told >= _LINE_EVERY_S or (finished and now - begun >= _BRIEF_S)):
            self._told[stage] = _NEVER if finished else now
            left = _left(now - begun, int(task.completed), int(task.total))
            line = f"{task.description}: {task.completed:.0f} of {task.total:.0f}; {left}"
            stderr.print(line, soft_wrap=True, markup=False)


def progress_bar(*, quiet: bool = False) -> Progress:
    """Progress of stages, on stderr."""
    return _Stages(quiet=quiet)


def warn(sentence: str) -> None:
    """A warning, on a line of its own."""
    stderr.print(f"warning: {sentence}", soft_wrap=True, markup=False)


class SlideProgress:
    """Progress over slides: two bars in a terminal, elsewhere a line a slide.

    Args:
        what: What is done to a slide, for the bar.
        slides: How many.
        quiet: Show nothing.
    """

    def __init__(self, what: str, slides: int, *, quiet: bool = False) -> None:
        self._stages = progress_bar(quiet=quiet)
        self._slides = self._stages.add_task(what, total=slides, visible=False)
        self._fields = self._stages.add_task("fields", total=None, visible=False)
        self._bars = stderr.is_terminal and not quiet
        self._lines = not quiet and not self._bars
        self._begun, self._made = time.monotonic(), 0
        if self._bars:
            self._stages.update(self._slides, visible=True)

    def __enter__(self) -> Self:
        self._stages.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stages.stop()

    def slide_done(self, record: Result | MeasuredSlide, done: int, total: int) -> None:
        """Called after each slide."""
        self._stages.update(self._slides, completed=done, total=total)
        self._stages.update(self._fields, completed=0, total=None, visible=False)
        self._made += not record.reused
        if self._lines:
            how = "already there" if record.reused else f"{record.seconds:.1f} s"
            rate = _left(time.monotonic() - self._begun, self._made, self._made + total - done)
            line = f"[{done}/{total}] {one_line(Path(record.file).name)}: {_said(record)}, {how}; {rate}"
            stderr.print(line, soft_wrap=True, markup=False)

    def field_done(self, done: int, total: int) -> None:
        """Called with fields done and fields in all of the slide in hand."""
        self._stages.update(self._fields, completed=done, total=total, visible=self._bars)


def _said(record: Result | MeasuredSlide) -> str:
    """The state, and in two words what was found."""
    if record.state != "ok":
        return f"{record.state} ({record.reason_code})"
    found = getattr(record, "decision", None) or (record.measured.score if record.measured else None)
    return f"{record.marker} {found}" if found else "ok"


def _left(spent: float, done: int, total: int) -> str:
    """Rate and time left, from what was done in `spent` seconds."""
    if done >= total:
        return f"{_duration(spent)} in all"
    if not done:
        return f"{total} left"
    rate = done / max(spent, 1e-6)
    speed = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
    return f"{speed}, about {_duration((total - done) / rate)} left"


def _duration(seconds: float) -> str:
    """In the unit that leaves one to two digits."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
