"""The views of a whole cohort: one slide's failure is recorded, the others go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lowpower.cohort import Cohort
from lowpower.engine import map_items
from lowpower.errors import LowpowerError, OutputError
from lowpower.files import make_folder
from lowpower.views._recipe import LowResRecipe, View
from lowpower.views._store import keep_view, view_flags

__all__ = ["PreparedView", "open_prepared", "prepare_views"]


@dataclass(frozen=True)
class PreparedView:
    """What became of one slide.

    Attributes:
        row: Index into the cohort's table.
        slide: The slide's path.
        state: `ok`, `refused` (no tissue, no um/px, ...) or `failed` (damaged, unforeseen).
        code: Short machine-readable name of the reason, None when ok.
        reason: One sentence, None when ok.
        picture: The cached view, for `load_view`; None unless ok.
        size: (width, height) of the view, pixels; (0, 0) unless ok.
        seconds: Time spent.
        flags: Codes of the tissue's quality flags; empty unless ok.
    """

    row: int
    slide: str
    state: Literal["ok", "refused", "failed"]
    code: str | None
    reason: str | None
    picture: str | None
    size: tuple[int, int]
    seconds: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Job:
    row: int
    slide: str
    mpp: float | None
    mask: str | None
    control: str
    recipe: LowResRecipe
    folder: str


def prepare_views(
    cohort: Cohort,
    recipe: LowResRecipe,
    folder: str | Path,
    *,
    rows: Sequence[int] | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[PreparedView]:
    """Make the views of a cohort's slides, keeping those that are there and right.

    Args:
        cohort: The cohort.
        recipe: How views are made.
        folder: Where they are kept.
        rows: Rows of the cohort's table to prepare; None for all.
        workers: Processes; results do not depend on their number.
        progress: Called with (slides done, slides in all).

    Returns:
        One record a row, in order.

    Raises:
        OutputError: if `folder` cannot be written (nothing else could be kept either).
    """
    make_folder(folder)
    table = cohort.table
    chosen = list(range(table.height)) if rows is None else [int(row) for row in rows]
    jobs = [_job(table.row(row, named=True), row, recipe, folder) for row in chosen]
    return map_items(
        _prepare_one, jobs, workers=workers, reads=_files, writes=[folder], lost=_lost, progress=progress
    )


def open_prepared(cohort: Cohort, row: int, recipe: LowResRecipe, folder: str | Path) -> View:
    """The view of one row of a cohort, from the cache where it is there and right.

    Raises:
        LowpowerError: what `cached_view` raises.
    """
    job = _job(cohort.table.row(row, named=True), row, recipe, folder)
    return keep_view(job.slide, job.mpp, job.recipe, job.folder, job.mask, job.control)[0]


def _job(entry: dict[str, object], row: int, recipe: LowResRecipe, folder: str | Path) -> _Job:
    mpp, mask = entry.get("mpp"), entry.get("mask")
    return _Job(
        row,
        str(entry["slide"]),
        None if mpp is None else float(str(mpp)),
        None if mask is None else str(mask),
        str(entry.get("control") or "auto"),
        recipe,
        str(folder),
    )


def _files(job: _Job) -> list[str]:
    return [path for path in (job.slide, job.mask, job.control) if path is not None]


def _lost(job: _Job, why: str) -> PreparedView:
    said = f"{job.slide}: {why}."
    return PreparedView(job.row, job.slide, "failed", "worker_lost", said, None, (0, 0), 0.0)


def _prepare_one(job: _Job) -> PreparedView:
    started = time.perf_counter()
    try:
        view, picture = keep_view(job.slide, job.mpp, job.recipe, job.folder, job.mask, job.control)
    except OutputError:
        raise
    except LowpowerError as error:
        spent = time.perf_counter() - started
        return PreparedView(job.row, job.slide, error.state, error.code, str(error), None, (0, 0), spent)
    except Exception as error:  # the batch boundary: one slide's surprise must not end the others
        spent = time.perf_counter() - started
        reason = f"{job.slide}: stopped by an unforeseen {type(error).__name__}: {error}"
        return PreparedView(job.row, job.slide, "failed", "unforeseen", reason, None, (0, 0), spent)
    size = (view.image.shape[1], view.image.shape[0])
    return PreparedView(
        job.row, job.slide, "ok", None, None, str(picture), size, time.perf_counter() - started,
        view_flags(picture),
    )  # fmt: skip
