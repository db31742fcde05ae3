"""Slides of two patients that look like copies of one glass and lie in two parts of a fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lowpower.cohort._table import Cohort
from lowpower.cohort.copies._likeness import likeness, near_pairs
from lowpower.cohort.folds import Folds
from lowpower.engine import map_items
from lowpower.errors import SlideError, StorageError

if TYPE_CHECKING:
    from lowpower.slides import Slide

__all__ = ["SAME_TISSUE", "near_copies", "overview"]

SAME_TISSUE: Final = 0.6
"""Correlation of likenesses from which two slides are called near-duplicates (docs/adr/0003)."""
_OVERVIEW_SIDE: Final = 512
_MOST_NAMED: Final = 5


def overview(slide: Slide) -> NDArray[np.uint8]:
    """The whole slide, small: what likenesses are taken of."""
    return slide.overview(slide.mpp * max(1.0, max(slide.size) / _OVERVIEW_SIDE))


def near_copies(
    cohort: Cohort,
    folds: Folds,
    wanted: Sequence[int],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, ...]:
    """Sentences on slides of two patients that look alike and lie in two parts of a fold that is used.

    Slides that cannot be read are passed over: whoever reads them says so.

    Args:
        cohort: The cohort.
        folds: Its folds.
        wanted: Numbers of the folds that are used.
        workers: Processes.
        progress: Called with (slides looked at, slides in all).
    """
    table = cohort.table
    rows = [slide.row for slide in folds.slides]
    asked = [(table["slide"][row], table["mpp"][row]) for row in rows]
    looked = map_items(
        _likeness, asked, workers=workers, reads=lambda item: item[:1], lost=_unlike, progress=progress
    )
    there = [row for row, found in zip(rows, looked, strict=True) if found is not None]
    if len(there) < 2:
        return ()
    alike = near_pairs(np.stack([found for found in looked if found is not None]), SAME_TISSUE)
    told = []
    for first, second, similarity in alike:
        one, other = there[first], there[second]
        if table["patient"][one] == table["patient"][other]:
            continue
        apart = next((fold for fold in wanted if _part(folds, fold, one) != _part(folds, fold, other)), None)
        if apart is not None:
            told.append(
                f"{table['slide_name'][other]} (patient {table['patient'][other]!r}, "
                f"{_part(folds, apart, other)} in fold {apart}) looks like {table['slide_name'][one]} "
                f"(patient {table['patient'][one]!r}, {_part(folds, apart, one)}; similarity "
                f"{similarity:.2f}): if they are one glass or one block, the test is too kind; keep one, or "
                "correct the patient."
            )
    more = len(told) - _MOST_NAMED
    rest = (
        (f"{more} more pairs of slides look alike across parts; lowpower check lists all.",)
        if more > 0
        else ()
    )
    return (*told[:_MOST_NAMED], *rest)


def _part(folds: Folds, fold: int, row: int) -> str:
    return next((name for name, rows in folds.folds[fold].parts().items() if row in rows), "no part")


def _unlike(item: tuple[str, float | None], why: str) -> None:
    """A slide that cannot be looked at looks like none."""


def _likeness(item: tuple[str, float | None]) -> NDArray[np.float32] | None:
    from lowpower.slides import open_slide

    path, mpp = item
    try:
        with open_slide(path, mpp=mpp) as slide:
            return likeness(overview(slide))
    except (SlideError, StorageError):
        return None
