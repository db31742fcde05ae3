"""Who tells a network of every cell: the truth of simulated slides, or what is measured at high power."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lowpower.cohort import Cohort, LabelScheme, scheme_of
from lowpower.engine import map_items
from lowpower.errors import ConfigError, LowpowerError
from lowpower.files import atomic_path, make_folder
from lowpower.simulate import SlideTruth, truth_path
from lowpower.slides import open_slide
from lowpower.stain import DEFAULT_CUTOFFS, Cutoffs, Laboratory, Marker, measure
from lowpower.tissue import find_tissue
from lowpower.views import View

__all__ = ["Teacher", "cells_in_view", "cells_of", "true_cells"]

Teacher = Literal["none", "truth", "measured"]


def cells_of(
    teacher: Teacher,
    cohort: Cohort,
    rows: Sequence[int],
    scheme: str | LabelScheme,
    folder: Path,
    *,
    laboratory: Laboratory | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[int, str]:
    """The table of cells of each row of a cohort, as far as the teacher knows them.

    Args:
        teacher: Who.
        cohort: The cohort.
        rows: Rows of its table.
        scheme: Whose marker is measured.
        folder: Where measured cells are kept; those there are not measured again.
        laboratory: Whose cut-offs measure; the usual ones if None.
        workers: Processes that measure.
        progress: Called with (slides measured, slides in all).

    Raises:
        ConfigError: a slide without truth, or a marker that cannot be measured.
    """
    if teacher == "none":
        return {}
    if teacher == "truth":
        return {row: str(true_cells(cohort.table["slide"][row])) for row in rows}
    marker = scheme_of(scheme).marker
    if marker not in get_args(Marker):
        raise ConfigError(f"teacher: measured: {marker} cannot be measured; leave the teacher out.")
    cutoffs = DEFAULT_CUTOFFS
    if laboratory is not None:
        folder, cutoffs = folder / laboratory.signature[:12], laboratory.cutoffs()
    make_folder(folder)
    jobs = [_job(cohort, row, cast(Marker, marker), cutoffs, folder) for row in rows]
    found = map_items(
        _measured, jobs, workers=workers, reads=_files, writes=[folder], lost=_lost, progress=progress
    )
    return {row: path for row, path in zip(rows, found, strict=True) if path is not None}


def true_cells(slide: str | Path) -> Path:
    """The table of cells beside a simulated slide.

    Raises:
        ConfigError: if the slide has no truth beside it.
    """
    path = truth_path(slide)
    if not path.is_file():
        raise ConfigError(
            f"{slide}: has no {path.name} beside it; teacher: truth needs simulated slides as `lowpower "
            "simulate` writes them; of others take teacher: measured."
        )
    return path.parent / SlideTruth.read(path).cells


def cells_in_view(table: str | Path, view: View) -> NDArray[np.float32]:
    """(N, 3) tumour cells of the specimen: x and y in the view's pixels, class; 0 is a pixel's centre."""
    cells = pl.read_parquet(table).filter((pl.col("type") == "tumour") & ~pl.col("control"))
    height, width = view.mask.shape
    x = (cells["x"].to_numpy() - view.box.x) * (width / view.box.width) - 0.5
    y = (cells["y"].to_numpy() - view.box.y) * (height / view.box.height) - 0.5
    return np.column_stack([x, y, cells["class"].to_numpy()]).astype(np.float32)


@dataclass(frozen=True)
class _Job:
    slide: str
    mpp: float | None
    mask: str | None
    control: str
    marker: Marker
    cutoffs: Cutoffs
    path: str


def _job(cohort: Cohort, row: int, marker: Marker, cutoffs: Cutoffs, folder: Path) -> _Job:
    entry = cohort.table.row(row, named=True)
    mpp, mask = entry.get("mpp"), entry.get("mask")
    return _Job(
        str(entry["slide"]),
        None if mpp is None else float(mpp),
        None if mask is None else str(mask),
        str(entry.get("control") or "auto"),
        marker,
        cutoffs,
        str(folder / f"row{row}.parquet"),
    )


def _files(job: _Job) -> list[str]:
    return [path for path in (job.slide, job.mask, job.control) if path is not None]


def _lost(job: _Job, why: str) -> None:
    """As of a slide that cannot be measured."""


def _measured(job: _Job) -> str | None:
    """The tumour-like cells that `measure` counts, in a table as a simulated slide's; None if it cannot."""
    if Path(job.path).is_file():
        return job.path
    try:
        with open_slide(job.slide, job.mpp) as slide:
            tissue = find_tissue(slide, mask=job.mask, control=job.control)
            measured = measure(slide, job.marker, tissue, cutoffs=job.cutoffs)
    except LowpowerError:
        return None
    if measured.cells is None:
        return None
    cells = measured.cells.table()
    told = cells.select(
        "x", "y", pl.col("kind").alias("type"), pl.col("grade").alias("class"), control=pl.lit(False)
    )
    with atomic_path(job.path) as temporary:
        told.write_parquet(temporary)
    return job.path
