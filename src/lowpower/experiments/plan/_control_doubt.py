"""Slides whose control tissue is doubtful and unstated: named, and not learnt from in silence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lowpower.cohort import Cohort
from lowpower.errors import CohortError

__all__ = ["doubtful_slides", "refuse_doubtful", "says_nothing"]

_MOST_NAMED = 10


def doubtful_slides(cohort: Cohort, flags: Mapping[int, Sequence[str]]) -> list[str]:
    """Names of the slides that may carry control tissue, where neither `control` nor `mask` says anything.

    Args:
        cohort: The cohort.
        flags: Codes of the quality flags, by row.
    """
    return [
        str(cohort.table["slide_name"][row])
        for row, codes in sorted(flags.items())
        if "control_doubtful" in codes and says_nothing(cohort, row)
    ]


def says_nothing(cohort: Cohort, row: int) -> bool:
    """Whether a row leaves open what its control tissue is: neither `control` nor `mask` says it."""
    return cohort.table["control"][row] in (None, "auto") and cohort.table["mask"][row] is None


def refuse_doubtful(cohort: Cohort, flags: Mapping[int, Sequence[str]], most: float) -> list[str]:
    """The doubtful slides, where they are few enough to learn from.

    Args:
        cohort: The cohort.
        flags: Codes of the quality flags of the slides to learn from, by row.
        most: Share of them that may be doubtful.

    Raises:
        CohortError: more are.
    """
    names = doubtful_slides(cohort, flags)
    if len(names) > most * len(flags):
        listed = ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
        raise CohortError(
            f"{cohort.source}: on {len(names)} of {len(flags)} slides to learn from, tissue may be on-slide "
            f"control, and nothing is said of it: {listed}. Look, and say it in the column control (none, an "
            "end such as left, or X,Y,WIDTH,HEIGHT in base pixels); or learn from them all the same with "
            f"doubtful_control: {math.ceil(100 * len(names) / len(flags)) / 100:g}."
        )
    return names
