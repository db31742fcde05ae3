"""Slides of equal content: one glass under two names, or under two patients."""

from __future__ import annotations

from collections import defaultdict

from lowpower.cohort._table import Cohort, sentences
from lowpower.errors import CohortError, SlideError, StorageError
from lowpower.storage import is_there, size_of

__all__ = ["content_hashes", "refuse_copies"]


def content_hashes(cohort: Cohort) -> dict[str, str]:
    """Content hash by slide path, of slides that share their size with another: only they can be equal.

    Links are followed. Slides that cannot be opened are left out: reading them says so.
    """
    from lowpower.slides import open_slide

    by_size: dict[int, list[tuple[str, float | None]]] = defaultdict(list)
    for slide, mpp in cohort.table.select("slide", "mpp").unique(maintain_order=True).iter_rows():
        if is_there(slide):
            by_size[size_of(slide)].append((slide, mpp))
    hashes = {}
    for same in by_size.values():
        for slide, mpp in same if len(same) > 1 else ():
            try:
                with open_slide(slide, mpp=mpp) as opened:
                    hashes[slide] = opened.content_hash()
            except (SlideError, StorageError):
                continue
    return hashes


def refuse_copies(cohort: Cohort, hashes: dict[str, str]) -> None:
    """Refuse one content under two patients: it would be learnt from and tested on.

    Raises:
        CohortError: naming the rows.
    """
    first: dict[tuple[str, str], dict[str, object]] = {}
    problems = []
    for row in cohort.table.iter_rows(named=True):
        content = hashes.get(row["slide"])
        if content is None:
            continue
        known = first.setdefault((content, row["marker"]), row)
        if known["patient"] != row["patient"]:
            one, other = (f"{r['slide_name']}, patient {r['patient']!r}" for r in (row, known))
            problems.append(
                f"row {row['manifest_row']} ({one}) has the content of row {known['manifest_row']} "
                f"({other}); keep one, or correct the patient."
            )
    if problems:
        raise CohortError(sentences(cohort.source, problems))
